// A form made from the declarations of settings: a slider and a number, a list or a tick for each, with its help.
// In the mode "ranges" each number has a least and a greatest value instead.

let serial = 0;

function node(tag, attributes = {}, text = "") {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text) made.textContent = text;
  return made;
}

const STEPS = 400;

function toSlider(field, value) {
  if (!field.log) return value;
  return Math.round(STEPS * Math.log(value / field.low) / Math.log(field.high / field.low));
}

function fromSlider(field, position) {
  if (!field.log) return field.kind === "int" ? Math.round(position) : position;
  const value = field.low * (field.high / field.low) ** (position / STEPS);
  return field.kind === "int" ? Math.round(value) : Number(value.toPrecision(3));
}

function render({ model, el }) {
  el.classList.add("mdnb-form");
  const prefix = `mdnb-form-${++serial}`;
  const shows = {};   // name -> function that shows a value
  const parts = {};   // name -> {inputs, problem}

  function send(name, value) {
    model.set("values", { ...model.get("values"), [name]: value });
    model.save_changes();
  }

  function number(field, id, words) {
    const made = node("input", { type: "number", id, step: field.kind === "int" ? "1" : "any" });
    if (field.low !== null) made.min = field.low;
    if (field.high !== null) made.max = field.high;
    if (words) made.setAttribute("aria-label", words);
    return made;
  }

  function read(input, field) {
    const value = input.value.trim() === "" ? NaN : Number(input.value);
    return Number.isFinite(value) ? value : input.value;  // Python says what is wrong with it
  }

  function build(field) {
    const id = `${prefix}-${field.name}`;
    const row = node("div", { class: "mdnb-field" });
    const unit = field.unit ? ` (${field.unit})` : "";
    const label = node("label", { for: id }, field.label + unit);
    const control = node("div", { class: "mdnb-control" });
    const help = node("div", { class: "mdnb-help mdnb-quiet", id: `${id}-help` }, field.help);
    const problem = node("div", { class: "mdnb-problem", role: "alert" });
    const inputs = [];
    const numeric = field.kind === "int" || field.kind === "float";
    if (model.get("mode") === "ranges") {
      const low = number(field, id, `${field.label}, from`), high = number(field, `${id}-to`, `${field.label}, to`);
      const tell = () => send(field.name, [read(low, field), read(high, field)]);
      for (const one of [low, high]) one.addEventListener("change", tell);
      control.append(low, node("span", { "aria-hidden": "true" }, "to"), high);
      inputs.push(low, high);
      shows[field.name] = ([from, to]) => {
        if (document.activeElement !== low) low.value = from;
        if (document.activeElement !== high) high.value = to;
      };
    } else if (field.kind === "bool") {
      const tick = node("input", { type: "checkbox", id });
      tick.addEventListener("change", () => send(field.name, tick.checked));
      control.append(tick);
      inputs.push(tick);
      shows[field.name] = (value) => { tick.checked = value; };
    } else if (field.kind === "text") {
      const line = node("input", { type: "text", id });
      line.addEventListener("change", () => send(field.name, line.value));
      control.append(line);
      inputs.push(line);
      shows[field.name] = (value) => { if (document.activeElement !== line) line.value = value; };
    } else if (!numeric) {
      const list = node("select", { id });
      field.options.forEach((one, i) => list.append(node("option", { value: i }, String(one))));
      list.addEventListener("change", () => send(field.name, field.options[Number(list.value)]));
      control.append(list);
      inputs.push(list);
      shows[field.name] = (value) => { list.value = field.options.indexOf(value); };
    } else {
      const box = number(field, id);
      if (field.slider) {
        const ends = field.log ? { min: 0, max: STEPS, step: 1 }
          : { min: field.low, max: field.high, step: field.kind === "int" ? 1 : (field.high - field.low) / 1000 };
        const slider = node("input", { type: "range", "aria-label": `${field.label}, slider`, ...ends,
                                       "aria-describedby": `${id}-help` });
        slider.addEventListener("input", () => {
          let value = fromSlider(field, Number(slider.value));
          const held = model.get("values")[field.name];
          // One step of the keyboard always moves a whole number on.
          if (field.kind === "int" && value === held && toSlider(field, held) !== Number(slider.value))
            value = Math.max(field.low, Math.min(field.high, held + Math.sign(Number(slider.value) - toSlider(field, held))));
          if (field.kind === "float") value = Number(value.toPrecision(3));
          box.value = value;
          slider.setAttribute("aria-valuetext", `${value} ${field.unit}`.trim());
          send(field.name, value);
        });
        control.append(slider);
        inputs.push(slider);
        shows[field.name] = (value) => {
          if (document.activeElement !== box) box.value = value;
          if (!slider.matches(":active")) slider.value = toSlider(field, value);
          slider.setAttribute("aria-valuetext", `${value} ${field.unit}`.trim());
        };
      } else {
        shows[field.name] = (value) => { if (document.activeElement !== box) box.value = value; };
      }
      box.addEventListener("change", () => send(field.name, read(box, field)));
      control.append(box);
      inputs.push(box);
    }
    for (const one of inputs) one.setAttribute("aria-describedby", `${id}-help`);
    row.append(label, control, help, problem);
    parts[field.name] = { inputs, problem };
    return row;
  }

  function draw() {
    el.replaceChildren();
    for (const name of Object.keys(shows)) { delete shows[name]; delete parts[name]; }
    const groups = new Map();
    for (const field of model.get("fields")) {
      if (!groups.has(field.group)) {
        const folded = field.group.startsWith("+");
        const outer = folded ? node("details") : node("fieldset");
        outer.append(node(folded ? "summary" : "legend", {}, field.group.replace(/^\+/, "")));
        const grid = node("div", { class: "mdnb-grid" });
        outer.append(grid);
        el.append(outer);
        groups.set(field.group, grid);
      }
      groups.get(field.group).append(build(field));
    }
    show();
    guard();
  }

  function show() {
    const values = model.get("values"), problems = model.get("problems");
    for (const [name, put] of Object.entries(shows)) {
      if (name in values && !(name in problems)) put(values[name]);
      parts[name].problem.textContent = problems[name] || "";
      for (const one of parts[name].inputs) one.setAttribute("aria-invalid", String(name in problems));
    }
  }

  function guard() {
    for (const { inputs } of Object.values(parts)) for (const one of inputs) one.disabled = model.get("disabled");
  }

  const follow = { fields: draw, values: show, problems: show, disabled: guard };
  for (const [name, call] of Object.entries(follow)) model.on(`change:${name}`, call);
  draw();
  return () => { for (const [name, call] of Object.entries(follow)) model.off(`change:${name}`, call); };
}

export default { render };

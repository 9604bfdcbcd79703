// A table whose rows can be ticked, and one of them chosen. It is changed in place, so that focus and clicks survive
// while values stream in.

let serial = 0;

function node(tag, attributes = {}, text = "") {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text) made.textContent = text;
  return made;
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function render({ model, el }) {
  el.classList.add("mdnb-table");
  const prefix = `mdnb-table-${++serial}`;
  const table = node("table");
  const caption = node("caption");
  const head = node("thead"), body = node("tbody");
  table.append(caption, head, body);
  const scroll = node("div", { class: "mdnb-scroll", tabindex: "0", role: "region" });
  scroll.append(table);
  const empty = node("p", { class: "mdnb-quiet" });
  el.append(scroll, empty);
  const rows = new Map();   // key -> {tr, tick, dot, cells, note}

  function tick(key, on) {
    const now = new Set(model.get("checked"));
    if (on) now.add(key); else now.delete(key);
    const order = model.get("rows").map((row) => row.key).filter((one) => now.has(one));
    model.set("checked", order);
    model.save_changes();
  }

  function build(row) {
    const tr = node("tr");
    const made = { tr, cells: {} };
    if (model.get("check_label")) {
      made.tick = node("input", { type: "checkbox", "aria-label": `${model.get("check_label")} ${row.label}` });
      made.tick.addEventListener("change", () => tick(row.key, made.tick.checked));
      const cell = node("td");
      cell.append(made.tick);
      tr.append(cell);
    }
    if (model.get("select_label")) {
      made.dot = node("input", { type: "radio", name: prefix, "aria-label": `${model.get("select_label")} ${row.label}` });
      made.dot.addEventListener("change", () => { model.set("selected", row.key); model.save_changes(); });
      const cell = node("td");
      cell.append(made.dot);
      tr.append(cell);
    }
    model.get("columns").forEach((column, i) => {
      const cell = i ? node("td") : node("th", { scope: "row" });
      if (column.right) cell.classList.add("mdnb-right");
      if (!i) {
        made.swatch = node("span", { class: "mdnb-swatch", "aria-hidden": "true" });
        made.first = node("span");
        cell.append(made.swatch, made.first);
      }
      made.cells[column.key] = cell;
      tr.append(cell);
    });
    return made;
  }

  function headings() {
    const line = node("tr");
    for (const name of ["check_label", "select_label"])
      if (model.get(name)) line.append(node("th", { scope: "col" }, model.get(name)));
    for (const column of model.get("columns")) {
      const th = node("th", { scope: "col", ...(column.title ? { title: column.title } : {}) }, column.label);
      if (column.right) th.classList.add("mdnb-right");
      line.append(th);
    }
    head.replaceChildren(line);
    body.replaceChildren();
    rows.clear();
    show();
  }

  function show() {
    const given = model.get("rows"), checked = new Set(model.get("checked")), columns = model.get("columns");
    put(caption, model.get("caption"));
    scroll.setAttribute("aria-label", model.get("caption"));
    put(empty, given.length ? "" : model.get("empty"));
    scroll.style.display = given.length ? "" : "none";
    for (const [key, made] of rows) if (!given.some((row) => row.key === key)) { made.tr.remove(); rows.delete(key); }
    given.forEach((row, at) => {
      if (!rows.has(row.key)) rows.set(row.key, build(row));
      const made = rows.get(row.key);
      if (body.children[at] !== made.tr) body.insertBefore(made.tr, body.children[at] || null);
      made.tr.classList.toggle("mdnb-dim", Boolean(row.reason));
      if (row.reason) made.tr.title = row.reason; else made.tr.removeAttribute("title");
      if (made.tick) { made.tick.checked = checked.has(row.key); made.tick.disabled = Boolean(row.reason) || model.get("disabled"); }
      if (made.dot) { made.dot.checked = model.get("selected") === row.key; made.dot.disabled = Boolean(row.reason); }
      made.swatch.style.background = row.color || "";
      made.swatch.style.display = row.color ? "" : "none";
      columns.forEach((column, i) => {
        put(i ? made.cells[column.key] : made.first, row.cells[column.key] ?? "");
        made.cells[column.key].classList.toggle("mdnb-mark", (row.marks || []).includes(column.key));
      });
    });
  }

  const shown = ["rows", "checked", "selected", "caption", "empty", "disabled"];
  for (const name of shown) model.on(`change:${name}`, show);
  model.on("change:columns", headings);
  headings();
  return () => {
    for (const name of shown) model.off(`change:${name}`, show);
    model.off("change:columns", headings);
  };
}

export default { render };

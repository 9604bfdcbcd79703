// The foot of every widget: its code and parameters to copy; and what a whole widget needs from the page:
// names for controls that have none, the notebook's shortcuts kept off, and word of the theme.

const ICONS = { play: "Play", pause: "Pause", stop: "Stop", repeat: "Repeat", "step-forward": "Next frame",
                "step-backward": "Previous frame", "fast-forward": "Last frame", "fast-backward": "First frame",
                expand: "Full screen", compress: "Full screen" };

function isDark() {
  const said = document.body.dataset.jpThemeLight;
  if (said) return said === "false";
  const [r, g, b, a = 1] = (getComputedStyle(document.body).backgroundColor.match(/[\d.]+/g) || [255, 255, 255]).map(Number);
  return a > 0 && 0.299 * r + 0.587 * g + 0.114 * b < 110;
}

function labelOf(element) {
  const row = element.closest(".widget-inline-hbox, .widget-inline-vbox, .jupyter-widgets");
  const text = row?.querySelector(".widget-label")?.textContent.trim();
  return text || element.closest("[title]")?.getAttribute("title") || (element.closest(".mdnb-frame") ? "Frame, slider" : "");
}

function set(element, name, value) {
  if (value && element.getAttribute(name) !== value) element.setAttribute(name, value);
}

function nameControls(root) {
  for (const handle of root.querySelectorAll("[role=slider]")) {
    const row = handle.closest(".jupyter-widgets");
    if (!handle.hasAttribute("aria-labelledby")) set(handle, "aria-label", labelOf(handle));
    set(handle, "aria-valuetext", row?.querySelector(".widget-readout")?.textContent.trim());
  }
  for (const button of root.querySelectorAll("button")) {
    if (button.textContent.trim() || button.hasAttribute("aria-label")) continue;
    const icon = [...(button.querySelector("i, svg, span")?.classList || []), ...button.classList]
      .map((one) => ICONS[one.replace(/^fa-/, "")]).find(Boolean);
    set(button, "aria-label", button.title || icon);
  }
  for (const box of root.querySelectorAll(".widget-play, .jupyter-widget-play")) {
    box.querySelectorAll("button").forEach((button, i) => {
      const known = ["Play", "Pause", "Stop", "Repeat"];
      if (!button.textContent.trim()) set(button, "aria-label", button.getAttribute("aria-label") || button.title || known[i]);
    });
  }
  for (const bar of root.querySelectorAll(".widget-hprogress .progress, .widget-vprogress .progress")) {
    set(bar, "role", "progressbar");
    set(bar, "aria-label", labelOf(bar) || "Progress");
  }
  for (const group of root.querySelectorAll(".widget-toggle-buttons")) {
    set(group, "role", "group");
    set(group, "aria-label", labelOf(group));
  }
  for (const plain of root.querySelectorAll("input, select, textarea")) {
    const named = plain.labels?.length || plain.hasAttribute("aria-label") || plain.hasAttribute("aria-labelledby");
    if (!named) set(plain, "aria-label", labelOf(plain));
  }
  for (const canvas of root.querySelectorAll(".nglview canvas, canvas")) {
    if (!canvas.hasAttribute("role")) {
      canvas.setAttribute("role", "img");
      set(canvas, "aria-label", "Picture of the structure; what it shows is written below it");
    }
  }
}

async function copy(text, say) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {  // no permission, or a page that is not secure
    const area = document.createElement("textarea");
    area.value = text;
    area.style.position = "fixed";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) return say("not allowed here: select the text and press Ctrl+C");
  }
  say("copied");
}

function adopt(el, model) {
  const root = el.closest(".mdnb-widget");
  if (!root) return () => {};
  root.setAttribute("role", "group");
  set(root, "aria-label", model.get("name"));
  const theme = () => {
    const dark = isDark();
    root.classList.toggle("mdnb-dark", dark);
    if (model.get("dark") !== dark) { model.set("dark", dark); model.save_changes(); }
  };
  // Only saving goes through to JupyterLab, whose other shortcuts would edit the notebook.
  root.setAttribute("data-lm-suppress-shortcuts", "true");
  const keys = (event) => {
    if (!root.contains(event.target)) return;
    const saves = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s";
    if (saves) root.removeAttribute("data-lm-suppress-shortcuts");
    else root.setAttribute("data-lm-suppress-shortcuts", "true");
  };
  window.addEventListener("keydown", keys, true);
  // The notebook takes the arrow keys for itself, also from a slider.
  const stay = (event) => { if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation(); };
  root.addEventListener("keydown", stay);
  const themes = new MutationObserver(theme);
  themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name", "class"] });
  let due = 0;
  const contents = new MutationObserver(() => { due ||= setTimeout(() => { due = 0; nameControls(root); }, 50); });
  contents.observe(root, { childList: true, subtree: true, characterData: true });
  theme();
  nameControls(root);
  return () => {
    window.removeEventListener("keydown", keys, true);
    root.removeEventListener("keydown", stay);
    themes.disconnect();
    contents.disconnect();
    clearTimeout(due);
  };
}

function render({ model, el }) {
  el.classList.add("mdnb-frame-foot");
  const row = document.createElement("div");
  row.className = "mdnb-row";
  const panel = document.createElement("div");
  const text = document.createElement("pre");
  text.tabIndex = 0;
  const said = document.createElement("span");
  said.setAttribute("role", "status");
  said.className = "mdnb-quiet";
  const copies = document.createElement("button");
  copies.className = "mdnb-button mdnb-copy";
  copies.textContent = "Copy";
  copies.addEventListener("click", () => copy(model.get("text"), (words) => { said.textContent = words; }));
  const buttons = {};
  for (const [which, words] of [["code", "Show code"], ["parameters", "Show parameters"]]) {
    const button = document.createElement("button");
    button.className = `mdnb-button mdnb-show-${which}`;
    button.textContent = words;
    button.title = which === "code" ? "The Python that makes what is on the screen" : "The same as papermill parameters (YAML)";
    button.addEventListener("click", () => {
      model.set("opened", model.get("opened") === which ? "" : which);
      model.save_changes();
    });
    buttons[which] = button;
  }
  row.append(buttons.code, buttons.parameters, copies, said);
  panel.append(text);
  el.append(row, panel);
  const show = () => {
    const opened = model.get("opened");
    for (const [which, button] of Object.entries(buttons)) button.setAttribute("aria-expanded", String(which === opened));
    panel.style.display = opened ? "" : "none";
    copies.style.display = opened ? "" : "none";
    said.textContent = "";
    text.setAttribute("aria-label", opened === "code" ? "Python" : "Papermill parameters");
    text.textContent = model.get("text");
    copies.setAttribute("aria-label", opened === "code" ? "Copy the code" : "Copy the parameters");
  };
  model.on("change:opened", show);
  model.on("change:text", show);
  show();
  let leave = () => {}, gone = false;
  const settle = () => {
    if (gone) return;
    if (el.isConnected) leave = adopt(el, model);
    else requestAnimationFrame(settle);
  };
  settle();
  return () => { gone = true; leave(); model.off("change:opened", show); model.off("change:text", show); };
}

export default { render };

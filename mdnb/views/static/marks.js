// Marks over a plotly figure in the same `.mdnb-plot`: a frame, what is chosen. On a canvas of their own, as plotly
// lays its whole figure out anew for the smallest change of it.
// And the mouse on that figure: where was clicked, what was drawn around. plotly's own click tells of the point that
// it found under the mouse before, looking at most every 50 ms and not while something is drawn, and its widget keeps
// only the last of the events while one is on its way: a quick click is lost. It also tells only of what is drawn in
// the first subplot. Here a click is a place on the axes, told at once.

const axis = (plot, name) => plot._fullLayout?.[`${name[0]}axis${name.slice(1)}`];

function draw(model, canvas, plot) {
  const { width, height } = plot._fullLayout, scale = window.devicePixelRatio || 1;
  canvas.width = width * scale; canvas.height = height * scale;  // which also wipes it
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  const within = (names, work) => {
    const [x, y] = names.map((name) => axis(plot, name));
    if (!x?.l2p || !y?.l2p) return;
    pen.save();
    pen.beginPath();
    pen.rect(x._offset - 1, y._offset - 1, x._length + 2, y._length + 2);
    pen.clip();
    work((at) => x._offset + x.l2p(at), (at) => y._offset + y.l2p(at), x, y);
    pen.restore();
  };
  const bytes = model.get("points");
  const points = bytes ? new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)) : [];
  for (const { axes, columns, size } of model.get("panels")) within(axes, (across, up) => {
    pen.fillStyle = model.get("colour"); pen.strokeStyle = "#222222"; pen.lineWidth = 0.5;
    pen.beginPath();
    for (let i = 0; i < points.length; i += 3) {
      const x = across(points[i + columns[0]]), y = up(points[i + columns[1]]);
      pen.moveTo(x + size / 2, y);
      pen.arc(x, y, size / 2, 0, 2 * Math.PI);
    }
    pen.fill(); pen.stroke();
  });
  for (const { kind, axes, at, color } of model.get("shapes")) within(axes, (across, up, x, y) => {
    pen.strokeStyle = color;
    pen.lineWidth = kind === "line" ? 2 : 3;
    pen.beginPath();
    if (kind === "ring") {
      for (const [ink, wide] of [["#ffffff", 5], [color, 3]]) {  // seen on dark and light
        pen.beginPath();
        pen.strokeStyle = ink; pen.lineWidth = wide;
        pen.arc(across(at[0]), up(at[1]), 8, 0, 2 * Math.PI);
        pen.stroke();
      }
    } else if (kind === "line") {
      pen.moveTo(across(at[0]), y._offset);
      pen.lineTo(across(at[0]), y._offset + y._length);
      pen.stroke();
    } else if (kind === "column") {
      pen.strokeRect(across(at[0]), y._offset, across(at[1]) - across(at[0]), y._length);
    } else {
      pen.strokeRect(x._offset, up(at[0]), x._length, up(at[1]) - up(at[0]));
    }
  });
}

// Pixels from which on plotly, too, takes a click for a drag; and those below which it takes a box for a band.
const FAR = 8, BAND = 12;
// What plotly's widget would tell the kernel of the mouse.
const THEIRS = ["plotly_hover", "plotly_unhover", "plotly_click", "plotly_selected", "plotly_deselect"];

/** Return the subplot under the mouse: the names of its axes, the axes, and from the page's pixels to numbers. */
function under(model, plot, event) {
  const box = plot.querySelector(".svg-container")?.getBoundingClientRect();
  if (!box || event.target.closest?.(".modebar")) return null;
  for (const axes of model.get("subplots")) {
    const [x, y] = axes.map((name) => axis(plot, name));
    if (!x?.p2l || !y?.p2l) continue;
    const left = box.left + x._offset, top = box.top + y._offset;
    const across = event.clientX - left, down = event.clientY - top;
    if (across < 0 || across > x._length || down < 0 || down > y._length) continue;
    return { axes, x: [left, left + x._length], y: [top, top + y._length],
             at: ([px, py]) => [x.p2l(px - left), y.p2l(py - top)] };
  }
  return null;
}

/** Return a path without the points that lie on the way between others (Ramer 1972, Douglas and Peucker 1973). */
function thin(path, most = 1) {
  const [[ax, ay], [bx, by]] = [path[0], path.at(-1)], length = Math.hypot(bx - ax, by - ay);
  let far = 0, at = 0;
  path.forEach(([x, y], i) => {
    const off = length ? Math.abs((bx - ax) * (ay - y) - (ax - x) * (by - ay)) / length : Math.hypot(x - ax, y - ay);
    if (off > far) { far = off; at = i; }
  });
  return far <= most ? [path[0], path.at(-1)] : [...thin(path.slice(0, at + 1)).slice(0, -1), ...thin(path.slice(at))];
}

/** Return the corners of the box between two points as plotly draws it: flat ones go from end to end. */
function box([ax, ay], [bx, by], place) {
  const wide = Math.abs(bx - ax), high = Math.abs(by - ay);
  const [left, right] = wide < Math.min(0.6 * high, BAND) ? place.x : [ax, bx];
  const [top, bottom] = high < Math.min(0.6 * wide, BAND) ? place.y : [ay, by];
  return [[left, top], [right, top], [right, bottom], [left, bottom]];
}

/** Tell the kernel what the mouse does on the figure, and return what ends that. */
function mouse(model, find) {
  let begun = null;
  const down = (event) => {
    const plot = find();
    begun = null;
    if (!event.isPrimary || event.button !== 0 || !plot?._fullLayout || !plot.contains(event.target)) return;
    const place = under(model, plot, event);
    if (place) begun = { place, how: plot._fullLayout.dragmode, path: [[event.clientX, event.clientY]], far: false };
  };
  const move = (event) => {
    if (!begun || !event.isPrimary) return;
    const [[x, y]] = begun.path;
    begun.far ||= Math.max(Math.abs(event.clientX - x), Math.abs(event.clientY - y)) >= FAR;
    begun.path.push([event.clientX, event.clientY]);
  };
  const up = (event) => {
    if (!begun || !event.isPrimary) return;
    move(event);
    const { place, how, path, far } = begun, axes = place.axes;
    begun = null;
    if (!far) model.send({ kind: "click", axes, at: place.at(path[0]) });
    else if (how === "lasso") model.send({ kind: "around", axes, corners: thin(path).map(place.at) });
    else if (how === "select") model.send({ kind: "around", axes, corners: box(path[0], path.at(-1), place).map(place.at) });
  };
  const calls = { pointerdown: down, pointermove: move, pointerup: up, pointercancel: () => { begun = null; } };
  for (const [name, call] of Object.entries(calls)) window.addEventListener(name, call, true);
  return () => { for (const [name, call] of Object.entries(calls)) window.removeEventListener(name, call, true); };
}

function render({ model, el }) {
  el.style.display = "none";
  const canvas = document.createElement("canvas");
  canvas.className = "mdnb-marks";
  canvas.setAttribute("role", "presentation");
  Object.assign(canvas.style, { position: "absolute", top: 0, left: 0, pointerEvents: "none" });
  let heard, gone = false;
  const find = () => el.closest(".mdnb-plot")?.querySelector(".js-plotly-plot");
  const leave = mouse(model, find);
  const show = () => {
    const plot = find();
    const ground = plot?.querySelector(".svg-container");
    if (gone || !ground || !plot._fullLayout || !plot.on) return false;
    if (heard !== plot._ev) {  // plotly forgets who listens when it draws a figure from the start
      heard = plot._ev;
      for (const name of THEIRS) plot.removeAllListeners(name);
      plot.on("plotly_afterplot", show);
      plot.on("plotly_relayouting", show);
    }
    if (canvas.parentNode !== ground) ground.append(canvas);
    draw(model, canvas, plot);
    return true;
  };
  const later = () => setTimeout(show);
  const settle = () => { if (!gone && !show()) requestAnimationFrame(settle); };
  document.addEventListener("plotlywidget-after-render", later);
  model.on("change", show);
  settle();
  return () => {
    gone = true;
    document.removeEventListener("plotlywidget-after-render", later);
    model.off("change", show);
    leave();
    canvas.remove();
  };
}

export default { render };

// Marks over a plotly figure in the same `.mdnb-plot`: a frame, what is chosen. On a canvas of their own, as plotly
// lays its whole figure out anew for the smallest change of it.

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

function render({ model, el }) {
  el.style.display = "none";
  const canvas = document.createElement("canvas");
  canvas.className = "mdnb-marks";
  canvas.setAttribute("role", "presentation");
  Object.assign(canvas.style, { position: "absolute", top: 0, left: 0, pointerEvents: "none" });
  let heard, gone = false;
  const show = () => {
    const plot = el.closest(".mdnb-plot")?.querySelector(".js-plotly-plot");
    const ground = plot?.querySelector(".svg-container");
    if (gone || !ground || !plot._fullLayout || !plot.on) return false;
    if (heard !== plot._ev) {  // plotly forgets who listens when it draws a figure from the start
      heard = plot._ev;
      // What the mouse passes over concerns nobody; plotly would tell the kernel of each point.
      for (const name of ["plotly_hover", "plotly_unhover"]) plot.removeAllListeners(name);
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
    canvas.remove();
  };
}

export default { render };

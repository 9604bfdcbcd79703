// Draws every molecule of a report with 3Dmol. Where WebGL does not work the still picture stays.
(function () {
  "use strict";
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;

  function atomsOf(model) {
    const first = model.frames[model.start];
    const atoms = model.element.map((element, i) => {
      const [resn, resi, chain, ss, protein] = model.residues[model.residue[i]];
      return {
        elem: element, atom: model.name[i], serial: i, index: i, resn, resi, ss,
        chain: String.fromCharCode(65 + (chain % 26)), hetflag: !protein, bonds: [], bondOrder: [],
        x: first[3 * i], y: first[3 * i + 1], z: first[3 * i + 2],
      };
    });
    for (let k = 0; k < model.bonds.length; k += 2) {
      const [a, b] = [model.bonds[k], model.bonds[k + 1]];
      for (const [from, to] of [[a, b], [b, a]]) {
        atoms[from].bonds.push(to);
        atoms[from].bondOrder.push(1);
      }
    }
    return atoms;
  }

  function styleOf(model) {
    const byAtom = (atom) => model.colours[atom.serial];
    const style = {};
    if (model.cartoon) {
      style.cartoon = { colorfunc: (atom) => model.residues[model.residue[atom.serial]][5], opacity: 0.75, thickness: 0.3 };
    }
    if (model.sticks) style.stick = { colorfunc: byAtom, radius: model.cartoon ? 0.09 : 0.14 };
    if (model.spheres) style.sphere = { colorfunc: byAtom, scale: 0.22 };
    return style;
  }

  function button(parent, text) {
    const element = document.createElement("button");
    element.type = "button";
    element.textContent = text;
    parent.appendChild(element);
    return element;
  }

  function nameOf(model, atom) {
    const [resn, resi] = model.residues[model.residue[atom.serial]];
    const value = model.values && model.values[atom.serial];
    return `${resn}${resi} ${model.name[atom.serial]}` + (typeof value === "number" ? `: ${value}` : "");
  }

  function draw(figure) {
    const model = JSON.parse(figure.querySelector(".mdnb-model").textContent);
    const stage = figure.querySelector(".mdnb-stage");
    const still = stage.querySelector("img");
    const canvasBox = document.createElement("div");
    canvasBox.style.cssText = `position:relative;width:100%;height:${stage.dataset.height}px`;
    canvasBox.tabIndex = 0;
    canvasBox.setAttribute("role", "img");
    canvasBox.setAttribute("aria-label", stage.dataset.label + " Arrow keys turn it, plus and minus zoom.");
    stage.appendChild(canvasBox);
    let viewer = null;
    try {
      viewer = $3Dmol.createViewer(canvasBox, { backgroundColor: "white", antialias: true });
    } catch (error) {
      console.warn("mdnb: no WebGL, showing the still picture", error);
    }
    if (!viewer) {
      canvasBox.remove();
      return;
    }
    still.remove();
    const molecule = viewer.addModel();
    molecule.addAtoms(atomsOf(model));
    const style = styleOf(model);
    const roomy = model.frames.length > 1 ? 1.0 : 1.25; // what moves needs room
    viewer.setStyle({}, style);
    viewer.zoomTo();
    viewer.zoom(roomy);
    viewer.setHoverable({}, true,
      (atom) => { atom.mdnbLabel = atom.mdnbLabel || viewer.addLabel(nameOf(model, atom), { position: atom, fontSize: 13 }); },
      (atom) => { if (atom.mdnbLabel) { viewer.removeLabel(atom.mdnbLabel); delete atom.mdnbLabel; } });
    viewer.render();
    controls(figure.querySelector(".mdnb-controls"), canvasBox, viewer, molecule, model, style);
    figure.dataset.drawn = "true";
  }

  function controls(bar, box, viewer, molecule, model, style) {
    const turn = button(bar, "Stop turning");
    let turning = false;
    let visible = true;
    let waiting = false;
    // A step is asked for only when the last one is on the screen, so that a slow computer turns it
    // slowly and stays usable; what is off the screen rests.
    const step = () => {
      waiting = false;
      if (!turning || !visible) return;
      const before = performance.now();
      viewer.rotate(0.7, "y");
      next(40 + 2 * (performance.now() - before));
    };
    const next = (delay) => {
      if (waiting) return;
      waiting = true;
      setTimeout(() => requestAnimationFrame(step), delay);
    };
    const setTurning = (on) => {
      turning = on;
      turn.textContent = on ? "Stop turning" : "Turn";
      if (on) next(0);
    };
    new IntersectionObserver(([entry]) => {
      visible = entry.isIntersecting;
      if (visible) next(0);
    }).observe(box);
    turn.addEventListener("click", () => setTurning(!turning));
    for (const event of ["pointerdown", "wheel", "touchstart"]) {
      box.addEventListener(event, () => setTurning(false), { passive: true });
    }
    const keys = {
      ArrowLeft: () => viewer.rotate(-10, "y"), ArrowRight: () => viewer.rotate(10, "y"),
      ArrowUp: () => viewer.rotate(-10, "x"), ArrowDown: () => viewer.rotate(10, "x"),
      "+": () => viewer.zoom(1.1), "-": () => viewer.zoom(0.9),
    };
    box.addEventListener("keydown", (event) => {
      if (!(event.key in keys)) return;
      event.preventDefault();
      setTurning(false);
      keys[event.key]();
    });
    setTurning(!calm);
    const zoom = button(bar, "Reset view");
    zoom.addEventListener("click", () => { viewer.zoomTo(); viewer.render(); });
    if (model.frames.length > 1) frames(bar, viewer, molecule, model, style);
  }

  function frames(bar, viewer, molecule, model, style) {
    const label = document.createElement("label");
    const slider = document.createElement("input");
    const shown = document.createElement("span");
    Object.assign(slider, { type: "range", min: 0, max: model.frames.length - 1, value: model.start });
    const show = (i) => {
      const flat = model.frames[i];
      for (const atom of molecule.selectedAtoms({})) {
        [atom.x, atom.y, atom.z] = flat.slice(3 * atom.serial, 3 * atom.serial + 3);
      }
      viewer.setStyle({}, style);
      viewer.render();
      shown.textContent = model.names ? model.names[i] : `${i + 1} of ${model.frames.length}`;
      slider.setAttribute("aria-valuetext", shown.textContent);
    };
    slider.addEventListener("input", () => show(Number(slider.value)));
    label.append("Structure ", slider, " ", shown);
    const play = button(bar, "Play");
    let timer = null;
    play.addEventListener("click", () => {
      if (timer) {
        clearInterval(timer);
        timer = null;
      } else {
        timer = setInterval(() => {
          slider.value = (Number(slider.value) + 1) % model.frames.length;
          show(Number(slider.value));
        }, 250);
      }
      play.textContent = timer ? "Pause" : "Play";
    });
    bar.appendChild(label);
    show(model.start);
  }

  // Browsers keep few WebGL contexts alive, so a molecule is drawn when it comes near the screen.
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      near.unobserve(entry.target);
      draw(entry.target);
    }
  }, { rootMargin: "300px" });
  document.querySelectorAll(".mdnb-molecule").forEach((figure) => near.observe(figure));
})();

"""Explorer as a user meets it: a lasso on the map, a click, the slider, and the value in the next cell."""

from __future__ import annotations

from typing import Any

import numpy as np

from .conftest import drawn, pixels, poll
from .test_lab import ask, command, no_trouble, open_notebook, theme
from .test_lab import shoot as shoot_part

CELL = """\
%%capture
import mdnb
trajectories = mdnb.example("alanine-dipeptide")
features = mdnb.featurize(trajectories, "torsions")
explorer = mdnb.Explorer(features, "phi ALA2", "psi ALA2", temperature=500)"""


CHOSEN = "print(len(explorer.value), explorer.value.sum())"


def shoot(page: Any, target: Any, name: str) -> None:
    """Take a picture of a widget that is higher than the window: in a window that holds it."""
    before = page.viewport_size
    page.set_viewport_size({"width": before["width"], "height": 1500})
    target.scroll_into_view_if_needed()
    poll("the window", lambda: page.evaluate("innerHeight") == 1500, page)
    shoot_part(target, name)
    page.set_viewport_size(before)


def on_plot(page: Any, widget: Any, subplot: str) -> Any:
    """Return a function from shares of a subplot's width and height (from its upper left corner) to the page."""
    area = widget.locator(f".js-plotly-plot .draglayer .{subplot} rect.nsewdrag").first
    area.wait_for()
    area.scroll_into_view_if_needed()
    seen: list[Any] = []

    def steady() -> bool:
        seen.append(area.bounding_box())
        return len(seen) >= 8 and all(one == seen[-1] for one in seen[-8:])

    poll("the page, which scrolls after a cell was run, to stand still", steady, page)
    box = seen[-1]
    return lambda across, down: (box["x"] + across * box["width"], box["y"] + down * box["height"])


def draw_around(page: Any, corners: list[tuple[float, float]]) -> None:
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in [*corners[1:], corners[0]]:
        page.mouse.move(*corner, steps=4)
    page.mouse.up()


_OPACITY = "one => getComputedStyle(one).opacity"


def over(one: Any, other: Any) -> bool:
    """Return whether two things lie over each other."""
    a, b = one.bounding_box(), other.bounding_box()
    across = min(a["x"] + a["width"], b["x"] + b["width"]) - max(a["x"], b["x"])
    down = min(a["y"] + a["height"], b["y"] + b["height"]) - max(a["y"], b["y"])
    return across > 0 and down > 0


def test_lasso_click_and_slider_are_linked(page: Any, lab: dict[str, Any]) -> None:
    sent: list[Any] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    open_notebook(page, lab, "explorer.ipynb", [CELL, "explorer"])
    command(page, "notebook:run-all-cells")
    explorer = page.locator(".mdnb-explorer")
    canvas = explorer.locator(".nglview canvas, .mdnb-stage canvas").first
    canvas.wait_for()
    poll("the molecule", lambda: drawn(pixels(canvas)), page)
    place = on_plot(page, explorer, "xy")
    shoot(page, explorer, "explorer-first")
    # Thousands of points, each with a transform: in a layer of their own, or whatever changes on the page is slow.
    assert explorer.locator(".main-svg").first.evaluate("one => getComputedStyle(one).willChange") == "transform"

    # A click: the frames of that place, and the nearest of them is shown.
    page.mouse.click(*place(0.12, 0.08))
    explorer.get_by_text("frames chosen").wait_for()
    text = ask(page, "print(len(explorer.value), explorer.landscape.where(explorer.frame))")
    assert "alanine-dipeptide" in text, text
    clicked = ask(page, CHOSEN)
    told = " ".join(one if isinstance(one, str) else one.decode("latin1") for one in sent)
    assert '"kind":"click"' in told
    assert "plotly_hover" not in told  # the mouse has passed over points
    assert "plotly_click" not in told

    # Around the left-handed state: phi > 0, a few frames among 24,000. (Asking has scrolled the page.)
    place = on_plot(page, explorer, "xy")
    draw_around(page, [place(x, y) for x, y in ((0.55, 0.1), (0.75, 0.1), (0.75, 0.95), (0.55, 0.95))])
    outline = explorer.locator(".js-plotly-plot .selectionlayer path")
    poll("the outline", lambda: outline.count() > 0, page)
    text = ask(page, "phi = explorer.landscape.x.values[explorer.value]; print(len(phi), (phi > 0).all())")
    assert text.split()[1] == "True", text
    assert int(text.split()[0]) > 50, text
    text = ask(page, "print(explorer.frame in explorer.value, explorer.structure.value == explorer.frame)")
    assert text == "True True"
    before = pixels(canvas)

    # The bar of tools beside the title; nothing in it sends the figure away.
    page.mouse.move(*place(0.5, 0.5))
    tools = explorer.locator(".js-plotly-plot .modebar").first
    poll("the tools", lambda: float(tools.locator(".modebar-group").first.evaluate(_OPACITY)) > 0.9, page)
    assert not over(explorer.locator(".gtitle").first, tools)
    assert explorer.locator(".modebar-btn[data-title*='Share'], .modebar-btn[data-title*='loud']").count() == 0

    # A click at once after something was drawn, and inside its outline, without a pause over the point.
    place = on_plot(page, explorer, "xy")
    draw_around(page, [place(x, y) for x, y in ((0.03, 0.02), (0.3, 0.02), (0.3, 0.3), (0.03, 0.3))])
    page.mouse.click(*place(0.12, 0.08))
    poll("the click's frames", lambda: ask(page, CHOSEN) == clicked, page, 30)

    # On the trace of x, too, frames can be drawn around.
    place = on_plot(page, explorer, "x2y2")
    draw_around(page, [place(x, y) for x, y in ((0.2, 0.02), (0.3, 0.02), (0.3, 0.98), (0.2, 0.98))])
    poll("the trace's frames", lambda: ask(page, CHOSEN) != clicked, page, 30)
    low, high = map(int, ask(page, "print(explorer.value.min(), explorer.value.max())").split())
    assert 0.1 < low / 24_000 < high / 24_000 < 0.35

    # The slider moves through the chosen frames; number and map follow.
    shown = explorer.get_by_label("Frame", exact=True).first.input_value()
    handle = explorer.locator(".mdnb-frame [role=slider]")
    handle.focus()
    handle.press("ArrowRight")
    number = explorer.get_by_label("Frame", exact=True).locator("visible=true").first
    poll("the slider's step", lambda: number.input_value() != shown, page)
    poll("another structure", lambda: np.abs(pixels(canvas) - before).sum() > 10_000, page)
    assert ask(page, "print(explorer.frame)") == number.input_value()

    # By keyboard and from Python.
    place = on_plot(page, explorer, "xy")
    draw_around(page, [place(x, y) for x, y in ((0.55, 0.1), (0.75, 0.1), (0.75, 0.95), (0.55, 0.95))])
    poll("the outline", lambda: outline.count() > 0, page)
    explorer.get_by_role("button", name="Choose none").press("Enter")
    explorer.get_by_text("No frames are chosen").wait_for()
    poll("the outline to go", lambda: outline.count() == 0, page)
    assert ask(page, "print(len(explorer.value)); explorer.value = range(100, 200)") == "0"
    explorer.get_by_text("100 frames chosen").wait_for()
    explorer.get_by_role("button", name="Show code").click()
    explorer.get_by_text("chosen='100-199'").wait_for()
    explorer.get_by_role("button", name="Hide code").or_(explorer.get_by_role("button", name="Show code")).click()
    shoot(page, explorer, "explorer-light")
    theme(page, "Dark")
    poll("the dark theme", lambda: explorer.evaluate("e => e.classList.contains('mdnb-dark')"), page)
    shoot(page, explorer, "explorer-dark")
    theme(page, "Light")
    no_trouble(page)


EXPLAIN = """\
%%capture
import mdnb
trajectories = mdnb.example("chignolin")
features = mdnb.featurize(trajectories, "ca-distances")
run = mdnb.fit(features, "folded", mdnb.CNN(), mdnb.Training(epochs=2, seed=0))
explanations = [mdnb.explain(run, features, n=40, output=name) for name in run.target.classes]"""


def click_an_atom(page: Any, canvas: Any, residue: Any) -> bool:
    """Click on one of the coloured pixels, and return whether a residue is chosen soon; the molecule may still turn."""
    image, box = pixels(canvas), canvas.bounding_box()
    coloured = np.argwhere(np.ptp(image, axis=2) > 60)
    if not len(coloured):
        return False
    down, across = coloured[np.random.default_rng(len(coloured)).integers(len(coloured))].tolist()
    page.mouse.move(box["x"] + across, box["y"] + down, steps=3)
    page.mouse.click(box["x"] + across, box["y"] + down)
    for _ in range(60):
        if residue.input_value() != "(none)":
            return True
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => done()))")
    return False


def test_a_residue_is_clicked_in_the_plot_and_in_the_structure(page: Any, lab: dict[str, Any]) -> None:
    cells = [EXPLAIN, "view = mdnb.ExplanationView(explanations, trajectories)\nview"]
    open_notebook(page, lab, "explanation.ipynb", cells)
    command(page, "notebook:run-all-cells")
    view = page.locator(".mdnb-explanation-view")
    canvas = view.locator(".mdnb-stage canvas").first
    canvas.wait_for()
    poll("the molecule", lambda: drawn(pixels(canvas)), page)
    shoot(page, view, "explanation-first")
    before = pixels(canvas)

    titles = view.locator(".js-plotly-plot .infolayer .annotation-text").all()
    ticks = view.locator(".js-plotly-plot .cartesianlayer .ytick text, .js-plotly-plot .cartesianlayer .y2tick text")
    assert len(titles) == 3
    assert not [(t.inner_text(), k.text_content()) for t in titles for k in ticks.all() if over(t, k)]

    # A bar: the residue is chosen, and framed in the structure.
    place = on_plot(page, view, "x2y2")
    page.mouse.click(*place(0.85, 0.97))
    residue = view.get_by_label("Residue", exact=True)
    poll("the bar's residue", lambda: residue.input_value() != "(none)", page)
    assert ask(page, "print(view.value['residue'])") == residue.input_value() == "TRP9"
    poll("the shell around the residue", lambda: np.abs(pixels(canvas) - before).sum() > 50_000, page)
    assert ask(page, "print(view.structure.residue, view.structure.picture.topology.residue(8))") == "8 TRP9"

    # A place of the map: residue and frame, whose structure and colours are shown.
    place = on_plot(page, view, "x3y3")
    page.mouse.click(*place(0.51, 0.15))
    poll("the frame", lambda: view.get_by_label("Show", exact=True).input_value() == "one frame", page)
    text = ask(page, "print(view.value['residue'], view.value['frame'] == view.explanation.frames[view.sample])")
    assert text == "TYR2 True"

    # An atom of the structure: its residue is chosen in the plots.
    view.get_by_label("Residue", exact=True).select_option("(none)")
    poll("no residue", lambda: ask(page, "print(view.value['residue'])") == "None", page)
    poll("an atom that is clicked on", lambda: click_an_atom(page, canvas, residue), page)
    chosen = ask(page, "print(view.value['residue'])")
    assert chosen in ask(page, "print(view.residues)")
    assert residue.input_value() == chosen

    # The other class, and what is known of its faithfulness.
    view.get_by_label("Explained", exact=True).select_option(index=1)
    view.get_by_role("button", name="Check faithfulness").click()
    view.get_by_text("above a random order").wait_for()
    assert ask(page, "print(view.explanation is explanations[1], view.explanation.checked is not None)") == "True True"
    shoot(page, view, "explanation-light")
    theme(page, "Dark")
    poll("the dark theme", lambda: view.evaluate("e => e.classList.contains('mdnb-dark')"), page)
    shoot(page, view, "explanation-dark")
    theme(page, "Light")
    no_trouble(page)


GENERATE = """\
%%capture
import mdnb
trajectories = mdnb.example("alanine-dipeptide")[:2]
features = mdnb.featurize(trajectories, "internal-coordinates")
run = mdnb.fit(features, "end-to-end-distance", mdnb.VAE(latent=6, hidden=64), mdnb.Training(epochs=3, seed=0))"""


def test_structures_are_asked_for_and_checked(page: Any, lab: dict[str, Any]) -> None:
    made = "view = mdnb.GenerationView(run, trajectories, n=300, target='end-to-end-distance')\nview"
    open_notebook(page, lab, "generation.ipynb", [GENERATE, made])
    command(page, "notebook:run-all-cells")
    view = page.locator(".mdnb-generation-view")
    view.get_by_role("button", name="Generate").wait_for()
    assert ask(page, "print(view.value)") == "None"
    view.get_by_label("Condition").check()
    number = view.get_by_label("asked for", exact=True)
    number.fill("0.6")
    number.press("Enter")
    view.get_by_role("button", name="Generate").click()
    view.get_by_text("all checks").last.wait_for()
    text = ask(page, "import numpy as np; print(len(view.value), np.unique(view.value.requested), view.rows()[-1][1])")
    assert text.startswith("300 [0.6"), text
    assert f"{text.split()[-1]}" in view.locator(".mdnb-checks").inner_text()
    canvas = view.locator(".mdnb-stage canvas").first
    poll("the molecules", lambda: drawn(pixels(canvas)), page)
    before = pixels(canvas)
    frame = view.get_by_label("Frame", exact=True)
    frame.fill("17")
    frame.press("Enter")
    view.get_by_text("Structure 17").wait_for()
    poll("another pair", lambda: np.abs(pixels(canvas) - before).sum() > 10_000, page)
    assert ask(page, "print(view.frame)") == "17"
    file = view.get_by_label("File", exact=True)
    file.fill("../outside.pdb")
    view.get_by_role("button", name="Save").click()
    view.get_by_text("leads outside").wait_for()
    file.fill("made <b>.xtc")
    view.get_by_role("button", name="Save").click()
    view.get_by_text("Saved to made <b>.xtc").wait_for()
    assert (lab["folder"] / "made <b>.xtc").is_file()
    shoot(page, view, "generation-light")
    theme(page, "Dark")
    poll("the dark theme", lambda: view.evaluate("e => e.classList.contains('mdnb-dark')"), page)
    shoot(page, view, "generation-dark")
    theme(page, "Light")
    no_trouble(page)

"""The picker and the Tuner in Notebook 7 and in Voila, which the same server offers beside JupyterLab."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import nbformat
import pytest

from .conftest import SCREENSHOTS, drawn, pixels, poll, unavailable

CELLS = (
    "import mdnb\npicker = mdnb.TrajectoryPicker('.')\npicker",
    "features = mdnb.featurize(mdnb.example('alanine-dipeptide')[:1], 'torsions')\n"
    "tuner = mdnb.Tuner(features, 'basin', mdnb.CNN(channels=4), training=mdnb.Training(epochs=2, seed=0))\ntuner",
)


@pytest.mark.parametrize("front", ["notebook", "voila"])
def test_picker_and_tuner_are_drawn_and_react(front: str, page: Any, lab: dict[str, Any]) -> None:
    if find_spec(front) is None:
        unavailable(f"{front} is not installed: pip install 'mdnb[test]'")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, lab["folder"] / f"{front}.ipynb")
    if front == "voila":
        page.goto(f"{lab['url']}/voila/render/voila.ipynb")
    else:
        page.goto(f"{lab['url']}/notebooks/notebook.ipynb")
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        page.locator(".jp-NotebookKernelStatus").wait_for(state="attached")
        page.wait_for_function(
            "() => document.querySelector('.jp-Notebook-ExecutionIndicator')?.dataset.status === 'idle'"
        )
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    picker = page.locator(".mdnb-trajectory-picker")
    picker.get_by_label("Example", exact=True).select_option(index=0)
    picker.get_by_role("button", name="Open example").click()
    picker.get_by_text("8 trajectories").first.wait_for()
    canvas = picker.locator("canvas").first
    canvas.scroll_into_view_if_needed()
    poll("the molecule", lambda: drawn(pixels(canvas)), page)
    tuner = page.locator(".mdnb-tuner")
    # What was set before the page came: Voila opens it when all cells have run.
    figure = tuner.locator(".js-plotly-plot .main-svg").first
    poll("the height of the figure", lambda: figure.bounding_box()["height"] == 330, page)
    tuner.get_by_role("button", name="Start").click()
    tuner.get_by_text("run 1: finished, epoch 2 of 2").wait_for()
    curves = tuner.locator(".js-plotly-plot .scatterlayer .trace path.js-line")
    poll("the learning curves", lambda: curves.count() >= 2, page)
    poll("the title of the axis", lambda: tuner.locator(".js-plotly-plot .xtitle").text_content() == "epoch", page)
    tuner.get_by_role("button", name="Show code").click()
    tuner.locator("pre", has_text="mdnb.fit").wait_for()
    assert page.get_by_text("Error displaying widget").count() == 0
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=str(SCREENSHOTS / f"{front}.png"))
    # Voila asks for an icon font and for MathJax, which it can do without; nothing of ours asks for anything.
    theirs = ("fontawesome", "mathjax") if front == "voila" else ()
    assert [url for url in page.watch.foreign() if not any(name in url.lower() for name in theirs)] == []

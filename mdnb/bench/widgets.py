"""``mdnb bench widgets``: how long a click takes until its result is on the screen, training running or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from mdnb.bench.actions import Action, click_to_result
from mdnb.bench.browser import jupyterlab, open_notebook, open_page, run_all
from mdnb.errors import DataError

__all__ = ["ACTIONS", "NOTEBOOK", "START", "bench_widgets"]

#: What is put on the screen.
NOTEBOOK = (
    "import mdnb\n"
    "trajectories = mdnb.example('alanine-dipeptide')\n"
    "features = mdnb.featurize(trajectories, 'torsions')\n"
    "tuner = mdnb.Tuner(features, 'basin', mdnb.CNN(channels=8), training=mdnb.Training(epochs=100000, "
    "patience=100000, batch_size=64))\n"
    "tuner",
    "picker = mdnb.FeaturePicker(trajectories)\npicker",
    "explorer = mdnb.Explorer(features, 'phi ALA2', 'psi ALA2', temperature=500)\nexplorer",
    "folding = mdnb.example('chignolin')\n"
    "distances = mdnb.featurize(folding, 'ca-distances')\n"
    "run = mdnb.fit(distances, 'folded', mdnb.CNN(), mdnb.Training(epochs=1, seed=0))\n"
    "mdnb.ExplanationView(mdnb.explain(run, distances, n=40), folding)",
    "internal = mdnb.featurize(trajectories[:1], 'internal-coordinates')\n"
    "run = mdnb.fit(internal, 'end-to-end-distance', mdnb.VAE(latent=4, hidden=32), mdnb.Training(epochs=1, seed=0))\n"
    "view = mdnb.GenerationView(run, trajectories[:1], n=300, target='end-to-end-distance')\nview.generate()\nview",
)
#: Begins the training that runs beside.
START = ".mdnb-tuner button:text-is('Start')"
#: Words -> what is done, and where its result appears.
ACTIONS = {
    "Tuner: a slider by one step": Action(
        ".mdnb-tuner input[aria-label='hidden, slider']", ".mdnb-tuner pre", "slide", cell=0
    ),
    "Tuner: show code or parameters": Action(
        ".mdnb-tuner .mdnb-show-parameters", ".mdnb-tuner .mdnb-frame-foot", cell=0
    ),
    "FeaturePicker: tick a feature": Action(
        ".mdnb-feature-picker input[aria-label='compute torsions']",
        ".mdnb-feature-picker .mdnb-heading[role=status]", cell=1,
    ),
    "FeaturePicker: look at a feature": Action(
        ".mdnb-feature-picker input[type=radio]:not(:checked):not(:disabled)", ".mdnb-feature-picker .mdnb-form", cell=1
    ),
    "Explorer: click on the map": Action(
        ".mdnb-explorer .draglayer .xy rect.nsewdrag", ".mdnb-explorer .mdnb-words", "point",
        ((0.12, 0.08), (0.28, 0.1), (0.12, 0.1), (0.28, 0.08)), cell=2,
    ),
    "Explorer: the frame by one step": Action(
        ".mdnb-explorer .mdnb-frame [role=slider]", ".mdnb-explorer .mdnb-words", "arrow", cell=2
    ),
    "ExplanationView: click on a residue": Action(
        ".mdnb-explanation-view .x2y2 .barlayer .point path", ".mdnb-explanation-view .mdnb-words", "point",
        cell=3,
    ),
    "GenerationView: the condition": Action(
        ".mdnb-generation-view .mdnb-condition [role=slider]", ".mdnb-generation-view .mdnb-asked input", "arrow",
        cell=4,
    ),
    "GenerationView: press Generate": Action(
        ".mdnb-generation-view button.mod-primary", ".mdnb-generation-view button.mod-primary", "click",
        ready=".mdnb-generation-view button.mod-primary:text-is('Generate')", cell=4,
    ),
}  # fmt: skip


#: Whether all cells have run.
_SETTLED = """() => window.jupyterapp.shell.currentWidget.content.widgets.every((cell) => cell.promptNode
  && /^\\[\\d+\\]:$/.test(cell.promptNode.textContent.trim()))"""


def bench_widgets(rounds: int = 15, actions: dict[str, Action] | None = None) -> str:
    """Measure in a JupyterLab and a Chromium of their own, and return the table as text.

    Raises
    ------
    DataError
        For fewer than three rounds, or without a Chromium.
    MissingDependencyError
        Without playwright.
    """
    if rounds < 3:
        raise DataError(f"got {rounds} rounds, expected at least 3")
    chosen = ACTIONS if actions is None else actions
    with jupyterlab() as (url, folder), open_page() as page:
        open_notebook(page, url, folder, "bench.ipynb", NOTEBOOK)
        run_all(page)
        page.wait_for_function(_SETTLED)
        page.evaluate("() => window.jupyterapp.shell.currentWidget.content.scrollToItem(0, 'start')")
        page.locator(".mdnb-tuner .mdnb-show-code").click()
        page.locator(".mdnb-tuner pre").get_by_text("mdnb.fit").wait_for()
        idle = _measured(page, chosen, rounds)
        page.evaluate("() => window.jupyterapp.shell.currentWidget.content.scrollToItem(0, 'start')")
        page.locator(START).click()
        page.get_by_text("run 1: running, epoch 2").wait_for()
        busy = _measured(page, chosen, rounds)
    lines = [f"From a click to its result in JupyterLab, milliseconds, median (largest) of {rounds}:"]
    lines.append(f"  {'':<36}{'kernel idle':>18}{'training runs':>18}")
    lines += [f"  {name:<36}{_cell(idle[name])}{_cell(busy[name])}" for name in chosen]
    return "\n".join(lines)


def _measured(page: Any, actions: dict[str, Action], rounds: int) -> dict[str, Sequence[float]]:
    return {name: click_to_result(page, action, rounds) for name, action in actions.items()}


def _cell(times: Sequence[float], show: Callable[[float], str] = lambda one: f"{one:.0f}") -> str:
    return f"{show(median(times)) + ' (' + show(max(times)) + ')':>18}"

"""``mdnb bench widgets``: how long a click takes until its result is on the screen, training running or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
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


def bench_widgets(
    rounds: int = 15, actions: dict[str, Action] | None = None, tell: Callable[[str], None] = lambda line: None
) -> str:
    """Measure in a JupyterLab and a Chromium of their own, and return the table as text.

    Parameters
    ----------
    rounds : int
    actions : dict of Action, optional
        All of `ACTIONS` when left out.
    tell : callable
        Called with each line as soon as it is measured.

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
    lines: list[str] = []

    def add(line: str) -> None:
        lines.append(line)
        tell(line)

    add(f"From a click to its result in JupyterLab, milliseconds, median (largest) of {rounds}; of it, the page's own")
    add("tasks of 50 ms and longer (drawing; without a graphics card WebGL is software on the same processor):")
    with jupyterlab() as (url, folder), open_page() as page:
        open_notebook(page, url, folder, "bench.ipynb", NOTEBOOK)
        run_all(page)
        page.wait_for_function(_SETTLED)
        _to_the_top(page)
        page.locator(".mdnb-tuner .mdnb-show-code").click()
        page.locator(".mdnb-tuner pre").get_by_text("mdnb.fit").wait_for()
        for turn, state in enumerate(("kernel idle", "training runs")):
            add(f"  {state:<36}{'from click to result':>22}{'page busy':>18}")
            if turn == 1:
                _to_the_top(page)
                page.locator(START).click()
                page.get_by_text("run 1: running, epoch 2").wait_for()
            for name, action in chosen.items():
                busy: list[float] = []
                times = click_to_result(page, action, rounds, busy=busy, first=turn * rounds)
                add(f"    {name:<34}{_cell(times):>22}{_cell(busy):>18}")
    return "\n".join(lines)


def _to_the_top(page: Any) -> None:
    page.evaluate("() => window.jupyterapp.shell.currentWidget.content.scrollToItem(0, 'start')")


def _cell(times: Sequence[float]) -> str:
    came = [one for one in times if isfinite(one)]
    if not came:
        return "none came"
    lost = f", {len(times) - len(came)} lost" if len(came) < len(times) else ""
    return f"{median(came):.0f} ({max(came):.0f}{lost})"

"""``mdnb bench widgets``: how long a click takes until its result is on the screen, training running or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from mdnb.bench.browser import jupyterlab, open_notebook, open_page, run_all
from mdnb.errors import DataError

__all__ = ["ACTIONS", "NOTEBOOK", "START", "bench_widgets", "click_to_result"]

#: What is put on the screen.
NOTEBOOK = (
    "import mdnb\n"
    "trajectories = mdnb.example('alanine-dipeptide')\n"
    "features = mdnb.featurize(trajectories, 'torsions')\n"
    "tuner = mdnb.Tuner(features, 'basin', mdnb.CNN(channels=8), training=mdnb.Training(epochs=100000, "
    "patience=100000, batch_size=64))\n"
    "tuner",
    "picker = mdnb.FeaturePicker(trajectories)\npicker",
)
#: Begins the training that runs beside.
START = ".mdnb-tuner button:text-is('Start')"
#: Words -> what is clicked, or moved with the keyboard, and where its result appears.
ACTIONS = {
    "Tuner: a slider by one step": (".mdnb-tuner input[aria-label='hidden, slider']", ".mdnb-tuner pre", "ArrowRight"),
    "Tuner: show code or parameters": (".mdnb-tuner .mdnb-show-parameters", ".mdnb-tuner .mdnb-frame-foot", ""),
    "FeaturePicker: tick a feature": (
        ".mdnb-feature-picker input[aria-label='compute torsions']",
        ".mdnb-feature-picker .mdnb-heading[role=status]",
        "",
    ),
    "FeaturePicker: look at a feature": (
        ".mdnb-feature-picker input[type=radio]:not(:checked):not(:disabled)", ".mdnb-feature-picker .mdnb-form", "",
    ),
}  # fmt: skip

#: Does it, and waits for the first change of the text that the kernel answers with.
_MEASURE = """async ([what, where, key, until]) => {
  const find = (selector) => { const all = document.querySelectorAll(selector); return all[all.length - 1]; };
  const target = find(what), text = () => find(where)?.textContent;
  const before = text(), begin = performance.now();
  if (key) {
    target.focus();
    const now = Number(target.value), last = Number(target.max);
    target.value = now >= last ? Number(target.min) : now + 7;
    target.dispatchEvent(new Event("input", { bubbles: true }));
  } else target.click();
  return await new Promise((done) => {
    const look = () => {
      if (until ? text().includes(until) : text() !== before) done(performance.now() - begin);
      else if (performance.now() - begin > 10000) done(NaN);
      else channel.port2.postMessage(0);
    };
    const channel = new MessageChannel();
    channel.port1.onmessage = look;
    look();
  });
}"""


def click_to_result(page: Any, what: str, where: str, key: str = "", rounds: int = 15, until: str = "") -> list[float]:
    """Return the milliseconds from an action to the change of a text, each round.

    Parameters
    ----------
    page : playwright page
    what : str
        CSS selector of a control that is clicked; with `key`, of a slider that is moved.
    where : str
        Of what shows the result.
    key : str
    rounds : int
    until : str
        What the text has to hold; any change of it is enough where this is empty.
    """
    return [float(page.evaluate(_MEASURE, [what, where, key, until])) for _ in range(rounds)]


def bench_widgets(rounds: int = 15, actions: dict[str, tuple[str, str, str]] | None = None) -> str:
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
        page.locator(".mdnb-feature-picker input[aria-label='compute torsions']").wait_for()
        page.locator(".mdnb-tuner .mdnb-show-code").click()
        page.locator(".mdnb-tuner pre").get_by_text("mdnb.fit").wait_for()
        idle = _measured(page, chosen, rounds)
        page.locator(START).click()
        page.get_by_text("run 1: running, epoch 2").wait_for()
        busy = _measured(page, chosen, rounds)
    lines = [f"From a click to its result in JupyterLab, milliseconds, median (largest) of {rounds}:"]
    lines.append(f"  {'':<36}{'kernel idle':>18}{'training runs':>18}")
    lines += [f"  {name:<36}{_cell(idle[name])}{_cell(busy[name])}" for name in chosen]
    return "\n".join(lines)


def _measured(page: Any, actions: dict[str, tuple[str, str, str]], rounds: int) -> dict[str, Sequence[float]]:
    return {name: click_to_result(page, *action, rounds=rounds) for name, action in actions.items()}


def _cell(times: Sequence[float], show: Callable[[float], str] = lambda one: f"{one:.0f}") -> str:
    return f"{show(median(times)) + ' (' + show(max(times)) + ')':>18}"

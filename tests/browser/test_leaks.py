"""Widgets opened, drawn and closed again and again in one kernel: nothing is left, there or in the browser."""

from __future__ import annotations

import json
from typing import Any

from .conftest import poll
from .test_lab import ask, open_notebook

SETUP = """\
%%capture
import mdnb, gc, json, threading
from comm import get_comm_manager
from ipywidgets.widgets.widget import _instances
from IPython.display import display
trajectories = mdnb.example("alanine-dipeptide")[:1]
features = mdnb.featurize(trajectories, "torsions")
internal = mdnb.featurize(trajectories, "internal-coordinates")
training = mdnb.Training(epochs=1, seed=0)
vae = mdnb.fit(internal, None, mdnb.VAE(latent=2, hidden=16), training)
folding = mdnb.example("chignolin")
distances = mdnb.featurize(folding, "ca-distances")
explanation = mdnb.explain(mdnb.fit(distances, "folded", mdnb.CNN(channels=4), training), distances, n=10)
made = mdnb.generate(vae, 20, seed=0, reference=trajectories)
def cheap():
    return mdnb.TrajectoryPicker("."), mdnb.FeaturePicker(trajectories, "torsions")
def figures():
    return (
        mdnb.StructureView(folding), mdnb.Tuner(features, "basin"), mdnb.Explorer(features),
        mdnb.ExplanationView(explanation, folding), mdnb.GenerationView(vae, trajectories, generated=made),
    )
def left():
    gc.collect()
    with open("/proc/self/statm") as pages:
        memory = int(pages.read().split()[1]) * 4096
    return json.dumps([len(_instances), len(get_comm_manager().comms), threading.active_count(), memory])
opened = []"""
OPEN = "opened = [one for _ in range({sets}) for one in {make}()]\nfor one in opened:\n    display(one)"
CLOSE = "for one in opened:\n    one.close()\nopened = []"

_RUN = """async (index) => {
  const panel = window.jupyterapp.shell.currentWidget, cells = panel.content;
  cells.activeCellIndex = index;
  await window.jupyterapp.commands.execute("notebook:run-cell");
}"""
#: The models that the widget manager keeps, and the comms of the connection.
_KEPT = """async () => {
  const panel = window.jupyterapp.shell.currentWidget;
  const renderer = panel.content.rendermime.createRenderer("application/vnd.jupyter.widget-view+json", {});
  const manager = await renderer._manager.promise;
  renderer.dispose();
  return [Object.keys(manager._models).length, panel.sessionContext.session.kernel._comms.size];
}"""


def rounds(page: Any, make: str, n: int, sets: int, shown: int) -> None:
    page.evaluate(
        """([open, close]) => {
          const cells = window.jupyterapp.shell.currentWidget.content.widgets;
          cells[1].model.sharedModel.setSource(open); cells[2].model.sharedModel.setSource(close);
        }""",
        [OPEN.format(make=make, sets=sets), CLOSE],
    )
    widgets = page.locator(".jp-OutputArea-output .mdnb-widget:not(.mdnb-widget .mdnb-widget)")
    for _ in range(n):
        page.evaluate(_RUN, 1)
        poll(f"{shown} widgets", lambda: widgets.count() == shown, page)
        page.evaluate(_RUN, 2)
        poll("them to go", lambda: widgets.count() == 0, page)


def test_nothing_is_left_of_closed_widgets(page: Any, lab: dict[str, Any]) -> None:
    """The pickers fifty times, ten at once (a server drops messages above 3,000 in 3 s); the others once more.

    All of them fifty times, and without a browser: `tests/test_views_frame.py` and `tests/test_views_linked.py`.
    """
    open_notebook(page, lab, "leaks.ipynb", [SETUP, OPEN.format(make="cheap", sets=1), CLOSE])
    page.evaluate(_RUN, 0)
    for make, n, sets, shown in (("cheap", 5, 10, 20), ("figures", 1, 1, 5)):
        rounds(page, make, 1, sets, shown)  # what is imported and cached the first time stays
        before, kept = json.loads(ask(page, "print(left())")), page.evaluate(_KEPT)
        rounds(page, make, n, sets, shown)
        after = json.loads(ask(page, "print(left())"))
        assert after[:2] == before[:2], f"{make}: widgets and comms {before[:2]} before, {after[:2]} after {n} rounds"
        # The kernel's own come and go; of ours, each round would leave as many as it opens widgets.
        assert after[2] <= before[2] + 2, f"{make}: {before[2]} threads before, {after[2]} after {n} rounds"
        grown = (after[3] - before[3]) / 1e6
        assert grown < 60, f"{make}: {grown:.0f} MB more after {n} rounds"
        poll("the browser to forget them", lambda k=kept: page.evaluate(_KEPT) == k, page, 30)
    assert page.watch.foreign() == []

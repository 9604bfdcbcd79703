"""The Tuner as a user meets it: train, stop while it runs, compare; the kernel answers meanwhile."""

from __future__ import annotations

import json
from typing import Any

from .conftest import poll
from .test_lab import ask, command, no_trouble, open_notebook, shoot

START = """import mdnb
trajectories = mdnb.example('alanine-dipeptide')[:4]
features = mdnb.featurize(trajectories, 'torsions')
tuner = mdnb.Tuner(features, 'basin', mdnb.CNN(channels=8), training=mdnb.Training(batch_size=64))
tuner"""


def dark(page: Any) -> None:
    page.evaluate(
        "() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})"
    )
    page.wait_for_function("() => document.body.dataset.jpThemeLight === 'false'")


def light(page: Any) -> None:
    page.evaluate(
        "() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})"
    )
    page.wait_for_function("() => document.body.dataset.jpThemeLight === 'true'")


def test_train_stop_compare(page: Any, lab: dict[str, Any]) -> None:
    open_notebook(page, lab, "tuner.ipynb", [START])
    command(page, "notebook:run-all-cells")
    tuner = page.locator(".mdnb-tuner").last
    tuner.wait_for()
    tuner.locator(".mdnb-form").first.wait_for()
    epochs = tuner.get_by_label("epochs", exact=True)
    epochs.fill("3")
    epochs.press("Tab")
    tuner.get_by_role("button", name="Start").click()
    tuner.get_by_text("run 1: finished").wait_for()
    assert ask(page, "print(len(tuner.runs), tuner.value is tuner.runs[0])") == "1 True"
    epochs.fill("500")
    epochs.press("Tab")
    rate = tuner.get_by_label("learning rate, slider")
    rate.focus()
    rate.press("ArrowRight")
    tuner.get_by_role("button", name="Start").click()
    tuner.get_by_text("run 2: running, epoch 3 of 500").wait_for()
    shoot(tuner, "tuner")
    dark(page)
    shoot(tuner, "tuner-dark")
    light(page)
    tuner.get_by_role("button", name="Stop").click()
    tuner.get_by_text("run 2: stopped").wait_for()
    shoot(tuner, "tuner-stopped")

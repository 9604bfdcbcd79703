"""The part of a live `Tuner` that searches: ranges, number of trials, time limit, and the trials as they come."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets

from mdnb.specs import Setting
from mdnb.tuning import searched_ranges
from mdnb.views._live import shows_errors
from mdnb.views._parts import CheckTable, SettingsForm, field_of

__all__ = ["SearchControls"]

_MOST = 100  # trials in the table
#: A trial that does not come to its end was stopped with the search; one whose loss is no number is pruned.
_WORDS = {"failed": "stopped"}


class SearchControls:
    """Below the runs, folded away.

    Parameters
    ----------
    tuner : Tuner
    frame : Frame
        Shows errors.
    """

    def __init__(self, tuner: Any, frame: Any) -> None:
        self.tuner, self.frame, self._filling = tuner, frame, False
        self.ranges = SettingsForm(mode="ranges")
        style = {"description_width": "120px"}
        self.trials = ipywidgets.BoundedIntText(
            description="Trials in all", value=20, min=1, max=100_000, style=style,
            layout=ipywidgets.Layout(width="220px"),
        )  # fmt: skip
        self.minutes = ipywidgets.BoundedFloatText(
            description="Time limit (min)", value=0, min=0, max=100_000, style=style, tooltip="0 for none",
            layout=ipywidgets.Layout(width="220px"),
        )  # fmt: skip
        self.button = ipywidgets.Button(
            description="Search", tooltip="Let optuna choose; goes on with an earlier search of the same data",
            layout=ipywidgets.Layout(width="90px"),
        )  # fmt: skip
        self.table = CheckTable(caption="Trials", empty="No trial yet.")
        self.note = ipywidgets.HTML()
        line = ipywidgets.Layout(flex_flow="row wrap", align_items="center")
        self.inside = ipywidgets.VBox([
            self.note, self.ranges, ipywidgets.HBox([self.trials, self.minutes, self.button], layout=line), self.table,
        ])  # fmt: skip
        # An Accordion's heading cannot be reached with the keyboard.
        self.unfold = ipywidgets.ToggleButton(
            description="Search for settings",
            tooltip="Show or hide the search",
            layout=ipywidgets.Layout(width="170px"),
        )
        self.inside.layout.display = "none"
        self.box = ipywidgets.VBox([self.unfold, self.inside])
        self.unfold.observe(self._on_unfold, "value")
        self.button.on_click(self._on_search)
        self.ranges.observe(self._on_ranges, "values")

    def fill(self) -> None:
        """Make the ranges of the present family."""
        tuner = self.tuner
        kind = type(tuner.spec)
        self._filling = True
        try:
            ranges = searched_ranges(kind, tuner.ranges) if kind.validated else {}
            declared = {one.name: one for one in (*kind.settings(), *tuner.training.settings())}
            self.ranges.values = {name: list(ends) for name, ends in ranges.items()}
            self.ranges.problems = {}
            self.ranges.fields = [field_of(declared[name], "Search between") for name in ranges]
        finally:
            self._filling = False
        kept = [one.name for one in kind.settings() if not one.searched]
        lists = [one.name for one in kind.settings() if one.searched and (one.options or one.type is bool)]
        words = "The search trains with other settings each time, and looks at the validation loss only."
        if lists:
            words += f" All values of {', '.join(lists)} are tried."
        if kept:
            words += f" As in the form stay: {', '.join(kept)} (they change what the loss means)."
        if tuner.shared:
            words += f" Its trials are kept in {escape(tuner.shared)}, for every process that searches there."
        if not kind.validated:
            words = f"A {kind.__name__} has no validation loss to search by: compare a few runs by eye instead."
        self.note.value = f"<div class='mdnb-quiet'>{words}</div>"
        self.button.disabled = not kind.validated

    @shows_errors
    def _on_unfold(self, change: Any) -> None:
        self.inside.layout.display = "flex" if change["new"] else "none"
        if change["new"]:
            self.tuner.look_up_trials()  # other processes may have gone on with the study

    @shows_errors
    def _on_ranges(self, change: Any) -> None:
        if self._filling:
            return
        tuner = self.tuner
        declared = {one.name: one for one in (*tuner.spec.settings(), *tuner.training.settings())}
        problems, good = {}, {}
        for name, ends in change["new"].items():
            wrong = _wrong(declared[name], ends)
            if wrong:
                problems[name] = wrong
            else:
                good[name] = (ends[0], ends[1])
        usual = searched_ranges(type(tuner.spec), {})
        tuner.ranges = {name: ends for name, ends in good.items() if ends != usual[name]}
        self.ranges.problems = problems
        self.frame.refresh()

    def show_error(self, text: str) -> None:
        """Show what went wrong."""
        self.frame.show_error(text)

    @shows_errors
    def _on_search(self, button: Any) -> None:
        self.show_error("")
        if self.ranges.problems:
            self.show_error(f"first mend {', '.join(self.ranges.problems)}; what is wrong stands below it")
            return
        self.frame.views.value = "Trials"
        self.tuner.start_search(self.trials.value, 60 * self.minutes.value or None)

    def show(self, running: bool) -> None:
        """Show the trials so far."""
        self.button.disabled = running or not type(self.tuner.spec).validated
        trials = self.tuner.trials
        if not trials:
            return
        names = dict.fromkeys(
            name for one in trials for name in one if name not in ("trial", "state", "validation_loss")
        )
        columns = [
            {"key": "trial", "label": "trial"},
            {"key": "state", "label": "state"},
            {"key": "loss", "label": "validation loss", "right": True},
            *({"key": f"s-{name}", "label": name.replace("_", " "), "right": True} for name in names),
        ]
        losses = [one["validation_loss"] for one in trials if one["state"] == "finished"]
        rows = []
        for one in sorted(trials, key=_rank)[:_MOST]:
            loss = one["validation_loss"]
            rows.append({
                "key": str(one["trial"]), "label": f"trial {one['trial']}",
                "marks": ["loss"] if losses and one["state"] == "finished" and loss == min(losses) else [],
                "cells": {
                    "trial": str(one["trial"]), "state": _WORDS.get(one["state"], one["state"]),
                    "loss": "" if loss is None else f"{loss:.4g}",
                    **{f"s-{name}": _short(one.get(name, "")) for name in names},
                },
            })  # fmt: skip
        if self.table.columns != columns:
            self.table.columns = columns
        self.table.rows = rows
        more = f", the best {_MOST} shown" if len(trials) > _MOST else ""
        self.table.caption = f"{len(trials)} trials, best first{more}"


def _rank(trial: Any) -> tuple[bool, float]:
    loss = trial["validation_loss"]
    return trial["state"] != "finished", float("inf") if loss is None else loss


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _wrong(setting: Setting, ends: Any) -> str:
    if not all(isinstance(one, int | float) for one in ends):
        return f"{setting.name}: give two numbers"
    low, high = ends
    if low > high:
        return f"{setting.name}: the first number ({low:g}) is larger than the second ({high:g})"
    if setting.low is not None and setting.high is not None and not setting.low <= low <= high <= setting.high:
        return f"{setting.name}: give numbers from {setting.low:g} to {setting.high:g}"
    return ""

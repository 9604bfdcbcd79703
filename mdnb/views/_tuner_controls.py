"""The live half of `Tuner`: the form, the buttons, the curves and the table of runs."""

from __future__ import annotations

import math
from dataclasses import replace
from html import escape
from typing import Any

import ipywidgets

from mdnb.errors import SpecError
from mdnb.specs import Setting, Spec
from mdnb.views._curves import COLOURS
from mdnb.views._live import message_html, shows_errors
from mdnb.views._parts import CheckTable, SettingsForm, field_of
from mdnb.views._search_controls import SearchControls
from mdnb.views._tuner_figure import VIEWS, TunerFigure
from mdnb.views._tuner_static import run_rows
from mdnb.views._work_frame import WorkFrame

__all__ = ["TunerControls"]

_FAMILIES = ("CNN", "RNN", "CNNRNN", "VAE", "GAN")
_USUAL = ("epochs", "learning_rate", "batch_size", "patience", "seed")


class TunerControls(WorkFrame):
    """The widget of a `Tuner`."""

    def __init__(self, tuner: Any) -> None:
        super().__init__(tuner, "Tune a network", "mdnb-tuner")
        self.tuner = tuner
        self._seen: set[int] = set()
        self.family = ipywidgets.Dropdown(
            description="Family", options=self._families(), value=type(tuner.spec).__name__,
            layout=ipywidgets.Layout(width="200px"), style={"description_width": "50px"},
        )  # fmt: skip
        self.start = self._button("Start", "Train with the settings below", "primary")
        self.pause = self._button("Pause", "Hold after the present batch")
        self.resume = self._button("Resume", "Go on with what was paused, or stopped last")
        self.stop = self._button("Stop", "End after the present batch, and keep what was learned", "danger")
        self.form = SettingsForm()
        self.status = ipywidgets.HTML()
        self.bar = ipywidgets.IntProgress(
            min=0, max=1000, description="Epochs", layout=ipywidgets.Layout(width="300px"),
            style={"description_width": "50px", "bar_color": COLOURS[0]},
        )  # fmt: skip
        self.views = ipywidgets.Dropdown(
            description="Show", options=VIEWS, layout=ipywidgets.Layout(width="230px"),
            style={"description_width": "50px"},
        )  # fmt: skip
        self.figure = TunerFigure()
        self.runs = CheckTable(
            caption="Runs", empty="No run yet: press Start.", check_label="compare", select_label="keep"
        )
        self.search = SearchControls(tuner, self)
        line = ipywidgets.Layout(flex_flow="row wrap", align_items="center")
        self.compose([
            ipywidgets.HBox([self.family, self.start, self.pause, self.resume, self.stop], layout=line),
            self.message,
            self.form,
            ipywidgets.HBox([self.bar, self.status], layout=line),
            self.views,
            self.figure.widget,
            self.runs,
            self.search.box,
        ])  # fmt: skip
        self.follow_theme(self.figure.widget)
        self.start.on_click(self._on_start)
        self.pause.on_click(self._on_pause)
        self.resume.on_click(self._on_resume)
        self.stop.on_click(self._on_stop)
        self.family.observe(self._on_family, "value")
        self.form.observe(self._on_form, "values")
        self.views.observe(self._on_view, "value")
        self.runs.observe(self._on_checked, "checked")
        self.runs.observe(self._on_keep, "selected")
        self._fill()
        self.listen()

    @staticmethod
    def _button(words: str, help: str, style: str = "") -> Any:
        return ipywidgets.Button(
            description=words, tooltip=help, button_style=style, layout=ipywidgets.Layout(width="90px")
        )

    def _families(self) -> list[str]:
        tuner = self.tuner
        if tuner.target is None and tuner.objective is None:
            return ["VAE", "GAN"]
        return [one for one in _FAMILIES if tuner.objective is None or one not in ("VAE", "GAN")]

    # --- the form --------------------------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Make the form of the present family."""
        tuner = self.tuner
        spec, training = tuner.spec, tuner.training
        name = type(spec).__name__
        folded = {one.name for one in training.settings()} - set(_USUAL)
        usual = sorted(training.settings(), key=lambda one: _USUAL.index(one.name) if one.name in _USUAL else 99)
        self._filling = True
        try:
            self.form.values = {**_values(spec), **_values(training)}
            self.form.problems = {}
            self.form.fields = [
                *(field_of(one, name) for one in spec.settings()),
                *(field_of(one, "Training", folded) for one in usual),
            ]
            self.search.fill()
        finally:
            self._filling = False

    @shows_errors
    def _on_family(self, change: Any) -> None:
        self.tuner.choose_family(change["new"])
        self._fill()
        self.show_error("")

    @shows_errors
    def _on_form(self, change: Any) -> None:
        if self._filling:
            return
        tuner = self.tuner
        problems: dict[str, str] = {}
        tuner.spec = _taken(tuner.spec, change["new"], problems)
        tuner.training = _taken(tuner.training, change["new"], problems)
        self.form.problems = problems
        self.refresh()

    # --- the buttons -----------------------------------------------------------------------------------------------

    @shows_errors
    def _on_start(self, button: Any) -> None:
        if self.form.problems:
            raise SpecError(f"first mend {', '.join(self.form.problems)} in the form; what is wrong stands below it")
        self.show_error("")
        self.views.value = VIEWS[0]
        self.tuner.start()

    @shows_errors
    def _on_pause(self, button: Any) -> None:
        self.tuner.pause()

    @shows_errors
    def _on_resume(self, button: Any) -> None:
        self.show_error("")
        self.tuner.resume()

    @shows_errors
    def _on_stop(self, button: Any) -> None:
        self.tuner.stop()

    @shows_errors
    def _on_view(self, change: Any) -> None:
        with self._lock:
            self._draw_figure()

    @shows_errors
    def _on_checked(self, change: Any) -> None:
        if not self._filling:
            with self._lock:
                self._draw_figure()

    @shows_errors
    def _on_keep(self, change: Any) -> None:
        if not self._filling and change["new"]:
            self.tuner.keep(int(change["new"]))

    # --- what is on the screen -------------------------------------------------------------------------------------

    def draw(self) -> None:
        """Show how far it is: buttons, form, curves, runs."""
        tuner = self.tuner
        running, paused = tuner.running, tuner.running and tuner.job.paused
        self.start.disabled = running
        self.pause.disabled = not running or paused
        self.resume.disabled = not (paused or (not running and tuner.resumable is not None))
        self.stop.disabled = not running
        self.family.disabled = running
        self.search.show(running)
        if self.family.value != type(tuner.spec).__name__:
            self.family.value = type(tuner.spec).__name__
        values = {**_values(tuner.spec), **_values(tuner.training)}
        if not self.form.problems and self.form.values != values:
            self._fill()
        self._draw_status(paused)
        self._draw_runs()
        self._draw_figure()
        if tuner.error:
            self.message.value = message_html(tuner.error)
        self.refresh()

    def _draw_status(self, paused: bool) -> None:
        tuner, current = self.tuner, self.tuner.current
        if tuner.searching:
            done = sum(one["state"] in ("finished", "pruned") for one in tuner.trials)
            words = f"{'paused' if paused else 'searching'}, {done} trials done"
        elif current is None:
            words = "nothing trained yet"
        else:
            words = f"run {current.number}: {current.describe()}"
            self.bar.value = round(1000 * len(current.history) / max(1, current.training.epochs))
        self.status.value = f"<div class='mdnb-status' role='status'>{escape(words)}</div>"

    def _draw_runs(self) -> None:
        tuner = self.tuner
        attempts = list(tuner.attempts)
        columns, rows = run_rows(attempts)
        kept = next((str(one.number) for one in attempts if one.run is not None and one.run is tuner.value), "")
        base = next((row["cells"] for row in rows if row["key"] == kept), None)
        for row, one in zip(rows, attempts, strict=True):
            row["color"] = COLOURS[(one.number - 1) % len(COLOURS)]
            cells = row["cells"]
            row["marks"] = [key for key in cells if key.startswith("s-") and base and cells[key] != base[key]]
        new = [one.number for one in attempts if one.number not in self._seen]
        self._filling = True
        try:
            if self.runs.columns != columns:
                self.runs.columns = columns
            self.runs.rows = rows
            if new:
                self._seen.update(new)
                self.runs.checked = [*self.runs.checked, *map(str, new)]
            self.runs.selected = kept
            self.runs.caption = "Runs" if not kept else f"Runs; run {kept} is kept as tuner.value"
        finally:
            self._filling = False

    def _draw_figure(self) -> None:
        tuner, view = self.tuner, self.views.value
        if view == VIEWS[0]:
            self.figure.curves(list(tuner.attempts), [int(one) for one in self.runs.checked])
        elif view == VIEWS[1]:
            self.figure.trials(tuner.trials)
        elif view == VIEWS[2]:
            self.figure.parallel(tuner.trials)
        else:
            self.figure.importances({} if tuner.study is None else tuner.study.importances)


def _values(spec: Spec) -> dict[str, Any]:
    return {one.name: getattr(spec, one.name) for one in spec.settings()}


def _taken(spec: Any, values: dict[str, Any], problems: dict[str, str]) -> Any:
    """Return the spec with every value that is allowed; say what is wrong with the others."""
    for one in spec.settings():
        value = values.get(one.name, getattr(spec, one.name))
        try:
            # A whole number arrives from the browser as such, also where a real one is meant, and the reverse.
            good = one.check(_number(value, one), type(spec).__name__)
        except SpecError as error:
            problems[one.name] = str(error)
            continue
        if good != getattr(spec, one.name):
            spec = replace(spec, **{one.name: good})
    return spec


def _number(value: Any, setting: Setting) -> Any:
    if setting.type is int and isinstance(value, float) and math.isfinite(value) and value == int(value):
        return int(value)
    return value

"""The live half of `FeaturePicker`: the table of features, the settings and the preview of one, and Compute."""

from __future__ import annotations

from html import escape
from math import prod
from typing import Any

import ipywidgets

from mdnb.features.survey import Option, options_of
from mdnb.files import size_text
from mdnb.views._job import Job
from mdnb.views._live import error_text, message_html, shows_errors
from mdnb.views._parts import CheckTable, SettingsForm
from mdnb.views._work_frame import WorkFrame

__all__ = ["FeatureControls"]

_COLUMNS = [
    {"key": "name", "label": "feature"},
    {"key": "shape", "label": "a frame", "right": True, "title": "numbers of one frame, or the shape of its array"},
    {"key": "memory", "label": "memory", "right": True, "title": "of all frames, in single precision"},
    {"key": "about", "label": "what it is, or why not"},
]


class FeatureControls(WorkFrame):
    """The widget of a `FeaturePicker`."""

    def __init__(self, picker: Any) -> None:
        super().__init__(picker, "Pick features", "mdnb-feature-picker")
        self.picker = picker
        self._preview_job: Job | None = None
        self.table = CheckTable(
            caption="Features", columns=_COLUMNS, check_label="compute", select_label="look at",
            checked=list(picker.chosen),
        )  # fmt: skip
        self.heading = ipywidgets.HTML()
        self.form = SettingsForm()
        self.preview = ipywidgets.HTML()
        self.total = ipywidgets.HTML()
        self.button = ipywidgets.Button(
            description="Compute", tooltip="Compute what is ticked, of every frame", button_style="primary",
            layout=ipywidgets.Layout(width="100px"),
        )  # fmt: skip
        self.halt = ipywidgets.Button(
            description="Stop", tooltip="Stop computing", button_style="danger", disabled=True,
            layout=ipywidgets.Layout(width="80px"),
        )  # fmt: skip
        self.cache = ipywidgets.Checkbox(
            description="keep on disk", value=bool(picker.cache), indent=False,
            tooltip="Memory-mapped, and taken from there when the same is asked again",
            layout=ipywidgets.Layout(width="130px"),
        )  # fmt: skip
        self.bar = ipywidgets.IntProgress(
            min=0, max=1000, description="Frames", layout=ipywidgets.Layout(width="300px"),
            style={"description_width": "50px", "bar_color": "#0072B2"},
        )  # fmt: skip
        self.status = ipywidgets.HTML()
        line = ipywidgets.Layout(flex_flow="row wrap", align_items="center")
        self.compose([
            self.table, self.heading, self.form, self.preview, self.total,
            ipywidgets.HBox([self.button, self.halt, self.cache, self.bar, self.status], layout=line), self.message,
        ])  # fmt: skip
        self.table.observe(self._on_checked, "checked")
        self.table.observe(self._on_selected, "selected")
        self.form.observe(self._on_form, "values")
        self.button.on_click(self._on_compute)
        self.halt.on_click(self._on_halt)
        self.cache.observe(self._on_cache, "value")
        picker.observe(self._on_value, "value")
        self.on_close(self._leave)
        # Naming the columns of a large system takes a while: the rows come as they are known.
        self.survey = Job(self._survey, "mdnb-survey", lambda: None)
        self._rows: dict[str, dict[str, Any]] = {}
        self.survey.start()
        self.listen()

    def _leave(self) -> None:
        for job in (self.survey, self._preview_job):
            if job is not None:
                job.stop()
                job.wait(10)
        self.picker.unobserve(self._on_value, "value")

    # --- the table -------------------------------------------------------------------------------------------------

    def _survey(self, job: Job) -> None:
        for name in self.picker.names():
            if job.stopped():
                return
            self._show_row(name)

    @shows_errors
    def _show_row(self, name: str) -> None:
        found = self.picker.offer(name)
        shape = " x ".join(map(str, found.shape))
        self._rows[name] = {
            "key": name, "label": name, "reason": found.reason,
            "cells": {
                "name": name, "shape": f"{prod(found.shape):,}" if len(found.shape) == 1 else shape,
                "memory": "" if found.reason else size_text(found.n_bytes), "about": found.reason or found.about,
            },
        }  # fmt: skip
        with self._lock:
            rows = [self._rows[one] for one in self.picker.names() if one in self._rows]
            # Those that apply come first; the order within stays.
            self.table.rows = sorted(rows, key=lambda row: bool(row["reason"]))

    @shows_errors
    def _on_checked(self, change: Any) -> None:
        self.picker.choose(change["new"])
        self.show_error(self.picker.problem())
        self.draw()

    @shows_errors
    def _on_selected(self, change: Any) -> None:
        name = change["new"]
        options = options_of(name)
        given = self.picker.settings.get(name, {})
        self._filling = True
        try:
            self.form.values = {one.name: _shown(one, given.get(one.name, one.default)) for one in options}
            self.form.problems = {}
            self.form.fields = [_field(one, name) for one in options]
        finally:
            self._filling = False
        self._draw_preview(name)

    @shows_errors
    def _on_form(self, change: Any) -> None:
        name = self.table.selected
        if self._filling or not name:
            return
        settings, problems = {}, {}
        for one in options_of(name):
            try:
                value = _read(one, change["new"][one.name])
            except ValueError as error:
                problems[one.name] = str(error)
                continue
            if value != one.default or one.name in self.picker.settings.get(name, {}):
                settings[one.name] = value
        self.form.problems = problems
        if problems:
            return
        self.picker.set(name, **settings)
        self._show_row(name)
        self._draw_preview(name)
        self.show_error(self.picker.problem())
        self.draw()

    def _draw_preview(self, name: str) -> None:
        """Show a few frames of a feature, as soon as they are computed: in a thread, as that can take a while."""
        self.heading.value = f"<div class='mdnb-heading'>{escape(name)}</div>"
        if self._preview_job is not None:
            self._preview_job.stop()
        found = self.picker.offer(name)
        if found.maker is None:
            self.preview.value = message_html(f"{name} does not apply: {found.reason}", "info")
            return
        if name in self.picker._previews:
            self.preview.value = self.picker.preview_html(name)
            return
        self.preview.value = "<div class='mdnb-quiet' role='status'>computing a few frames ...</div>"

        def work(job: Job) -> None:
            try:
                html = self.picker.preview_html(name)
            except Exception as error:  # noqa: BLE001 - a thread has no caller that could see it
                html = message_html(error_text(error))
            with self._lock:
                if not job.stopped():
                    self.preview.value = html

        self._preview_job = Job(work, "mdnb-preview", lambda: None).start()

    # --- compute ---------------------------------------------------------------------------------------------------

    @shows_errors
    def _on_compute(self, button: Any) -> None:
        self.show_error("")
        if not self.picker.chosen:
            self.show_error("nothing is chosen: tick a feature in the table first")
            return
        self.picker.start()

    @shows_errors
    def _on_halt(self, button: Any) -> None:
        self.picker.stop()

    @shows_errors
    def _on_cache(self, change: Any) -> None:
        self.picker.cache = change["new"]
        self.refresh()

    @shows_errors
    def _on_value(self, change: Any) -> None:
        self.draw()

    def draw(self) -> None:
        """Show what is ticked, its size, and how far it is computed."""
        picker = self.picker
        running = picker.running
        self.button.disabled, self.halt.disabled, self.table.disabled = running, not running, running
        n_columns, n_bytes = picker.size()
        words = "nothing is ticked yet"
        if picker.chosen:
            words = (
                f"{n_columns:,} columns of {picker.trajectories.n_frames:,} frames: {size_text(n_bytes)} "
                f"{'on disk' if picker.cache else 'of memory'}"
            )
        self.total.value = f"<div class='mdnb-heading' role='status'>{escape(words)}</div>"
        done, total = picker.done
        self.bar.value = round(1000 * done / total) if total else 0
        told = ""
        if running:
            told = f"{done:,} of {total:,} frames"
        elif picker.value is not None:
            told = f"computed: picker.value holds {len(picker.value):,} frames x {len(picker.value.columns):,} columns"
        self.status.value = f"<div class='mdnb-status' role='status'>{escape(told)}</div>"
        if picker.error:
            self.show_error(picker.error)
        self.refresh()


def _field(option: Option, group: str) -> dict[str, Any]:
    kind = "text" if option.kind == "words" else option.kind
    more = {"words": " Separated by commas.", "text": " Leave it empty for the default." if option.optional else ""}
    return {
        "name": option.name, "label": option.name.replace("_", " "), "kind": kind, "low": None, "high": None,
        "log": False, "options": [], "unit": "", "help": option.help + more.get(option.kind, ""), "slider": False,
        "group": f"Settings of {group}",
    }  # fmt: skip


def _shown(option: Option, value: Any) -> Any:
    if option.kind == "words":
        return ", ".join(value or ())
    return "" if value is None else value


def _read(option: Option, value: Any) -> Any:
    if option.kind == "words":
        return tuple(word.strip() for word in str(value).split(",") if word.strip())
    if option.kind == "text":
        return None if option.optional and not str(value).strip() else str(value)
    if option.kind == "bool":
        return bool(value)
    if isinstance(value, str) or (option.kind == "int" and value != int(value)):
        raise ValueError(f"{value!r} is not a {'whole number' if option.kind == 'int' else 'number'}")
    return int(value) if option.kind == "int" else float(value)

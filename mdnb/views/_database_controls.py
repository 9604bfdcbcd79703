"""Public databases in a `TrajectoryPicker`: choose, read licence and size, download in the background, cancel."""

from __future__ import annotations

from html import escape
from threading import Event
from time import monotonic
from typing import Any

import ipywidgets

import mdnb
from mdnb.errors import SpecError
from mdnb.files import size_text
from mdnb.progress import watched
from mdnb.sources.database import Database
from mdnb.views._background import Background
from mdnb.views._frame import Frame
from mdnb.views._live import message_html, shows_errors
from mdnb.views._parts import SettingsForm, field_of

__all__ = ["DatabaseControls"]

_STYLE = {"description_width": "130px"}
_CANCELLED = "Cancelled; what had come is kept, and the next Fetch goes on from there if the server can."


class _Cancelled(Exception):
    """The user cancelled the download."""


class DatabaseControls:
    """The part of a picker that fetches from public databases, in a thread, so that the kernel stays free.

    Parameters
    ----------
    picker : TrajectoryPicker
    frame : Frame
        Of the picker; shows errors.
    """

    def __init__(self, picker: Any, frame: Frame) -> None:
        self._picker, self._frame = picker, frame
        self._background = Background(frame)
        self._cancel, self._shown = Event(), 0.0
        known = mdnb.databases()
        wide = {"style": _STYLE, "layout": ipywidgets.Layout(width="560px", max_width="100%")}
        narrow = {"style": _STYLE, "layout": ipywidgets.Layout(width="260px")}
        self.database = ipywidgets.Dropdown(
            description="Database", options=[(one.title, name) for name, one in known.items()], **wide
        )
        self.facts = ipywidgets.HTML(layout=ipywidgets.Layout(width="680px", max_width="100%"))
        self.entry = ipywidgets.Combobox(description="Entry", ensure_option=False, **wide)
        self.entry_help = ipywidgets.HTML()
        self.form = SettingsForm()
        start = picker.start
        self.atoms = ipywidgets.Text(description="Atoms to keep", value=start["selection"], **wide)
        self.stride = ipywidgets.BoundedIntText(
            description="Frame step", value=start["stride"], min=1, max=1_000_000, **narrow
        )
        self.max_gb = ipywidgets.BoundedFloatText(description="At most (GB)", value=2.0, min=1e-6, max=1e6, **narrow)
        self.file = ipywidgets.Text(
            description="File by hand",
            placeholder="path of a file that was downloaded by hand; empty to download",
            **wide,
        )
        self.fetch = ipywidgets.Button(description="Fetch", button_style="primary")
        self.cancel = ipywidgets.Button(description="Cancel", disabled=True)
        self.bar = ipywidgets.FloatProgress(
            description="Downloaded",
            min=0,
            max=1,
            style=_STYLE,
            layout=ipywidgets.Layout(width="400px", display="none"),
        )
        self.status = ipywidgets.HTML().add_class("mdnb-status")
        self.box = ipywidgets.VBox([
            self.database, self.facts, self.entry, self.entry_help, self.form, self.atoms, self.stride, self.max_gb,
            self.file, ipywidgets.HBox([self.fetch, self.cancel]), self.bar, self.status,
        ])  # fmt: skip
        self.database.observe(self._on_database, "value")
        self.form.observe(self._on_form, "values")
        self.fetch.on_click(self._on_fetch)
        self.cancel.on_click(self._on_cancel)
        frame.on_close(self._cancel_now)
        self.database.value = "mdcath"
        self._on_database(None)
        if picker._call is not None and picker._call[0] == "fetch":
            self._restore(dict(picker._call[1]))

    @property
    def running(self) -> bool:
        """Whether something is being fetched."""
        return self._background.running

    def show_error(self, text: str) -> None:
        """Show an error in the picker."""
        self._frame.show_error(text)

    def wait(self, seconds: float | None = None) -> None:
        """Wait until nothing is being fetched."""
        self._background.wait(seconds)

    @property
    def _known(self) -> Database:
        return mdnb.databases()[self.database.value]

    def _restore(self, given: dict[str, Any]) -> None:
        """Show what the picker was given."""
        self.database.value = given.pop("database")
        self.entry.value = given.pop("entry")
        self.atoms.value = given.pop("selection", self.atoms.value)
        self.stride.value = given.pop("stride", self.stride.value)
        self.max_gb.value = given.pop("max_gb", self.max_gb.value)
        self.file.value = given.pop("file", None) or ""
        self.form.values = {**self.form.values, **given}

    @shows_errors
    def _on_database(self, change: Any) -> None:
        known = self._known
        self.facts.value = _facts_html(known)
        self.entry.value = ""
        self.entry.options = known.entries or (known.example,)
        self.entry.placeholder = f"such as {known.example}"
        self.entry_help.value = (
            f"<div class='mdnb-quiet' style='margin-left:134px'>{escape(known.entry_help)}, such as "
            f"{escape(known.example)}</div>"
        )
        declared = known.Options.settings()
        fields = [field_of(one, f"Options of {known.name}") for one in declared]
        for field in fields:
            field["kind"] = "text" if field["kind"] == "str" else field["kind"]
        self.form.problems = {}
        self.form.values = {one.name: one.default for one in declared}
        self.form.fields = fields
        self.form.layout.display = None if declared else "none"
        self.file.disabled = not known.by_hand
        self.file.value = self.file.value if known.by_hand else ""
        self._frame.show_error("")

    @shows_errors
    def _on_form(self, change: Any) -> None:
        problems = {}
        for one in self._known.Options.settings():
            try:
                one.check(self.form.values.get(one.name, one.default), self._known.name)
            except SpecError as error:
                problems[one.name] = str(error)
        self.form.problems = problems

    def _given(self) -> dict[str, Any]:
        """Return what was set to something else than the default, as `mdnb.fetch` takes it."""
        names = {one.name: one.default for one in self._known.Options.settings()}
        options = {name: value for name, value in self.form.values.items() if value != names.get(name, value)}
        others = {
            "selection": self.atoms.value.strip() or "all",
            "stride": self.stride.value,
            "max_gb": self.max_gb.value,
            "file": self.file.value.strip() or None,
        }
        usual = {"selection": "all", "stride": 1, "max_gb": 2.0, "file": None}
        return {**options, **{name: value for name, value in others.items() if value != usual[name]}}

    @shows_errors
    def _on_fetch(self, button: Any) -> None:
        if self.running:
            self._frame.show_error("The last download has not ended yet; wait a moment, and press Fetch again.")
            return
        known, given = self._known, self._given()
        entry = known.check_entry(self.entry.value)
        known.check_options({name: given[name] for name in given if name in self.form.values})
        self._cancel = cancel = Event()
        self._frame.show_error("")
        self.status.value = f"Asking for {escape(entry)} ..."
        self.fetch.disabled, self.cancel.disabled = True, False
        self.bar.value, self.bar.layout.display = 0, None

        def work() -> Any:
            try:
                with watched(lambda done, total: self._watch(cancel, done, total)):
                    return mdnb.fetch(known.name, entry, **given)
            except _Cancelled:
                return None

        def done(trajectories: Any) -> None:
            if not cancel.is_set():
                self._picker._set_fetched(trajectories, known.name, entry, given)
                self.status.value = f"<span role='status'>{escape(entry)} is open.</span>"

        self._background.start(work, done, self._after)

    def _after(self) -> None:
        self.fetch.disabled, self.cancel.disabled = False, True
        self.bar.layout.display = "none"
        if self.status.value.startswith(("Asking", "Got")):  # an error is shown
            self.status.value = ""

    def _watch(self, cancel: Event, done: int, total: int) -> None:
        """Show how far it is; ends the download when it is cancelled."""
        if cancel.is_set():
            raise _Cancelled
        if monotonic() - self._shown > 0.2 or done >= total:
            self._shown = monotonic()
            self.bar.value = done / total if total else 0.0
            whole = ", checking and opening it" if total and done >= total else ""
            self.status.value = f"Got {size_text(done)}{f' of {size_text(total)}' if total else ''}{whole} ..."

    @shows_errors
    def _on_cancel(self, button: Any) -> None:
        self._cancel_now()
        self.cancel.disabled = True
        self.status.value = message_html(_CANCELLED, "info")

    def _cancel_now(self) -> None:
        self._cancel.set()


def _facts_html(known: Database) -> str:
    """Return what a user should know of a database before downloading."""
    facts = known.facts()
    links = {"page": known.home, **({"cite": f"https://doi.org/{known.doi}"} if known.doi else {})}
    rows = ""
    for name, text in facts.items():
        shown = escape(text)
        if name in links:
            shown = (
                f"<a href='{escape(links[name])}' target='_blank' rel='noopener noreferrer' "
                f"style='color:inherit;text-decoration:underline'>{shown}</a>"
            )
        rows += (
            f"<dt style='font-weight:600;width:60px;flex:none'>{escape(name)}</dt>"
            f"<dd style='margin:0;width:calc(100% - 70px)'>{shown}</dd>"
        )
    return f"<dl style='display:flex;flex-wrap:wrap;gap:1px 8px;margin:4px 0 6px 134px;line-height:1.35'>{rows}</dl>"

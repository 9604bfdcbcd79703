"""The live half of `TrajectoryPicker`."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from typing import Any

import ipywidgets

import mdnb
from mdnb.errors import DataError, MdnbError
from mdnb.formats import FORMATS
from mdnb.formats.units import STYLES
from mdnb.sources import EXAMPLES
from mdnb.views._database_controls import DatabaseControls
from mdnb.views._folder_list import STYLE, FolderList, wide
from mdnb.views._frame import Frame
from mdnb.views._health_controls import FrameCheck, findings_html
from mdnb.views._live import message_html, shows_errors
from mdnb.views._stage import Stage

__all__ = ["PickerControls"]

_EXAMPLE, _FOLDER, _DATABASE = "a packaged example", "files in a folder", "a public database"
_MOST_TOPOLOGIES = 100  # in the list at once
_COUNTED = 20  # topologies whose atoms are counted
_CHECKED = 30  # chosen files whose headers are looked at
_WHOLE = {
    "each put together across the box": True,
    "put together, and beside each other": "together",
    "left as in the file": False,
}


class PickerControls(Frame):
    """The widget of a `TrajectoryPicker`.

    Parameters
    ----------
    picker : TrajectoryPicker
    """

    def __init__(self, picker: Any) -> None:
        super().__init__(picker, "Pick trajectories", "mdnb-trajectory-picker")
        self.picker = picker
        self._filling = False
        self._stage: Stage | None = None
        self._topology: tuple[tuple[Any, ...], Any] | None = None
        start = picker.start
        over = {"style": STYLE, "layout": wide()}
        self.source = ipywidgets.Dropdown(description="Pick from", options=[_EXAMPLE, _FOLDER, _DATABASE], **over)
        self.example = ipywidgets.Select(
            description="Example", options=[(f"{name}: {line}", name) for name, line in EXAMPLES.items()],
            rows=max(2, len(EXAMPLES)), style=STYLE, layout=ipywidgets.Layout(width="860px", max_width="100%"),
        )  # fmt: skip
        self.open_example = ipywidgets.Button(description="Open example", button_style="primary")
        self.listing = FolderList(picker.folder, self._on_chosen, self.show_error)
        self.files = self.listing.files
        self.health = ipywidgets.HTML(layout=ipywidgets.Layout(max_width="100%"))
        self.top = ipywidgets.Dropdown(description="Topology", **over)
        self.units = ipywidgets.Dropdown(
            description="Units", options=_units(start["units"]), value=start["units"], style=over["style"],
            layout=wide(),  # of its own: it hides by itself
            tooltip="Of lengths, times and energies, where the format does not say them: those of the LAMMPS input",
        )  # fmt: skip
        self.stride = ipywidgets.BoundedIntText(
            description="Every n-th frame", value=start["stride"], min=1, max=1_000_000, style=STYLE,
            layout=ipywidgets.Layout(width="260px"),
        )  # fmt: skip
        few = {"style": STYLE, "layout": ipywidgets.Layout(width="260px")}
        self.first = ipywidgets.Text(
            description="First frame", value=_number(start["start"]), placeholder="0", **few,
            tooltip="Of each file, counted from 0; a negative number counts from the end",
        )  # fmt: skip
        self.end = ipywidgets.Text(
            description="Before frame", value=_number(start["stop"]), placeholder="the end", **few,
            tooltip="The frame after the last one of each file; a negative number counts from the end",
        )  # fmt: skip
        self.whole = ipywidgets.Dropdown(
            description="Molecules", options=list(_WHOLE.items()), value=start["make_whole"], **over
        )
        self.selection = ipywidgets.Text(description="Atoms", value=start["selection"], **over)
        self.count = ipywidgets.HTML(layout=wide())
        self.open_files = ipywidgets.Button(description="Open files", button_style="primary")
        self.summary = ipywidgets.HTML()
        self.check = FrameCheck(picker, self.show_error)
        self.preview = ipywidgets.VBox([])
        self.example_part = ipywidgets.VBox([self.example, self.open_example])
        self.folder_part = ipywidgets.VBox([
            *self.listing.parts, self.health, self.top, self.units, self.first, self.end, self.stride, self.whole,
            self.selection, self.count, self.open_files,
        ])  # fmt: skip
        self.database = DatabaseControls(picker, self)
        self.compose([
            self.source, self.example_part, self.folder_part, self.database.box, self.message, self.summary,
            self.check.box, self.preview,
        ])  # fmt: skip
        self.on_close(self._leave)
        self.source.observe(self._on_source, "value")
        self.top.observe(self._on_top, "value")
        for control in (self.selection, self.first, self.end, self.stride, self.units):
            control.observe(self._on_selection, "value")
        self.open_example.on_click(self._on_open_example)
        self.open_files.on_click(self._on_open_files)
        picker.observe(self._on_value, "value")
        if picker._call is not None and picker._call[0] == "load":
            self.source.value = _FOLDER
        elif picker._call is not None and picker._call[0] == "fetch":
            self.source.value = _DATABASE
        elif picker.value is not None:
            self.example.value = picker._call[1][""]
        self._on_source(None)
        self.listing.fill()
        if picker.value is not None:
            self._on_value(None)

    def _leave(self) -> None:
        self.picker.unobserve(self._on_value, "value")
        self.check.close()

    @shows_errors
    def _on_source(self, change: Any) -> None:
        parts = {_EXAMPLE: self.example_part, _FOLDER: self.folder_part, _DATABASE: self.database.box}
        for source, part in parts.items():
            part.layout.display = "flex" if source == self.source.value else "none"
        self.show_error("")

    def _fill_topologies(self) -> None:
        """List the topologies of the folder, those named most like the first chosen file first."""
        names = [e.name for e in self.listing.entries if e.kind == "topology"]
        chosen = [self.listing.path(name) for name in self.files.value[:_CHECKED]]
        if chosen:
            names.sort(key=lambda name: -_n_alike(name, chosen[0].name))
        paths = [self.listing.path(name) for name in names[:_MOST_TOPOLOGIES]]
        self.picker.folder.headers(chosen)  # the first ones together, which is quicker
        own = bool(chosen) and self.picker.folder.header(chosen[0]).own_topology
        matching = self.picker.folder.matching(chosen, paths[:_COUNTED])
        start = self.picker.start["top"]
        options = [("from the trajectory itself", "")]
        options += [(f"{p.name}  (atoms match)" if p in matching else p.name, str(p)) for p in paths]
        if start is not None and str(start) not in [value for _, value in options]:
            options.append((str(start), str(start)))
        best = "" if own else str(matching[0]) if matching else str(start or "")
        self._filling = True
        try:
            self.top.options = options
            self.top.value = best
        finally:
            self._filling = False

    def _on_chosen(self) -> None:
        """See that other files are chosen."""
        self._fill_topologies()
        formats = [FORMATS.get(self.listing.path(name).suffix.lower()) for name in self.files.value]
        self.units.layout.display = "flex" if any(one is not None and one.takes_units for one in formats) else "none"
        self._on_selection(None)
        self._show_health()

    def _show_health(self) -> None:
        """Say what the headers of the chosen files tell, and what of their health."""
        top, folder = (Path(self.top.value) if self.top.value else None), self.picker.folder
        sizes = {e.name: e.size for e in self.listing.entries}
        rows: list[Any] = [
            (
                name,
                sizes.get(name, 0),
                folder.header(self.listing.path(name)),
                folder.findings(self.listing.path(name), top),
            )
            for name in self.files.value[:_CHECKED]
        ]
        n_more = len(self.files.value) - _CHECKED
        self.health.value = findings_html(rows + ([(f"... and {n_more:,} more", 0, None, ())] if n_more > 0 else []))

    @shows_errors
    def _on_top(self, change: Any) -> None:
        if not self._filling:
            self._on_selection(None)
            self._show_health()

    @shows_errors
    def _on_selection(self, change: Any) -> None:
        """Say how many atoms the selection holds, or what is wrong with it."""
        if self._filling:
            return
        if not self.files.value:
            self.count.value = ""
            return
        first, top = str(self.listing.path(self.files.value[0])), self.top.value
        units = self._units()
        try:
            if self._topology is None or self._topology[0] != (first, top, units):
                self._topology = ((first, top, units), mdnb.load(first, top=top or None, units=units).topology)
            topology = self._topology[1]
            more = {
                "units": units,
                "selection": self.selection.value.strip() or "all",
                "stride": self.stride.value,
                **self._span(),
            }
            chosen = mdnb.load(first, top=topology, **more)
        except MdnbError as error:
            self._topology = None
            self.count.value = message_html(str(error))
            return
        of = "" if len(self.files.value) == 1 else f" of {self.files.value[0]}"
        self.count.value = message_html(
            f"{chosen.n_atoms:,} of {topology.n_atoms:,} atoms; {chosen.n_frames:,} frames{of}", "info"
        )

    def _units(self) -> Any:
        """Return the units that are chosen; none where the files say them."""
        return None if self.units.layout.display == "none" else self.units.value

    def _span(self) -> dict[str, int | None]:
        """Return the first frame and the one after the last, as `mdnb.load` takes them."""
        found: dict[str, int | None] = {}
        for name, control in (("start", self.first), ("stop", self.end)):
            text = control.value.strip()
            try:
                found[name] = int(text) if text else None
            except ValueError:
                raise DataError(
                    f"{control.description}: {text!r} is no whole number; write one such as 100, or -1 from the end"
                ) from None
        return found

    @shows_errors
    def _on_open_example(self, button: Any) -> None:
        self.picker.open_example(self.example.value)

    @shows_errors
    def _on_open_files(self, button: Any) -> None:
        if not self.files.value:
            self.show_error("No file is chosen: choose one or more in the list (Ctrl or Shift and click for more).")
            return
        self.picker.open_files(
            [self.listing.path(name) for name in self.files.value],
            top=self.top.value or None,
            selection=self.selection.value.strip() or "all",
            stride=self.stride.value,
            **self._span(),
            time_step=self.picker.start["time_step"],
            units=self._units(),
            make_whole=self.whole.value,
        )

    @shows_errors
    def _on_value(self, change: Any) -> None:
        value = self.picker.value
        self.summary.value = "" if value is None else value._repr_html_()
        preview = self.picker.preview
        self.check.reset()
        if value is not None and preview is not None and self._stage is None:
            self._stage = Stage(self, preview)
        self.preview.children = () if value is None or self._stage is None else (self._stage.box,)
        self.show_error("")
        self.refresh()


def _units(given: Any) -> list[tuple[str, Any]]:
    """Return the choices of units; those that were given are among them."""
    styles = [(f"LAMMPS's units {name}", name) for name in STYLES]
    own = [] if given is None or given in STYLES else [("as given", given)]
    return [("as the file says, or the format's own", None), *styles, *own]


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _n_alike(one: str, other: str) -> int:
    """Return with how many letters both names begin alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))

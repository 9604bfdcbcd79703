"""The live half of `TrajectoryPicker`."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from typing import Any

import ipywidgets

import mdnb
from mdnb.errors import DataError, MdnbError
from mdnb.sources import EXAMPLES
from mdnb.sources.folders import Entry
from mdnb.views._database_controls import DatabaseControls
from mdnb.views._frame import Frame
from mdnb.views._health_controls import FrameCheck, findings_html
from mdnb.views._live import message_html, shows_errors
from mdnb.views._stage import Stage

__all__ = ["PickerControls"]

_EXAMPLE, _FOLDER, _DATABASE = "a packaged example", "files in a folder", "a public database"
_HERE, _UP = "(this folder)", "../"
_MOST = 300  # names on a page of the list
_MOST_TOPOLOGIES = 100  # in the list at once
_COUNTED = 20  # topologies whose atoms are counted
_CHECKED = 30  # chosen files whose headers are looked at
_STYLE = {"description_width": "130px"}
_WHOLE = {
    "each put together across the box": True,
    "put together, and beside each other": "together",
    "left as in the file": False,
}


def _wide(**options: Any) -> ipywidgets.Layout:
    return ipywidgets.Layout(width="560px", max_width="100%", **options)


class PickerControls(Frame):
    """The widget of a `TrajectoryPicker`.

    Parameters
    ----------
    picker : TrajectoryPicker
    """

    def __init__(self, picker: Any) -> None:
        super().__init__(picker, "Pick trajectories", "mdnb-trajectory-picker")
        self.picker = picker
        self._parts: list[str] = []
        self._entries: list[Entry] = []  # of the present folder
        self._filling = False
        self._stage: Stage | None = None
        self._topology: tuple[tuple[str, str], Any] | None = None
        start = picker.start
        wide = {"style": _STYLE, "layout": _wide()}
        self.source = ipywidgets.Dropdown(description="Pick from", options=[_EXAMPLE, _FOLDER, _DATABASE], **wide)
        self.example = ipywidgets.Select(
            description="Example", options=[(f"{name}: {line}", name) for name, line in EXAMPLES.items()],
            rows=max(2, len(EXAMPLES)), style=_STYLE, layout=ipywidgets.Layout(width="860px", max_width="100%"),
        )  # fmt: skip
        self.open_example = ipywidgets.Button(description="Open example", button_style="primary")
        self.where = ipywidgets.Dropdown(description="Folder", **wide)
        self.filter = ipywidgets.Text(description="Filter names", placeholder="part of a name", **wide)
        self.files = ipywidgets.SelectMultiple(description="Trajectories", rows=7, style=_STYLE, layout=_wide())
        self.page = ipywidgets.BoundedIntText(
            description="Page", value=1, min=1, max=1, style=_STYLE, layout=ipywidgets.Layout(width="260px")
        )
        self.found = ipywidgets.HTML()
        self.health = ipywidgets.HTML(layout=ipywidgets.Layout(max_width="100%"))
        self.top = ipywidgets.Dropdown(description="Topology", **wide)
        self.stride = ipywidgets.BoundedIntText(
            description="Every n-th frame", value=start["stride"], min=1, max=1_000_000, style=_STYLE,
            layout=ipywidgets.Layout(width="260px"),
        )  # fmt: skip
        few = {"style": _STYLE, "layout": ipywidgets.Layout(width="260px")}
        self.first = ipywidgets.Text(
            description="First frame", value=_number(start["start"]), placeholder="0", **few,
            tooltip="Of each file, counted from 0; a negative number counts from the end",
        )  # fmt: skip
        self.end = ipywidgets.Text(
            description="Before frame", value=_number(start["stop"]), placeholder="the end", **few,
            tooltip="The frame after the last one of each file; a negative number counts from the end",
        )  # fmt: skip
        self.whole = ipywidgets.Dropdown(
            description="Molecules", options=list(_WHOLE.items()), value=start["make_whole"], **wide
        )
        self.selection = ipywidgets.Text(description="Atoms", value=start["selection"], **wide)
        self.count = ipywidgets.HTML(layout=_wide())
        self.open_files = ipywidgets.Button(description="Open files", button_style="primary")
        self.summary = ipywidgets.HTML()
        self.check = FrameCheck(picker, self.show_error)
        self.preview = ipywidgets.VBox([])
        self.example_part = ipywidgets.VBox([self.example, self.open_example])
        self.folder_part = ipywidgets.VBox([
            self.where, self.filter, self.files, self.page, self.found, self.health, self.top, self.first, self.end,
            self.stride, self.whole, self.selection, self.count, self.open_files,
        ])  # fmt: skip
        self.database = DatabaseControls(picker, self)
        self.compose([
            self.source, self.example_part, self.folder_part, self.database.box, self.message, self.summary,
            self.check.box, self.preview,
        ])  # fmt: skip
        self.on_close(self._leave)
        self.source.observe(self._on_source, "value")
        self.where.observe(self._on_where, "value")
        self.filter.observe(self._on_filter, "value")
        self.page.observe(self._on_page, "value")
        self.files.observe(self._on_files, "value")
        self.top.observe(self._on_top, "value")
        for control in (self.selection, self.first, self.end, self.stride):
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
        self._fill_folder()
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

    @shows_errors
    def _fill_folder(self) -> None:
        """List the present folder."""
        self._entries = self.picker.folder.entries(*self._parts)
        here = "/".join(self._parts)
        self._filling = True
        try:
            self.where.options = [
                (f"{here or self.picker.folder.root}  {_HERE}", ""),
                *([(_UP, _UP)] if self._parts else []),
                *((f"{e.name}/", e.name) for e in self._entries if e.kind == "folder"),
            ]
            self.where.value = ""
            self.page.value = 1
        finally:
            self._filling = False
        self._fill_files()

    def _fill_files(self) -> None:
        """Show a page of the files whose names hold what is in the filter."""
        wanted = self.filter.value.strip().lower()
        files = [e for e in self._entries if e.kind != "folder" and wanted in e.name.lower()]
        files.sort(key=lambda e: e.kind != "trajectory")
        self._filling = True
        try:
            self.page.max = max(1, -(-len(files) // _MOST))
            first = (self.page.value - 1) * _MOST
            self.files.options = [(e.label(), e.name) for e in files[first : first + _MOST]]
            self.files.value = ()
        finally:
            self._filling = False
        self.page.layout.display = "flex" if self.page.max > 1 else "none"
        last = min(first + _MOST, len(files))
        more = f", {first + 1:,} to {last:,} shown: see other pages, or filter" if len(files) > _MOST else ""
        none = "no trajectory or topology here" if not files else f"{len(files):,} files{more}"
        self.found.value = f"<div role='status' style='margin-left:134px;opacity:0.75'>{none}</div>"
        self._on_files(None)

    def _fill_topologies(self) -> None:
        """List the topologies of the folder, those named most like the first chosen file first."""
        names = [e.name for e in self._entries if e.kind == "topology"]
        chosen = [self._path(name) for name in self.files.value[:_CHECKED]]
        if chosen:
            names.sort(key=lambda name: -_n_alike(name, chosen[0].name))
        paths = [self._path(name) for name in names[:_MOST_TOPOLOGIES]]
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

    def _path(self, name: str) -> Path:
        path: Path = self.picker.folder.path(*self._parts, name)
        return path

    @shows_errors
    def _on_where(self, change: Any) -> None:
        if self._filling or not change["new"]:
            return
        self._parts = self._parts[:-1] if change["new"] == _UP else [*self._parts, change["new"]]
        self.filter.value = ""
        self.show_error("")
        self._fill_folder()

    @shows_errors
    def _on_filter(self, change: Any) -> None:
        self._fill_folder()

    @shows_errors
    def _on_page(self, change: Any) -> None:
        if not self._filling:
            self._fill_files()

    @shows_errors
    def _on_files(self, change: Any) -> None:
        if not self._filling:
            self._fill_topologies()
            self._on_selection(None)
            self._show_health()

    def _show_health(self) -> None:
        """Say what the headers of the chosen files tell, and what of their health."""
        top, folder = (Path(self.top.value) if self.top.value else None), self.picker.folder
        sizes = {e.name: e.size for e in self._entries}
        rows: list[Any] = [
            (name, sizes.get(name, 0), folder.header(self._path(name)), folder.findings(self._path(name), top))
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
        first, top = str(self._path(self.files.value[0])), self.top.value
        try:
            if self._topology is None or self._topology[0] != (first, top):
                self._topology = ((first, top), mdnb.load(first, top=top or None).topology)
            topology = self._topology[1]
            more = {"selection": self.selection.value.strip() or "all", "stride": self.stride.value, **self._span()}
            chosen = mdnb.load(first, top=topology, **more)
        except MdnbError as error:
            self._topology = None
            self.count.value = message_html(str(error))
            return
        of = "" if len(self.files.value) == 1 else f" of {self.files.value[0]}"
        self.count.value = message_html(
            f"{chosen.n_atoms:,} of {topology.n_atoms:,} atoms; {chosen.n_frames:,} frames{of}", "info"
        )

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
            [self._path(name) for name in self.files.value],
            top=self.top.value or None,
            selection=self.selection.value.strip() or "all",
            stride=self.stride.value,
            **self._span(),
            time_step=self.picker.start["time_step"],
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


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _n_alike(one: str, other: str) -> int:
    """Return with how many letters both names begin alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))

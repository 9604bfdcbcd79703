"""The live half of `TrajectoryPicker`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ipywidgets

import mdnb
from mdnb.errors import MdnbError
from mdnb.sources import EXAMPLES
from mdnb.views._database_controls import DatabaseControls
from mdnb.views._frame import Frame
from mdnb.views._health_controls import FrameCheck, findings_html
from mdnb.views._live import message_html, shows_errors

__all__ = ["PickerControls"]

_EXAMPLE, _FOLDER, _DATABASE = "a packaged example", "files in a folder", "a public database"
_HERE, _UP = "(this folder)", "../"
_MOST = 300  # names in the list at once; the filter reaches the others
_CHECKED = 30  # chosen files whose headers are looked at
_STYLE = {"description_width": "130px"}


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
        self._filling = False
        self._topology: tuple[tuple[str, str], Any] | None = None
        start = picker.start
        wide = {"style": _STYLE, "layout": _wide()}
        self.source = ipywidgets.Dropdown(description="Pick from", options=[_EXAMPLE, _FOLDER, _DATABASE], **wide)
        self.example = ipywidgets.Select(
            description="Example", options=[(f"{name}: {line}", name) for name, line in EXAMPLES.items()],
            rows=max(2, len(EXAMPLES)), style=_STYLE, layout=_wide(),
        )  # fmt: skip
        self.open_example = ipywidgets.Button(description="Open example", button_style="primary")
        self.where = ipywidgets.Dropdown(description="Folder", **wide)
        self.filter = ipywidgets.Text(description="Filter names", placeholder="part of a name", **wide)
        self.files = ipywidgets.SelectMultiple(description="Trajectories", rows=7, style=_STYLE, layout=_wide())
        self.found = ipywidgets.HTML()
        self.health = ipywidgets.HTML(layout=_wide())
        self.top = ipywidgets.Dropdown(description="Topology", **wide)
        self.stride = ipywidgets.BoundedIntText(
            description="Every n-th frame", value=start["stride"], min=1, max=1_000_000, style=_STYLE,
            layout=ipywidgets.Layout(width="260px"),
        )  # fmt: skip
        self.selection = ipywidgets.Text(description="Atoms", value=start["selection"], **wide)
        self.count = ipywidgets.HTML(layout=_wide())
        self.open_files = ipywidgets.Button(description="Open files", button_style="primary")
        self.summary = ipywidgets.HTML()
        self.check = FrameCheck(picker, self.show_error)
        self.preview = ipywidgets.VBox([])
        self.example_part = ipywidgets.VBox([self.example, self.open_example])
        self.folder_part = ipywidgets.VBox([
            self.where, self.filter, self.files, self.found, self.health, self.top, self.stride, self.selection,
            self.count, self.open_files,
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
        self.files.observe(self._on_files, "value")
        self.top.observe(self._on_top, "value")
        self.selection.observe(self._on_selection, "value")
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
        self.preview.children = ()  # the picker's own view, which it closes itself

    @shows_errors
    def _on_source(self, change: Any) -> None:
        parts = {_EXAMPLE: self.example_part, _FOLDER: self.folder_part, _DATABASE: self.database.box}
        for source, part in parts.items():
            part.layout.display = "flex" if source == self.source.value else "none"
        self.show_error("")

    @shows_errors
    def _fill_folder(self) -> None:
        """List the present folder."""
        entries = self.picker.folder.entries(*self._parts)
        wanted = self.filter.value.strip().lower()
        files = [e for e in entries if e.kind != "folder" and wanted in e.name.lower()]
        files.sort(key=lambda e: e.kind != "trajectory")
        here = "/".join(self._parts)
        self._filling = True
        try:
            self.where.options = [
                (f"{here or self.picker.folder.root}  {_HERE}", ""),
                *([(_UP, _UP)] if self._parts else []),
                *((f"{e.name}/", e.name) for e in entries if e.kind == "folder"),
            ]
            self.where.value = ""
            self.files.options = [(e.label(), e.name) for e in files[:_MOST]]
            self.files.value = ()
        finally:
            self._filling = False
        more = f", the first {_MOST} shown: type a part of the name into the filter" if len(files) > _MOST else ""
        none = "no trajectory or topology here" if not files else f"{len(files):,} files{more}"
        self.found.value = f"<div style='margin-left:134px;opacity:0.75'>{none}</div>"
        self._fill_topologies([e.name for e in entries if e.kind == "topology"])

    def _fill_topologies(self, names: list[str]) -> None:
        paths = [self._path(name) for name in names]
        chosen = [self._path(name) for name in self.files.value]
        matching = self.picker.folder.matching(chosen, paths) if chosen else []
        start = self.picker.start["top"]
        options = [("from the trajectory itself", "")]
        options += [(f"{p.name}  (atoms match)" if p in matching else p.name, str(p)) for p in paths]
        if start is not None and str(start) not in [value for _, value in options]:
            options.append((str(start), str(start)))
        own = bool(chosen) and self.picker.folder.holds_topology(chosen[0])
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
    def _on_files(self, change: Any) -> None:
        if not self._filling:
            entries = self.picker.folder.entries(*self._parts)
            self._fill_topologies([e.name for e in entries if e.kind == "topology"])
            self._on_selection(None)
            self._show_health()

    def _show_health(self) -> None:
        """Say what the headers of the chosen files tell of their health."""
        top = Path(self.top.value) if self.top.value else None
        chosen = [self._path(name) for name in self.files.value]
        rows = [(path.name, self.picker.folder.findings(path, top)) for path in chosen[:_CHECKED]]
        rows += [(f"... and {len(chosen) - _CHECKED} more", [])] if len(chosen) > _CHECKED else []
        self.health.value = findings_html(rows)

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
            chosen = mdnb.load(first, top=topology, selection=self.selection.value.strip() or "all")
        except MdnbError as error:
            self._topology = None
            self.count.value = message_html(str(error))
            return
        self.count.value = message_html(f"{chosen.n_atoms:,} of {topology.n_atoms:,} atoms", "info")

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
            time_step=self.picker.start["time_step"],
        )

    @shows_errors
    def _on_value(self, change: Any) -> None:
        value = self.picker.value
        self.summary.value = "" if value is None else value._repr_html_()
        preview = self.picker.preview
        self.check.reset()
        self.preview.children = () if value is None or preview is None else (preview.widget,)
        self.show_error("")
        self.refresh()

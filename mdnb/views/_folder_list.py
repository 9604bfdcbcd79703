"""The files of a folder as a list to choose from: folders to go into, a filter for names, pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets

from mdnb.sources.folders import Entry, Folder
from mdnb.views._live import shows_errors

__all__ = ["STYLE", "FolderList", "wide"]

STYLE = {"description_width": "130px"}
_HERE, _UP = "(this folder)", "../"
_MOST = 300  # names on a page of the list


def wide(**options: Any) -> ipywidgets.Layout:
    """Return the layout of what stands over the whole width of the picker."""
    return ipywidgets.Layout(width="560px", max_width="100%", **options)


class FolderList:
    """The controls that look through a folder, which they never leave.

    Parameters
    ----------
    folder : Folder
    chosen : callable
        Called whenever other files are chosen.
    show_error : callable
        Called with a text, empty for none.

    Attributes
    ----------
    parts : list of ipywidgets.Widget
        From the folder to what was found.
    entries : list of Entry
        Of the present folder.
    """

    def __init__(self, folder: Folder, chosen: Callable[[], None], show_error: Callable[[str], None]) -> None:
        self.folder, self._chosen, self.show_error = folder, chosen, show_error
        self.entries: list[Entry] = []
        self._names: list[str] = []  # of the folders from the root to the present one
        self._filling = False
        options = {"style": STYLE, "layout": wide()}
        self.where = ipywidgets.Dropdown(description="Folder", **options)
        self.filter = ipywidgets.Text(description="Filter names", placeholder="part of a name", **options)
        self.files = ipywidgets.SelectMultiple(description="Trajectories", rows=7, style=STYLE, layout=wide())
        self.page = ipywidgets.BoundedIntText(
            description="Page", value=1, min=1, max=1, style=STYLE, layout=ipywidgets.Layout(width="260px")
        )
        self.found = ipywidgets.HTML()
        self.parts = [self.where, self.filter, self.files, self.page, self.found]
        self.where.observe(self._on_where, "value")
        self.filter.observe(self._on_filter, "value")
        self.page.observe(self._on_page, "value")
        self.files.observe(self._on_files, "value")

    def path(self, name: str) -> Path:
        """Return the path of a file of the present folder."""
        return self.folder.path(*self._names, name)

    @shows_errors
    def fill(self) -> None:
        """List the present folder."""
        self.entries = self.folder.entries(*self._names)
        here = "/".join(self._names)
        self._filling = True
        try:
            self.where.options = [
                (f"{here or self.folder.root}  {_HERE}", ""),
                *([(_UP, _UP)] if self._names else []),
                *((f"{e.name}/", e.name) for e in self.entries if e.kind == "folder"),
            ]
            self.where.value = ""
            self.page.value = 1
        finally:
            self._filling = False
        self._fill_files()

    def _fill_files(self) -> None:
        """Show a page of the files whose names hold what is in the filter."""
        wanted = self.filter.value.strip().lower()
        files = [e for e in self.entries if e.kind != "folder" and wanted in e.name.lower()]
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
        none = (
            "no trajectory or topology here"
            if not files
            else f"{len(files):,} {'file' if len(files) == 1 else 'files'}{more}"
        )
        self.found.value = f"<div role='status' style='margin-left:134px;opacity:0.75'>{none}</div>"
        self._chosen()

    @shows_errors
    def _on_where(self, change: Any) -> None:
        if self._filling or not change["new"]:
            return
        self._names = self._names[:-1] if change["new"] == _UP else [*self._names, change["new"]]
        self.filter.value = ""
        self.show_error("")
        self.fill()

    @shows_errors
    def _on_filter(self, change: Any) -> None:
        self.fill()

    @shows_errors
    def _on_page(self, change: Any) -> None:
        if not self._filling:
            self._fill_files()

    @shows_errors
    def _on_files(self, change: Any) -> None:
        if not self._filling:
            self._chosen()

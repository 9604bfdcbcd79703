"""Pick trajectories: a packaged example, files under a folder, or an entry of a public database."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from traitlets import Any as AnyTrait

import mdnb
from mdnb.errors import DataError
from mdnb.health import Health
from mdnb.pictures import structure_png
from mdnb.sources.folders import Folder
from mdnb.views._view import View
from mdnb.views.structure_view import StructureView

__all__ = ["TrajectoryPicker"]


#: Its place in a report where nothing is picked: the outline of a picture, and what to do.
_EMPTY = (
    "<figure style='margin:0;max-width:560px'><svg viewBox='0 0 560 120' role='img' style='width:100%;border:1px "
    "dashed #8a929c;border-radius:4px' aria-label='No structure: nothing is picked'><g fill='none' stroke='#8a929c' "
    "stroke-width='3'><path d='M180 75l45-30 45 30 45-30 45 30'/><circle cx='180' cy='75' r='7'/><circle cx='225' "
    "cy='45' r='7'/><circle cx='270' cy='75' r='7'/><circle cx='315' cy='45' r='7'/><circle cx='360' cy='75' r='7'/>"
    "</g></svg><figcaption>No trajectories are picked: give files=, example= or database=, or pick them in a live "
    "notebook.</figcaption></figure>"
)


class TrajectoryPicker(View):
    """Choose trajectories by clicking; a script or papermill chooses them with the arguments.

    Parameters
    ----------
    root : path
        The folder to look through; never left.
    files : path or sequence of paths
        Opened at once with `mdnb.load`, relative to the current folder as there.
    top, selection, stride, start, stop, time_step, units, make_whole
        As for `mdnb.load`; also what the controls start with.
    example : str, optional
        A packaged example, opened at once with `mdnb.example`. Not together with `files`.
    database, entry : str, optional
        An entry of a public database, fetched at once with `mdnb.fetch`; `selection` and `stride` hold for it too.
    options : mapping, optional
        More for `mdnb.fetch`, such as ``{"temperature": 320, "max_gb": 4}``.

    Attributes
    ----------
    value : Trajectories or None
        What is picked.
    health : Health or None
        What `check` found; None before, and after something else is picked.

    Raises
    ------
    DataError, SpecError
        If what the arguments name cannot be opened.
    """

    value = AnyTrait(None, allow_none=True, help="The Trajectories picked, or None.")

    def __init__(
        self,
        root: str | os.PathLike[str] = ".",
        *,
        files: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
        top: str | os.PathLike[str] | None = None,
        selection: str = "all",
        stride: int = 1,
        start: int | None = None,
        stop: int | None = None,
        time_step: float | None = None,
        units: str | Mapping[str, Any] | None = None,
        make_whole: bool | str = True,
        example: str | None = None,
        database: str | None = None,
        entry: str = "",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.folder = Folder(root)
        self.preview: StructureView | None = None
        self.health: Health | None = None
        self._call: tuple[str, dict[str, Any]] | None = None
        self.start: dict[str, Any] = {
            "top": top, "selection": selection, "stride": stride, "start": start, "stop": stop,
            "time_step": time_step, "units": units, "make_whole": make_whole,
        }  # fmt: skip
        chosen = [files] if isinstance(files, (str, os.PathLike)) else list(files)
        if chosen and example:
            raise DataError(f"got example={example!r} and files: give one of the two")
        if database and (chosen or example):
            raise DataError(f"got database={database!r} and {'files' if chosen else 'example'}: give one of the two")
        if database:
            self.open_database(database, entry, selection=selection, stride=stride, **(options or {}))
        elif example:
            self.open_example(example)
        elif chosen:
            self.open_files(chosen, **self.start)

    def open_example(self, name: str) -> None:
        """Pick a packaged example, as `mdnb.example` does."""
        self._set(mdnb.example(name), "example", {"": name})

    def open_files(
        self,
        files: Sequence[str | os.PathLike[str]],
        *,
        top: str | os.PathLike[str] | None = None,
        selection: str = "all",
        stride: int = 1,
        start: int | None = None,
        stop: int | None = None,
        time_step: float | None = None,
        units: str | Mapping[str, Any] | None = None,
        make_whole: bool | str = True,
    ) -> None:
        """Pick files, as `mdnb.load` does."""
        names = [os.fspath(file) for file in files]
        options: dict[str, Any] = {
            "top": None if top is None else os.fspath(top),
            "selection": selection,
            "stride": stride,
            "start": start,
            "stop": stop,
            "time_step": time_step,
            "units": units,
            "make_whole": make_whole,
        }
        opened = mdnb.load(names, **options)
        defaults = {"selection": "all", "stride": 1, "make_whole": True}
        given = {key: value for key, value in options.items() if value != defaults.get(key)}
        self._set(opened, "load", {"": names[0] if len(names) == 1 else names, **given})

    def open_database(self, database: str, entry: str, **options: Any) -> None:
        """Pick an entry of a public database, as `mdnb.fetch` does; waits for the download."""
        usual = {"selection": "all", "stride": 1}
        given = {name: value for name, value in options.items() if name not in usual or value != usual[name]}
        self._set_fetched(mdnb.fetch(database, entry, **given), database, entry, given)

    def _set_fetched(self, trajectories: Any, database: str, entry: str, options: Mapping[str, Any]) -> None:
        self._set(trajectories, "fetch", {"database": database, "entry": entry, **options})

    def _set(self, trajectories: Any, function: str, arguments: dict[str, Any]) -> None:
        if self.preview is None:
            self.preview = StructureView(trajectories, width=560, height=320)
        else:
            self.preview.show(trajectories)
        self._call = (function, arguments)
        self.health = None
        self.value = trajectories

    def check(self, progress: Any = None) -> Health:
        """Check every frame of what is picked, as ``trajectories.health()`` does, and keep the result in `health`.

        Raises
        ------
        DataError
            When nothing is picked.
        """
        if self.value is None:
            raise DataError("nothing is picked yet: open files or an example, then check them")
        checked = self.value
        health: Health = checked.health(progress=progress)
        if checked is self.value:  # something else may have been picked meanwhile
            self.health = health
        return health

    def code(self) -> str:
        """Return the Python that opens what is picked."""
        if self._call is None:
            return "# nothing is picked yet"
        function, arguments = self._call
        if function == "fetch":
            return f"import mdnb\n\ntrajectories = {self.value.code}"
        shown = ", ".join(f"{key}={value!r}" if key else repr(value) for key, value in arguments.items())
        return f"import mdnb\n\ntrajectories = mdnb.{function}({shown})"

    def parameters(self) -> dict[str, Any]:
        """Return what is picked as the parameters of the notebooks that come with mdnb."""
        if self._call is None:
            return {}
        function, arguments = self._call
        if function == "fetch":
            own = ("database", "entry", "selection", "stride")
            more = {name: value for name, value in arguments.items() if name not in own}
            named = {name: arguments[name] for name in own if name in arguments}
            return {**named, **({"options": more} if more else {})}
        chosen = arguments[""]
        if function == "example":
            return {"example": chosen}
        files = chosen if isinstance(chosen, str) else ",".join(chosen)
        return {"files": files, **{name: value for name, value in arguments.items() if name}}

    def _make_controls(self) -> Any:
        from mdnb.views._picker_controls import PickerControls

        return PickerControls(self)

    def close(self) -> None:
        """Take the live widget and its preview away; what is picked stays."""
        super().close()
        if self.preview is not None:
            self.preview.close()

    def static_html(self) -> str:
        """Return what is picked as HTML for a report."""
        if self.value is None or self.preview is None:
            return f"{_EMPTY}{self._settings_html()}"
        return (
            f"{self.value._repr_html_()}{'' if self.health is None else self.health._repr_html_()}"
            f"{self._settings_html()}"
            f"{self.preview.static_html()}"
        )

    def __repr__(self) -> str:
        return f"TrajectoryPicker under {str(self.folder.root)!r}: {self.value!r}"

    def _picture(self) -> tuple[bytes | None, str]:
        if self.preview is None:
            return None, ""
        return structure_png(self.preview.picture), self.preview.picture.describe()

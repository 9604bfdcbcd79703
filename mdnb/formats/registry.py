"""The table of formats, and the file that is opened by its suffix."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from mdnb.errors import DataError, MdnbError, unknown_name
from mdnb.files import absent
from mdnb.formats.base import UNREADABLE, TrajectoryFile

__all__ = ["FORMATS", "LAYOUTS", "open_trajectory", "register", "register_layout"]

_PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")

#: File suffix -> the class that reads it.
FORMATS: dict[str, type[TrajectoryFile]] = {}
#: File suffix -> classes of other layouts that share it, asked by `TrajectoryFile.claims` before that of `FORMATS`.
LAYOUTS: dict[str, list[type[TrajectoryFile]]] = {}

_T = TypeVar("_T", bound=type[TrajectoryFile])


def register(*suffixes: str) -> Callable[[_T], _T]:
    """Register a `TrajectoryFile` for these suffixes (with their dot)."""

    def add(cls: _T) -> _T:
        for suffix in suffixes:
            FORMATS[suffix] = cls
        return cls

    return add


def register_layout(*suffixes: str) -> Callable[[_T], _T]:
    """Register a `TrajectoryFile` for those files of these suffixes that it `claims`."""

    def add(cls: _T) -> _T:
        for suffix in suffixes:
            LAYOUTS.setdefault(suffix, []).append(cls)
        return cls

    return add


def open_trajectory(path: str | os.PathLike[str], units: str | Mapping[str, Any] | None = None) -> TrajectoryFile:
    """Open a trajectory file by its suffix.

    Parameters
    ----------
    path : path
    units : str or mapping, optional
        For LAMMPS dumps and XYZ, which do not say them; see `mdnb.load`.

    Raises
    ------
    DataError
        When there is no such file, it is empty, or it is not what its suffix says.
    SpecError
        When no format has that suffix.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(
            f"no such file: {absent(path)}; give the path of a trajectory, or a pattern such as 'runs/*.xtc'"
        )
    if path.is_dir():
        found = sorted({file.suffix.lower() for file in path.iterdir() if file.suffix.lower() in FORMATS})
        pattern = f"{path}/*{next((one for one in found if one != '.pdb'), '.pdb' if found else '.xtc')}"
        raise DataError(f"{path} is a folder; give its files, for example '{pattern}'")
    suffix = path.suffix.lower()
    if suffix in _PACKED:
        raise DataError(f"{path} is compressed, so that no frame in it can be found alone; unpack it first")
    if suffix not in FORMATS:
        raise unknown_name("trajectory format", suffix, FORMATS)
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty (0 bytes); was it copied completely?")
    form = FORMATS[suffix]
    if form.foreign:
        from mdnb.formats.probe import probe_trajectories

        probe_trajectories([path])
    if units is not None and not form.takes_units:
        raise DataError(f"units={units!r} is for LAMMPS dumps and XYZ files; {path.name} says its units: leave it out")
    try:
        form = next((layout for layout in LAYOUTS.get(suffix, ()) if layout.claims(path)), form)
        return form(path, units) if form.takes_units else form(path)  # type: ignore[call-arg]  # those take them
    except MdnbError:
        raise
    except BlockingIOError as error:  # what HDF5 says of it
        raise DataError(
            f"{path} is locked by a program that writes it; wait until that has closed it, or read a copy of it"
        ) from error
    except UNREADABLE as error:
        raise DataError(
            f"{path} cannot be read as {suffix}: {type(error).__name__}: {error}; is the file complete?"
        ) from error

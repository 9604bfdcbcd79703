"""AMBER NetCDF: Angstrom, Angstrom/ps after the file's scale factor, kcal/mol/Angstrom."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

from mdnb.formats.base import ArrayFile, Frames
from mdnb.formats.registry import register

#: AMBER's convention (https://ambermd.org/netcdf/nctraj.xhtml): name in the file, factor to mdnb's unit.
_VARIABLES = {
    "positions": ("coordinates", 0.1),
    "velocities": ("velocities", 0.1),
    "forces": ("forces", 41.84),
    "time": ("time", 1.0),
}
#: The file that a thread reads, mapped into memory.
_MAPPED = threading.local()
_THEIRS = (*(theirs for theirs, _ in _VARIABLES.values()), "cell_lengths", "cell_angles")


@register(".nc", ".ncdf", ".netcdf")
class NetCDFFile(ArrayFile):
    """An AMBER trajectory in classic NetCDF, mapped into memory by scipy.

    Velocities are multiplied by the ``scale_factor`` (20.455 in AMBER's own units) that the file states.
    """

    concurrent = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        from mdnb.formats.netcdf_records import WholeRecords

        super().__init__(path)
        # Mapped: without, scipy reads the whole file. Where the arrays lie is noted, so that it is asked only once.
        with WholeRecords(str(self.path), "r", mmap=True) as file:
            if "coordinates" not in file.variables:
                raise self.error("it has no variable 'coordinates'; is it an AMBER trajectory?")
            known = {theirs: _Place.of(file.variables[theirs]) for theirs in _THEIRS if theirs in file.variables}
            if file.claimed > file.whole:
                self.truncated = f"its header claims {file.claimed} frames, {file.whole} are whole"
        self._places: dict[str, _Place] = known
        self.n_frames, self.n_atoms = self.size(known["coordinates"].shape)
        self.has_velocities, self.has_forces = "velocities" in known, "forces" in known

    def read(
        self, start: int, stop: int, stride: int, atom_indices: np.ndarray | None, velocities: bool, forces: bool
    ) -> Frames:
        """Return the frames ``start:stop:stride`` of the chosen atoms."""
        _MAPPED.raw = np.memmap(self.path, np.uint8, "r")  # once for all arrays of these frames
        try:
            return super().read(start, stop, stride, atom_indices, velocities, forces)
        finally:
            del _MAPPED.raw

    def slice(self, name: str, frames: slice) -> np.ndarray | None:
        """Return one array of those frames in mdnb's units, or None."""
        from mdtraj.utils import lengths_and_angles_to_box_vectors

        raw = getattr(_MAPPED, "raw", None)
        if raw is None:
            raw = np.memmap(self.path, np.uint8, "r")
        if name == "box":
            if "cell_lengths" not in self._places or "cell_angles" not in self._places:
                return None
            lengths, angles = (self._places[key].within(raw)[frames] for key in ("cell_lengths", "cell_angles"))
            return np.stack(lengths_and_angles_to_box_vectors(*lengths.T / 10, *angles.T), axis=1)
        theirs, factor = _VARIABLES[name]
        if theirs not in self._places:
            return None
        place = self._places[theirs]
        found = place.within(raw)[frames]
        # Times in double precision; positions as they are stored: a detour over double precision takes thrice as long.
        kind = np.float32 if found.ndim == 3 and found.dtype.itemsize == 4 else np.float64
        values: np.ndarray = found.astype(kind)
        return np.multiply(values, kind(place.scale * factor), out=values)


@dataclass(frozen=True)
class _Place:
    """Where a variable lies in the file."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype
    offset: int
    scale: float

    @classmethod
    def of(cls, variable: Any) -> _Place:
        whole = data = variable.data
        while isinstance(whole.base, np.ndarray):  # up to the array of all bytes of the file
            whole = whole.base
        offset = data.ctypes.data - whole.ctypes.data
        scale = float(np.ravel(getattr(variable, "scale_factor", 1.0))[0])
        return cls(data.shape, data.strides, data.dtype, offset, scale)

    def within(self, raw: np.ndarray) -> np.ndarray:
        return np.ndarray(self.shape, self.dtype, raw, self.offset, self.strides)

"""AMBER NetCDF: Angstrom, Angstrom/ps after the file's scale factor, kcal/mol/Angstrom."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from mdnb.formats.base import ArrayFile, register

#: AMBER's convention (https://ambermd.org/netcdf/nctraj.xhtml): name in the file, factor to mdnb's unit.
_VARIABLES = {
    "positions": ("coordinates", 0.1),
    "velocities": ("velocities", 0.1),
    "forces": ("forces", 41.84),
    "time": ("time", 1.0),
}


@register(".nc", ".ncdf", ".netcdf")
class NetCDFFile(ArrayFile):
    """An AMBER trajectory in classic NetCDF, mapped into memory by scipy.

    Velocities are multiplied by the ``scale_factor`` (20.455 in AMBER's own units) that the file states.
    """

    concurrent = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        with self._open() as file:
            if "coordinates" not in file.variables:
                raise self.error("it has no variable 'coordinates'; is it an AMBER trajectory?")
            self.n_frames, self.n_atoms = self.size(file.variables["coordinates"].shape)
            self.has_velocities = "velocities" in file.variables
            self.has_forces = "forces" in file.variables
            if file.claimed > file.whole:
                self.truncated = f"its header claims {file.claimed} frames, {file.whole} are whole"

    def _open(self) -> Any:
        from mdnb.formats.netcdf_records import WholeRecords

        # Mapped: without, scipy reads the whole file each time it is opened. What is returned is copied
        # before the file is closed, so that nothing points into the map.
        return WholeRecords(str(self.path), "r", mmap=True)

    def slice(self, name: str, frames: slice) -> np.ndarray | None:
        """Return one array of those frames in mdnb's units, or None."""
        from mdtraj.utils import lengths_and_angles_to_box_vectors

        with self._open() as file:
            if name == "box":
                if "cell_lengths" not in file.variables:
                    return None
                lengths, angles = (file.variables[key][frames].copy() for key in ("cell_lengths", "cell_angles"))
                return np.stack(lengths_and_angles_to_box_vectors(*lengths.T / 10, *angles.T), axis=1)
            theirs, factor = _VARIABLES[name]
            return _copied(file.variables[theirs], frames, factor) if theirs in file.variables else None


def _copied(variable: Any, frames: slice, factor: float) -> np.ndarray:
    scale = float(np.ravel(getattr(variable, "scale_factor", 1.0))[0])
    return np.asarray(variable[frames].astype(np.float64) * (scale * factor))

"""Arrays in memory: an `mdtraj.Trajectory`, and NPZ files in the layout of the timewarp data set."""

from __future__ import annotations

import math
import os
from collections.abc import Collection
from pathlib import Path
from typing import IO, TYPE_CHECKING
from zipfile import ZipFile

import numpy as np

from mdnb.formats.base import ArrayFile, TrajectoryFile
from mdnb.formats.registry import register
from mdnb.machine import memory_bytes

if TYPE_CHECKING:
    import mdtraj


class MemoryFile(ArrayFile):
    """An `mdtraj.Trajectory` seen as a file; its times are unknown where mdtraj only counts the frames."""

    concurrent = True

    def __init__(self, trajectory: mdtraj.Trajectory, name: str = "in memory") -> None:
        super().__init__(Path(name))
        self._trajectory = trajectory
        self.n_frames, self.n_atoms = trajectory.n_frames, trajectory.n_atoms

    def topology(self) -> mdtraj.Topology | None:
        """Return the trajectory's topology."""
        return self._trajectory.topology

    def slice(self, name: str, frames: slice) -> np.ndarray | None:
        """Return positions, times or the box of those frames."""
        if name == "positions":
            return self._trajectory.xyz[frames]
        if name == "time":
            # Whole numbers are mdtraj's count of the frames where it was told no times; times read from files are not.
            time = np.asarray(self._trajectory.time)
            return None if time.dtype.kind in "iu" else time[frames]
        if name == "box" and self._trajectory.unitcell_vectors is not None:
            return self._trajectory.unitcell_vectors[frames]
        return None


@register(".npz")
class NPZFile(ArrayFile):
    """Positions (nm), velocities (nm/ps), forces (kJ/mol/nm), time (ps), energies (kJ/mol) in one NPZ.

    References
    ----------
    Klein et al., Timewarp (2023), https://doi.org/10.48550/arXiv.2302.01170
    """

    concurrent = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        check_sizes(self, (*self.arrays, "time", "energies"))
        with np.load(self.path, allow_pickle=False) as arrays:
            if "positions" not in arrays.files:
                raise self.error(f"it has no array 'positions', only {', '.join(arrays.files)}")
            self._arrays = {name: arrays[name] for name in arrays.files if name in (*self.arrays, "time", "energies")}
        shape = self._arrays["positions"].shape
        self.n_frames, self.n_atoms = self.size(shape)
        whole = {"time": shape[:1], "energies": (self.n_frames, 2)}
        for name, array in self._arrays.items():
            expected = whole.get(name, shape)
            if array.ndim and len(array) != self.n_frames:
                raise self.error(f"{name} has {len(array)} frames, positions has {self.n_frames}")
            if array.shape != expected or array.dtype.kind not in "fiu":
                raise self.error(
                    f"{name} has the shape {array.shape} of {array.dtype}, expected numbers of the shape {expected}"
                )
        self.has_velocities, self.has_forces = "velocities" in self._arrays, "forces" in self._arrays

    def slice(self, name: str, frames: slice) -> np.ndarray | None:
        """Return one array of those frames, or None."""
        return self._arrays[name][frames] if name in self._arrays else None

    def observables(self) -> dict[str, np.ndarray]:
        """Return the potential and the kinetic energy in kJ/mol."""
        if "energies" not in self._arrays:
            return {}
        potential, kinetic = self._arrays["energies"].T
        return {"potential_energy": potential, "kinetic_energy": kinetic}


def check_sizes(trajectory: TrajectoryFile, names: Collection[str]) -> None:
    """Refuse arrays of an NPZ file that would not fit into memory, before any of it is unpacked."""
    with ZipFile(trajectory.path) as archive:
        total = 0
        for member in archive.infolist():
            if member.filename.removesuffix(".npy") not in names:
                continue
            total += member.file_size
            with archive.open(member) as file:
                shape, _, kind = _header(file)
            if math.prod(shape) * kind.itemsize > member.file_size:
                raise trajectory.error(f"{member.filename} claims the shape {shape}, which it does not hold")
    there = _memory()
    if total > there:
        raise trajectory.error(
            f"its arrays take {total / 1e9:,.1f} GB, and {there / 1e9:,.1f} GB of memory are there: convert it to "
            "XTC, TRR or H5MD, which are read in parts"
        )


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(file)


def _memory() -> float:
    """Return the bytes of memory that can still be had; all that the computer has where it does not say more."""
    known = Path("/proc/meminfo")
    for line in known.read_text(encoding="ascii").splitlines() if known.is_file() else []:
        if line.startswith("MemAvailable:"):
            return 1024.0 * int(line.split()[1])
    return memory_bytes()

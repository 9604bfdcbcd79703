"""Arrays in memory: an `mdtraj.Trajectory`, and NPZ files in the layout of the timewarp data set."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mdnb.formats.base import ArrayFile, register

if TYPE_CHECKING:
    import mdtraj


class MemoryFile(ArrayFile):
    """An `mdtraj.Trajectory` seen as a file."""

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
            return self._trajectory.time[frames]
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

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        with np.load(self.path, allow_pickle=False) as arrays:
            if "positions" not in arrays.files:
                raise self.error(f"it has no array 'positions', only {', '.join(arrays.files)}")
            self._arrays = {name: arrays[name] for name in arrays.files if name in (*self.arrays, "time", "energies")}
        self.n_frames, self.n_atoms, _ = self._arrays["positions"].shape
        for name, array in self._arrays.items():
            if len(array) != self.n_frames:
                raise self.error(f"{name} has {len(array)} frames, positions has {self.n_frames}")
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

"""Multi-model PDB: text, held in memory, with its own topology."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from mdnb.formats.base import ArrayFile, register

if TYPE_CHECKING:
    import mdtraj


@register(".pdb", ".ent")
class PDBFile(ArrayFile):
    """A PDB file of one or more models; it has no time."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        import mdtraj

        super().__init__(path)
        self._trajectory = mdtraj.load_pdb(str(self.path))
        self.n_frames, self.n_atoms = self._trajectory.n_frames, self._trajectory.n_atoms
        if not self.n_atoms:
            raise self.error("it holds no atoms")

    def topology(self) -> mdtraj.Topology | None:
        """Return the topology of the first model."""
        return self._trajectory.topology

    def slice(self, name: str, frames: slice) -> np.ndarray | None:
        """Return the positions or the box of those frames."""
        if name == "positions":
            return self._trajectory.xyz[frames]
        if name == "box" and self._trajectory.unitcell_vectors is not None:
            return self._trajectory.unitcell_vectors[frames]
        return None

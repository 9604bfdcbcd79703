"""Backbone and side-chain torsions as sine and cosine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mdnb.chunk import Chunk
from mdnb.errors import unknown_name
from mdnb.features.base import Column, Featurizer, residue_labels

if TYPE_CHECKING:
    import mdtraj

KINDS = ("phi", "psi", "omega", "chi1", "chi2", "chi3", "chi4")


def torsion_indices(topology: mdtraj.Topology, kind: str) -> np.ndarray:
    """Return the (n, 4) atom indices of one kind of torsion, as mdtraj defines it."""
    import mdtraj
    from mdtraj.geometry import dihedral

    blank = mdtraj.Trajectory(np.zeros((1, topology.n_atoms, 3), np.float32), topology)
    return np.asarray(getattr(dihedral, f"indices_{kind}")(blank.topology)).reshape(-1, 4)


class Torsions(Featurizer):
    """Sine and cosine of torsions, residue by residue; not a number (NaN) where three atoms lie on a line.

    Parameters
    ----------
    kinds : tuple of str
        Any of phi, psi, omega, chi1 to chi4; ``chi`` stands for these four. One alone may be given without a tuple.
    representation : {"sincos", "angle"}
        Sine and cosine (no jump at 180 degrees), or the angle in radian.
    """

    name = "torsions"
    needed = "it needs residues with backbone atoms named N, CA, C"

    def __init__(self, kinds: tuple[str, ...] = KINDS, representation: str = "sincos") -> None:
        one: Any = kinds
        asked = (one,) if isinstance(one, str) else kinds
        kinds = tuple(name for kind in asked for name in (KINDS[3:] if kind == "chi" else (kind,)))
        for kind in kinds:
            if kind not in KINDS:
                raise unknown_name("kind of torsion", kind, KINDS)
        if representation not in ("sincos", "angle"):
            raise unknown_name("representation", representation, ("sincos", "angle"))
        self.kinds, self.representation = kinds, representation

    def describe(self, topology: mdtraj.Topology, reference: np.ndarray) -> tuple[Column, ...]:
        """Return two columns (sine, cosine) or one (angle) for each torsion."""
        found, label = [], residue_labels(topology)
        for order, kind in enumerate(self.kinds):
            for row in torsion_indices(topology, kind):
                # The residue that names the torsion: that of the second atom, for phi of the third.
                residue = topology.atom(int(row[2 if kind == "phi" else 1])).residue
                found.append((residue.index, order, f"{kind} {label[residue.index]}", tuple(int(i) for i in row)))
        found.sort()
        if not found:
            return ()
        from mdnb.features.torsion_kernels import torsion_path

        self._indices = np.array([row[3] for row in found], int)
        self._path = torsion_path(self._indices)
        self.looks_at = self._path[0]
        if self.representation == "angle":
            return tuple(Column(name, "rad", atoms, name) for _, _, name, atoms in found)
        return tuple(
            Column(f"{part} {name}", "", atoms, name) for _, _, name, atoms in found for part in ("sin", "cos")
        )

    def compute(self, chunk: Chunk) -> np.ndarray:
        """Return (n_frames, n_columns)."""
        values = np.empty((len(chunk.positions), 2 * len(self._indices)), np.float32)
        self._sincos(chunk, values, 0)
        return np.arctan2(values[:, ::2], values[:, 1::2]) if self.representation == "angle" else values

    def fill(self, chunk: Chunk, out: np.ndarray, column: int) -> None:
        """Write the sines and cosines into their columns of a table."""
        if self.representation == "angle":
            super().fill(chunk, out, column)
        else:
            self._sincos(chunk, out, column)

    def _sincos(self, chunk: Chunk, out: np.ndarray, column: int) -> None:
        from mdnb.features.torsion_kernels import torsions_sincos

        path, places = self._path
        torsions_sincos(chunk.positions, chunk.places_of(path), places, chunk.images, out, column)

"""Positions superposed on a reference, and velocities and forces turned into the same frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from mdnb.errors import DataError
from mdnb.features.base import Column, Featurizer, atom_labels
from mdnb.trajectories import Chunk

if TYPE_CHECKING:
    import mdtraj


def rotations(positions: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return the rotation matrices that superpose centred positions on a centred reference.

    Parameters
    ----------
    positions : (n_frames, n_atoms, 3) array
    reference : (n_atoms, 3) array

    Returns
    -------
    (n_frames, 3, 3) array
        ``positions @ rotation`` lies on the reference; always proper (no reflection).

    References
    ----------
    Kabsch, Acta Cryst. A 32, 922 (1976), https://doi.org/10.1107/S0567739476001873
    """
    covariance = np.einsum("fai,aj->fij", positions.astype(np.float64), reference.astype(np.float64))
    left, _, right = np.linalg.svd(covariance)
    sign = np.sign(np.linalg.det(left @ right))
    left[:, :, -1] *= sign[:, None]
    return left @ right


class Positions(Featurizer):
    """Cartesian positions in nm of the selected atoms, superposed on the first frame's heavy atoms.

    Parameters
    ----------
    selection : str
        Atoms to return and to superpose by, in mdtraj's selection language.
    """

    name = "positions"
    axes = ("atom", "xyz")
    quantity: ClassVar[str] = "positions"
    unit: ClassVar[str] = "nm"
    needed = "it needs at least one selected atom"

    def __init__(self, selection: str = "element != H") -> None:
        self.selection = selection

    def describe(self, topology: mdtraj.Topology, reference: np.ndarray) -> tuple[Column, ...]:
        """Return x, y and z of each selected atom."""
        self._atoms = topology.select(self.selection)
        if len(self._atoms) < 3:
            raise DataError(
                f"{self.name!r} needs at least 3 atoms to superpose; {self.selection!r} holds {len(self._atoms)}"
            )
        chosen = reference[self._atoms]
        self._reference = chosen - chosen.mean(0)
        label = atom_labels(topology)
        return tuple(
            Column(
                f"{self.quantity[:-1] if self.quantity != 'velocities' else 'velocity'} {label[i]} {axis}",
                self.unit,
                (int(i),),
                label[i],
            )
            for i in self._atoms
            for axis in "xyz"
        )

    def prepare(self, topology: mdtraj.Topology, reference: np.ndarray) -> None:
        """See the topology and the reference; the shape is (n_atoms, 3)."""
        super().prepare(topology, reference)
        self.shape = (len(self._atoms), 3)

    def compute(self, chunk: Chunk) -> np.ndarray:
        """Return (n_frames, n_atoms, 3)."""
        positions = chunk.positions[:, self._atoms]
        positions = positions - positions.mean(1, keepdims=True)
        rotation = rotations(positions, self._reference)
        values = positions if self.quantity == "positions" else getattr(chunk, self.quantity)[:, self._atoms]
        return np.einsum("fai,fij->faj", values, rotation)


class Velocities(Positions):
    """Velocities in nm/ps of the selected atoms, rotated with the superposition of `Positions`."""

    name = quantity = "velocities"
    unit = "nm/ps"
    needs = frozenset({"positions", "velocities"})


class Forces(Positions):
    """Forces in kJ/mol/nm on the selected atoms, rotated with the superposition of `Positions`."""

    name = quantity = "forces"
    unit = "kJ/mol/nm"
    needs = frozenset({"positions", "forces"})

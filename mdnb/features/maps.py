"""Two-dimensional features, for convolutions over a map: distances and smooth contacts of all residue pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mdnb.chunk import Chunk
from mdnb.errors import DataError
from mdnb.features.atoms import heavy_atoms, select_atoms
from mdnb.features.base import Column, Featurizer, atom_labels, residue_labels
from mdnb.features.distances import check_switch, switched

if TYPE_CHECKING:
    import mdtraj

__all__ = ["ContactMap", "DistanceMap"]


class DistanceMap(Featurizer):
    """All distances in nm between the selected atoms, (n, n): symmetric, its diagonal 0.

    Nearest images where there is a box.

    Parameters
    ----------
    selection : str
        In mdtraj's selection language; one atom of each residue by default, the C-alpha.
    """

    name = "distance-map"
    axes = ("residue", "residue")

    def __init__(self, selection: str = "name CA") -> None:
        self.selection = selection

    def describe(self, topology: mdtraj.Topology, reference: np.ndarray) -> tuple[Column, ...]:
        """Return one column for each ordered pair of atoms, row by row."""
        self._topology = topology
        self._atoms = select_atoms(topology, self.selection, self.name, at_least=2)
        residues = {topology.atom(int(index)).residue.index for index in self._atoms}
        self.axes = ("residue", "residue") if len(residues) == len(self._atoms) else ("atom", "atom")
        label = atom_labels(topology)
        atoms = self._atoms.tolist()
        return tuple(
            Column(
                f"{self.name} {label[i]} {label[j]}",
                "nm",
                (i,) if i == j else (i, j),
                f"{self.name} {label[min(i, j)]} {label[max(i, j)]}",
            )
            for i in atoms
            for j in atoms
        )

    def prepare(self, topology: mdtraj.Topology, reference: np.ndarray) -> None:
        """See the topology and the reference; the shape is (n_atoms, n_atoms)."""
        super().prepare(topology, reference)
        self.shape = (len(self._atoms), len(self._atoms))

    def compute(self, chunk: Chunk) -> np.ndarray:
        """Return (n_frames, n_atoms, n_atoms) in nm."""
        return _symmetric(chunk, self._atoms, np.arange(len(self._atoms) + 1))


class ContactMap(Featurizer):
    """Smooth contacts of all residues but water, (n_residues, n_residues): symmetric, its diagonal about 1.

    The value is ``1 / (1 + exp((d - cutoff) / width))`` of the closest distance d of heavy atoms, nearest
    images where there is a box: 1 in contact, 0.5 at the cutoff, 0 apart. It is 'contacts' as a map, with
    the neighbours in the chain.

    Parameters
    ----------
    cutoff : float
        In nm.
    width : float
        In nm; 0 gives a hard contact of 0 or 1.
    """

    name = "contact-map"
    axes = ("residue", "residue")

    def __init__(self, cutoff: float = 0.45, width: float = 0.03) -> None:
        check_switch(cutoff, width)
        self.cutoff, self.width = cutoff, width

    def describe(self, topology: mdtraj.Topology, reference: np.ndarray) -> tuple[Column, ...]:
        """Return one column for each ordered pair of residues, row by row."""
        self._topology = topology
        label = residue_labels(topology)
        groups = {
            residue.index: atoms
            for residue in topology.residues
            if not residue.is_water and (atoms := heavy_atoms(residue))
        }
        if len(groups) < 2:
            raise DataError(
                f"{self.name!r} needs at least two residues with heavy atoms, water aside; {topology} has "
                f"{len(groups)} (for small molecules: DistanceMap('element != H'))"
            )
        self._groups = [np.array(atoms, int) for atoms in groups.values()]
        return tuple(
            Column(
                f"{self.name} {label[a]} {label[b]}",
                "",
                tuple(groups[a]) if a == b else (*groups[a], *groups[b]),
                f"{self.name} {label[min(a, b)]} {label[max(a, b)]}",
            )
            for a in groups
            for b in groups
        )

    def prepare(self, topology: mdtraj.Topology, reference: np.ndarray) -> None:
        """See the topology and the reference; the shape is (n_residues, n_residues)."""
        super().prepare(topology, reference)
        self.shape = (len(self._groups), len(self._groups))

    def compute(self, chunk: Chunk) -> np.ndarray:
        """Return (n_frames, n_residues, n_residues) between 0 and 1."""
        starts = np.cumsum([0, *map(len, self._groups)])
        return switched(_symmetric(chunk, np.concatenate(self._groups), starts), self.cutoff, self.width)


def _symmetric(chunk: Chunk, atoms: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return the closest distances in nm between groups of atoms, (n_frames, n_groups, n_groups)."""
    from mdnb.features.distance_kernels import closest_distances

    first, second = np.triu_indices(len(starts) - 1, 1)
    closest = np.empty((len(chunk.positions), len(first)), np.float32)
    closest_distances(chunk.positions, atoms, starts, np.column_stack([first, second]), chunk.images, closest)
    values = np.zeros((len(closest), len(starts) - 1, len(starts) - 1), np.float32)
    values[:, first, second] = values[:, second, first] = closest
    return values

"""Distances between atoms, and contacts between residues."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from mdnb.chunk import Chunk
from mdnb.errors import DataError
from mdnb.features.atoms import heavy_atoms
from mdnb.features.base import Featurizer, atom_labels, residue_labels
from mdnb.features.columns import Column, PairColumns

if TYPE_CHECKING:
    import mdtraj


class Distances(Featurizer):
    """Distances in nm between all pairs of the selected atoms, nearest image where there is a box.

    Parameters
    ----------
    selection : str
        In mdtraj's selection language; the heavy atoms by default.
    min_bonds : int
        Leave out pairs that are fewer bonds apart (their distance is nearly constant).
    pairs : sequence of (int, int), optional
        Pairs of atom indices, in place of those of the selection.
    """

    name = "distances"
    needed = "it needs at least two selected atoms that far apart"
    #: The names of columns begin with it.
    what, unit = "distance", "nm"

    def __init__(
        self,
        selection: str = "element != H",
        min_bonds: int = 3,
        pairs: Sequence[tuple[int, int]] | np.ndarray | None = None,
    ) -> None:
        self.selection, self.min_bonds = selection, min_bonds
        self.pairs = None if pairs is None else np.asarray(pairs)
        if self.pairs is not None and (
            self.pairs.ndim != 2
            or self.pairs.shape[1] != 2
            or self.pairs.dtype.kind not in "iu"
            or (self.pairs[:, 0] == self.pairs[:, 1]).any()
        ):
            raise DataError(f"pairs = {pairs!r}: expected two different atom indices each, such as [(0, 5), (3, 9)]")

    def _pairs(self, topology: mdtraj.Topology) -> np.ndarray:
        if self.pairs is not None:
            outside = self.pairs[(self.pairs < 0) | (self.pairs >= topology.n_atoms)]
            if len(outside):
                wrong = outside[0]
                raise DataError(
                    f"{self.name!r}: pairs names the atom {wrong}; there are {topology.n_atoms} (0 to "
                    f"{topology.n_atoms - 1})"
                )
            return self.pairs.astype(int)
        chosen = topology.select(self.selection)
        near = within_bonds(topology, self.min_bonds - 1)
        pairs = [(i, j) for k, i in enumerate(chosen) for j in chosen[k + 1 :] if (int(i), int(j)) not in near]
        return np.array(pairs, int).reshape(-1, 2)

    def describe(self, topology: mdtraj.Topology, reference: np.ndarray) -> Sequence[Column]:
        """Return one column for each pair."""
        self._indices = self._pairs(topology)
        self._runs: tuple[np.ndarray, np.ndarray] | None = None
        if len(self._indices):
            from mdnb.features.distance_kernels import distance_runs

            self._runs = distance_runs(self._indices)
            self.looks_at = self._runs[0]
        return PairColumns(self.what, self.unit, self._indices, atom_labels(topology))

    def compute(self, chunk: Chunk) -> np.ndarray:
        """Return (n_frames, n_pairs) in nm."""
        values = np.empty((len(chunk.positions), len(self._indices)), np.float32)
        self._write(chunk, values, 0)
        return values

    def fill(self, chunk: Chunk, out: np.ndarray, column: int) -> None:
        """Write the distances into their columns of a table."""
        self._write(chunk, out, column)

    def _write(self, chunk: Chunk, out: np.ndarray, column: int) -> None:
        if self._runs is None:
            return
        from mdnb.features.distance_kernels import run_distances

        atoms, runs = self._runs
        run_distances(chunk.positions, chunk.places_of(atoms), runs, chunk.images, out, column)


class CADistances(Distances):
    """Distances in nm between the C-alpha atoms of residues at least `min_residues` apart.

    Parameters
    ----------
    min_residues : int
        Leave out pairs of one chain that are fewer residues apart.
    """

    name = "ca-distances"
    needed = "it needs at least two residues with a CA atom, two or more apart (for small molecules: 'distances')"

    def __init__(self, min_residues: int = 2) -> None:
        self.min_residues = min_residues

    def _pairs(self, topology: mdtraj.Topology) -> np.ndarray:
        atoms = [atom for atom in topology.atoms if atom.name == "CA"]
        indices, residues, chains = (
            np.array([(atom.index, atom.residue.index, atom.residue.chain.index) for atom in atoms], int)
            .reshape(-1, 3)
            .T
        )
        first, second = np.triu_indices(len(atoms), 1)
        apart = residues[second] - residues[first] >= self.min_residues
        kept = apart | (chains[first] != chains[second])
        return np.stack([indices[first[kept]], indices[second[kept]]], axis=1)


class CAContacts(CADistances):
    """Contacts between the C-alpha atoms of residues at least `min_residues` apart: 1 below the cutoff, else 0.

    Parameters
    ----------
    cutoff : float
        In nm.
    min_residues : int
        Smallest separation along the chain.
    """

    name = "ca-contacts"
    what, unit = "contact", ""
    binary = True

    def __init__(self, cutoff: float = 0.8, min_residues: int = 3) -> None:
        super().__init__(min_residues)
        check_switch(cutoff, 0)
        self.cutoff = cutoff

    def describe(self, topology: mdtraj.Topology, reference: np.ndarray) -> Sequence[Column]:
        """Return one column for each pair."""
        from mdnb.features.contact_kernels import smallest_square_beyond

        self._beyond = smallest_square_beyond(self.cutoff)
        return super().describe(topology, reference)

    def compute(self, chunk: Chunk) -> np.ndarray:
        """Return (n_frames, n_pairs) of 0 and 1."""
        return np.asarray(super().compute(chunk) < np.float32(self.cutoff), np.uint8)

    def fill(self, chunk: Chunk, out: np.ndarray, column: int) -> None:
        """Write the contacts into their columns of a table of uint8."""
        out[:, column : column + len(self.columns)] = self.compute(chunk)

    def fill_bits(self, chunk: Chunk, out: np.ndarray) -> None:
        """Write the contacts as bits."""
        from mdnb.features.contact_kernels import contact_bits
        from mdnb.features.distance_kernels import far_from_images

        if self._runs is None:
            return
        atoms = chunk.places_of(self._runs[0])
        if far_from_images(chunk.positions, atoms, chunk.images, self.cutoff):
            contact_bits(chunk.positions, atoms, self._runs[1], self._beyond, out)
        else:
            super().fill_bits(chunk, out)


class Contacts(Featurizer):
    """Smooth contacts between residues: a switching function of their closest heavy atoms' distance.

    The value is ``1 / (1 + exp((d - cutoff) / width))``: 1 in contact, 0.5 at the cutoff, 0 apart.

    Parameters
    ----------
    cutoff : float
        In nm.
    width : float
        In nm; 0 gives a hard contact of 0 or 1.
    min_residues : int
        Smallest separation along the chain.
    """

    name = "contacts"
    what: ClassVar[str] = "contact"
    unit: ClassVar[str] = ""
    needed = "it needs at least two residues, three or more apart (for small molecules: 'distances')"

    def __init__(self, cutoff: float = 0.45, width: float = 0.03, min_residues: int = 3) -> None:
        check_switch(cutoff, width)
        self.cutoff, self.width, self.min_residues = cutoff, width, min_residues
        self.binary = width == 0

    def describe(self, topology: mdtraj.Topology, reference: np.ndarray) -> tuple[Column, ...]:
        """Return one column for each pair of residues."""
        heavy = {residue.index: heavy_atoms(residue) for residue in topology.residues if not residue.is_water}
        columns, pairs = [], []
        label = residue_labels(topology)
        residues = [residue for residue in topology.residues if heavy.get(residue.index)]
        for k, a in enumerate(residues):
            for other, b in enumerate(residues[k + 1 :], k + 1):
                if a.chain == b.chain and b.index - a.index < self.min_residues:
                    continue
                pairs.append((k, other))
                atoms = (*heavy[a.index], *heavy[b.index])
                name = f"{label[a.index]} {label[b.index]}"
                columns.append(Column(f"{self.what} {name}", self.unit, atoms, name))
        groups = [heavy[residue.index] for residue in residues]
        self._groups = np.concatenate([*groups, []]).astype(int), np.cumsum([0, *map(len, groups)])
        self._pairs = np.array(pairs, int).reshape(-1, 2)
        self.looks_at = np.unique(self._groups[0])
        return tuple(columns)

    def compute(self, chunk: Chunk) -> np.ndarray:
        """Return (n_frames, n_residue_pairs) between 0 and 1."""
        return switched(self._closest(chunk), self.cutoff, self.width)

    def _closest(self, chunk: Chunk) -> np.ndarray:
        """Return the closest distances, (n_frames, n_residue_pairs) in nm."""
        from mdnb.features.distance_kernels import closest_distances

        closest = np.empty((len(chunk.positions), len(self.columns)), np.float32)
        atoms, starts = self._groups
        closest_distances(chunk.positions, chunk.places_of(atoms), starts, self._pairs, chunk.images, closest)
        return closest


def check_switch(cutoff: float, width: float) -> None:
    """Refuse a switching function that has no meaning."""
    if cutoff <= 0 or width < 0:
        raise DataError(f"cutoff = {cutoff} nm, width = {width} nm: expected a cutoff above 0, a width of at least 0")


def switched(closest: np.ndarray, cutoff: float, width: float) -> np.ndarray:
    """Return ``1 / (1 + exp((d - cutoff) / width))`` of distances; 0 or 1 where the width is 0."""
    if width == 0:
        return (closest < cutoff).astype(np.float32)
    return 1 / (1 + np.exp(np.clip((closest - cutoff) / width, -50, 50)))


def within_bonds(topology: mdtraj.Topology, n_bonds: int) -> set[tuple[int, int]]:
    """Return the ordered pairs of atoms that are at most `n_bonds` bonds apart."""
    neighbours: dict[int, set[int]] = {index: set() for index in range(topology.n_atoms)}
    for a, b in topology.bonds:
        neighbours[a.index].add(b.index)
        neighbours[b.index].add(a.index)
    pairs: set[tuple[int, int]] = set()
    for start in neighbours:
        reached = shell = {start}
        for _ in range(n_bonds):
            shell = set().union(*(neighbours[index] for index in shell)) - reached
            reached = reached | shell
        pairs.update((start, other) for other in reached)
    return pairs

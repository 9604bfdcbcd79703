"""Backbone torsions and C-alpha distances, from which the backbone of a large protein is rebuilt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mdnb.chunk import Chunk
from mdnb.errors import DataError
from mdnb.features.base import Column, atom_labels, residue_labels
from mdnb.features.chains import chain_torsions, placed_rows, read_chains, spans, starts
from mdnb.features.distances import within_bonds
from mdnb.features.invertible import Invertible, compare_columns

if TYPE_CHECKING:
    import mdtraj

__all__ = ["Backbone"]

_BATCH = 256  # frames that are rebuilt at once
_PASSES = 60
_FAR, _NEAR = 0.05, 1.0  # how much of a wrong distance between C-alpha atoms, and within three bonds, is mended at once


class Backbone(Invertible):
    """Sine and cosine of phi, psi and omega, and distances in nm between C-alpha atoms, of one or more chains.

    The distances are those to some of the C-alpha atoms, the landmarks, evenly spaced among all: their number
    grows with that of the residues, not with its square. Up to `landmarks` residues all pairs are taken.
    N, CA, C, O and CB are rebuilt: the torsions give the chain by mean bonds and angles of the reference, the
    distances give the place of its parts.

    Parameters
    ----------
    landmarks : int
        At least 4.

    References
    ----------
    Parsons et al., J. Comput. Chem. 26, 1063 (2005), https://doi.org/10.1002/jcc.20237 (the chain);
    de Silva and Tenenbaum, Sparse multidimensional scaling using landmark points, Stanford University (2004) (the
    C-alpha trace from the distances).
    """

    name = "backbone"
    needed = "it needs chains of at least three residues with N, CA and C"

    def __init__(self, landmarks: int = 16) -> None:
        if isinstance(landmarks, bool) or not isinstance(landmarks, int | np.integer) or landmarks < 4:
            raise DataError(f"landmarks = {landmarks!r}: expected a whole number of at least 4")
        self.landmarks = int(landmarks)

    @property
    def atoms(self) -> np.ndarray:
        """N, CA, C, O and CB of each residue, (n_rebuilt,)."""
        return self._atoms

    @classmethod
    def of_columns(cls, columns: Sequence[Column], topology: mdtraj.Topology, reference: np.ndarray) -> Backbone:
        """Return the prepared featurizer that made the columns; the number of landmarks is told from theirs."""
        n_distances = sum(column.unit == "nm" for column in columns)
        found = spans(read_chains(topology))
        known = (cls().landmarks, *range(4, found[-1][1] + 1))
        maker = cls(next((one for one in known if len(_far(found, one)[1]) == n_distances), known[0]))
        maker.prepare(topology, reference)
        compare_columns(cls.name, columns, maker.columns)
        return maker

    def describe(self, topology: mdtraj.Topology, reference: np.ndarray) -> tuple[Column, ...]:
        """Return sine and cosine of each torsion, residue by residue, then the distances."""
        self._chains = read_chains(topology)
        residues = [row for chain in self._chains for row in chain]
        self._atoms = np.array(sorted(index for row in residues for index in row.values()), int)
        place = {int(index): number for number, index in enumerate(self._atoms)}
        self._ca = np.array([place[row["CA"]] for row in residues], int)
        self._spans = spans(self._chains)
        label, of_residue = atom_labels(topology), residue_labels(topology)
        columns: list[Column] = []
        which: dict[tuple[int, ...], int] = {}
        for kind, atoms in chain_torsions(self._chains):
            owner = topology.atom(atoms[2 if kind == "phi" else 1]).residue.index
            group = f"{kind} {of_residue[owner]}"
            which[atoms] = len(which)
            columns += [Column(f"{part} {group}", "", atoms, group) for part in ("sin", "cos")]
        self._quads = np.array(list(which), int).reshape(-1, 4)
        self._rows = placed_rows(self._chains, which, place, np.asarray(reference, np.float64))
        self._starts = starts(self._chains, place, np.asarray(reference, np.float64))
        self._marks, self._far = _far(self._spans, self.landmarks)
        self._far_atoms = np.array([(residues[i]["CA"], residues[j]["CA"]) for i, j in self._far], int).reshape(-1, 2)
        for i, j in self._far_atoms.tolist():
            name = f"{label[i]} {label[j]}"
            columns.append(Column(f"distance {name}", "nm", (i, j), name))
        part = topology.subset(self._atoms)
        near = {tuple(sorted(pair)) for pair in within_bonds(part, 3) if pair[0] != pair[1]}
        close = {tuple(sorted(pair)) for pair in within_bonds(part, 2)}
        self._near = np.array(sorted(near, key=lambda pair: (pair in close, pair)), int).reshape(-1, 2)
        self._stiff = np.repeat([_FAR, _NEAR], [len(self._far), len(self._near)])
        return tuple(columns)

    def compute(self, chunk: Chunk) -> np.ndarray:
        """Return (n_frames, n_columns); the molecules are whole, so that no box matters."""
        from mdnb.features.distance_kernels import pair_distances
        from mdnb.features.torsion_kernels import torsion_path, torsions_sincos
        from mdnb.periodic import NO_BOXES

        values = np.empty((len(chunk.positions), len(self.columns)), np.float32)
        torsions_sincos(chunk.positions, *torsion_path(self._quads), NO_BOXES, values, 0)
        pair_distances(chunk.positions, self._far_atoms, values[:, 2 * len(self._quads) :])
        return values

    def place(self, values: np.ndarray) -> np.ndarray:
        """Return the positions of N, CA, C, O and CB in nm; distances need not agree with each other."""
        parts = [self._placed(values[k : k + _BATCH]) for k in range(0, len(values), _BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, len(self._atoms), 3))

    def _placed(self, values: np.ndarray) -> np.ndarray:
        from mdnb.features.chain_kernels import place_atoms, settle

        n_torsions = 2 * len(self._quads)
        torsions = np.arctan2(values[:, :n_torsions:2], values[:, 1:n_torsions:2])
        far = np.maximum(values[:, n_torsions:], 0.0)
        rows, which, offsets, bonds, angles = self._rows
        turns = np.where(which >= 0, torsions[:, which], 0.0) + offsets
        chain = np.zeros((len(values), len(self._atoms), 3))
        for atoms, places in self._starts:
            chain[:, atoms] = places
        place_atoms(rows, bonds, angles, turns, chain)
        trace = self._trace(far, chain)
        positions = self._laid(chain, trace)
        near = np.linalg.norm(chain[:, self._near[:, 0]] - chain[:, self._near[:, 1]], axis=-1)
        pairs = np.concatenate([self._ca[self._far], self._near])
        settle(positions, pairs, np.concatenate([far, near], axis=1), self._stiff, _PASSES)
        beta = which < 0  # distances know no hand
        place_atoms(rows[beta], bonds[beta], angles[beta], turns[:, beta], positions)
        return positions

    def _trace(self, far: np.ndarray, chain: np.ndarray) -> np.ndarray:
        """Return the C-alpha atoms from their distances to the landmarks, of the hand that the torsions have."""
        n, marks, ca = len(self._ca), self._marks, chain[:, self._ca]
        mark_of = np.full(n, -1)
        mark_of[marks] = np.arange(len(marks))
        steps = [np.arange(start, stop - 1) for start, stop in self._spans]
        first = np.concatenate([self._far[:, 0], *steps])
        second = np.concatenate([self._far[:, 1], *(step + 1 for step in steps)])
        apart = [np.linalg.norm(ca[:, step + 1] - ca[:, step], axis=-1) for step in steps]
        lengths = np.concatenate([far, *apart], axis=1)
        squares = np.zeros((len(far), len(marks), n))
        for one, other in ((first, second), (second, first)):
            known = mark_of[one] >= 0
            squares[:, mark_of[one[known]], other[known]] = lengths[:, known] ** 2
        among = squares[:, :, marks]
        centre = np.eye(len(marks)) - 1 / len(marks)
        sizes, axes = np.linalg.eigh(-0.5 * centre @ among @ centre)
        sizes, axes = sizes[:, :-4:-1], axes[:, :, :-4:-1]
        floor = 1e-6 * np.maximum(sizes[:, :1], 1e-6)
        scale = np.where(sizes > floor, 1 / np.sqrt(np.maximum(sizes, floor)), 0.0)
        trace = -0.5 * np.einsum("fk,flk,fln->fnk", scale, axes, squares - among.mean(2, keepdims=True))
        same = np.zeros(len(far))
        for start, stop in self._spans:
            same += (_volumes(ca[:, start:stop]) * _volumes(trace[:, start:stop])).sum(1)
        trace[same < 0, :, 2] *= -1
        return trace

    def _laid(self, chain: np.ndarray, trace: np.ndarray) -> np.ndarray:
        """Return the atoms of each residue, laid on the trace by the nine C-alpha atoms around it."""
        windows = np.concatenate([_windows(start, stop) for start, stop in self._spans])
        owner = np.searchsorted(self._residue_starts(), np.arange(len(self._atoms)), side="right") - 1
        own, target = chain[:, self._ca][:, windows], trace[:, windows]
        middle, goal = own.mean(2, keepdims=True), target.mean(2, keepdims=True)
        left, _, right = np.linalg.svd(np.einsum("fnwi,fnwj->fnij", own - middle, target - goal))
        left[..., -1] *= np.sign(np.linalg.det(left @ right))[..., None]
        rotation = left @ right
        arms = chain - middle[:, owner, 0]
        return np.einsum("fai,faij->faj", arms, rotation[:, owner]) + goal[:, owner, 0]

    def _residue_starts(self) -> np.ndarray:
        """Return the first rebuilt atom of each residue."""
        lowest = [min(row.values()) for chain in self._chains for row in chain]
        return np.searchsorted(self._atoms, lowest)


def _far(spans: list[tuple[int, int]], landmarks: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the residues that are landmarks, and the pairs of residues, not bonded, of which one is, (n_pairs, 2)."""
    n = spans[-1][1]
    marks = np.unique(np.linspace(0, n - 1, min(n, landmarks)).round().astype(int))
    bonded = {(k, k + 1) for start, stop in spans for k in range(start, stop - 1)}
    pairs = {(min(i, j), max(i, j)) for i in marks.tolist() for j in range(n) if i != j}
    return marks, np.array(sorted(pairs - bonded), int).reshape(-1, 2)


def _windows(start: int, stop: int, size: int = 9) -> np.ndarray:
    """Return the residues around each of a chain, (n, size); at its ends and of short chains the nearest."""
    n = stop - start
    first = np.clip(np.arange(n) - size // 2, 0, max(0, n - size))
    return start + np.minimum(first[:, None] + np.arange(size), n - 1)


def _volumes(points: np.ndarray) -> np.ndarray:
    """Return the signed volume of each four successive points, (n_frames, n - 3)."""
    a, b, c = (points[:, k : points.shape[1] - 3 + k] - points[:, k + 1 : points.shape[1] - 2 + k] for k in range(3))
    return np.asarray(np.einsum("fni,fni->fn", np.cross(a, b), c))

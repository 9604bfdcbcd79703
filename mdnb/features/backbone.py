"""Backbone torsions and C-alpha distances, from which the backbone of a large protein is rebuilt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mdnb.errors import DataError
from mdnb.features.atoms import backbone_atoms
from mdnb.features.base import Column, atom_labels, residue_labels
from mdnb.features.distances import within_bonds
from mdnb.features.invertible import Invertible, compare_columns
from mdnb.trajectories import Chunk

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
        spans = _spans(_chains(topology))
        known = (cls().landmarks, *range(4, spans[-1][1] + 1))
        maker = cls(next((one for one in known if len(_far(spans, one)[1]) == n_distances), known[0]))
        maker.prepare(topology, reference)
        compare_columns(cls.name, columns, maker.columns)
        return maker

    def describe(self, topology: mdtraj.Topology, reference: np.ndarray) -> tuple[Column, ...]:
        """Return sine and cosine of each torsion, residue by residue, then the distances."""
        self._chains = _chains(topology)
        residues = [row for chain in self._chains for row in chain]
        self._atoms = np.array(sorted(index for row in residues for index in row.values()), int)
        place = {int(index): number for number, index in enumerate(self._atoms)}
        self._ca = np.array([place[row["CA"]] for row in residues], int)
        self._spans = _spans(self._chains)
        label, of_residue = atom_labels(topology), residue_labels(topology)
        columns: list[Column] = []
        which: dict[tuple[int, ...], int] = {}
        for kind, atoms in _torsions(self._chains):
            owner = topology.atom(atoms[2 if kind == "phi" else 1]).residue.index
            group = f"{kind} {of_residue[owner]}"
            which[atoms] = len(which)
            columns += [Column(f"{part} {group}", "", atoms, group) for part in ("sin", "cos")]
        self._quads = np.array(list(which), int).reshape(-1, 4)
        self._rows = _rows(self._chains, which, place, np.asarray(reference, np.float64))
        self._starts = _starts(self._chains, place, np.asarray(reference, np.float64))
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
        from mdnb.features.kernels import pair_distances
        from mdnb.features.torsion_kernels import NO_BOXES, torsion_path, torsions_sincos

        values = np.empty((len(chunk.positions), len(self.columns)), np.float32)
        torsions_sincos(chunk.positions, *torsion_path(self._quads), NO_BOXES, values, 0)
        pair_distances(chunk.positions, self._far_atoms, values[:, 2 * len(self._quads) :])
        return values

    def rebuild(self, values: np.ndarray) -> np.ndarray:
        """Return the positions of N, CA, C, O and CB in nm, (n_frames, n_rebuilt, 3).

        Parameters
        ----------
        values : (n_frames, n_columns) array
            As `compute` returns them; a sine and cosine need not lie on the unit circle, distances need not agree
            with each other.

        Raises
        ------
        DataError
            When the number of columns differs.
        """
        if values.ndim != 2 or values.shape[1] != len(self.columns):
            raise DataError(f"got values of shape {values.shape}, expected (n_frames, {len(self.columns)})")
        parts = [self._rebuilt(values[k : k + _BATCH].astype(np.float64)) for k in range(0, len(values), _BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, len(self._atoms), 3))

    def _rebuilt(self, values: np.ndarray) -> np.ndarray:
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


def _spans(chains: list[list[dict[str, int]]]) -> list[tuple[int, int]]:
    """Return the first residue of each chain and the one behind its last, counted over all."""
    ends = np.cumsum([len(chain) for chain in chains]).tolist()
    return [(stop - len(chain), stop) for stop, chain in zip(ends, chains, strict=True)]


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


def _chains(topology: mdtraj.Topology) -> list[list[dict[str, int]]]:
    """Return the atoms by name of each residue of each chain of bonded residues."""
    bonds = {frozenset((a.index, b.index)) for a, b in topology.bonds}
    chains: list[list[dict[str, int]]] = []
    for residue in topology.residues:
        row = backbone_atoms(residue)
        if not {"N", "CA", "C"} <= set(row):
            continue
        row |= {atom.name: atom.index for atom in residue.atoms if atom.name == "CB"}
        if chains and frozenset((chains[-1][-1]["C"], row["N"])) in bonds:
            chains[-1].append(row)
        else:
            chains.append([row])
    short = [chain for chain in chains if len(chain) < 3]
    if short or not chains:
        found = f"a chain of {len(short[0])}" if short else "none"
        raise DataError(
            f"'backbone' needs chains of at least three bonded residues with N, CA and C; {topology} has {found}: "
            "choose chains with selection=, or use 'internal-coordinates' for small molecules"
        )
    return chains


def _torsions(chains: list[list[dict[str, int]]]) -> list[tuple[str, tuple[int, int, int, int]]]:
    """Return phi, psi and omega of each residue; at the end of a chain, the torsion of its oxygen."""
    found = []
    for chain in chains:
        for number, row in enumerate(chain):
            n, ca, c = row["N"], row["CA"], row["C"]
            if number:
                found.append(("phi", (chain[number - 1]["C"], n, ca, c)))
            if number + 1 < len(chain):
                after = chain[number + 1]
                found += [("psi", (n, ca, c, after["N"])), ("omega", (ca, c, after["N"], after["CA"]))]
            elif "O" in row:
                found.append(("oxygen", (n, ca, c, row["O"])))
    return found


def _rows(
    chains: list[list[dict[str, int]]], which: dict[tuple[int, ...], int], place: dict[int, int], frame: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return how each atom is placed: its references, its torsion and what is added to it, its bond and angle.

    Bonds and angles are the means over residues in one frame.
    """
    rows, kinds, turns, offsets = [], [], [], []

    def add(kind: str, atoms: tuple[int, int, int, int], turn: int, offset: float = 0.0) -> None:
        rows.append(atoms)
        kinds.append(kind)
        turns.append(turn)
        offsets.append(offset)

    for chain in chains:
        for number, row in enumerate(chain):
            n, ca, c = row["N"], row["CA"], row["C"]
            if number:
                before = chain[number - 1]["C"]
                add("C", (before, n, ca, c), which[before, n, ca, c])
            if number + 1 < len(chain):
                after = chain[number + 1]
                add("N", (n, ca, c, after["N"]), which[n, ca, c, after["N"]])
                add("CA", (ca, c, after["N"], after["CA"]), which[ca, c, after["N"], after["CA"]])
                if "O" in row:
                    add("O", (n, ca, c, row["O"]), which[n, ca, c, after["N"]], np.pi)
            elif "O" in row:
                add("O", (n, ca, c, row["O"]), which[n, ca, c, row["O"]])
            if "CB" in row:
                add("CB", (c, n, ca, row["CB"]), -1)
    atoms, names = np.array(rows, int), np.array(kinds)
    a, b, c, d = (frame[atoms[:, k]] for k in range(4))
    bonds, angles = np.linalg.norm(d - c, axis=1), _angles(b, c, d)
    shift = np.array(offsets)
    beta = names == "CB"
    hand = np.sign(np.einsum("ni,ni->n", np.cross(b - a, c - b), d - c))
    shift[beta] = hand[beta] * np.mean(np.abs(_turns(a, b, c, d)[beta])) if beta.any() else 0.0
    for name in set(kinds):
        bonds[names == name] = bonds[names == name].mean()
        angles[names == name] = angles[names == name].mean()
    return np.vectorize(place.get)(atoms), np.array(turns, int), shift, bonds, angles


def _starts(
    chains: list[list[dict[str, int]]], place: dict[int, int], frame: np.ndarray
) -> list[tuple[list[int], np.ndarray]]:
    """Return the first three atoms of each chain, and where they are put."""
    n, ca, c = (frame[[row[name] for chain in chains for row in chain]] for name in ("N", "CA", "C"))
    first, second = np.linalg.norm(ca - n, axis=1).mean(), np.linalg.norm(c - ca, axis=1).mean()
    angle = _angles(n, ca, c).mean()
    places = np.array(
        [[0, 0, 0], [first, 0, 0], [first - second * np.cos(angle), second * np.sin(angle), 0]], np.float64
    )
    return [([place[chain[0][name]] for name in ("N", "CA", "C")], places) for chain in chains]


def _angles(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Return the angle at each b, (n,)."""
    u, v = a - b, c - b
    cosine = np.einsum("ni,ni->n", u, v) / np.linalg.norm(u, axis=1) / np.linalg.norm(v, axis=1)
    return np.asarray(np.arccos(np.clip(cosine, -1, 1)))


def _turns(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Return the torsion of each four points, (n,)."""
    along = c - b
    first, second = np.cross(b - a, along), np.cross(along, d - c)
    sine = np.linalg.norm(along, axis=1) * np.einsum("ni,ni->n", b - a, second)
    return np.asarray(np.arctan2(sine, np.einsum("ni,ni->n", first, second)))

"""Coordinates: the torsions, distances and contacts in which ensembles of one molecule are compared."""

from __future__ import annotations

from dataclasses import dataclass

import mdtraj
import numpy as np

from mdnb.features.atoms import is_heavy
from mdnb.features.base import atom_labels, residue_labels
from mdnb.features.distances import within_bonds
from mdnb.features.torsions import torsion_indices

__all__ = ["Coordinates", "radii_of_gyration"]

#: As the field's generators take them: the backbone, and all of the side chains; omega is for the geometry checks.
_KINDS = ("phi", "psi", "chi1", "chi2", "chi3", "chi4", "chi5")
#: More pairs than this are thinned evenly.
_MOST_PAIRS = 500
_MOST_COMPARED = 150


@dataclass(frozen=True)
class Coordinates:
    """What is measured on each structure of a molecule.

    Attributes
    ----------
    names : tuple of str
        Of the torsions.
    torsions : (n_torsions, 4) int array
        phi, psi and chi; where there is none of them, those about each bond between heavy atoms that can turn.
    residues : tuple of str
        Those with both phi and psi.
    ramachandran : (n_residues, 2) int array
        The columns of their phi and psi among the torsions.
    pairs : (n_pairs, 2) int array
        C-alpha atoms of residues three or more apart; heavy atoms three or more bonds apart where there are fewer
        than three such atoms; all pairs of a molecule without any.
    pair_names : tuple of str
    cutoff : float
        A pair nearer than this, in nm, is in contact.
    heavy : (n_heavy,) int array
    compared : (n_compared,) int array
        Those of them whose RMSD tells structures apart: all, or the C-alpha atoms of more than 150.
    """

    names: tuple[str, ...]
    torsions: np.ndarray
    residues: tuple[str, ...]
    ramachandran: np.ndarray
    pairs: np.ndarray
    pair_names: tuple[str, ...]
    cutoff: float
    heavy: np.ndarray
    compared: np.ndarray

    @classmethod
    def of(cls, topology: mdtraj.Topology) -> Coordinates:
        """Choose the coordinates of a molecule."""
        heavy = [atom.index for atom in topology.atoms if is_heavy(atom)] or list(range(topology.n_atoms))
        names: list[str] = []
        torsions: list[np.ndarray] = []
        column: dict[tuple[str, int], int] = {}
        label, atom_label = residue_labels(topology), atom_labels(topology)
        found = []
        for order, kind in enumerate(_KINDS):
            for row in torsion_indices(topology, kind):
                residue = topology.atom(int(row[2 if kind == "phi" else 1])).residue.index
                found.append((residue, order, kind, row))
        for residue, _, kind, row in sorted(found, key=lambda one: one[:2]):
            column[kind, residue] = len(names)
            names.append(f"{kind} {label[residue]}")
            torsions.append(row)
        if not torsions:
            for row in _turning(topology, set(heavy)):
                names.append(" ".join(atom_label[i] for i in row))
                torsions.append(np.array(row))
        both = [number for kind, number in column if kind == "phi" and ("psi", number) in column]
        pairs, cutoff = _pairs(topology, heavy)
        alphas = [atom.index for atom in topology.atoms if atom.name == "CA" and is_heavy(atom)]
        return cls(
            names=tuple(names),
            torsions=np.array(torsions, int).reshape(-1, 4),
            residues=tuple(label[number] for number in both),
            ramachandran=np.array([(column["phi", i], column["psi", i]) for i in both], int).reshape(-1, 2),
            pairs=pairs,
            pair_names=tuple(f"{atom_label[i]} {atom_label[j]}" for i, j in pairs.tolist()),
            cutoff=cutoff,
            heavy=np.array(heavy),
            compared=np.array(alphas if len(heavy) > _MOST_COMPARED and len(alphas) >= 3 else heavy),
        )

    def angles(self, structures: mdtraj.Trajectory) -> np.ndarray:
        """Return the torsions in radian, (n, n_torsions)."""
        if not len(self.torsions):
            return np.zeros((structures.n_frames, 0), np.float32)
        return np.asarray(mdtraj.compute_dihedrals(structures, self.torsions, periodic=False))

    def distances(self, structures: mdtraj.Trajectory) -> np.ndarray:
        """Return the distances of the pairs in nm, (n, n_pairs)."""
        if not len(self.pairs):
            return np.zeros((structures.n_frames, 0), np.float32)
        return np.asarray(mdtraj.compute_distances(structures, self.pairs, periodic=False))

    def radius_of_gyration(self, structures: mdtraj.Trajectory) -> np.ndarray:
        """Return the radius of gyration of the heavy atoms, all of one mass, in nm, (n,)."""
        return radii_of_gyration(structures.xyz[:, self.heavy].astype(float), np.ones(len(self.heavy)))


def radii_of_gyration(positions: np.ndarray, masses: np.ndarray) -> np.ndarray:
    """Return the radius of gyration of each structure about its centre of mass, (n,), in the unit of the positions.

    The same as the featurizer ``radius-of-gyration``, whose compiled loop a few structures in a view do not wait for;
    mdtraj's is about the middle of the positions.

    Parameters
    ----------
    positions : (n, n_atoms, 3) array
    masses : (n_atoms,) array
    """
    shares = (masses / masses.sum())[:, None]
    centred = positions - (shares * positions).sum(1, keepdims=True)
    return np.asarray(np.sqrt((shares * np.square(centred)).sum((1, 2))))


def _pairs(topology: mdtraj.Topology, heavy: list[int]) -> tuple[np.ndarray, float]:
    alphas = [(atom.index, atom.residue.index) for atom in topology.atoms if atom.name == "CA" and is_heavy(atom)]
    if len(alphas) >= 3:
        near = 3 if len(alphas) > 3 else 1
        pairs = [(i, j) for k, (i, a) in enumerate(alphas) for j, b in alphas[k + 1 :] if b - a >= near]
        cutoff = 0.8
    else:
        bonded = within_bonds(topology, 2)
        pairs = [(i, j) for k, i in enumerate(heavy) for j in heavy[k + 1 :] if (i, j) not in bonded]
        cutoff = 0.45
        if not pairs:
            few = heavy if len(heavy) > 1 else list(range(topology.n_atoms))
            pairs = [(i, j) for k, i in enumerate(few) for j in few[k + 1 :]]
    if len(pairs) > _MOST_PAIRS:
        pairs = [pairs[i] for i in np.linspace(0, len(pairs) - 1, _MOST_PAIRS).astype(int)]
    return np.array(pairs, int).reshape(-1, 2), cutoff


def _turning(topology: mdtraj.Topology, heavy: set[int]) -> list[tuple[int, int, int, int]]:
    """Return one torsion about each bond between heavy atoms that is in no ring."""
    neighbours: dict[int, set[int]] = {atom.index: set() for atom in topology.atoms}
    for a, b in topology.bonds:
        neighbours[a.index].add(b.index)
        neighbours[b.index].add(a.index)
    rows = []
    for first, second in topology.bonds:
        b, c = sorted((first.index, second.index))
        before, after = ((neighbours[i] & heavy) - {j} for i, j in ((b, c), (c, b)))
        if {b, c} <= heavy and before and after and not _in_ring(neighbours, b, c):
            rows.append((min(before), b, c, min(after)))
    return sorted(rows, key=lambda row: row[1:3])


def _in_ring(neighbours: dict[int, set[int]], b: int, c: int) -> bool:
    """Return whether c is reached from b without their bond."""
    seen, waiting = {b}, list(neighbours[b] - {c})
    while waiting:
        atom = waiting.pop()
        if atom == c:
            return True
        if atom not in seen:
            seen.add(atom)
            waiting += neighbours[atom] - seen
    return False

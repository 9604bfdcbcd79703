"""Checks that say of each generated structure whether it is chemically possible."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import mdtraj
import numpy as np

from mdnb.features.atoms import is_heavy
from mdnb.features.distances import within_bonds

__all__ = ["CHECKS", "Limits", "check_structures"]

#: What is checked, in the order of the columns.
CHECKS = ("bonds", "angles", "peptide bonds", "clashes", "chirality")


@dataclass(frozen=True)
class Limits:
    """What real structures of a molecule look like; measured on training frames by `measure`.

    Attributes
    ----------
    bonds : (n_bonds, 2) int array
    bond_range : (n_bonds, 2) array
        Smallest and largest length in nm, widened by 10%.
    angles : (n_angles, 3) int array
    angle_range : (n_angles, 2) array
        Smallest and largest angle in radian, widened by 10 degrees.
    amides : (n_amides, 4) int array
        The torsion omega of each peptide bond, by its heavy atoms.
    twist : (n_amides,) array
        Largest deviation of omega from the plane, in radian, widened by 10 degrees; at most 60.
    cis : (n_amides,) bool array
        Whether it was ever cis.
    pairs : (n_pairs, 2) int array
        Atoms more than three bonds apart.
    nearest : (n_pairs,) array
        A pair nearer than this, in nm, clashes: 90% of the nearest seen, at most 75% of the sum of the van der
        Waals radii (0.06 nm for a hydrogen on N, O or S).
    centres : (n_centres, 4) int array
        A centre with three or four neighbours, and three of them, heavy ones.
    hands : (n_centres,) array
        Sign of their volume; 0 where training frames have both, or the centre is flat.
    """

    bonds: np.ndarray
    bond_range: np.ndarray
    angles: np.ndarray
    angle_range: np.ndarray
    amides: np.ndarray
    twist: np.ndarray
    cis: np.ndarray
    pairs: np.ndarray
    nearest: np.ndarray
    centres: np.ndarray
    hands: np.ndarray

    @classmethod
    def measure(cls, structures: mdtraj.Trajectory) -> Limits:
        """Measure the limits on real structures."""
        topology = structures.topology
        neighbours: dict[int, list[int]] = {index: [] for index in range(topology.n_atoms)}
        for a, b in topology.bonds:
            neighbours[a.index].append(b.index)
            neighbours[b.index].append(a.index)
        bonds = np.array([(a.index, b.index) for a, b in topology.bonds], int).reshape(-1, 2)
        angles = np.array(
            [(i, centre, j) for centre, row in neighbours.items() for k, i in enumerate(row) for j in row[k + 1 :]], int
        ).reshape(-1, 3)
        near = within_bonds(topology, 3)
        apart = ((i, j) for i in range(topology.n_atoms) for j in range(i + 1, topology.n_atoms) if (i, j) not in near)
        pairs = np.array(list(apart), int).reshape(-1, 2)
        heavy = {atom.index for atom in topology.atoms if is_heavy(atom)}
        # Equal hydrogens may be exchanged, so a centre needs three heavy neighbours.
        centres = np.array(
            [
                (centre, *sorted(row, key=lambda index: index not in heavy)[:3])
                for centre, row in neighbours.items()
                if len(row) in (3, 4) and sum(index in heavy for index in row) >= 3
            ],
            int,
        ).reshape(-1, 4)
        lengths = mdtraj.compute_distances(structures, bonds, periodic=False)
        bends = mdtraj.compute_angles(structures, angles, periodic=False) if len(angles) else np.zeros((1, 0))
        amides = _amides(topology, neighbours, heavy)
        twist, cis = _twist(structures, amides)
        radii = np.array([atom.element.radius if atom.element else 0.15 for atom in topology.atoms])
        for a, b in topology.bonds:  # a hydrogen that can make a hydrogen bond comes far nearer than others
            for hydrogen, other in ((a, b), (b, a)):
                if hydrogen.index not in heavy and other.element is not None and other.element.symbol in "NOS":
                    radii[hydrogen.index] = 0.06
        nearest = np.full(len(pairs), np.inf)
        for part in _parts(structures):
            nearest = np.minimum(nearest, mdtraj.compute_distances(part, pairs, periodic=False).min(0))
        volumes = _volumes(structures.xyz, centres)
        handed = (np.abs(np.sign(volumes).mean(0)) == 1) & (np.abs(volumes).mean(0) > 0.4)
        return cls(
            bonds=bonds,
            bond_range=np.stack([0.9 * lengths.min(0), 1.1 * lengths.max(0)], axis=1),
            angles=angles,
            angle_range=np.stack([bends.min(0) - np.radians(10), bends.max(0) + np.radians(10)], axis=1),
            amides=amides,
            twist=np.minimum(twist.max(0) + np.radians(10), np.radians(60)),
            cis=np.asarray(cis.any(0)),
            pairs=pairs,
            nearest=np.minimum(0.9 * nearest, 0.75 * (radii[pairs[:, 0]] + radii[pairs[:, 1]])),
            centres=centres,
            hands=np.where(handed, np.sign(volumes[0]), 0),
        )


def check_structures(structures: mdtraj.Trajectory, limits: Limits) -> dict[str, np.ndarray]:
    """Return for each check whether each structure passes, (n_structures,) booleans."""
    passed: dict[str, list[np.ndarray]] = {name: [] for name in CHECKS}
    for part in _parts(structures):
        lengths = mdtraj.compute_distances(part, limits.bonds, periodic=False)
        passed["bonds"].append(_inside(lengths, limits.bond_range))
        angles = mdtraj.compute_angles(part, limits.angles, periodic=False) if len(limits.angles) else None
        inside = np.ones(part.n_frames, bool) if angles is None else _inside(angles, limits.angle_range)
        passed["angles"].append(inside)
        twist, cis = _twist(part, limits.amides)
        passed["peptide bonds"].append(((twist <= limits.twist) & (limits.cis | ~cis)).all(1))
        distances = mdtraj.compute_distances(part, limits.pairs, periodic=False)
        passed["clashes"].append((distances >= limits.nearest).all(1))
        hands = np.sign(_volumes(part.xyz, limits.centres))
        passed["chirality"].append(((limits.hands == 0) | (hands == limits.hands)).all(1))
    return {name: np.concatenate(values) for name, values in passed.items()}


def _inside(values: np.ndarray, limits: np.ndarray) -> np.ndarray:
    return np.asarray(((values >= limits[:, 0]) & (values <= limits[:, 1])).all(1))


def _amides(topology: mdtraj.Topology, neighbours: dict[int, list[int]], heavy: set[int]) -> np.ndarray:
    """Return the atoms of each torsion about a bond between N and a C with a terminal O, (n_amides, 4)."""
    element = {atom.index: atom.element.symbol if atom.element else "" for atom in topology.atoms}
    rows = []
    for pair in topology.bonds:
        for c, n in (pair, pair[::-1]):
            if (element[c.index], element[n.index]) != ("C", "N"):
                continue
            others = [i for i in neighbours[c.index] if i in heavy and i != n.index]
            oxygens = [i for i in others if element[i] == "O" and len(neighbours[i]) == 1]
            before = [i for i in others if i not in oxygens]
            after = sorted(i for i in neighbours[n.index] if i in heavy and i != c.index)
            if oxygens and before and after:
                rows.append((before[0], c.index, n.index, after[0]))
    return np.array(rows, int).reshape(-1, 4)


def _twist(structures: mdtraj.Trajectory, amides: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how far each peptide bond is from flat, in radian, and whether it is cis, (n_frames, n_amides) each."""
    if not len(amides):
        return np.zeros((structures.n_frames, 0)), np.zeros((structures.n_frames, 0), bool)
    omega = np.abs(mdtraj.compute_dihedrals(structures, amides, periodic=False))
    return np.minimum(omega, np.pi - omega), omega < np.pi / 2


def _volumes(positions: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return the signed volume that the directions to the three neighbours span, (n_frames, n_centres).

    It is 0 for a flat centre and 0.77 for a tetrahedral one.
    """
    arms = positions[:, centres[:, 1:]] - positions[:, centres[:, :1]]
    arms = arms / np.linalg.norm(arms, axis=-1, keepdims=True)
    return np.asarray(np.einsum("fci,fci->fc", arms[:, :, 0], np.cross(arms[:, :, 1], arms[:, :, 2])))


def _parts(structures: mdtraj.Trajectory, size: int = 2000) -> Iterator[mdtraj.Trajectory]:
    for start in range(0, structures.n_frames, size):
        yield structures[start : start + size]

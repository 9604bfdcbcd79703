"""clean_up: the nearest structures that the checks allow, without a force field."""

from __future__ import annotations

import mdtraj
import numpy as np

from mdnb.errors import DataError
from mdnb.features.atoms import is_heavy
from mdnb.generation.checks import Limits, check_structures

__all__ = ["clean_up", "displacement"]

_INSET = 0.1  # of a range's width that is kept from either end
_HAND = 0.3  # smallest volume of a chiral centre; 0.77 is a tetrahedral one
_LIGHT = 3.0  # a hydrogen moves so much more easily than a heavy atom


def clean_up(structures: mdtraj.Trajectory, limits: Limits, n_steps: int = 500) -> mdtraj.Trajectory:
    """Return the structures moved, by small steps, into the geometry that the limits allow.

    Bonds, angles, planes, cis and trans, hands, disulphides and contacts that are outside of their range are brought a
    little inside it, one after another and again until none is outside (position based dynamics). A centre of the
    wrong hand is first mirrored, with its hydrogen, in the plane of its three other neighbours. Where phi and psi
    lie is not changed on purpose. Structures that pass all other checks, and those that are not numbers, stay
    exactly as they are. What cannot be mended within `n_steps` comes back as near as it got, for the checks to mark.

    Parameters
    ----------
    structures : mdtraj.Trajectory
    limits : Limits
        Of the same molecule.
    n_steps : int
        Largest number of passes over all constraints of a structure.

    Returns
    -------
    mdtraj.Trajectory
        New; the order is that of `structures`. `displacement` says how far they were moved.

    Raises
    ------
    DataError
        When the limits are of another molecule, or n_steps is below 1.

    References
    ----------
    Mueller et al., J. Vis. Commun. Image R. 18, 109 (2007), https://doi.org/10.1016/j.jvcir.2007.01.005
    """
    if isinstance(n_steps, bool) or not isinstance(n_steps, int | np.integer) or n_steps < 1:
        raise DataError(f"n_steps = {n_steps!r}: expected the largest number of passes, a whole number of at least 1")
    bonds = {frozenset((a.index, b.index)) for a, b in structures.topology.bonds}
    if bonds != {frozenset(pair) for pair in limits.bonds.tolist()}:
        raise DataError(
            f"the limits have {len(limits.bonds)} bonds and the structures {len(bonds)}, or they join other atoms; "
            "measure the limits on structures with the same topology: Limits.measure(real)"
        )
    positions = structures.xyz.copy()
    finite = np.isfinite(positions).all((1, 2))
    checks = check_structures(structures, limits)
    passed = np.logical_and.reduce([passed for name, passed in checks.items() if name != "Ramachandran"])
    rows = np.flatnonzero(finite & ~passed)
    if len(rows):
        positions[rows] = _projected(positions[rows].astype(np.float64), structures.topology, limits, int(n_steps))
    box = structures.unitcell_lengths, structures.unitcell_angles
    return mdtraj.Trajectory(positions, structures.topology, structures.time, *box)


def displacement(before: mdtraj.Trajectory, after: mdtraj.Trajectory) -> np.ndarray:
    """Return how far the atoms of each structure were moved: root mean square in nm, (n_structures,)."""
    squares = ((after.xyz.astype(np.float64) - before.xyz) ** 2).sum(-1)
    return np.asarray(np.sqrt(squares.mean(1)))


def _projected(positions: np.ndarray, topology: mdtraj.Topology, limits: Limits, n_steps: int) -> np.ndarray:
    from mdnb.generation.projection import project

    weights = np.array([1.0 if is_heavy(atom) else _LIGHT for atom in topology.atoms])
    lengths, angles = limits.bond_range, np.clip(limits.angle_range, 0, np.pi)
    if limits.strain is not None:
        lengths, angles = (_both(one, other) for one, other in zip((lengths, angles), limits.strain, strict=True))
    handed = limits.hands != 0
    hands = limits.hands[handed, None] * np.array([_HAND, 1.0])
    flat = 0.9 * limits.flat_volume[:, None] * np.array([-1.0, 1.0])
    centres = np.concatenate([limits.centres[handed], limits.flat])
    n_flat, n_stiff = len(limits.flat), len(limits.stiff)
    fourth, plants = _hydrogens(topology, limits.centres[handed])
    project(
        positions,
        weights,
        np.concatenate([limits.bonds, limits.disulphides]),
        _narrower(np.concatenate([lengths, limits.disulphide_range])),
        limits.angles,
        _narrower(angles),
        np.concatenate([limits.amides, limits.stiff]),
        0.9 * np.concatenate([limits.twist, limits.stiff_twist]).astype(np.float64),
        np.concatenate([limits.cis, np.ones(n_stiff, bool)]),
        np.concatenate([limits.trans, np.ones(n_stiff, bool)]),
        limits.pairs,
        1.02 * np.maximum(limits.nearest, 0).astype(np.float64),
        centres,
        np.concatenate([np.sort(hands, axis=1), flat]).astype(np.float64),
        np.concatenate([fourth, np.full(n_flat, -1)]),
        plants,
        n_steps,
        np.array([5e-4, 0.01, 0.02, 1e-3, 0.02]),
    )
    return positions.astype(np.float32)


def _both(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the ranges that lie in both, (n, 2); the first where they do not meet."""
    inner = np.stack([np.maximum(one[:, 0], other[:, 0]), np.minimum(one[:, 1], other[:, 1])], axis=1)
    return np.where((inner[:, :1] < inner[:, 1:]), inner, one)


def _narrower(ranges: np.ndarray) -> np.ndarray:
    """Return the ranges without a part at either end."""
    inset = _INSET * (ranges[:, 1:] - ranges[:, :1])
    return np.ascontiguousarray(ranges.astype(np.float64) + inset * np.array([1.0, -1.0]))


def _hydrogens(topology: mdtraj.Topology, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the hydrogen that is mirrored with each centre, or -1, and the rows of centres and their hydrogens."""
    neighbours: dict[int, set[int]] = {index: set() for index in range(topology.n_atoms)}
    for a, b in topology.bonds:
        neighbours[a.index].add(b.index)
        neighbours[b.index].add(a.index)
    light = {atom.index for atom in topology.atoms if not is_heavy(atom) and len(neighbours[atom.index]) == 1}
    fourth = [next(iter((neighbours[centre] - set(three)) & light), -1) for centre, *three in centres.tolist()]
    rows = []
    for centre, others in neighbours.items():
        free, fixed = sorted(others & light), sorted(others - light)
        if (len(fixed), len(free)) in ((3, 1), (2, 2), (1, 3), (2, 1)):
            rows.append([centre, *fixed, *[-1] * (3 - len(fixed)), *free, *[-1] * (3 - len(free))])
    return np.array(fourth, int), np.array(rows, int).reshape(-1, 7)

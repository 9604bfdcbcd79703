"""Compiled projection of structures onto allowed ranges of bonds, angles, torsions, hands and contacts.

Position based dynamics: each constraint that is broken moves its own atoms along its gradient until it is met,
one after another and again until none is broken. Sums run in double precision, each structure on its own.
"""

from __future__ import annotations

import numpy as np

from mdnb.compiled import compiled
from mdnb.generation.constraint_kernels import bend, cross, dot, pull, spread, untwist, volume_at

__all__ = ["project"]

_SKIN = 0.06  # nm; pairs up to this much beyond their limit are looked at until an atom has moved half of it
_PATIENCE = 25  # passes after which hydrogens that are stuck are placed afresh


@compiled()
def _mirror(xyz, atoms, fourth, work):  # type: ignore[no-untyped-def]
    """Mirror a centre and its fourth neighbour in the plane of the other three: lengths and angles there stay."""
    one, two, normal = work[0], work[1], work[2]
    for axis in range(3):
        one[axis] = xyz[atoms[2], axis] - xyz[atoms[1], axis]
        two[axis] = xyz[atoms[3], axis] - xyz[atoms[1], axis]
    cross(one, two, normal)
    square = dot(normal, normal)
    if square < 1e-16:
        return
    for atom in (atoms[0], fourth):
        if atom >= 0:
            height = 0.0
            for axis in range(3):
                height += (xyz[atom, axis] - xyz[atoms[1], axis]) * normal[axis]
            for axis in range(3):
                xyz[atom, axis] -= 2.0 * height / square * normal[axis]


@compiled()
def _plant(xyz, row, arms):  # type: ignore[no-untyped-def]
    """Put the hydrogens of a centre where the arms to its other neighbours leave room.

    `row` holds the centre, up to three neighbours that stay and up to three hydrogens, -1 where there is none.
    """
    n_fixed, n_free = 0, 0
    way, first = arms[3], arms[4]
    way[:] = 0.0
    for k in range(6):
        n_fixed += k < 3 and row[1 + k] >= 0
        n_free += k >= 3 and row[1 + k] >= 0
    for k in range(n_fixed):
        for axis in range(3):
            arms[k, axis] = xyz[row[1 + k], axis] - xyz[row[0], axis]
        arms[k] /= max(np.sqrt(dot(arms[k], arms[k])), 1e-9)
        way -= arms[k]
    size = np.sqrt(dot(way, way))
    if size < 1e-6:
        return
    way /= size
    lengths = arms[6]
    for k in range(n_free):
        for axis in range(3):
            arms[5, axis] = xyz[row[4 + k], axis] - xyz[row[0], axis]
        lengths[k] = np.sqrt(dot(arms[5], arms[5]))
    if n_free == 1:
        xyz[row[4]] = xyz[row[0]] + lengths[0] * way
        return
    if n_free == 2:  # on either side of the plane of the two arms
        cross(arms[0], arms[1], first)
    else:  # around the axis, from where the first one is
        for axis in range(3):
            first[axis] = xyz[row[4], axis] - xyz[row[0], axis]
        first -= dot(first, way) * way
    size = np.sqrt(dot(first, first))
    if size < 1e-6:
        return
    first /= size
    second = arms[5]
    cross(way, first, second)
    side = 0.0
    for axis in range(3):
        other = first[axis] if n_free == 2 else second[axis]
        side += (xyz[row[4 if n_free == 2 else 5], axis] - xyz[row[0], axis]) * other
    side = 1.0 if side >= 0.0 else -1.0
    for k in range(n_free):
        turn = side * k * 2.0 * np.pi / 3.0 if n_free == 3 else (0.0 if (side > 0) == (k == 0) else np.pi)
        along, across = (1.0 / 3.0, np.sqrt(8.0) / 3.0) if n_free == 3 else (np.sqrt(1.0 / 3.0), np.sqrt(2.0 / 3.0))
        for axis in range(3):
            out = across * (np.cos(turn) * first[axis] + np.sin(turn) * second[axis])
            xyz[row[4 + k], axis] = xyz[row[0], axis] + lengths[k] * (along * way[axis] + out)


@compiled()
def _moved(xyz, before):  # type: ignore[no-untyped-def]
    farthest = 0.0
    for atom in range(len(xyz)):
        square = 0.0
        for axis in range(3):
            square += (xyz[atom, axis] - before[atom, axis]) ** 2
        farthest = max(farthest, square)
    return np.sqrt(farthest)


@compiled()
def _near(xyz, pairs, nearest, chosen):  # type: ignore[no-untyped-def]
    """Fill the numbers of the pairs within the skin of their limit; return how many."""
    count = 0
    for number in range(len(pairs)):
        i, j = pairs[number, 0], pairs[number, 1]
        x, y, z = xyz[j, 0] - xyz[i, 0], xyz[j, 1] - xyz[i, 1], xyz[j, 2] - xyz[i, 2]
        limit = nearest[number] + _SKIN
        if x * x + y * y + z * z < limit * limit:
            chosen[count] = number
            count += 1
    return count


@compiled()
def project(  # type: ignore[no-untyped-def]
    positions, weights, bonds, bond_range, angles, angle_range, torsions, twist, cis, trans, pairs, nearest,
    centres, volumes, fourth, plants, n_steps, slack,
):  # fmt: skip
    """Move the atoms of each structure into the ranges, in place; return the passes that each took.

    Parameters
    ----------
    positions : (n_structures, n_atoms, 3) float64 array
    weights : (n_atoms,) float64 array
        How easily an atom moves.
    bonds, bond_range, angles, angle_range, pairs, nearest : array
        As in `checks.Limits`; the ranges already a little narrower.
    torsions, twist, cis, trans : array
        Four atoms each, how far they may be from flat, and which of the two ways they may be.
    centres, volumes : (n_centres, 4) int64 and (n_centres, 2) float64 array
        A centre and three neighbours, and the range of their volume; where it leaves out 0, the centre has a hand.
    fourth : (n_centres,) int64 array
        The neighbour of each centre that is mirrored with it, or -1.
    plants : (n, 7) int64 array
        Centres with hydrogens: the centre, up to three other neighbours, up to three hydrogens; -1 for none.
        Where an angle at one is still broken after some passes, its hydrogens are placed afresh.
    n_steps : int
        Largest number of passes.
    slack : (5,) float64 array
        How far bonds (nm), angles, torsions (rad), contacts (nm) and volumes may be outside at the end.
    """
    passes = np.zeros(len(positions), np.int64)
    work, arms = np.empty((9, 3)), np.empty((7, 3))
    chosen = np.empty(len(pairs), np.int64)
    bent = np.zeros(len(weights), np.bool_)
    for frame in range(len(positions)):
        xyz = positions[frame]
        for number in range(len(centres)):
            low, high = volumes[number, 0], volumes[number, 1]
            if low * high > 0.0 and volume_at(xyz, centres[number], arms) * low < 0.0:
                _mirror(xyz, centres[number], fourth[number], work)
        listed = xyz.copy()
        n_near = _near(xyz, pairs, nearest, chosen)
        for step in range(n_steps):
            broken = False
            for number in range(n_near):
                pair = chosen[number]
                i, j = pairs[pair, 0], pairs[pair, 1]
                broken |= pull(xyz, weights, i, j, nearest[pair], np.inf) > slack[3]
            for number in range(len(centres)):
                low, high = volumes[number, 0], volumes[number, 1]
                broken |= spread(xyz, weights, centres[number], low, high, work, arms) > slack[4]
            for number in range(len(torsions)):
                ways = cis[number], trans[number]
                broken |= untwist(xyz, weights, torsions[number], twist[number], ways[0], ways[1], work) > slack[2]
            bent[:] = False
            for number in range(len(angles)):
                low, high = angle_range[number, 0], angle_range[number, 1]
                if bend(xyz, weights, angles[number], low, high, work) > slack[1]:
                    broken = bent[angles[number, 1]] = True
            for number in range(len(bonds)):
                low, high = bond_range[number, 0], bond_range[number, 1]
                broken |= pull(xyz, weights, bonds[number, 0], bonds[number, 1], low, high) > slack[0]
            if step % _PATIENCE == _PATIENCE - 1:
                for number in range(len(plants)):
                    if bent[plants[number, 0]]:
                        _plant(xyz, plants[number], arms)
            passes[frame] = step + 1
            if _moved(xyz, listed) > 0.5 * _SKIN:
                listed[:] = xyz
                n_near = _near(xyz, pairs, nearest, chosen)
                broken = True
            if not broken:
                break
    return passes

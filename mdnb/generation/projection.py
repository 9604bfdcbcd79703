"""Compiled projection of structures onto allowed ranges of bonds, angles, torsions, hands and contacts.

Position based dynamics: each constraint that is broken moves its own atoms along its gradient until it is met,
one after another and again until none is broken. Sums run in double precision, each structure on its own.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["project"]

_SKIN = 0.06  # nm; pairs up to this much beyond their limit are looked at until an atom has moved half of it
_TURN = 0.2  # largest change of an angle at once, in radian
_PATIENCE = 25  # passes after which hydrogens that are stuck are placed afresh


@njit(cache=True, nogil=True)
def _length(x, y, z):  # type: ignore[no-untyped-def]  # compiled: numba infers the types
    return np.sqrt(x * x + y * y + z * z)


@njit(cache=True, nogil=True)
def _cross(a, b, out):  # type: ignore[no-untyped-def]
    out[0] = a[1] * b[2] - a[2] * b[1]
    out[1] = a[2] * b[0] - a[0] * b[2]
    out[2] = a[0] * b[1] - a[1] * b[0]


@njit(cache=True, nogil=True)
def _dot(a, b):  # type: ignore[no-untyped-def]
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@njit(cache=True, nogil=True)
def _step(xyz, weights, atoms, gradients, change):  # type: ignore[no-untyped-def]
    """Move atoms along the gradients of a quantity so that it changes by `change`, to first order."""
    total = 0.0
    for k in range(len(atoms)):
        total += weights[atoms[k]] * _dot(gradients[k], gradients[k])
    if total > 1e-12:
        for k in range(len(atoms)):
            for axis in range(3):
                xyz[atoms[k], axis] += change / total * weights[atoms[k]] * gradients[k, axis]


@njit(cache=True, nogil=True)
def _pull(xyz, weights, i, j, low, high):  # type: ignore[no-untyped-def]
    """Bring a distance into its range; return how far it was outside."""
    x, y, z = xyz[j, 0] - xyz[i, 0], xyz[j, 1] - xyz[i, 1], xyz[j, 2] - xyz[i, 2]
    length = _length(x, y, z)
    outside = min(length - low, 0.0) + max(length - high, 0.0)
    if outside == 0.0 or length < 1e-9:
        return abs(outside)
    part = outside / (length * (weights[i] + weights[j]))
    for axis, d in enumerate((x, y, z)):
        xyz[i, axis] += weights[i] * part * d
        xyz[j, axis] -= weights[j] * part * d
    return abs(outside)


@njit(cache=True, nogil=True)
def _bend(xyz, weights, atoms, low, high, work):  # type: ignore[no-untyped-def]
    """Bring the angle of three atoms, its centre the second, into its range; return how far it was outside."""
    i, centre, j = atoms[0], atoms[1], atoms[2]
    for axis in range(3):
        work[0, axis] = xyz[i, axis] - xyz[centre, axis]
        work[2, axis] = xyz[j, axis] - xyz[centre, axis]
    a, b = np.sqrt(_dot(work[0], work[0])), np.sqrt(_dot(work[2], work[2]))
    if a < 1e-9 or b < 1e-9:
        return 0.0
    work[0] /= a
    work[2] /= b
    cosine = min(1.0, max(-1.0, _dot(work[0], work[2])))
    angle = np.arccos(cosine)
    outside = min(angle - low, 0.0) + max(angle - high, 0.0)
    if outside == 0.0:
        return 0.0
    wanted = angle - outside
    sine = np.sqrt(1.0 - cosine * cosine)
    if sine < 0.1:  # nearly straight or folded: the gradient is undefined, the distance of the ends is not
        ends = np.sqrt(max(a * a + b * b - 2.0 * a * b * np.cos(wanted), 0.0))
        _pull(xyz, weights, i, j, ends, ends)
        return abs(outside)
    for axis in range(3):
        u, v = work[0, axis], work[2, axis]
        work[0, axis] = (cosine * u - v) / (a * sine)
        work[2, axis] = (cosine * v - u) / (b * sine)
        work[1, axis] = -work[0, axis] - work[2, axis]
    _step(xyz, weights, atoms, work[:3], -min(_TURN, max(-_TURN, outside)))
    return abs(outside)


@njit(cache=True, nogil=True)
def _twist(xyz, weights, atoms, largest, cis, trans, work):  # type: ignore[no-untyped-def]
    """Bring a torsion to within `largest` of flat; return how far it was outside."""
    first, middle, last, m, n = work[4], work[5], work[6], work[7], work[8]
    for axis in range(3):
        first[axis] = xyz[atoms[0], axis] - xyz[atoms[1], axis]
        middle[axis] = xyz[atoms[2], axis] - xyz[atoms[1], axis]
        last[axis] = xyz[atoms[2], axis] - xyz[atoms[3], axis]
    _cross(first, middle, m)
    _cross(middle, last, n)
    square, mm, nn = _dot(middle, middle), _dot(m, m), _dot(n, n)
    if square < 1e-12 or mm < 1e-12 or nn < 1e-12:
        return 0.0
    length = np.sqrt(square)
    torsion = np.arctan2(_dot(first, n) * length, _dot(m, n))
    sign = 1.0 if torsion >= 0.0 else -1.0
    if cis and (abs(torsion) < 0.5 * np.pi or not trans):
        change = min(0.0, largest - abs(torsion))
    else:
        change = max(0.0, np.pi - largest - abs(torsion))
    if change == 0.0:
        return 0.0
    p, q = _dot(first, middle) / square, _dot(last, middle) / square
    for axis in range(3):
        work[0, axis] = length * m[axis] / mm
        work[3, axis] = -length * n[axis] / nn
        work[1, axis] = (p - 1.0) * work[0, axis] - q * work[3, axis]
        work[2, axis] = (q - 1.0) * work[3, axis] - p * work[0, axis]
    _step(xyz, weights, atoms, work[:4], sign * min(_TURN, max(-_TURN, change)))
    return abs(change)


@njit(cache=True, nogil=True)
def _volume(xyz, atoms, arms):  # type: ignore[no-untyped-def]
    """Fill the unit vectors from a centre to three neighbours; return their signed volume."""
    for k in range(3):
        for axis in range(3):
            arms[k, axis] = xyz[atoms[k + 1], axis] - xyz[atoms[0], axis]
        arms[3 + k, 0] = max(np.sqrt(_dot(arms[k], arms[k])), 1e-9)
        arms[k] /= arms[3 + k, 0]
    _cross(arms[1], arms[2], arms[6])
    return _dot(arms[0], arms[6])


@njit(cache=True, nogil=True)
def _spread(xyz, weights, atoms, low, high, work, arms):  # type: ignore[no-untyped-def]
    """Bring the volume at a centre into its range; return how far it was outside."""
    volume = _volume(xyz, atoms, arms)
    outside = min(volume - low, 0.0) + max(volume - high, 0.0)
    if outside == 0.0:
        return 0.0
    work[0] = 0.0
    for k in range(3):
        _cross(arms[(k + 1) % 3], arms[(k + 2) % 3], arms[6])
        along = _dot(arms[k], arms[6])
        for axis in range(3):
            work[k + 1, axis] = (arms[6, axis] - along * arms[k, axis]) / arms[3 + k, 0]
            work[0, axis] -= work[k + 1, axis]
    _step(xyz, weights, atoms, work[:4], -min(_TURN, max(-_TURN, outside)))
    return abs(outside)


@njit(cache=True, nogil=True)
def _mirror(xyz, atoms, fourth, work):  # type: ignore[no-untyped-def]
    """Mirror a centre and its fourth neighbour in the plane of the other three: lengths and angles there stay."""
    one, two, normal = work[0], work[1], work[2]
    for axis in range(3):
        one[axis] = xyz[atoms[2], axis] - xyz[atoms[1], axis]
        two[axis] = xyz[atoms[3], axis] - xyz[atoms[1], axis]
    _cross(one, two, normal)
    square = _dot(normal, normal)
    if square < 1e-16:
        return
    for atom in (atoms[0], fourth):
        if atom >= 0:
            height = 0.0
            for axis in range(3):
                height += (xyz[atom, axis] - xyz[atoms[1], axis]) * normal[axis]
            for axis in range(3):
                xyz[atom, axis] -= 2.0 * height / square * normal[axis]


@njit(cache=True, nogil=True)
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
        arms[k] /= max(np.sqrt(_dot(arms[k], arms[k])), 1e-9)
        way -= arms[k]
    size = np.sqrt(_dot(way, way))
    if size < 1e-6:
        return
    way /= size
    lengths = arms[6]
    for k in range(n_free):
        for axis in range(3):
            arms[5, axis] = xyz[row[4 + k], axis] - xyz[row[0], axis]
        lengths[k] = np.sqrt(_dot(arms[5], arms[5]))
    if n_free == 1:
        xyz[row[4]] = xyz[row[0]] + lengths[0] * way
        return
    if n_free == 2:  # on either side of the plane of the two arms
        _cross(arms[0], arms[1], first)
    else:  # around the axis, from where the first one is
        for axis in range(3):
            first[axis] = xyz[row[4], axis] - xyz[row[0], axis]
        first -= _dot(first, way) * way
    size = np.sqrt(_dot(first, first))
    if size < 1e-6:
        return
    first /= size
    second = arms[5]
    _cross(way, first, second)
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


@njit(cache=True, nogil=True)
def _moved(xyz, before):  # type: ignore[no-untyped-def]
    farthest = 0.0
    for atom in range(len(xyz)):
        square = 0.0
        for axis in range(3):
            square += (xyz[atom, axis] - before[atom, axis]) ** 2
        farthest = max(farthest, square)
    return np.sqrt(farthest)


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
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
            if low * high > 0.0 and _volume(xyz, centres[number], arms) * low < 0.0:
                _mirror(xyz, centres[number], fourth[number], work)
        listed = xyz.copy()
        n_near = _near(xyz, pairs, nearest, chosen)
        for step in range(n_steps):
            broken = False
            for number in range(n_near):
                pair = chosen[number]
                i, j = pairs[pair, 0], pairs[pair, 1]
                broken |= _pull(xyz, weights, i, j, nearest[pair], np.inf) > slack[3]
            for number in range(len(centres)):
                low, high = volumes[number, 0], volumes[number, 1]
                broken |= _spread(xyz, weights, centres[number], low, high, work, arms) > slack[4]
            for number in range(len(torsions)):
                ways = cis[number], trans[number]
                broken |= _twist(xyz, weights, torsions[number], twist[number], ways[0], ways[1], work) > slack[2]
            bent[:] = False
            for number in range(len(angles)):
                low, high = angle_range[number, 0], angle_range[number, 1]
                if _bend(xyz, weights, angles[number], low, high, work) > slack[1]:
                    broken = bent[angles[number, 1]] = True
            for number in range(len(bonds)):
                low, high = bond_range[number, 0], bond_range[number, 1]
                broken |= _pull(xyz, weights, bonds[number, 0], bonds[number, 1], low, high) > slack[0]
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

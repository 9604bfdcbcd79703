"""Compiled constraints: each moves its own atoms along its gradient until a length, angle, torsion or volume is met."""

from __future__ import annotations

import numpy as np

from mdnb.compiled import compiled

__all__ = ["bend", "cross", "dot", "pull", "spread", "untwist", "volume_at"]

_TURN = 0.2  # largest change of an angle at once, in radian


@compiled()
def _length(x, y, z):  # type: ignore[no-untyped-def]  # compiled: numba infers the types
    return np.sqrt(x * x + y * y + z * z)


@compiled()
def cross(a, b, out):  # type: ignore[no-untyped-def]
    """Fill the cross product of two vectors."""
    out[0] = a[1] * b[2] - a[2] * b[1]
    out[1] = a[2] * b[0] - a[0] * b[2]
    out[2] = a[0] * b[1] - a[1] * b[0]


@compiled()
def dot(a, b):  # type: ignore[no-untyped-def]
    """Return the dot product of two vectors."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@compiled()
def _step(xyz, weights, atoms, gradients, change):  # type: ignore[no-untyped-def]
    """Move atoms along the gradients of a quantity so that it changes by `change`, to first order."""
    total = 0.0
    for k in range(len(atoms)):
        total += weights[atoms[k]] * dot(gradients[k], gradients[k])
    if total > 1e-12:
        for k in range(len(atoms)):
            for axis in range(3):
                xyz[atoms[k], axis] += change / total * weights[atoms[k]] * gradients[k, axis]


@compiled()
def pull(xyz, weights, i, j, low, high):  # type: ignore[no-untyped-def]
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


@compiled()
def bend(xyz, weights, atoms, low, high, work):  # type: ignore[no-untyped-def]
    """Bring the angle of three atoms, its centre the second, into its range; return how far it was outside."""
    i, centre, j = atoms[0], atoms[1], atoms[2]
    for axis in range(3):
        work[0, axis] = xyz[i, axis] - xyz[centre, axis]
        work[2, axis] = xyz[j, axis] - xyz[centre, axis]
    a, b = np.sqrt(dot(work[0], work[0])), np.sqrt(dot(work[2], work[2]))
    if a < 1e-9 or b < 1e-9:
        return 0.0
    work[0] /= a
    work[2] /= b
    cosine = min(1.0, max(-1.0, dot(work[0], work[2])))
    angle = np.arccos(cosine)
    outside = min(angle - low, 0.0) + max(angle - high, 0.0)
    if outside == 0.0:
        return 0.0
    wanted = angle - outside
    sine = np.sqrt(1.0 - cosine * cosine)
    if sine < 0.1:  # nearly straight or folded: the gradient is undefined, the distance of the ends is not
        ends = np.sqrt(max(a * a + b * b - 2.0 * a * b * np.cos(wanted), 0.0))
        pull(xyz, weights, i, j, ends, ends)
        return abs(outside)
    for axis in range(3):
        u, v = work[0, axis], work[2, axis]
        work[0, axis] = (cosine * u - v) / (a * sine)
        work[2, axis] = (cosine * v - u) / (b * sine)
        work[1, axis] = -work[0, axis] - work[2, axis]
    _step(xyz, weights, atoms, work[:3], -min(_TURN, max(-_TURN, outside)))
    return abs(outside)


@compiled()
def untwist(xyz, weights, atoms, largest, cis, trans, work):  # type: ignore[no-untyped-def]
    """Bring a torsion to within `largest` of flat; return how far it was outside."""
    first, middle, last, m, n = work[4], work[5], work[6], work[7], work[8]
    for axis in range(3):
        first[axis] = xyz[atoms[0], axis] - xyz[atoms[1], axis]
        middle[axis] = xyz[atoms[2], axis] - xyz[atoms[1], axis]
        last[axis] = xyz[atoms[2], axis] - xyz[atoms[3], axis]
    cross(first, middle, m)
    cross(middle, last, n)
    square, mm, nn = dot(middle, middle), dot(m, m), dot(n, n)
    if square < 1e-12 or mm < 1e-12 or nn < 1e-12:
        return 0.0
    length = np.sqrt(square)
    torsion = np.arctan2(dot(first, n) * length, dot(m, n))
    sign = 1.0 if torsion >= 0.0 else -1.0
    if cis and (abs(torsion) < 0.5 * np.pi or not trans):
        change = min(0.0, largest - abs(torsion))
    else:
        change = max(0.0, np.pi - largest - abs(torsion))
    if change == 0.0:
        return 0.0
    p, q = dot(first, middle) / square, dot(last, middle) / square
    for axis in range(3):
        work[0, axis] = length * m[axis] / mm
        work[3, axis] = -length * n[axis] / nn
        work[1, axis] = (p - 1.0) * work[0, axis] - q * work[3, axis]
        work[2, axis] = (q - 1.0) * work[3, axis] - p * work[0, axis]
    _step(xyz, weights, atoms, work[:4], sign * min(_TURN, max(-_TURN, change)))
    return abs(change)


@compiled()
def volume_at(xyz, atoms, arms):  # type: ignore[no-untyped-def]
    """Fill the unit vectors from a centre to three neighbours; return their signed volume."""
    for k in range(3):
        for axis in range(3):
            arms[k, axis] = xyz[atoms[k + 1], axis] - xyz[atoms[0], axis]
        arms[3 + k, 0] = max(np.sqrt(dot(arms[k], arms[k])), 1e-9)
        arms[k] /= arms[3 + k, 0]
    cross(arms[1], arms[2], arms[6])
    return dot(arms[0], arms[6])


@compiled()
def spread(xyz, weights, atoms, low, high, work, arms):  # type: ignore[no-untyped-def]
    """Bring the volume at a centre into its range; return how far it was outside."""
    volume = volume_at(xyz, atoms, arms)
    outside = min(volume - low, 0.0) + max(volume - high, 0.0)
    if outside == 0.0:
        return 0.0
    work[0] = 0.0
    for k in range(3):
        cross(arms[(k + 1) % 3], arms[(k + 2) % 3], arms[6])
        along = dot(arms[k], arms[6])
        for axis in range(3):
            work[k + 1, axis] = (arms[6, axis] - along * arms[k, axis]) / arms[3 + k, 0]
            work[0, axis] -= work[k + 1, axis]
    _step(xyz, weights, atoms, work[:4], -min(_TURN, max(-_TURN, outside)))
    return abs(outside)

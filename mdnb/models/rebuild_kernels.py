"""Compiled placing of heavy atoms from internal coordinates, how far two structures are apart, and the gradient of it.

The same as `rebuild.Rebuild` does on a GPU, in one pass: of a few atoms torch takes longer to call than to compute.
"""

from __future__ import annotations

import numpy as np

from mdnb.compiled import compiled
from mdnb.features.superposed_kernels import best_overlap, products

__all__ = ["displacements"]


@compiled(error_model="numpy", inline="always")
def _cross(a, b, out):  # type: ignore[no-untyped-def]
    out[0] = a[1] * b[2] - a[2] * b[1]
    out[1] = a[2] * b[0] - a[0] * b[2]
    out[2] = a[0] * b[1] - a[1] * b[0]


@compiled(error_model="numpy", inline="always")
def _dot(a, b):  # type: ignore[no-untyped-def]
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@compiled(error_model="numpy", inline="always")
def _value(row, column, means, scales):  # type: ignore[no-untyped-def]
    return means[column] + scales[column] * np.float64(row[column]) if column >= 0 else 0.0


@compiled(error_model="numpy")
def _place(row, references, columns, offsets, means, scales, xyz, axes, sizes, terms):  # type: ignore[no-untyped-def]
    """Place the atoms of a frame; keep the axes of each, the lengths they were made of, and sines and cosines."""
    u, w = np.empty(3), np.empty(3)
    for atom in range(len(references)):
        bond = _value(row, columns[atom, 0], means, scales)
        angle = _value(row, columns[atom, 1], means, scales)
        xyz[atom] = 0.0
        if atom == 1:
            xyz[atom, 0] = bond
        elif atom == 2:
            origin, back = references[atom, 0], references[atom, 1]
            along = 1.0 if xyz[back, 0] > xyz[origin, 0] else -1.0
            xyz[atom, 0] = xyz[origin, 0] + along * bond * np.cos(angle)
            xyz[atom, 1] = bond * np.sin(angle)
        elif atom > 2:
            c, b, a = references[atom]
            sine = _value(row, columns[atom, 2], means, scales)
            cosine = _value(row, columns[atom, 2] + 1, means, scales)
            size = np.sqrt(sine * sine + cosine * cosine + 1e-12)
            turn = np.arctan2(sine, cosine) + offsets[atom] + _value(row, columns[atom, 3], means, scales)
            for axis in range(3):
                u[axis] = xyz[c, axis] - xyz[b, axis]
                w[axis] = xyz[b, axis] - xyz[a, axis]
            sizes[atom, 0] = np.sqrt(_dot(u, u)) + 1e-12
            for axis in range(3):
                axes[atom, 0, axis] = u[axis] / sizes[atom, 0]
            _cross(w, axes[atom, 0], axes[atom, 2])
            sizes[atom, 1] = np.sqrt(_dot(axes[atom, 2], axes[atom, 2])) + 1e-12
            for axis in range(3):
                axes[atom, 2, axis] /= sizes[atom, 1]
            _cross(axes[atom, 2], axes[atom, 0], axes[atom, 1])
            sizes[atom, 2] = size
            terms[atom, 0], terms[atom, 1] = np.sin(angle), np.cos(angle)
            terms[atom, 2], terms[atom, 3] = np.sin(turn), np.cos(turn)
            terms[atom, 4], terms[atom, 5] = sine, cosine
            one = -bond * terms[atom, 1]
            two = bond * terms[atom, 0] * terms[atom, 3]
            three = bond * terms[atom, 0] * terms[atom, 2]
            for axis in range(3):
                xyz[atom, axis] = (
                    xyz[c, axis] + one * axes[atom, 0, axis] + two * axes[atom, 1, axis] + three * axes[atom, 2, axis]
                )


@compiled(error_model="numpy")
def _centre(xyz):  # type: ignore[no-untyped-def]
    n = len(xyz)
    for axis in range(3):
        mean = 0.0
        for atom in range(n):
            mean += xyz[atom, axis]
        mean /= n
        for atom in range(n):
            xyz[atom, axis] -= mean


@compiled(error_model="numpy")
def _turn(made, real, turn, matrix):  # type: ignore[no-untyped-def]
    """Fill the rotation that lays centred positions on others: the quaternion of the largest eigenvalue."""
    x, y, z = real[:, 0], real[:, 1], real[:, 2]
    sums, _, squares = products(made[:, 0], made[:, 1], made[:, 2], x, y, z)
    for k in range(len(real)):
        squares += x[k] * x[k] + y[k] * y[k] + z[k] * z[k]
    xx, xy, xz, yx, yy, yz, zx, zy, zz = sums
    largest = best_overlap(sums, 0.5 * squares)
    turn[:] = 0.0
    turn[0, 0] = turn[1, 1] = turn[2, 2] = 1.0
    if largest < 0.0:  # no rotation is best
        return
    matrix[0, 0], matrix[0, 1], matrix[0, 2], matrix[0, 3] = xx + yy + zz - largest, yz - zy, zx - xz, xy - yx
    matrix[1, 1], matrix[1, 2], matrix[1, 3] = xx - yy - zz - largest, xy + yx, zx + xz
    matrix[2, 2], matrix[2, 3] = -xx + yy - zz - largest, yz + zy
    matrix[3, 3] = -xx - yy + zz - largest
    for i in range(4):
        for j in range(i):
            matrix[i, j] = matrix[j, i]
    best, q0, q1, q2, q3 = 0.0, 1.0, 0.0, 0.0, 0.0
    own = np.empty(4)
    for leave in range(4):  # each row of the adjugate is the eigenvector, unless it is nothing
        for j in range(4):
            a, b, c = (leave + 1) % 4, (leave + 2) % 4, (leave + 3) % 4
            d, e, f = (j + 1) % 4, (j + 2) % 4, (j + 3) % 4
            minor = (
                matrix[a, d] * (matrix[b, e] * matrix[c, f] - matrix[b, f] * matrix[c, e])
                - matrix[a, e] * (matrix[b, d] * matrix[c, f] - matrix[b, f] * matrix[c, d])
                + matrix[a, f] * (matrix[b, d] * matrix[c, e] - matrix[b, e] * matrix[c, d])
            )
            own[j] = minor if (leave + j) % 2 == 0 else -minor
        norm = np.sqrt(own[0] * own[0] + own[1] * own[1] + own[2] * own[2] + own[3] * own[3])
        if norm > best:
            best = norm
            q0, q1, q2, q3 = own[0] / norm, own[1] / norm, own[2] / norm, own[3] / norm
    turn[0, 0] = q0 * q0 + q1 * q1 - q2 * q2 - q3 * q3
    turn[0, 1] = 2 * (q1 * q2 - q0 * q3)
    turn[0, 2] = 2 * (q1 * q3 + q0 * q2)
    turn[1, 0] = 2 * (q1 * q2 + q0 * q3)
    turn[1, 1] = q0 * q0 - q1 * q1 + q2 * q2 - q3 * q3
    turn[1, 2] = 2 * (q2 * q3 - q0 * q1)
    turn[2, 0] = 2 * (q1 * q3 - q0 * q2)
    turn[2, 1] = 2 * (q2 * q3 + q0 * q1)
    turn[2, 2] = q0 * q0 - q1 * q1 - q2 * q2 + q3 * q3


@compiled(error_model="numpy")
def _back(references, columns, scales, bonds, xyz, axes, sizes, terms, pulls, slope):  # type: ignore[no-untyped-def]
    """Fill the slope along each scaled number from the slopes along positions, `pulls`, which are used up."""
    one, two, three, own, cross = np.empty(3), np.empty(3), np.empty(3), np.empty(3), np.empty(3)
    for atom in range(len(references) - 1, 2, -1):
        c, b, a = references[atom]
        pull, bond = pulls[atom], bonds[atom]
        sine, cosine, up, across = terms[atom, 0], terms[atom, 1], terms[atom, 2], terms[atom, 3]
        first, second, third = _dot(pull, axes[atom, 0]), _dot(pull, axes[atom, 1]), _dot(pull, axes[atom, 2])
        slope[columns[atom, 0]] += scales[columns[atom, 0]] * (
            -cosine * first + sine * across * second + sine * up * third
        )
        slope[columns[atom, 1]] += (
            scales[columns[atom, 1]] * bond * (sine * first + cosine * across * second + cosine * up * third)
        )
        turned = bond * sine * (-up * second + across * third)
        square = sizes[atom, 2] * sizes[atom, 2]
        column = columns[atom, 2]
        slope[column] += scales[column] * turned * terms[atom, 5] / square
        slope[column + 1] -= scales[column + 1] * turned * terms[atom, 4] / square
        if columns[atom, 3] >= 0:
            slope[columns[atom, 3]] += scales[columns[atom, 3]] * turned
        for axis in range(3):  # along the axes
            one[axis] = -bond * cosine * pull[axis]
            two[axis] = bond * sine * across * pull[axis]
            three[axis] = bond * sine * up * pull[axis]
        _cross(axes[atom, 0], two, cross)
        for axis in range(3):
            three[axis] += cross[axis]
        _cross(two, axes[atom, 2], cross)
        for axis in range(3):
            one[axis] += cross[axis]
        inner = _dot(three, axes[atom, 2])
        for axis in range(3):  # along the normal before it was scaled
            own[axis] = (three[axis] - inner * axes[atom, 2, axis]) / sizes[atom, 1]
        for axis in range(3):
            three[axis] = xyz[b, axis] - xyz[a, axis]
        _cross(own, three, cross)
        for axis in range(3):
            one[axis] += cross[axis]
        _cross(axes[atom, 0], own, cross)
        inner = _dot(one, axes[atom, 0])
        for axis in range(3):
            along = (one[axis] - inner * axes[atom, 0, axis]) / sizes[atom, 0]
            pulls[c, axis] += pull[axis] + along
            pulls[b, axis] += cross[axis] - along
            pulls[a, axis] -= cross[axis]
    origin = references[2, 0]
    along = 1.0 if origin == 0 else -1.0
    sine, cosine = xyz[2, 1] / bonds[2], along * (xyz[2, 0] - xyz[origin, 0]) / bonds[2]
    slope[columns[2, 0]] += scales[columns[2, 0]] * (along * cosine * pulls[2, 0] + sine * pulls[2, 1])
    slope[columns[2, 1]] += scales[columns[2, 1]] * bonds[2] * (-along * sine * pulls[2, 0] + cosine * pulls[2, 1])
    if origin == 1:
        pulls[1, 0] += pulls[2, 0]
    slope[columns[1, 0]] += scales[columns[1, 0]] * pulls[1, 0]


@compiled(error_model="numpy")
def displacements(  # type: ignore[no-untyped-def]
    scaled, others, references, columns, offsets, means, scales, apart, slopes
):
    """Fill the mean square displacement in nm^2 between two sets of frames, and its slope along the first's numbers.

    Parameters
    ----------
    scaled, others : (n, n_numbers) float32 array
    references, columns, offsets : int64, int64 and float64 array
        As a `Skeleton` has them.
    means, scales : (n_numbers,) float64 array
    apart : (n,) float32 array
    slopes : (n, n_numbers) float32 array
    """
    n_atoms = len(references)
    made, real, axes = np.empty((n_atoms, 3)), np.empty((n_atoms, 3)), np.zeros((n_atoms, 3, 3))
    placed, sizes, terms = np.empty((n_atoms, 3)), np.zeros((n_atoms, 3)), np.zeros((n_atoms, 6))
    pulls, turn, matrix, bonds = np.empty((n_atoms, 3)), np.empty((3, 3)), np.empty((4, 4)), np.zeros(n_atoms)
    slope = np.empty(len(means))
    for frame in range(len(scaled)):
        _place(others[frame], references, columns, offsets, means, scales, real, axes, sizes, terms)
        _place(scaled[frame], references, columns, offsets, means, scales, placed, axes, sizes, terms)
        for atom in range(1, n_atoms):
            bonds[atom] = _value(scaled[frame], columns[atom, 0], means, scales)
        made[:] = placed
        _centre(made)
        _centre(real)
        _turn(made, real, turn, matrix)
        total = 0.0
        for atom in range(n_atoms):
            for axis in range(3):
                there = 0.0
                for k in range(3):
                    there += turn[k, axis] * real[atom, k]
                pulls[atom, axis] = made[atom, axis] - there
                total += pulls[atom, axis] ** 2
                pulls[atom, axis] *= 2.0 / n_atoms
        apart[frame] = total / n_atoms
        slope[:] = 0.0
        _back(references, columns, scales, bonds, placed, axes, sizes, terms, pulls, slope)
        slopes[frame] = slope

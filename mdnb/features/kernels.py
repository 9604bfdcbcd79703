"""Compiled geometry: one pass over the positions of a chunk, no temporary arrays, the GIL released.

Without a box only; where there is one, mdtraj's periodic functions are used.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = [
    "closest_distances",
    "distance_runs",
    "pair_distances",
    "run_contacts",
    "run_distances",
    "smallest_square_beyond",
    "superposed_rmsd",
    "torsions_sincos",
]


@njit(cache=True, nogil=True)
def pair_distances(positions, pairs, out):  # type: ignore[no-untyped-def]  # compiled: numba infers the types
    """Fill `out` (n_frames, n_pairs) with the distances in nm of atom pairs.

    Parameters
    ----------
    positions : (n_frames, n_atoms, 3) float32 array
    pairs : (n_pairs, 2) int64 array
    out : (n_frames, n_pairs) float32 array
    """
    for frame in range(len(positions)):
        xyz = positions[frame]
        for number in range(len(pairs)):
            i, j = pairs[number, 0], pairs[number, 1]
            x = xyz[j, 0] - xyz[i, 0]
            y = xyz[j, 1] - xyz[i, 1]
            z = xyz[j, 2] - xyz[i, 2]
            out[frame, number] = np.sqrt(x * x + y * y + z * z)


def distance_runs(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return atoms and runs of pairs for `run_distances`.

    Parameters
    ----------
    pairs : (n_pairs, 2) int array

    Returns
    -------
    tuple of array
        The (n,) atoms that occur, in order, and (n_runs, 3) runs of pairs with one first atom whose second
        atoms follow each other among them: the first and the second one's places, and how many pairs.
    """
    atoms, places = np.unique(pairs, return_inverse=True)
    places = places.reshape(-1, 2)
    goes_on = (np.diff(places[:, 0]) == 0) & (np.diff(places[:, 1]) == 1)
    begins = np.concatenate([[0], np.flatnonzero(~goes_on) + 1])
    lengths = np.diff(np.append(begins, len(pairs)))
    return atoms, np.column_stack([places[begins], lengths])


@njit(cache=True, nogil=True)
def run_distances(positions, atoms, runs, out, column):  # type: ignore[no-untyped-def]
    """Fill columns of `out` with the same distances as `pair_distances`, several pairs at once.

    Parameters
    ----------
    positions : (n_frames, n_atoms, 3) float32 array
    atoms : (n,) int64 array
    runs : (n_runs, 3) int64 array
        From `distance_runs`.
    out : (n_frames, n_columns) float32 array
    column : int
        Where the distances begin in a row.
    """
    x, y, z = np.empty(len(atoms), np.float32), np.empty(len(atoms), np.float32), np.empty(len(atoms), np.float32)
    for frame in range(len(positions)):
        xyz = positions[frame]
        for k in range(len(atoms)):
            x[k], y[k], z[k] = xyz[atoms[k], 0], xyz[atoms[k], 1], xyz[atoms[k], 2]
        row = out[frame]
        start = np.uint64(column)  # counted without a sign, places need no look at their sign and go 16 at a time
        for number in range(len(runs)):
            i, j, length = np.uint64(runs[number, 0]), np.uint64(runs[number, 1]), np.uint64(runs[number, 2])
            a, b, c = x[i], y[i], z[i]
            for k in range(length):
                u, v, w = x[j + k] - a, y[j + k] - b, z[j + k] - c
                row[start + k] = np.sqrt(u * u + v * v + w * w)
            start += length


def smallest_square_beyond(cutoff: float) -> np.float32:
    """Return the float32 number x for which ``square < x`` says the same as ``sqrt(square) < cutoff`` in float32."""
    limit = np.float32(cutoff)
    square = limit * limit
    while np.sqrt(square) >= limit:
        square = np.nextafter(square, np.float32(0))
    while np.sqrt(square) < limit:
        square = np.nextafter(square, np.float32(np.inf))
    return square


@njit(cache=True, nogil=True)
def run_contacts(positions, atoms, runs, beyond, out, column):  # type: ignore[no-untyped-def]
    """Fill columns of `out` (uint8) with 1 where the square of a distance is smaller than `beyond`, else with 0.

    Parameters
    ----------
    positions, atoms, runs, column
        As in `run_distances`.
    beyond : float32
        From `smallest_square_beyond`.
    out : (n_frames, n_columns) uint8 array
    """
    x, y, z = np.empty(len(atoms), np.float32), np.empty(len(atoms), np.float32), np.empty(len(atoms), np.float32)
    for frame in range(len(positions)):
        xyz = positions[frame]
        for k in range(len(atoms)):
            x[k], y[k], z[k] = xyz[atoms[k], 0], xyz[atoms[k], 1], xyz[atoms[k], 2]
        row = out[frame]
        start = np.uint64(column)  # counted without a sign, places need no look at their sign and go 16 at a time
        for number in range(len(runs)):
            i, j, length = np.uint64(runs[number, 0]), np.uint64(runs[number, 1]), np.uint64(runs[number, 2])
            a, b, c = x[i], y[i], z[i]
            for k in range(length):
                u, v, w = x[j + k] - a, y[j + k] - b, z[j + k] - c
                row[start + k] = np.uint8(u * u + v * v + w * w < beyond)
            start += length


@njit(cache=True, nogil=True)
def superposed_rmsd(positions, atoms, reference, out, column):  # type: ignore[no-untyped-def]
    """Fill a column of `out` with the RMSD in nm from a reference, after the best superposition.

    The largest eigenvalue of the quaternion matrix is found by Newton's method from above, in double precision.
    Where it is (nearly) a double one, as of atoms on a line, that would be inexact: those frames are left at -1.

    Parameters
    ----------
    positions : (n_frames, n_atoms, 3) float32 array
    atoms : (n_chosen,) int64 array
    reference : (n_chosen, 3) float64 array
        Centred.
    out : (n_frames, n_columns) float32 array
    column : int

    References
    ----------
    Theobald, Acta Cryst. A 61, 478 (2005), https://doi.org/10.1107/S0108767305015266
    """
    n = len(atoms)
    square = 0.0
    for k in range(n):
        square += reference[k, 0] ** 2 + reference[k, 1] ** 2 + reference[k, 2] ** 2
    for frame in range(len(positions)):
        xyz = positions[frame]
        x0, y0, z0 = np.float64(xyz[atoms[0], 0]), np.float64(xyz[atoms[0], 1]), np.float64(xyz[atoms[0], 2])
        mx = my = mz = own = 0.0
        xx = xy = xz = yx = yy = yz = zx = zy = zz = 0.0
        for k in range(n):
            x, y, z = xyz[atoms[k], 0] - x0, xyz[atoms[k], 1] - y0, xyz[atoms[k], 2] - z0
            a, b, c = reference[k, 0], reference[k, 1], reference[k, 2]
            mx += x
            my += y
            mz += z
            own += x * x + y * y + z * z
            xx += x * a  # the reference is centred, so that the frame's own centre does not matter here
            xy += x * b
            xz += x * c
            yx += y * a
            yy += y * b
            yz += y * c
            zx += z * a
            zy += z * b
            zz += z * c
        own -= (mx * mx + my * my + mz * mz) / n
        if not np.isfinite(own):
            out[frame, column] = np.nan
            continue
        # The characteristic polynomial l^4 + c2 l^2 + c1 l + c0.
        norm = xx * xx + xy * xy + xz * xz + yx * yx + yy * yy + yz * yz + zx * zx + zy * zy + zz * zz
        c2 = -2.0 * norm
        c1 = -8.0 * (xx * (yy * zz - yz * zy) - xy * (yx * zz - yz * zx) + xz * (yx * zy - yy * zx))
        a, b, c = xx * xx + yx * yx + zx * zx, xy * xy + yy * yy + zy * zy, xz * xz + yz * yz + zz * zz
        d, e, f = xx * xy + yx * yy + zx * zy, xx * xz + yx * yz + zx * zz, xy * xz + yy * yz + zy * zz
        minors = a * b - d * d + a * c - e * e + b * c - f * f
        c0 = norm * norm - 4.0 * minors
        largest = 0.5 * (own + square)
        slope = 0.0
        for _ in range(60):
            second = largest * largest
            slope = 4.0 * second * largest + 2.0 * c2 * largest + c1
            if slope <= 0.0:
                break
            step = ((second + c2) * second + c1 * largest + c0) / slope
            largest -= step
            if abs(step) <= 1e-14 * largest:
                break
        if norm > 0.0 and slope <= 1e-3 * largest * largest * largest:
            out[frame, column] = -1.0
            continue
        out[frame, column] = np.sqrt(max(own + square - 2.0 * largest, 0.0) / n)


@njit(cache=True, nogil=True)
def closest_distances(positions, pairs, starts, out):  # type: ignore[no-untyped-def]
    """Fill `out` (n_frames, n_groups) with the smallest distance in nm of each group of atom pairs.

    Parameters
    ----------
    positions : (n_frames, n_atoms, 3) float32 array
    pairs : (n_pairs, 2) int64 array
        The groups one after another.
    starts : (n_groups + 1,) int64 array
        Where each group begins in `pairs`, and where the last one ends.
    out : (n_frames, n_groups) float32 array
    """
    for frame in range(len(positions)):
        xyz = positions[frame]
        for group in range(len(starts) - 1):
            least = np.float32(np.inf)
            for number in range(starts[group], starts[group + 1]):
                i, j = pairs[number, 0], pairs[number, 1]
                x = xyz[j, 0] - xyz[i, 0]
                y = xyz[j, 1] - xyz[i, 1]
                z = xyz[j, 2] - xyz[i, 2]
                square = x * x + y * y + z * z
                least = min(least, square)
            out[frame, group] = np.sqrt(least)


@njit(cache=True, nogil=True)
def torsions_sincos(positions, quads, out, column):  # type: ignore[no-untyped-def]
    """Fill columns of `out` with sine and cosine of torsions, without an arc tangent.

    Parameters
    ----------
    positions : (n_frames, n_atoms, 3) float32 array
    quads : (n_torsions, 4) int64 array
    out : (n_frames, n_columns) float32 array
    column : int
        Where the 2 n_torsions numbers begin in a row.
    """
    for frame in range(len(positions)):
        xyz = positions[frame]
        for number in range(len(quads)):
            a, b, c, d = quads[number, 0], quads[number, 1], quads[number, 2], quads[number, 3]
            ux, uy, uz = xyz[b, 0] - xyz[a, 0], xyz[b, 1] - xyz[a, 1], xyz[b, 2] - xyz[a, 2]
            vx, vy, vz = xyz[c, 0] - xyz[b, 0], xyz[c, 1] - xyz[b, 1], xyz[c, 2] - xyz[b, 2]
            wx, wy, wz = xyz[d, 0] - xyz[c, 0], xyz[d, 1] - xyz[c, 1], xyz[d, 2] - xyz[c, 2]
            px, py, pz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
            qx, qy, qz = vy * wz - vz * wy, vz * wx - vx * wz, vx * wy - vy * wx
            length = np.sqrt(vx * vx + vy * vy + vz * vz)
            sine = length * (ux * qx + uy * qy + uz * qz)
            cosine = px * qx + py * qy + pz * qz
            norm = np.sqrt(sine * sine + cosine * cosine)
            out[frame, column + 2 * number] = sine / norm
            out[frame, column + 2 * number + 1] = cosine / norm

"""Compiled distances: one pass over the positions of a chunk, no temporary arrays, the GIL released.

Without a box; `mdnb.features.periodic_kernels` has those of nearest images.
"""

from __future__ import annotations

import numpy as np

from mdnb.compiled import compiled

__all__ = [
    "closest_distances",
    "distance_runs",
    "pair_distances",
    "run_distances",
]


@compiled()
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


@compiled()
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


@compiled()
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

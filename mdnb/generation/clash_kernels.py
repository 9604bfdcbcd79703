"""Compiled distances of all pairs of atoms: the nearest of all frames, and how many are too near."""

from __future__ import annotations

import numpy as np

from mdnb.compiled import compiled

__all__ = ["count_clashes", "lower_squares"]


@compiled()
def lower_squares(xyz, pairs, least):  # type: ignore[no-untyped-def]  # compiled: numba infers the types
    """Lower `least` (n_pairs,) to the smallest squared distance of each pair over the frames (n, n_atoms, 3)."""
    for frame in range(len(xyz)):
        for row in range(len(pairs)):
            i, j = pairs[row, 0], pairs[row, 1]
            x = xyz[frame, i, 0] - xyz[frame, j, 0]
            y = xyz[frame, i, 1] - xyz[frame, j, 1]
            z = xyz[frame, i, 2] - xyz[frame, j, 2]
            square = x * x + y * y + z * z
            if square < least[row]:
                least[row] = square


@compiled()
def count_clashes(xyz, pairs, squares):  # type: ignore[no-untyped-def]
    """Return how many pairs of each frame are nearer than allowed, (n,); those that are not numbers count."""
    counts = np.zeros(len(xyz), np.int64)
    for frame in range(len(xyz)):
        found = 0
        for row in range(len(pairs)):
            i, j = pairs[row, 0], pairs[row, 1]
            x = xyz[frame, i, 0] - xyz[frame, j, 0]
            y = xyz[frame, i, 1] - xyz[frame, j, 1]
            z = xyz[frame, i, 2] - xyz[frame, j, 2]
            if not x * x + y * y + z * z >= squares[row]:
                found += 1
        counts[frame] = found
    return counts

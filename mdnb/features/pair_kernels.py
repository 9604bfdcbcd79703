"""Compiled search for all pairs of atoms nearer than a cutoff, through cells where the box is large enough."""

from __future__ import annotations

import numpy as np

from mdnb.compiled import compiled
from mdnb.periodic import nearest

__all__ = ["coordination_numbers", "pair_histogram"]


@compiled()
def _cell_counts(box, cutoff, n_atoms):  # type: ignore[no-untyped-def]  # compiled: numba infers the types
    """Return the numbers of cells along the three axes, none thinner than the cutoff; 0 where there is none.

    One or two will do: the cells around are then images of each other, each with a shift of its own.
    """
    counts = np.zeros(3, np.int64)
    if box[13, 0] == 0:
        return counts
    most = max(3, int(np.ceil(n_atoms ** (1 / 3))))
    for k in range(3):
        width = 1 / np.sqrt(box[k, 0] ** 2 + box[k, 1] ** 2 + box[k, 2] ** 2)
        counts[k] = min(int(np.floor(width / cutoff)), most)
    if counts.min() < 1:
        counts[:] = 0
    return counts


@compiled()
def _into_cells(xyz, atoms, box, counts, cells, places):  # type: ignore[no-untyped-def]
    """Fill the cell (n, 3) of each atom and its place (n, 3) inside the box."""
    for row in range(len(atoms)):
        x, y, z = np.float64(xyz[atoms[row], 0]), np.float64(xyz[atoms[row], 1]), np.float64(xyz[atoms[row], 2])
        places[row] = 0.0
        for k in range(3):
            part = x * box[k, 0] + y * box[k, 1] + z * box[k, 2]
            part -= np.floor(part)
            if not part < 1.0:
                part = 0.0
            cells[row, k] = min(int(part * counts[k]), counts[k] - 1)
            for axis in range(3):
                places[row, axis] += part * box[3 + k, axis]


@compiled()
def _sort(cells, counts):  # type: ignore[no-untyped-def]
    """Return where each cell's atoms begin, and the atoms in the order of their cells."""
    starts = np.zeros(counts[0] * counts[1] * counts[2] + 1, np.int64)
    flat = np.empty(len(cells), np.int64)
    for row in range(len(cells)):
        flat[row] = (cells[row, 0] * counts[1] + cells[row, 1]) * counts[2] + cells[row, 2]
        starts[flat[row] + 1] += 1
    starts = np.cumsum(starts)
    free = starts[:-1].copy()
    order = np.empty(len(cells), np.int64)
    for row in range(len(cells)):
        order[free[flat[row]]] = row
        free[flat[row]] += 1
    return starts, order


@compiled()
def _note(square, row, low, high, smooth, middle, width, bins, sums):  # type: ignore[no-untyped-def]
    """Count one pair: into a bin of its distance, or into the sum of its first atom."""
    distance = np.sqrt(square)
    if len(bins):
        if distance >= low:
            bins[min(int((distance - low) / (high - low) * len(bins)), len(bins) - 1)] += 1
    elif smooth:
        sums[row] += 1 / (1 + np.exp((distance - middle) / width))
    else:
        sums[row] += 1.0 if distance < middle else 0.0


@compiled()
def _visit(xyz, first, second, box, low, high, smooth, middle, width, bins, sums):  # type: ignore[no-untyped-def]
    """Count all pairs of an atom of `first` and another one of `second` that are nearer than `high`."""
    counts = _cell_counts(box, high, len(second))
    limit = high * high
    if counts[0] == 0:
        for row in range(len(first)):
            i = first[row]
            for j in second:
                if i == j:
                    continue
                x, y, z = nearest(
                    np.float64(xyz[j, 0]) - np.float64(xyz[i, 0]),
                    np.float64(xyz[j, 1]) - np.float64(xyz[i, 1]),
                    np.float64(xyz[j, 2]) - np.float64(xyz[i, 2]),
                    box,
                )
                square = x * x + y * y + z * z
                if square < limit:
                    _note(square, row, low, high, smooth, middle, width, bins, sums)
        return
    cells, places = np.empty((len(second), 3), np.int64), np.empty((len(second), 3))
    _into_cells(xyz, second, box, counts, cells, places)
    starts, order = _sort(cells, counts)
    sorted_places = places[order]
    sorted_atoms = second[order]
    cells, places = np.empty((len(first), 3), np.int64), np.empty((len(first), 3))
    _into_cells(xyz, first, box, counts, cells, places)
    around, turn = np.empty(3, np.int64), np.empty(3)
    for row in range(len(first)):
        for step in range(27):
            offsets = (step // 9 - 1, step // 3 % 3 - 1, step % 3 - 1)
            for k in range(3):
                around[k] = cells[row, k] + offsets[k]
                turn[k] = 0.0
                if around[k] < 0:
                    around[k] += counts[k]
                    turn[k] = -1.0
                elif around[k] >= counts[k]:
                    around[k] -= counts[k]
                    turn[k] = 1.0
            a = places[row, 0] - (turn[0] * box[3, 0] + turn[1] * box[4, 0] + turn[2] * box[5, 0])
            b = places[row, 1] - (turn[0] * box[3, 1] + turn[1] * box[4, 1] + turn[2] * box[5, 1])
            c = places[row, 2] - (turn[0] * box[3, 2] + turn[1] * box[4, 2] + turn[2] * box[5, 2])
            cell = (around[0] * counts[1] + around[1]) * counts[2] + around[2]
            for m in range(starts[cell], starts[cell + 1]):
                x, y, z = sorted_places[m, 0] - a, sorted_places[m, 1] - b, sorted_places[m, 2] - c
                square = x * x + y * y + z * z
                if square < limit and sorted_atoms[m] != first[row]:
                    _note(square, row, low, high, smooth, middle, width, bins, sums)


@compiled()
def pair_histogram(positions, first, second, boxes, low, high, out):  # type: ignore[no-untyped-def]
    """Fill `out` (n_frames, n_bins) with the number of ordered pairs whose nearest images are that far apart.

    Parameters
    ----------
    positions : (n_frames, n_atoms, 3) float32 array
    first, second : int64 arrays
        Atoms; an atom is no pair with itself.
    boxes : (n_frames, 14, 3) float64 array
        From `periodic.describe_boxes`; half of the shortest vector must be at least `high`.
    low, high : float
        Where the bins begin and end, in nm.
    out : (n_frames, n_bins) int64 array
    """
    none = np.empty(0)
    for frame in range(len(positions)):
        out[frame] = 0
        _visit(positions[frame], first, second, boxes[frame], low, high, False, 0.0, 1.0, out[frame], none)


@compiled()
def coordination_numbers(positions, first, second, boxes, cutoff, width, high, out):  # type: ignore[no-untyped-def]
    """Fill `out` (n_frames, n_first) with how many atoms of `second` surround each one of `first`.

    Parameters
    ----------
    positions : (n_frames, n_atoms, 3) float32 array
    first, second : int64 arrays
    boxes : (n_frames, 14, 3) float64 array
    cutoff, width : float
        A pair counts ``1 / (1 + exp((d - cutoff) / width))``; for a width of 0, 1 below the cutoff and else 0.
    high : float
        No pair further apart, in nm, is counted.
    out : (n_frames, n_first) float64 array
    """
    none = np.empty(0, np.int64)
    for frame in range(len(positions)):
        out[frame] = 0.0
        _visit(
            positions[frame], first, second, boxes[frame], 0.0, high, width > 0, cutoff, width, none, out[frame]
        )  # fmt: skip

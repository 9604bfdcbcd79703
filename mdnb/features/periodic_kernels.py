"""Compiled geometry in a periodic box: nearest images, rectangular boxes several pairs at once, any other exactly."""

from __future__ import annotations

import numpy as np

from mdnb.compiled import compiled
from mdnb.periodic import nearest

__all__ = ["closest_images", "group_images", "image_distances"]


@compiled()
def image_distances(positions, atoms, runs, boxes, out, column):  # type: ignore[no-untyped-def]  # compiled
    """Fill columns of `out` with distances in nm of nearest images.

    Parameters
    ----------
    positions : (n_frames, n_atoms, 3) float32 array
    atoms, runs : int64 arrays
        From `kernels.distance_runs`.
    boxes : (n_frames, 14, 3) float64 array
        From `periodic.describe_boxes`.
    out : (n_frames, n_columns) float32 array
    column : int
        Where the distances begin in a row.
    """
    x, y, z = np.empty(len(atoms), np.float32), np.empty(len(atoms), np.float32), np.empty(len(atoms), np.float32)
    for frame in range(len(positions)):
        xyz, box = positions[frame], boxes[frame]
        rectangular = box[13, 0] == 1
        lx, ly, lz = np.float32(box[3, 0]), np.float32(box[4, 1]), np.float32(box[5, 2])
        ix, iy, iz = np.float32(box[0, 0]), np.float32(box[1, 1]), np.float32(box[2, 2])
        for k in range(len(atoms)):
            x[k], y[k], z[k] = xyz[atoms[k], 0], xyz[atoms[k], 1], xyz[atoms[k], 2]
        row = out[frame]
        start = column
        for number in range(len(runs)):
            i, j, length = runs[number, 0], runs[number, 1], runs[number, 2]
            a, b, c = x[i], y[i], z[i]
            if rectangular:
                for k in range(length):
                    u, v, w = x[j + k] - a, y[j + k] - b, z[j + k] - c
                    u -= lx * np.rint(u * ix)
                    v -= ly * np.rint(v * iy)
                    w -= lz * np.rint(w * iz)
                    row[start + k] = np.sqrt(u * u + v * v + w * w)
            else:
                for k in range(length):
                    p, q, r = nearest(
                        np.float64(x[j + k]) - np.float64(a),
                        np.float64(y[j + k]) - np.float64(b),
                        np.float64(z[j + k]) - np.float64(c),
                        box,
                    )
                    row[start + k] = np.sqrt(p * p + q * q + r * r)
            start += length


@compiled()
def _image_square(xyz, i, j, box):  # type: ignore[no-untyped-def]
    """Return the squared distance of nearest images, in nm^2."""
    x, y, z = nearest(
        np.float64(xyz[j, 0]) - np.float64(xyz[i, 0]),
        np.float64(xyz[j, 1]) - np.float64(xyz[i, 1]),
        np.float64(xyz[j, 2]) - np.float64(xyz[i, 2]),
        box,
    )
    return x * x + y * y + z * z


@compiled()
def closest_images(positions, pairs, starts, boxes, out):  # type: ignore[no-untyped-def]
    """Fill `out` (n_frames, n_groups) with the smallest distance in nm of each group of pairs, of nearest images.

    Parameters
    ----------
    positions : (n_frames, n_atoms, 3) float32 array
    pairs : (n_pairs, 2) int64 array
        The groups one after another.
    starts : (n_groups + 1,) int64 array
        Where each group begins in `pairs`, and where the last one ends.
    boxes : (n_frames, 14, 3) float64 array
    out : (n_frames, n_groups) float32 array
    """
    for frame in range(len(positions)):
        xyz, box = positions[frame], boxes[frame]
        for group in range(len(starts) - 1):
            least = np.inf
            for number in range(starts[group], starts[group + 1]):
                least = min(least, _image_square(xyz, pairs[number, 0], pairs[number, 1], box))
            out[frame, group] = np.sqrt(least)


@compiled()
def group_images(positions, atoms, starts, boxes, out):  # type: ignore[no-untyped-def]
    """Fill `out` (n_frames, n, n) with the closest distance in nm between each two groups, of nearest images.

    Parameters
    ----------
    positions : (n_frames, n_atoms, 3) float32 array
    atoms : int64 array
        The groups one after another.
    starts : (n + 1,) int64 array
        Where each group begins in `atoms`, and where the last one ends.
    boxes : (n_frames, 14, 3) float64 array
    out : (n_frames, n, n) float32 array
    """
    n_groups = len(starts) - 1
    for frame in range(len(positions)):
        xyz, box = positions[frame], boxes[frame]
        for a in range(n_groups):
            out[frame, a, a] = 0.0
            for b in range(a + 1, n_groups):
                least = np.inf
                for k in range(starts[a], starts[a + 1]):
                    for m in range(starts[b], starts[b + 1]):
                        least = min(least, _image_square(xyz, atoms[k], atoms[m], box))
                out[frame, a, b] = out[frame, b, a] = np.sqrt(least)

"""Compiled sine and cosine of torsions, without an arc tangent; in a periodic box along nearest images."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mdnb.compiled import compiled
from mdnb.periodic import nearest

__all__ = ["torsion_path", "torsions_sincos"]


def torsion_path(quads: Iterable[Iterable[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Return a path through atoms of which each torsion is four successive ones, and where in it each begins.

    Along a backbone torsions share atoms, so that the path is short and its bonds are computed once.

    Parameters
    ----------
    quads : (n_torsions, 4) ints

    Returns
    -------
    tuple of int64 array
        The atoms of the path, which may come several times, and (n_torsions,) places.
    """
    path: list[int] = []
    places = []
    known: dict[tuple[int, ...], int] = {}
    for quad in (tuple(int(atom) for atom in one) for one in quads):
        if quad not in known:
            shared = next(n for n in (3, 2, 1, 0) if tuple(path[len(path) - n :]) == quad[:n])
            path.extend(quad[shared:])
            known[quad] = len(path) - 4
        places.append(known[quad])
    return np.array(path, np.int64), np.array(places, np.int64)


@compiled(error_model="numpy")
def _edges(xyz, path, boxes, frame, x, y, z):  # type: ignore[no-untyped-def]  # compiled: numba infers the types
    """Fill x, y, z with the vectors from each atom of the path to the next, of nearest images where there is a box."""
    for k in range(len(path)):
        x[k], y[k], z[k] = xyz[path[k], 0], xyz[path[k], 1], xyz[path[k], 2]
    for k in range(np.uint64(len(path) - 1)):
        x[k], y[k], z[k] = x[k + 1] - x[k], y[k + 1] - y[k], z[k + 1] - z[k]
    if len(boxes) == 0:
        return
    box = boxes[frame]
    near = np.float32(0.99 * box[13, 1])
    for k in range(len(path) - 1):
        if not x[k] * x[k] + y[k] * y[k] + z[k] * z[k] < near:
            i, j = path[k], path[k + 1]
            u, v, w = nearest(
                np.float64(xyz[j, 0]) - np.float64(xyz[i, 0]),
                np.float64(xyz[j, 1]) - np.float64(xyz[i, 1]),
                np.float64(xyz[j, 2]) - np.float64(xyz[i, 2]),
                box,
            )
            x[k], y[k], z[k] = np.float32(u), np.float32(v), np.float32(w)


@compiled(error_model="numpy")
def _around(x, y, z, sines, cosines):  # type: ignore[no-untyped-def]
    """Fill the sine and cosine of the torsion about the second of each three successive vectors; several at once."""
    for k in range(np.uint64(len(sines))):
        ux, uy, uz = x[k], y[k], z[k]
        vx, vy, vz = x[k + 1], y[k + 1], z[k + 1]
        wx, wy, wz = x[k + 2], y[k + 2], z[k + 2]
        px, py, pz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        qx, qy, qz = vy * wz - vz * wy, vz * wx - vx * wz, vx * wy - vy * wx
        sine = np.sqrt(vx * vx + vy * vy + vz * vz) * (ux * qx + uy * qy + uz * qz)
        cosine = px * qx + py * qy + pz * qz
        norm = np.sqrt(sine * sine + cosine * cosine)
        sines[k], cosines[k] = sine / norm, cosine / norm


@compiled(error_model="numpy")
def torsions_sincos(positions, path, places, boxes, out, column):  # type: ignore[no-untyped-def]
    """Fill columns of `out` with sine and cosine of torsions; NaN where atoms coincide or three lie on a line.

    Parameters
    ----------
    positions : (n_frames, n_atoms, 3) float32 array
    path, places : int64 arrays
        From `torsion_path`.
    boxes : (n_frames, 14, 3) float64 array
        From `periodic.describe_boxes`; none where there is no box.
    out : (n_frames, n_columns) float32 array
    column : int
        Where the 2 n_torsions numbers begin in a row.
    """
    n = len(path)
    if n == 0:
        return
    x, y, z = np.empty(n, np.float32), np.empty(n, np.float32), np.empty(n, np.float32)
    sines, cosines = np.empty(n - 3, np.float32), np.empty(n - 3, np.float32)
    for frame in range(len(positions)):
        _edges(positions[frame], path, boxes, frame, x, y, z)
        _around(x, y, z, sines, cosines)
        row = out[frame]
        for number in range(len(places)):
            row[column + 2 * number] = sines[places[number]]
            row[column + 2 * number + 1] = cosines[places[number]]

"""Compiled distances: several pairs at once, no temporary arrays, the GIL released; nearest images in a box.

Where it says boxes, it takes those of `Chunk.images`: one row a frame, or none where there is no box.
"""

from __future__ import annotations

import numpy as np

from mdnb.compiled import compiled

__all__ = [
    "closest_distances",
    "distance_runs",
    "far_from_images",
    "pair_distances",
    "run_distances",
]


@compiled()
def pair_distances(positions, pairs, out):  # type: ignore[no-untyped-def]  # compiled: numba infers the types
    """Fill `out` (n_frames, n_pairs) with the distances in nm of atom pairs, without a box.

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
    occurs = np.bincount(pairs.ravel()) > 0
    atoms, places = np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[pairs]
    goes_on = (np.diff(places[:, 0]) == 0) & (np.diff(places[:, 1]) == 1)
    begins = np.concatenate([[0], np.flatnonzero(~goes_on) + 1])
    lengths = np.diff(np.append(begins, len(pairs)))
    return atoms, np.column_stack([places[begins], lengths])


@compiled(error_model="numpy")
def _shorten(u, v, w, vector):  # type: ignore[no-untyped-def]
    """Take from each vector the multiple of another one that makes it shortest; return 0 where none changed."""
    p, q, r = np.float32(vector[0]), np.float32(vector[1]), np.float32(vector[2])
    inverse = np.float32(1.0 / (vector * vector).sum())
    changed = np.int32(0)
    for k in range(np.uint64(len(u))):
        times = np.rint((u[k] * p + v[k] * q + w[k] * r) * inverse)
        changed |= np.int32(times)
        u[k] -= times * p
        v[k] -= times * q
        w[k] -= times * r
    return changed


@compiled(error_model="numpy")
def _nearest_squares(x, y, z, a, b, c, box, u, v, w, which, squares):  # type: ignore[no-untyped-def]
    """Fill the squared distances of nearest images of x, y, z from a, b, c; u, v, w and `which` are written over."""
    n = np.uint64(len(x))
    near, far = np.float32(0.9999 * box[13, 1]), np.int32(0)
    for k in range(n):
        p, q, r = x[k] - a, y[k] - b, z[k] - c
        square = p * p + q * q + r * r
        far |= np.int32(square > near)
        u[k], v[k], w[k], squares[k] = p, q, r, square
    if far == 0:
        return
    if box[13, 0] == 1:
        lx, ly, lz = np.float32(box[3, 0]), np.float32(box[4, 1]), np.float32(box[5, 2])
        ix, iy, iz = np.float32(box[0, 0]), np.float32(box[1, 1]), np.float32(box[2, 2])
        for k in range(n):
            p, q, r = u[k] - lx * np.rint(u[k] * ix), v[k] - ly * np.rint(v[k] * iy), w[k] - lz * np.rint(w[k] * iz)
            squares[k] = p * p + q * q + r * r
        return
    m = np.uint64(0)
    for k in range(n):  # those that an image may be nearer to, without a branch
        which[m] = k
        m += np.uint64(squares[k] > near)
    # Into the reduced box, and then along the vectors towards its neighbours, until none of them shortens anything.
    for k in range(m):
        p, q, r = np.float64(u[which[k]]), np.float64(v[which[k]]), np.float64(w[which[k]])
        i = np.rint(p * box[0, 0] + q * box[0, 1] + r * box[0, 2])
        j = np.rint(p * box[1, 0] + q * box[1, 1] + r * box[1, 2])
        h = np.rint(p * box[2, 0] + q * box[2, 1] + r * box[2, 2])
        u[k] = np.float32(p - (i * box[3, 0] + j * box[4, 0] + h * box[5, 0]))
        v[k] = np.float32(q - (i * box[3, 1] + j * box[4, 1] + h * box[5, 1]))
        w[k] = np.float32(r - (i * box[3, 2] + j * box[4, 2] + h * box[5, 2]))
    for _ in range(100):
        changed = np.int32(0)
        for row in range(6, 13):
            changed |= _shorten(u[:m], v[:m], w[:m], box[row])
        if changed == 0:
            break
    for k in range(m):
        squares[which[k]] = u[k] * u[k] + v[k] * v[k] + w[k] * w[k]


@compiled(error_model="numpy")
def run_distances(positions, atoms, runs, boxes, out, column):  # type: ignore[no-untyped-def]
    """Fill columns of `out` with distances in nm of pairs of atoms.

    Parameters
    ----------
    positions : (n_frames, n_atoms, 3) float32 array
    atoms : (n,) int64 array
    runs : (n_runs, 3) int64 array
        From `distance_runs`.
    boxes : (n_frames or 0, 14, 3) float64 array
    out : (n_frames, n_columns) float32 array
    column : int
        Where the distances begin in a row.
    """
    n = len(atoms)
    places, work, which = np.empty((3, n), np.float32), np.empty((3, n), np.float32), np.empty(n, np.uint32)
    x, y, z = places[0], places[1], places[2]
    for frame in range(len(positions)):
        xyz = positions[frame]
        for k in range(n):
            x[k], y[k], z[k] = xyz[atoms[k], 0], xyz[atoms[k], 1], xyz[atoms[k], 2]
        row = out[frame]
        start = np.uint64(column)  # counted without a sign, places need no look at their sign and go 16 at a time
        for number in range(len(runs)):
            i, j, length = np.uint64(runs[number, 0]), np.uint64(runs[number, 1]), np.uint64(runs[number, 2])
            a, b, c = x[i], y[i], z[i]
            if len(boxes):
                some = row[start : start + length]
                _nearest_squares(
                    x[j : j + length], y[j : j + length], z[j : j + length], a, b, c, boxes[frame],
                    work[0, :length], work[1, :length], work[2, :length], which, some,
                )  # fmt: skip
                for k in range(length):
                    some[k] = np.sqrt(some[k])
            else:
                for k in range(length):
                    u, v, w = x[j + k] - a, y[j + k] - b, z[j + k] - c
                    row[start + k] = np.sqrt(u * u + v * v + w * w)
            start += length


@compiled(error_model="numpy")
def closest_distances(positions, atoms, starts, pairs, boxes, out):  # type: ignore[no-untyped-def]
    """Fill `out` (n_frames, n_pairs) with the smallest distance in nm between the atoms of two groups, for each pair.

    For each atom of a group come all atoms of the groups that it is paired with, in one go.

    Parameters
    ----------
    positions : (n_frames, n_atoms, 3) float32 array
    atoms : int64 array
        The groups one after another.
    starts : (n_groups + 1,) int64 array
        Where each group begins in `atoms`, and where the last one ends.
    pairs : (n_pairs, 2) int64 array
        Of groups; fast where pairs of the same first group follow each other.
    boxes : (n_frames or 0, 14, 3) float64 array
    out : (n_frames, n_pairs) float32 array
    """
    n = len(atoms)
    places, work, which = np.empty((3, n), np.float32), np.empty((3, n), np.float32), np.empty(n, np.uint32)
    x, y, z = places[0], places[1], places[2]
    squares, least = np.empty(n, np.float32), np.empty(n, np.float32)
    for frame in range(len(positions)):
        xyz = positions[frame]
        for k in range(n):
            x[k], y[k], z[k] = xyz[atoms[k], 0], xyz[atoms[k], 1], xyz[atoms[k], 2]
        row = out[frame]
        end = 0
        while end < len(pairs):
            number, group = end, pairs[end, 0]
            first, last = pairs[end, 1], pairs[end, 1]
            while end < len(pairs) and pairs[end, 0] == group:
                first, last = min(first, pairs[end, 1]), max(last, pairs[end, 1])
                end += 1
            begin = np.uint64(starts[first])
            length = np.uint64(starts[last + 1]) - begin
            least[:length] = np.inf
            for i in range(starts[group], starts[group + 1]):
                a, b, c = x[i], y[i], z[i]
                if len(boxes):
                    _nearest_squares(
                        x[begin : begin + length], y[begin : begin + length], z[begin : begin + length], a, b, c,
                        boxes[frame], work[0, :length], work[1, :length], work[2, :length], which, squares[:length],
                    )  # fmt: skip
                    for k in range(length):
                        least[k] = min(least[k], squares[k])
                else:
                    for k in range(length):
                        u, v, w = x[begin + k] - a, y[begin + k] - b, z[begin + k] - c
                        least[k] = min(least[k], u * u + v * v + w * w)
            for pair in range(number, end):
                other = pairs[pair, 1]
                smallest = np.float32(np.inf)
                for k in range(np.uint64(starts[other]) - begin, np.uint64(starts[other + 1]) - begin):
                    smallest = min(smallest, least[k])
                row[pair] = np.sqrt(smallest)


@compiled(error_model="numpy")
def far_from_images(positions, atoms, boxes, reach):  # type: ignore[no-untyped-def]
    """Return whether, in every frame, no two of the atoms are closer than `reach` (nm) but as they stand.

    An image is shifted, along one of the seven vectors between neighbouring cells, by the length of that vector or more
    (they bound the cell of points nearer to 0 than to any image): it is told from how wide the atoms are along each.

    Parameters
    ----------
    positions : (n_frames, n_atoms, 3) float32 array
    atoms : int64 array
    boxes : (n_frames or 0, 14, 3) float64 array
    reach : float

    References
    ----------
    Conway and Sloane, Proc. R. Soc. Lond. A 436, 55 (1992), https://doi.org/10.1098/rspa.1992.0004
    """
    n = len(atoms)
    x, y, z = np.empty(n, np.float32), np.empty(n, np.float32), np.empty(n, np.float32)
    for frame in range(len(boxes)):
        xyz, box = positions[frame], boxes[frame]
        if box[13, 0] == 0:
            continue
        for k in range(n):
            x[k], y[k], z[k] = xyz[atoms[k], 0], xyz[atoms[k], 1], xyz[atoms[k], 2]
        for row in range(6, 13):
            length = np.sqrt((box[row] * box[row]).sum())
            p, q, r = np.float32(box[row, 0]), np.float32(box[row, 1]), np.float32(box[row, 2])
            least = most = p * x[0] + q * y[0] + r * z[0]
            for k in range(n):
                along = p * x[k] + q * y[k] + r * z[k]
                least, most = min(least, along), max(most, along)
            if not length - (most - least) / length > 1.0001 * reach:
                return False
    return True

"""The nearest of many structures to each of many others, by RMSD after the best superposition, exactly and quickly."""

from __future__ import annotations

import numpy as np
from numba import njit
from threadpoolctl import threadpool_limits

__all__ = ["nearest_rmsd"]

#: Atoms whose distances bound the RMSD from below, and the directions in which those distances are compared.
_ANCHORS, _DIRECTIONS = 16, 16


def nearest_rmsd(
    queries: np.ndarray, pool: np.ndarray, groups: tuple[np.ndarray, np.ndarray] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the RMSD of each query to the nearest structure of a pool, and which one that is.

    The distances between atoms bound the RMSD from below: after superposition the distance of two atoms differs by at
    most the difference of their two displacements, and the squares of these over all pairs of m atoms add up to at
    most m times the sum of the squared displacements, m n RMSD^2 for n atoms. Only structures whose bound is below the
    best RMSD so far are superposed; the result is exact.

    Parameters
    ----------
    queries : (n_queries, n_atoms, 3) array
        In nm.
    pool : (n_pool, n_atoms, 3) array
    groups : (n_queries,) and (n_pool,) int arrays, optional
        Structures of the pool in a query's own group do not count.

    Returns
    -------
    tuple of (n_queries,) array
        The RMSD in nm, and the place of the nearest structure in the pool; infinite where no structure counts.

    References
    ----------
    Theobald, Acta Cryst. A 61, 478 (2005), https://doi.org/10.1107/S0108767305015266
    """
    own, others = (_centred(one) for one in (queries, pool))
    n_atoms = own.shape[1]
    anchors = np.unique(np.linspace(0, n_atoms - 1, min(n_atoms, _ANCHORS)).astype(int))
    first, second = np.triu_indices(len(anchors), 1)
    lengths = [np.linalg.norm(one[:, anchors[first]] - one[:, anchors[second]], axis=-1) for one in (own, others)]
    with threadpool_limits(1):
        middle = lengths[1].mean(0)
        # Projections shorten distances, so that the bound holds in any number of directions.
        axes = np.linalg.svd((lengths[1] - middle)[:: 1 + len(pool) // 5000], full_matrices=False)[2]
        a, b = (((one - middle) @ axes[:_DIRECTIONS].T).astype(np.float32) for one in lengths)
        scale = np.float32(1.0 / (len(anchors) * n_atoms))
        best, which = np.empty(len(own)), np.empty(len(own), np.int64)
        of_own, of_others = np.square(a).sum(1), np.square(b).sum(1)
        slack = np.float32(1e-6) * (of_own + of_others.max())  # what single precision may be wrong by
        for start in range(0, len(own), 256):
            rows = slice(start, start + 256)
            bound = a[rows] @ (-2 * scale * b.T)
            bound += (of_own - slack)[rows, None] * scale
            bound += of_others * scale
            if groups is not None:
                bound[groups[0][rows, None] == groups[1][None]] = np.inf
            _search(own[rows], others, bound, best[rows], which[rows])
    return best, which


def _centred(positions: np.ndarray) -> np.ndarray:
    positions = np.asarray(positions, np.float64)
    return np.ascontiguousarray(positions - positions.mean(1, keepdims=True))


@njit(cache=True, nogil=True)
def _search(own, others, bound, best, which):  # type: ignore[no-untyped-def]  # compiled: numba infers the types
    squares = np.empty(len(others))
    for number in range(len(others)):
        squares[number] = (others[number] ** 2).sum()
    for query in range(len(own)):
        size = (own[query] ** 2).sum()
        found = int(np.argmin(bound[query]))
        least = np.inf
        if np.isfinite(bound[query, found]):
            least = _mean_square(own[query], others[found], size, squares[found])
        for number in range(len(others)):
            if bound[query, number] < least:
                square = _mean_square(own[query], others[number], size, squares[number])
                if square < least:
                    least, found = square, number
        best[query] = np.sqrt(max(least, 0.0))
        which[query] = found


@njit(cache=True, nogil=True)
def _mean_square(first, second, size, other):  # type: ignore[no-untyped-def]
    """Return the squared RMSD of two centred structures; their sums of squares are given."""
    n = len(first)
    xx = xy = xz = yx = yy = yz = zx = zy = zz = 0.0
    for k in range(n):
        x, y, z = first[k, 0], first[k, 1], first[k, 2]
        a, b, c = second[k, 0], second[k, 1], second[k, 2]
        xx += x * a
        xy += x * b
        xz += x * c
        yx += y * a
        yy += y * b
        yz += y * c
        zx += z * a
        zy += z * b
        zz += z * c
    # The characteristic polynomial l^4 + c2 l^2 + c1 l + c0 of the quaternion matrix; Newton's method from above.
    norm = xx * xx + xy * xy + xz * xz + yx * yx + yy * yy + yz * yz + zx * zx + zy * zy + zz * zz
    c2 = -2.0 * norm
    c1 = -8.0 * (xx * (yy * zz - yz * zy) - xy * (yx * zz - yz * zx) + xz * (yx * zy - yy * zx))
    a, b, c = xx * xx + yx * yx + zx * zx, xy * xy + yy * yy + zy * zy, xz * xz + yz * yz + zz * zz
    d, e, f = xx * xy + yx * yy + zx * zy, xx * xz + yx * yz + zx * zz, xy * xz + yy * yz + zy * zz
    c0 = norm * norm - 4.0 * (a * b - d * d + a * c - e * e + b * c - f * f)
    largest, slope = 0.5 * (size + other), 0.0
    for _ in range(60):
        square = largest * largest
        slope = 4.0 * square * largest + 2.0 * c2 * largest + c1
        if slope <= 0.0:
            break
        step = ((square + c2) * square + c1 * largest + c0) / slope
        largest -= step
        if abs(step) <= 1e-13 * largest:
            break
    if norm > 0.0 and slope <= 1e-3 * largest**3:  # (nearly) a double root, as of atoms on a line
        matrix = np.array([[xx, xy, xz], [yx, yy, yz], [zx, zy, zz]])
        singular = np.linalg.svd(matrix)[1]
        largest = singular[0] + singular[1] + np.sign(np.linalg.det(matrix)) * singular[2]
    return max((size + other - 2.0 * largest) / n, 0.0)

"""The nearest of many structures to each of many others, by RMSD after the best superposition, exactly and quickly."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

from mdnb.compiled import compiled
from mdnb.features.superposed_kernels import best_overlap, products

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
    n_atoms = own.shape[2]
    anchors = np.unique(np.linspace(0, n_atoms - 1, min(n_atoms, _ANCHORS)).astype(int))
    first, second = np.triu_indices(len(anchors), 1)
    lengths = [np.linalg.norm(one[:, :, anchors[first]] - one[:, :, anchors[second]], axis=1) for one in (own, others)]
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
    """Return centred structures, axis by axis: (n, 3, n_atoms)."""
    positions = np.asarray(positions, np.float64)
    return np.ascontiguousarray((positions - positions.mean(1, keepdims=True)).swapaxes(1, 2))


@compiled()
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


@compiled()
def _mean_square(first, second, size, other):  # type: ignore[no-untyped-def]
    """Return the squared RMSD of two centred structures, (3, n_atoms); their sums of squares are given."""
    sums, _, _ = products(first[0], first[1], first[2], second[0], second[1], second[2])
    overlap = best_overlap(sums, 0.5 * (size + other))
    if overlap < 0.0:
        matrix = np.array(sums).reshape(3, 3)
        singular = np.linalg.svd(matrix)[1]
        overlap = singular[0] + singular[1] + np.sign(np.linalg.det(matrix)) * singular[2]
    return max((size + other - 2.0 * overlap) / first.shape[1], 0.0)

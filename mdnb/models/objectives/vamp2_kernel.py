"""The VAMP-2 score of a batch and its gradient as one compiled call."""

from __future__ import annotations

import numpy as np

from mdnb.compiled import compiled

__all__ = ["score_and_gradient"]


@compiled()
def score_and_gradient(ends: np.ndarray, ridge: float) -> tuple[float, np.ndarray]:
    """Return the score tr(C00^-1 C0t Ctt^-1 Ct0) + 1 of n pairs, and its gradient, (2 n, d).

    Of the covariance of both ends M is the two blocks on the diagonal with their ridge, and C the two others: the
    score is tr(M^-1 C M^-1 C) / 2 + 1.

    Parameters
    ----------
    ends : (2 n, d) float32 or float64 array
        The functions of the first ends, and then those of the second ones.
    ridge : float
        Share of the mean variance that is added to each.
    """
    n, d = len(ends) // 2, ends.shape[1]
    rows = np.empty((2 * d, n))  # of mean 0
    for end in range(2):
        for k in range(d):
            total = 0.0
            for i in range(n):
                total += ends[end * n + i, k]
            for i in range(n):
                rows[end * d + k, i] = ends[end * n + i, k] - total / n
    covariance = np.dot(rows, rows.T)
    own, across = np.zeros_like(covariance), np.zeros_like(covariance)
    for i in range(2 * d):
        for k in range(2 * d):
            (own if i // d == k // d else across)[i, k] = covariance[i, k] / (n - 1)
    _add_ridge(own, ridge, 1e-12)
    _invert(own)
    ratio = np.dot(own, across)
    half = np.dot(ratio, own)
    slope = np.dot(half, ratio.T)
    score = 1.0
    for i in range(2 * d):
        for k in range(2 * d):
            slope[i, k] = half[i, k] - slope[i, k]
            score += ratio[i, k] * ratio[k, i] / 2
    _add_ridge(slope, ridge, 0.0)
    found = np.dot(slope, rows)
    gradient = np.empty_like(ends)
    for end in range(2):
        for i in range(n):
            for k in range(d):
                gradient[end * n + i, k] = 2 / (n - 1) * found[end * d + k, i]
    return score, gradient


@compiled()
def _add_ridge(matrix: np.ndarray, ridge: float, least: float) -> None:
    """Add to the diagonal of both blocks (d, d) of a matrix (2 d, 2 d) a share of its mean, in place."""
    d = len(matrix) // 2
    for first in (0, d):
        trace = 0.0
        for k in range(first, first + d):
            trace += matrix[k, k]
        for k in range(first, first + d):
            matrix[k, k] += ridge * trace / d + least


@compiled()
def _invert(matrix: np.ndarray) -> None:
    """Invert a positive definite matrix in place, by Gauss and Jordan; what is not a number stays so."""
    n = len(matrix)
    for k in range(n):
        pivot = 1 / matrix[k, k]
        matrix[k, k] = 1.0
        for j in range(n):
            matrix[k, j] *= pivot
        for i in range(n):
            if i != k:
                factor = matrix[i, k]
                matrix[i, k] = 0.0
                for j in range(n):
                    matrix[i, j] -= factor * matrix[k, j]

"""Bootstrap draws of blocks, and the intervals that follow from them."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

__all__ = ["block_weights", "interval"]


def block_weights(n_blocks: int, n_draws: int, seed: int) -> np.ndarray:
    """Return how often each block is drawn, (n_draws, n_blocks); each row sums to the number of blocks."""
    drawn = np.random.default_rng(seed).multinomial(n_blocks, np.full(n_blocks, 1 / n_blocks), n_draws)
    return np.asarray(drawn, float)


def interval(
    value: float, draws: np.ndarray, n_blocks: int, bounds: tuple[float, float] = (0.0, np.inf)
) -> tuple[float, float]:
    """Return the 95% interval of a figure.

    A distance of two samples grows with every noise that is added, and drawing blocks again adds some: the draws lie
    above the value. Their spread is what counts, so they are moved to the value, and widened for the small number of
    blocks (Student's t and the variance's factor). Of one block nothing can be said: NaN.

    Parameters
    ----------
    value : float
    draws : (n_draws,) array
    n_blocks : int
        The smaller number of both samples.
    bounds : tuple of float
        What the figure can be.

    References
    ----------
    Kunsch, Ann. Statist. 17, 1217 (1989), https://doi.org/10.1214/aos/1176347265
    """
    known = draws[np.isfinite(draws)]
    if n_blocks < 2 or not len(known) or not np.isfinite(value):
        return float("nan"), float("nan")
    widen = student.ppf(0.975, n_blocks - 1) / norm.ppf(0.975) * np.sqrt(n_blocks / (n_blocks - 1))
    low, high = np.clip(value + widen * (np.percentile(known, [2.5, 97.5]) - known.mean()), *bounds)
    return float(min(low, value)), float(max(high, value))

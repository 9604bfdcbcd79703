"""The Chapman-Kolmogorov test: whether the dynamics of the modes at one lag time foretells that at longer ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from mdnb.errors import DataError, SpecError
from mdnb.features.base import Features
from mdnb.kinetics.correlations import Pairs, is_reversible, make_series
from mdnb.models.objectives import SlowModes, TimeLagged
from mdnb.runs import Run

__all__ = ["ChapmanKolmogorov", "chapman_kolmogorov"]


@dataclass(frozen=True)
class ChapmanKolmogorov:
    """Correlations of the modes, predicted from one lag time and estimated at its multiples.

    Attributes
    ----------
    lag_times : (n_steps + 1,) array
        0, lag, 2 lag, ... in ps.
    predicted, estimated : (n_steps + 1, n_functions, n_functions) arrays
        ``[n, i, j]``: correlation of mode i with mode j, n lag times later; 1 on the diagonal at n = 0.
    predicted_error, estimated_error, difference_error : arrays of that shape
        Standard errors by bootstrap over trajectories; the last one of the difference, drawn together.
    part : str
    n_blocks : int
    reversible : bool
    """

    lag_times: np.ndarray
    predicted: np.ndarray
    estimated: np.ndarray
    predicted_error: np.ndarray
    estimated_error: np.ndarray
    difference_error: np.ndarray
    part: str
    n_blocks: int
    reversible: bool

    @property
    def sigmas(self) -> np.ndarray:
        """Estimated minus predicted in standard errors of that difference; 0 up to one lag, where both are the same."""
        gap = self.estimated - self.predicted
        sigmas = np.zeros_like(gap)
        np.divide(gap, self.difference_error, out=sigmas, where=self.difference_error > 1e-12)
        sigmas[:2] = 0
        return sigmas

    @property
    def worst(self) -> float:
        """The largest deviation in standard errors."""
        return float(np.abs(self.sigmas).max())

    @property
    def limit(self) -> float:
        """The largest deviation that chance alone exceeds in 5% of cases, for so many numbers (Bonferroni)."""
        n_modes = self.predicted.shape[1]
        each = n_modes * (n_modes + 1) / 2 if self.reversible else n_modes**2
        return float(norm.ppf(1 - 0.025 / (each * max(1, len(self.lag_times) - 2))))

    @property
    def passes(self) -> bool:
        """Whether no deviation is beyond chance."""
        return self.worst <= self.limit

    def __repr__(self) -> str:
        step, i, j = np.unravel_index(int(np.abs(self.sigmas).argmax()), self.sigmas.shape)
        gap = self.estimated[step, i, j] - self.predicted[step, i, j]
        return (
            f"ChapmanKolmogorov: {'passes' if self.passes else 'FAILS'}; the worst deviation is {self.worst:.1f} "
            f"sigmas (chance alone: up to {self.limit:.1f}), {gap:+.3f} between modes {i + 1} and {j + 1} at "
            f"{self.lag_times[step]:g} ps; {self.part} part, {self.n_blocks} blocks of trajectories"
        )


def chapman_kolmogorov(
    run: Run | None,
    features: Features,
    lag_time: float | None = None,
    *,
    steps: int = 5,
    part: str = "test",
    functions: np.ndarray | None = None,
    reversible: bool | None = None,
    n_bootstrap: int = 200,
) -> ChapmanKolmogorov:
    """Compare the n-th power of the Koopman matrix at one lag time with the matrix estimated at n lag times.

    Where the modes hold all that is slow, both agree; where something slow is missing, or the lag time is too
    short, the powers decay too fast.

    Parameters
    ----------
    run : Run or None
        Trained with ``mdnb.SlowModes()``.
    features : Features
    lag_time : float, optional
        In ps; by default that of the training.
    steps : int
        Multiples of the lag time, at least 2.
    part, functions, reversible, n_bootstrap
        As for `mdnb.timescales`.

    Returns
    -------
    ChapmanKolmogorov

    Raises
    ------
    DataError
        When the trajectories of the part are too short for so many lag times.
    SpecError
        When there is no lag time, or it is no whole number of frames, or shorter than the run's windows.

    References
    ----------
    Prinz et al., J. Chem. Phys. 134, 174105 (2011), https://doi.org/10.1063/1.3565032; Mardt et al., Nat. Commun. 9,
    5 (2018), https://doi.org/10.1038/s41467-017-02388-1
    """
    objective = None if run is None else run.task.objective
    if lag_time is None and isinstance(objective, SlowModes | TimeLagged):
        lag_time = objective.lag_time
    if lag_time is None:
        raise SpecError("the run has no lag time of its own; give lag_time in ps")
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 2:
        raise SpecError(f"steps = {steps!r}: expected a whole number of at least 2")
    series = make_series(run, features, functions, part)
    symmetric = is_reversible(run, reversible)
    lag = series.frames(lag_time)
    longest = int(np.unique(series.piece, return_counts=True)[1].max())
    if lag * steps >= longest:
        raise DataError(
            f"{steps} lag times of {lag_time:g} ps are {lag * steps} frames, the longest piece of the {part} part has "
            f"{longest}; lower steps or lag_time"
        )
    each = [series.pairs(lag * multiple, symmetric) for multiple in range(1, steps + 1)]
    one = each[0]
    whole = _correlations(each, np.ones(len(one)))
    drawn = np.array([_correlations(each, weights) for weights in one.draws(n_bootstrap)])
    spread = one.widening * drawn.std(0, ddof=1)
    gap = one.widening * (drawn[:, 1] - drawn[:, 0]).std(0, ddof=1)
    times = lag_time * np.arange(steps + 1)
    return ChapmanKolmogorov(times, whole[0], whole[1], spread[0], spread[1], gap, part, len(one), symmetric)


def _correlations(each: Sequence[Pairs], weights: np.ndarray) -> np.ndarray:
    """Return the correlations predicted from the first lag time and those estimated, (2, n_steps + 1, n, n)."""
    c00, c0t, _ = each[0].centred(weights)
    scale = np.sqrt(np.outer(np.diag(c00), np.diag(c00)))
    koopman = np.linalg.lstsq(c00, c0t, rcond=1e-10)[0]
    predicted = [c00 @ np.linalg.matrix_power(koopman, multiple) / scale for multiple in range(len(each) + 1)]
    estimated = predicted[:1]
    for pairs in each:
        c00, c0t, _ = pairs.centred(weights)
        estimated.append(c0t / np.sqrt(np.outer(np.diag(c00), np.diag(c00))))
    return np.array([predicted, estimated])

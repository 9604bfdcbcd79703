"""Implied timescales of learned functions, as a function of the lag time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mdnb.errors import DataError
from mdnb.features.base import Features
from mdnb.kinetics.correlations import Pairs, is_reversible, make_series
from mdnb.runs import Run

__all__ = ["Timescales", "timescales"]


@dataclass(frozen=True)
class Timescales:
    """Implied timescales for several lag times.

    Attributes
    ----------
    lag_times : (n_lags,) array
        In ps.
    values, low, high : (n_lags, n_functions) arrays
        In ps, the slowest first, with 95% intervals. NaN where there is none to be had: the eigenvalue is not
        beyond noise (its interval reaches 0), or not below 1. An infinite `high` means that the data set no upper
        limit.
    eigenvalues : (n_lags, n_functions) array
        Of the Koopman operator in the span of the functions; of complex ones the absolute value.
    part : str
        "test": frames that training has never seen; "all": those of the training too, so that the values are too
        large where the functions are overfitted.
    n_blocks : int
        Trajectories, or parts of them, that the intervals rest on.
    block_time : float
        Mean length of these blocks in ps.
    reversible : bool
        Whether the dynamics was taken as reversible.
    """

    lag_times: np.ndarray
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    eigenvalues: np.ndarray
    part: str
    n_blocks: int
    block_time: float
    reversible: bool

    @property
    def reliable(self) -> np.ndarray:
        """Where a timescale is longer than its lag time, (n_lags, n_functions): faster ones cannot be told apart."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.values > self.lag_times[:, None])

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader has to know."""
        found = []
        lost = int(np.isnan(self.values).sum())
        if lost:
            found.append(f"{lost} of {self.values.size} timescales cannot be resolved: their mode is gone by then")
        fast = int((~self.reliable & ~np.isnan(self.values)).sum())
        if fast:
            found.append(f"{fast} are shorter than their lag time, and not reliable")
        if np.isinf(self.high).any():
            found.append("some have no upper limit: the trajectories are too short for it")
        slowest = np.nanmax(self.values, initial=0.0)
        if self.block_time < 2 * slowest:
            found.append(
                f"the blocks of {self.block_time:.3g} ps are not much longer than the slowest mode: intervals are too "
                "narrow"
            )
        if self.part == "all":
            found.append("frames of the training are among these")
        return tuple(found)

    def __repr__(self) -> str:
        lines = [f"Timescales in ps, {self.part} part, 95% intervals over {self.n_blocks} blocks of trajectories"]
        for number, lag in enumerate(self.lag_times):
            each = (
                "     -      "
                if np.isnan(value)
                else f"{value:.4g} [{self.low[number, k]:.4g}, {self.high[number, k]:.4g}]"
                + ("" if self.reliable[number, k] else " (< lag)")
                for k, value in enumerate(self.values[number])
            )
            lines.append(f"  lag {lag:g} ps: " + "  ".join(each))
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def timescales(
    run: Run | None,
    features: Features,
    lag_times: Sequence[float],
    *,
    part: str = "test",
    functions: np.ndarray | None = None,
    reversible: bool | None = None,
    n_bootstrap: int = 200,
) -> Timescales:
    """Return implied timescales ``t = -lag / ln(eigenvalue)`` of the functions that a run has learned.

    The Koopman operator is estimated anew at each lag time, in the span of the functions and the constant. A
    timescale is right where it no longer depends on the lag time; it is always a lower bound (up to its interval).

    Parameters
    ----------
    run : Run or None
        Trained with ``mdnb.SlowModes()`` (or another run that encodes).
    features : Features
    lag_times : sequence of float
        In ps.
    part : {"test", "all"}
        Frames that training has never seen, or all.
    functions : (n_samples, n_functions) array, optional
        Other functions of the same samples, such as those of TICA (`mdnb.linear_modes`); without a run, of the
        frames of the features.
    reversible : bool, optional
        Take the dynamics as reversible, which gives real eigenvalues; right for equilibrium data. By default as the
        run was trained, and True without a run.
    n_bootstrap : int
        Draws of whole trajectories, or where there are fewer than 20, of successive parts of them.

    Returns
    -------
    Timescales

    Raises
    ------
    DataError
        When there is no test part, or the functions do not fit.
    SpecError
        When a lag time is no whole number of frames, or shorter than the windows of the run, which then share frames.

    References
    ----------
    Swope, Pitera, Suits, J. Phys. Chem. B 108, 6571 (2004), https://doi.org/10.1021/jp037421y; Wu, Noe, J.
    Nonlinear Sci. 30, 23 (2020), https://doi.org/10.1007/s00332-019-09567-y; the bootstrap: Kunsch, Ann. Statist.
    17, 1217 (1989), https://doi.org/10.1214/aos/1176347265
    """
    lags = np.asarray(lag_times, float)
    if lags.ndim != 1 or not len(lags):
        raise DataError(f"lag_times = {lag_times!r}: expected one or more times in ps")
    series = make_series(run, features, functions, part)
    symmetric = is_reversible(run, reversible)
    values, low, high = (np.full((len(lags), series.n_functions), np.nan) for _ in range(3))
    eigenvalues, blocks = np.empty_like(values), (0, 0.0)
    for number, lag in enumerate(lags):
        pairs = series.pairs(series.frames(float(lag)), symmetric)
        blocks = len(pairs), pairs.block_time
        best, below, above = _eigenvalues(pairs, n_bootstrap)
        eigenvalues[number] = best
        with np.errstate(divide="ignore", invalid="ignore"):
            times = [-lag / np.log(np.clip(one, 0, None)) for one in (best, below, above)]
        known = (below > 0) & (best > 0) & (best < 1)
        values[number, known] = times[0][known]
        low[number, known] = times[1][known]
        high[number, known] = np.where(above < 1, times[2], np.inf)[known]
    return Timescales(lags, values, low, high, eigenvalues, part, *blocks, symmetric)


def _eigenvalues(pairs: Pairs, n_bootstrap: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the eigenvalues of the Koopman matrix and their interval, the slowest first."""
    best = spectrum(pairs.koopman(np.ones(len(pairs))))
    drawn = np.array([spectrum(pairs.koopman(weights)) for weights in pairs.draws(n_bootstrap)])
    low, high = np.percentile(best + pairs.widening * (drawn - best), [2.5, 97.5], axis=0)
    return best, low, high


def spectrum(koopman: np.ndarray) -> np.ndarray:
    """Return the eigenvalues, the largest first: real ones with their sign, of complex ones the absolute value."""
    values = np.linalg.eigvals(koopman)
    real = np.where(np.abs(values.imag) > 1e-9 * np.abs(values), np.abs(values), values.real)
    return np.asarray(np.sort(real)[::-1])

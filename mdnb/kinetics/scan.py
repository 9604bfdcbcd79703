"""A scan of the lag time: the same network trained at several, to see which one the modes want."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mdnb.datasets import Window
from mdnb.errors import DataError
from mdnb.features.base import Features
from mdnb.kinetics.implied import Timescales, timescales
from mdnb.models.base import ModelSpec
from mdnb.models.objectives import SlowModes
from mdnb.runs import Run
from mdnb.scores import Score
from mdnb.specs import Training
from mdnb.training import fit
from mdnb.training.prepare import usual_window

__all__ = ["LagScan", "lag_scan"]


@dataclass(frozen=True)
class LagScan:
    """One run for each lag time.

    Attributes
    ----------
    lag_times : (n_lags,) array
        In ps.
    runs : tuple of Run
    timescales : Timescales
        Of each run at the lag time it was trained with, on the part that it has never seen.
    """

    lag_times: np.ndarray
    runs: tuple[Run, ...]
    timescales: Timescales

    @property
    def scores(self) -> tuple[Score, ...]:
        """VAMP-2 of each run on the test part; it falls with the lag time, so compare runs of one lag time only."""
        return tuple(run.scores["VAMP-2"] for run in self.runs)

    def table(self) -> list[dict[str, float]]:
        """Return one row for each lag time: the score and the slowest timescale with its interval, in ps."""
        found, rows = self.timescales, []
        for number, (lag, score) in enumerate(zip(self.lag_times, self.scores, strict=True)):
            each = {"timescale": found.values, "timescale low": found.low, "timescale high": found.high}
            slowest = {name: float(values[number, 0]) for name, values in each.items()}
            rows.append({"lag_time": float(lag), "VAMP-2": score.value, **slowest})
        return rows

    def __repr__(self) -> str:
        lines = [f"LagScan: {self.runs[0].spec}, test part"]
        for row, score in zip(self.table(), self.scores, strict=True):
            slowest = (
                "not resolved"
                if np.isnan(row["timescale"])
                else f"{row['timescale']:.4g} [{row['timescale low']:.4g}, {row['timescale high']:.4g}] ps"
            )
            lines.append(f"  lag {row['lag_time']:g} ps: VAMP-2 {score}, slowest timescale {slowest}")
        return "\n".join(lines)


def lag_scan(
    features: Features,
    spec: ModelSpec | str = "MLP",
    lag_times: Sequence[float] = (),
    training: Training | None = None,
    *,
    objective: SlowModes | None = None,
    window: Window | None = None,
    n_bootstrap: int = 200,
) -> LagScan:
    """Train slow modes anew for each lag time, on the same split.

    Parameters
    ----------
    features : Features
    spec : ModelSpec or str
    lag_times : sequence of float
        In ps.
    training : Training, optional
    objective : SlowModes, optional
        How many modes, and whether the dynamics is reversible; its lag time is not used.
    window : Window, optional
        Of all runs; by default what suits the family, but no longer than the shortest lag.
    n_bootstrap : int

    Returns
    -------
    LagScan

    Raises
    ------
    DataError
        Without lag times, and as `mdnb.fit` does.
    KeyboardInterrupt
        When it is interrupted.
    """
    if not len(lag_times):
        raise DataError("lag_times is empty: give the lag times to scan in ps, such as [1, 2, 5, 10]")
    aim = objective or SlowModes()
    if window is None:  # the same for all lag times
        window = usual_window(features, spec, replace(aim, lag_time=float(min(lag_times))))
    runs, found = [], []
    for lag in lag_times:
        own = replace(aim, lag_time=float(lag))
        run = fit(features, None, spec, training, window=window, objective=own)
        if run.provenance.get("interrupted"):
            raise KeyboardInterrupt
        runs.append(run)
        found.append(timescales(run, features, [float(lag)], n_bootstrap=n_bootstrap))
    columns = zip(*((one.values, one.low, one.high, one.eigenvalues) for one in found), strict=True)
    values, low, high, eigenvalues = (np.concatenate(each) for each in columns)
    lags = np.array([float(lag) for lag in lag_times])
    together = replace(found[0], lag_times=lags, values=values, low=low, high=high, eigenvalues=eigenvalues)
    return LagScan(lags, tuple(runs), together)

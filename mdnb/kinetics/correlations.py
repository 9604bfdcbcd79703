"""Correlations of functions of the frames with themselves a lag time later, and their bootstrap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from mdnb.datasets import Samples
from mdnb.errors import DataError
from mdnb.features.base import Features
from mdnb.models.objectives import SlowModes
from mdnb.models.objectives.lag import lag_frames
from mdnb.runs import Run

__all__ = ["Pairs", "Series", "make_series"]

#: Blocks that the bootstrap draws from, at least, where the trajectories allow it.
_BLOCKS = 20


@dataclass(frozen=True)
class Series:
    """Functions along trajectories.

    Attributes
    ----------
    values : (n_samples, n_functions) float64 array
    piece : (n_samples,) int array
        Successive samples of the same piece follow each other in time, one frame apart.
    trajectory : (n_samples,) int array
    time_step : float
        In ps.
    part : str
        "test" for trajectories that the functions have never seen, or "all".
    window : int
        Frames of a sample.
    """

    values: np.ndarray
    piece: np.ndarray
    trajectory: np.ndarray
    time_step: float
    part: str
    window: int

    @property
    def n_functions(self) -> int:
        """Number of functions."""
        return self.values.shape[1]

    def frames(self, lag_time: float) -> int:
        """Return a lag time in frames, or refuse it."""
        lag = lag_frames(lag_time, self.time_step, self.window)
        longest = int(np.unique(self.piece, return_counts=True)[1].max())
        if lag >= longest:
            raise DataError(
                f"lag_time = {lag_time:g} ps is {lag} frames, the longest piece of the {self.part} part has {longest}; "
                f"the lag must be below {longest * self.time_step:g} ps"
            )
        return lag

    def pairs(self, lag: int, reversible: bool) -> Pairs:
        """Return the correlations at a lag of so many frames, block by block."""
        first = np.flatnonzero(self.piece[:-lag] == self.piece[lag:])
        block = self._blocks()
        blocks = block[first]
        n = self.n_functions + 1
        x = np.column_stack([np.ones(len(first)), self.values[first]])
        y = np.column_stack([np.ones(len(first)), self.values[first + lag]])
        found = np.zeros((3, block[-1] + 1, n, n))
        edges = np.flatnonzero(np.diff(blocks)) + 1  # blocks follow each other
        for own_x, own_y, number in zip(np.split(x, edges), np.split(y, edges), blocks[np.r_[0, edges]], strict=True):
            found[:, number] = own_x.T @ own_x, own_x.T @ own_y, own_y.T @ own_y
        if reversible:
            c00, c0t = 0.5 * (found[0] + found[2]), 0.5 * (found[1] + found[1].swapaxes(1, 2))
            found = np.stack([c00, c0t, c00])
        return Pairs(found[0], found[1], found[2], self.time_step * len(self.values) / found.shape[1])

    def _blocks(self) -> np.ndarray:
        """Return the number of the block of each sample: a trajectory, or where there are few a part of one."""
        numbers = np.unique(self.trajectory)
        per_trajectory = max(1, _BLOCKS // len(numbers))
        block, start = np.empty(len(self.values), int), 0
        for number in numbers:
            for own in np.array_split(np.flatnonzero(self.trajectory == number), per_trajectory):
                block[own] = start
                start += 1
        return block


@dataclass(frozen=True)
class Pairs:
    """Sums over the pairs of each block of the products of all functions, the constant one first.

    Attributes
    ----------
    c00, c0t, ctt : (n_blocks, n, n) arrays
        Of both first, first and second, both second frames of the pairs, each pair in the block of its first.
    block_time : float
        Mean length of a block in ps.
    """

    c00: np.ndarray
    c0t: np.ndarray
    ctt: np.ndarray
    block_time: float

    def __len__(self) -> int:
        return len(self.c00)

    def koopman(self, weights: np.ndarray) -> np.ndarray:
        """Return C00^-1 C0t of the functions, (n_functions, n_functions), with so much weight on each block.

        The constant function is projected out.
        """
        c00, c0t, _ = self.centred(weights)
        return np.asarray(np.linalg.lstsq(c00, c0t, rcond=1e-10)[0])

    def centred(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the covariances C00, C0t and Ctt with so much weight on each block."""
        total = []
        sums = [np.tensordot(weights, one, 1) for one in (self.c00, self.c0t, self.ctt)]
        n = sums[1][0, 0]
        x, y = sums[0][0, 1:] / n, sums[2][0, 1:] / n
        for matrix, left, right in zip(sums, (x, x, y), (x, y, y), strict=True):
            total.append(matrix[1:, 1:] / n - np.outer(left, right))
        return total[0], total[1], total[2]

    def draws(self, n_bootstrap: int) -> np.ndarray:
        """Return the weights of the blocks in each bootstrap draw, (n_bootstrap, n_blocks)."""
        n = len(self)
        return np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=n_bootstrap).astype(float)

    @property
    def widening(self) -> float:
        """By how much a bootstrap of so few blocks is too narrow."""
        n = len(self)
        return float(student.ppf(0.975, n - 1) / norm.ppf(0.975) * np.sqrt(n / (n - 1))) if n > 1 else float("nan")


def make_series(run: Run | None, features: Features, functions: np.ndarray | None, part: str) -> Series:
    """Return the functions of a run, or those given, along the trajectories of a part.

    Parameters
    ----------
    run : Run or None
        Trained with `SlowModes`, or any other that encodes; None where `functions` are given.
    features : Features
    functions : (n_samples, n_functions) array or None
        Other functions of the same samples (`Run.samples`; without a run, of the frames); by default
        what `Run.encode` returns.
    part : {"test", "all"}

    Raises
    ------
    DataError
        For functions that do not fit the frames, or a part that is not known.
    """
    if part not in ("test", "all"):
        raise DataError(f"part = {part!r}: expected 'test' (what training has never seen) or 'all'")
    if run is None:
        if functions is None:
            raise DataError("neither a run nor functions are given: there is nothing to take timescales of")
        if part == "test":
            raise DataError("without a run nobody knows the test part; give the run, or part='all'")
        windows = np.arange(len(features))[:, None]
    else:
        samples: Samples = run.samples(features)
        windows = samples.frames
    values = np.asarray(run.encode(features) if functions is None and run is not None else functions, float)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or len(values) != len(windows):
        raise DataError(
            f"got functions of shape {values.shape} for {len(windows)} samples; expected (n_samples, n_functions), one "
            "row for each frame (or window of the run)"
        )
    if not np.isfinite(values).all():
        raise DataError("the functions hold NaN or infinity; leave those frames out")
    first = windows[:, 0]
    trajectory = features.trajectory[first]
    inside = np.ones(len(windows), bool)
    if part == "test" and run is not None:
        data = run.provenance["data"]
        # Trajectories that the run was not trained on are all held out.
        known = np.isin(features.source.names, data["trajectories"])
        if list(features.source.names) == data["trajectories"]:
            inside = run.in_part(features, windows, "test")
        elif known.any():
            some = [name for name, same in zip(features.source.names, known, strict=True) if same][:3]
            raise DataError(
                f"these are some of the trajectories of the training ({', '.join(some)}), and which of their frames "
                "were held out cannot be told; give the features of the training as they were, or part='all'"
            )
        if not inside.any():
            raise DataError("these features hold no frame of the test part; give those of the training, or part='all'")
    chosen = np.flatnonzero(inside)
    breaks = (np.diff(first[chosen]) != 1) | (np.diff(trajectory[chosen]) != 0)
    piece = np.concatenate([[0], np.cumsum(breaks)])
    return Series(values[chosen], piece, trajectory[chosen], features.source.time_step, part, windows.shape[1])


def is_reversible(run: Run | None, reversible: bool | None) -> bool:
    """Return what was asked; by default what the run's objective says, and True without one."""
    if reversible is not None:
        return reversible
    objective = None if run is None else run.task.objective
    return objective.reversible if isinstance(objective, SlowModes) else True

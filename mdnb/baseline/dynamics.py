"""Linear models of time: TICA, VAMP, persistence and ridge regression."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import multivariate_normal

from mdnb.baseline.data import Data
from mdnb.errors import DataError, SpecError, unknown_name
from mdnb.features.base import Features
from mdnb.models.objectives import Forecast, SlowModes
from mdnb.runs import Run
from mdnb.scores import Score, error_scores, likelihood_scores, vamp_scores

if TYPE_CHECKING:
    from deeptime.decomposition import CovarianceKoopmanModel

__all__ = ["fit_linear", "forecasts", "linear_modes", "propagators", "slow_modes"]

_RIDGES = np.logspace(-6, 3, 10)


def slow_modes(data: Data) -> dict[str, dict[str, Score]]:
    """Return the scores of TICA and linear VAMP."""
    x, y = data.inputs("test"), data.later("test")
    found = {}
    for name in ("TICA", "linear VAMP"):
        model = _fitted(data, name)
        now, later = model.transform(x), model.backward(y, propagate=False)
        found[name] = vamp_scores(now, later, np.real(model.singular_values[: now.shape[1]]), data.where)
    return found


def linear_modes(run: Run, features: Features, method: str = "TICA") -> np.ndarray:
    """Return the linear slow modes of every sample, found on exactly the run's training pairs.

    Parameters
    ----------
    run : Run
        Trained with ``mdnb.SlowModes()``; it says the lag time, the number of modes and the split.
    features : Features
        Those of the training.
    method : {"TICA", "linear VAMP"}

    Returns
    -------
    (n_samples, modes) array
        Uncorrelated, of variance 1 on the training part, the slowest first; for example for
        ``mdnb.timescales(run, features, lag_times, functions=...)``.

    Raises
    ------
    DataError
        When the features are not those of the training.
    SpecError
        When the run has no slow modes, or for an unknown method.
    """
    if not isinstance(run.task.objective, SlowModes):
        raise SpecError(
            f"this {run.family} has no slow modes to compare with; train it with objective=mdnb.SlowModes()"
        )
    if method not in ("TICA", "linear VAMP"):
        raise unknown_name("linear method", method, ("TICA", "linear VAMP"))
    data = Data.of(run, features, None)
    frames = run.samples(features).frames
    scaled = run.scaler.transform(features.values[frames]).reshape(len(frames), -1)
    return np.asarray(_fitted(data, method).transform(scaled))


def _fitted(data: Data, method: str) -> CovarianceKoopmanModel:
    """Return deeptime's model of the training pairs."""
    objective = data.run.task.objective
    assert isinstance(objective, SlowModes)
    return fit_linear(method, data.inputs("train"), data.later("train"), objective.modes)


def fit_linear(method: str, x: np.ndarray, y: np.ndarray, modes: int) -> CovarianceKoopmanModel:
    """Return deeptime's TICA or linear VAMP of pairs x, y (n_pairs, n_numbers), with at most so many modes.

    Raises
    ------
    DataError
        When nothing varies.
    """
    from deeptime.decomposition import TICA, VAMP
    from deeptime.numeric import ZeroRankError

    x, y = x.astype(np.float64), y.astype(np.float64)
    estimator = (TICA if method == "TICA" else VAMP)(lagtime=1, dim=min(modes, x.shape[1]), scaling=None)
    with warnings.catch_warnings():
        # deeptime takes the square root of eigenvalues that rounding has made negative.
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            return estimator.fit_fetch((x, y))
        except ZeroRankError as error:
            raise DataError("no number of the training frames varies; there are no modes to find") from error


def forecasts(data: Data) -> dict[str, dict[str, Score]]:
    """Return the scores of persistence and of ridge regression of the change, its strength chosen on the validation."""
    objective = data.run.task.objective
    assert isinstance(objective, Forecast)
    n_numbers = int(np.prod(data.run.task.shape))

    def table(part: str) -> tuple[np.ndarray, np.ndarray]:
        x = data.inputs(part).astype(np.float64)
        return x, data.later(part) - np.tile(x[:, -n_numbers:], objective.steps)

    x, change = table("train")
    guess_x, truth = table("test")
    validation = table("validation")
    x_mean, change_mean = x.mean(0), change.mean(0)
    values, vectors = np.linalg.eigh((x - x_mean).T @ (x - x_mean) / len(x))
    projected = vectors.T @ ((x - x_mean).T @ (change - change_mean)) / len(x)

    def guess(inputs: np.ndarray, ridge: float) -> np.ndarray:
        weights = vectors @ (projected / (np.maximum(values, 0)[:, None] + ridge))
        return (inputs - x_mean) @ weights + change_mean

    best = min(_RIDGES, key=lambda ridge: float(np.square(guess(validation[0], ridge) - validation[1]).mean()))
    guesses = {"persistence": np.zeros_like(truth), "ridge regression": guess(guess_x, best)}
    squares = {name: np.square(one - truth).mean(1) for name, one in guesses.items()}
    return {name: error_scores("forecast error", one, data.where) for name, one in squares.items()}


def propagators(data: Data) -> dict[str, dict[str, Score]]:
    """Return the scores of independent Gaussian frames, and of a Gaussian about a linear function of the window."""
    train = data.inputs("train")
    x = np.column_stack([np.ones(len(train)), train]).astype(np.float64)
    y = data.later("train").astype(np.float64)
    test_x = np.column_stack([np.ones(len(data.inputs("test"))), data.inputs("test")])
    test_y = data.later("test")
    weights = np.linalg.lstsq(x, y, rcond=1e-8)[0]
    rests = {
        "independent Gaussian": (y - y.mean(0), test_y - y.mean(0)),
        "linear Gaussian": (y - x @ weights, test_y - test_x @ weights),
    }
    found = {}
    for name, (own, rest) in rests.items():
        covariance = own.T @ own / len(own) + 1e-6 * np.eye(own.shape[1])
        each = multivariate_normal(np.zeros(own.shape[1]), covariance).logpdf(rest)
        found[name] = likelihood_scores(np.atleast_1d(each), data.where)
    return found

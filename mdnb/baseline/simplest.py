"""baselines: the simplest models on exactly a run's inputs, split and test samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from mdnb.baseline.data import Data
from mdnb.baseline.dynamics import forecasts, propagators, slow_modes
from mdnb.baseline.reconstruction import reconstructions
from mdnb.errors import DataError
from mdnb.features.base import Features
from mdnb.runs import Run
from mdnb.scores import Score, class_scores, real_scores

__all__ = ["baselines"]


def baselines(run: Run, features: Features, target: Any = None) -> dict[str, dict[str, Score]]:
    """Score the simplest models on exactly the run's inputs, split and test samples, beside the run.

    Parameters
    ----------
    run : Run
        Of any family that has a score.
    features, target
        As they were given to `mdnb.fit`.

    Returns
    -------
    dict of dict of Score
        ``{model: {metric: score}}``, the run itself last. On the same scaled windows, of a class: the majority class
        and logistic regression; of a number: the mean and ridge regression; of slow modes: TICA and linear VAMP with
        as many modes; of a VAE or ``TimeLagged()``: principal components, or at a lag reduced-rank regression, with
        as many latents; of a forecast: persistence and ridge regression; of a rollout's distribution:
        independent Gaussian frames, and a Gaussian about a linear function of the window. All intervals are of
        the same bootstrap draws, so that ``score.minus(other)`` has an interval of its own; `mdnb.scores.verdict`
        says it in words.

    Raises
    ------
    DataError
        When the run has no score (a GAN), or the features or the target are not its own.

    References
    ----------
    TICA: Perez-Hernandez et al., J. Chem. Phys. 139, 015102 (2013), https://doi.org/10.1063/1.4811489; VAMP: Wu,
    Noe, J. Nonlinear Sci. 30, 23 (2020), https://doi.org/10.1007/s00332-019-09567-y; both by deeptime: Hoffmann et
    al., Mach. Learn.: Sci. Technol. 3, 015009 (2022), https://doi.org/10.1088/2632-2153/ac3de0; reduced-rank
    regression: Izenman, J. Multivar. Anal. 5, 248 (1975), https://doi.org/10.1016/0047-259X(75)90042-1
    """
    if not run.scores and run.family == "GAN":
        raise DataError(f"a {run.family} predicts nothing that a baseline could; compare its samples instead")
    data = Data.of(run, features, target)
    kind = run.task.kind
    with threadpool_limits(1):  # on a busy machine two threads of BLAS wait for each other longer than one works
        if run.family == "VAE" or kind == "lagged":
            found = reconstructions(data)
        elif kind == "slow":
            found = slow_modes(data)
        elif kind == "forecast":
            found = forecasts(data)
        elif kind == "propagate":
            found = propagators(data)
        elif kind == "class":
            found = _classes(data)
        else:
            found = _numbers(data)
    return {**found, run.family: run.scores}


def _classes(data: Data) -> dict[str, dict[str, Score]]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    labels, truth = data.labels("train").astype(int), data.labels("test").astype(int)
    weight = "balanced" if data.run.training.balanced else None
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, class_weight=weight))
    linear.fit(data.inputs("train"), labels)
    most = np.bincount(labels).argmax()
    guesses = {
        "majority class": np.full(len(truth), most),
        "logistic regression": linear.predict(data.inputs("test")),
    }
    return {name: class_scores(truth, guess, data.where, data.samples.whole) for name, guess in guesses.items()}


def _numbers(data: Data) -> dict[str, dict[str, Score]]:
    from sklearn.linear_model import Ridge

    target = data.run.target
    assert target is not None
    truth = data.labels("test")
    # Scaled as a network's labels are: the inputs are in single precision, and ridge regression takes labels to that.
    labels, others = ((data.labels(part) - target.mean) / target.scale for part in ("train", "validation"))
    inputs, validation = data.inputs("train"), data.inputs("validation")
    # Its strength is chosen on the validation part, as a network's epoch is: frames left out one by one would leak.
    fits = [Ridge(strength).fit(inputs, labels) for strength in np.logspace(-3, 5, 9)]
    ridge = min(fits, key=lambda one: float(np.square(one.predict(validation) - others).mean()))
    guesses = {
        "mean": np.full(len(truth), target.mean),
        "ridge regression": ridge.predict(data.inputs("test")).astype(float) * target.scale + target.mean,
    }
    return {name: real_scores(truth, guess, data.where, data.samples.whole) for name, guess in guesses.items()}

"""What a network has to beat: the most frequent class or the mean, and a linear model."""

from __future__ import annotations

from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from mdnb.datasets import digest, make_samples, split_samples
from mdnb.errors import DataError
from mdnb.features.base import Features
from mdnb.runs import Run
from mdnb.scores import Score, class_scores, real_scores
from mdnb.targets import make_target

__all__ = ["baselines"]


def baselines(run: Run, features: Features, target: Any) -> dict[str, dict[str, Score]]:
    """Score the simplest models on exactly the run's inputs, split and test samples, beside the run.

    Parameters
    ----------
    run : Run
        A trained predictor.
    features, target
        As they were given to `mdnb.fit`.

    Returns
    -------
    dict of dict of Score
        ``{model: {metric: score}}``: the majority class (or the mean), logistic (or ridge) regression on the
        same scaled windows, and the run itself.

    Raises
    ------
    DataError
        When the run predicts nothing, or the features are not its own.
    """
    run.check(features)
    if run.target is None:
        raise DataError(f"a {run.family} predicts nothing that a baseline could; compare its samples instead")
    data = run.provenance["data"]
    if (list(features.source.names), len(features)) != (data["trajectories"], data["n_frames"]):
        raise DataError(f"these are not the features that the {run.family} was trained on; scores would not compare")
    made = make_target(features, target)
    if (made.name, made.classes) != (run.target.name, run.target.classes):
        raise DataError(f"the {run.family} was trained on {run.target.name!r}, got the target {made.name!r}")
    if digest(made.values) != data["sha256_of_labels"]:
        raise DataError(f"these are not the labels that the {run.family} was trained on; scores would not compare")
    samples = make_samples(features, made, run.window)
    settings = run.training
    split = split_samples(samples, settings)
    assert samples.labels is not None

    def inputs(rows: np.ndarray) -> np.ndarray:
        return run.scaler.transform(features.values[samples.frames[rows]]).reshape(len(rows), -1)

    labels, test_labels = samples.labels[split.train], samples.labels[split.test]
    where = samples.trajectory[split.test]
    x, test_x = inputs(split.train), inputs(split.test)
    with threadpool_limits(1):  # on a busy machine two threads of BLAS wait for each other longer than one works
        if made.is_class:
            from sklearn.linear_model import LogisticRegression
            from sklearn.pipeline import make_pipeline
            from sklearn.preprocessing import StandardScaler

            weight = "balanced" if settings.balanced else None
            linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, class_weight=weight))
            linear.fit(x, labels.astype(int))
            most = np.bincount(labels.astype(int)).argmax()
            guesses = {"majority class": np.full(len(test_labels), most), "logistic regression": linear.predict(test_x)}
            found = {name: class_scores(test_labels.astype(int), guess, where) for name, guess in guesses.items()}
        else:
            from sklearn.linear_model import RidgeCV

            ridge = RidgeCV(np.logspace(-3, 5, 9)).fit(x, labels)
            guesses = {"mean": np.full(len(test_labels), labels.mean()), "ridge regression": ridge.predict(test_x)}
            found = {name: real_scores(test_labels, guess, where) for name, guess in guesses.items()}
    return {**found, run.family: run.scores}

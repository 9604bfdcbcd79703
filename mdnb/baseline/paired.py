"""compare: several trained models on the held-out samples that they share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mdnb.baseline.data import Data
from mdnb.errors import DataError
from mdnb.features.base import Features
from mdnb.runs import Run
from mdnb.scores import Score, class_scores, real_scores
from mdnb.training import CrossValidation

__all__ = ["compare"]


def compare(
    models: Mapping[str, Run | CrossValidation], features: Features | Mapping[str, Features], target: Any
) -> dict[str, dict[str, Score]]:
    """Score several trained models on the same held-out labels, so that their differences have paired intervals.

    Models that see windows of other lengths have other samples. Here only those frames count whose labels all
    models were tested on and none was trained on; of a cross-validation, the test parts of all its folds.

    Parameters
    ----------
    models : mapping of Run or CrossValidation
        By name; of the same target.
    features : Features or mapping of Features
        What they were trained on; by the same names where it is not the same for all.
    target : str, array, table or Target
        As for `mdnb.fit`.

    Returns
    -------
    dict
        Name to scores, as `mdnb.baselines` returns them. ``a["R2"].minus(b["R2"])`` is a difference with its
        interval; `mdnb.scores.verdict` says whether the last model beats the others.

    Raises
    ------
    DataError
        When a model predicts no label, was trained on other features or labels, or they share no test frame.
    """
    found = {
        name: _tested(name, model, features[name] if isinstance(features, Mapping) else features, target)
        for name, model in models.items()
    }
    if not found:
        raise DataError("there is no model to compare; give at least one, such as {'CNN': run}")
    frames = np.array(sorted(set.intersection(*(set(own.tolist()) for own, *_ in found.values()))), int)
    if not len(frames):
        raise DataError(
            "the models have no test frame in common; train them with the same split_seed, or cross-validate each"
        )
    first, _, unit, data = next(iter(found.values()))
    where = unit[np.searchsorted(first, frames)]
    assert data.samples.labels is not None
    labels = np.empty(len(data.features), data.samples.labels.dtype)
    labels[data.samples.label_frames] = data.samples.labels
    scores = {}
    for name, (own, predicted, _, _) in found.items():
        rows = np.searchsorted(own, frames)
        if data.run.task.kind == "class":
            scores[name] = class_scores(labels[frames].astype(int), predicted[rows], where, data.samples.whole)
        else:
            scores[name] = real_scores(labels[frames], predicted[rows], where, data.samples.whole)
    return scores


def _tested(
    name: str, model: Run | CrossValidation, features: Features, target: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Data]:
    """Return the frames whose labels a model was tested on, in order, what it predicts, and what is independent."""
    parts: list[Data] = []
    frames, predicted, units = [], [], []
    for run in model.runs if isinstance(model, CrossValidation) else [model]:
        if run.target is None or run.task.kind not in ("class", "real"):
            raise DataError(f"{name!r} predicts no label; compare what was trained on the same target")
        parts.append(data := Data.of(run, features, target))
        rows = data.split.test
        outputs = run.outputs(features, data.samples.frames[rows])
        frames.append(data.samples.label_frames[rows])
        predicted.append(outputs.argmax(1) if run.task.kind == "class" else outputs[:, 0])
        units.append(data.samples.unit[rows])
    own, order = np.unique(np.concatenate(frames), return_index=True)
    return own, np.concatenate(predicted)[order], np.concatenate(units)[order], parts[0]

"""cross_validate: every trajectory (or block) is in the test part once."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import t as student

from mdnb.datasets import Window
from mdnb.errors import SpecError
from mdnb.features.base import Features
from mdnb.files import user_path
from mdnb.models.base import ModelSpec, Objective
from mdnb.runs import Run
from mdnb.scores import Score
from mdnb.specs import Training
from mdnb.training.fitting import fit

__all__ = ["CrossValidation", "cross_validate"]


_BOUNDS = {"accuracy": (0.0, 1.0), "balanced accuracy": (0.0, 1.0), "within 95% interval": (0.0, 1.0)}


@dataclass(frozen=True)
class CrossValidation:
    """One run for each fold.

    Attributes
    ----------
    runs : tuple of Run
    scores : dict of Score
        The mean over the folds, with the 95% interval of that mean by Student's t. The folds share training data,
        so that it is somewhat too narrow (Bengio, Grandvalet, J. Mach. Learn. Res. 5, 1089 (2004)).
    notes : tuple of str
        What is to be known about single folds, such as one whose test part lacks a class.
    """

    runs: tuple[Run, ...]
    scores: dict[str, Score]
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        lines = [f"CrossValidation: {len(self.runs)} folds, {self.runs[0].spec}"]
        for name, score in self.scores.items():
            each = ", ".join(f"{run.scores[name].value:.3f}" for run in self.runs)
            lines.append(f"  {name} {score}; by fold {each}")
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def cross_validate(
    features: Features,
    target: Any = None,
    spec: ModelSpec | str = "CNN",
    training: Training | None = None,
    *,
    folds: int = 5,
    window: Window | None = None,
    objective: Objective | str | None = None,
    out: str | os.PathLike[str] | None = None,
) -> CrossValidation:
    """Train once for each fold; folds are of whole trajectories or molecules, or of blocks where there are few.

    Parameters
    ----------
    features, target, spec, training, window, objective
        As for `mdnb.fit`.
    folds : int
    out : path, optional
        Folder that gets a run for each fold; a fold that was cut off goes on where it stopped.

    Returns
    -------
    CrossValidation

    Raises
    ------
    SpecError
        For fewer than two folds, and as `mdnb.fit` does.
    DataError
        When there are fewer trajectories than folds.
    KeyboardInterrupt
        When it is interrupted; what was trained is in the folder.
    """
    if isinstance(folds, bool) or not isinstance(folds, int) or folds < 2:
        raise SpecError(f"folds = {folds!r}: expected a whole number of at least 2")
    training = training or Training()
    runs = []
    for fold in range(folds):
        own = replace(training, folds=folds, fold=fold)
        where = None if out is None else user_path(out) / f"fold-{fold}"
        run = fit(features, target, spec, own, window=window, objective=objective, out=where)
        if run.provenance.get("interrupted"):
            raise KeyboardInterrupt
        runs.append(run)
    scores = {}
    for name in runs[0].scores:
        values = np.array([run.scores[name].value for run in runs])
        values = values[np.isfinite(values)]
        spread = values.std(ddof=1) if len(values) > 1 else np.nan
        half = float(student.ppf(0.975, max(1, len(values) - 1)) * spread / np.sqrt(max(1, len(values))))
        mean = float(values.mean()) if len(values) else float("nan")
        low, high = np.clip([mean - half, mean + half], *_BOUNDS.get(name, (-np.inf, np.inf)))
        scores[name] = Score(runs[0].scores[name].metric, mean, float(low), float(high))
    notes = tuple(f"fold {fold + 1}: {note}" for fold, run in enumerate(runs) for note in run.split["notes"])
    return CrossValidation(tuple(runs), scores, notes)

"""The samples of a run once more: what the network saw, as plain tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mdnb.datasets import Samples, Split, digest, make_samples, split_samples
from mdnb.errors import DataError
from mdnb.features.base import Features
from mdnb.runs import Run
from mdnb.targets import Target, make_target

__all__ = ["Data"]


@dataclass(frozen=True)
class Data:
    """A run's samples and split, made anew from its features.

    Attributes
    ----------
    run : Run
    features : Features
    samples : Samples
    split : Split
    target : Target or None
    """

    run: Run
    features: Features
    samples: Samples
    split: Split
    target: Target | None

    @classmethod
    def of(cls, run: Run, features: Features, target: Any) -> Data:
        """Return the samples of a run, or refuse features and labels that it was not trained on."""
        run.check(features)
        known = run.provenance["data"]
        if (list(features.source.names), len(features)) != (known["trajectories"], known["n_frames"]):
            raise DataError(
                f"these are not the features that the {run.family} was trained on; scores would not compare"
            )
        made = None
        if run.target is not None:
            if target is None:
                raise DataError(
                    f"the {run.family} was trained on {run.target.name!r}; give the same target: "
                    "mdnb.baselines(run, features, target)"
                )
            made = make_target(features, target)
            if (made.name, made.classes) != (run.target.name, run.target.classes):
                raise DataError(f"the {run.family} was trained on {run.target.name!r}, got the target {made.name!r}")
            if digest(made.values) != known["sha256_of_labels"]:
                raise DataError(
                    f"these are not the labels that the {run.family} was trained on; scores would not compare"
                )
        objective = run.task.objective
        later = None if objective is None else objective.later(run.window.length, features.source.time_step)
        samples = make_samples(features, made, run.window, None if later is None else np.array(later))
        return cls(run, features, samples, split_samples(samples, run.training), made)

    def inputs(self, part: str) -> np.ndarray:
        """Return the scaled samples of a part, (n_samples, window * numbers)."""
        return self._table(self.samples.frames, part)

    def later(self, part: str) -> np.ndarray:
        """Return the scaled later frames of a part, (n_samples, n_later * numbers)."""
        assert self.samples.later is not None
        return self._table(self.samples.later, part)

    def labels(self, part: str) -> np.ndarray:
        """Return the labels of a part."""
        assert self.samples.labels is not None
        return self.samples.labels[getattr(self.split, part)]

    @property
    def where(self) -> np.ndarray:
        """The trajectory of each test sample, or the molecule where a label is of one."""
        return self.samples.unit[self.split.test]

    def _table(self, frames: np.ndarray, part: str) -> np.ndarray:
        rows = frames[getattr(self.split, part)]
        return self.run.scaler.transform(self.features.values[rows]).reshape(len(rows), -1)

"""Study: what a search tried, and the best of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mdnb.models.base import ModelSpec
from mdnb.runs import Run
from mdnb.specs import Training

__all__ = ["Study"]


@dataclass(frozen=True)
class Study:
    """What a search tried.

    Attributes
    ----------
    trials : tuple of dict
        For each finished trial its number, its settings and its ``validation_loss``, best first.
    spec : ModelSpec
        The best choices.
    training : Training
    run : Run or None
        The best choices, trained; its test part was never seen by the search. None where the search was stopped and
        the best trial was not one of this call; ``mdnb.fit(features, target, study.spec, study.training)`` makes it.
    importances : dict of float
        Share of the variance of the loss that each setting explains, largest first; empty for fewer than four
        trials (Hutter, Hoos, Leyton-Brown, ICML 2014: functional ANOVA).
    """

    trials: tuple[dict[str, Any], ...]
    spec: ModelSpec
    training: Training
    run: Run | None
    importances: dict[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        best = self.trials[0]["validation_loss"]
        return f"Study: {len(self.trials)} trials, best validation loss {best:.4f}\n  {self.spec}\n{self.run!r}"

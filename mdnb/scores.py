"""How good predictions are, with intervals that respect the correlation of neighbouring frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["Score", "class_scores", "real_scores", "verdict"]


@dataclass(frozen=True)
class Score:
    """One figure of merit on held-out samples.

    Attributes
    ----------
    metric : str
    value : float
    low, high : float
        95% interval by bootstrap over blocks of successive samples.
    """

    metric: str
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def class_scores(labels: np.ndarray, predicted: np.ndarray, trajectory: np.ndarray) -> dict[str, Score]:
    """Return accuracy and balanced accuracy (the mean over classes of the share found).

    Parameters
    ----------
    labels, predicted : (n_samples,) int arrays
    trajectory : (n_samples,) int array
        Blocks never span two trajectories.
    """

    def balanced(chosen: np.ndarray) -> float:
        truth, guess = labels[chosen], predicted[chosen]
        return float(np.mean([(guess[truth == one] == one).mean() for one in np.unique(truth)]))

    def accuracy(chosen: np.ndarray) -> float:
        return float((labels[chosen] == predicted[chosen]).mean())

    return _with_intervals({"accuracy": accuracy, "balanced accuracy": balanced}, trajectory)


def real_scores(labels: np.ndarray, predicted: np.ndarray, trajectory: np.ndarray) -> dict[str, Score]:
    """Return R2 (1 is perfect, 0 is as good as the mean) and the mean absolute error in the label's unit."""

    def r2(chosen: np.ndarray) -> float:
        truth = labels[chosen]
        rest = np.square(truth - predicted[chosen]).sum()
        return float(1 - rest / max(np.square(truth - truth.mean()).sum(), 1e-12))

    def error(chosen: np.ndarray) -> float:
        return float(np.abs(labels[chosen] - predicted[chosen]).mean())

    return _with_intervals({"R2": r2, "mean absolute error": error}, trajectory)


def _with_intervals(
    metrics: dict[str, Callable[[np.ndarray], float]], trajectory: np.ndarray, n_blocks: int = 20, n_draws: int = 200
) -> dict[str, Score]:
    """Evaluate each metric on all samples and on resampled blocks.

    References
    ----------
    Kunsch, Ann. Statist. 17, 1217 (1989), https://doi.org/10.1214/aos/1176347265
    """
    numbers = np.unique(trajectory)
    per_trajectory = max(1, n_blocks // len(numbers))
    blocks = [
        block
        for number in numbers
        for block in np.array_split(np.flatnonzero(trajectory == number), per_trajectory)
        if len(block)
    ]
    rng = np.random.default_rng(0)
    draws = [np.concatenate([blocks[i] for i in rng.integers(len(blocks), size=len(blocks))]) for _ in range(n_draws)]
    everything = np.arange(len(trajectory))
    result = {}
    for name, metric in metrics.items():
        low, high = np.percentile([metric(draw) for draw in draws], [2.5, 97.5])
        result[name] = Score(name, metric(everything), float(low), float(high))
    return result


def verdict(models: Mapping[str, Mapping[str, Score]]) -> str:
    """Say in one sentence for each metric whether the last model beats the others.

    Parameters
    ----------
    models : mapping of mapping of Score
        As `mdnb.baselines` returns them.
    """
    *others, name = models
    lines = []
    for metric, score in models[name].items():
        lower_is_better = "error" in metric
        values = {other: models[other][metric] for other in others}
        best = (min if lower_is_better else max)(values, key=lambda other: values[other].value)
        wins = score.value < values[best].value if lower_is_better else score.value > values[best].value
        overlap = score.low <= values[best].high and values[best].low <= score.high
        word = "beats" if wins else "does not beat"
        note = ", but their intervals overlap" if wins and overlap else ""
        lines.append(f"{metric}: the {name} ({score}) {word} the best baseline, {best} ({values[best]}){note}.")
    return "\n".join(lines)

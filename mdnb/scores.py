"""How good predictions are, with intervals that respect the correlation of neighbouring frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

__all__ = [
    "Score",
    "class_scores",
    "error_scores",
    "interval_scores",
    "likelihood_scores",
    "real_scores",
    "vamp_scores",
    "verdict",
]


@dataclass(frozen=True)
class Score:
    """One figure of merit on held-out samples.

    Attributes
    ----------
    metric : str
    value : float
    low, high : float
        95% interval by bootstrap over blocks of successive samples, widened for the small number of blocks.
    draws : tuple of float
        The value in each bootstrap draw. Scores on the same test samples use the same draws, so that their
        difference has an interval of its own.
    """

    metric: str
    value: float
    low: float
    high: float
    draws: tuple[float, ...] = field(default=(), repr=False, compare=False)

    def minus(self, other: Score) -> Score:
        """Return the difference to another score on the same test samples, with its paired interval."""
        draws = np.subtract(self.draws, other.draws)
        low, high = _interval(draws)
        name = f"difference in {self.metric}"
        return Score(name, self.value - other.value, float(low), float(high), tuple(draws.tolist()))

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def class_scores(
    labels: np.ndarray, predicted: np.ndarray, trajectory: np.ndarray, whole: bool = False
) -> dict[str, Score]:
    """Return accuracy and balanced accuracy (the mean over classes of the share found).

    Parameters
    ----------
    labels, predicted : (n_samples,) int arrays
    trajectory : (n_samples,) int array
        Blocks never span two trajectories.
    whole : bool
        Whether each trajectory (or molecule) is one block, since its label is one for all of it.
    """
    classes = np.unique(labels)

    def balanced(chosen: np.ndarray) -> float:
        truth, guess = labels[chosen], predicted[chosen]
        found = [(guess[truth == one] == one).mean() if (truth == one).any() else np.nan for one in classes]
        return float(np.mean(found))  # not a number where a draw lacks a class: that draw does not count

    def accuracy(chosen: np.ndarray) -> float:
        return float((labels[chosen] == predicted[chosen]).mean())

    return _with_intervals({"accuracy": accuracy, "balanced accuracy": balanced}, trajectory, (0.0, 1.0), whole)


def real_scores(
    labels: np.ndarray, predicted: np.ndarray, trajectory: np.ndarray, whole: bool = False
) -> dict[str, Score]:
    """Return R2 (1 is perfect, 0 is as good as the mean) and the mean absolute error in the label's unit."""

    def r2(chosen: np.ndarray) -> float:
        truth = labels[chosen]
        rest, spread = np.square(truth - predicted[chosen]).sum(), np.square(truth - truth.mean()).sum()
        return float(1 - rest / spread) if spread > 0 else float("nan")

    def error(chosen: np.ndarray) -> float:
        return float(np.abs(labels[chosen] - predicted[chosen]).mean())

    return _with_intervals({"R2": r2, "mean absolute error": error}, trajectory, whole=whole)


def interval_scores(
    labels: np.ndarray, predicted: np.ndarray, error: np.ndarray, trajectory: np.ndarray, whole: bool = False
) -> dict[str, Score]:
    """Return `real_scores`, and how many labels lie within the predicted 95% interval (0.95 where it is calibrated).

    Parameters
    ----------
    labels, predicted, error : (n_samples,) arrays
        In the label's unit; the error is a standard deviation.
    trajectory : (n_samples,) int array
    """
    inside = np.abs(labels - predicted) <= norm.ppf(0.975) * error
    within = {"within 95% interval": lambda own: float(inside[own].mean())}
    share = _with_intervals(within, trajectory, (0.0, 1.0), whole)
    return {**real_scores(labels, predicted, trajectory, whole), **share}


def error_scores(name: str, squares: np.ndarray, trajectory: np.ndarray) -> dict[str, Score]:
    """Return the mean of squared errors of scaled numbers (1 is as good as the mean), each sample's (n_samples,)."""
    return _with_intervals({name: lambda own: float(squares[own].mean())}, trajectory, (0.0, np.inf))


def likelihood_scores(each: np.ndarray, trajectory: np.ndarray) -> dict[str, Score]:
    """Return the mean log likelihood of held-out frames in nats, each one's (n_samples,); higher is better."""
    return _with_intervals({"log likelihood": lambda own: float(each[own].mean())}, trajectory)


def vamp_scores(
    now: np.ndarray, later: np.ndarray, singular_values: np.ndarray, trajectory: np.ndarray
) -> dict[str, Score]:
    """Return the VAMP-2 and VAMP-E scores of held-out pairs, the constant function's 1 included; higher is better.

    Parameters
    ----------
    now, later : (n_samples, modes) arrays
        Left and right singular functions as they were found on the training part.
    singular_values : (modes,) array
        Of the training part.
    trajectory : (n_samples,) int array

    References
    ----------
    Wu, Noe, J. Nonlinear Sci. 30, 23 (2020), https://doi.org/10.1007/s00332-019-09567-y: VAMP-2 is of the best
    functions in the span of those given; VAMP-E takes functions and singular values as they are.
    """
    x, y = np.asarray(now, float), np.asarray(later, float)

    def covariances(own: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        a, b = x[own], y[own]
        a_mean, b_mean = a.mean(0), b.mean(0)
        a, b = a - a_mean, b - b_mean
        n = max(1, len(a) - 1)
        return a.T @ a / n, a.T @ b / n, b.T @ b / n, a_mean, b_mean

    def vamp2(own: np.ndarray) -> float:
        c00, c0t, ctt, *_ = covariances(own)
        with np.errstate(invalid="ignore"):
            half = [_inverse_root(c00), _inverse_root(ctt)]
        return float(np.square(half[0] @ c0t @ half[1]).sum() + 1)

    def vampe(own: np.ndarray) -> float:
        c00, c0t, ctt, a_mean, b_mean = covariances(own)
        # Of the functions as they are: about the training part's means, which here are 0.
        c00, c0t, ctt = c00 + np.outer(a_mean, a_mean), c0t + np.outer(a_mean, b_mean), ctt + np.outer(b_mean, b_mean)
        s = np.concatenate([[1.0], singular_values])
        full = [np.block([[np.ones((1, 1)), u[None]], [v[:, None], c]]) for c, u, v in
                ((c00, a_mean, a_mean), (c0t, b_mean, a_mean), (ctt, b_mean, b_mean))]  # fmt: skip
        return float(2 * (s * np.diag(full[1])).sum() - np.trace(s[:, None] * full[0] * s[None] @ full[2]))

    return _with_intervals({"VAMP-2": vamp2, "VAMP-E": vampe}, trajectory)


def _inverse_root(matrix: np.ndarray) -> np.ndarray:
    """Return the inverse square root of a covariance matrix, on the directions that vary."""
    values, vectors = np.linalg.eigh(matrix)
    keep = values > 1e-10 * max(values.max(), 1e-300)
    return (vectors[:, keep] / np.sqrt(values[keep])) @ vectors[:, keep].T


def _with_intervals(
    metrics: dict[str, Callable[[np.ndarray], float]],
    trajectory: np.ndarray,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    whole: bool = False,
    n_blocks: int = 20,
    n_draws: int = 500,
) -> dict[str, Score]:
    """Evaluate each metric on all samples and on resampled blocks.

    References
    ----------
    Kunsch, Ann. Statist. 17, 1217 (1989), https://doi.org/10.1214/aos/1176347265
    """
    numbers = np.unique(trajectory)
    per_trajectory = 1 if whole else max(1, n_blocks // len(numbers))
    blocks = [
        block
        for number in numbers
        for block in np.array_split(np.flatnonzero(trajectory == number), per_trajectory)
        if len(block)
    ]
    rng = np.random.default_rng(0)
    draws = [np.concatenate([blocks[i] for i in rng.integers(len(blocks), size=len(blocks))]) for _ in range(n_draws)]
    everything = np.arange(len(trajectory))
    # A bootstrap of few blocks is too narrow, by the variance's factor and by the tails of Student's t; of one it says
    # nothing.
    n = len(blocks)
    widen = float(student.ppf(0.975, n - 1) / norm.ppf(0.975) * np.sqrt(n / (n - 1))) if n > 1 else np.nan
    result = {}
    for name, metric in metrics.items():
        value = metric(everything)
        drawn = value + widen * (np.array([metric(draw) for draw in draws]) - value)
        low, high = np.clip(_interval(drawn), *bounds)
        result[name] = Score(name, value, float(low), float(high), tuple(drawn.tolist()))
    return result


def _interval(draws: np.ndarray) -> tuple[float, float]:
    """Return the 95% interval of the draws that are numbers."""
    numbers = draws[np.isfinite(draws)]
    low, high = np.percentile(numbers, [2.5, 97.5]) if len(numbers) else (np.nan, np.nan)
    return float(low), float(high)


def verdict(models: Mapping[str, Mapping[str, Score]]) -> str:
    """Say in one sentence for each metric whether the last model beats the others.

    Parameters
    ----------
    models : mapping of mapping of Score
        As `mdnb.baselines` returns them; all on the same test samples.
    """
    *others, name = models
    lines = []
    for metric, score in models[name].items():
        lower_is_better = "error" in metric
        values = {other: models[other][metric] for other in others if metric in models[other]}
        if not values:
            continue
        best = (min if lower_is_better else max)(values, key=lambda other: values[other].value)
        gap = score.minus(values[best])
        ahead = gap.value < 0 if lower_is_better else gap.value > 0
        sure = gap.high < 0 if lower_is_better else gap.low > 0
        word = "beats" if sure else "is ahead of, but not beyond chance," if ahead else "does not beat"
        lines.append(
            f"{metric}: the {name} ({score.value:.3f}) {word} the best baseline, {best} ({values[best].value:.3f}); "
            f"difference {gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]."
        )
    return "\n".join(lines)

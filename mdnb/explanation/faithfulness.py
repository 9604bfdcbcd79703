"""Faithfulness: whether an explanation says what the model does, and whether another one would say the same."""

from __future__ import annotations

import copy
import html
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from mdnb.errors import DataError
from mdnb.explanation.methods import METHODS, OF_PLAYERS
from mdnb.explanation.players import Players, make_players
from mdnb.explanation.problem import Problem
from mdnb.explanation.summary import blocks_of, interval
from mdnb.runs import Run
from mdnb.training import torch_threads

if TYPE_CHECKING:
    from mdnb.explanation.result import Explanation

__all__ = ["Curve", "Faithfulness", "check"]

_STEPS, _RANDOM_ORDERS, _BACKGROUND, _REPEATS = 10, 3, 16, 2
#: The explanation of a network of shuffled weights must be this much less alike than that of another background.
_APART = 0.2


@dataclass(frozen=True)
class Curve:
    """What is left of a prediction when inputs are put in or taken out, in one order.

    Attributes
    ----------
    share : (n_steps,) array
        Share of the inputs that were moved.
    insertion : (n_steps,) array
        How far the output is on its way from the base value (0) to the prediction (1) when these inputs alone
        are the sample's.
    deletion : (n_steps,) array
        The same when these inputs alone are the background's.
    """

    share: np.ndarray
    insertion: np.ndarray
    deletion: np.ndarray


@dataclass(frozen=True)
class Faithfulness:
    """Checks of one explanation.

    Attributes
    ----------
    curves : dict of Curve
        By order: that of the ``explanation`` in each sample, ``one ranking`` by mean absolute attribution for all
        samples, and a ``random order``. References: Samek et al., IEEE Trans. Neural Netw. Learn. Syst. 28, 2660
        (2017), https://doi.org/10.1109/TNNLS.2016.2599820; Petsiuk, Das, Saenko (2018),
        https://doi.org/10.48550/arXiv.1806.07421.
    gain : tuple of float
        How much larger the area between insertion and deletion is than in a random order, with its 95%
        interval by bootstrap over blocks of samples; above 0 is better than chance.
    gain_over_ranking : tuple of float
        The same against the one ranking: above 0, the single samples matter.
    random_weights : float
        Rank correlation of the absolute attributions with those of the same network with shuffled weights; near
        0 if the explanation depends on what was learned. Adebayo et al. (2018),
        https://doi.org/10.48550/arXiv.1810.03292.
    seeds : float
        Rank correlation with the explanation against other background samples.
    runs : tuple of float
        Rank correlation of the mean absolute attributions with those of other runs (seeds, splits).
    n_samples : int
        How many samples this rests on.
    players : str
        What was moved.
    """

    curves: dict[str, Curve]
    gain: tuple[float, float, float]
    gain_over_ranking: tuple[float, float, float]
    random_weights: float
    seeds: float
    runs: tuple[float, ...]
    n_samples: int
    players: str

    @property
    def better_than_chance(self) -> bool:
        """Whether the order of the explanation beats a random one beyond doubt."""
        return self.gain[1] > 0

    @property
    def warnings(self) -> tuple[str, ...]:
        """What speaks against the explanation; empty where nothing does."""
        found = []
        if not self.better_than_chance:
            found.append(
                "WARNING: the explanation is no better than chance: what it calls important moves the output no more "
                "than inputs in a random order; do not interpret it"
            )
        if self.random_weights > self.seeds - _APART:
            found.append(
                "WARNING: a network with shuffled weights is explained nearly alike: the picture shows the data, not "
                "what was learned"
            )
        if self.seeds < 0.7:
            found.append("WARNING: another background gives another explanation; use more background samples")
        if self.runs and min(self.runs) < 0.5:
            found.append("WARNING: other runs of the same kind are explained otherwise: do not rely on the ranking")
        return tuple(found)

    def verdict(self) -> list[str]:
        """Return the checks in words, a line each, warnings first."""
        value, low, high = self.gain
        over, over_low, over_high = self.gain_over_ranking
        lines = [
            *self.warnings,
            f"insertion less deletion is {value:+.2f} [{low:+.2f}, {high:+.2f}] above a random order (0 is chance), "
            f"{over:+.2f} [{over_low:+.2f}, {over_high:+.2f}] above one ranking for all samples",
            f"rank correlation with the explanation of shuffled weights {self.random_weights:.2f} (low is good), "
            f"against other backgrounds {self.seeds:.2f} (high is good)",
        ]
        if self.runs:
            lines.append("with other runs " + ", ".join(f"{one:.2f}" for one in self.runs) + " (high is good)")
        return lines

    def __repr__(self) -> str:
        head = f"Faithfulness on {self.n_samples} samples, inputs moved by {self.players}"
        return "\n".join([head, *(f"  {line}" for line in self.verdict())])

    def _repr_html_(self) -> str:
        first, *rest = repr(self).split("\n")
        return f"<p>{html.escape(first)}</p><ul>{''.join(f'<li>{html.escape(line)}</li>' for line in rest)}</ul>"


def check(explanation: Explanation, runs: Sequence[Run], n: int, seed: int) -> Faithfulness:
    """Return the checks of an explanation; see `Explanation.faithfulness`."""
    problem = explanation.problem
    if problem is None or explanation.rerun is None:
        raise DataError("this explanation does not know its model any more; make it again with mdnb.explain")
    with torch_threads(problem.threads):
        return _check(explanation, problem, runs, n, seed)


def _check(explanation: Explanation, problem: Problem, runs: Sequence[Run], n: int, seed: int) -> Faithfulness:
    chosen = np.unique(np.linspace(0, len(problem.x) - 1, min(n, len(problem.x))).astype(int))
    players, values = _moved(explanation, problem)
    if len(players) < 2:
        raise DataError("there is one input only, so that there is no order of importance to check")
    small = _smaller(problem, chosen, players)
    own = values[chosen]
    rng = np.random.default_rng(seed)
    direction = np.sign(small.prediction - small.base_value)[:, None]
    ranking = np.abs(values).mean(0)[None]
    orders = {
        "explanation": [np.argsort(-own * direction, 1, kind="stable")],
        "one ranking": [np.argsort(-np.repeat(ranking, len(chosen), 0), 1, kind="stable")],
        "random order": [np.stack([rng.permutation(len(players)) for _ in chosen]) for _ in range(_RANDOM_ORDERS)],
    }
    counts = np.unique(np.round(len(players) * (np.arange(_STEPS + 1) / _STEPS) ** 2).astype(int))
    curves, areas = {}, {}
    amplitude = max(float(np.abs(small.prediction - small.base_value).mean()), 1e-12)
    for name, several in orders.items():
        both = np.mean([_curves(small, order, counts) for order in several], 0) / amplitude
        curves[name] = Curve(counts / len(players), both[:, 0].mean(0), both[:, 1].mean(0))
        areas[name] = (both[:, 0] - both[:, 1]).mean(1)
    trajectory = explanation.trajectory[chosen] if len(explanation.trajectory) else np.zeros(len(chosen), int)
    return Faithfulness(
        curves=curves,
        gain=_gain(areas["explanation"] - areas["random order"], trajectory),
        gain_over_ranking=_gain(areas["explanation"] - areas["one ranking"], trajectory),
        random_weights=_against_shuffled(explanation, problem, chosen, own, players, seed),
        seeds=_against_backgrounds(explanation, chosen, own, players, seed),
        runs=tuple(_against_run(explanation, run, ranking[0], players, seed) for run in runs),
        n_samples=len(chosen),
        players=players.kind,
    )


def _moved(explanation: Explanation, problem: Problem) -> tuple[Players, np.ndarray]:
    """Return what is put in and taken out, and the attributions to it."""
    if explanation.grouping != "input":
        return problem.players, explanation.values
    arguments = explanation.columns, explanation.window, explanation.topology, explanation.reference
    players = make_players("feature", *arguments)
    if len(players) < 8:
        players = make_players("input", *arguments)
    return players, explanation.values.reshape(len(explanation.values), -1) @ players.shares


def _smaller(problem: Problem, chosen: np.ndarray, players: Players) -> Problem:
    """Return the problem with some of the samples and at most so many background samples."""
    few = np.unique(np.linspace(0, len(problem.background) - 1, _BACKGROUND).astype(int))
    weights = problem.weights[few] / problem.weights[few].sum()
    return replace(problem, x=problem.x[chosen], background=problem.background[few], weights=weights, players=players)


def _curves(problem: Problem, order: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return insertion and deletion in the direction of each prediction, (n_samples, 2, n_steps)."""
    result = np.empty((len(order), 2, len(counts)))
    for sample, own in enumerate(order):
        place = np.empty(len(own), int)
        place[own] = np.arange(len(own))
        inside = place[None] < counts[:, None]
        worth = problem.worth(sample, np.concatenate([inside, ~inside])) - problem.base_value
        result[sample] = worth.reshape(2, -1) * np.sign(problem.prediction[sample] - problem.base_value)
    return result


def _gain(difference: np.ndarray, trajectory: np.ndarray) -> tuple[float, float, float]:
    blocks = blocks_of(trajectory)
    sums = np.array([[difference[block].sum()] for block in blocks])
    center = difference.mean(keepdims=True)
    low, high = interval(sums, np.array([len(block) for block in blocks], float), center)
    return float(center[0]), float(low[0]), float(high[0])


def _explain(explanation: Explanation, problem: Problem, players: Players) -> np.ndarray:
    """Return the attributions to players by the method of an explanation."""
    if explanation.method in OF_PLAYERS:
        return METHODS[explanation.method](replace(problem, players=players))
    return METHODS[explanation.method](problem).reshape(len(problem.x), -1) @ players.shares


def _against_shuffled(
    explanation: Explanation, problem: Problem, chosen: np.ndarray, own: np.ndarray, players: Players, seed: int
) -> float:
    generator = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(_REPEATS):
        module = copy.deepcopy(problem.module)
        with torch.no_grad():
            for weight in module.parameters():
                shuffled = torch.randperm(weight.numel(), generator=generator).to(weight.device)
                weight.copy_(weight.flatten()[shuffled].reshape(weight.shape))
        other = replace(problem, module=module, x=problem.x[chosen], tolerance=max(problem.tolerance, 0.05))
        found.append(_alike(own, _explain(explanation, other, players)))
    return float(np.mean(found))


def _against_backgrounds(
    explanation: Explanation, chosen: np.ndarray, own: np.ndarray, players: Players, seed: int
) -> float:
    problems = [explanation.rerun(None, seed + 1 + number) for number in range(_REPEATS)]
    small = [replace(one, x=one.x[chosen]) for one in problems]
    return float(np.mean([_alike(own, _explain(explanation, one, players)) for one in small]))


def _against_run(explanation: Explanation, run: Run, ranking: np.ndarray, players: Players, seed: int) -> float:
    values = _explain(explanation, explanation.rerun(run, seed), players)
    return _alike(ranking, np.abs(values).mean(0))


def _alike(one: np.ndarray, other: np.ndarray) -> float:
    """Return the rank correlation of absolute values; 0 where one does not vary."""
    from scipy.stats import rankdata

    first, second = rankdata(np.abs(one)), rankdata(np.abs(other))
    if not (np.ptp(first) and np.ptp(second)):
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])

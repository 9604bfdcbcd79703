"""How fast, at the same additivity error as shap's GradientExplainer; and how near to exact Shapley values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from time import perf_counter

import numpy as np
import torch

from mdnb.bench.explanations.networks import Additive, Multilinear, families, grouped, problem_of
from mdnb.explanation.methods import METHODS
from mdnb.explanation.others import shap_deep
from mdnb.explanation.problem import Problem

__all__ = ["Agreement", "Speed", "agreement", "error_of", "speed"]


@dataclass(frozen=True)
class Speed:
    """One network: seconds and additivity errors (as shares of the predictions' range).

    Attributes
    ----------
    name : str
    theirs : tuple of float
        Seconds and error of shap's GradientExplainer with 1,000 points for each sample.
    same : tuple of float
        Seconds and error of mdnb with that error as its tolerance.
    default, fine : tuple of float
        Seconds and error with the tolerances 1e-2 and 1e-4.
    deep : tuple of float
        Seconds and error of shap's DeepExplainer.
    """

    name: str
    theirs: tuple[float, float]
    same: tuple[float, float]
    default: tuple[float, float]
    fine: tuple[float, float]
    deep: tuple[float, float]

    @property
    def ratio(self) -> float:
        """How many times faster at the same error."""
        return self.theirs[0] / self.same[0]


@dataclass(frozen=True)
class Agreement:
    """Expected gradients beside Shapley values by enumeration: correlation and relative difference."""

    name: str
    correlation: float
    difference: float
    theory: str


def error_of(problem: Problem, values: np.ndarray) -> float:
    """Return the largest additivity error over the range of the predictions and the base value."""
    total = values.reshape(len(values), -1).sum(1, dtype=np.float64)
    return float(np.abs(total - (problem.prediction - problem.base_value)).max() / problem.spread)


def _timed(run: Callable[[], np.ndarray], problem: Problem, rounds: int) -> tuple[float, float]:
    times, values = [], np.empty(0)
    for _ in range(rounds):
        start = perf_counter()
        values = run()
        times.append(perf_counter() - start)
    return median(times), error_of(problem, values)


def speed(rounds: int = 3) -> list[Speed]:
    """Measure every kind of network."""
    found = []
    for name, make in families().items():
        problem = make()
        ours = METHODS["expected-gradients"]
        ours(replace(problem, x=problem.x[:1]))  # warm up
        theirs = _timed(partial(METHODS["shap-gradient"], problem), problem, 1)
        runs = [
            _timed(partial(ours, replace(problem, tolerance=error)), problem, times)
            for error, times in ((theirs[1], rounds), (1e-2, 1), (1e-4, 1))
        ]
        deep = _timed(partial(shap_deep, problem), problem, 1)
        found.append(Speed(name, theirs, runs[0], runs[1], runs[2], deep))
    return found


def agreement(others: bool = True) -> list[Agreement]:
    """Compare expected gradients with exact Shapley values of 12 players, where they coincide and where not.

    Parameters
    ----------
    others : bool
        Also trained networks, of which theory says that the two differ.
    """
    generator = torch.Generator().manual_seed(3)
    torch.manual_seed(3)
    wide, narrow = (torch.randn(60, 1, n, generator=generator) for n in (36, 12))
    linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(36, 1))
    blocks = np.arange(36) // 3
    problems = {
        "linear, 12 groups of 3": (problem_of(linear, wide[:5], wide[40:], blocks), "equal"),
        "additive over 12 groups of 3": (problem_of(Additive(), wide[:5], wide[40:], blocks), "equal"),
        "products of 2 and 3 of 12 inputs": (problem_of(Multilinear(), narrow[:5], narrow[40:]), "equal"),
    }
    for name, make in families().items():
        if others and name in ("MLP head", "GRU"):
            problem = grouped(make())
            problems[f"{name}, 1,000 inputs in 12 groups"] = (
                replace(problem, x=problem.x[:5], background=problem.background[:20], weights=np.full(20, 0.05)),
                "differs",
            )
    found = []
    for name, (problem, theory) in problems.items():
        problem = replace(problem, tolerance=1e-4)
        ours = METHODS["expected-gradients"](problem).reshape(len(problem.x), -1) @ problem.players.shares
        exact = METHODS["exact"](problem)
        correlation = float(np.corrcoef(ours.ravel(), exact.ravel())[0, 1])
        difference = float(np.sqrt(np.square(ours - exact).mean() / np.square(exact).mean()))
        found.append(Agreement(name, correlation, difference, theory))
    return found

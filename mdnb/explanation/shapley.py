"""Shapley values of players: by enumeration, by permutations, by a weighted regression."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import factorial

import numpy as np

from mdnb.errors import SpecError
from mdnb.explanation.problem import Problem

__all__ = ["MOST_PLAYERS", "exact", "kernel", "own_randomness", "permutation"]

#: Of an enumeration: 4,096 coalitions, each on the whole background.
MOST_PLAYERS = 12


def exact(problem: Problem) -> np.ndarray:
    """Compute Shapley values by enumerating all coalitions of up to 12 players.

    Raises
    ------
    SpecError
        For more players.

    References
    ----------
    Shapley, in: Contributions to the Theory of Games II, 307 (1953), https://doi.org/10.1515/9781400881970-018
    """
    n = len(problem.players)
    if n > MOST_PLAYERS:
        raise SpecError(
            f"exact Shapley values of {n} players need 2**{n} coalitions; at most {MOST_PLAYERS} players can be "
            "enumerated: group them (by='residue', 'feature', 'time', ...) or use method='permutation'"
        )
    numbers = np.arange(2**n)
    coalitions = (numbers[:, None] >> np.arange(n) & 1).astype(bool)
    size = coalitions.sum(1)
    weight = np.array([factorial(k) * factorial(n - k - 1) / factorial(n) for k in range(n)] + [0.0])
    values = np.empty((len(problem.x), n))
    for sample in range(len(values)):
        worth = problem.worth(sample, coalitions)
        for player in range(n):
            without = numbers[~coalitions[:, player]]
            values[sample, player] = weight[size[without]] @ (worth[without | 1 << player] - worth[without])
    return values


def permutation(problem: Problem) -> np.ndarray:
    """Sample Shapley values with shap's PermutationExplainer: ten random orders of the players, there and back.

    It needs no gradients; its additivity is exact.

    References
    ----------
    Lundberg, Lee (2017), https://doi.org/10.48550/arXiv.1705.07874;
    Strumbelj, Kononenko, Knowl. Inf. Syst. 41, 647 (2014), https://doi.org/10.1007/s10115-013-0679-x
    """
    import shap

    n = len(problem.players)
    masker = shap.maskers.Independent(np.zeros((1, n)), max_samples=1)
    values = np.empty((len(problem.x), n))
    with own_randomness():
        for sample in range(len(values)):
            explainer = shap.PermutationExplainer(_game(problem, sample), masker, seed=problem.seed)
            found = explainer(np.ones((1, n)), max_evals=10 * (2 * n + 1), silent=True)
            values[sample] = np.asarray(found.values)[0]
    return values


def kernel(problem: Problem) -> np.ndarray:
    """Fit Shapley values with shap's KernelExplainer: a weighted regression on random coalitions.

    References
    ----------
    Lundberg, Lee (2017), https://doi.org/10.48550/arXiv.1705.07874
    """
    import shap

    n = len(problem.players)
    values = np.empty((len(problem.x), n))
    with own_randomness():
        for sample in range(len(values)):
            np.random.seed(problem.seed)  # noqa: NPY002 - shap draws from the global state, which is put back
            explainer = shap.KernelExplainer(_game(problem, sample), np.zeros((1, n)), silent=True)
            found = explainer.shap_values(np.ones((1, n)), nsamples=2 * n + 2048, l1_reg=False, silent=True)
            values[sample] = np.asarray(found).reshape(n)
    return values


def _game(problem: Problem, sample: int):  # type: ignore[no-untyped-def]  # a function of numpy arrays, for shap
    def worth(rows: np.ndarray) -> np.ndarray:
        return problem.worth(sample, np.asarray(rows) > 0.5)

    return worth


@contextmanager
def own_randomness() -> Iterator[None]:
    """Put numpy's global random state back, which shap seeds and draws from."""
    before = np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(before)  # noqa: NPY002

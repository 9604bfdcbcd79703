"""The background: what "average" is, chosen from the training part and never from what is explained."""

from __future__ import annotations

from typing import Any

import numpy as np

from mdnb.errors import DataError, SpecError, unknown_name
from mdnb.features.base import Features
from mdnb.runs import Run

__all__ = ["BACKGROUNDS", "choose_background"]

#: Ways to choose it.
BACKGROUNDS = ("stratified", "k-medoids")
#: Windows that k-medoids chooses among.
_POOL = 1500


def choose_background(
    run: Run, features: Features, all_windows: np.ndarray, explained: np.ndarray, asked: Any, n: int, seed: int
) -> tuple[np.ndarray, np.ndarray, str]:
    """Return windows of frames, their weights, and what they are in words.

    Parameters
    ----------
    run : Run
    features : Features
    all_windows, explained : (n_windows, window) int arrays
    asked : str, array or None
        ``stratified`` draws evenly from all training trajectories; ``k-medoids`` chooses windows in the middle
        of clusters, each with the weight of its cluster; an array gives the windows.
    n : int
    seed : int

    Raises
    ------
    SpecError
        For an unknown way.
    DataError
        For windows that do not exist, or when nothing is left to choose from.

    References
    ----------
    k-medoids by alternation: Park, Jun, Expert Syst. Appl. 36, 3336 (2009),
    https://doi.org/10.1016/j.eswa.2008.01.039
    """
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise SpecError(f"n_background = {n!r}: expected a whole number of at least 1")
    if asked is not None and not isinstance(asked, str):
        chosen = _given(run, features, asked)
        return chosen, np.full(len(chosen), 1 / len(chosen)), f"{len(chosen)} windows as given"
    way = asked or "stratified"
    if way not in BACKGROUNDS:
        raise unknown_name("background", way, BACKGROUNDS)
    inside = run.in_part(features, all_windows, "train")
    free = ~np.isin(all_windows, explained).any(1)
    where = "training" if inside.any() else "all (the training ones are not among these features)"
    pool = all_windows[(inside if inside.any() else np.ones(len(all_windows), bool)) & free]
    if not len(pool):
        raise DataError(
            "there are no windows left for the background: all are explained; explain fewer, or give background= as "
            "windows of frames"
        )
    numbers = features.trajectory[pool[:, -1]]
    groups = np.unique(numbers)
    if way == "stratified":
        rows = _stratified(numbers, n, np.random.default_rng(seed))
        words = f"{len(rows)} windows drawn from {len(groups)} {where} trajectories"
        return pool[rows], np.full(len(rows), 1 / len(rows)), words
    rows = _stratified(numbers, min(_POOL, len(pool)), np.random.default_rng(seed))
    points = run.inputs(features, pool[rows]).flatten(1).numpy()
    medoids, weights = k_medoids(points, min(n, len(points)), seed)
    words = f"{len(medoids)} medoids of {len(groups)} {where} trajectories, weighted by their clusters"
    return pool[rows[medoids]], weights, words


def _given(run: Run, features: Features, given: Any) -> np.ndarray:
    chosen, length = np.asarray(given), run.window.length
    fits = chosen.shape[1:] == (length,) if chosen.ndim == 2 else chosen.ndim == 1 and chosen.size % length == 0
    if not (fits and chosen.size and np.issubdtype(chosen.dtype, np.integer)):
        raise DataError(f"got background={given!r}, expected (n_background, {length}) numbers of frames")
    if chosen.min() < 0 or chosen.max() >= len(features):
        wrong = int(chosen[(chosen < 0) | (chosen >= len(features))][0])
        raise DataError(f"frame {wrong} of the background does not exist; there are 0 to {len(features) - 1}")
    return chosen.reshape(-1, length)


def _stratified(numbers: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return rows drawn evenly from the trajectories."""
    groups = np.unique(numbers)
    drawn = []
    for share, number in zip(np.diff(np.linspace(0, n, len(groups) + 1).astype(int)), groups, strict=True):
        own = np.flatnonzero(numbers == number)
        drawn.append(rng.choice(own, min(int(share), len(own)), replace=False))
    return np.concatenate(drawn)


def k_medoids(points: np.ndarray, k: int, seed: int, rounds: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of k medoids of points (n_points, n) and the share of the points of each."""
    from scipy.spatial.distance import cdist

    distance = cdist(points, points)
    rng = np.random.default_rng(seed)
    medoids = [int(rng.integers(len(points)))]
    while len(medoids) < k:  # k-means++: far points are likelier
        nearest = np.square(distance[:, medoids].min(1))
        if not nearest.any():
            break
        medoids.append(int(rng.choice(len(points), p=nearest / nearest.sum())))
    chosen = np.array(medoids)
    for _ in range(rounds):
        owner = distance[:, chosen].argmin(1)
        new = chosen.copy()
        for number in range(len(chosen)):
            own = np.flatnonzero(owner == number)
            if len(own):
                new[number] = own[distance[np.ix_(own, own)].sum(1).argmin()]
        if np.array_equal(new, chosen):
            break
        chosen = new
    counts = np.bincount(distance[:, chosen].argmin(1), minlength=len(chosen))
    return chosen[counts > 0], counts[counts > 0] / counts.sum()

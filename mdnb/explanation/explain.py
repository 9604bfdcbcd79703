"""explain: what is explained, against what, by which method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mdnb.errors import DataError, SpecError, unknown_name
from mdnb.explanation.background import choose_background
from mdnb.explanation.faithfulness import Faithfulness
from mdnb.explanation.methods import METHODS, OF_PLAYERS
from mdnb.explanation.outputs import Head, default_output, output_of
from mdnb.explanation.players import Players, make_players
from mdnb.explanation.problem import Problem, Scored
from mdnb.explanation.result import Explanation
from mdnb.features.base import Column, Features
from mdnb.runs import Run
from mdnb.training import fit, torch_threads

__all__ = ["explain", "faithfulness"]


def explain(
    run: Run,
    features: Features,
    *,
    frames: Any = None,
    n: int = 100,
    output: str | int | None = None,
    background: Any = None,
    n_background: int = 50,
    method: str = "expected-gradients",
    by: str = "input",
    tolerance: float = 0.01,
    seed: int = 0,
) -> Explanation:
    """Attribute a model's output to its inputs.

    Parameters
    ----------
    run : Run
    features : Features
        Those of the training, or others with the same columns.
    frames : sequence of int, optional
        Last frames of the windows to explain. By default `n` windows spread over the test part.
    n : int
        How many, where `frames` is left out; all where there are fewer.
    output : str or int, optional
        A class by name or number, a latent dimension by number, or ``"reconstruction error"`` of a VAE (the mean
        squared one of the scaled inputs). By default the class that is predicted most often among the explained
        samples, else the first output: a critic's score, a predicted number, the first latent.
    background : {"stratified", "k-medoids"} or (n_background, window) int array, optional
        What stands for "average": windows drawn evenly from all training trajectories (the default), medoids
        of them that are weighted by their clusters, or windows of frames as given. Never what is explained.
    n_background : int
    method : str
        A name in `mdnb.explanation.METHODS`.
    by : str
        What gets the attributions: each ``input``, or players as `mdnb.explanation.make_players` groups them,
        such as ``feature``, ``residue`` or ``time``. The methods ``exact``, ``permutation`` and ``kernel`` then
        play the game of these groups (Shapley values of groups, not sums of Shapley values); the other methods
        sum over them.
    tolerance : float
        Additivity error, as a share of the predictions' range, at which the integration stops.
    seed : int
        Of the draw of the background.

    Returns
    -------
    Explanation

    Raises
    ------
    SpecError
        For an unknown method, grouping, background or output, or too many players to enumerate.
    DataError
        For frames that do not end a whole window, or features the model does not know.
    MissingDependencyError
        For a method of captum where that is not installed.
    """
    if not isinstance(run, Run):
        raise DataError(f"got {type(run).__name__!r} as a run, expected what mdnb.fit or mdnb.Run.load returns")
    run.check(features)
    if method not in METHODS:
        raise unknown_name("explanation method", method, METHODS)
    if not isinstance(tolerance, int | float) or isinstance(tolerance, bool) or not tolerance > 0:
        raise SpecError(f"tolerance = {tolerance!r}: expected a share of the predictions' range above 0, such as 0.01")
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise SpecError(f"n = {n!r}: expected the number of windows to explain, a whole number of at least 1")
    all_windows = run.samples(features).frames
    windows = _windows(run, features, all_windows, frames, n)
    behind, weights, description = choose_background(
        run, features, all_windows, windows, background, n_background, seed
    )
    players = make_players(by, features.columns, run.window.length, features.topology, run.reference)
    number = default_output(run, features, windows) if output is None else output
    score, name = output_of(run, features, number)

    def problem(other: Run | None, other_seed: int) -> Problem:
        """Return the same question to another run, or against another draw of the background."""
        asked = other or run
        if other is not None:
            other.check(features)
        way = background if isinstance(background, str) else None
        drawn, own_weights, _ = choose_background(asked, features, all_windows, windows, way, n_background, other_seed)
        own = output_of(asked, features, number)[0]
        return _problem(asked, features, windows, drawn, own_weights, players, own, tolerance, other_seed)

    with torch_threads(run.training.threads):
        question = _problem(run, features, windows, behind, weights, players, score, tolerance, seed)
        values = METHODS[method](question).reshape(len(windows), -1)
    columns, data = features.columns, features.values[windows]
    if by == "input":
        values = values.reshape(data.shape)
        if run.window.length == 1:
            values, data = values[:, 0], data[:, 0]
    else:
        values = values if method in OF_PLAYERS else values @ players.shares
        columns = tuple(Column(name, "", atoms, name) for name, atoms in zip(players.names, players.atoms, strict=True))
        data = np.full(values.shape, np.nan, np.float32)
    made = Explanation(
        values=values.astype(np.float32),
        base_value=question.base_value,
        prediction=question.prediction,
        data=data,
        columns=columns,
        output=name,
        frames=windows[:, -1],
        topology=features.topology,
        method=method,
        background=description,
        trajectory=features.trajectory[windows[:, -1]],
        reference=np.asarray(run.reference),
        grouping=by,
        asked=number,
        problem=question,
        rerun=problem,
    )
    return _with_notes(made, tolerance)


def faithfulness(
    run: Run, features: Features, *, runs: Sequence[Run] = (), retrain: int = 0, target: Any = None, **options: Any
) -> Faithfulness:
    """Explain a run and check the explanation: deletion and insertion, random weights, other seeds and splits.

    Parameters
    ----------
    run : Run
    features : Features
    runs : sequence of Run
        Other runs of the same kind.
    retrain : int
        How many more to train here, each with a seed (of the split and of the weights) of its own.
    target : str, array or None
        What they predict; needed to retrain a model with a target.
    options
        Of `explain`.

    Returns
    -------
    Faithfulness

    Raises
    ------
    SpecError
        To retrain a model with a target where that is not given.
    """
    if retrain and run.target is not None and target is None:
        raise SpecError(f"to retrain this {run.family} its target is needed: give target=, as to mdnb.fit")
    others = [
        fit(
            features,
            target,
            run.spec,
            replace(run.training, seed=run.training.seed + 1 + number),
            window=run.window,
            objective=run.task.objective,
        )
        for number in range(retrain)
    ]
    return explain(run, features, **options).faithfulness(runs=(*runs, *others))


def _problem(
    run: Run,
    features: Features,
    windows: np.ndarray,
    behind: np.ndarray,
    weights: np.ndarray,
    players: Players,
    head: Head,
    tolerance: float,
    seed: int,
) -> Problem:
    return Problem(
        module=Scored(run.model, head),
        x=run.inputs(features, windows),
        background=run.inputs(features, behind),
        weights=weights,
        players=players,
        tolerance=tolerance,
        seed=seed,
        threads=run.training.threads,
    )


def _windows(run: Run, features: Features, all_windows: np.ndarray, frames: Any, n: int) -> np.ndarray:
    if frames is None:
        held_out = run.in_part(features, all_windows, "test")
        chosen = np.flatnonzero(held_out) if held_out.any() else np.arange(len(all_windows))
        return all_windows[chosen[np.linspace(0, len(chosen) - 1, min(n, len(chosen))).astype(int)]]
    asked = np.atleast_1d(np.asarray(frames))
    if not len(asked) or not np.issubdtype(asked.dtype, np.integer):
        raise DataError(f"got frames={frames!r}, expected one or more whole numbers")
    position = {int(row[-1]): number for number, row in enumerate(all_windows)}
    missing = [int(frame) for frame in asked if int(frame) not in position]
    if missing:
        raise DataError(
            f"frame {missing[0]} does not end a whole window of {run.window.length} frames of one trajectory; the "
            f"first that does is {int(all_windows[0, -1])}"
        )
    return all_windows[[position[int(frame)] for frame in asked]]


def _with_notes(made: Explanation, tolerance: float) -> Explanation:
    """Say where the attributions do not add up as asked."""
    error = made.additivity_error()
    if error <= tolerance * 1.01:
        return made
    if made.method == "expected-gradients":
        what = (
            f"the integration stopped at an additivity error of {error:.2%}, above the {tolerance:.2%} asked for: "
            "1,025 points of a path resolve kinks (ReLU, max pooling) no better, or single precision is reached"
        )
    else:
        what = (
            f"{made.method} misses additivity by {error:.1%}: its values are not to be trusted to better than that; "
            "method='expected-gradients' adds up"
        )
    return replace(made, notes=(*made.notes, what))

"""Metastable states: a Markov state model on the slow modes, and its slowest parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from mdnb.errors import DataError, SpecError
from mdnb.features.base import Features
from mdnb.kinetics.correlations import make_series
from mdnb.models.objectives import SlowModes
from mdnb.runs import Run

__all__ = ["MetastableStates", "metastable_states"]


@dataclass(frozen=True)
class MetastableStates:
    """The metastable states of a Markov state model.

    Attributes
    ----------
    assignment : (n_samples,) int array
        The state of each sample, 0 the most populated; -1 where the model does not reach.
    memberships : (n_samples, n_states) array
        How much each sample belongs to each state; NaN where the model does not reach.
    populations : (n_states,) array
        In equilibrium, from the model's stationary distribution.
    transition_matrix : (n_states, n_states) array
        Coarse-grained, over the lag time.
    passage_times : (n_states, n_states) array
        Mean first passage times from row to column in ps.
    timescales : (n_states - 1,) array
        Of the fine model in ps; each is expected to lie far above the next one that is not among them.
    lag_time : float
        In ps.
    """

    assignment: np.ndarray
    memberships: np.ndarray
    populations: np.ndarray
    transition_matrix: np.ndarray
    passage_times: np.ndarray
    timescales: np.ndarray
    lag_time: float

    def __repr__(self) -> str:
        lines = [f"MetastableStates: {len(self.populations)} at a lag time of {self.lag_time:g} ps"]
        for number, share in enumerate(self.populations):
            others = ", ".join(
                f"to {other}: {self.passage_times[number, other]:.3g} ps"
                for other in range(len(self.populations))
                if other != number
            )
            lines.append(f"  state {number}: population {share:.3f}; mean first passage {others}")
        return "\n".join(lines)


def metastable_states(
    run: Run | None,
    features: Features,
    n_states: int,
    *,
    lag_time: float | None = None,
    n_clusters: int = 100,
    functions: np.ndarray | None = None,
    seed: int = 0,
) -> MetastableStates:
    """Part the frames into metastable states: k-means on the slow modes, a Markov state model, PCCA+.

    Parameters
    ----------
    run : Run or None
        Trained with ``mdnb.SlowModes()``.
    features : Features
        All frames count, those of the training too.
    n_states : int
    lag_time : float, optional
        In ps; by default that of the training.
    n_clusters : int
    functions : (n_samples, n_functions) array, optional
        As for `mdnb.timescales`.
    seed : int
        Of k-means.

    Returns
    -------
    MetastableStates

    Raises
    ------
    SpecError
        For fewer than two states, or without a lag time that the run's windows fit into.
    DataError
        When the trajectories do not connect enough clusters.

    References
    ----------
    Roeblitz, Weber, Adv. Data Anal. Classif. 7, 147 (2013), https://doi.org/10.1007/s11634-013-0134-6; Prinz et al.,
    J. Chem. Phys. 134, 174105 (2011), https://doi.org/10.1063/1.3565032; by deeptime: Hoffmann et al., Mach. Learn.:
    Sci. Technol. 3, 015009 (2022), https://doi.org/10.1088/2632-2153/ac3de0
    """
    from deeptime.markov import TransitionCountEstimator
    from deeptime.markov.msm import MaximumLikelihoodMSM
    from sklearn.cluster import KMeans

    if isinstance(n_states, bool) or not isinstance(n_states, int) or n_states < 2:
        raise SpecError(f"n_states = {n_states!r}: expected a whole number of at least 2")
    objective = None if run is None else run.task.objective
    if lag_time is None and isinstance(objective, SlowModes):
        lag_time = objective.lag_time
    if lag_time is None:
        raise SpecError("the run has no lag time of its own; give lag_time in ps")
    series = make_series(run, features, functions, "all")
    lag = series.frames(lag_time)
    with threadpool_limits(1):  # on a busy machine two threads wait for each other longer than one works
        clusters = KMeans(n_clusters, n_init=1, random_state=seed).fit_predict(series.values)
    paths = np.split(clusters, np.flatnonzero(np.diff(series.piece)) + 1)
    counts = TransitionCountEstimator(lag, "sliding").fit_fetch([path for path in paths if len(path) > lag])
    connected = counts.submodel_largest()
    if connected.n_states <= n_states:
        raise DataError(
            f"the trajectories connect {connected.n_states} of {n_clusters} clusters at a lag of {lag_time:g} ps, "
            f"which do not make {n_states} states; lower n_clusters, lag_time or n_states"
        )
    chain = MaximumLikelihoodMSM(reversible=True).fit_fetch(connected)
    coarse = chain.pcca(n_states)
    order = np.argsort(-coarse.coarse_grained_stationary_probability)
    known = np.full((n_clusters, n_states), np.nan)
    known[connected.state_symbols] = coarse.memberships[:, order]
    memberships = known[clusters]
    reached = ~np.isnan(memberships[:, 0])
    hard = np.where(reached, np.argmax(np.where(reached[:, None], memberships, 0), axis=1), -1)
    sets = [np.flatnonzero(coarse.assignments == number) for number in order]
    passage = np.array([[0.0 if a is b else _passage(chain, a, b) for b in sets] for a in sets])
    return MetastableStates(
        assignment=hard,
        memberships=memberships,
        populations=coarse.coarse_grained_stationary_probability[order],
        transition_matrix=coarse.coarse_grained_transition_matrix[np.ix_(order, order)],
        passage_times=passage * series.time_step,
        timescales=chain.timescales(n_states - 1) * series.time_step,
        lag_time=lag_time,
    )


def _passage(chain: object, start: np.ndarray, end: np.ndarray) -> float:
    """Return the mean first passage time in frames."""
    if not len(start) or not len(end):
        return float("nan")
    return float(chain.mfpt(start, end))  # type: ignore[attr-defined]  # deeptime has no annotations

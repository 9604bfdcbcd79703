"""Agreement: whether drawn trajectories have the populations and the slowest timescale of simulated ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.distance import jensenshannon
from threadpoolctl import threadpool_limits

from mdnb.errors import DataError, SpecError
from mdnb.features.base import Features
from mdnb.kinetics.correlations import make_series
from mdnb.kinetics.implied import Timescales, timescales

__all__ = ["Agreement", "compare_dynamics"]


@dataclass(frozen=True)
class Agreement:
    """Drawn and simulated trajectories, by the same clusters and the same metastable states of these.

    Attributes
    ----------
    populations : dict of (3, n_states) arrays
        ``{"simulated": ..., "drawn": ...}``: share of the frames in each metastable state, and its 95% interval by
        bootstrap over blocks of trajectories; the most populated state of the simulation first.
    timescales : dict of Timescales
        Of the Markov state model on the clusters, the slowest process first.
    distance : float
        Jensen-Shannon distance (scipy's, base e) of the populations of the clusters: 0 for equal ones, 0.83 where they
        do not overlap. Lin, IEEE Trans. Inf. Theory 37, 145 (1991), https://doi.org/10.1109/18.61115
    floor : float
        That of the first half of the simulated frames of each trajectory to the second: no model can be expected to
        come nearer.
    assignment : dict of (n_frames,) int arrays
        The state of each frame.
    """

    populations: dict[str, np.ndarray]
    timescales: dict[str, Timescales]
    distance: float
    floor: float
    assignment: dict[str, np.ndarray] = field(repr=False)

    @property
    def populations_agree(self) -> np.ndarray:
        """Of which states the two intervals of the population meet, (n_states,) booleans."""
        real, drawn = self.populations["simulated"], self.populations["drawn"]
        return np.asarray((drawn[1] <= real[2]) & (drawn[2] >= real[1]))

    @property
    def factors(self) -> np.ndarray:
        """Slowest timescale of the drawn over that of the simulated ones, at each lag time; NaN where there is none."""
        return np.asarray(self.timescales["drawn"].values[:, 0] / self.timescales["simulated"].values[:, 0])

    def table(self) -> list[dict[str, float | str]]:
        """Return one row for each population and each slowest timescale, with intervals."""
        rows: list[dict[str, float | str]] = []
        n_states = self.populations["simulated"].shape[1]
        for state in range(n_states):
            row: dict[str, float | str] = {"what": f"population of state {state}"}
            for name, found in self.populations.items():
                row |= {name: found[0, state], f"{name} low": found[1, state], f"{name} high": found[2, state]}
            rows.append(row)
        for number, lag in enumerate(self.timescales["simulated"].lag_times):
            row = {"what": f"slowest timescale at a lag of {lag:g} ps"}
            for name, times in self.timescales.items():
                values = (times.values, times.low, times.high)
                row |= dict(
                    zip(
                        (name, f"{name} low", f"{name} high"),
                        (float(one[number, 0]) for one in values),
                        strict=True,
                    )
                )
            rows.append(row)
        return rows

    def __repr__(self) -> str:
        n_agree = int(self.populations_agree.sum())
        lines = [f"Agreement: {n_agree} of {len(self.populations_agree)} populations agree within their 95% intervals"]
        for row in self.table():
            each = (f"{name} {row[name]:.4g} [{row[f'{name} low']:.4g}, {row[f'{name} high']:.4g}]" for name in _NAMES)
            lines.append(f"  {row['what']}: {', '.join(each)}")
        lines.append(f"  Jensen-Shannon distance of the clusters {self.distance:.3f}, its floor {self.floor:.3f}")
        return "\n".join(lines)


_NAMES = ("simulated", "drawn")


def compare_dynamics(
    drawn: Features,
    simulated: Features,
    lag_times: Sequence[float],
    *,
    n_states: int = 3,
    n_clusters: int = 40,
    n_bootstrap: int = 200,
    seed: int = 0,
) -> Agreement:
    """Hold drawn trajectories against simulated ones: populations, the slowest timescale, and the distribution.

    The simulated frames are clustered (k-means), and the clusters joined to metastable states (PCCA+ of their Markov
    state model at the shortest lag time); drawn frames belong to the nearest cluster. Timescales of both are those of
    the Markov state model on these clusters.

    Parameters
    ----------
    drawn : Features
        Of drawn trajectories: ``mdnb.featurize(rollout.load(), "torsions")``, or `Rollout.features`.
    simulated : Features
        The same columns of simulations, best of trajectories that no model has seen.
    lag_times : sequence of float
        In ps, whole numbers of frames of both.
    n_states, n_clusters : int
    n_bootstrap : int
        As for `mdnb.timescales`.
    seed : int
        Of k-means.

    Returns
    -------
    Agreement

    Raises
    ------
    DataError
        When the columns differ, or the simulations do not connect enough clusters.
    SpecError
        For fewer than two states, more states than clusters, or without lag times.

    References
    ----------
    Prinz et al., J. Chem. Phys. 134, 174105 (2011), https://doi.org/10.1063/1.3565032; Roeblitz, Weber, Adv. Data
    Anal. Classif. 7, 147 (2013), https://doi.org/10.1007/s11634-013-0134-6; by deeptime: Hoffmann et al., Mach.
    Learn.: Sci. Technol. 3, 015009 (2022), https://doi.org/10.1088/2632-2153/ac3de0
    """
    from sklearn.cluster import KMeans

    if not len(lag_times):
        raise SpecError("lag_times is empty: give the lag times to compare at in ps, such as [2, 10]")
    for name, count in (("n_states", n_states), ("n_clusters", n_clusters)):
        if isinstance(count, bool) or not isinstance(count, int) or count < 2:
            raise SpecError(f"{name} = {count!r}: expected a whole number of at least 2")
    if n_states >= n_clusters:
        raise SpecError(f"{n_clusters} clusters cannot be joined to {n_states} states; give more clusters")
    if drawn.names != simulated.names:
        raise DataError(
            f"the drawn frames have the columns {', '.join(drawn.names[:3])}, ..., the simulated ones "
            f"{', '.join(simulated.names[:3])}, ...; featurize both with the same names"
        )
    both = {"simulated": simulated, "drawn": drawn}
    with threadpool_limits(1):  # on a busy machine two threads wait for each other longer than one works
        clusters = KMeans(n_clusters, n_init=1, random_state=seed).fit(simulated.flat())
        number = {name: clusters.predict(own.flat()) for name, own in both.items()}
    state = _states(simulated, number["simulated"], float(min(lag_times)), n_states, n_clusters)
    times, populations = {}, {}
    for name, own in both.items():
        functions = np.eye(n_clusters)[number[name]][:, :-1]  # the last one follows from the others
        times[name] = timescales(
            None, own, lag_times, part="all", functions=functions, reversible=True, n_bootstrap=n_bootstrap
        )
        populations[name] = _shares(own, state[number[name]], n_states, n_bootstrap)
    counts = {name: np.bincount(own, minlength=n_clusters) for name, own in number.items()}
    early = np.concatenate([np.arange(n) < n / 2 for n in np.unique(simulated.trajectory, return_counts=True)[1]])
    halves = [np.bincount(number["simulated"][rows], minlength=n_clusters) for rows in (early, ~early)]
    return Agreement(
        populations,
        times,
        float(jensenshannon(counts["simulated"], counts["drawn"])),
        float(jensenshannon(*halves)),
        {name: state[own] for name, own in number.items()},
    )


def _states(features: Features, clusters: np.ndarray, lag_time: float, n_states: int, n_clusters: int) -> np.ndarray:
    """Return the metastable state of each cluster, the most populated first; of one not connected that of most frames.

    See `mdnb.metastable_states`, which parts the frames of one set of features.
    """
    from deeptime.markov import TransitionCountEstimator
    from deeptime.markov.msm import MaximumLikelihoodMSM

    series = make_series(None, features, clusters[:, None].astype(float), "all")
    lag = series.frames(lag_time)
    paths = np.split(clusters, np.flatnonzero(np.diff(series.piece)) + 1)
    connected = (
        TransitionCountEstimator(lag, "sliding", n_states=n_clusters)
        .fit_fetch([path for path in paths if len(path) > lag])
        .submodel_largest()
    )
    if connected.n_states <= n_states:
        raise DataError(
            f"the simulations connect {connected.n_states} of {n_clusters} clusters at a lag of {lag_time:g} ps, which "
            f"do not make {n_states} states; lower n_clusters, the lag time or n_states"
        )
    coarse = MaximumLikelihoodMSM(reversible=True).fit_fetch(connected).pcca(n_states)
    order = np.argsort(-coarse.coarse_grained_stationary_probability)
    rank = np.empty(n_states, int)
    rank[order] = np.arange(n_states)
    found = np.zeros(n_clusters, int)
    found[connected.state_symbols] = rank[coarse.assignments]
    return found


def _shares(features: Features, states: np.ndarray, n_states: int, n_bootstrap: int) -> np.ndarray:
    """Return the share of the frames in each state, and both ends of its interval, (3, n_states)."""
    inside = np.eye(n_states)[states]
    pairs = make_series(None, features, inside, "all").pairs(1, True)
    sums, lengths = pairs.c00[:, 0, 1:], pairs.c00[:, 0, 0]
    weights = pairs.draws(n_bootstrap)
    share = inside.mean(0)
    drawn = (weights @ sums) / (weights @ lengths)[:, None]
    low, high = np.percentile(share + pairs.widening * (drawn - share), [2.5, 97.5], axis=0)
    return np.stack([share, np.clip(low, 0, 1), np.clip(high, 0, 1)])

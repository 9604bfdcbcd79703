"""Targets by clustering the features: k-means clusters, and metastable states of a Markov model."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from mdnb.errors import DataError, SpecError
from mdnb.features.base import Features
from mdnb.targets.base import Target, option_number

__all__ = ["clusters", "metastable"]

_FITTED = 50_000  # frames that a k-means is fitted on, evenly spaced


def clusters(features: Features, option: str = "") -> Target:
    """Return which of K clusters of the features each frame is in, the most populated one first.

    k-means on the standardised features, with a fixed seed: the same features give the same classes. It is
    fitted on all frames (50,000 evenly spaced ones where there are more), those of a later test part
    included: the classes are a way to name what is there, and a score on them says how well a model finds
    those names, not that the clusters exist. Angles have to enter as sine and cosine.

    Parameters
    ----------
    features : Features
    option : str
        K, at least 2.

    References
    ----------
    Arthur, Vassilvitskii, Proc. SODA 1027 (2007), https://dl.acm.org/doi/10.5555/1283383.1283494 (k-means++).
    """
    k = option_number("clusters", option, 2)
    values = _standardised(features.flat())
    numbers = _by_population(_k_means(values, k).predict(values.astype(np.float32)), k, f"clusters:{k}")
    return Target(f"{k} clusters", numbers, tuple(f"cluster {number + 1}" for number in range(k)))


def metastable(features: Features, option: str = "") -> Target:
    """Return which of K long-lived states of the dynamics each frame is in, the most populated one first.

    The slow linear combinations of the features (TICA, kinetic map, at most 10) are cut into up to 100
    microstates by k-means, whose Markov model at the same lag is coarse-grained by PCCA+. Microstates
    outside the largest set that is connected both ways get the state of the nearest one inside. As
    `clusters` it sees all frames, and it is deterministic.

    Parameters
    ----------
    features : Features
    option : str
        ``K`` or ``K:LAG``, such as ``3:20`` (frames) or ``3:50ps`` (also fs, ns, us). Without a lag it is
        the longest of 1, 2, 5, 10, 20, 50 and 100 frames that K - 1 processes of TICA outlive.

    Raises
    ------
    DataError
        When the trajectories are too short for the lag, the frames do not hold K connected states, or
        K - 1 processes are not slower than the lag (there are no K states then).

    References
    ----------
    Perez-Hernandez et al., J. Chem. Phys. 139, 015102 (2013), https://doi.org/10.1063/1.4811489 (TICA);
    Noe, Clementi, J. Chem. Theory Comput. 11, 5002 (2015), https://doi.org/10.1021/acs.jctc.5b00553
    (kinetic map); Prinz et al., J. Chem. Phys. 134, 174105 (2011), https://doi.org/10.1063/1.3565032
    (Markov models); Roeblitz, Weber, Adv. Data Anal. Classif. 7, 147 (2013),
    https://doi.org/10.1007/s11634-013-0134-6 (PCCA+); Hoffmann et al., Mach. Learn.: Sci. Technol. 3, 015009
    (2022), https://doi.org/10.1088/2632-2153/ac3de0 (deeptime).
    """
    count, _, lag_text = option.partition(":")
    k = option_number("metastable", count, 2)
    _, lengths = np.unique(features.trajectory, return_counts=True)
    parts = np.split(_standardised(features.flat()), np.cumsum(lengths)[:-1])
    if lag_text:
        lag = _lag_in_frames(features, lag_text)
        if lengths.max() <= 2 * lag:
            raise DataError(
                f"the lag of {lag} frames is too long for trajectories of at most {lengths.max()} frames; "
                f"give a shorter one, such as 'metastable:{k}:{max(1, int(lengths.max()) // 10)}'"
            )
    else:
        lag = _longest_lag(parts, k)
    slow = [np.asarray(part) for part in map(_tica(parts, lag).transform, parts)]
    n_micro = int(np.clip(len(features) // 100, 2 * k, 100))
    k_means = _k_means(np.concatenate(slow), n_micro)
    micro = [k_means.predict(part.astype(np.float32)) for part in slow]
    state_of = _coarse_grained(micro, k_means.cluster_centers_, lag, k)
    numbers = _by_population(state_of[np.concatenate(micro)], k, f"metastable:{k}")
    return Target(f"{k} metastable states", numbers, tuple(f"state {number + 1}" for number in range(k)))


def _standardised(values: np.ndarray) -> np.ndarray:
    """Return the columns that vary, with mean 0 and deviation 1."""
    values = values.astype(np.float64)
    mean, spread = values.mean(0), values.std(0)
    varies = spread > 1e-6 * np.maximum(1, np.abs(mean))
    if not varies.any():
        raise DataError("the features do not vary: there are no states to find")
    return np.asarray((values[:, varies] - mean[varies]) / spread[varies])


def _tica(parts: list[np.ndarray], lag: int) -> Any:
    from deeptime.decomposition import TICA

    estimator = TICA(lagtime=lag, dim=min(10, parts[0].shape[1]), scaling="kinetic_map")
    for part in parts:
        if len(part) > lag:
            estimator.partial_fit((part[:-lag], part[lag:]))
    return estimator.fetch_model()


def _longest_lag(parts: list[np.ndarray], k: int) -> int:
    """Return the longest lag that k - 1 slow processes outlive; their correlation has fallen to 1/e by then."""
    longest = max(map(len, parts))
    for lag in (100, 50, 20, 10, 5, 2):
        if lag <= longest // 10:
            correlations = np.sort(_tica(parts, lag).singular_values)[::-1]
            if len(correlations) >= k - 1 and correlations[k - 2] > np.exp(-1):
                return lag
    return 1


def _coarse_grained(parts: list[np.ndarray], centres: np.ndarray, lag: int, k: int) -> np.ndarray:
    """Return the state of each microstate."""
    from deeptime.markov import TransitionCountEstimator
    from deeptime.markov.msm import MaximumLikelihoodMSM

    counts = TransitionCountEstimator(lagtime=lag, count_mode="sliding", n_states=len(centres))
    connected = counts.fit_fetch([part for part in parts if len(part) > lag]).submodel_largest()
    if connected.n_states <= k:
        raise DataError(
            f"only {connected.n_states} of {len(centres)} microstates are connected at a lag of {lag} frames, too few "
            f"for {k} states; give longer trajectories, a shorter lag, or fewer states"
        )
    model = MaximumLikelihoodMSM(reversible=True).fit_fetch(connected)
    times = model.timescales(k - 1)
    if times[-1] < lag:
        shown = ", ".join(f"{time:.3g}" for time in times)
        shorter = f"a shorter lag ('metastable:{k}:1')" if lag > 1 else "frames closer in time"
        raise DataError(
            f"there are no {k} metastable states at a lag of {lag} frames: the {k - 1} slowest processes relax within "
            f"{shown} frames; give {shorter}, fewer states, or features that tell them apart"
        )
    inside = np.asarray(connected.state_symbols)
    assigned = np.asarray(model.pcca(k).assignments)
    distances = ((centres[:, None] - centres[None, inside]) ** 2).sum(-1)
    return assigned[distances.argmin(1)]


def _lag_in_frames(features: Features, text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(fs|ps|ns|us)?", text.strip())
    if match is None or (match[2] is None and not match[1].isdecimal()) or float(match[1]) == 0:
        raise SpecError(
            f"the lag {text!r} is none: expected frames, as in 'metastable:3:10', or a time, as in 'metastable:3:50ps'"
        )
    if match[2] is None:
        return int(match[1])
    step = features.source.time_step
    if not np.isfinite(step):
        raise DataError(
            f"the time between frames is not known: give the lag of {text} in frames, or load with time_step="
        )
    frames = float(match[1]) * {"fs": 1e-3, "ps": 1.0, "ns": 1e3, "us": 1e6}[match[2]] / step
    if frames < 0.999:
        raise DataError(f"the lag of {text} is shorter than the {step:g} ps between frames")
    return round(frames)


def _k_means(values: np.ndarray, k: int) -> Any:
    """Return a fitted k-means, the same each time."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    if len(values) < k:
        raise DataError(f"{len(values)} frames cannot be parted into {k} clusters")
    rows = values[np.linspace(0, len(values) - 1, min(len(values), _FITTED)).astype(int)].astype(np.float32)
    with threadpool_limits(1):  # the order in which threads add up would change the last digits
        return KMeans(k, n_init=3, random_state=0).fit(rows)


def _by_population(numbers: np.ndarray, k: int, target: str) -> np.ndarray:
    """Return class numbers such that 0 is the class of most frames."""
    counts = np.bincount(numbers, minlength=k)
    if not counts.all():
        raise DataError(f"the target {target!r} finds only {(counts > 0).sum()} different states; ask for fewer")
    rank = np.empty(k, int)
    rank[np.argsort(-counts, kind="stable")] = np.arange(k)
    return rank[numbers]

"""Space: what held-out molecular dynamics defines (slow modes, metastable states), and every ensemble read in it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from mdnb.generation.coordinates import Coordinates
from mdnb.generation.ensemble import Ensemble

__all__ = ["Described", "Space"]

#: The lag of MDGen and JAMUN in ps; the correlation that the slowest mode shall still have at it, and that a process
#: must have to count for a metastable state.
_LAG, _SLOWEST, _SLOW = 100.0, 0.35, 0.1
_CLUSTERS, _MOST_STATES, _BASINS, _FITTED = 100, 10, 5, 10_000


@dataclass(frozen=True)
class Described:
    """An ensemble in numbers.

    Attributes
    ----------
    ensemble : Ensemble
    angles : (n, n_torsions) array
        In radian.
    features : (n, n_features) array
        Sine and cosine of the torsions; scaled distances where there are no torsions.
    modes : (n, n_modes) array
        TICA.
    clusters, states : (n,) int arrays
    distances : (n, n_pairs) array
        In nm.
    size : (n,) array
        Radius of gyration in nm.
    energies : (n,) array or None
        In kJ/mol.
    """

    ensemble: Ensemble
    angles: np.ndarray
    features: np.ndarray
    modes: np.ndarray
    clusters: np.ndarray
    states: np.ndarray
    distances: np.ndarray
    size: np.ndarray
    energies: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ensemble)

    def take(self, rows: np.ndarray) -> Described:
        """Return some structures, in the order given."""
        names = ("angles", "features", "modes", "clusters", "states", "distances", "size")
        energies = None if self.energies is None else self.energies[rows]
        own = {name: getattr(self, name)[rows] for name in names}
        return replace(self, ensemble=self.ensemble.take(rows), energies=energies, **own)

    def thinned(self, n: int) -> Described:
        """Return at most n structures, evenly over all."""
        return self if len(self) <= n else self.take(np.linspace(0, len(self) - 1, n).astype(int))


class Space:
    """Slow modes and metastable states of held-out molecular dynamics.

    The modes are TICA's on sine and cosine of all torsions, scaled to a kinetic map; the states come from k-means on
    them, a Markov state model and PCCA+, as MDGen and JAMUN do it. Where even one frame later nothing is remembered,
    the modes are noise, and the states are clusters of the torsions themselves.

    Parameters
    ----------
    reference : Ensemble
    lag_time : float, optional
        In ps (frames where the time step is not known). By default 100 ps, as published, at most a tenth
        of the shortest replica, and shortened until the slowest mode still has a correlation of 0.35.
    n_states : int, optional
        By default one more than there are processes with a correlation above 0.1 at the lag, 2 to 10, as far as
        PCCA+ finds structures for each of them.
    seed : int
        Of k-means.

    Attributes
    ----------
    lag : int
        In frames.
    timescales : (n_modes,) array
        Of the modes, in frames.
    n_states : int
    centres : (n_clusters, n_features) array
        Of 100 clusters of the torsions, in which a missing mode shows.
    notes : tuple of str
        What a reader has to know.

    References
    ----------
    MDGen: Jing, Stark, Jaakkola, Berger, NeurIPS 37 (2024), https://doi.org/10.48550/arXiv.2409.17808; JAMUN: Daigavane
    et al. (2024), https://doi.org/10.48550/arXiv.2410.14621; TICA: Perez-Hernandez et al., J. Chem. Phys. 139, 015102
    (2013), https://doi.org/10.1063/1.4811489; kinetic map: Noe, Clementi, J. Chem. Theory Comput. 11, 5002 (2015),
    https://doi.org/10.1021/acs.jctc.5b00553; PCCA+: Roeblitz, Weber, Adv. Data Anal. Classif. 7, 147 (2013),
    https://doi.org/10.1007/s11634-013-0134-6
    """

    def __init__(
        self, reference: Ensemble, *, lag_time: float | None = None, n_states: int | None = None, seed: int = 0
    ) -> None:
        self.coordinates = Coordinates.of(reference.structures.topology)
        self._scale: tuple[np.ndarray, np.ndarray] | None = None
        distances = self.coordinates.distances(reference.structures)
        if not len(self.coordinates.torsions):
            self._scale = distances.mean(0), distances.std(0) + 1e-6
        features = self._features(self.coordinates.angles(reference.structures), distances)
        self.notes: tuple[str, ...] = ()
        with threadpool_limits(1):  # on a busy machine two threads wait for each other longer than one works
            self._fit(features, reference, lag_time, n_states, seed)

    def describe(self, ensemble: Ensemble, energies: np.ndarray | None = None) -> Described:
        """Read an ensemble in this space."""
        angles = self.coordinates.angles(ensemble.structures)
        distances = self.coordinates.distances(ensemble.structures)
        features = self._features(angles, distances)
        modes = self._tica.transform(features)
        clusters = _nearest(features, self.centres)
        return Described(
            ensemble=ensemble,
            angles=angles,
            features=features,
            modes=modes,
            clusters=clusters,
            states=self._state_of[_nearest(modes if self._slow else features, self._microstates)],
            distances=distances,
            size=self.coordinates.radius_of_gyration(ensemble.structures),
            energies=energies,
        )

    def _features(self, angles: np.ndarray, distances: np.ndarray) -> np.ndarray:
        if self._scale is None:
            return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float64)
        mean, deviation = self._scale
        scaled = ((distances - mean) / deviation).astype(np.float64)
        return scaled if scaled.shape[1] > 1 else np.concatenate([scaled, np.square(scaled)], axis=1)  # TICA needs two

    def _fit(
        self, features: np.ndarray, reference: Ensemble, lag_time: float | None, n_states: int | None, seed: int
    ) -> None:
        from deeptime.decomposition import TICA

        ends = np.flatnonzero(np.diff(reference.replica)) + 1
        series = np.split(features, ends)
        longest = max(1, min(len(one) for one in series) // 10)
        step = reference.time_step if np.isfinite(reference.time_step) else 1.0
        lag = min(longest, max(1, round((_LAG if lag_time is None else lag_time) / step)))
        if lag_time is not None and lag < round(lag_time / step):
            self.notes += (f"the lag of TICA was shortened to {lag * step:g}: a replica has to be ten times as long",)
        while True:
            tica = TICA(lagtime=lag, scaling="kinetic_map", var_cutoff=0.95)
            model = tica.fit_from_timeseries(series).fetch_model()
            if lag == 1 or lag_time is not None or np.abs(model.singular_values[0]) >= _SLOWEST:
                break
            lag = min(lag - 1, round(0.8 * lag))
        if model.output_dimension < 2 <= len(model.singular_values):
            tica = TICA(lagtime=lag, scaling="kinetic_map", dim=2)
            model = tica.fit_from_timeseries(series).fetch_model()
        self._tica, self.lag = model, lag
        with np.errstate(divide="ignore"):
            self.timescales = -lag / np.log(np.clip(np.abs(model.singular_values), 1e-12, 1 - 1e-12))
        modes = model.transform(features)
        self.n_modes = modes.shape[1]
        self.centres = _centres(features, _CLUSTERS, seed)
        # The largest correlation that chance gives to n frames without any is a few times the root of 1 / n.
        self._slow = bool(np.abs(model.singular_values[0]) >= max(_SLOW, 5 / np.sqrt(len(features))))
        if self._slow:
            centres = _centres(modes, _CLUSTERS, seed)
            paths = [path for path in np.split(_nearest(modes, centres), ends) if len(path) > lag]
            self._microstates, self._state_of = self._coarse(paths, centres, n_states, seed)
        else:
            self._microstates = _centres(features, n_states or _BASINS, seed)
            self._state_of = np.argsort(np.argsort(-np.bincount(_nearest(features, self._microstates))))
            self.notes += (
                "one frame later the reference remembers nothing: the rows of TICA compare noise, and the metastable "
                "states are clusters of the torsions",
            )
        self.n_states = int(self._state_of.max()) + 1

    def _coarse(
        self, paths: list[np.ndarray], centres: np.ndarray, n_states: int | None, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the centres that the Markov state model reaches, and the metastable state of each, 0 the largest."""
        from deeptime.markov import TransitionCountEstimator
        from deeptime.markov.msm import MaximumLikelihoodMSM
        from sklearn.cluster import KMeans

        counts = TransitionCountEstimator(self.lag, "sliding").fit_fetch(paths).submodel_largest()
        connected = counts.state_symbols
        wanted = n_states
        if counts.n_states > 2:
            chain = MaximumLikelihoodMSM(reversible=True).fit_fetch(counts)
            slow = int((chain.eigenvalues(min(_MOST_STATES, counts.n_states))[1:] > _SLOW).sum())
            wanted = min(n_states or int(np.clip(slow + 1, 2, _MOST_STATES)), counts.n_states - 1)
            kept, state_of = np.unique(chain.pcca(wanted).assignments, return_inverse=True)
            while n_states is None and len(kept) < wanted > 2:
                wanted -= 1
                kept, state_of = np.unique(chain.pcca(wanted).assignments, return_inverse=True)
            if len(kept) < (n_states or 2):
                self.notes += (f"PCCA+ found {len(kept)} metastable states, not {n_states or 2}",)
            weight = np.bincount(state_of, chain.stationary_distribution)
            return centres[connected], np.argsort(np.argsort(-weight))[state_of]
        self.notes += ("the reference is too short for a Markov state model: the states are clusters of k-means",)
        number = min(wanted or 2, len(centres))
        return centres, KMeans(number, n_init=1, random_state=seed).fit(centres).labels_


def _centres(points: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Return at most n centres of k-means, (n, n_dimensions), of 20 points or more each on average."""
    from sklearn.cluster import KMeans

    chosen = points[np.linspace(0, len(points) - 1, min(_FITTED, len(points))).astype(int)]
    n = min(n, max(2, len(chosen) // 20), len(np.unique(chosen.round(9), axis=0)))
    return np.asarray(KMeans(n, n_init=1, random_state=seed).fit(chosen).cluster_centers_)


def _nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return the number of the nearest centre of each point, (n,)."""
    from scipy.spatial import cKDTree

    return np.asarray(cKDTree(centres).query(points)[1], int)

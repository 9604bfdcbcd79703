"""Histograms: every comparison that needs only how often each bin was seen, so that blocks can be drawn again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.distance import jensenshannon

from mdnb.generation.space import Described, Space

__all__ = ["Comparison", "block_counts", "comparisons"]

_TORSION_BINS, _MAP_BINS, _BINS, _FINE, _DIRECTIONS = 100, 50, 50, 512, 64
#: A cluster with less than this part of the reference's population counts as missing.
_MISSING = 0.1


@dataclass(frozen=True)
class Comparison:
    """One figure that follows from histograms of two ensembles.

    Attributes
    ----------
    metric : str
    parts : tuple of str
        What each histogram is of; the figure is their mean.
    n_bins : int
    codes : function of Described
        Returns the bin of each structure, (n, n_parts).
    distance : function of two (..., n_parts, n_bins) arrays of counts, the reference's first
        Returns (..., n_parts).
    shown : bool
        Whether the parts are of interest one by one.
    energetic : bool
        Whether it needs energies.
    """

    metric: str
    parts: tuple[str, ...]
    n_bins: int
    codes: Callable[[Described], np.ndarray] = field(repr=False)
    distance: Callable[[np.ndarray, np.ndarray], np.ndarray] = field(repr=False)
    shown: bool = True
    energetic: bool = False

    def applies(self, one: Described) -> bool:
        """Return whether an ensemble has what is compared."""
        return not self.energetic or one.energies is not None

    def counts(self, one: Described) -> np.ndarray:
        """Return how often each bin was seen in each block, (n_blocks, n_parts, n_bins)."""
        return block_counts(self.codes(one), one.ensemble.blocks, one.ensemble.n_blocks, self.n_bins)


def block_counts(codes: np.ndarray, blocks: np.ndarray, n_blocks: int, n_bins: int) -> np.ndarray:
    """Return how often each bin was seen in each block, (n_blocks, n_parts, n_bins)."""
    n_parts = codes.shape[1]
    place = (blocks[:, None] * n_parts + np.arange(n_parts)) * n_bins + codes
    return np.bincount(place.ravel(), minlength=n_blocks * n_parts * n_bins).reshape(n_blocks, n_parts, n_bins)


def comparisons(space: Space, reference: Described, seed: int = 0) -> list[Comparison]:
    """Return the comparisons that apply to a molecule.

    The bins span what the reference has; a bin more at each end holds what lies outside, so that one structure that
    is blown up does not move all others into one bin.

    Parameters
    ----------
    space : Space
    reference : Described
    seed : int
        Of the directions of the sliced Wasserstein distance.
    """
    coordinates = space.coordinates
    found = []

    def add(
        metric: str,
        parts: tuple[str, ...],
        n_bins: int,
        codes: Callable[[Described], np.ndarray],
        energetic: bool = False,
    ) -> None:
        found.append(Comparison(metric, parts, n_bins, codes, _jensen_shannon, parts != ("",), energetic))

    if coordinates.names:
        add("torsions, JS", coordinates.names, _TORSION_BINS, lambda one: _turn(one.angles, _TORSION_BINS))
    if coordinates.residues:
        phi, psi = coordinates.ramachandran.T

        def maps(one: Described) -> np.ndarray:
            return _turn(one.angles[:, phi], _MAP_BINS) * _MAP_BINS + _turn(one.angles[:, psi], _MAP_BINS)

        add("Ramachandran, JS", coordinates.residues, _MAP_BINS**2, maps)
    modes = _Grid(reference.modes)
    add("TICA-0, JS", ("",), _TORSION_BINS + 2, lambda one: modes.bins(one.modes, _TORSION_BINS)[:, :1])
    if space.n_modes > 1:

        def plane(one: Described) -> np.ndarray:
            bins = modes.bins(one.modes, _MAP_BINS)
            return bins[:, :1] * (_MAP_BINS + 2) + bins[:, 1:2]

        add("TICA-0,1, JS", ("",), (_MAP_BINS + 2) ** 2, plane)
    add("metastable states, JS", ("",), space.n_states, lambda one: one.states[:, None])
    if len(coordinates.pairs):
        lengths, cutoff = _Grid(reference.distances), coordinates.cutoff
        add("distances, JS", coordinates.pair_names, _BINS + 2, lambda one: lengths.bins(one.distances, _BINS))
        near = Comparison(
            "contacts, mean absolute difference",
            coordinates.pair_names,
            2,
            lambda one: (one.distances < cutoff).astype(int),
            _difference,
        )
        found.append(near)
    size = _Grid(reference.size[:, None])
    add("radius of gyration, JS", ("",), _BINS + 2, lambda one: size.bins(one.size[:, None], _BINS))
    if reference.energies is not None:
        energy = _Grid(reference.energies[:, None])

        def energies(one: Described) -> np.ndarray:
            assert one.energies is not None
            return energy.bins(one.energies[:, None], _BINS)

        add("energy, JS", ("",), _BINS + 2, energies, energetic=True)
    directions = np.random.default_rng(seed).normal(size=(reference.features.shape[1], _DIRECTIONS))
    directions /= np.linalg.norm(directions, axis=0)
    projected = _Grid(reference.features @ directions, margin=0.5)
    found.append(
        Comparison(
            "sliced Wasserstein",
            tuple(f"direction {number}" for number in range(_DIRECTIONS)),
            _FINE + 2,
            lambda one: projected.bins(one.features @ directions, _FINE),
            lambda first, second: _wasserstein(first, second) * projected.width / _FINE,
            shown=False,
        )
    )
    n_clusters = len(space.centres)
    found.append(Comparison("mode collapse", ("",), n_clusters, lambda one: one.clusters[:, None], _missing, False))
    return found


class _Grid:
    """Equal bins over the range of a table's columns, and one more at each end."""

    def __init__(self, values: np.ndarray, margin: float = 0.0) -> None:
        low, high = values.min(0), values.max(0)
        self.width = np.maximum((high - low) * (1 + 2 * margin), 1e-9)
        self.low = low - margin * (high - low)

    def bins(self, values: np.ndarray, n: int) -> np.ndarray:
        place = (values - self.low) * (n / self.width)
        # The upper edge belongs to the last bin, as numpy's histogram has it.
        inside = np.where(place == n, n - 1, np.floor(place))
        return np.asarray(np.clip(np.nan_to_num(inside, nan=n, posinf=n, neginf=-1), -1, n).astype(np.int64) + 1)


def _turn(angles: np.ndarray, n: int) -> np.ndarray:
    return np.asarray(np.clip(((angles + np.pi) * (n / (2 * np.pi))).astype(np.int64), 0, n - 1))


def _shares(counts: np.ndarray) -> np.ndarray:
    return np.asarray(counts / counts.sum(-1, keepdims=True))


def _jensen_shannon(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.asarray(jensenshannon(first, second, axis=-1))


def _difference(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.abs(_shares(first)[..., 1] - _shares(second)[..., 1])


def _wasserstein(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the area between the two cumulative distributions, in bins."""
    gap = np.cumsum(_shares(first) - _shares(second), axis=-1)
    return np.abs(gap).sum(-1)


def _missing(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the share of the reference that lies where the other one has (nearly) nothing."""
    p, q = _shares(first), _shares(second)
    return np.asarray(np.where(q < _MISSING * p, p, 0.0).sum(-1))

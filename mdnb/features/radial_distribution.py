"""The radial distribution function of each frame, for each pair of species."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mdnb.chunk import Chunk
from mdnb.errors import DataError
from mdnb.features.base import Column, Featurizer
from mdnb.features.species import Pairs, checked_pairs, described_boxes, species_pairs

if TYPE_CHECKING:
    import mdtraj

__all__ = ["RadialDistribution"]


class RadialDistribution(Featurizer):
    """Radial distribution function g(r) of single frames: density around an atom over the mean density.

    Nearest images in a box of any shape; an atom is not counted around itself, bonded atoms are. 1 in an
    ideal gas. One frame of a small system is noisy: wider bins make it smoother.

    Parameters
    ----------
    pairs : sequence of (str, str), optional
        Elements (``"Na"``) or selections in mdtraj's language (``"name OW"``); by default every two elements.
    r_min, r_max : float
        Where the bins begin and end, in nm; at most half the shortest way through the box.
    n_bins : int
        Bins of equal width between them.

    Raises
    ------
    DataError
        When the trajectory has no box, or it is too small for `r_max`.

    Notes
    -----
    The shape is (n_pairs, n_bins) with the axes ``("channel", "r")``, or (n_bins,) for one pair.

    References
    ----------
    Allen and Tildesley, Computer Simulation of Liquids, 2nd ed. (2017), section 8.2,
    https://doi.org/10.1093/oso/9780198803195.001.0001
    """

    name = "radial-distribution"

    def __init__(self, pairs: Pairs | None = None, r_min: float = 0.0, r_max: float = 1.0, n_bins: int = 50) -> None:
        if not 0 <= r_min < r_max or n_bins < 1:
            raise DataError(
                f"r_min = {r_min} nm, r_max = {r_max} nm, n_bins = {n_bins}: expected 0 <= r_min < r_max and at "
                "least 1 bin"
            )
        self.pairs = checked_pairs(pairs)
        self.r_min, self.r_max, self.n_bins = r_min, r_max, n_bins

    def describe(self, topology: mdtraj.Topology, reference: np.ndarray) -> tuple[Column, ...]:
        """Return one column for each pair and bin."""
        self._pairs = species_pairs(topology, self.pairs, self.name)
        self._edges = np.linspace(self.r_min, self.r_max, self.n_bins + 1)
        middles = (self._edges[1:] + self._edges[:-1]) / 2
        columns = []
        for label, first, second in self._pairs:
            atoms = tuple(np.union1d(first, second).tolist())
            columns += [Column(f"g {label} {r:.4f}", "", atoms, f"g {label}") for r in middles]
        return tuple(columns)

    def prepare(self, topology: mdtraj.Topology, reference: np.ndarray) -> None:
        """See the topology and the reference; the shape is (n_pairs, n_bins), or (n_bins,) for one pair."""
        super().prepare(topology, reference)
        alone = len(self._pairs) == 1
        self.shape = (self.n_bins,) if alone else (len(self._pairs), self.n_bins)
        self.axes = ("r",) if alone else ("channel", "r")

    def compute(self, chunk: Chunk) -> np.ndarray:
        """Return (n_frames, *shape)."""
        from mdnb.features.pair_kernels import pair_histogram

        boxes = described_boxes(chunk, self.r_max, self.name, needs_box=True)
        volumes = np.abs(np.linalg.det(boxes[:, 3:6]))
        shells = 4 / 3 * np.pi * np.diff(self._edges**3)
        values = np.empty((len(chunk.positions), len(self._pairs), self.n_bins), np.float32)
        counts = np.empty((len(chunk.positions), self.n_bins), np.int64)
        for number, (_, first, second) in enumerate(self._pairs):
            pair_histogram(chunk.positions, first, second, boxes, self.r_min, self.r_max, counts)
            n_pairs = len(first) * len(second) - len(np.intersect1d(first, second))
            values[:, number] = counts * volumes[:, None] / (n_pairs * shells)
        return values.reshape(len(values), *self.shape)

"""Grid: the plane of two quantities in bins, the bin of every point, and which points a polygon encloses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

__all__ = ["Grid"]


@dataclass(frozen=True)
class Grid:
    """Points in a plane, sorted into bins.

    Attributes
    ----------
    x, y : (n_points,) arrays
        Finite.
    bins : int
        Along each axis.
    """

    x: np.ndarray
    y: np.ndarray
    bins: int

    @cached_property
    def edges(self) -> tuple[np.ndarray, np.ndarray]:
        """Edges of the bins along x and y, (bins + 1,) each."""
        return _edges(self.x, self.bins), _edges(self.y, self.bins)

    @cached_property
    def cells(self) -> np.ndarray:
        """The bin of each point, ``column * bins + row``, (n_points,)."""
        column, row = (
            np.minimum(((values - edges[0]) * (self.bins / (edges[-1] - edges[0]))).astype(np.int32), self.bins - 1)
            for values, edges in zip((self.x, self.y), self.edges, strict=True)
        )
        return np.asarray(column * np.int32(self.bins) + row)

    @cached_property
    def counts(self) -> np.ndarray:
        """Points in each bin, (bins along x, bins along y)."""
        return np.bincount(self.cells, minlength=self.bins**2).reshape(self.bins, self.bins)

    def inside(self, corners: np.ndarray) -> np.ndarray:
        """Return the numbers of all points inside a polygon, in rising order.

        Parameters
        ----------
        corners : (n_corners, 2) array
            Three or more; the last one is joined to the first.
        """
        from matplotlib.path import Path

        polygon = Path(corners)
        # A bin that no edge crosses is inside or outside as a whole, so that only the others are looked into.
        crossed = self.crossed(np.r_[corners, corners[:1]])
        middle = [(edges[1:] + edges[:-1]) / 2 for edges in self.edges]
        grid = np.stack(np.meshgrid(*middle, indexing="ij"), axis=-1).reshape(-1, 2)
        result = polygon.contains_points(grid)[self.cells]
        doubtful = np.flatnonzero(crossed.ravel()[self.cells])
        result[doubtful] = polygon.contains_points(np.stack([self.x[doubtful], self.y[doubtful]], axis=1))
        return np.flatnonzero(result)

    def crossed(self, corners: np.ndarray) -> np.ndarray:
        """Return which bins lie on or beside a line through the corners, (bins, bins) booleans."""
        low = np.array([edges[0] for edges in self.edges])
        step = np.array([edges[1] - edges[0] for edges in self.edges])
        places = (corners - low) / step
        result = np.zeros((self.bins + 2,) * 2, bool)
        for start, end in pairwise(places):
            line = np.floor(_clipped(start, end, -1.0, self.bins + 1.0)).astype(np.int64)
            line = line[((line >= -1) & (line <= self.bins)).all(1)] + 1
            result[line[:, 0], line[:, 1]] = True
        wide = result.copy()
        for across in (-1, 0, 1):
            for along in (-1, 0, 1):
                wide |= np.roll(result, (across, along), (0, 1))
        return wide[1:-1, 1:-1]


def _edges(values: np.ndarray, bins: int) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    wide = max(high - low, 1e-9 * max(1.0, abs(low)))
    return np.linspace(low - 1e-3 * wide, high + 1e-3 * wide, bins + 1)


def _clipped(start: np.ndarray, end: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return points half a bin apart on the part of a line that lies in a square, (n, 2).

    References
    ----------
    Liang, Barsky, ACM Trans. Graph. 3, 1 (1984), https://doi.org/10.1145/357332.357333
    """
    first, last = 0.0, 1.0
    for place, way in zip(start, end - start, strict=True):
        if way == 0:
            if not low <= place <= high:
                return np.empty((0, 2))
            continue
        one, two = sorted(((low - place) / way, (high - place) / way))
        first, last = max(first, one), min(last, two)
    if first > last:
        return np.empty((0, 2))
    n = int(2 * np.abs(end - start).max() * (last - first)) + 2
    return np.asarray(start + np.linspace(first, last, n)[:, None] * (end - start))

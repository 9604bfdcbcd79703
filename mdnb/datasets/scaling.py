"""Scaling of inputs, fitted on the training frames only, and the hash by which data are known again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

__all__ = ["Scaler", "digest", "row_blocks"]

#: Bytes of a table that are looked at at once, so that one on disk never has to fit into memory.
_BLOCK = 64_000_000


def row_blocks(values: np.ndarray) -> Iterator[slice]:
    """Yield slices of rows that are about 64 MB each."""
    row = max(1, values.nbytes // max(1, len(values)))
    step = max(1, _BLOCK // row)
    return (slice(start, start + step) for start in range(0, len(values), step))


@dataclass(frozen=True)
class Scaler:
    """Mean and scale of each number of a frame, from the training frames only.

    Attributes
    ----------
    mean, scale : float32 arrays with the shape of a frame
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, values: np.ndarray, axes: tuple[str, ...], frames: np.ndarray | None = None) -> Scaler:
        """Return the scaler of training values.

        Cartesian axes share one scale, so that lengths keep their meaning; other numbers have one each.
        A number that does not vary (a constrained bond) is not blown up: its scale is at least 1e-6, and
        at least 1e-4 of its mean.

        Parameters
        ----------
        values : (n_frames, *shape) array
            In memory or memory-mapped; read block by block.
        axes : tuple of str
        frames : (n,) int array, optional
            The frames to fit on, in order; by default all.
        """
        chosen = np.arange(len(values)) if frames is None else frames
        parts = np.array_split(chosen, max(1, -(-len(chosen) * values[:1].nbytes // _BLOCK)))
        mean = np.add.reduce([values[part].sum(0, dtype=np.float64) for part in parts]) / len(chosen)
        square = np.zeros_like(mean)
        for part in parts:
            apart = values[part] - mean
            square += np.square(apart, out=apart).sum(0)
        spread = np.sqrt(square / len(chosen))
        if axes[-1] == "xyz":
            spread = np.full_like(spread, np.sqrt((spread**2).mean()))
        scale = np.maximum(spread, np.maximum(1e-6, 1e-4 * np.abs(mean)))
        return cls(mean.astype(np.float32), scale.astype(np.float32))

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Return the values with mean 0 and scale 1."""
        return np.asarray((values - self.mean) / self.scale, np.float32)

    def inverse(self, values: np.ndarray) -> np.ndarray:
        """Return scaled values in their own units."""
        return np.asarray(values * self.scale + self.mean, np.float32)


def digest(values: np.ndarray) -> str:
    """Return a hash of numbers, by which the data of a run are known again."""
    found = hashlib.sha256()
    for rows in row_blocks(np.atleast_1d(values)):
        found.update(np.ascontiguousarray(np.atleast_1d(values)[rows]).data)
    return found.hexdigest()

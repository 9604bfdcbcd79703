"""What is done with a block of frames: it is read and computed, by a thread or by a process somewhere else."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import groupby

import numpy as np

from mdnb.features.base import Featurizer
from mdnb.features.parts import Bits, Part
from mdnb.features.store import FeatureStore
from mdnb.trajectories import Trajectories

__all__ = ["Block", "Work", "Writing"]

#: The trajectory, start and stop of a block of frames.
Block = tuple[int, int, int]


class Work:
    """The trajectories and the prepared featurizers; called with a block, it returns that, its tables and times.

    Attributes
    ----------
    layout : list of (str, int)
        The tables of the result: of what type, and of how many columns. Successive featurizers of one kind share one;
        those of 0 and 1 are packed to bits, eight to a column of uint8.
    row_bytes : int
        Of one frame, all tables together.
    wishes : (bool, bool)
        Whether velocities and forces are read.
    """

    def __init__(self, trajectories: Trajectories, makers: Sequence[Featurizer]) -> None:
        self.trajectories = trajectories
        self._groups = [(binary, list(some)) for binary, some in groupby(makers, lambda maker: maker.binary)]
        self._widths = [sum(len(maker.columns) for maker in some) for _, some in self._groups]
        self.layout = [
            ("|u1", -(-width // 8)) if binary else ("<f4", width)
            for (binary, _), width in zip(self._groups, self._widths, strict=True)
        ]
        self.row_bytes = sum(np.dtype(dtype).itemsize * width for dtype, width in self.layout)
        needs = frozenset().union(*(maker.needs for maker in makers))
        self.wishes = ("velocities" in needs, "forces" in needs)

    @cached_property
    def looks_at(self) -> np.ndarray | None:
        """The atoms that any of the featurizers looks at, or None for all."""
        looks_at = [None if maker.takes_all else maker.looks_at for _, makers in self._groups for maker in makers]
        known = [atoms for atoms in looks_at if atoms is not None]
        return np.unique(np.concatenate(known)) if len(known) == len(looks_at) else None

    def empty(self, n_frames: int) -> list[np.ndarray]:
        """Return the tables to be filled."""
        return [np.empty((n_frames, width), dtype) for dtype, width in self.layout]

    def parts(self, tables: Sequence[np.ndarray]) -> tuple[Part, ...]:
        """Return the tables as parts of `Features`."""
        kinds = zip(tables, self._groups, self._widths, strict=True)
        return tuple(Bits(table, width) if binary else table for table, (binary, _), width in kinds)

    def compute(self, block: Block, tables: Sequence[np.ndarray], time: np.ndarray) -> int:
        """Fill the tables (n_frames, n_columns) and times (n_frames,) of a block; return its first row over all."""
        chunk = self.trajectories.read(*block, *self.wishes, self.looks_at)
        for (binary, makers), width, table in zip(self._groups, self._widths, tables, strict=True):
            if binary and len(makers) == 1:
                makers[0].fill_bits(chunk, table)
                continue
            out = np.empty((len(table), width), np.uint8) if binary else table
            column = 0
            for maker in makers:
                maker.fill(chunk, out, column)
                column += len(maker.columns)
            if binary:
                table[:] = np.packbits(out, axis=1)
        time[:] = chunk.time
        return chunk.start

    def __call__(self, block: Block) -> tuple[Block, list[np.ndarray], np.ndarray]:
        """Return a block, and its tables and times."""
        n_frames = block[2] - block[1]
        tables, time = self.empty(n_frames), np.empty(n_frames)
        self.compute(block, tables, time)
        return block, tables, time


class Writing:
    """The same into a store; called with a block, it returns its rows there and their hash."""

    def __init__(self, work: Work, store: FeatureStore) -> None:
        self.work, self.store = work, store

    def __call__(self, block: Block) -> tuple[tuple[int, int], str]:
        """Compute a block and write it."""
        n_frames = block[2] - block[1]
        tables, time = self.work.empty(n_frames), np.empty(n_frames)
        start = self.work.compute(block, tables, time)
        return (start, start + n_frames), self.store.write(start, tables, time)

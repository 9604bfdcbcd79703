"""What the numbers of features are kept as: float32 tables, and tables of 0 and 1 packed to bits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mdnb.errors import DataError
from mdnb.machine import memory_bytes

__all__ = ["Bits", "Part", "columns_of", "joined", "refuse_too_large"]


@dataclass(frozen=True)
class Bits:
    """A table of 0 and 1, eight to a byte.

    Attributes
    ----------
    packed : (n_frames, n_bytes) uint8 array
        The first column in the highest bit of the first byte.
    n_columns : int
    """

    packed: np.ndarray
    n_columns: int

    def __len__(self) -> int:
        return len(self.packed)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of frames and of columns."""
        return len(self.packed), self.n_columns

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return self.packed.nbytes

    def __getitem__(self, frames: slice | np.ndarray) -> Bits:
        return Bits(self.packed[frames], self.n_columns)

    def unpacked(self) -> np.ndarray:
        """Return (n_frames, n_columns) uint8."""
        return np.unpackbits(self.packed, axis=1, count=self.n_columns)

    def column(self, number: int) -> np.ndarray:
        """Return one column, (n_frames,) float32."""
        return ((self.packed[:, number >> 3] >> (7 - (number & 7))) & 1).astype(np.float32)


#: What `Features.parts` holds.
Part = np.ndarray | Bits


def columns_of(part: Part) -> int:
    """Return the number of columns of a part."""
    return math.prod(part.shape[1:])


def joined(parts: Sequence[Part]) -> np.ndarray:
    """Return parts of features side by side as one float32 table, (n_frames, n_columns).

    Raises
    ------
    DataError
        When it does not fit into memory.
    """
    n_frames, widths = len(parts[0]), [columns_of(part) for part in parts]
    refuse_too_large(4 * n_frames * sum(widths), "Features.parts has them packed")
    table = np.empty((n_frames, sum(widths)), np.float32)
    for part, stop, width in zip(parts, np.cumsum(widths), widths, strict=True):
        for start in range(0, n_frames, 256):  # unpacked bits are small for a moment only
            rows = part[start : start + 256]
            values = rows.unpacked() if isinstance(rows, Bits) else rows.reshape(len(rows), width)
            table[start : start + 256, stop - width : stop] = values
    return table


def refuse_too_large(n_bytes: int, advice: str) -> None:
    """Raise a DataError for a table that this machine's memory cannot hold."""
    memory = memory_bytes()
    if n_bytes > memory:
        raise DataError(
            f"the features need {n_bytes / 1e9:.1f} GB, this machine has {memory / 1e9:.1f} GB of memory; {advice}"
        )

"""Where the frames of an XTC file begin: compiled, because a file may have millions."""

from __future__ import annotations

import numpy as np

from mdnb.compiled import compiled
from mdnb.formats.bits import load_64

__all__ = ["scan_frames"]


@compiled(inline="always")
def _int32(data, position):  # type: ignore[no-untyped-def]  # compiled: numba infers the types
    """Return the big-endian signed number at `position`; eight bytes have to be there."""
    return np.int64(np.int32(load_64(data, np.uint64(position)) >> np.uint64(32)))


@compiled()
def scan_frames(data, position, n_atoms, starts, times):  # type: ignore[no-untyped-def]
    """Find frames one after another, until `starts` is full or something is not as in a whole frame.

    Parameters
    ----------
    data : (n_bytes,) uint8 array
        The file.
    position : int
        Where the first frame begins.
    n_atoms : int
        Of each frame, above 9.
    starts : (n,) int64 array
        Gets where each frame begins.
    times : (n,) uint32 array
        Gets the bits of each frame's time, a float32.

    Returns
    -------
    tuple of int
        How many frames were found, and where the last one ends.
    """
    size = len(data)
    found = 0
    while found < len(starts) and position + 100 <= size:
        magic = _int32(data, position)
        if (magic != 1995 and magic != 2023) or _int32(data, position + 4) != n_atoms:
            break
        n_bytes, width = _int32(data, position + 88), 4
        if magic == 2023:
            if n_bytes != 0:  # of more than 4 GB; the caller's way is the slow one
                break
            n_bytes, width = _int32(data, position + 92), 8
        end = position + 88 + width + (n_bytes + 3) // 4 * 4
        if n_bytes <= 0 or end > size:
            break
        starts[found] = position
        times[found] = _int32(data, position + 12)
        found += 1
        position = end
    return found, position

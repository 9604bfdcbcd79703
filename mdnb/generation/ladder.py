"""Contiguous pieces of molecular dynamics, from short ones to all of it."""

from __future__ import annotations

import numpy as np

__all__ = ["pieces"]

#: The shortest piece has this many frames; of each length at most so many pieces are looked at.
_SHORTEST, _MOST = 20, 8


def pieces(replica: np.ndarray, *, whole: bool) -> list[tuple[int, list[np.ndarray]]]:
    """Return lengths in frames, from short to long, and pieces of each length as (n,) arrays of frames.

    Pieces up to a replica's length are contiguous; longer ones are several whole replicas.

    Parameters
    ----------
    replica : (n_frames,) int array
    whole : bool
        Whether a piece may be all of the frames; else at most half of the replicas.
    """
    series = [np.flatnonzero(replica == number) for number in np.unique(replica)]
    shortest = min(len(one) for one in series)
    found = []
    length = shortest
    while length >= _SHORTEST:
        parts = [one[start : start + length] for one in series for start in range(0, len(one) - length + 1, length)]
        found.append((length, _spread(parts)))
        length //= 2
    found.reverse()
    count = 2
    while count <= (len(series) if whole else len(series) // 2):
        groups = [series[start : start + count] for start in range(0, len(series) - count + 1, count)]
        joined = [np.concatenate(group) for group in groups]
        found.append((round(float(np.mean([len(one) for one in joined]))), _spread(joined)))
        count *= 2
    if whole and len(series) > 1 and count // 2 != len(series):
        found.append((len(replica), [np.arange(len(replica))]))
    return found


def _spread(parts: list[np.ndarray]) -> list[np.ndarray]:
    if len(parts) <= _MOST:
        return parts
    return [parts[i] for i in np.linspace(0, len(parts) - 1, _MOST).astype(int)]

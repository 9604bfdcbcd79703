"""What is seen of a file while every frame of it is read, block by block in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mdnb.errors import DataError
from mdnb.formats.base import ONE_READER, UNREADABLE, Frames, TrajectoryFile

__all__ = ["Seen", "look_through"]

_BLOCK_BYTES = 4_000_000


@dataclass
class Seen:
    """What was seen of one file."""

    name: str
    file: TrajectoryFile
    times: list[np.ndarray] = field(default_factory=list)
    numbers: list[np.ndarray] = field(default_factory=list)
    hashes: list[np.ndarray] = field(default_factory=list)
    counts: list[np.ndarray] = field(default_factory=list)
    worst: list[np.ndarray] = field(default_factory=list)
    unreadable: dict[int, str] = field(default_factory=dict)
    boxes: int = 0
    flat: list[int] = field(default_factory=list)
    first: np.ndarray | None = None
    still: np.ndarray | None = None
    sha256: str = ""


def _blocks(seen: Seen) -> Iterator[tuple[int, Frames]]:
    """Read a file block by block; where a block cannot be read, frame by frame, noting what cannot."""
    file = seen.file
    size = int(np.clip(_BLOCK_BYTES // (12 * max(file.n_atoms, 1)), 1, 1024))
    for start in range(0, file.n_frames, size):
        stop = min(start + size, file.n_frames)
        try:
            yield start, _read(file, start, stop)
            continue
        except (*UNREADABLE, DataError) as error:
            if stop - start == 1:
                seen.unreadable[start] = str(error)
                continue
        for frame in range(start, stop):
            try:
                one = _read(file, frame, frame + 1)
            except (*UNREADABLE, DataError) as error:
                seen.unreadable[frame] = str(error)
                continue
            yield frame, one


def _read(file: TrajectoryFile, start: int, stop: int) -> Frames:
    with nullcontext() if file.concurrent else ONE_READER:
        frames = file.read(start, stop, 1, None, False, False)
    if frames.positions.shape != (stop - start, file.n_atoms, 3):
        raise file.error(f"{stop - start} frames expected, got positions of shape {frames.positions.shape}")
    return frames


def look_through(seen: Seen, bonds: np.ndarray, limits: np.ndarray, bar: Any) -> None:
    """Read every frame of a file and note what is seen.

    Parameters
    ----------
    seen : Seen
        Filled.
    bonds, limits : (n_bonds, 2) arrays
        From `bond_limits`; empty to leave bond lengths out.
    bar : object with update(n_frames)
    """
    from mdnb.health.kernels import inspect
    from mdnb.periodic import KIND, describe_boxes

    done = 0
    for start, frames in _blocks(seen):
        positions = np.ascontiguousarray(frames.positions, np.float32)
        n_frames = len(positions)
        if seen.first is None:
            seen.first, seen.still = positions[0].copy(), np.ones(positions.shape[1], bool)
        boxes = describe_boxes(np.zeros((n_frames, 3, 3)) if frames.box is None else frames.box.astype(np.float64))
        if frames.box is not None:
            seen.boxes += n_frames
            seen.flat += (np.flatnonzero(boxes[:, KIND[0], KIND[1]] == 0) + start).tolist()
        hashes, counts = np.empty(n_frames, np.uint64), np.empty((n_frames, 4), np.int64)
        worst = np.empty((n_frames, 2))
        bits = positions.reshape(n_frames, -1).view(np.uint32)
        inspect(positions, bits, bonds, limits, boxes, seen.first, seen.still, hashes, counts, worst)
        seen.times.append(np.array(frames.time, np.float64))
        seen.numbers.append(np.arange(start, start + n_frames))
        seen.hashes.append(hashes)
        seen.counts.append(counts.astype(np.int32))
        seen.worst.append(worst.astype(np.float32))
        bar.update(start + n_frames - done)
        done = start + n_frames
    bar.update(seen.file.n_frames - done)

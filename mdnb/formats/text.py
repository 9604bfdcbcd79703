"""Text formats of many frames: each frame is found by its byte offset and parsed when it is asked for."""

from __future__ import annotations

import mmap
from abc import abstractmethod
from dataclasses import dataclass
from time import perf_counter
from typing import ClassVar

import numpy as np

from mdnb.formats.base import Frames, TrajectoryFile
from mdnb.formats.frame_index import load_index, save_index

__all__ = ["Record", "TextFile", "table"]


@dataclass
class Record:
    """One frame of a text file, in mdnb's units; arrays are (n_atoms, 3), the box (3, 3)."""

    positions: np.ndarray | None = None
    velocities: np.ndarray | None = None
    forces: np.ndarray | None = None
    box: np.ndarray | None = None
    time: float = float("nan")


class TextFile(TrajectoryFile):
    """Base of the text formats: a subclass finds where frames begin and parses one of them.

    Of the file, one frame is in memory at a time, and frame i is read without those before it.
    """

    concurrent = True
    #: Whether the index of a large file is kept on disk.
    indexed: ClassVar[bool] = True
    _starts: np.ndarray

    @abstractmethod
    def _find(self, data: mmap.mmap, position: int) -> tuple[list[int], int, str]:
        """Return where frames begin from `position` on, where the last whole one ends and what is left after it."""

    @abstractmethod
    def _parse(self, raw: bytes, frame: int, atoms: bool, velocities: bool, forces: bool) -> Record:
        """Return a frame; without atoms its time (and box) suffice."""

    def _index(self) -> None:
        """Find the frames; those that an index on disk holds are not searched again."""
        began = perf_counter()
        known = load_index(self.path, type(self).__name__, ("starts",)) if self.indexed else None
        starts = known["starts"] if known is not None else np.zeros(1, np.int64)
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            found, end, self.truncated = self._find(data, int(starts[-1]))
        self._starts = np.concatenate([starts[:-1], np.array([*found, end], np.int64)])
        self.n_frames = len(self._starts) - 1
        if self.indexed:
            save_index(self.path, type(self).__name__, {"starts": self._starts}, perf_counter() - began)

    def _raw(self, frame: int) -> bytes:
        start, end = self._starts[frame : frame + 2]
        with self.path.open("rb") as file:
            file.seek(int(start))
            raw = file.read(int(end - start))
        if len(raw) != end - start:
            raise self.error(f"frame {frame} ends too soon; was the file changed since it was opened?")
        return raw

    def read(
        self, start: int, stop: int, stride: int, atom_indices: np.ndarray | None, velocities: bool, forces: bool
    ) -> Frames:
        """Return the frames ``start:stop:stride`` of the chosen atoms.

        Numbers too large for float32 are infinite, without a warning: whoever reads them refuses what is not finite.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            return self._read(start, stop, stride, atom_indices, velocities, forces)

    def _read(
        self, start: int, stop: int, stride: int, atom_indices: np.ndarray | None, velocities: bool, forces: bool
    ) -> Frames:
        chosen = range(*slice(start, stop, stride).indices(self.n_frames))
        n_atoms = self.n_atoms if atom_indices is None else len(atom_indices)
        wish = {"positions": True, "velocities": velocities, "forces": forces}
        wish = {name: wanted and getattr(self, f"has_{name}", True) for name, wanted in wish.items()}
        shape = (len(chosen), n_atoms, 3)
        with self.reading(f"{len(chosen)} frames of {n_atoms} atoms"):  # as many as the file says, which may be wrong
            arrays = {name: np.empty(shape, np.float32) for name, wanted in wish.items() if wanted}
        time, boxes = np.full(len(chosen), np.nan), []
        for row, frame in enumerate(chosen):
            with self.reading(f"frame {frame}"):
                record = self._parse(self._raw(frame), frame, n_atoms > 0, wish["velocities"], wish["forces"])
            time[row] = record.time
            boxes.append(record.box)
            for name, array in arrays.items():
                values = getattr(record, name)
                if n_atoms and (values is None or values.shape != (self.n_atoms, 3)):
                    there = "no" if values is None else f"{len(values)}"
                    raise self.error(f"frame {frame} has {there} {name}, expected {self.n_atoms}; is it damaged?")
                if n_atoms:
                    array[row] = values if atom_indices is None else values[atom_indices]
        box = np.array(boxes, np.float32) if boxes and all(one is not None for one in boxes) else None
        return Frames(time=time, box=box, **arrays)


def table(lines: list[str], columns: list[int]) -> np.ndarray:
    """Return columns of numbers of lines of text, (n_lines, n_columns) float64; any other text is a ValueError."""
    return np.loadtxt(lines, usecols=columns, comments=None, ndmin=2)

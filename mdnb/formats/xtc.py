"""GROMACS XTC: compressed positions. Frames are found by their headers, decoded by compiled code."""

from __future__ import annotations

import mmap
import os
import struct
import threading
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from mdnb.formats.base import Frames, TrajectoryFile
from mdnb.formats.frame_index import load_index, save_index
from mdnb.formats.registry import register

if TYPE_CHECKING:
    from mdnb.formats.xtc_decoder import Wanted

_HEADER = struct.Struct(">iiif9fi")  # magic, n_atoms, step, time, box, n_atoms again
_MAGIC = {1995: 4, 2023: 8}  # magic -> bytes of the size field
#: Bytes of a file above which it pays to load the compiled search for frames.
_LARGE = 4_000_000
#: Bytes of memory that a thread may keep although it needs less.
_SMALL = 4_000_000
_OF_THREAD = threading.local()


@register(".xtc")
class XTCFile(TrajectoryFile):
    """An XTC file; the headers of all its frames are checked when it is opened."""

    concurrent = True
    _times: np.ndarray
    _wanted: tuple[np.ndarray | None, Wanted] | None = None

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        self.n_atoms = 0
        began = perf_counter()
        known = load_index(self.path, "XTC", ("times",))
        starts = [] if known is None else [known["starts"][:-1]]
        times = [] if known is None else [known["times"]]
        n_frames, position = (0, 0) if known is None else (len(starts[0]), int(known["starts"][-1]))
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            size = len(data)
            if n_frames:
                self._frame_end(data, 0, 0)  # for the number of atoms
            while position < size:
                end = self._frame_end(data, position, n_frames)
                if end is None or end > size:
                    left = size - position
                    self.truncated = f"{left} bytes are left of a frame after {n_frames} whole frames"
                    break
                starts.append(np.array([position]))
                times.append(np.frombuffer(data[position + 12 : position + 16], ">f4"))
                n_frames, position = n_frames + 1, end
                if size > _LARGE and self.n_atoms > 9:  # on to the next frame that is not as it should be
                    found, found_times, position = _scan(data, position, self.n_atoms)
                    starts.append(found)
                    times.append(found_times)
                    n_frames += len(found)
            self._starts = np.concatenate([*starts, [position]]).astype(np.int64, copy=False)
            self.n_frames = n_frames
        self._times = np.concatenate([*times, np.empty(0)]).astype(np.float64, copy=False)
        self.finite = self.n_atoms > 9  # the decoder writes nothing else
        save_index(self.path, "XTC", {"starts": self._starts, "times": self._times}, perf_counter() - began)

    def __getstate__(self) -> dict[str, Any]:
        """Travel to another process without what is kept for the next block."""
        return {**super().__getstate__(), "_wanted": None}

    def _frame_end(self, data: mmap.mmap, position: int, frame: int) -> int | None:
        """Return where the frame at `position` ends, None when its header is cut off."""
        if position + _HEADER.size > len(data):
            return None
        magic, n_atoms, *_ = _HEADER.unpack_from(data, position)
        if magic not in _MAGIC:
            raise self.error(f"frame {frame} does not start with the mark of an XTC file; the file is damaged")
        if frame == 0:
            self.n_atoms = n_atoms
        if n_atoms != self.n_atoms or n_atoms <= 0:
            raise self.error(f"frame {frame} has {n_atoms} atoms, frame 0 has {self.n_atoms}; the file is damaged")
        position += _HEADER.size
        if n_atoms <= 9:  # such small systems are not compressed
            return position + 12 * n_atoms
        position += 32  # precision, minint, maxint, smallidx
        width = _MAGIC[magic]
        if position + width > len(data):
            return None
        (n_bytes,) = struct.unpack_from(">i" if width == 4 else ">q", data, position)
        if n_bytes <= 0:
            raise self.error(f"frame {frame} says that it has {n_bytes} bytes; the file is damaged")
        return position + width + (n_bytes + 3) // 4 * 4

    def times(self) -> np.ndarray:
        """Return the times of all frames in ps."""
        return self._times

    def read(
        self, start: int, stop: int, stride: int, atom_indices: np.ndarray | None, velocities: bool, forces: bool
    ) -> Frames:
        """Return the frames ``start:stop:stride`` of the chosen atoms."""
        frames = range(start, stop, stride)
        time = self._times[frames.start : frames.stop : frames.step].copy()
        n_chosen = self.n_atoms if atom_indices is None else len(atom_indices)
        positions, box = np.empty((len(frames), n_chosen, 3), np.float32), np.empty((len(frames), 9), np.float32)
        if n_chosen == 0:
            return Frames(positions, time)
        data, begins = self._compressed(frames)
        if self.n_atoms <= 9:
            numbers = data[begins[:-1, None] + np.arange(16, 56 + 12 * self.n_atoms)].view(">f4")
            box[:], every = numbers[:, :9], numbers[:, 10:].reshape(len(frames), self.n_atoms, 3)
            positions[:] = every if atom_indices is None else every[:, atom_indices]
        else:
            from mdnb.formats.xtc_decoder import WRONG, decode_frames

            wanted = self._wanted_of(atom_indices)
            frame, wrong = decode_frames(
                data, begins, self.n_atoms, wanted.n_decoded, positions, box, wanted.chosen, wanted.latest
            )
            if wrong:
                raise self.error(f"frame {frames[frame]} cannot be decoded: {WRONG[wrong]}; the file is damaged")
        return Frames(positions, time, box=box.reshape(-1, 3, 3) if box.any() else None)

    def _wanted_of(self, atom_indices: np.ndarray | None) -> Wanted:
        """Return what is decoded; the same is asked for again with each block of frames."""
        from mdnb.formats.xtc_decoder import Wanted

        known = self._wanted
        if known is None or known[0] is not atom_indices:
            known = self._wanted = atom_indices, Wanted.of(self.n_atoms, atom_indices)
        return known[1]

    def _compressed(self, frames: range) -> tuple[np.ndarray, np.ndarray]:
        """Return the bytes of frames, with 16 to spare for the decoder to look ahead, and where each begins and ends.

        The array belongs to the thread and is written anew by its next call: fresh memory for each block of frames
        would cost as much as reading into it.
        """
        if frames.step == 1:  # side by side: read in one go
            begins = self._starts[frames.start : frames.stop + 1] - self._starts[frames.start]
            pieces = [(int(self._starts[frames.start]), 0, int(begins[-1]))]
        else:
            starts = self._starts[frames.start : frames.stop : frames.step]
            sizes = self._starts[frames.start + 1 : frames.stop + 1 : frames.step] - starts
            begins = np.concatenate([[0], np.cumsum(sizes)])
            pieces = list(zip(starts.tolist(), begins[:-1].tolist(), begins[1:].tolist(), strict=True))
        n_bytes = int(begins[-1]) + 16
        data = getattr(_OF_THREAD, "bytes", None)
        if data is None or not n_bytes <= len(data) <= 4 * n_bytes + _SMALL:
            data = _OF_THREAD.bytes = np.empty(n_bytes + n_bytes // 8, np.uint8)
        data = data[:n_bytes]
        data[-16:] = 0
        view = data.data
        with self.path.open("rb", buffering=0) as file:
            for number, (start, place, end) in enumerate(pieces):
                file.seek(start)
                while place < end:
                    read = file.readinto(view[place:end])
                    if not read:
                        last = frames[-1] if frames.step == 1 else frames[number]
                        raise self.error(f"frame {last} ends too soon; was the file changed since it was opened?")
                    place += read
        return data, begins


def _scan(data: mmap.mmap, position: int, n_atoms: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Return where frames from `position` on begin and their times, as far as all is in order, and where they end."""
    from mdnb.formats.xtc_index import scan_frames

    content = np.frombuffer(data, np.uint8)
    starts, times = np.empty(1024, np.int64), np.empty(1024, np.uint32)
    all_starts, all_times = [], []
    found = len(starts)
    while found == len(starts):
        found, position = scan_frames(content, position, n_atoms, starts, times)
        all_starts.append(starts[:found].copy())
        all_times.append(times[:found].view(np.float32).copy())
        if hasattr(data, "madvise"):  # else the whole file would count as memory of this process
            data.madvise(mmap.MADV_DONTNEED)
    return np.concatenate(all_starts), np.concatenate(all_times), int(position)

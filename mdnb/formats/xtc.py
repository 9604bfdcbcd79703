"""GROMACS XTC: compressed positions. Frames are found by their headers, decoded by compiled code."""

from __future__ import annotations

import mmap
import os
import struct
from time import perf_counter

import numpy as np

from mdnb.formats.base import Frames, TrajectoryFile, register
from mdnb.formats.frame_index import load_index, save_index

_HEADER = struct.Struct(">iiif9fi")  # magic, n_atoms, step, time, box, n_atoms again
_MAGIC = {1995: 4, 2023: 8}  # magic -> bytes of the size field
#: Bytes of a file above which it pays to load the compiled search for frames.
_LARGE = 4_000_000


@register(".xtc")
class XTCFile(TrajectoryFile):
    """An XTC file; the headers of all its frames are checked when it is opened."""

    concurrent = True
    _times: np.ndarray

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        self.n_atoms = 0
        began = perf_counter()
        known = load_index(self.path, "XTC", ("times",))
        starts = [] if known is None else [known["starts"][:-1]]
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
                n_frames, position = n_frames + 1, end
                if size > _LARGE and self.n_atoms > 9:  # on to the next frame that is not as it should be
                    found, position = _scan(data, position, self.n_atoms)
                    starts.append(found)
                    n_frames += len(found)
            self._starts = np.concatenate([*starts, [position]]).astype(np.int64)
            self.n_frames = n_frames
            n_known = 0 if known is None else len(known["times"])
            fields = np.frombuffer(data, np.uint8)[self._starts[n_known:-1, None] + np.arange(12, 16)]
            times = fields.view(">f4").ravel().astype(np.float64)
            self._times = times if known is None else np.concatenate([known["times"], times])
        save_index(self.path, "XTC", {"starts": self._starts, "times": self._times}, perf_counter() - began)

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
        chosen = np.arange(start, stop, stride)
        time = self._times[chosen]
        if atom_indices is not None and len(atom_indices) == 0:
            return Frames(np.empty((len(time), 0, 3), np.float32), time)
        n_wanted = self.n_atoms if atom_indices is None else int(atom_indices.max()) + 1
        data, begins = self._compressed(chosen)
        box = data[begins[:, None] + np.arange(16, 52)].view(">f4").reshape(-1, 3, 3).astype(np.float32)
        positions = np.empty((len(chosen), n_wanted, 3), np.float32)
        if self.n_atoms <= 9:
            raw = data[begins[:, None] + np.arange(56, 56 + 12 * n_wanted)]
            positions[:] = raw.view(">f4").reshape(positions.shape)
        else:
            self._decode(data, begins, chosen, positions)
        if atom_indices is not None and len(atom_indices) != n_wanted:
            positions = positions[:, atom_indices]
        return Frames(positions, time, box=box if box.any() else None)

    def _compressed(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the bytes of frames, with 16 to spare for the decoder to look ahead, and where each begins."""
        starts, sizes = self._starts[chosen], self._starts[chosen + 1] - self._starts[chosen]
        begins = np.cumsum(sizes) - sizes
        data = np.empty(int(sizes.sum()) + 16, np.uint8)
        data[-16:] = 0
        view = data.data
        # Frames side by side are read in one go, of others only what is wanted.
        breaks = np.flatnonzero(np.diff(chosen) != 1) + 1
        with self.path.open("rb", buffering=0) as file:
            for first, last in zip([0, *breaks], [*breaks, len(chosen)], strict=True):
                place, end = int(begins[first]), int(begins[last - 1] + sizes[last - 1])
                file.seek(int(starts[first]))
                while place < end:
                    read = file.readinto(view[place:end])
                    if not read:
                        raise self.error(
                            f"frame {chosen[last - 1]} ends too soon; was the file changed since it was opened?"
                        )
                    place += read
        return data, begins

    def _decode(self, data: np.ndarray, begins: np.ndarray, chosen: np.ndarray, positions: np.ndarray) -> None:
        from mdnb.formats.xtc_decoder import WRONG, decode_frames

        width = 4 if int.from_bytes(data[begins[0] : begins[0] + 4].tobytes(), "big") == 1995 else 8
        fields = begins + 88 + width
        sizes = data[(fields - 4)[:, None] + np.arange(4)].view(">i4").astype(np.int64).ravel()
        offsets = np.stack([begins + 56, fields, sizes], axis=1)
        frame, wrong = decode_frames(data, offsets, self.n_atoms, positions.shape[1], positions)
        if wrong:
            raise self.error(f"frame {chosen[frame]} cannot be decoded: {WRONG[wrong]}; the file is damaged")


def _scan(data: mmap.mmap, position: int, n_atoms: int) -> tuple[np.ndarray, int]:
    """Return where frames begin from `position` on, as far as all is in order, and where the last one ends."""
    from mdnb.formats.xtc_index import scan_frames

    content = np.frombuffer(data, np.uint8)
    parts, starts = [], np.empty(65536, np.int64)
    found = len(starts)
    while found == len(starts):
        found, position = scan_frames(content, position, n_atoms, starts)
        parts.append(starts[:found].copy())
    return np.concatenate(parts), int(position)

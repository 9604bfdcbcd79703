"""GROMACS XTC: compressed positions. Frames are found by their headers, decoded by mdtraj."""

from __future__ import annotations

import mmap
import os
import struct

import numpy as np

from mdnb.formats.base import Frames, TrajectoryFile, register

_HEADER = struct.Struct(">iiif9fi")  # magic, n_atoms, step, time, box, n_atoms again
_MAGIC = {1995: 4, 2023: 8}  # magic -> bytes of the size field


@register(".xtc")
class XTCFile(TrajectoryFile):
    """An XTC file; the headers of all its frames are checked when it is opened."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        self.n_atoms = 0
        times: list[float] = []
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            position, size = 0, len(data)
            while position < size:
                end = self._frame_end(data, position, len(times))
                if end is None or end > size:
                    left = size - position
                    self.truncated = f"{left} bytes are left of a frame after {len(times)} whole frames"
                    break
                times.append(struct.unpack_from(">f", data, position + 12)[0])
                position = end
        self.n_frames = len(times)
        self._times = np.array(times, np.float64)

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

    def read(
        self, start: int, stop: int, stride: int, atom_indices: np.ndarray | None, velocities: bool, forces: bool
    ) -> Frames:
        """Return the frames ``start:stop:stride`` of the chosen atoms."""
        from mdtraj.formats import XTCTrajectoryFile

        time = self._times[start:stop:stride]
        if atom_indices is not None and len(atom_indices) == 0:
            return Frames(np.empty((len(time), 0, 3), np.float32), time)
        with XTCTrajectoryFile(str(self.path)) as file:
            file.seek(start)
            n_frames = len(range(start, stop, stride))
            xyz, _, _, box = file.read(n_frames, stride=stride, atom_indices=atom_indices)
        return Frames(xyz, time, box=box if np.any(box) else None)

"""GROMACS TRR: positions, velocities and forces in full precision, read with numpy alone."""

from __future__ import annotations

import mmap
import os
import struct

import numpy as np

from mdnb.formats.base import Frames, TrajectoryFile, register

_MAGIC = 1993
_ARRAYS = ("positions", "velocities", "forces")


@register(".trr")
class TRRFile(TrajectoryFile):
    """A TRR file; the headers of all its frames are read when it is opened.

    Only frames that hold positions are counted (GROMACS may write the three at different intervals).
    Velocities and forces are offered when all of those frames have them.
    """

    concurrent = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        self.n_atoms = 0
        self._offsets: list[dict[str, tuple[int, int]]] = []  # name -> (offset, bytes per number)
        times: list[float] = []
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            position, size = 0, len(data)
            while position < size:
                try:
                    end, time, arrays = self._header(data, position)
                except struct.error:
                    end, time, arrays = size + 1, 0.0, {}
                if end > size:
                    left = size - position
                    self.truncated = f"{left} bytes are left of a frame after {len(times)} whole frames"
                    break
                if "positions" in arrays:
                    self._offsets.append(arrays)
                    times.append(time)
                position = end
        self.n_frames = len(times)
        self._times = np.array(times, np.float64)
        self.has_velocities = bool(self._offsets) and all("velocities" in arrays for arrays in self._offsets)
        self.has_forces = bool(self._offsets) and all("forces" in arrays for arrays in self._offsets)

    def _header(self, data: mmap.mmap, position: int) -> tuple[int, float, dict[str, tuple[int, int]]]:
        """Return the end, the time and the arrays of the frame at `position`."""
        magic, _, length = struct.unpack_from(">iii", data, position)
        if magic != _MAGIC or not 0 <= length < 1000:
            raise self.error(f"byte {position} does not start a TRR frame; the file is damaged")
        position += 12 + (length + 3) // 4 * 4
        sizes = struct.unpack_from(">13i", data, position)
        box, virial, pressure, *bytes_of = (sizes[2], sizes[3], sizes[4], *sizes[7:10])
        n_atoms = sizes[10]
        if n_atoms <= 0 or min(sizes[:10]) < 0 or (self.n_atoms and n_atoms != self.n_atoms):
            raise self.error(f"a frame has {n_atoms} atoms, expected {self.n_atoms or 'at least 1'}; it is damaged")
        self.n_atoms = n_atoms
        width = max(bytes_of) // (3 * n_atoms) if max(bytes_of) else box // 9
        if width not in (4, 8) or any(size not in (0, 3 * n_atoms * width) for size in bytes_of):
            raise self.error("a frame's header contradicts itself; the file is damaged")
        position += 52
        (time,) = struct.unpack_from(">f" if width == 4 else ">d", data, position)
        position += 2 * width
        arrays: dict[str, tuple[int, int]] = {"box": (position, width)} if box else {}
        position += box + virial + pressure
        for name, size in zip(_ARRAYS, bytes_of, strict=True):
            if size:
                arrays[name] = (position, width)
            position += size
        return position, time, arrays

    def times(self) -> np.ndarray:
        """Return the times of all frames in ps."""
        return self._times

    def read(
        self, start: int, stop: int, stride: int, atom_indices: np.ndarray | None, velocities: bool, forces: bool
    ) -> Frames:
        """Return the frames ``start:stop:stride`` of the chosen atoms."""
        chosen = range(*slice(start, stop, stride).indices(self.n_frames))
        raw = np.memmap(self.path, np.uint8, "r")

        def gather(name: str, shape: tuple[int, ...]) -> np.ndarray:
            frames = []
            for frame in chosen:
                offset, width = self._offsets[frame][name]
                values = raw[offset : offset + width * int(np.prod(shape))].view(f">f{width}").reshape(shape)
                frames.append(values if atom_indices is None or name == "box" else values[atom_indices])
            n_rows = shape[0] if atom_indices is None or name == "box" else len(atom_indices)
            return np.array(frames, np.float32).reshape(len(chosen), n_rows, 3)

        atoms = (self.n_atoms, 3)
        boxed = bool(chosen) and all("box" in self._offsets[frame] for frame in chosen)
        return Frames(
            gather("positions", atoms),
            self._times[chosen.start : chosen.stop : chosen.step],
            velocities=gather("velocities", atoms) if velocities and self.has_velocities else None,
            forces=gather("forces", atoms) if forces and self.has_forces else None,
            box=gather("box", (3, 3)) if boxed else None,
        )

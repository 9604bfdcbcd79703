"""GROMACS TRR: positions, velocities and forces in full precision, read with numpy alone."""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Mapping
from time import perf_counter

import numpy as np

from mdnb.formats.base import Frames, TrajectoryFile
from mdnb.formats.frame_index import load_index, save_index
from mdnb.formats.registry import register

_MAGIC = 1993
_ARRAYS = ("positions", "velocities", "forces")
_Layout = dict[str, tuple[int, int]]  # array -> (offset from the frame's beginning, bytes of a number)


class _Offsets:
    """Where the arrays of each frame lie; frames of one layout share it."""

    def __init__(self) -> None:
        self.kinds: dict[int, _Layout] = {}
        self.parts: list[tuple[np.ndarray, np.ndarray]] = []
        self._last = -1

    def add(self, starts: np.ndarray, layout: _Layout | None = None) -> None:
        """Add frames of a layout, or of that of the last ones."""
        if layout is not None:
            known = next((number for number, kind in self.kinds.items() if kind == layout), None)
            self._last = len(self.kinds) if known is None else known
            self.kinds[self._last] = layout
        if len(starts):
            self.parts.append((starts, np.full(len(starts), self._last)))

    @property
    def starts(self) -> np.ndarray:
        """Where each frame begins."""
        return self._merged()[0]

    @property
    def layouts(self) -> np.ndarray:
        """The number of each frame's layout."""
        return self._merged()[1]

    def _merged(self) -> tuple[np.ndarray, np.ndarray]:
        if len(self.parts) != 1:
            none = [np.empty(0, int)]
            starts, layouts = (np.concatenate([*none, *(part[k] for part in self.parts)]) for k in (0, 1))
            self.parts = [(starts, layouts)]
        return self.parts[0]

    def all_have(self, name: str) -> bool:
        """Return whether there are frames and all have an array."""
        return bool(self.kinds) and all(name in layout for layout in self.kinds.values())

    def __len__(self) -> int:
        return sum(len(starts) for starts, _ in self.parts)

    def __getitem__(self, frame: int) -> _Layout:
        starts, layouts = self._merged()
        start = int(starts[frame])
        return {name: (start + at, width) for name, (at, width) in self.kinds[int(layouts[frame])].items()}


@register(".trr")
class TRRFile(TrajectoryFile):
    """A TRR file; the headers of all its frames are read when it is opened.

    Only frames that hold positions are counted (GROMACS may write the three at different intervals).
    Velocities and forces are offered when all of those frames have them.
    """

    concurrent = True
    _times: np.ndarray

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        self.n_atoms = 0
        self._offsets = _Offsets()
        began = perf_counter()
        known = load_index(self.path, "TRR", ("times", "layouts"))
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            position, size, times = 0, len(data), np.empty(0)
            if known is not None:
                position, times = int(known["starts"][-1]), known["times"]
                self._restore(data, known)
            found, end = [times], position
            while end < size:
                position = end
                try:
                    end, time, arrays = self._header(data, position)
                except struct.error:
                    end, time, arrays = size + 1, 0.0, {}
                if end > size:
                    left, end = size - position, position
                    self.truncated = f"{left} bytes are left of a frame after {len(self._offsets)} whole frames"
                    break
                if "positions" in arrays:
                    self._offsets.add(np.array([position]), {n: (o - position, w) for n, (o, w) in arrays.items()})
                    found.append(np.array([time]))
                    same, times = _alike(data, position, end - position)
                    self._offsets.add(same)
                    found.append(times)
                    end += len(same) * (end - position)
            self._times = np.concatenate(found)
        self.n_frames = len(self._times)
        self.has_velocities = self._offsets.all_have("velocities")
        self.has_forces = self._offsets.all_have("forces")
        index = {"starts": np.append(self._offsets.starts, end), "times": self._times, "layouts": self._offsets.layouts}
        save_index(self.path, "TRR", index, perf_counter() - began)

    def _restore(self, data: mmap.mmap, known: Mapping[str, np.ndarray]) -> None:
        """Take the frames from an index; of each layout one header is read again."""
        starts, layouts = known["starts"][:-1], known["layouts"].astype(int)
        for layout, first in zip(*np.unique(layouts, return_index=True), strict=True):
            start = int(starts[first])
            _, _, arrays = self._header(data, start)
            if "positions" not in arrays:
                raise self.error("its index does not fit; delete the file that ends with .mdnb-index")
            self._offsets.kinds[int(layout)] = {name: (at - start, width) for name, (at, width) in arrays.items()}
        self._offsets.parts = [(starts, layouts)]

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


def _alike(data: mmap.mmap, position: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where the frames begin that follow one and have the same header but for step and time, and their times."""
    (title,) = struct.unpack_from(">i", data, position + 8)
    after = 12 + (title + 3) // 4 * 4  # the sizes; of the thirteen numbers the step is the twelfth
    positions, n_atoms = (struct.unpack_from(">i", data, position + after + 4 * k)[0] for k in (7, 10))
    width = positions // (3 * n_atoms)
    fixed = np.r_[0 : after + 44, after + 48 : after + 52]
    content = np.frombuffer(data, np.uint8)
    wanted = content[position + fixed]
    starts, times, first = [np.empty(0, int)], [np.empty(0)], position + length
    while True:
        some = first + length * np.arange(min(4096, (len(content) - first) // length))
        same = (content[some[:, None] + fixed] == wanted).all(1)
        some = some[: len(some) if same.all() else int(np.argmin(same))]
        raw = content[some[:, None] + np.arange(after + 52, after + 52 + width)]
        starts.append(some)
        times.append(raw.view(f">f{width}").ravel().astype(np.float64))
        if len(some) < 4096:
            return np.concatenate(starts), np.concatenate(times)
        first += length * len(some)

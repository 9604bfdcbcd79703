"""CHARMM/NAMD/OpenMM DCD: positions in Angstrom, read with numpy; the format has no reliable time."""

from __future__ import annotations

import os

import numpy as np

from mdnb.formats.base import Frames, TrajectoryFile
from mdnb.formats.registry import register


@register(".dcd")
class DCDFile(TrajectoryFile):
    """A DCD file of single-precision positions, of either byte order, with or without a box.

    Its times are unknown: give ``time_step=`` to `mdnb.load`. All frames have one size, so a frame is found
    by arithmetic. Layout: https://www.ks.uiuc.edu/Research/vmd/plugins/molfile/dcdplugin.html
    """

    concurrent = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        size = self.path.stat().st_size
        data = np.fromfile(self.path, np.uint8, count=min(size, 1_000_000))  # the header records lie within
        head = data[:8].tobytes()
        if head[4:8] != b"CORD":
            raise self.error("it does not start as a DCD file does; is it one?")
        self._order = next((order for order in "<>" if np.frombuffer(head[:4], f"{order}i4")[0] == 84), "")
        if not self._order:
            raise self.error("its first record is not one of 84 bytes with 32-bit marks; convert it with mdconvert")
        integer = f"{self._order}i4"
        control = self._record(data, 0, "header").view(integer)[1:]
        start = 92
        start += len(self._record(data, start, "title")) + 8
        counts = self._record(data, start, "number of atoms")
        self.n_atoms = int(counts.view(integer)[0]) if len(counts) == 4 else 0
        if self.n_atoms <= 0:
            raise self.error(f"it says that it has {self.n_atoms} atoms; the file is damaged")
        if control[8]:
            raise self.error(f"it stores {control[8]} fixed atoms once only; write all atoms in every frame")
        charmm = control[19] != 0
        self._box_bytes = 56 if charmm and control[10] else 0
        axis = 4 * self.n_atoms + 8
        self._frame_bytes = self._box_bytes + (4 if charmm and control[11] else 3) * axis
        self._first = start + len(counts) + 8
        room = size - self._first
        self.n_frames, left = divmod(max(room, 0), self._frame_bytes)
        claimed = int(control[0])
        if left or claimed > self.n_frames:
            self.truncated = f"its header claims {claimed} frames, {self.n_frames} are whole"
        if self.n_frames:
            mark = np.fromfile(self.path, integer, count=1, offset=self._first + self._box_bytes)[0]
            if mark != 4 * self.n_atoms:
                raise self.error(f"its first frame has {mark} bytes for x, expected {4 * self.n_atoms}; it is damaged")

    @property
    def time_step(self) -> float:
        """NaN: what the header says is in units that differ between programs."""
        return float("nan")

    def _record(self, data: np.ndarray, start: int, what: str) -> np.ndarray:
        """Return the bytes of one record, which lie between two marks of their number."""
        marks = f"{self._order}i4"
        if start + 4 <= len(data):
            size = int(data[start : start + 4].view(marks)[0])
            end = start + 4 + size
            if size >= 0 and end + 4 <= len(data) and data[end : end + 4].view(marks)[0] == size:
                return np.array(data[start + 4 : end])
        raise self.error(f"its record of the {what} is cut off or damaged; is the file complete?")

    def read(
        self, start: int, stop: int, stride: int, atom_indices: np.ndarray | None, velocities: bool, forces: bool
    ) -> Frames:
        """Return the frames ``start:stop:stride`` of the chosen atoms."""
        size = self._frame_bytes
        raw = np.empty((len(range(start, stop, stride)), size), np.uint8)
        with self.path.open("rb") as file:
            # Successive frames are read at once, scattered ones one by one.
            for row, frame in enumerate(range(start, stop, stride) if stride > 1 else [start]):
                file.seek(self._first + frame * size)
                wanted = (raw[row] if stride > 1 else raw).reshape(-1)
                if file.readinto(wanted.data) != len(wanted):
                    raise self.error(f"frame {frame} ends too soon; was the file changed since it was opened?")
        time = np.full(len(raw), np.nan)
        n_atoms = self.n_atoms if atom_indices is None else len(atom_indices)
        positions = np.empty((len(raw), n_atoms, 3), np.float32)
        axis = 4 * self.n_atoms
        mark = np.frombuffer(np.array(axis, f"{self._order}i4").tobytes(), np.uint8)
        for dimension in range(3):
            begin = self._box_bytes + dimension * (axis + 8)
            if not (raw[:, begin : begin + 4] == mark).all():
                bad = int(np.flatnonzero((raw[:, begin : begin + 4] != mark).any(1))[0]) * stride + start
                raise self.error(f"frame {bad} does not lie where it should; the file is damaged")
            values = raw[:, begin + 4 : begin + 4 + axis].view(f"{self._order}f4")
            if atom_indices is not None:
                values = values[:, atom_indices]
            np.multiply(values, np.float32(0.1), out=positions[:, :, dimension])
        return Frames(positions, time, box=self._box(raw))

    def _box(self, raw: np.ndarray) -> np.ndarray | None:
        """Return the box vectors in nm, (n_frames, 3, 3); angles may be stored as cosines."""
        from mdtraj.utils import lengths_and_angles_to_box_vectors

        if not self._box_bytes:
            return None
        cell = np.ascontiguousarray(raw[:, 4:52]).view(f"{self._order}f8").astype(np.float64)
        lengths, angles = cell[:, [0, 2, 5]] / 10, cell[:, [4, 3, 1]]
        if not lengths.any():
            return None
        cosines = (np.abs(angles) <= 1).all(1)
        angles[cosines] = 90 - np.degrees(np.arcsin(angles[cosines]))
        vectors = lengths_and_angles_to_box_vectors(*lengths.T, *angles.T)
        return np.stack(vectors, axis=1).astype(np.float32)

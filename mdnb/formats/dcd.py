"""CHARMM/NAMD/OpenMM DCD: positions in Angstrom, read by mdtraj; the format has no reliable time."""

from __future__ import annotations

import os
import struct

import numpy as np

from mdnb.formats.base import Frames, TrajectoryFile, register


@register(".dcd")
class DCDFile(TrajectoryFile):
    """A DCD file. Its times are unknown: give ``time_step=`` to `mdnb.load`."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        from mdtraj.formats import DCDTrajectoryFile

        super().__init__(path)
        with self.path.open("rb") as file:
            head = file.read(12)
        if len(head) < 12 or b"CORD" not in head[4:8]:
            raise self.error("it does not start as a DCD file does; is it one?")
        order = "<" if struct.unpack("<i", head[:4])[0] == 84 else ">"
        (claimed,) = struct.unpack(order + "i", head[8:12])
        with DCDTrajectoryFile(str(self.path)) as file:
            self.n_frames = len(file)
            xyz, _, _ = file.read(1)
        self.n_atoms = xyz.shape[1]
        if claimed > self.n_frames:  # mdtraj itself gives the short file without a word
            self.truncated = f"its header claims {claimed} frames, {self.n_frames} are whole"

    def read(
        self, start: int, stop: int, stride: int, atom_indices: np.ndarray | None, velocities: bool, forces: bool
    ) -> Frames:
        """Return the frames ``start:stop:stride`` of the chosen atoms."""
        from mdtraj.formats import DCDTrajectoryFile
        from mdtraj.utils import lengths_and_angles_to_box_vectors

        n_frames = len(range(start, stop, stride))
        time = np.full(n_frames, np.nan)
        if atom_indices is not None and len(atom_indices) == 0:
            return Frames(np.empty((n_frames, 0, 3), np.float32), time)
        with DCDTrajectoryFile(str(self.path)) as file:
            file.seek(start)
            xyz, lengths, angles = file.read(n_frames, stride=stride, atom_indices=atom_indices)
        box = None
        if lengths is not None and np.any(lengths):
            box = np.stack(lengths_and_angles_to_box_vectors(*lengths.T / 10, *angles.T), axis=1)
        return Frames(xyz / np.float32(10), time, box=box)

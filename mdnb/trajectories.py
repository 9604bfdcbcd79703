"""Trajectories: one topology and any number of files, read in chunks of bounded size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mdnb.chunk import Chunk
from mdnb.errors import DataError
from mdnb.formats.base import TrajectoryFile, first_time_step, short_names
from mdnb.frame_reader import FrameReader
from mdnb.health import Health, check_files
from mdnb.molecules import Molecules
from mdnb.trajectory_table import as_html, as_text, headline, rows_of

if TYPE_CHECKING:
    import mdtraj

__all__ = ["Trajectories"]


class Trajectories:
    """One topology and the files of one or more trajectories of it; made by `mdnb.load`.

    Attributes
    ----------
    topology : mdtraj.Topology
        Of the selected atoms.
    names : tuple of str
        One for each trajectory.
    lengths : tuple of int
        Frames of each trajectory, of the range and the stride that were asked for.
    time_step : float
        Time between frames in ps, after the stride; NaN when no file and no argument says it.
    has_velocities, has_forces : bool
        Whether every file has them.
    code : str
        The Python expression that opens them again; empty where they, or their topology, were made in memory.
    """

    def __init__(
        self,
        files: Sequence[TrajectoryFile],
        topology: mdtraj.Topology,
        atom_indices: np.ndarray | None = None,
        stride: int = 1,
        time_step: float | None = None,
        molecules: Molecules | None = None,
        code: str = "",
        span: tuple[int | None, int | None] = (None, None),
    ) -> None:
        self.code = code
        self._files = tuple(files)
        self._molecules = molecules
        self._whole = molecules if molecules is not None and molecules.mode else None
        self.topology = topology
        self._atom_indices = atom_indices
        self._stride = stride
        self._given_time_step = time_step
        self._reader = FrameReader(self._files, atom_indices, stride, self._whole)
        self.names = tuple(short_names([file.named for file in files]))
        self._span = span
        #: Which frames of each file are read.
        self._ranges = tuple(range(file.n_frames)[slice(*span, stride)] for file in files)
        self.lengths = tuple(map(len, self._ranges))
        self._starts = np.concatenate([[0], np.cumsum(self.lengths)]).astype(int)
        self.has_velocities = all(file.has_velocities for file in files)
        self.has_forces = all(file.has_forces for file in files)
        found = first_time_step(files) if time_step is None else time_step
        self.time_step = found * stride

    def __len__(self) -> int:
        return len(self._files)

    @property
    def n_frames(self) -> int:
        """Number of frames of all trajectories together."""
        return int(self._starts[-1])

    @property
    def n_atoms(self) -> int:
        """Number of selected atoms."""
        return int(self.topology.n_atoms)

    def __getitem__(self, index: int | slice) -> Trajectories:
        chosen = self._files[index]
        files = (chosen,) if isinstance(chosen, TrajectoryFile) else chosen
        if not files:
            raise DataError(f"the slice {index} holds none of the {len(self)} trajectories")
        return Trajectories(
            files, self.topology, self._atom_indices, self._stride, self._given_time_step, self._molecules,
            f"{self.code}[{_index(index)}]" if self.code else "", self._span,
        )  # fmt: skip

    def __iter__(self) -> Iterator[Trajectories]:
        return (self[index] for index in range(len(self)))

    def read(
        self,
        trajectory: int,
        start: int,
        stop: int,
        velocities: bool = False,
        forces: bool = False,
        looked_at: np.ndarray | None = None,
    ) -> Chunk:
        """Return the frames ``start:stop`` of one trajectory (of the range, after the stride), all finite.

        Where they have a box, molecules are whole, unless `mdnb.load` was told otherwise. Several threads may
        call it at once. The positions of other atoms than those `looked_at`, where that is given, may be missing:
        `Chunk.places_of` says where an atom stands.
        """
        first = self._ranges[trajectory].start + start * self._stride
        last = min(first + (stop - start - 1) * self._stride + 1, self._files[trajectory].n_frames)
        frames, places = self._reader.read(trajectory, first, last, velocities, forces, looked_at)
        if len(frames.positions) != stop - start:
            raise self._files[trajectory].error(
                f"{stop - start} frames expected from frame {first} on, got {len(frames.positions)}"
            )
        if self._given_time_step is not None:
            frames = replace(frames, time=np.arange(first, last, self._stride) * self._given_time_step)
        return Chunk(**vars(frames), trajectory=trajectory, start=int(self._starts[trajectory]) + start, places=places)

    def chunks(self, size: int | None = None, *, velocities: bool = False, forces: bool = False) -> Iterator[Chunk]:
        """Read all frames in order, in chunks that never span two trajectories.

        Parameters
        ----------
        size : int, optional
            Frames in a chunk; by default about 2 MB of positions, at least 16 frames.
        velocities, forces : bool
            Read them too.

        Yields
        ------
        Chunk

        Raises
        ------
        DataError
            When a frame cannot be read or is not finite, or velocities or forces are asked for that a
            file does not have.
        """
        self.require(velocities, forces)
        for block in self.blocks(size):
            yield self.read(*block, velocities, forces)

    def blocks(self, size: int | None = None) -> Iterator[tuple[int, int, int]]:
        """Return the trajectory, start and stop of successive blocks of frames, for `read`.

        Parameters
        ----------
        size : int, optional
            Frames in a block; by default about 2 MB of positions, at least 16 frames.
        """
        if size is not None and size < 1:
            raise DataError(f"got chunks of {size} frames, expected at least 1")
        step = size or int(np.clip(2_000_000 // (12 * self.n_atoms), 16, 4096))
        return (
            (trajectory, start, min(start + step, length))
            for trajectory, length in enumerate(self.lengths)
            for start in range(0, length, step)
        )

    def require(self, velocities: bool, forces: bool) -> None:
        """Raise a DataError when a file does not have the velocities or forces that are asked for."""
        for what, wish in (("velocities", velocities), ("forces", forces)):
            missing = [f.path.name for f in self._files if not getattr(f, f"has_{what}")]
            if wish and missing:
                raise DataError(
                    f"{missing[0]} has no {what}; write them to TRR, H5MD or NetCDF (in GROMACS: "
                    f"nst{'v' if what == 'velocities' else 'f'}out), or leave {what} out"
                )

    def frames(self, indices: int | slice | Sequence[int] | np.ndarray) -> mdtraj.Trajectory:
        """Return some frames as an `mdtraj.Trajectory`.

        Parameters
        ----------
        indices : int, slice or sequence of int
            Counted over all trajectories, as in `Features`; kept in the order given.

        Raises
        ------
        DataError
            When an index is out of range.
        """
        import mdtraj

        asked = np.atleast_1d(np.arange(self.n_frames)[indices] if isinstance(indices, slice) else indices)
        if len(asked) == 0 or not np.issubdtype(asked.dtype, np.integer):
            raise DataError(f"got the frame indices {indices!r}, expected at least one whole number")
        if asked.min() < -self.n_frames or asked.max() >= self.n_frames:
            wrong = asked[(asked < -self.n_frames) | (asked >= self.n_frames)][0]
            raise DataError(f"frame {wrong} does not exist; there are {self.n_frames} (0 to {self.n_frames - 1})")
        asked = asked % self.n_frames
        unique, inverse = np.unique(asked, return_inverse=True)
        trajectory = np.searchsorted(self._starts, unique, side="right") - 1
        local = unique - self._starts[trajectory]
        # Frames near each other are read together and thinned, far ones apart: one read costs more than a few frames.
        breaks = np.flatnonzero((np.diff(local) > 32) | (np.diff(local) < 1) | (np.diff(trajectory) != 0)) + 1
        positions, times, boxes = [], [], []
        for run in np.split(np.arange(len(unique)), breaks):
            for block in np.split(run, np.arange(512, len(run), 512)):
                first = int(local[block[0]])
                part = self.read(int(trajectory[block[0]]), first, int(local[block[-1]]) + 1)
                keep = local[block] - first
                positions.append(part.positions[keep])
                times.append(part.time[keep])
                boxes.append(None if part.box is None else part.box[keep])
        result = mdtraj.Trajectory(
            np.concatenate(positions)[inverse], self.topology, time=np.concatenate(times)[inverse]
        )
        known = [box for box in boxes if box is not None]
        if len(known) == len(boxes):
            result.unitcell_vectors = np.concatenate(known)[inverse]
            # Of a frame without a box in a file that has boxes mdtraj finds no angles.
            result.unitcell_angles = np.nan_to_num(result.unitcell_angles, nan=90.0)
        return result

    def recipe(self) -> dict[str, Any]:
        """Return which files are read and how, as JSON would hold it: what a cache must know of them."""
        atoms = None if self._atom_indices is None else [int(index) for index in self._atom_indices]
        first = [one.start for one in self._ranges]
        return {
            "files": [str(file.path.absolute()) for file in self._files],
            "lengths": list(self.lengths),
            "atoms": atoms,
            "stride": self._stride,
            **({"first": first} if any(first) else {}),  # the last one follows from the lengths
            "time_step": self._given_time_step,
            "make_whole": self.make_whole,
            "units": [file.units for file in self._files],
            "members": [file.member for file in self._files],
        }

    @property
    def make_whole(self) -> bool | str:
        """Whether molecules are made whole where there is a box: True, False or ``together``."""
        return False if self._whole is None else self._whole.mode

    def health(self, *, n_jobs: int = 1, sha256: bool = True, progress: Any = None) -> Health:
        """Read every frame of every file, all atoms, and say what is wrong with them and what to do.

        Nothing is raised for what is found; memory is bounded whatever the size of the files. Bond lengths are
        looked at because nothing else shows silent damage: XTC, TRR and DCD have no checksum.

        Parameters
        ----------
        n_jobs : int
            Files checked at once; -1 for all cores.
        sha256 : bool
            Hash each file too, to be recorded.
        progress : object with update(n_frames), optional
            Told of what is done, in place of a progress bar; what it raises ends the check.

        Returns
        -------
        Health
        """
        topology = None if self._molecules is None else self._molecules.topology
        return check_files(self._files, self.names, topology, n_jobs=n_jobs, sha256=sha256, progress=progress)

    def observable(self, name: str) -> np.ndarray:
        """Return what the files hold per frame, such as ``potential_energy`` in kJ/mol.

        Raises
        ------
        DataError
            When a file does not have it.
        """
        values = []
        for file, own in zip(self._files, self._ranges, strict=True):
            found = file.observables()
            if name not in found:
                has = ", ".join(found) or "none"
                raise file.error(f"it holds no {name} (it has: {has}); give the values as an array instead")
            values.append(found[name][own.start : own.stop : own.step])
        return np.concatenate(values)

    def _table(self, most: int) -> tuple[str, list[tuple[str, str, str, str]], int]:
        """Return the headline, the first rows, and how many more there are."""
        head = headline(len(self), self.n_frames, self.n_atoms, self.time_step, self._files[0], self._whole)
        return head, rows_of(self.names[:most], self.lengths, self._files, self.time_step), len(self) - most

    def __repr__(self) -> str:
        return as_text(*self._table(20))

    def _repr_html_(self) -> str:
        return as_html(*self._table(50))


def _index(index: int | slice) -> str:
    """Return an index as it is written between brackets."""
    if not isinstance(index, slice):
        return str(index)
    ends = [("" if end is None else str(end)) for end in (index.start, index.stop)]
    return ":".join(ends if index.step is None else [*ends, str(index.step)])

"""Trajectories: one topology and any number of files, read in chunks of bounded size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mdnb.errors import DataError
from mdnb.formats.base import ONE_READER, Frames, TrajectoryFile, first_time_step, short_names
from mdnb.health import Health, check_files, quick_findings
from mdnb.molecules import Molecules
from mdnb.trajectory_table import as_html, as_text, box_note

if TYPE_CHECKING:
    import mdtraj

__all__ = ["Chunk", "Trajectories"]

_NO_STEP = "time step unknown, uneven or not the same in all"


@dataclass(frozen=True)
class Chunk(Frames):
    """Successive frames of one trajectory: `Frames` and where they come from.

    Attributes
    ----------
    trajectory : int
        Which trajectory.
    start : int
        Index of the first frame over all trajectories.
    """

    trajectory: int = 0
    start: int = 0


def _all_finite(values: np.ndarray) -> bool:
    """Return whether there is no NaN or infinite number; the sum of a table with one is no number either."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values.sum()) or np.isfinite(values).all())


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
        self._boxed: set[int] = set()  # the trajectories that were seen to have a box
        self.topology = topology
        self._atom_indices = atom_indices
        self._stride = stride
        self._given_time_step = time_step
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
        call it at once. The positions of other atoms than those `looked_at`, where that is given, may be anything.
        """
        file = self._files[trajectory]
        first = self._ranges[trajectory].start + start * self._stride
        last = min(first + (stop - start - 1) * self._stride + 1, file.n_frames)
        try:
            with nullcontext() if file.concurrent else ONE_READER:
                frames = self._read_whole(trajectory, first, last, velocities, forces, looked_at)
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            raise file.error(f"frames {first} to {last - 1} cannot be read ({error}); is it damaged?") from error
        if len(frames.positions) != stop - start:
            raise file.error(f"{stop - start} frames expected from frame {first} on, got {len(frames.positions)}")
        for what in ("positions", "velocities", "forces"):
            values = getattr(frames, what)
            if values is not None and not file.finite and not _all_finite(values):
                bad = int(np.flatnonzero(~np.isfinite(values).all((1, 2)))[0]) * self._stride + first
                raise file.error(
                    f"{what} of frame {bad} hold NaN or infinite numbers: the simulation blew up or the file is "
                    f"damaged; leave that frame out"
                )
        if self._given_time_step is not None:
            time = np.arange(first, last, self._stride) * self._given_time_step
            frames = replace(frames, time=time)
        return Chunk(**vars(frames), trajectory=trajectory, start=int(self._starts[trajectory]) + start)

    def _read_whole(
        self, trajectory: int, first: int, last: int, velocities: bool, forces: bool, looked_at: np.ndarray | None
    ) -> Frames:
        """Return frames of the selected atoms, with molecules made whole where that is asked and there is a box."""
        file, molecules = self._files[trajectory], self._whole
        whole = molecules is not None and trajectory in self._boxed
        atoms = molecules.way.read if molecules is not None and whole else self._atom_indices
        steps, needed = None, None if velocities or forces else looked_at
        if molecules is not None and whole and needed is not None:
            needed, steps = molecules.part_of(needed) or (None, None)
        if needed is None:
            frames = file.read(first, last, self._stride, atoms, velocities, forces)
        else:
            frames = file.read_some(first, last, self._stride, atoms, needed)
        box = frames.box
        if molecules is None or box is None:
            keep = molecules.way.keep if molecules is not None and whole else None
            return frames if keep is None else _of_atoms(frames, keep)
        if not whole:
            self._boxed.add(trajectory)
            if molecules.way.keep is not None or needed is not None:  # atoms in between, along the bonds, were not read
                return self._read_whole(trajectory, first, last, velocities, forces, looked_at)
        if not (frames.positions.flags.owndata and frames.positions.flags.writeable):  # it may be the caller's array
            frames = replace(frames, positions=frames.positions.copy())
        molecules.mend(frames.positions, box, steps)
        return frames if molecules.way.keep is None else _of_atoms(frames, molecules.way.keep)

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

    def blocks(self, size: int | None = None, row_bytes: int = 0) -> Iterator[tuple[int, int, int]]:
        """Return the trajectory, start and stop of successive blocks of frames, for `read`.

        Parameters
        ----------
        size : int, optional
            Frames in a block; by default about 2 MB of positions and results, at least 16 frames.
        row_bytes : int
            What is computed of a frame, in bytes.
        """
        if size is not None and size < 1:
            raise DataError(f"got chunks of {size} frames, expected at least 1")
        step = size or int(np.clip(2_000_000 // (12 * self.n_atoms + row_bytes), 16, 4096))
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

    def _rows(self, most: int) -> list[tuple[str, str, str, str]]:
        rows = []
        for name, length, file in list(zip(self.names, self.lengths, self._files, strict=True))[:most]:
            content = ["positions", *(["velocities"] * file.has_velocities), *(["forces"] * file.has_forces)]
            span = length * self.time_step / 1000
            note = "".join(f"; {found.what}" for found in quick_findings(file, name))
            rows.append((name, f"{length:,}", f"{span:.3g}" if np.isfinite(span) else "?", ", ".join(content) + note))
        return rows

    def _headline(self) -> str:
        step = f"{self.time_step:g} ps between frames" if np.isfinite(self.time_step) else _NO_STEP
        count = f"{len(self)} {'trajectory' if len(self) == 1 else 'trajectories'}"
        return (
            f"{count}, {self.n_frames:,} frames, {self.n_atoms:,} atoms, {step}{box_note(self._files[0], self._whole)}"
        )

    def __repr__(self) -> str:
        return as_text(self._headline(), self._rows(20), len(self) - 20)

    def _repr_html_(self) -> str:
        return as_html(self._headline(), self._rows(50), len(self) - 50)


def _index(index: int | slice) -> str:
    """Return an index as it is written between brackets."""
    if not isinstance(index, slice):
        return str(index)
    ends = [("" if end is None else str(end)) for end in (index.start, index.stop)]
    return ":".join(ends if index.step is None else [*ends, str(index.step)])


def _of_atoms(frames: Frames, chosen: np.ndarray) -> Frames:
    """Return the frames of some of their atoms."""
    velocities, forces = (None if one is None else one[:, chosen] for one in (frames.velocities, frames.forces))
    return replace(frames, positions=frames.positions[:, chosen], velocities=velocities, forces=forces)

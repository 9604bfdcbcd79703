"""FrameReader: frames of files as they are wanted, selected atoms only, molecules whole, all numbers finite."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from mdnb.formats.base import ONE_READER, Frames, TrajectoryFile
from mdnb.molecules import Molecules, Way

__all__ = ["FrameReader"]


class _Part(NamedTuple):
    """What is read of frames of which only some atoms are looked at."""

    atoms: np.ndarray  # in the file
    steps: np.ndarray | None  # along the bonds, among those
    places: np.ndarray  # of each selected atom among those, -1 of one that is not read


class FrameReader:
    """Reads frames of the files of one topology. Several threads may use it at once.

    Parameters
    ----------
    files : sequence of TrajectoryFile
    atom_indices : (n_atoms,) int array or None
        The atoms that are wanted; None for all.
    stride : int
        Every how manieth frame is wanted.
    molecules : Molecules or None
        What makes molecules whole where there is a box; None where they stay as in the file.
    """

    def __init__(
        self,
        files: Sequence[TrajectoryFile],
        atom_indices: np.ndarray | None,
        stride: int,
        molecules: Molecules | None,
    ) -> None:
        self._files = files
        self._atom_indices = atom_indices
        self._stride = stride
        self._molecules = molecules
        self._boxed: set[int] = set()  # the trajectories that were seen to have a box
        self._parts: dict[bool, tuple[np.ndarray, _Part | None]] = {}  # along bonds or not

    def read(
        self, trajectory: int, first: int, last: int, velocities: bool, forces: bool, looked_at: np.ndarray | None
    ) -> tuple[Frames, np.ndarray | None]:
        """Return the frames of one file from `first` to before `last`, counted in the file, and where atoms stand.

        Where somebody looks at the positions of some atoms only, and the file has to unpack its atoms one by one, the
        others may be left out: the second is then that of `Chunk.places`, else None.

        Raises
        ------
        DataError
            When they cannot be read, or hold what is no number.
        """
        file = self._files[trajectory]
        some = looked_at if file.finite and not velocities and not forces else None
        try:
            with nullcontext() if file.concurrent else ONE_READER:
                frames, places = self._read_whole(trajectory, first, last, velocities, forces, some)
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            raise file.error(f"frames {first} to {last - 1} cannot be read ({error}); is it damaged?") from error
        for what in ("positions", "velocities", "forces"):
            values = getattr(frames, what)
            if values is not None and not file.finite and not _all_finite(values):
                bad = int(np.flatnonzero(~np.isfinite(values).all((1, 2)))[0]) * self._stride + first
                raise file.error(
                    f"{what} of frame {bad} hold NaN or infinite numbers: the simulation blew up or the file is "
                    f"damaged; leave that frame out"
                )
        return frames, places

    def _read_whole(
        self, trajectory: int, first: int, last: int, velocities: bool, forces: bool, looked_at: np.ndarray | None
    ) -> tuple[Frames, np.ndarray | None]:
        """Return the same, with molecules made whole where that is asked and there is a box."""
        file, molecules = self._files[trajectory], self._molecules
        way = molecules.way if molecules is not None and trajectory in self._boxed else None
        part = None if looked_at is None else self._part(file, looked_at, way)
        atoms = part.atoms if part is not None else self._atom_indices if way is None else way.read
        frames = file.read(first, last, self._stride, atoms, velocities, forces)
        box = frames.box
        if molecules is not None and box is not None:
            if way is None:
                self._boxed.add(trajectory)
                way = molecules.way
                if way.keep is not None or part is not None:  # atoms in between, along the bonds, were not read
                    return self._read_whole(trajectory, first, last, velocities, forces, looked_at)
            flags = frames.positions.flags
            if not (flags.owndata and flags.writeable):  # it may be the caller's array
                frames = replace(frames, positions=frames.positions.copy())
            molecules.mend(frames.positions, box, None if part is None else part.steps)
        if part is not None:
            return frames, part.places
        return frames if way is None or way.keep is None else _of_atoms(frames, way.keep), None

    def _part(self, file: TrajectoryFile, looked_at: np.ndarray, way: Way | None) -> _Part | None:
        """Return what to read for some of the selected atoms; the same is asked for again with each block of frames."""
        known = self._parts.get(way is not None)
        if known is None or known[0] is not looked_at:
            known = self._parts[way is not None] = looked_at, self._new_part(file, looked_at, way)
        return known[1]

    def _new_part(self, file: TrajectoryFile, looked_at: np.ndarray, way: Way | None) -> _Part | None:
        if way is None:
            chosen = self._atom_indices
            places = _places(file.n_atoms if chosen is None else len(chosen), looked_at)
            return _Part(looked_at if chosen is None else np.asarray(chosen)[looked_at], None, places)
        assert self._molecules is not None
        found = self._molecules.part_of(looked_at)
        if found is None:
            return None
        needed, steps = found
        atoms = needed if way.read is None else way.read[needed]
        places = _places(file.n_atoms if way.read is None else len(way.read), needed)
        return _Part(atoms, steps, places if way.keep is None else places[way.keep])


def _all_finite(values: np.ndarray) -> bool:
    """Return whether there is no NaN or infinite number; the sum of a table with one is no number either."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values.sum()) or np.isfinite(values).all())


def _of_atoms(frames: Frames, chosen: np.ndarray) -> Frames:
    """Return the frames of some of their atoms."""
    velocities, forces = (None if one is None else one[:, chosen] for one in (frames.velocities, frames.forces))
    return replace(frames, positions=frames.positions[:, chosen], velocities=velocities, forces=forces)


def _places(n_atoms: int, held: np.ndarray) -> np.ndarray:
    """Return where each of n atoms stands among those held, -1 for one that is not, (n_atoms,)."""
    places = np.full(n_atoms, -1)
    places[held] = np.arange(len(held))
    return places

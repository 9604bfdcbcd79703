"""FrameReader: frames of files as they are wanted, selected atoms only, molecules whole, all numbers finite."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace

import numpy as np

from mdnb.formats.base import ONE_READER, Frames, TrajectoryFile
from mdnb.molecules import Molecules

__all__ = ["FrameReader"]


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

    def read(
        self, trajectory: int, first: int, last: int, velocities: bool, forces: bool, looked_at: np.ndarray | None
    ) -> Frames:
        """Return the frames of one file from `first` to before `last`, counted in the file.

        The positions of other atoms than those `looked_at`, where that is given, may be anything.

        Raises
        ------
        DataError
            When they cannot be read, or hold what is no number.
        """
        file = self._files[trajectory]
        try:
            with nullcontext() if file.concurrent else ONE_READER:
                frames = self._read_whole(trajectory, first, last, velocities, forces, looked_at)
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
        return frames

    def _read_whole(
        self, trajectory: int, first: int, last: int, velocities: bool, forces: bool, looked_at: np.ndarray | None
    ) -> Frames:
        """Return frames of the selected atoms, with molecules made whole where that is asked and there is a box."""
        file, molecules = self._files[trajectory], self._molecules
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


def _all_finite(values: np.ndarray) -> bool:
    """Return whether there is no NaN or infinite number; the sum of a table with one is no number either."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values.sum()) or np.isfinite(values).all())


def _of_atoms(frames: Frames, chosen: np.ndarray) -> Frames:
    """Return the frames of some of their atoms."""
    velocities, forces = (None if one is None else one[:, chosen] for one in (frames.velocities, frames.forces))
    return replace(frames, positions=frames.positions[:, chosen], velocities=velocities, forces=forces)

"""Ensemble: structures, and which of them stand and fall together when an interval is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import mdtraj
import numpy as np

from mdnb.errors import DataError
from mdnb.features.base import Features
from mdnb.generation.generated import Generated
from mdnb.generation.same_atoms import same_atoms
from mdnb.trajectories import Trajectories

__all__ = ["Ensemble", "md_piece", "piece_rows"]

#: Blocks of molecular dynamics, at least one a replica, and groups of independent structures.
_BLOCKS, _GROUPS = 20, 50


@dataclass(frozen=True)
class Ensemble:
    """Structures of one molecule.

    Attributes
    ----------
    structures : mdtraj.Trajectory
    replica : (n,) int array
        Which simulation each is from; all 0 where they are independent.
    blocks : (n,) int array
        Successive frames of one replica are one block; independent structures are parted at random.
    time_step : float
        Between frames in ps; NaN where there is no time.
    rows : (n,) int array
        Which of the frames that were given.
    given : int
        How many frames were given.
    """

    structures: mdtraj.Trajectory
    replica: np.ndarray
    blocks: np.ndarray
    rows: np.ndarray
    given: int
    time_step: float = float("nan")

    def __len__(self) -> int:
        return int(self.structures.n_frames)

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return int(self.blocks.max()) + 1

    @property
    def n_replicas(self) -> int:
        """Number of replicas."""
        return len(np.unique(self.replica))

    @classmethod
    def dynamics(cls, given: Any, what: str, most: int) -> Ensemble:
        """Return molecular dynamics with its replicas, thinned to at most so many frames.

        Parameters
        ----------
        given : Trajectories, Features, mdtraj.Trajectory, or a sequence of the latter, one a replica
        what : str
            Its name, for errors.
        most : int

        Raises
        ------
        DataError
            When it is something else, or holds nothing.
        """
        if isinstance(given, Features):
            given = given.source
        if isinstance(given, mdtraj.Trajectory):
            given = [given]
        if isinstance(given, Trajectories):
            stride = -(-given.n_frames // most)
            rows = np.concatenate([
                start + np.arange(0, length, stride)
                for start, length in zip(np.cumsum([0, *given.lengths[:-1]]), given.lengths, strict=True)
            ])  # fmt: skip
            replica = np.searchsorted(np.cumsum(given.lengths), rows, side="right")
            step = given.time_step * stride
            return cls(given.frames(rows), replica, _successive(replica), rows, given.n_frames, step)
        if not (isinstance(given, Sequence) and given and all(isinstance(one, mdtraj.Trajectory) for one in given)):
            raise DataError(
                f"got {type(given).__name__!r} as {what}, expected Trajectories (mdnb.load), an mdtraj.Trajectory or a "
                "list of them, one for each replica"
            )
        total = sum(one.n_frames for one in given)
        if not total:
            raise DataError(f"{what} holds no frames")
        stride = -(-total // most)
        parts = [one[::stride] for one in given if one.n_frames]
        starts = np.cumsum([0, *(one.n_frames for one in given if one.n_frames)])
        rows = np.concatenate([np.arange(a, b, stride) for a, b in pairwise(starts)])
        replica = np.repeat(np.arange(len(parts)), [one.n_frames for one in parts])
        joined = mdtraj.Trajectory(np.concatenate([one.xyz for one in parts]), parts[0].topology)
        return cls(joined, replica, _successive(replica), rows, total, _time_step(parts))

    @classmethod
    def of(cls, given: Any, what: str, most: int, seed: int) -> Ensemble:
        """Return generated structures, which are independent of each other, or molecular dynamics, which are not.

        Parameters
        ----------
        given : Generated, mdtraj.Trajectory or Trajectories
            Only the last is read as molecular dynamics.
        what : str
        most : int
        seed : int
            Of the groups in which independent structures are drawn again.
        """
        if isinstance(given, Trajectories | Features):
            return cls.dynamics(given, what, most)
        structures = given.structures if isinstance(given, Generated) else given
        if not isinstance(structures, mdtraj.Trajectory):
            raise DataError(
                f"got {type(given).__name__!r} as {what}, expected what mdnb.generate returns, an "
                "mdtraj.Trajectory, or Trajectories"
            )
        n = structures.n_frames
        if n < 2:
            raise DataError(f"{what} holds {n} structures, expected at least 2; generate more")
        rows = np.linspace(0, n - 1, min(n, most)).astype(int)
        groups = np.random.default_rng(seed).permutation(np.arange(len(rows)) % min(_GROUPS, len(rows)))
        return cls(structures[rows], np.zeros(len(rows), int), groups, rows, n)

    def take(self, rows: np.ndarray) -> Ensemble:
        """Return some of them, in the order given, their blocks numbered anew."""
        blocks = np.unique(self.blocks[rows], return_inverse=True)[1]
        return replace(
            self, structures=self.structures[rows], replica=self.replica[rows], blocks=blocks, rows=self.rows[rows]
        )

    def of_atoms(self, topology: mdtraj.Topology) -> Ensemble:
        """Return the same structures with only the atoms of a topology; see `same_atoms`.

        Raises
        ------
        DataError
            When there are atoms that they do not have.
        """
        return replace(self, structures=same_atoms(self.structures, topology))

    def reblocked(self) -> Ensemble:
        """Return molecular dynamics parted into as many blocks as if there were no more of it."""
        return replace(self, blocks=_successive(self.replica))

    def require_like(self, other: Ensemble, what: str) -> None:
        """Raise a DataError when they are not of one molecule."""
        own, theirs = ([atom.name for atom in one.structures.topology.atoms] for one in (self, other))
        if own != theirs:
            raise DataError(
                f"{what} has {len(own)} atoms, the reference {len(theirs)}, or they are named differently; give "
                "structures of one molecule, with its atoms in one order"
            )
        if not np.isfinite(self.structures.xyz).all():
            raise DataError(f"{what} holds positions that are not numbers; leave those structures out")


def md_piece(given: Any, length: float, *, replica: int = 0, start: float = 0.0) -> mdtraj.Trajectory:
    """Return a contiguous piece of molecular dynamics: what the cost of a generator would have bought instead.

    Parameters
    ----------
    given : Trajectories, mdtraj.Trajectory or list of them
    length : float
        In ps, or in frames where the time between frames is not known.
    replica : int
    start : float
        In ps or frames.

    Raises
    ------
    DataError
        When the replica does not exist or is shorter.
    """
    ensemble = Ensemble.dynamics(given, "the trajectories", np.iinfo(np.int64).max)
    return ensemble.structures[piece_rows(ensemble, length, replica, start)]


def piece_rows(ensemble: Ensemble, length: float, replica: int = 0, start: float = 0.0) -> np.ndarray:
    """Return the frames of a contiguous piece of molecular dynamics; see `md_piece`."""
    rows = np.flatnonzero(ensemble.replica == replica)
    step, unit = (ensemble.time_step, "ps") if np.isfinite(ensemble.time_step) else (1.0, "frames")
    first, n = round(start / step), max(1, round(length / step))
    if first < 0 or first + n > len(rows):
        raise DataError(
            f"replica {replica} has {len(rows)} frames, {len(rows) * step:g} {unit} in all; "
            f"{length:g} from {start:g} on were asked for: ask for less, or for another of {ensemble.n_replicas} "
            "replicas"
        )
    return rows[first : first + n]


def _successive(replica: np.ndarray) -> np.ndarray:
    """Return the block of each frame: replicas, parted where they are few."""
    blocks = np.empty(len(replica), int)
    numbers = np.unique(replica)
    count = 0
    for number in numbers:
        for part in np.array_split(np.flatnonzero(replica == number), max(1, _BLOCKS // len(numbers))):
            if len(part):
                blocks[part] = count
                count += 1
    return blocks


def _time_step(parts: Sequence[mdtraj.Trajectory]) -> float:
    """Return the time between frames in ps where it is one and known; mdtraj counts frames where it is not."""
    steps = np.concatenate([np.diff(one.time) for one in parts])
    if len(steps) and steps.min() > 0 and np.ptp(steps) < 1e-3 * steps[0] and steps[0] != 1.0:
        return float(steps[0])
    return float("nan")

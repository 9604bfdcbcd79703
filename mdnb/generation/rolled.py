"""Rollout: trajectories that a model of the dynamics has drawn."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mdnb.errors import DataError
from mdnb.features.base import Column, Features
from mdnb.files import write_whole
from mdnb.generation.generated import Generated
from mdnb.loading import load
from mdnb.trajectories import Trajectories

if TYPE_CHECKING:
    import mdtraj

__all__ = ["Rollout"]

#: Share of frames outside the training data from which on a rollout is said to drift: real ones have 1%.
_DRIFT = 0.05


@dataclass(frozen=True)
class Rollout:
    """Trajectories drawn from a model of the dynamics.

    Attributes
    ----------
    values : (n_trajectories, n_frames, *shape) float32 array
        What the model was trained on, such as latents, in their own units.
    time_step : float
        Between frames in ps; NaN where it is not known.
    columns : tuple of Column
    axes, featurizers : tuple of str
        As those of the features that the model was trained on.
    topology : mdtraj.Topology
    outside : (n_trajectories, n_frames) bool array
        Which frames are farther from the training frames than 99% of these from each other.
    starts : (n_trajectories,) int array
        The real frame that each begins after.
    generated : Generated or None
        The structures of all trajectories after each other, with their checks, where there was a decoder.
    family : str
    seed : int
    """

    values: np.ndarray
    time_step: float
    columns: tuple[Column, ...]
    axes: tuple[str, ...]
    featurizers: tuple[str, ...]
    topology: mdtraj.Topology = field(repr=False)
    outside: np.ndarray
    starts: np.ndarray
    generated: Generated | None
    family: str
    seed: int

    def __len__(self) -> int:
        return len(self.values)

    @property
    def n_frames(self) -> int:
        """Frames of each trajectory."""
        return self.values.shape[1]

    @property
    def time(self) -> np.ndarray:
        """Time of each frame in ps after the real one that a trajectory began with, (n_frames,)."""
        return np.asarray(self.time_step * np.arange(1, self.n_frames + 1))

    @property
    def drift(self) -> tuple[float, float]:
        """Share of frames outside the training data, in the first and in the last tenth of the trajectories."""
        tenth = max(1, self.n_frames // 10)
        return float(self.outside[:, :tenth].mean()), float(self.outside[:, -tenth:].mean())

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader has to know."""
        early, late = self.drift
        if max(early, late, float(self.outside.mean())) <= _DRIFT:
            return ()
        grows = "it grows: the rollout drifts away" if late > 2 * early else "it does not grow"
        return (
            f"{self.outside.mean():.0%} of the frames lie outside the training data (1% of real ones do), "
            f"{early:.0%} in the first and {late:.0%} in the last tenth: {grows}",
        )

    @property
    def trajectories(self) -> tuple[mdtraj.Trajectory, ...]:
        """The structures of each trajectory with their times.

        Raises
        ------
        DataError
            When it was drawn without a decoder.
        """
        structures = self._structures().structures
        parts = []
        for number in range(len(self)):
            part = structures[number * self.n_frames : (number + 1) * self.n_frames]
            part.time = self.time if np.isfinite(self.time_step) else np.arange(self.n_frames)
            parts.append(part)
        return tuple(parts)

    def load(self) -> Trajectories:
        """Return the structures as `mdnb.load` does, to featurize them as simulations are.

        Raises
        ------
        DataError
            When it was drawn without a decoder.
        """
        return load(list(self.trajectories), time_step=self.time_step if np.isfinite(self.time_step) else None)

    def features(self) -> Features:
        """Return the values as features, with the boundaries of the trajectories."""
        source: Any = _Drawn(self)
        return Features(
            values=self.values.reshape(-1, *self.values.shape[2:]),
            columns=self.columns,
            trajectory=np.repeat(np.arange(len(self)), self.n_frames),
            time=np.tile(self.time, len(self)),
            axes=self.axes,
            featurizers=self.featurizers,
            source=source,
        )

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write each trajectory as XTC, and the topology as ``topology.pdb``, into a folder; each file whole.

        Raises
        ------
        DataError
            When it was drawn without a decoder.
        """
        folder = Path(folder)
        parts = self.trajectories
        folder.mkdir(parents=True, exist_ok=True)
        files = {"topology.pdb": parts[0][0], **{f"rollout-{n:03}.xtc": part for n, part in enumerate(parts)}}
        for name, part in files.items():
            write_whole(folder / name, partial(_write, part))
        return folder

    def _structures(self) -> Generated:
        if self.generated is None:
            raise DataError("this rollout has no structures; give mdnb.rollout the VAE of the latents as decoder=")
        return self.generated

    def __repr__(self) -> str:
        length = f" of {self.n_frames * self.time_step / 1000:.4g} ns" if np.isfinite(self.time_step) else ""
        early, late = self.drift
        lines = [
            f"Rollout: {len(self)} trajectories{length}, {self.n_frames:,} frames each, by the {self.family} "
            f"(seed {self.seed})",
            f"  outside the training data: {self.outside.mean():.1%} of the frames; {early:.1%} in the first tenth, "
            f"{late:.1%} in the last",
        ]
        if self.generated is not None:
            lines += repr(self.generated).splitlines()[1:]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def _write(part: mdtraj.Trajectory, place: Path) -> None:
    part.save(str(place))


class _Drawn:
    """The trajectories of a rollout as a source of features."""

    def __init__(self, rollout: Rollout) -> None:
        self._rollout = rollout
        self.topology = rollout.topology
        self.names = tuple(f"rollout {number}" for number in range(len(rollout)))
        self.lengths = (rollout.n_frames,) * len(rollout)
        self.time_step = rollout.time_step

    def __len__(self) -> int:
        return len(self.names)

    @property
    def n_frames(self) -> int:
        """Number of frames of all together."""
        return sum(self.lengths)

    def recipe(self) -> dict[str, Any]:
        """Return which files are read: none."""
        return {"files": []}

    def frames(self, indices: Any) -> mdtraj.Trajectory:
        """Return structures, where there was a decoder."""
        return self._rollout._structures().structures[np.atleast_1d(np.arange(self.n_frames)[indices])]

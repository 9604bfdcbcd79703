"""Samples: which frames make one, which label it has, and which later frames go with it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mdnb.errors import DataError
from mdnb.features.base import Features
from mdnb.features.joined import Molecules
from mdnb.specs import Spec, setting
from mdnb.targets import Target

__all__ = ["Samples", "Window", "make_samples"]


@dataclass(frozen=True)
class Window(Spec):
    """Which frames make one sample."""

    length: int = setting(1, "frames in one sample, in order of time", low=1, high=10_000, log=True)
    stride: int = setting(1, "frames from the start of one sample to the next", low=1, high=10_000, log=True)
    horizon: int = setting(
        0, "frames from the end of a sample to the frame whose label it predicts", low=0, high=10_000
    )
    per: str = setting(
        "frame",
        "'frame' cuts a trajectory into windows; 'trajectory' makes one sample of it, of `length` frames spread evenly",
        options=("frame", "trajectory"),
    )


@dataclass(frozen=True)
class Samples:
    """Where each sample lies among the frames, and its label.

    Attributes
    ----------
    frames : (n_samples, length) int array
        The frames of each sample; never of two trajectories.
    labels : (n_samples,) array or None
        Of the frame `horizon` after the last.
    trajectory : (n_samples,) int array
    label_frames : (n_samples,) int array
        The frame that each label belongs to.
    last : (n_samples,) int array
        The last frame that has to do with the sample: of its window, its label or the later frames.
    later : (n_samples, n_later) int array or None
        The frames it is trained to foresee, or is paired with at a lag.
    group : (n_samples,) int array
        What must stay together when samples are parted: the trajectory, or the molecule.
    grouped : bool
        Whether the target or the molecules said what belongs together, and not the trajectories.
    """

    frames: np.ndarray
    labels: np.ndarray | None
    trajectory: np.ndarray
    label_frames: np.ndarray
    last: np.ndarray
    later: np.ndarray | None
    group: np.ndarray
    grouped: bool = False

    def __len__(self) -> int:
        return len(self.frames)

    @cached_property
    def whole(self) -> bool:
        """Whether each group has one label: then the groups, and not their frames, are what is independent."""
        if self.labels is None:
            return False
        first = np.unique(self.group, return_index=True, return_inverse=True)
        return bool((self.labels == self.labels[first[1]][first[2]]).all())

    @cached_property
    def unit(self) -> np.ndarray:
        """What is independent of each other, (n_samples,) int array: groups of one label, or trajectories."""
        return self.group if self.whole else self.trajectory


def make_samples(features: Features, target: Target | None, window: Window, later: np.ndarray | None = None) -> Samples:
    """Cut the frames of each trajectory into windows, or spread one sample over each.

    Parameters
    ----------
    features : Features
    target : Target or None
    window : Window
    later : (n_later,) int array, optional
        Which later frames go with a sample, counted from its first frame.

    Raises
    ------
    DataError
        When no trajectory is long enough for one window and what follows it.
    """
    _, firsts, lengths = np.unique(features.trajectory, return_index=True, return_counts=True)
    if window.per == "trajectory":
        frames, last = _spread(features, target, window, firsts, lengths)
        label_frames = last
    else:
        reach = window.length + window.horizon if later is None else max(window.length, int(later.max()) + 1)
        parts = [
            first + np.arange(0, length - reach + 1, window.stride)
            for first, length in zip(firsts, lengths, strict=True)
        ]
        starts = np.concatenate(parts)
        if not len(starts):
            after = f"a horizon of {window.horizon}" if later is None else f"{reach - window.length} later frames"
            raise DataError(
                f"no trajectory has the {reach} frames that a window of {window.length} and {after} need; the longest "
                f"has {lengths.max()}; take a shorter {'window or horizon' if later is None else 'lag or window'}"
            )
        frames = starts[:, None] + np.arange(window.length)
        label_frames, last = frames[:, -1] + window.horizon, starts + reach - 1
    group, grouped = _groups(features, target)
    own = group[frames[:, 0]]
    if grouped:  # a sample of two groups would be in two parts
        keep = (group[frames] == own[:, None]).all(1) & (group[last] == own) & (group[label_frames] == own)
        frames, last, label_frames, own = frames[keep], last[keep], label_frames[keep], own[keep]
        if not len(frames):
            raise DataError("no sample lies within one group of the target; use shorter windows, or larger groups")
    return Samples(
        frames=frames,
        labels=None if target is None else target.values[label_frames],
        trajectory=features.trajectory[frames[:, 0]],
        label_frames=label_frames,
        last=last,
        later=None if later is None else frames[:, :1] + later,
        group=own,
        grouped=grouped,
    )


def _groups(features: Features, target: Target | None) -> tuple[np.ndarray, bool]:
    """Return what each frame belongs together with, and whether that is more than its trajectory."""
    if target is not None and target.groups is not None:
        return target.groups, True
    if isinstance(features.source, Molecules):
        return features.source.molecule[features.trajectory], True
    return features.trajectory, False


def _spread(
    features: Features, target: Target | None, window: Window, firsts: np.ndarray, lengths: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the evenly spread frames of each trajectory and its last frame."""
    if lengths.min() < window.length:
        raise DataError(
            f"the shortest trajectory has {lengths.min()} frames, a sample of each needs {window.length}; lower length"
        )
    share = (np.arange(window.length) + 0.5) / window.length
    frames = firsts[:, None] + (share * lengths[:, None]).astype(int)
    if target is not None:
        for first, length in zip(firsts, lengths, strict=True):
            own = target.values[first : first + length]
            if (own != own[0]).any():
                name = features.source.names[int(features.trajectory[first])]
                raise DataError(
                    f"the target {target.name!r} changes within {name!r}; one sample of a whole trajectory needs one "
                    "label for it: give one value per trajectory, or use windows"
                )
    return frames, firsts + lengths - 1

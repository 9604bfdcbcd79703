"""Samples: windows of frames with a label, a leak-safe split, and the scaling of the inputs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from mdnb.errors import DataError
from mdnb.features.base import Features
from mdnb.specs import Spec, setting
from mdnb.targets import Target

__all__ = ["Samples", "Scaler", "Split", "Window", "make_samples", "split_samples"]


@dataclass(frozen=True)
class Window(Spec):
    """Which frames make one sample."""

    length: int = setting(1, "frames in one sample, in order of time", low=1, high=10_000, log=True)
    stride: int = setting(1, "frames from the start of one sample to the next", low=1, high=10_000, log=True)
    horizon: int = setting(
        0, "frames from the end of a sample to the frame whose label it predicts", low=0, high=10_000
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
    """

    frames: np.ndarray
    labels: np.ndarray | None
    trajectory: np.ndarray
    label_frames: np.ndarray

    def __len__(self) -> int:
        return len(self.frames)


@dataclass(frozen=True)
class Split:
    """Sample numbers of the training, validation and test parts, and how they were parted.

    Attributes
    ----------
    train, validation, test : int arrays
    description : str
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    description: str


@dataclass(frozen=True)
class Scaler:
    """Mean and scale of each number of a frame, from the training frames only.

    Attributes
    ----------
    mean, scale : float32 arrays with the shape of a frame
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, values: np.ndarray, axes: tuple[str, ...]) -> Scaler:
        """Return the scaler of (n_frames, *shape) training values.

        Cartesian axes share one scale, so that lengths keep their meaning; other numbers have one each.
        A number that does not vary (a constrained bond) is not blown up: its scale is at least 1e-6, and
        at least 1e-4 of its mean.
        """
        mean = values.mean(0, dtype=np.float64)
        spread = values.std(0, dtype=np.float64)
        if axes[-1] == "xyz":
            spread = np.full_like(spread, np.sqrt((spread**2).mean()))
        scale = np.maximum(spread, np.maximum(1e-6, 1e-4 * np.abs(mean)))
        return cls(mean.astype(np.float32), scale.astype(np.float32))

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Return the values with mean 0 and scale 1."""
        return np.asarray((values - self.mean) / self.scale, np.float32)

    def inverse(self, values: np.ndarray) -> np.ndarray:
        """Return scaled values in their own units."""
        return np.asarray(values * self.scale + self.mean, np.float32)


def digest(values: np.ndarray) -> str:
    """Return a hash of numbers, by which the data of a run are known again."""
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def make_samples(features: Features, target: Target | None, window: Window) -> Samples:
    """Cut the frames of each trajectory into windows.

    Raises
    ------
    DataError
        When no trajectory is long enough for one window and its horizon.
    """
    parts, longest = [], 0
    for number in np.unique(features.trajectory):
        frames = np.flatnonzero(features.trajectory == number)
        longest = max(longest, len(frames))
        starts = frames[0] + np.arange(0, len(frames) - window.length - window.horizon + 1, window.stride)
        parts.append(starts[starts >= frames[0]])
    starts = np.concatenate(parts)
    if not len(starts):
        raise DataError(
            f"no trajectory has the {window.length + window.horizon} frames that a window of {window.length} and a "
            f"horizon of {window.horizon} need; the longest has {longest}"
        )
    frames = starts[:, None] + np.arange(window.length)
    label_frames = frames[:, -1] + window.horizon
    labels = None if target is None else target.values[label_frames]
    return Samples(frames, labels, features.trajectory[starts], label_frames)


def split_samples(samples: Samples, *, test: float, validation: float, seed: int) -> Split:
    """Part the samples by trajectory, or by contiguous block where there are fewer than three.

    Whole trajectories are dealt out in random order. With one or two trajectories each is cut into
    successive blocks (training, validation, test), with a gap of two windows and the horizon between them.
    Random frames are never an option: neighbouring frames of one trajectory are nearly the same.

    Parameters
    ----------
    samples : Samples
    test, validation : float
        Shares, between 0 and 1.
    seed : int

    Raises
    ------
    DataError
        When a part would be empty.
    """
    numbers = np.unique(samples.trajectory)
    if len(numbers) >= 3:
        order = np.random.default_rng(seed).permutation(numbers)
        n_test = max(1, round(test * len(numbers)))
        n_validation = max(1, round(validation * len(numbers)))
        if n_test + n_validation >= len(numbers):
            raise DataError(f"{len(numbers)} trajectories cannot hold out {n_test} + {n_validation}; lower the shares")
        chosen = np.split(order, [n_test, n_test + n_validation])
        parts = [np.flatnonzero(np.isin(samples.trajectory, one)) for one in chosen]
        text = f"by trajectory: {len(chosen[2])} train, {n_validation} validate, {n_test} test"
        return Split(parts[2], parts[1], parts[0], text)
    span = samples.label_frames[0] - samples.frames[0, 0] + 1
    blocks: list[list[np.ndarray]] = [[], [], []]
    for number in numbers:
        own = np.flatnonzero(samples.trajectory == number)
        first, last = samples.frames[own[0], 0], samples.label_frames[own[-1]]
        length = last - first + 1
        borders = first + (np.array([1 - test - validation, 1 - test]) * length).astype(int)
        gap = 2 * span
        edges = [(first, borders[0]), (borders[0] + gap, borders[1]), (borders[1] + gap, last + 1)]
        for block, (low, high) in zip(blocks, edges, strict=True):
            inside = (samples.frames[own, 0] >= low) & (samples.label_frames[own] < high)
            block.append(own[inside])
    train, middle, end = (np.concatenate(block) for block in blocks)
    if not (len(train) and len(middle) and len(end)):
        raise DataError(
            f"{len(samples)} samples are too few to cut into training, validation and test blocks with a gap of "
            f"{2 * span} frames; use shorter windows or more frames"
        )
    return Split(train, middle, end, f"by contiguous block with a gap of {2 * span} frames")

"""Splits: which samples train, validate and test, so that none of the test is known before."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from mdnb.datasets.samples import Samples
from mdnb.errors import DataError
from mdnb.specs import Training

__all__ = ["Split", "split_samples"]


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


def split_samples(samples: Samples, training: Training) -> Split:
    """Part the samples by trajectory, or by contiguous block where there are fewer than three.

    Whole trajectories (or molecules, where the target says which trajectories are of one) are dealt out in
    random order. With one or two trajectories each is cut into successive blocks (training, validation,
    test), with a gap of two windows and what follows them between them. With ``training.folds`` the test part
    is one of so many folds, ``training.fold``: every trajectory is in the test part of one fold.
    Random frames would leak: neighbouring frames of one trajectory are nearly the same; they are to be had as
    ``split="leaky-random-frames"``, to show just that.

    Parameters
    ----------
    samples : Samples
    training : Training
        Its ``split, test, validation, folds, fold, seed`` and ``split_seed``.

    Raises
    ------
    DataError
        When a part would be empty.
    """
    if training.folds and training.fold >= training.folds:
        raise DataError(f"fold {training.fold} of {training.folds} does not exist; folds count from 0")
    if training.split == "leaky-random-frames":
        return _random_frames(samples, training)
    groups = np.unique(samples.group)
    # Blocks of what has one label in all would put that label into every part.
    by_block = training.split == "block" or (training.split == "auto" and len(groups) < 3 and not samples.grouped)
    if by_block:
        return _by_block(samples, training)
    if len(groups) < 3:
        raise DataError(
            f"{len(groups)} trajectories or molecules cannot be parted in three; add trajectories, or cut windows from "
            "them and use split='block'"
        )
    return _by_group(samples, training, groups)


def _generator(training: Training) -> np.random.Generator:
    return np.random.default_rng(training.seed if training.split_seed < 0 else training.split_seed)


def _by_group(samples: Samples, training: Training, groups: np.ndarray) -> Split:
    order = _generator(training).permutation(groups)
    n_validation = max(1, round(training.validation * len(groups)))
    if training.folds:
        if training.folds > len(groups):
            raise DataError(f"{len(groups)} trajectories or molecules do not make {training.folds} folds; lower folds")
        test = np.array_split(order, training.folds)[training.fold]
    else:
        test = order[: max(1, round(training.test * len(groups)))]
    rest = order[~np.isin(order, test)]
    if n_validation >= len(rest):
        raise DataError(
            f"{len(groups)} trajectories cannot hold out {len(test)} + {n_validation}; lower the shares or folds"
        )
    train, validation, held_out = (
        np.flatnonzero(np.isin(samples.group, one)) for one in (rest[n_validation:], rest[:n_validation], test)
    )
    what = "molecule" if samples.grouped else "trajectory"
    fold = f", fold {training.fold + 1} of {training.folds}" if training.folds else ""
    text = f"by {what}: {len(rest) - n_validation} train, {n_validation} validate, {len(test)} test{fold}"
    return Split(train, validation, held_out, text)


def _by_block(samples: Samples, training: Training) -> Split:
    span = int((samples.last - samples.frames[:, 0]).max()) + 1
    gap = 2 * span
    if training.folds:  # equal blocks; the one after the test block validates, the others train
        n = training.folds
        if n < 3:
            raise DataError(f"{n} folds of blocks leave nothing to train on; take at least 3")
        edges = np.linspace(0, 1, n + 1)
        roles = {training.fold: 2, (training.fold + 1) % n: 1}
    else:
        edges = np.array([0, 1 - training.test - training.validation, 1 - training.test, 1])
        roles = {1: 1, 2: 2}
    parts: list[list[np.ndarray]] = [[], [], []]
    for number in np.unique(samples.trajectory):
        own = np.flatnonzero(samples.trajectory == number)
        first, last = int(samples.frames[own[0], 0]), int(samples.last[own[-1]]) + 1
        borders = first + (edges * (last - first)).astype(int)
        for block in range(len(borders) - 1):
            role = roles.get(block, 0)
            # The gap is needed where the block before plays another role.
            low = borders[block] + (gap if block and roles.get(block - 1, 0) != role else 0)
            inside = (samples.frames[own, 0] >= low) & (samples.last[own] < borders[block + 1])
            parts[role].append(own[inside])
    train, validation, test = (np.sort(np.concatenate(part)) for part in parts)
    if not (len(train) and len(validation) and len(test)):
        raise DataError(
            f"{len(samples)} samples are too few to cut into training, validation and test blocks with a gap of "
            f"{gap} frames; use shorter windows or more frames"
        )
    fold = f", fold {training.fold + 1} of {training.folds}" if training.folds else ""
    return Split(train, validation, test, f"by contiguous block with a gap of {gap} frames{fold}")


def _random_frames(samples: Samples, training: Training) -> Split:
    warnings.warn(
        "split='leaky-random-frames' puts neighbouring, nearly equal frames into training and test: its scores are "
        "too good and say nothing about new trajectories. Use split='auto' for anything but showing that.",
        UserWarning,
        stacklevel=2,
    )
    order = _generator(training).permutation(len(samples))
    if training.folds:
        test = np.array_split(order, training.folds)[training.fold]
    else:
        test = order[: max(1, round(training.test * len(order)))]
    rest = order[~np.isin(order, test)]
    n_validation = max(1, round(training.validation * len(order)))
    if n_validation >= len(rest):
        raise DataError(f"{len(samples)} samples are too few to part; use more frames")
    text = "by random frame: LEAKS, the scores are too good"
    return Split(np.sort(rest[n_validation:]), np.sort(rest[:n_validation]), np.sort(test), text)

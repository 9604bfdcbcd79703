"""Target: one label per frame, and how values of any kind become one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mdnb.errors import DataError, SpecError
from mdnb.features.base import Features

__all__ = ["Target", "of_trajectories", "of_values", "option_number", "refuse_option"]


@dataclass(frozen=True)
class Target:
    """One label per frame.

    Attributes
    ----------
    name : str
    values : (n_frames,) array
        Class numbers from 0 on, or real numbers.
    classes : tuple of str
        Names of the classes; empty for a real-valued target (regression).
    unit : str
    groups : (n_frames,) int array or None
        Frames with the same number belong together and must not be parted by a split, such as all replicas
        of one molecule. None where the trajectories are independent of each other.
    asked : str
        The name that `make_target` was asked for, such as ``"native-contacts:100"``; empty where it was no name.
    """

    name: str
    values: np.ndarray
    classes: tuple[str, ...] = ()
    unit: str = ""
    groups: np.ndarray | None = None
    asked: str = ""

    @property
    def is_class(self) -> bool:
        """Whether the target is a class and not a number."""
        return bool(self.classes)

    def counts(self) -> dict[str, int]:
        """Return how many frames each class has."""
        numbers = np.bincount(self.values.astype(int), minlength=len(self.classes))
        return dict(zip(self.classes, numbers.tolist(), strict=True))


def of_values(name: str, values: Any, unit: str = "", real: bool | None = None) -> Target:
    """Return the target of values of any kind.

    Parameters
    ----------
    name : str
    values : array or sequence
        Numbers with a fraction are a quantity; whole numbers, booleans and text are classes.
    unit : str
        Whole numbers with a unit are a quantity.
    real : bool, optional
        Whether they are a quantity, to overrule that.

    Raises
    ------
    DataError
        When they are no numbers and no text, or text that is asked to be a quantity.
    """
    array = np.asarray(values)
    if array.dtype.kind == "O" and all(isinstance(value, str) for value in array.flat):
        array = array.astype(str)
    if array.dtype.kind not in "iufbUS":
        raise DataError(f"the target is an array of {array.dtype}, expected numbers or text")
    if real is None:
        real = array.dtype.kind == "f" or (array.dtype.kind in "iu" and bool(unit))
    if real:
        if array.dtype.kind in "US":
            raise DataError(f"the target {name!r} is text, such as {str(array.flat[0])!r}; expected numbers")
        return Target(name, array if array.dtype.kind == "f" else array.astype(np.float64), unit=unit)
    if array.dtype.kind == "f":
        array = _whole(array, name)
    classes, numbers = np.unique(array, return_inverse=True)
    return Target(name, numbers.reshape(array.shape), tuple(map(str, classes)))


def _whole(array: np.ndarray, name: str) -> np.ndarray:
    """Return numbers without a fraction as whole numbers."""
    if not (np.isfinite(array).all() and (array == np.round(array)).all()):
        raise DataError(
            f"the target {name!r} is no class: it holds numbers with a fraction, or NaN; leave out real=False"
        )
    return array.astype(np.int64)


def of_trajectories(features: Features, values: Sequence[Any]) -> list[np.ndarray]:
    """Return one array per trajectory of its frames' values, of one value or one per frame for each.

    Parameters
    ----------
    features : Features
    values : sequence
        One item for each trajectory that the features hold: a value, or an array of one per frame.

    Raises
    ------
    DataError
        When an array has another length than the trajectory has frames.
    """
    numbers, counts = np.unique(features.trajectory, return_counts=True)
    parts = []
    for number, count, value in zip(numbers, counts, values, strict=True):
        array = np.asarray(value)
        if array.ndim and array.shape != (count,):
            raise DataError(
                f"the labels of the trajectory {features.source.names[int(number)]!r} have the shape {array.shape}, "
                f"expected one value, or one for each of its {count} frames"
            )
        parts.append(array if array.ndim else np.repeat(array, count))
    return parts


def refuse_option(target: str, option: str) -> None:
    """Raise a SpecError where something follows the colon of a target that takes nothing."""
    if option:
        raise SpecError(f"the target {target!r} takes nothing after a colon, got {option!r}")


def option_number(target: str, option: str, low: int, default: int | None = None) -> int:
    """Return the whole number that follows the colon in the name of a target.

    Raises
    ------
    SpecError
        When it is missing, no whole number or below `low`.
    """
    if not option and default is not None:
        return default
    if not option.isdecimal() or int(option) < low:
        raise SpecError(
            f"the target '{target}:{option}' needs a whole number of at least {low}, as in '{target}:{low}'"
        )
    return int(option)

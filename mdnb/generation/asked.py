"""What a generator is asked for, as the numbers that its network knows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mdnb.errors import DataError, SpecError, unknown_name
from mdnb.models.autoencoder import Generator
from mdnb.runs import Run

__all__ = ["asked_range", "beyond", "extrapolated", "known_range", "read_condition"]

#: Of the range of the training data: so far outside is still inside, since what was asked for went through other units.
_SLACK = 1e-5


def read_condition(run: Run, condition: Any, n: int) -> tuple[Tensor | None, tuple[str, ...]]:
    """Return n conditions as the model takes them, or None, and what is to be said about them.

    Parameters
    ----------
    run : Run
        Of a VAE or a GAN.
    condition : number, class name, (n,) array, dict of one of these by the target's name, or None
    n : int

    Raises
    ------
    SpecError
        When the run was trained without a target, or does not know what is asked for.
    """
    if condition is None:
        return None, ()
    target = run.target
    if target is None:
        raise SpecError(
            f"this {run.family} was trained without a target and takes no condition; train it with one: "
            "mdnb.fit(features, target, ...)"
        )
    if isinstance(condition, Mapping):
        name = str(next(iter(condition), ""))
        if len(condition) != 1 or not (_is_called(target.name, name) or _is_called(target.asked, name)):
            raise SpecError(f"condition = {dict(condition)!r}: this {run.family} knows {target.name!r} only")
        condition = next(iter(condition.values()))
    values = np.atleast_1d(np.asarray(condition))
    if values.shape not in ((1,), (n,)):
        raise SpecError(
            f"the condition has the shape {values.shape}, expected one value, or one for each of {n} structures"
        )
    if target.classes:
        names = [_class_name(value) for value in values.tolist()]
        for name in names:
            if name not in target.classes:
                raise unknown_name(f"class of {target.name!r}", name, target.classes)
        unseen = sorted(set(names) - set(_seen(run)))
        notes = (f"no training frame is {' or '.join(unseen)}: what is made of it is extrapolated",) if unseen else ()
        numbers = np.array([target.classes.index(name) for name in names])
        return torch.from_numpy(np.broadcast_to(numbers, n).copy()), notes
    if values.dtype.kind not in "iuf" or not np.isfinite(values).all():
        raise SpecError(
            f"condition = {condition!r}: expected a number in {target.unit or 'the unit of ' + target.name}"
        )
    low, high = known_range(run)
    notes = ()
    if values.min() < low or values.max() > high:
        notes = (
            f"{target.name} {values.min():.4g} to {values.max():.4g} {target.unit} was asked for, the training data "
            f"have {low:.4g} to {high:.4g}: what lies outside is extrapolated",
        )
    scaled = np.broadcast_to((values - target.mean) / target.scale, n)
    return torch.from_numpy(scaled.astype(np.float32)), notes


def extrapolated(run: Run, wanted: Tensor | None) -> np.ndarray | None:
    """Return which of the conditions lie outside those of the training data, (n,); None where there are none.

    Parameters
    ----------
    run : Run
        Of a VAE or a GAN.
    wanted : (n,) Tensor or None
        As `read_condition` returns it.
    """
    if wanted is None or run.target is None:
        return None
    if run.target.classes:
        seen = [run.target.classes.index(name) for name in _seen(run)]
        return ~np.isin(wanted.numpy(), seen)
    return beyond(wanted.numpy(), *_ends(run))


def beyond(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return which values lie outside a range, and not by rounding only."""
    slack = _SLACK * (high - low)
    return (values < low - slack) | (values > high + slack)


def asked_range(run: Run) -> tuple[float, float] | tuple[str, ...] | None:
    """Return what can be asked for: both ends of the training data in the target's unit, their classes, or None.

    Parameters
    ----------
    run : Run
        Of a VAE or a GAN.

    Raises
    ------
    DataError
        When it is no run.
    SpecError
        For a family that generates nothing.
    """
    if not isinstance(run, Run):
        raise DataError(f"got {type(run).__name__!r} as a run, expected what mdnb.fit or mdnb.Run.load returns")
    if not isinstance(run.model, Generator):
        raise SpecError(f"a {run.family} generates nothing; train mdnb.VAE() or mdnb.GAN()")
    if run.target is None:
        return None
    if run.target.classes:
        return _seen(run)
    return known_range(run)


def known_range(run: Run) -> tuple[float, float]:
    """Return both ends of the target of the training data, in its unit."""
    assert run.target is not None
    low, high = (end * run.target.scale + run.target.mean for end in _ends(run))
    return low, high


def _ends(run: Run) -> tuple[float, float]:
    """Return the least and the largest of the conditions of the training data, scaled."""
    assert isinstance(run.model, Generator)
    known = run.model.coding.condition.known
    return float(known[0]), float(known[-1])


def _seen(run: Run) -> tuple[str, ...]:
    """Return the classes that training frames have."""
    assert isinstance(run.model, Generator)
    assert run.target is not None
    return tuple(run.target.classes[int(number)] for number in run.model.coding.condition.known.unique())


def _class_name(value: Any) -> str:
    """Return the name that `mdnb.fit` gives the class of a label: that of 300 and of 300.0 is ``"300"``."""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _is_called(target: str, asked: str) -> bool:
    """Return whether a target is meant by a name: ``basin``, ``basin:ALA2`` and ``basin of ALA2`` are one."""
    head, _, option = asked.partition(":")
    own, name, rest = _words(target), _words(head), _words(option)
    whole = "".join(own) == "".join(name + rest)
    return whole or (bool(name) and own[: len(name)] == name and own[len(own) - len(rest) :] == rest)


def _words(name: str) -> list[str]:
    return re.findall("[a-z0-9]+", name.lower())

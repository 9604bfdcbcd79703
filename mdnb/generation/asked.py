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

__all__ = ["asked_range", "extrapolated", "read_condition"]


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
        if len(condition) != 1 or not _is_called(target.name, str(next(iter(condition)))):
            raise SpecError(f"condition = {dict(condition)!r}: this {run.family} knows {target.name!r} only")
        condition = next(iter(condition.values()))
    values = np.atleast_1d(np.asarray(condition))
    if values.shape not in ((1,), (n,)):
        raise SpecError(
            f"the condition has the shape {values.shape}, expected one value, or one for each of {n} structures"
        )
    if target.classes:
        for value in values.tolist():
            if value not in target.classes:
                raise unknown_name(f"class of {target.name!r}", str(value), target.classes)
        numbers = np.array([target.classes.index(value) for value in values.tolist()])
        return torch.from_numpy(np.broadcast_to(numbers, n).copy()), ()
    if values.dtype.kind not in "iuf" or not np.isfinite(values).all():
        raise SpecError(
            f"condition = {condition!r}: expected a number in {target.unit or 'the unit of ' + target.name}"
        )
    low, high = (end * target.scale + target.mean for end in _ends(run))
    notes: tuple[str, ...] = ()
    if values.min() < low or values.max() > high:
        notes = (
            f"{target.name} {values.min():.4g} to {values.max():.4g} {target.unit} was asked for, the training data "
            f"have {low:.4g} to {high:.4g}: what lies outside is extrapolated",
        )
    scaled = np.broadcast_to((values - target.mean) / target.scale, n)
    return torch.from_numpy(scaled.astype(np.float32)), notes


def extrapolated(run: Run, wanted: Tensor | None) -> np.ndarray | None:
    """Return which of the conditions lie outside those of the training data, (n,); None where there is no range.

    Parameters
    ----------
    run : Run
        Of a VAE or a GAN.
    wanted : (n,) Tensor or None
        As `read_condition` returns it.
    """
    if wanted is None or run.target is None or run.target.classes:
        return None
    low, high = _ends(run)
    slack = 1e-5 * (high - low)  # an end that was asked for went through other units
    return np.asarray(((wanted < low - slack) | (wanted > high + slack)).numpy())


def asked_range(run: Run) -> tuple[float, float] | tuple[str, ...] | None:
    """Return what can be asked for: both ends of the training data in the target's unit, the classes, or None.

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
        return run.target.classes
    low, high = (end * run.target.scale + run.target.mean for end in _ends(run))
    return low, high


def _ends(run: Run) -> tuple[float, float]:
    """Return the least and the largest of the conditions of the training data, scaled."""
    assert isinstance(run.model, Generator)
    known = run.model.coding.condition.known
    return float(known[0]), float(known[-1])


def _is_called(target: str, asked: str) -> bool:
    """Return whether a target is meant by a name: ``basin``, ``basin:ALA2`` and ``basin of ALA2`` are one."""
    head, _, option = asked.partition(":")
    own, name, rest = _words(target), _words(head), _words(option)
    whole = "".join(own) == "".join(name + rest)
    return whole or (bool(name) and own[: len(name)] == name and own[len(own) - len(rest) :] == rest)


def _words(name: str) -> list[str]:
    return re.findall("[a-z0-9]+", name.lower())

"""The space of a search: from a Spec's fields to what a trial draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mdnb.models.base import ModelSpec
from mdnb.specs import Setting, Training

__all__ = ["searched_ranges", "suggest"]

#: Of the learning rate, unless narrower ones are asked for.
_RATES = (2e-4, 2e-2)


def suggest(
    start: ModelSpec | type[ModelSpec], training: Training, trial: Any, bounds: Mapping[str, tuple[float, float]]
) -> tuple[ModelSpec, Training]:
    """Return what a trial draws; settings that are not searched stay as in `start`."""
    values = {one.name: _suggest_one(one, trial, bounds.get(one.name)) for one in start.settings() if one.searched}
    low, high = bounds.get("learning_rate", _RATES)
    rate = trial.suggest_float("learning_rate", low, high, log=True)
    return replace(start() if isinstance(start, type) else start, **values), replace(training, learning_rate=rate)


def searched_ranges(
    kind: type[ModelSpec], bounds: Mapping[str, tuple[float, float]] | None = None
) -> dict[str, tuple[float, float]]:
    """Return between which numbers a search of a family draws each setting; `bounds` are narrower ones."""
    numbers = [one for one in kind.settings() if one.searched and one.options is None and one.type is not bool]
    return {**{one.name: _near(one) for one in numbers}, "learning_rate": _RATES, **(bounds or {})}


def _suggest_one(setting: Setting, trial: Any, bounds: tuple[float, float] | None) -> Any:
    if setting.options is not None:
        return trial.suggest_categorical(setting.name, list(setting.options))
    if setting.type is bool:
        return trial.suggest_categorical(setting.name, [False, True])
    low, high = bounds or _near(setting)
    if setting.type is int:
        return trial.suggest_int(setting.name, int(low), int(high), log=setting.log)
    return trial.suggest_float(setting.name, low, high, log=setting.log)


def _near(setting: Setting) -> tuple[float, float]:
    """Return bounds worth searching: within a factor of four of the default, and within the declared ones."""
    assert setting.low is not None and setting.high is not None  # noqa: PT018 - every number declares both
    if not setting.log:
        return setting.low, setting.high
    return max(setting.low, setting.default / 4), min(setting.high, setting.default * 4)

"""The space of a search: from a Spec's fields to what a trial draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mdnb.errors import SpecError, unknown_name
from mdnb.models.base import ModelSpec
from mdnb.specs import Setting, Training

__all__ = ["check_bounds", "searched_ranges", "suggest"]

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
    return {**{one.name: _near(one) for one in _numbers(kind)}, "learning_rate": _RATES, **(bounds or {})}


def check_bounds(kind: type[ModelSpec], search: Mapping[str, tuple[float, float]]) -> None:
    """Raise a SpecError where the bounds of a search are not two numbers that a setting may have."""
    if not isinstance(search, Mapping):
        raise SpecError(f"search = {search!r}: expected the bounds of each setting, such as {{'hidden': (16, 64)}}")
    (rate,) = (one for one in Training.settings() if one.name == "learning_rate")
    declared = {one.name: (one, kind) for one in _numbers(kind)} | {
        "learning_rate": (replace(rate, log=True), Training)
    }
    for name, bounds in search.items():
        if name not in declared:
            raise unknown_name(f"setting of {kind.__name__}", name, declared)
        setting, owner = declared[name]
        where = f"search[{name!r}] = {bounds!r}"
        try:
            low, high = bounds
        except (TypeError, ValueError) as error:
            raise SpecError(f"{where}: expected two numbers (low, high), between which it is searched") from error
        low, high = (setting.check(one, f"{where}: {owner.__name__}") for one in (low, high))
        if low > high:
            raise SpecError(f"{where}: the first number is larger than the second; give (low, high)")
        if setting.log and low <= 0:
            raise SpecError(f"{where}: it is searched on a logarithmic scale; give numbers above 0")


def _numbers(kind: type[ModelSpec]) -> list[Setting]:
    """Return the settings of a family that are drawn between two numbers; others are chosen from a list."""
    return [one for one in kind.settings() if one.searched and one.options is None and one.type is not bool]


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

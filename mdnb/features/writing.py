"""The Python that asks for features again."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from mdnb.features.base import FEATURIZERS, Featurizer

__all__ = ["features_code", "featurizer_code"]


def features_code(asked: Sequence[str | Featurizer]) -> str:
    """Return the call that computes what was asked of ``trajectories``; empty where it cannot be written."""
    parts = [repr(one) if isinstance(one, str) else featurizer_code(one) for one in asked]
    if not all(parts):
        return ""
    return f"mdnb.featurize(trajectories, {parts[0] if len(parts) == 1 else '[' + ', '.join(parts) + ']'})"


def featurizer_code(maker: Featurizer) -> str:
    """Return how a featurizer of mdnb is asked for: its name, or its constructor where settings differ."""
    kind = type(maker)
    if FEATURIZERS.get(kind.name) is not kind or not kind.__module__.startswith("mdnb.features."):
        return ""
    given = {}
    for name, parameter in inspect.signature(kind).parameters.items():
        value = getattr(maker, name, parameter.empty)
        if not _plain(value):
            return ""
        if value != parameter.default:
            given[name] = value
    if not given:
        return repr(kind.name)
    return f"mdnb.features.{kind.__name__}({', '.join(f'{name}={value!r}' for name, value in given.items())})"


def _plain(value: Any) -> bool:
    """Return whether Python's `repr` of a value is the value."""
    if isinstance(value, tuple | list):
        return all(map(_plain, value))
    return value is None or type(value) in (bool, int, float, str)

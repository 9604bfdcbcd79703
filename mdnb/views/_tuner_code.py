"""What a `Tuner` holds, as Python and as parameters."""

from __future__ import annotations

from typing import Any

from mdnb.models.base import ModelSpec
from mdnb.specs import Spec, Training
from mdnb.views._source import features_lines, name_of
from mdnb.views._view import call_text

__all__ = ["changed", "spec_text", "tuner_code", "tuner_parameters"]


def tuner_code(tuner: Any, spec: ModelSpec, training: Training) -> str:
    """Return the Python that trains with these settings what the tuner trains."""
    target = repr(tuner.target) if isinstance(tuner.target, str) else name_of(tuner.target, "target")
    positional = ["features", target, spec_text(spec), spec_text(training)]
    if tuner.target is None:
        positional[1] = "None"
    given: dict[str, Any] = {}
    if tuner.window is not None:
        given["window"] = _Text(spec_text(tuner.window))
    if tuner.objective is not None:
        own = tuner.objective
        given["objective"] = _Text(repr(own) if isinstance(own, str) else spec_text(own))
    lines = ["import mdnb", "", *features_lines(tuner.features)]
    if tuner.study is not None and tuner.value is not None and tuner.value is tuner.study.run:
        lines.append(f"# the best of a search of {len(tuner.study.trials)} finished trials with mdnb.tune")
    return "\n".join([*lines, call_text("run = mdnb.fit", *positional, **given)])


def tuner_parameters(tuner: Any, spec: ModelSpec, training: Training) -> dict[str, Any]:
    """Return the family, the target and the settings that are not the defaults, with epochs and seed."""
    found: dict[str, Any] = {"family": type(spec).__name__}
    if isinstance(tuner.target, str):
        found["target"] = tuner.target
    found |= changed(spec)
    return {**found, "epochs": training.epochs, "seed": training.seed, **changed(training)}


class _Text:
    """Code that is its own `repr`."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def changed(spec: Spec) -> dict[str, Any]:
    """Return the settings that are not the defaults."""
    return {one.name: getattr(spec, one.name) for one in spec.settings() if getattr(spec, one.name) != one.default}


def spec_text(spec: Spec) -> str:
    """Return a spec as it is written: ``mdnb.CNN(channels=8)``."""
    given = ", ".join(f"{name}={value!r}" for name, value in changed(spec).items())
    return f"mdnb.{type(spec).__name__}({given})"

"""Outputs: which number of a model is explained, and what it is called."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor, nn

from mdnb.errors import SpecError, unknown_name
from mdnb.features.base import Features
from mdnb.models.base import Predictor
from mdnb.runs import Run

__all__ = ["Head", "default_output", "output_of"]

Head = Callable[[nn.Module, Tensor], Tensor]
_RECONSTRUCTION = "reconstruction error"


def _classes(run: Run) -> tuple[str, ...]:
    """Return the classes that the outputs are logits of."""
    if run.target is None or run.task.kind != "class" or not isinstance(run.model, Predictor):
        return ()
    return run.target.classes


def default_output(run: Run, features: Features, windows: np.ndarray) -> int:
    """Return the number of the class that is predicted most often, else 0."""
    return int(np.bincount(run.outputs(features, windows).argmax(1)).argmax()) if _classes(run) else 0


def output_of(run: Run, features: Features, asked: str | int) -> tuple[Head, str]:
    """Return the function of model and inputs that is explained, and its name."""
    if asked == _RECONSTRUCTION:
        return _reconstruction(run)
    n_outputs = run.outputs(features, run.samples(features).frames[:1]).shape[1]
    classes = _classes(run)
    if isinstance(asked, str):
        if asked not in classes:
            others = [_RECONSTRUCTION] if hasattr(run.model, "reconstruct") else []
            raise unknown_name("class", asked, [*classes, *others] or ["(this model has none; give a number)"])
        number = classes.index(asked)
    elif 0 <= asked < n_outputs:
        number = int(asked)
    else:
        raise SpecError(f"output = {asked} does not exist; the model has outputs 0 to {n_outputs - 1}")
    predicted = run.target if isinstance(run.model, Predictor) and run.task.kind in ("class", "real") else None
    scale, mean = (predicted.scale, predicted.mean) if predicted and not classes else (1.0, 0.0)

    def head(model: nn.Module, x: Tensor) -> Tensor:
        out: Tensor = model.score(x)[:, number]  # type: ignore[operator]  # a Model, whose copy mypy takes for a Module
        return out.double() * scale + mean if predicted else out  # beside a large mean too

    if predicted:
        unit = f" ({predicted.unit})" if predicted.unit else ""
        return head, f"logit of {classes[number]!r} ({predicted.name})" if classes else f"{predicted.name}{unit}"
    if run.family == "GAN":
        return head, "GAN: score of the critic"
    if run.family == "VAE" or run.task.kind == "lagged":
        return head, f"{run.family}: latent {number}"
    return head, f"{run.family}: {'slow mode' if run.task.kind == 'slow' else 'output'} {number}"


def _reconstruction(run: Run) -> tuple[Head, str]:
    """Return the mean squared error of what an autoencoder makes of a frame."""
    if not hasattr(run.model, "reconstruct"):
        raise SpecError(
            f"a {run.family} reconstructs nothing, so that it has no {_RECONSTRUCTION!r}; explain a VAE or a GAN"
        )

    def head(model: nn.Module, x: Tensor) -> Tensor:
        made: Tensor = model.reconstruct(x)  # type: ignore[operator]  # as above
        return (made.flatten(1) - x.flatten(1)).square().mean(1)

    return head, f"{run.family}: {_RECONSTRUCTION} (scaled)"

"""A run as one torch module: features, or positions, in; what `Run.outputs` returns, out."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mdnb.exports.geometry import Geometry
from mdnb.models.base import Predictor
from mdnb.runs import Run

__all__ = ["FromPositions", "Network", "describe", "example", "output_names"]


class Network(nn.Module):
    """(batch, window, *shape) features in their own units -> (batch, n_outputs), as `Run.outputs` returns them.

    The network is a copy, in evaluation mode on the CPU, and its weights need no gradients.

    Parameters
    ----------
    run : Run
    raw : bool
        Return logits instead of probabilities, and a real-valued label as the network scales it.
    """

    input_mean: Tensor
    input_scale: Tensor

    def __init__(self, run: Run, raw: bool = False) -> None:
        super().__init__()
        self.model = copy.deepcopy(run.model).cpu().eval().requires_grad_(False)
        # Not "mean": torch.onnx calls the folded mean of a condition so, and has no two constants of one name.
        self.register_buffer("input_mean", torch.from_numpy(np.ascontiguousarray(run.scaler.mean, np.float32)))
        self.register_buffer("input_scale", torch.from_numpy(np.ascontiguousarray(run.scaler.scale, np.float32)))
        predicts = isinstance(run.model, Predictor) and not raw
        self.probabilities = predicts and run.task.kind == "class"
        target = run.target if predicts and run.task.kind == "real" else None
        self.factor, self.offset = (target.scale, target.mean) if target is not None else (1.0, 0.0)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, n_outputs)."""
        scores = self.model.score((x - self.input_mean) / self.input_scale)
        if self.probabilities:
            scores = torch.softmax(scores, dim=1)
        return scores * self.factor + self.offset


class Flat(nn.Module):
    """(batch, n_columns) features -> the outputs of a network of single frames."""

    def __init__(self, network: Network, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.network, self.shape = network, shape

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, n_outputs)."""
        out: Tensor = self.network(x.reshape(-1, 1, *self.shape)).contiguous()
        return out


class FromPositions(nn.Module):
    """(batch, 3 n_atoms) positions in nm -> the outputs of a network of single frames."""

    def __init__(self, geometry: Geometry, network: Network, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.geometry, self.network = geometry, Flat(network, shape)

    def forward(self, positions: Tensor) -> Tensor:
        """Return (batch, n_outputs)."""
        out: Tensor = self.network(self.geometry(positions))
        return out


def example(run: Run, n: int = 2) -> Tensor:
    """Return n samples (n, window, *shape) of training frames, in their own units; they need not follow each other."""
    frames = run.examples if len(run.examples) else run.scaler.mean[None]
    rows = np.arange(n * run.task.window) % len(frames)
    values = np.ascontiguousarray(frames[rows], np.float32)
    return torch.from_numpy(values.reshape(n, run.task.window, *run.task.shape))


def output_names(run: Run, raw: bool = False) -> list[str]:
    """Return what each output is, in words."""
    with torch.no_grad():
        n_outputs = int(run.model.score(torch.zeros(1, run.task.window, *run.task.shape)).shape[1])
    target = run.target
    if isinstance(run.model, Predictor) and target is not None and run.task.kind == "class":
        return [f"{'logit' if raw else 'probability'} of {name!r}" for name in target.classes]
    if isinstance(run.model, Predictor) and target is not None and run.task.kind == "real" and n_outputs == 1:
        return [f"{target.name}, scaled" if raw else f"{target.name}{f' in {target.unit}' if target.unit else ''}"]
    of_kind = {"slow": "slow mode", "forecast": "foreseen number", "lagged": "latent", "propagate": "expected number"}
    what = of_kind.get(run.task.kind, "")
    what = what or {"VAE": "latent", "GAN": "score of the critic"}.get(run.family, "output")
    return [f"{what} {number + 1}" for number in range(n_outputs)]


def describe(run: Run, inputs: str, outputs: list[str]) -> str:
    """Return what goes in and comes out, and where the model is from, as JSON."""
    content: dict[str, Any] = {
        "family": run.family,
        "inputs": inputs,
        "shape": [run.task.window, *run.task.shape],
        "columns": [[column.name, column.unit, list(column.atom_indices)] for column in run.columns],
        "outputs": outputs,
        "featurizers": list(run.featurizers),
        "versions": run.provenance.get("versions", {}),
    }
    return json.dumps(content)

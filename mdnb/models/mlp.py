"""MLP: fully connected layers, for numbers that have no neighbours, such as torsions or a few distances."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import nn

from mdnb.models.base import Model, ModelSpec, Predictor, Task
from mdnb.models.layers import mlp
from mdnb.specs import setting

__all__ = ["MLP"]


@dataclass(frozen=True)
class MLP(ModelSpec):
    """Choices of a fully connected network; a sample is one vector, whatever the feature's shape.

    References
    ----------
    Rumelhart, Hinton, Williams, Nature 323, 533 (1986), https://doi.org/10.1038/323533a0
    """

    hidden: int = setting(64, "units of each hidden layer", low=2, high=4096, log=True)
    layers: int = setting(2, "number of hidden layers", low=1, high=10)
    dropout: float = setting(0.0, "share of units left out at each step of training", low=0.0, high=0.9)

    def build(self, task: Task) -> Model:
        """Return the network."""
        n_in = task.window * math.prod(task.shape)
        hidden = mlp([n_in, *[self.hidden] * self.layers], self.dropout)
        return Predictor(nn.Sequential(nn.Flatten(), hidden, nn.SiLU()), self.hidden, task)

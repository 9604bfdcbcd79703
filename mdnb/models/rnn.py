"""RNN: a recurrent network over a window of frames."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from mdnb.models.base import Model, ModelSpec, Predictor, Task
from mdnb.models.layers import LastState
from mdnb.specs import setting

__all__ = ["RNN"]


@dataclass(frozen=True)
class RNN(ModelSpec):
    """Choices of a recurrent network.

    References
    ----------
    GRU: Cho et al. (2014), https://doi.org/10.3115/v1/D14-1179. LSTM: Hochreiter, Schmidhuber, Neural Comput. 9,
    1735 (1997), https://doi.org/10.1162/neco.1997.9.8.1735
    """

    window: ClassVar[int] = 10

    cell: str = setting("GRU", "kind of recurrent cell", options=("GRU", "LSTM"))
    hidden: int = setting(64, "units of the state", low=4, high=2048, log=True)
    layers: int = setting(1, "recurrent layers on top of each other", low=1, high=4)
    bidirectional: bool = setting(False, "read the window backwards too")
    dropout: float = setting(0.1, "share of units left out at each step of training", low=0.0, high=0.9)

    def build(self, task: Task) -> Model:
        """Return the network."""
        last = LastState(self.cell, math.prod(task.shape), self.hidden, self.layers, self.bidirectional, self.dropout)
        width = self.hidden * (2 if self.bidirectional else 1)
        return Predictor(nn.Sequential(nn.Flatten(2), last), width, task)

"""CNNRNN: a CNN sees the space of each frame, an RNN the time over the window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from mdnb.models.base import Model, ModelSpec, Predictor, Task
from mdnb.models.layers import Convolutions, LastState
from mdnb.specs import setting

__all__ = ["CNNRNN"]


@dataclass(frozen=True)
class CNNRNN(ModelSpec):
    """Choices of a convolutional network for each frame with a recurrent network over the window.

    References
    ----------
    Donahue et al., IEEE Trans. Pattern Anal. 39, 677 (2017), https://doi.org/10.1109/TPAMI.2016.2599174
    """

    window: ClassVar[int] = 10

    channels: int = setting(
        16, "channels of the first convolution; doubled by each further one", low=4, high=512, log=True
    )
    convolutions: int = setting(2, "number of convolutions", low=1, high=6)
    kernel: int = setting(3, "width of a convolution, an odd number", options=(3, 5, 7))
    cell: str = setting("GRU", "kind of recurrent cell", options=("GRU", "LSTM"))
    hidden: int = setting(64, "units of a frame's summary and of the recurrent state", low=4, high=2048, log=True)
    layers: int = setting(1, "recurrent layers on top of each other", low=1, high=4)
    bidirectional: bool = setting(False, "read the window backwards too")
    dropout: float = setting(0.1, "share of units left out at each step of training", low=0.0, high=0.9)

    def build(self, task: Task) -> Model:
        """Return the network."""
        width = self.hidden * (2 if self.bidirectional else 1)
        return Predictor(CNNRNNEncoder(self, task), width, task)


class CNNRNNEncoder(nn.Module):
    """(batch, window, *shape) -> (batch, width)."""

    def __init__(self, spec: CNNRNN, task: Task) -> None:
        super().__init__()
        self.frame = Convolutions(
            task.shape, task.axes, 1, spec.channels, spec.convolutions, spec.kernel, spec.hidden, spec.dropout
        )
        self.time = LastState(spec.cell, spec.hidden, spec.hidden, spec.layers, spec.bidirectional, spec.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, width)."""
        frames = self.frame(x.flatten(0, 1).unsqueeze(1))
        out: Tensor = self.time(frames.reshape(x.shape[0], x.shape[1], -1))
        return out

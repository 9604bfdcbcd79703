"""RNN: a recurrent network over a window of frames."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from mdnb.models.base import Model, ModelSpec, Predictor, Task
from mdnb.specs import setting

__all__ = ["RNN"]


@dataclass(frozen=True)
class RNN(ModelSpec):
    """Choices of a recurrent network."""

    cell: str = setting("GRU", "kind of recurrent cell", options=("GRU", "LSTM"))
    hidden: int = setting(64, "units of the state", low=4, high=2048, log=True)
    layers: int = setting(1, "recurrent layers on top of each other", low=1, high=4)
    dropout: float = setting(0.1, "share of units left out at each step of training", low=0.0, high=0.9)

    def build(self, task: Task) -> Model:
        """Return the network."""
        return Predictor(RNNEncoder(self, task), self.hidden, task)


class RNNEncoder(nn.Module):
    """(batch, window, *shape) -> (batch, hidden), the state after the last frame.

    References: GRU, Cho et al. (2014), https://doi.org/10.3115/v1/D14-1179; LSTM, Hochreiter, Schmidhuber,
    Neural Comput. 9, 1735 (1997), https://doi.org/10.1162/neco.1997.9.8.1735.
    """

    def __init__(self, spec: RNN, task: Task) -> None:
        super().__init__()
        n_in = 1
        for size in task.shape:
            n_in *= size
        cell = nn.GRU if spec.cell == "GRU" else nn.LSTM
        between = spec.dropout if spec.layers > 1 else 0.0
        self.recurrent = cell(n_in, spec.hidden, spec.layers, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(spec.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, hidden)."""
        states, _ = self.recurrent(x.flatten(2))
        out: Tensor = self.dropout(states[:, -1])
        return out

"""CNN: convolutions over the space of a frame (atoms, residues, or a map), and over a window of frames."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from mdnb.models.base import Model, ModelSpec, Predictor, Task
from mdnb.models.layers import mlp, to_channels
from mdnb.specs import setting

__all__ = ["CNN"]


@dataclass(frozen=True)
class CNN(ModelSpec):
    """Choices of a convolutional network; its dimension (1 to 3) follows from the feature's shape."""

    channels: int = setting(
        32, "channels of the first convolution; doubled by each further one", low=4, high=512, log=True
    )
    layers: int = setting(2, "number of convolutions", low=1, high=6)
    kernel: int = setting(3, "width of a convolution, an odd number", options=(3, 5, 7))
    hidden: int = setting(64, "units between the convolutions and the output", low=4, high=2048, log=True)
    dropout: float = setting(0.1, "share of units left out at each step of training", low=0.0, high=0.9)

    def build(self, task: Task) -> Model:
        """Return the network."""
        encoder = CNNEncoder(self, task)
        return Predictor(encoder, self.hidden, task)


class CNNEncoder(nn.Module):
    """(batch, window, *shape) -> (batch, hidden).

    The window's frames are further channels, so that one convolution sees a neighbourhood in space at all
    times. References: LeCun et al., Proc. IEEE 86, 2278 (1998), https://doi.org/10.1109/5.726791.
    """

    def __init__(self, spec: CNN, task: Task) -> None:
        super().__init__()
        self.axes = task.axes
        in_frame = task.shape[-1] if task.axes[-1] == "xyz" else 1
        space = task.shape[:-1] if task.axes[-1] == "xyz" else task.shape
        convolution = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[len(space) - 1]
        n_in, n_out = in_frame * task.window, spec.channels
        blocks: list[nn.Module] = []
        for _ in range(spec.layers):
            blocks += [convolution(n_in, n_out, spec.kernel, padding=spec.kernel // 2), nn.SiLU()]
            n_in, n_out = n_out, 2 * n_out
        self.convolutions = nn.Sequential(*blocks)
        n_flat = n_in
        for size in space:
            n_flat *= size
        # Positions in a molecule are not exchangeable: what is where matters, so nothing is averaged out.
        self.readout = nn.Sequential(nn.Flatten(), nn.Dropout(spec.dropout), mlp([n_flat, spec.hidden]), nn.SiLU())

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, hidden)."""
        frames = to_channels(x.flatten(0, 1), self.axes)
        stacked = frames.reshape(x.shape[0], -1, *frames.shape[2:])
        out: Tensor = self.readout(self.convolutions(stacked))
        return out

"""CNN: convolutions over the space of a frame (atoms, residues, or a map), and over a window of frames."""

from __future__ import annotations

from dataclasses import dataclass

from mdnb.models.base import Model, ModelSpec, Predictor, Task
from mdnb.models.layers import Convolutions
from mdnb.specs import setting

__all__ = ["CNN"]


@dataclass(frozen=True)
class CNN(ModelSpec):
    """Choices of a convolutional network; its dimension (1 to 3) follows from the feature's shape.

    References
    ----------
    LeCun et al., Proc. IEEE 86, 2278 (1998), https://doi.org/10.1109/5.726791
    """

    channels: int = setting(
        32, "channels of the first convolution; doubled by each further one", low=4, high=512, log=True
    )
    layers: int = setting(2, "number of convolutions", low=1, high=6)
    kernel: int = setting(3, "width of a convolution, an odd number", options=(3, 5, 7))
    hidden: int = setting(64, "units between the convolutions and the output", low=4, high=2048, log=True)
    dropout: float = setting(0.1, "share of units left out at each step of training", low=0.0, high=0.9)

    def build(self, task: Task) -> Model:
        """Return the network."""
        encoder = Convolutions(
            task.shape, task.axes, task.window, self.channels, self.layers, self.kernel, self.hidden, self.dropout
        )
        return Predictor(encoder, self.hidden, task)

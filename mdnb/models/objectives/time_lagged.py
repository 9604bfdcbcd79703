"""TimeLagged: an autoencoder of the frames a lag time later, or, without a lag, of the frames themselves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from mdnb.models.base import Batch, Head, Objective, Task
from mdnb.models.layers import mlp
from mdnb.models.objectives.lag import lag_frames
from mdnb.specs import setting

__all__ = ["TimeLagged"]


@dataclass(frozen=True)
class TimeLagged(Objective):
    """Reconstruct the window a lag time later from few latents."""

    task_kind: ClassVar[str] = "lagged"

    lag_time: float = setting(0.0, "between the sample and what is reconstructed; 0 is a plain autoencoder",
                              low=0.0, high=1e9, unit="ps")  # fmt: skip
    latent: int = setting(2, "dimensions of the latent space", low=1, high=1000, log=True)

    def later(self, window: int, time_step: float) -> list[int]:
        """Return the window at the lag, which shares no frame with the first; without a lag the window itself."""
        lag = 0 if self.lag_time == 0 else lag_frames(self.lag_time, time_step, window)
        return [lag + frame for frame in range(window)]

    def usual_window(self, frames: int, time_step: float) -> int:
        """Return the family's frames, but no more than the lag has."""
        return frames if self.lag_time == 0 else min(frames, lag_frames(self.lag_time, time_step))

    def n_outputs(self, shape: tuple[int, ...]) -> int:
        """Return the number of latents."""
        return self.latent

    def head(self, width: int, task: Task) -> Head:
        """Return the head."""
        return TimeLaggedHead(width, self.latent, math.prod(task.shape) * task.window)


class TimeLaggedHead(Head):
    """Latents (batch, latent) and a decoder to the whole window; squared error.

    References: Wehmeyer, Noe, J. Chem. Phys. 148, 241703 (2018), https://doi.org/10.1063/1.5011399.
    """

    def __init__(self, width: int, latent: int, n_numbers: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, latent)
        self.decoder = mlp([latent, width, width, n_numbers])

    def forward(self, hidden: Tensor, x: Tensor) -> Tensor:
        """Return the latents."""
        out: Tensor = self.linear(hidden)
        return out

    def losses(self, encoder: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the squared error."""
        assert batch.later is not None
        return {"loss": nn.functional.mse_loss(self.reconstruct(encoder, batch.x), batch.later.flatten(1))}

    def reconstruct(self, encoder: nn.Module, x: Tensor) -> Tensor:
        """Return the scaled window a lag later, (batch, window * n_numbers)."""
        out: Tensor = self.decoder(self.linear(encoder(x)))
        return out

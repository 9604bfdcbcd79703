"""Forecast: the frames that follow a window."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from mdnb.models.base import Batch, Head, Objective, Task
from mdnb.specs import setting

__all__ = ["Forecast"]


@dataclass(frozen=True)
class Forecast(Objective):
    """Foresee the next frames of the features."""

    task_kind: ClassVar[str] = "forecast"

    steps: int = setting(1, "frames to foresee after the window", low=1, high=1000, log=True)

    def later(self, window: int, time_step: float) -> list[int]:
        """Return the frames after the window."""
        return [window + step for step in range(self.steps)]

    def n_outputs(self, shape: tuple[int, ...]) -> int:
        """Return steps times the numbers of a frame."""
        return self.steps * math.prod(shape)

    def head(self, width: int, task: Task) -> Head:
        """Return the head."""
        return ForecastHead(width, task.n_outputs, self.steps)


class ForecastHead(Head):
    """Next frames, scaled, (batch, steps * n_numbers): the last frame and a learned change; squared error."""

    def __init__(self, width: int, n_outputs: int, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.change = nn.Linear(width, n_outputs)
        # It begins as persistence: tomorrow as today.
        nn.init.zeros_(self.change.weight)
        nn.init.zeros_(self.change.bias)

    def forward(self, hidden: Tensor, x: Tensor) -> Tensor:
        """Return the frames foreseen."""
        out: Tensor = x[:, -1].flatten(1).repeat(1, self.steps) + self.change(hidden)
        return out

    def losses(self, encoder: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the squared error."""
        assert batch.later is not None
        return {"loss": nn.functional.mse_loss(self(encoder(batch.x), batch.x), batch.later.flatten(1))}

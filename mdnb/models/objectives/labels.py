"""Labels: classification and regression of a target, with calibrated uncertainty where asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from mdnb.models.base import Batch, Head, Objective, Task
from mdnb.models.precision import full_precision
from mdnb.specs import setting

__all__ = ["GaussianHead", "Labels"]


@dataclass(frozen=True)
class Labels(Objective):
    """Predict the target: a class by cross entropy, a number by squared error or a Gaussian."""

    labelled: ClassVar[bool] = True

    uncertainty: bool = setting(False, "of a number predict the error too: a Gaussian's mean and width, calibrated")

    def head(self, width: int, task: Task) -> Head:
        """Return the head."""
        if task.kind == "class":
            return ClassHead(width, task)
        return GaussianHead(width) if self.uncertainty else RealHead(width)


class ClassHead(Head):
    """Classification: logits (batch, n_classes), cross entropy, weighted by class where asked."""

    class_weights: Tensor | None

    def __init__(self, width: int, task: Task) -> None:
        super().__init__()
        self.linear = nn.Linear(width, task.n_outputs)
        weights = torch.tensor(task.class_weights) if task.class_weights else None
        self.register_buffer("class_weights", weights, persistent=False)

    def forward(self, hidden: Tensor, x: Tensor) -> Tensor:
        """Return logits."""
        out: Tensor = self.linear(hidden)
        return out

    def losses(self, encoder: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the cross entropy."""
        assert batch.y is not None
        return {"loss": nn.functional.cross_entropy(self.linear(encoder(batch.x)), batch.y, self.class_weights)}


class RealHead(Head):
    """Regression: the scaled prediction (batch, 1), squared error."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 1)

    def forward(self, hidden: Tensor, x: Tensor) -> Tensor:
        """Return the scaled prediction."""
        out: Tensor = self.linear(hidden)
        return out

    def losses(self, encoder: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the squared error."""
        assert batch.y is not None
        return {"loss": nn.functional.mse_loss(self.linear(encoder(batch.x))[:, 0], batch.y)}


class GaussianHead(Head):
    """Regression with its own error: mean and log variance of a Gaussian, calibrated on the validation part.

    Loss: the negative log likelihood, each sample's weighted by its predicted width so that those with large
    errors are not given up. After training the widths are multiplied by the one factor that makes the mean
    squared standardised error of the validation part 1.

    References: Nix, Weigend (1994), https://doi.org/10.1109/ICNN.1994.374138; Seitzer et al. (2022),
    https://doi.org/10.48550/arXiv.2203.09168; Levi et al., Sensors 22, 5540 (2022),
    https://doi.org/10.3390/s22155540.
    """

    width_factor: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 2)
        self.register_buffer("width_factor", torch.ones(()))

    def forward(self, hidden: Tensor, x: Tensor) -> Tensor:
        """Return the scaled prediction, (batch, 1)."""
        return self.linear(hidden)[:, :1]

    def error(self, hidden: Tensor) -> Tensor:
        """Return the standard deviation of the scaled prediction, (batch,)."""
        return self.width_factor * torch.exp(0.5 * self.linear(hidden)[:, 1].clamp(-12, 6))

    def losses(self, encoder: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the weighted negative log likelihood."""
        assert batch.y is not None
        likelihood, log_variance = self._likelihood(encoder(batch.x), batch.y)
        return {"loss": (likelihood * torch.exp(0.5 * log_variance.detach())).mean()}

    def _likelihood(self, hidden: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return minus the log likelihood of each scaled label but for a constant, and the log variance."""
        with full_precision(hidden):
            mean, log_variance = self.linear(hidden.float()).unbind(1)
            log_variance = log_variance.clamp(-12, 6)
            return 0.5 * (log_variance + (y - mean).square() * torch.exp(-log_variance)), log_variance

    @torch.no_grad()
    def validate(self, encoder: nn.Module, batches: Iterable[Batch]) -> float:
        """Return the negative log likelihood: the weighted one has the right gradient but is no score."""
        total, n = 0.0, 0
        for batch in batches:
            assert batch.y is not None
            likelihood, _ = self._likelihood(encoder(batch.x), batch.y)
            total, n = total + float(likelihood.sum()), n + len(batch.y)
        return total / n

    @torch.no_grad()
    def finish(self, encoder: nn.Module, train: Iterable[Batch], validation: Iterable[Batch]) -> list[str]:
        """Calibrate the widths."""
        self.width_factor.fill_(1.0)
        squares = []
        for batch in validation:
            assert batch.y is not None
            hidden = encoder(batch.x)
            squares.append(((batch.y - self.linear(hidden)[:, 0]) / self.error(hidden)).square())
        self.width_factor.copy_(torch.cat(squares).mean().sqrt())
        return []

"""What every model family offers to the fit loop, to explanations and to generation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from mdnb.errors import SpecError
from mdnb.specs import Spec

__all__ = ["Batch", "Model", "ModelSpec", "Predictor", "Task"]


@dataclass(frozen=True)
class Task:
    """The shape of the data that a model is built for.

    Attributes
    ----------
    shape : tuple of int
        Shape of one frame.
    axes : tuple of str
        Meaning of its axes; a last axis ``xyz`` holds channels.
    window : int
        Frames in a sample.
    kind : {"class", "real", "none"}
        What is predicted.
    n_outputs : int
        Number of classes; 1 for a real number.
    class_weights : tuple of float
        Weight of each class in the loss; empty for equal weights.
    """

    shape: tuple[int, ...]
    axes: tuple[str, ...]
    window: int = 1
    kind: str = "none"
    n_outputs: int = 0
    class_weights: tuple[float, ...] = ()


@dataclass(frozen=True)
class Batch:
    """One batch: x (batch, window, *shape), y (batch,) or None, and how far training is (0 to 1)."""

    x: Tensor
    y: Tensor | None
    progress: float = 1.0


@dataclass(frozen=True)
class ModelSpec(Spec):
    """Base of the choices of a model family."""

    kind: ClassVar[str] = "model"
    #: Whether the family predicts a target (True) or learns the distribution of frames (False).
    supervised: ClassVar[bool] = True

    @abstractmethod
    def build(self, task: Task) -> Model:
        """Return a new network for that data, its weights drawn from torch's random numbers."""


class Model(nn.Module, ABC):
    """A network that knows its own losses; the one fit loop does the rest."""

    #: Group of parameters -> how many successive batches it is trained on before the next group.
    groups: ClassVar[Mapping[str, int]] = {"main": 1}
    #: Decay of the running average of the weights that is kept at the end; 0 keeps the weights of the least
    #: validation loss instead.
    average: ClassVar[float] = 0.0
    #: Adam's two decays.
    betas: ClassVar[tuple[float, float]] = (0.9, 0.999)

    @abstractmethod
    def losses(self, batch: Batch, group: str) -> dict[str, Tensor]:
        """Return ``{"loss": ..., and its parts}`` for one group of parameters."""

    @abstractmethod
    def score(self, x: Tensor) -> Tensor:
        """Return what is explained, (batch, n_outputs), of x (batch, window, *shape)."""

    def group_parameters(self, group: str) -> list[nn.Parameter]:
        """Return the parameters of one group."""
        return list(self.parameters())

    def finish(self, x: Tensor) -> None:
        """See the scaled training samples after the last epoch, (n_samples, window, *shape)."""
        return None


class Predictor(Model):
    """An encoder and a linear head: classification by cross entropy, regression by squared error.

    Data: x (batch, window, *shape), y (batch,). Loss: cross entropy, weighted by class where asked, or mean
    squared error of the scaled target. Shape: `score` is (batch, n_classes) logits or (batch, 1).
    """

    class_weights: Tensor | None

    def __init__(self, encoder: nn.Module, width: int, task: Task) -> None:
        super().__init__()
        if task.kind not in ("class", "real"):
            raise SpecError("this model predicts a target; give mdnb.fit a target such as 'basin'")
        self.task = task
        self.encoder = encoder
        self.head = nn.Linear(width, task.n_outputs)
        weights = torch.tensor(task.class_weights) if task.class_weights else None
        self.register_buffer("class_weights", weights, persistent=False)

    def score(self, x: Tensor) -> Tensor:
        """Return logits (batch, n_classes), or the scaled prediction (batch, 1)."""
        out: Tensor = self.head(self.encoder(x))
        return out

    def losses(self, batch: Batch, group: str) -> dict[str, Tensor]:
        """Return the loss of a batch."""
        scores = self.score(batch.x)
        assert batch.y is not None
        if self.task.kind == "class":
            return {"loss": nn.functional.cross_entropy(scores, batch.y, self.class_weights)}
        return {"loss": nn.functional.mse_loss(scores[:, 0], batch.y)}

"""What every model family offers to the fit loop, to explanations and to generation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from mdnb.errors import SpecError
from mdnb.features.skeleton import Skeleton
from mdnb.specs import Spec

__all__ = ["Batch", "Head", "Model", "ModelSpec", "Objective", "Part", "Predictor", "Task"]


@dataclass(frozen=True)
class Batch:
    """One batch of scaled samples.

    Attributes
    ----------
    x : (batch, window, *shape) tensor
    y : (batch,) tensor or None
        Labels: class numbers, or scaled numbers.
    progress : float
        How far training is, 0 to 1.
    later : (batch, n_later, *shape) tensor or None
        The frames to foresee, or the window at a lag.
    """

    x: Tensor
    y: Tensor | None
    progress: float = 1.0
    later: Tensor | None = None


class Part(Protocol):
    """The samples of one part of a split: read in order as often as wanted, or only some of them."""

    def __iter__(self) -> Iterator[Batch]: ...

    def spread(self, n: int) -> Batch:
        """Return up to n of the samples, evenly spaced over all of them, without reading the others."""
        ...


class Head(nn.Module, ABC):
    """What an objective puts behind a family's encoder, and its loss."""

    @abstractmethod
    def forward(self, hidden: Tensor, x: Tensor) -> Tensor:
        """Return the outputs (batch, n_outputs) of the encoder's (batch, width) for the samples x."""

    @abstractmethod
    def losses(self, encoder: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return ``{"loss": ..., and its parts}``."""

    def validate(self, encoder: nn.Module, batches: Iterable[Batch]) -> float:
        """Return the loss of all batches together."""
        parts = [(float(self.losses(encoder, batch)["loss"]), len(batch.x)) for batch in batches]
        return sum(loss * n for loss, n in parts) / sum(n for _, n in parts)

    def begin(self, train: Iterable[Batch]) -> bool:
        """See the training samples before the first epoch; return whether the start itself may be the best there is."""
        return False

    def finish(self, encoder: nn.Module, train: Iterable[Batch], validation: Iterable[Batch]) -> list[str]:
        """See the samples once more after the last epoch; return what a reader of the results has to know."""
        return []


@dataclass(frozen=True)
class Objective(Spec):
    """Base of what a network can be trained for."""

    kind: ClassVar[str] = "objective"
    #: Whether it needs a target.
    labelled: ClassVar[bool] = False
    #: The kind of task it makes, where the target does not decide that.
    task_kind: ClassVar[str] = "none"
    #: Samples in one step, unless the training says otherwise.
    batch_size: ClassVar[int] = 256
    #: Step size at the start, unless the training says otherwise.
    learning_rate: ClassVar[float] = 2e-3

    def later(self, window: int, time_step: float) -> list[int] | None:
        """Return the later frames that go with a sample, counted from the window's first; None for none.

        Parameters
        ----------
        window : int
            Frames in a sample.
        time_step : float
            Between frames, in ps; NaN when unknown.
        """
        return None

    def usual_window(self, frames: int, time_step: float) -> int:
        """Return the frames of a window where none is asked for.

        Parameters
        ----------
        frames : int
            What the family usually takes.
        time_step : float
            Between frames, in ps; NaN when unknown.
        """
        return frames

    def n_outputs(self, shape: tuple[int, ...]) -> int:
        """Return the number of outputs, for frames of that shape."""
        raise NotImplementedError

    @abstractmethod
    def head(self, width: int, task: Task) -> Head:
        """Return a new head for an encoder of that width."""


@dataclass(frozen=True)
class Task:
    """The shape of the data that a model is built for, and what it is to learn.

    Attributes
    ----------
    shape : tuple of int
        Shape of one frame.
    axes : tuple of str
        Meaning of its axes; a last axis ``xyz`` holds channels.
    window : int
        Frames in a sample.
    kind : {"class", "real", "forecast", "slow", "lagged", "propagate", "none"}
        What is learned. For a family that generates, the kind of its condition, or none.
    n_outputs : int
        Number of classes; 1 for a real number; of slow modes, latents, or foreseen numbers.
    class_weights : tuple of float
        Weight of each class in the loss; empty for equal weights.
    objective : Objective or None
        None for a family that generates.
    influence : tuple of float
        Of a family that generates: how far the atoms move, in nm, when each number of a frame changes by one scaled
        unit; empty where no structures can be rebuilt from the numbers.
    parts : tuple of int
        Of a family that generates: for each number of a frame the part of the molecule (such as a residue) that it
        shapes, and -1 where it moves parts against each other; empty where that is not known.
    skeleton : Skeleton or None
        Of a family that generates: how the heavy atoms of a small molecule are placed from the numbers of a frame.
    means, scales : tuple of float
        With a skeleton: what the numbers are without scaling is ``means + scales * scaled``.
    """

    shape: tuple[int, ...]
    axes: tuple[str, ...]
    window: int = 1
    kind: str = "none"
    n_outputs: int = 0
    class_weights: tuple[float, ...] = ()
    objective: Objective | None = None
    influence: tuple[float, ...] = ()
    parts: tuple[int, ...] = ()
    skeleton: Skeleton | None = None
    means: tuple[float, ...] = ()
    scales: tuple[float, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        content = {one.name: getattr(self, one.name) for one in fields(self)}
        content["skeleton"] = None if self.skeleton is None else asdict(self.skeleton)
        return {**content, "objective": None if self.objective is None else self.objective.to_dict()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Task:
        """Return the task that `to_dict` described."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in content.items()
        }
        objective, skeleton = values.pop("objective"), values.pop("skeleton", None)
        return cls(
            **values,
            objective=None if objective is None else Objective.from_dict(objective),
            skeleton=None if skeleton is None else Skeleton.from_dict(skeleton),
        )


@dataclass(frozen=True)
class ModelSpec(Spec):
    """Base of the choices of a model family."""

    kind: ClassVar[str] = "model"
    #: Whether the family pursues an objective (True) or learns the distribution of frames (False).
    supervised: ClassVar[bool] = True
    #: Frames in a sample, unless a window says otherwise.
    window: ClassVar[int] = 1
    #: Whether the loss of held-out samples tells how good a model is.
    validated: ClassVar[bool] = True

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

    def validate(self, batches: Iterable[Batch]) -> float:
        """Return the loss of all validation batches together."""
        group = next(iter(self.groups))
        parts = [(float(self.losses(batch, group)["loss"]), len(batch.x)) for batch in batches]
        return sum(loss * n for loss, n in parts) / sum(n for _, n in parts)

    def begin(self, train: Part) -> bool:
        """See the training samples before the first epoch; return whether the start itself may be the best there is."""
        return False

    def monitor(self, batches: Part) -> dict[str, float]:
        """Return further columns of the history, from the validation samples after each epoch."""
        return {}

    def finish(self, train: Part, validation: Part) -> list[str]:
        """See the samples once more after the last epoch; return what a reader of the results has to know."""
        return []


class Predictor(Model):
    """A family's encoder, and the head of an objective.

    Data: as the objective needs them, x (batch, window, *shape). Loss and shape of `score`: the head's.

    Parameters
    ----------
    encoder : Module
        (batch, window, *shape) -> (batch, width)
    width : int
    task : Task
    """

    def __init__(self, encoder: nn.Module, width: int, task: Task) -> None:
        super().__init__()
        if task.objective is None:
            raise SpecError("this model predicts a target; give mdnb.fit a target such as 'basin', or an objective")
        self.task = task
        self.encoder = encoder
        self.head = task.objective.head(width, task)

    def score(self, x: Tensor) -> Tensor:
        """Return logits, the scaled prediction, slow modes, latents or foreseen frames, (batch, n_outputs)."""
        out: Tensor = self.head(self.encoder(x), x)
        return out

    def losses(self, batch: Batch, group: str) -> dict[str, Tensor]:
        """Return the loss of a batch."""
        return self.head.losses(self.encoder, batch)

    def validate(self, batches: Iterable[Batch]) -> float:
        """Return the loss of all validation batches together."""
        return self.head.validate(self.encoder, batches)

    @torch.no_grad()
    def begin(self, train: Part) -> bool:
        """Let the head see the training samples before the first epoch."""
        return self.head.begin(train)

    @torch.no_grad()
    def finish(self, train: Part, validation: Part) -> list[str]:
        """Let the head see the samples once more."""
        return self.head.finish(self.encoder, train, validation)

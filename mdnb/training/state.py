"""State: where a training stands, written to disk so that it goes on bit for bit as if it had never stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mdnb.errors import DataError
from mdnb.files import sha256_of, write_tensors, write_whole
from mdnb.models.base import Model
from mdnb.runs import UNUSABLE
from mdnb.specs import Training
from mdnb.training.groups import Group

__all__ = ["Average", "State", "copy_weights"]


def copy_weights(model: Model) -> dict[str, Tensor]:
    """Return a copy of the weights and buffers by name."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


class Average:
    """Running average of the weights, for families whose last weights keep moving.

    Parameters
    ----------
    model : Model
        Whose weights keep their place in memory.
    """

    def __init__(self, model: Model) -> None:
        self.decay = model.average
        self.n_updates = 0
        self.weights = copy_weights(model)
        floating = [name for name, value in self.weights.items() if value.is_floating_point()]
        self._own = [self.weights[name] for name in floating]
        self._models = [model.state_dict()[name] for name in floating]

    @torch.no_grad()
    def update(self) -> None:
        """Take the model's weights into the average."""
        self.n_updates += 1  # the first steps count for less, so that the untrained weights are soon forgotten
        decay = min(self.decay, (1 + self.n_updates) / (10 + self.n_updates))
        torch._foreach_lerp_(self._own, self._models, 1 - decay)


@dataclass
class State:
    """Where a training stands between two epochs.

    Attributes
    ----------
    model : Model
    groups : dict of Group
        Of the parameters, with their optimizers.
    order : Generator
        Of the order of the samples.
    average : Average or None
    best : dict of Tensor
        Weights to keep, as far as is known.
    best_loss : float
    epoch, waited : int
        Epochs done, and since the best.
    history : list of dict
    """

    model: Model
    groups: dict[str, Group]
    order: torch.Generator
    average: Average | None
    best: dict[str, Tensor]
    best_loss: float = float("inf")
    epoch: int = 0
    waited: int = 0
    history: list[dict[str, float]] = field(default_factory=list)

    @classmethod
    def begin(cls, model: Model, training: Training) -> State:
        """Return the state before the first epoch."""
        alone = len(model.groups) == 1
        groups = {name: Group(model.group_parameters(name), training, model.betas, alone) for name in model.groups}
        order = torch.Generator().manual_seed(training.seed)
        return cls(model, groups, order, Average(model) if model.average else None, copy_weights(model))

    def save(self, folder: Path, plan: str, random_states: Mapping[str, Sequence[Tensor]]) -> None:
        """Write ``state-N.safetensors`` and then ``state.json``, which points at it; then drop the one before.

        Killed at any moment, it leaves a whole state.

        Parameters
        ----------
        folder : path
        plan : str
            Key of the plan that it is a state of.
        random_states : mapping
            ``random``, and on a GPU ``cuda``: the states of the random numbers, one for each process.
        """
        tensors: dict[str, Tensor] = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        if self.average is not None:
            tensors |= {f"average.{name}": value for name, value in self.average.weights.items()}
        for name, group in self.groups.items():
            for number, values in group.optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer.{name}.{number}.{key}": value for key, value in values.items()}
        tensors["order"] = self.order.get_state()
        for kind, states in random_states.items():
            tensors |= {f"{kind}.{rank}": state for rank, state in enumerate(states)}
        whole = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
        path = folder / f"state-{self.epoch}.safetensors"
        write_whole(path, lambda to: write_tensors(to, whole))
        content = {
            "plan": plan,
            "file": path.name,
            "sha256": sha256_of(path),
            "epoch": self.epoch,
            "waited": self.waited,
            "best_loss": self.best_loss if self.best_loss < float("inf") else None,
            "n_averaged": self.average.n_updates if self.average else 0,
            "history": self.history,
        }
        write_whole(folder / "state.json", lambda to: to.write_text(json.dumps(content), encoding="utf-8"))
        for other in folder.glob("state-*.safetensors"):
            if other != path:
                other.unlink()

    def restore(self, folder: Path, plan: str, rank: int = 0) -> bool:
        """Continue from what `save` wrote, random numbers included; False where nothing was written yet.

        Raises
        ------
        DataError
            When a file is damaged.
        """
        from safetensors.torch import load_file

        if not (folder / "state.json").exists():
            return False
        try:
            content = json.loads((folder / "state.json").read_text(encoding="utf-8"))
            if content["plan"] != plan:
                raise ValueError("its state is of another training")
            path = folder / Path(content["file"]).name
            if sha256_of(path) != content["sha256"]:
                raise ValueError(f"{path.name} was changed since it was saved (its sha256 differs)")
            self._take(content, load_file(path), rank)
        except UNUSABLE as error:
            raise DataError(f"{folder} cannot be resumed ({error!r}); delete it and train again") from error
        return True

    def _take(self, content: dict[str, Any], tensors: dict[str, Tensor], rank: int) -> None:
        def below(prefix: str) -> dict[str, Tensor]:
            return {name.removeprefix(prefix): one for name, one in tensors.items() if name.startswith(prefix)}

        device = next(self.model.parameters()).device
        self.model.load_state_dict(below("model."))
        self.best = {name: value.to(device) for name, value in below("best.").items()}
        if self.average is not None:
            for name, value in below("average.").items():
                self.average.weights[name].copy_(value)
            self.average.n_updates = int(content["n_averaged"])
        for group, own in self.groups.items():
            states: dict[int, dict[str, Tensor]] = {}
            for name, value in below(f"optimizer.{group}.").items():
                number, key = name.split(".")
                states.setdefault(int(number), {})[key] = value
            own.optimizer.load_state_dict({**own.optimizer.state_dict(), "state": states})
        self.order.set_state(tensors["order"])
        torch.set_rng_state(tensors[f"random.{rank}"])
        if device.type == "cuda":
            torch.cuda.set_rng_state(tensors[f"cuda.{rank}"], device)
        self.epoch, self.waited = int(content["epoch"]), int(content["waited"])
        self.best_loss = float("inf") if content["best_loss"] is None else float(content["best_loss"])
        self.history = list(content["history"])

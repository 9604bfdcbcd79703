"""Conditions: what a generator is told to make, as numbers beside its latents."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mdnb.models.base import Task

__all__ = ["Condition"]


class Condition(nn.Module):
    """A class as one of n, or a scaled number, as columns for a network; nothing where there is no condition.

    It remembers 1,000 conditions of the training samples, which are drawn from when none is asked for; of classes each
    that there is.

    Parameters
    ----------
    task : Task
    """

    known: Tensor

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.kind, self.n_classes = task.kind, task.n_outputs
        self.width = {"class": task.n_outputs, "real": 1}.get(task.kind, 0)
        self.register_buffer("known", torch.zeros(1000 if self.width else 0))

    def forward(self, y: Tensor | None, like: Tensor) -> Tensor:
        """Return (batch, width) columns of the conditions y (batch,), on the device of `like`."""
        if not self.width:
            return like.new_empty(like.shape[0], 0)
        assert y is not None
        if self.kind == "class":
            return nn.functional.one_hot(y.long(), self.n_classes).to(like)
        return y[:, None].to(like)

    def usual(self, like: Tensor) -> Tensor:
        """Return (batch, width) columns of the mean of the conditions that are known, on the device of `like`."""
        if not self.width:
            return like.new_empty(like.shape[0], 0)
        return self(self.known, like).mean(0).expand(like.shape[0], -1)

    def remember(self, y: Tensor | None) -> None:
        """Keep evenly chosen conditions of the training samples."""
        if y is None or not self.width:
            return
        known = y.sort().values[torch.linspace(0, len(y) - 1, len(self.known)).round().long()]
        if self.kind == "class":
            rare = y.unique()[~torch.isin(y.unique(), known)]
            (common,) = torch.where(known == known.mode().values)
            known[common[: len(rare)]] = rare
        self.known.copy_(known.sort().values)

    def draw(self, n: int, generator: torch.Generator) -> Tensor | None:
        """Return n conditions as they were in training, or None."""
        if not self.width:
            return None
        return self.known[torch.randint(len(self.known), (n,), generator=generator)]

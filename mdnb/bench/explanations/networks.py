"""Trained networks of 1,000 inputs to explain, and networks whose Shapley values are known by theory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from mdnb.explanation.players import Players
from mdnb.explanation.problem import Problem, Scored
from mdnb.models.base import Task
from mdnb.models.layers import mlp
from mdnb.models.objectives import Labels
from mdnb.specs import spec_class

__all__ = ["Additive", "Multilinear", "families", "grouped", "problem_of", "trained"]

_N_BACKGROUND = 50


def first_output(model: nn.Module, x: Tensor) -> Tensor:
    """Return the first output of a network or model."""
    score: Callable[[Tensor], Tensor] = getattr(model, "score", model)
    return score(x)[:, 0]


class _Flat(nn.Module):
    """A head of linear layers on all numbers of a sample."""

    def __init__(self, n_inputs: int) -> None:
        super().__init__()
        self.layers = mlp([n_inputs, 128, 64, 1])

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, 1)."""
        out: Tensor = self.layers(x.flatten(1))
        return out


def families() -> dict[str, Callable[[], Problem]]:
    """Return for each kind of network a function that trains one of 1,000 inputs and asks about ten samples."""

    def ask(task: Task, name: str, **choices: object) -> Callable[[], Problem]:
        def make() -> Problem:
            torch.manual_seed(0)
            model = spec_class(name, kind="model")(**choices).build(task)  # type: ignore[attr-defined]
            return trained(model, (task.window, *task.shape))

        return make

    def head() -> Problem:
        torch.manual_seed(0)
        return trained(_Flat(1000), (1, 1000))

    labels = Labels()
    window = Task((50,), ("feature",), 20, "real", 1, objective=labels)
    return {
        "MLP head": head,
        "1-D CNN": ask(Task((1000,), ("feature",), 1, "real", 1, objective=labels), "CNN"),
        "3-D CNN": ask(Task((10, 10, 10), ("x", "y", "z"), 1, "real", 1, objective=labels), "CNN", channels=8),
        "GRU": ask(window, "RNN"),
        "CNN+RNN": ask(window, "CNNRNN"),
    }


def trained(model: nn.Module, shape: tuple[int, ...], epochs: int = 4, n_samples: int = 10) -> Problem:
    """Train a network on a smooth function of random inputs and return the problem of explaining some of them."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(1000 + n_samples, *shape, generator=generator)
    direction = torch.randn(int(np.prod(shape)), generator=generator) / np.sqrt(np.prod(shape))
    place = x.flatten(1) @ direction
    y = torch.sin(2 * place) + place
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3)
    model.train()
    for _ in range(epochs):
        for rows in torch.randperm(1000, generator=generator).split(64):
            loss = (first_output(model, x[rows]) - y[rows]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model.eval()
    return problem_of(model, x[1000:], x[:_N_BACKGROUND])


def problem_of(
    model: nn.Module,
    x: Tensor,
    background: Tensor,
    groups: np.ndarray | None = None,
    head: Callable[[nn.Module, Tensor], Tensor] = first_output,
) -> Problem:
    """Return the problem of explaining samples against an even background.

    Parameters
    ----------
    model : nn.Module
    x, background : tensors
    groups : (n_inputs,) int array, optional
        The player that each input is of; each is one of its own when left out.
    head : function of model and inputs
    """
    owner = np.arange(x[0].numel()) if groups is None else groups
    names = tuple(str(number) for number in range(int(owner.max()) + 1))
    players = Players("input", names, np.eye(len(names), dtype=bool)[owner], ((),) * len(names))
    return Problem(Scored(model, head), x, background, np.full(len(background), 1 / len(background)), players)


class Additive(nn.Module):
    """A sum of a small network for each of 12 groups of three inputs: groups do not interact."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList(mlp([3, 16, 1]) for _ in range(12))

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, 1)."""
        parts = x.flatten(1).split(3, dim=1)
        return torch.stack([own(part) for own, part in zip(self.parts, parts, strict=True)]).sum(0)


class Multilinear(nn.Module):
    """A sum of products of two and three different inputs of 12: linear in each input when the others rest."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(2)
        self.factors = nn.Parameter(torch.randn(20, generator=generator))
        self.terms = [torch.randperm(12, generator=generator)[: 2 + number % 2] for number in range(20)]

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, 1)."""
        flat = x.flatten(1)
        products = torch.stack([flat[:, own].prod(1) for own in self.terms], 1)
        return (products @ self.factors)[:, None]


def grouped(problem: Problem, n_groups: int = 12) -> Problem:
    """Return the problem with its inputs dealt to so many players, in blocks."""
    owner = np.arange(problem.n_inputs) * n_groups // problem.n_inputs
    names = tuple(str(number) for number in range(n_groups))
    return replace(problem, players=Players("input", names, np.eye(n_groups, dtype=bool)[owner], ((),) * n_groups))

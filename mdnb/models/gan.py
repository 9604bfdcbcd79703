"""GAN: a Wasserstein generative adversarial network of frames with gradient penalty."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from mdnb.models.base import Batch, Model, ModelSpec, Task
from mdnb.models.layers import mlp
from mdnb.specs import setting

__all__ = ["GAN"]


@dataclass(frozen=True)
class GAN(ModelSpec):
    """Choices of a generative adversarial network."""

    supervised: ClassVar[bool] = False

    latent: int = setting(32, "dimensions of the generator's noise", low=1, high=512, log=True)
    hidden: int = setting(128, "units of each hidden layer", low=8, high=2048, log=True)
    layers: int = setting(3, "hidden layers of generator and critic", low=1, high=6)
    penalty: float = setting(1.0, "weight of the gradient penalty", low=0.0, high=100.0)

    def build(self, task: Task) -> Model:
        """Return the two networks."""
        return GANModel(self, task)


class GANModel(Model):
    """WGAN-GP: a critic tells real from generated frames, a generator learns to pass.

    Data: x (batch, 1, *shape), scaled. Loss: Wasserstein critic with gradient penalty, the two
    trained in turns. Shape: `score` is (batch, 1), the critic's score (high for real frames).

    References: Gulrajani et al. (2017), https://doi.org/10.48550/arXiv.1704.00028.
    """

    groups: ClassVar[Mapping[str, int]] = {"critic": 1, "generator": 1}
    average: ClassVar[float] = 0.999
    betas: ClassVar[tuple[float, float]] = (0.5, 0.9)

    def __init__(self, spec: GAN, task: Task) -> None:
        super().__init__()
        self.spec, self.shape = spec, task.shape
        n_numbers = math.prod(task.shape)
        inner = [spec.hidden] * spec.layers
        self.generator = mlp([spec.latent, *inner, n_numbers])
        self.critic = mlp([n_numbers, *inner, 1])
        self.log_width = nn.Parameter(torch.full((n_numbers,), -2.0))

    def group_parameters(self, group: str) -> list[nn.Parameter]:
        """Return the critic's parameters, or the generator's."""
        if group == "critic":
            return list(self.critic.parameters())
        return [*self.generator.parameters(), self.log_width]

    def score(self, x: Tensor) -> Tensor:
        """Return the critic's score, (batch, 1)."""
        out: Tensor = self.critic(x.flatten(1))
        return out

    def _generate(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        noise = torch.randn(n, self.spec.latent, generator=generator)
        means: Tensor = self.generator(noise)
        # Thermal noise of each number on its own, which a smooth map of few dimensions cannot make.
        return means + torch.exp(self.log_width) * torch.randn(means.shape, generator=generator)

    def losses(self, batch: Batch, group: str) -> dict[str, Tensor]:
        """Return the critic's loss or the generator's."""
        real = batch.x.flatten(1)
        fake = self._generate(len(real))
        if group == "generator":
            return {"loss": -self.critic(fake).mean()}
        fake = fake.detach()
        mix = torch.rand(len(real), 1)
        between = (mix * real + (1 - mix) * fake).requires_grad_(True)
        (slope,) = torch.autograd.grad(self.critic(between).sum(), between, create_graph=True)
        penalty = (slope.norm(dim=1) - 1).square().mean()
        distance = self.critic(real).mean() - self.critic(fake).mean()
        return {"loss": -distance + self.spec.penalty * penalty, "distance": distance, "penalty": penalty}

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return n scaled frames, (n, *shape)."""
        return self._generate(n, generator).reshape(n, *self.shape)

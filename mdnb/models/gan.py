"""GAN: a Wasserstein generative adversarial network of frames with gradient penalty."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from mdnb.models.base import Batch, Model, ModelSpec, Part, Task
from mdnb.models.condition import Condition
from mdnb.models.layers import mlp
from mdnb.specs import setting

__all__ = ["GAN"]


@dataclass(frozen=True)
class GAN(ModelSpec):
    """Choices of a generative adversarial network."""

    supervised: ClassVar[bool] = False
    validated: ClassVar[bool] = False

    latent: int = setting(32, "dimensions of the generator's noise", low=1, high=512, log=True)
    hidden: int = setting(128, "units of each hidden layer", low=8, high=2048, log=True)
    layers: int = setting(3, "hidden layers of generator and critic", low=1, high=6)
    penalty: float = setting(1.0, "weight of the gradient penalty", low=0.0, high=100.0)

    def build(self, task: Task) -> Model:
        """Return the two networks."""
        return GANModel(self, task)


class GANModel(Model):
    """WGAN-GP: a critic tells real from generated frames, a generator learns to pass; conditional with a label.

    Data: x (batch, 1, *shape), scaled; y (batch,) for a conditional one. Loss: Wasserstein critic with gradient
    penalty, the two trained in turns. Shape: `score` is (batch, 1), the critic's score (high for real frames).
    The history holds two measures of mode collapse: ``coverage``, the share of held-out real frames that have a
    generated one among their neighbours along the three first principal components (about 0.97 where the two
    distributions are the same), and ``diversity``, the spread of generated frames over that of real ones (then 1).

    References: Gulrajani et al. (2017), https://doi.org/10.48550/arXiv.1704.00028; Mirza, Osindero (2014,
    conditional), https://doi.org/10.48550/arXiv.1411.1784; Naeem et al. (2020, coverage),
    https://doi.org/10.48550/arXiv.2002.09797.
    """

    groups: ClassVar[Mapping[str, int]] = {"critic": 1, "generator": 1}
    average: ClassVar[float] = 0.999
    betas: ClassVar[tuple[float, float]] = (0.5, 0.9)

    def __init__(self, spec: GAN, task: Task) -> None:
        super().__init__()
        self.spec, self.shape, self.conditional = spec, task.shape, task.kind != "none"
        self.condition = Condition(task)
        n_numbers, known = math.prod(task.shape), self.condition.width
        inner = [spec.hidden] * spec.layers
        self.generator = mlp([spec.latent + known, *inner, n_numbers])
        self.critic = mlp([n_numbers + known, *inner, 1])
        self.log_width = nn.Parameter(torch.full((n_numbers,), -2.0))

    def group_parameters(self, group: str) -> list[nn.Parameter]:
        """Return the critic's parameters, or the generator's."""
        if group == "critic":
            return list(self.critic.parameters())
        return [*self.generator.parameters(), self.log_width]

    def score(self, x: Tensor) -> Tensor:
        """Return the critic's score, (batch, 1); of a conditional one for the mean of the conditions."""
        flat = x.flatten(1)
        known = flat.new_empty(flat.shape[0], 0)
        if self.conditional:
            known = self.condition(self.condition.known, flat).mean(0).expand(flat.shape[0], -1)
        return self._judge(flat, known)

    def _judge(self, flat: Tensor, known: Tensor) -> Tensor:
        out: Tensor = self.critic(torch.cat([flat, known], dim=1))
        return out

    def _generate(self, known: Tensor, generator: torch.Generator | None = None) -> Tensor:
        noise = torch.randn(len(known), self.spec.latent, generator=generator, device=known.device)
        means: Tensor = self.generator(torch.cat([noise, known], dim=1))
        # Thermal noise of each number on its own, which a smooth map of few dimensions cannot make.
        rest = torch.randn(means.shape, generator=generator, device=means.device)
        return means + torch.exp(self.log_width) * rest

    def losses(self, batch: Batch, group: str) -> dict[str, Tensor]:
        """Return the critic's loss or the generator's."""
        real = batch.x.flatten(1)
        known = self.condition(batch.y, real)
        fake = self._generate(known)
        if group == "generator":
            return {"loss": -self._judge(fake, known).mean()}
        fake = fake.detach()
        mix = torch.rand(len(real), 1, device=real.device)
        between = (mix * real + (1 - mix) * fake).requires_grad_(True)
        (slope,) = torch.autograd.grad(self._judge(between, known).sum(), between, create_graph=True)
        penalty = (slope.norm(dim=1) - 1).square().mean()
        distance = self._judge(real, known).mean() - self._judge(fake, known).mean()
        return {"loss": -distance + self.spec.penalty * penalty, "distance": distance, "penalty": penalty}

    @torch.no_grad()
    def monitor(self, batches: Part) -> dict[str, float]:
        """Return coverage and diversity of as many generated frames as real ones."""
        seen = batches.spread(500)
        real = seen.x.flatten(1)
        return _collapse(real, self._generate(self.condition(seen.y, real)))

    @torch.no_grad()
    def finish(self, train: Part, validation: Part) -> list[str]:
        """Remember the conditions, and say when modes are missing."""
        labels = [batch.y for batch in train if batch.y is not None]
        self.condition.remember(torch.cat(labels) if labels else None)
        found = self.monitor(validation)
        # As good as real frames of the training.
        usual = _collapse(validation.spread(500).x.flatten(1), train.spread(500).x.flatten(1))
        if found["coverage"] >= 0.6 * usual["coverage"] and found["diversity"] >= 0.7 * usual["diversity"]:
            return []
        return [
            f"generated frames are near {found['coverage']:.0%} of the held-out real ones (training frames: "
            f"{usual['coverage']:.0%}) and {found['diversity']:.2f} times as diverse ({usual['diversity']:.2f}): the "
            "GAN misses modes (mode collapse) or has to train longer"
        ]

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator, condition: Tensor | None = None) -> Tensor:
        """Return n scaled frames, (n, *shape), given conditions (n,) or some as they were in training."""
        if condition is None:
            condition = self.condition.draw(n, generator)
        known = self.condition(condition, self.log_width.new_empty(n, 1))
        return self._generate(known, generator).reshape(n, *self.shape)


def _collapse(real: Tensor, fake: Tensor, k: int = 5) -> dict[str, float]:
    """Return coverage and diversity of fake frames (n, d).

    Neighbours are those in the plane of the first principal components of the real frames: in many dimensions the
    mean is a neighbour of all.
    """
    k = min(k, len(real) - 1)
    if k < 1:
        return {"coverage": float("nan"), "diversity": float("nan")}
    mean = real.mean(0)
    _, _, axes = torch.linalg.svd(real - mean, full_matrices=False)
    ours, theirs = (real - mean) @ axes[:3].T, (fake - mean) @ axes[:3].T
    radius = torch.cdist(ours, ours).kthvalue(k + 1, dim=1).values  # the first is the frame itself
    covered = (torch.cdist(ours, theirs) <= radius[:, None]).any(1)
    diversity = (fake.var(0).sum() / real.var(0).sum().clamp(min=1e-12)).sqrt()
    return {"coverage": float(covered.float().mean()), "diversity": float(diversity)}

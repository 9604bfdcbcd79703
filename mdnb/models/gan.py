"""GAN: a Wasserstein generative adversarial network of frames, with an encoder and gradient penalty."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from mdnb.models.autoencoder import Autoencoder, Coding, Generator
from mdnb.models.base import Batch, Model, Part, Task
from mdnb.models.condition import Condition
from mdnb.models.layers import mlp
from mdnb.specs import setting

__all__ = ["GAN"]


#: Hidden layers of generator and critic.
_LAYERS = 2


@dataclass(frozen=True)
class GAN(Coding):
    """Choices of a generative adversarial network."""

    validated: ClassVar[bool] = False

    noise: int = setting(64, "dimensions of the generator's noise", low=1, high=512, log=True)
    penalty: float = setting(1.0, "weight of the gradient penalty", low=0.0, high=100.0)

    def build(self, task: Task) -> Model:
        """Return the networks."""
        return GANModel(self, task)


class GANModel(Generator):
    """A GAN with an encoder, whose critic sees frames beside their latents; conditional with a label.

    A frame is what is decoded from its latents, and the rest, which the generator makes of the latents and of noise.
    The critic is shown latents with the rest of the real frame, or with a generated one, so that the generator learns
    how the atoms move in every state of the molecule, and no state can be forgotten: a plain WGAN-GP of internal
    coordinates leaves out or invents states. Latents are drawn from a density fitted on those of the training frames,
    and mean and spread of each number of the rest, over all training frames, are set to those of the training frames
    after the last epoch: what is left of a game that two networks play is off by some percent, and frames with too
    little thermal motion crowd around the training frames.

    Data: x (batch, 1, *shape), scaled; y (batch,) for a conditional one. Loss: Wasserstein critic with gradient
    penalty, and that of a VAE for encoder and decoder, trained in turns. Shape: `score` is (batch, 1), the
    critic's score (high for real frames). The history holds two measures of mode collapse: ``coverage``, the share of
    held-out real frames that have a generated one, made of the latents of others, among their neighbours along the
    three first principal components (about 0.97 where the two distributions are the same), and ``diversity``, the
    spread of generated frames over that of real ones (then 1); both before that spread is set, of the weights as they
    are in that epoch.

    References: Larsen et al. (2016, VAE/GAN), https://doi.org/10.48550/arXiv.1512.09300; Dumoulin et al. (2017, critic
    of frames and latents), https://doi.org/10.48550/arXiv.1606.00704; Gulrajani et al. (2017, gradient penalty),
    https://doi.org/10.48550/arXiv.1704.00028; Mirza, Osindero (2014, conditional),
    https://doi.org/10.48550/arXiv.1411.1784; Naeem et al. (2020, coverage),
    https://doi.org/10.48550/arXiv.2002.09797.
    """

    groups: ClassVar[Mapping[str, int]] = {"coding": 2, "critic": 1, "generator": 1}
    average: ClassVar[float] = 0.999
    betas: ClassVar[tuple[float, float]] = (0.5, 0.9)

    def __init__(self, spec: GAN, task: Task) -> None:
        super().__init__()
        self.spec, self.shape = spec, task.shape
        self.autoencoder = Autoencoder(spec, task)
        n_numbers, known = math.prod(task.shape), self.condition.width
        inner = [spec.hidden] * _LAYERS
        self.generator = mlp([spec.latent + spec.noise + known, *inner, n_numbers])
        self.critic = mlp([n_numbers + spec.latent + known, *inner, 1])
        self.log_width = nn.Parameter(torch.full((n_numbers,), -0.7))
        self.factor: Tensor
        self.offset: Tensor
        self.register_buffer("factor", torch.ones(n_numbers))
        self.register_buffer("offset", torch.zeros(n_numbers))

    def group_parameters(self, group: str) -> list[nn.Parameter]:
        """Return the parameters of encoder and decoder, of the critic, or of what makes the rest of a frame."""
        if group == "generator":
            return [*self.generator.parameters(), self.log_width]
        return list((self.autoencoder if group == "coding" else self.critic).parameters())

    @property
    def condition(self) -> Condition:
        """The autoencoder's: one module, which is saved once."""
        return self.autoencoder.condition

    @property
    def coding(self) -> Autoencoder:
        """The autoencoder, whose latents the generator and the critic see."""
        return self.autoencoder

    @property
    def unit(self) -> Tensor:
        """What the generator and the critic measure each number of the rest in, (n_numbers,)."""
        return torch.exp(self.autoencoder.log_width.detach()).clamp(min=1e-3, max=1.0)

    def reconstruct(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the scaled frames (batch, *shape) that the means of the latents stand for."""
        return self.autoencoder.reconstruct(x, y)

    def score(self, x: Tensor) -> Tensor:
        """Return the critic's score, (batch, 1); of a conditional one for the mean of the conditions."""
        known = self.condition.usual(x)
        z = self.autoencoder.score(x)
        decoded: Tensor = self.autoencoder.decoder(torch.cat([z, known], dim=1))
        return self._judge((x.flatten(1) - decoded) / self.unit, z, known)

    def _judge(self, rest: Tensor, z: Tensor, known: Tensor) -> Tensor:
        out: Tensor = self.critic(torch.cat([rest, z, known], dim=1))
        return out

    def _real(self, batch: Batch, z: Tensor) -> Tensor:
        """Return what real frames have beside their decoded latents, (batch, n_numbers), in its unit."""
        return (batch.x - self.autoencoder.decode(z, batch.y)[:, None]).flatten(1) / self.unit

    def _rest(self, z: Tensor, known: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return what frames have beside the decoded latents as the generator makes it, (batch, n_numbers)."""
        noise = torch.randn(len(z), self.spec.noise, generator=generator, device=z.device)
        means: Tensor = self.generator(torch.cat([z, noise, known], dim=1))
        # Thermal noise of each number on its own, which a smooth map of few dimensions cannot make.
        own = torch.randn(means.shape, generator=generator, device=means.device)
        return means + torch.exp(self.log_width) * own

    def _frames(self, z: Tensor, y: Tensor | None, generator: torch.Generator | None = None) -> Tensor:
        """Return generated frames (batch, *shape), scaled."""
        rest = self.offset + self.factor * self._rest(z, self.condition(y, z), generator)
        return self.autoencoder.decode(z, y) + (self.unit * rest).reshape(len(z), *self.shape)

    def losses(self, batch: Batch, group: str) -> dict[str, Tensor]:
        """Return the loss of encoder and decoder, of the critic, or of the generator."""
        if group == "coding":
            return self.autoencoder.losses(batch, group)
        known = self.condition(batch.y, batch.x)
        with torch.no_grad():
            z = self.autoencoder.draw(batch.x, batch.y)
            real = self._real(batch, z)
        made = self._rest(z, known)
        if group == "generator":
            return {"loss": -self._judge(made, z, known).mean()}
        made = made.detach()
        mix = torch.rand(len(real), 1, device=real.device)
        between = (mix * real + (1 - mix) * made).requires_grad_(True)
        (slope,) = torch.autograd.grad(self._judge(between, z, known).sum(), between, create_graph=True)
        penalty = (slope.norm(dim=1) - 1).square().mean()
        distance = self._judge(real, z, known).mean() - self._judge(made, z, known).mean()
        return {"loss": -distance + self.spec.penalty * penalty, "distance": distance, "penalty": penalty}

    @torch.no_grad()
    def monitor(self, batches: Part) -> dict[str, float]:
        """Return coverage and diversity of frames generated from the latents of every other real one."""
        seen = batches.spread(1000)
        y = None if seen.y is None else seen.y[::2]
        made = self._frames(self.autoencoder.draw(seen.x[::2], y), y)
        return _collapse(seen.x[1::2].flatten(1), made.flatten(1))

    @torch.no_grad()
    def finish(self, train: Part, validation: Part) -> list[str]:
        """Fit the density of the latents, set mean and spread of the rest, and say when modes are missing."""
        notes = self.autoencoder.finish(train, validation)
        self.factor.fill_(1.0)
        self.offset.fill_(0.0)
        seen = validation.spread(500)
        made = self.sample(len(seen.x), torch.Generator(seen.x.device).manual_seed(0), seen.y)
        found = _collapse(seen.x.flatten(1), made.flatten(1))  # of what was learned: the spread is set afterwards
        self._set_spread(train)
        # As good as real frames of the training.
        usual = _collapse(seen.x.flatten(1), train.spread(500).x.flatten(1))
        if found["coverage"] >= 0.6 * usual["coverage"] and found["diversity"] >= 0.7 * usual["diversity"]:
            return notes
        return [
            *notes,
            f"generated frames are near {found['coverage']:.0%} of the held-out real ones (training frames: "
            f"{usual['coverage']:.0%}) and {found['diversity']:.2f} times as diverse ({usual['diversity']:.2f}): the "
            "GAN misses modes (mode collapse) or has to train longer",
        ]

    def _set_spread(self, train: Part) -> None:
        """Find what gives each number of the rest the mean and the spread that it has in the training frames."""
        n_frames, moments = 0, self.unit.new_zeros(2, 2, len(self.unit), dtype=torch.float64)
        for batch in train:
            z = self.autoencoder.draw(batch.x, batch.y)
            both = torch.stack([self._real(batch, z), self._rest(z, self.condition(batch.y, batch.x))]).double()
            n_frames += len(z)
            moments += torch.stack([both.sum(1), both.square().sum(1)])
        mean, square = moments / n_frames
        width = (square - mean.square()).clamp(min=0).sqrt()
        self.factor.copy_(torch.where(width[1] > 0, width[0] / width[1], 1.0))
        self.offset.copy_(mean[0] - self.factor * mean[1])

    @torch.no_grad()
    def frames(
        self, z: Tensor, generator: torch.Generator, condition: Tensor | None = None, which: Tensor | None = None
    ) -> Tensor:
        """Return scaled frames, (n, *shape), of latents (n, latent), with new noise; it knows of no parts."""
        return self._frames(z, condition, generator)


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

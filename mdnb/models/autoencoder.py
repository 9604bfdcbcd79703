"""Autoencoder: a variational autoencoder of frames, with a density fitted on its latents; what VAE and GAN share."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from mdnb.models.base import Batch, Model, ModelSpec, Task
from mdnb.models.condition import Condition
from mdnb.models.latents import Density
from mdnb.models.layers import Convolutions, mlp
from mdnb.models.rebuild import Rebuild
from mdnb.specs import setting

__all__ = ["Autoencoder", "Coding", "Generator"]

#: Least weight of a number, as a share of the one that moves the atoms most.
_LEAST = 0.05


@dataclass(frozen=True)
class Coding(ModelSpec):
    """Choices of how frames become latents and latents frames."""

    kind: ClassVar[str] = "model"
    supervised: ClassVar[bool] = False

    latent: int = setting(10, "dimensions of the latent space", low=1, high=128, log=True)
    hidden: int = setting(256, "units of each hidden layer", low=8, high=2048, log=True)
    layers: int = setting(2, "hidden layers of encoder and decoder", low=1, high=6)
    encoder: str = setting("mlp", "layers that read a frame: fully connected, or convolutions (for maps and grids)",
                           options=("mlp", "convolutions"))  # fmt: skip
    beta: float = setting(0.5, "weight of the Kullback-Leibler term", low=0.0, high=100.0, searched=False)
    warmup: float = setting(0.3, "share of training over which beta rises from 0", low=0.0, high=1.0, searched=False)
    resolution: float = setting(0.003, "how far an atom has to move before a latent is worth it, where the features "
                                "are those of structures", low=1e-4, high=0.1, log=True, unit="nm",
                                searched=False)  # fmt: skip
    components: int = setting(
        50, "Gaussians of the density fitted on the latents", low=1, high=500, log=True, searched=False
    )


class Autoencoder(Model):
    """An encoder and a decoder of frames, conditional where there is a label.

    Data: x (batch, 1, *shape), scaled; y (batch,) for a conditional one. Loss: negative log likelihood of a
    Gaussian, plus beta times the Kullback-Leibler divergence from the standard normal. Where the task says how far
    each number moves the atoms, the width of the Gaussian is that of atoms displaced by the resolution, so that the
    latents hold what moves the molecule, and not the vibration of each bond. Where it says how the heavy atoms of a
    small molecule are placed, they are placed, and it is their displacement, superposed, that counts: numbers whose
    errors make up for each other, such as the angles along a chain, cost nothing. Elsewhere each number has a learned
    width (sigma-VAE). Shape: `score` is (batch, latent), the mean of the posterior.

    Latents are drawn from a mixture of Gaussians fitted on those of the training samples after training, since the
    standard normal is not where they are. With a condition the mixture is that of latents and condition together, and
    is drawn from given the condition.

    References: Kingma, Welling (2013), https://doi.org/10.48550/arXiv.1312.6114; Sohn, Lee, Yan (NeurIPS 2015,
    conditional); Rybkin, Daniilidis, Levine (2021), https://doi.org/10.48550/arXiv.2006.13202; Ghosh et al. (2020),
    https://doi.org/10.48550/arXiv.1903.12436.
    """

    def __init__(self, spec: Coding, task: Task) -> None:
        super().__init__()
        self.spec, self.shape, self.conditional = spec, task.shape, task.kind != "none"
        self.condition = Condition(task)
        n_numbers, known = math.prod(task.shape), self.condition.width
        inner = [spec.hidden] * spec.layers
        self.read: nn.Module = nn.Flatten()
        n_read = n_numbers
        if spec.encoder == "convolutions":
            self.read = Convolutions(task.shape, task.axes, 1, 16, 2, 3, spec.hidden, 0.0)
            n_read = spec.hidden
        self.encoder = mlp([n_read + known, *inner, 2 * spec.latent])
        self.decoder = mlp([spec.latent + known, *inner, n_numbers])
        if task.influence:
            influence = torch.tensor(task.influence)
            # What moves no atom by itself still has to be near its mean; of atoms that are rebuilt, that is all.
            least = torch.full_like(influence, _LEAST * max(task.influence))
            precision = (least if task.skeleton is not None else influence.maximum(least)) / spec.resolution
            self.register_buffer("log_width", -torch.log(precision))
        else:
            self.log_width = nn.Parameter(torch.zeros(n_numbers))
        self.rebuild = None if task.skeleton is None else Rebuild(task.skeleton, task.means, task.scales)
        self.density = Density(spec.components, spec.latent, known)

    def encode(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of the posterior, each (batch, latent).

        Without the conditions y, a conditional VAE takes the mean of those it knows.
        """
        known = self.condition.usual(x) if y is None else self.condition(y, x)
        mean, log_variance = self.encoder(torch.cat([self.read(x), known], dim=1)).chunk(2, dim=1)
        return mean, log_variance.clamp(-12, 6)

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the decoder's means, (batch, *shape), scaled."""
        out: Tensor = self.decoder(torch.cat([z, self.condition(y, z)], dim=1))
        return out.reshape(z.shape[0], *self.shape)

    def draw(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Return latents drawn from the posterior, (batch, latent)."""
        return _drawn(*self.encode(x, y))

    def reconstruct(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the scaled frames (batch, *shape) that the means of the latents stand for."""
        return self.decode(self.encode(x, y)[0], y)

    def score(self, x: Tensor) -> Tensor:
        """Return the posterior's mean, (batch, latent)."""
        return self.encode(x)[0]

    def losses(self, batch: Batch, group: str) -> dict[str, Tensor]:
        """Return the loss, and its reconstruction and divergence parts in nats per frame."""
        flat = batch.x.flatten(1)
        mean, log_variance = self.encode(batch.x, batch.y)
        z = _drawn(mean, log_variance)
        log_width = self.log_width.clamp(min=-4.0) if isinstance(self.log_width, nn.Parameter) else self.log_width
        decoded = self.decode(z, batch.y).flatten(1)
        error = (flat - decoded) * torch.exp(-log_width)
        reconstruction = (0.5 * error.square() + log_width).sum(1).mean()
        if self.rebuild is not None:
            moved = self.rebuild.apart(decoded, flat).mean()
            reconstruction = reconstruction + 0.5 * moved / self.spec.resolution**2
        divergence = _divergence(mean, log_variance).sum(1).mean()
        beta = self.spec.beta * (min(1.0, batch.progress / self.spec.warmup) if self.spec.warmup else 1.0)
        return {
            "loss": reconstruction + beta * divergence,
            "reconstruction": reconstruction,
            "divergence": divergence,
        }

    def see(self, batch: Batch, z: Tensor, width: Tensor) -> None:
        """Take in training samples after the last epoch, with draws from their posteriors and the widths of these."""

    @torch.no_grad()
    def finish(self, train: Iterable[Batch], validation: Iterable[Batch]) -> list[str]:
        """Fit the density of the latents, and say which latents are not used."""
        means, widths, drawn, known, labels = [], [], [], [], []
        generator = torch.Generator().manual_seed(0)
        for batch in train:
            mean, log_variance = self.encode(batch.x, batch.y)
            z = _drawn(mean, log_variance, generator)
            self.see(batch, z, torch.exp(0.5 * log_variance))
            means.append(mean)
            widths.append(log_variance)
            drawn.append(z)
            known.append(self.condition(batch.y, batch.x))
            if batch.y is not None:
                labels.append(batch.y)
        self.condition.remember(torch.cat(labels) if labels else None)
        self.density.fit(torch.cat(drawn), torch.cat(known))
        mean, log_variance = torch.cat(means), torch.cat(widths)
        unused = int((_divergence(mean, log_variance).mean(0) < 0.01).sum())
        if not unused:
            return []
        return [
            f"{unused} of {self.spec.latent} latent dimensions hold nothing (posterior collapse): fewer would do, or a "
            "smaller beta or a longer warmup uses them"
        ]

    @torch.no_grad()
    def latents(
        self, n: int, generator: torch.Generator, condition: Tensor | None = None
    ) -> tuple[Tensor | None, Tensor]:
        """Return n conditions, some as they were in training where none are given, and latents drawn given them."""
        if condition is None:
            condition = self.condition.draw(n, generator)
        return condition, self.density.draw(self.condition(condition, self.density.means[:1].expand(n, -1)), generator)


class Generator(Model):
    """A family that draws frames from latents: what `mdnb.generate` and walks through the latents need of it."""

    @property
    @abstractmethod
    def coding(self) -> Autoencoder:
        """What makes latents of frames, and the mean of frames of latents."""

    @abstractmethod
    def frames(
        self, z: Tensor, generator: torch.Generator, condition: Tensor | None = None, which: Tensor | None = None
    ) -> Tensor:
        """Return scaled frames, (n, *shape), of latents (n, latent), with what these do not hold drawn anew.

        Of a molecule of several parts the numbers `which` (n,), from 0 to 1, decide how the parts lie to each other, so
        that this can be kept while the rest is drawn again; they are drawn by default.
        """

    def latents(
        self, n: int, generator: torch.Generator, condition: Tensor | None = None
    ) -> tuple[Tensor | None, Tensor]:
        """Return n conditions, some as they were in training where none are given, and latents drawn given them."""
        return self.coding.latents(n, generator, condition)

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator, condition: Tensor | None = None) -> Tensor:
        """Return n scaled frames, (n, *shape), given conditions (n,) or some as they were in training."""
        condition, z = self.latents(n, generator, condition)
        return self.frames(z, generator, condition)


def _drawn(mean: Tensor, log_variance: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Return a draw from each posterior."""
    noise = torch.randn_like(mean) if generator is None else torch.randn(mean.shape, generator=generator).to(mean)
    return mean + torch.exp(0.5 * log_variance) * noise


def _divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence from the standard normal, of each latent in nats."""
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp())

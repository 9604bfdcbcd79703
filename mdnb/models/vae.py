"""VAE: a variational autoencoder of frames."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from mdnb.models.autoencoder import Autoencoder, Coding, Generator
from mdnb.models.base import Batch, Model, Task
from mdnb.models.latents import Noise
from mdnb.models.nearby import Nearby

__all__ = ["VAE"]


@dataclass(frozen=True)
class VAE(Coding):
    """Choices of a variational autoencoder."""

    def build(self, task: Task) -> Model:
        """Return the network."""
        return VAEModel(self, task)


class VAEModel(Autoencoder, Generator):
    """A beta-VAE, conditional where there is a label.

    Data, loss and the shape of `score`: those of `Autoencoder`.

    Samples get what the latents do not hold as noise with the covariance of the residuals, in which the bonds and
    angles of a ring go together. Of a molecule of several parts, whose side chains have more than one place, they get
    it from real frames near by, part by part (`Nearby`).

    References: Kingma, Welling (2013), https://doi.org/10.48550/arXiv.1312.6114; Sohn, Lee, Yan (NeurIPS 2015,
    conditional).
    """

    def __init__(self, spec: VAE, task: Task) -> None:
        super().__init__(spec, task)
        width = spec.latent + self.condition.width
        self.residual = Nearby(task.parts, width) if task.parts else Noise(math.prod(task.shape))

    @property
    def coding(self) -> Autoencoder:
        """The network itself."""
        return self

    def see(self, batch: Batch, z: Tensor, width: Tensor) -> None:
        """Take in what the latents do not hold of training samples."""
        own, made = batch.x.flatten(1), self.decode(z, batch.y).flatten(1)
        if isinstance(self.residual, Noise):
            self.residual.add(own - made)
        else:
            self.residual.add(torch.cat([z, self.condition(batch.y, z)], dim=1), width, own, made)

    @torch.no_grad()
    def finish(self, train: Iterable[Batch], validation: Iterable[Batch]) -> list[str]:
        """Fit the density of the latents and what they do not hold, and say which latents are not used."""
        notes = super().finish(train, validation)
        self.residual.fit()
        return notes

    @torch.no_grad()
    def frames(
        self, z: Tensor, generator: torch.Generator, condition: Tensor | None = None, which: Tensor | None = None
    ) -> Tensor:
        """Return scaled frames, (n, *shape), of latents (n, latent): the decoder's means and what those do not hold.

        The numbers `which` (n,), from 0 to 1, are as of `Generator.frames`.
        """
        decoded = self.decode(z, condition).flatten(1)
        if isinstance(self.residual, Noise):
            made = decoded + self.residual.draw(len(z), generator)
        else:
            made = self.residual.draw(torch.cat([z, self.condition(condition, z)], dim=1), decoded, generator, which)
        return made.reshape(len(z), *self.shape)

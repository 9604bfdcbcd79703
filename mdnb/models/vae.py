"""VAE: a variational autoencoder of frames, with a density fitted on its latents."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from mdnb.models.base import Batch, Model, ModelSpec, Task
from mdnb.models.layers import mlp
from mdnb.specs import setting

__all__ = ["VAE"]


@dataclass(frozen=True)
class VAE(ModelSpec):
    """Choices of a variational autoencoder."""

    supervised: ClassVar[bool] = False

    latent: int = setting(10, "dimensions of the latent space", low=1, high=128, log=True)
    hidden: int = setting(256, "units of each hidden layer", low=8, high=2048, log=True)
    layers: int = setting(2, "hidden layers of encoder and decoder", low=1, high=6)
    beta: float = setting(0.5, "weight of the Kullback-Leibler term", low=0.0, high=100.0)
    warmup: float = setting(0.3, "share of training over which beta rises from 0", low=0.0, high=1.0)
    components: int = setting(30, "Gaussians of the density fitted on the latents", low=1, high=500, log=True)

    def build(self, task: Task) -> Model:
        """Return the network."""
        return VAEModel(self, task)


class VAEModel(Model):
    """A beta-VAE whose decoder gives a mean and a learned width for each number.

    Data: x (batch, 1, *shape), scaled. Loss: negative log likelihood of a Gaussian with one learned width
    for each number (sigma-VAE), plus beta times the Kullback-Leibler divergence from the standard normal.
    Shape: `score` is (batch, latent), the mean of the posterior.

    Samples are drawn from a mixture of Gaussians fitted on the training latents after training, since the
    standard normal is not where the latents are, and get the decoder's own noise.

    References: Kingma, Welling (2013), https://doi.org/10.48550/arXiv.1312.6114; Rybkin, Daniilidis, Levine
    (2021), https://doi.org/10.48550/arXiv.2006.13202; Ghosh et al. (2020),
    https://doi.org/10.48550/arXiv.1903.12436.
    """

    density_weights: Tensor
    density_means: Tensor
    density_factors: Tensor

    def __init__(self, spec: VAE, task: Task) -> None:
        super().__init__()
        self.spec, self.shape = spec, task.shape
        n_numbers = math.prod(task.shape)
        inner = [spec.hidden] * spec.layers
        self.encoder = mlp([n_numbers, *inner, 2 * spec.latent])
        self.decoder = mlp([spec.latent, *inner, n_numbers])
        self.log_width = nn.Parameter(torch.zeros(n_numbers))
        self.register_buffer("density_weights", torch.ones(spec.components) / spec.components)
        self.register_buffer("density_means", torch.zeros(spec.components, spec.latent))
        self.register_buffer("density_factors", torch.eye(spec.latent).repeat(spec.components, 1, 1))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of the posterior, each (batch, latent)."""
        mean, log_variance = self.encoder(x.flatten(1)).chunk(2, dim=1)
        return mean, log_variance.clamp(-12, 6)

    def decode(self, z: Tensor) -> Tensor:
        """Return the decoder's means, (batch, *shape), scaled."""
        out: Tensor = self.decoder(z)
        return out.reshape(len(z), *self.shape)

    def score(self, x: Tensor) -> Tensor:
        """Return the posterior's mean, (batch, latent)."""
        return self.encode(x)[0]

    def losses(self, batch: Batch, group: str) -> dict[str, Tensor]:
        """Return the loss, and its reconstruction and divergence parts in nats per frame."""
        flat = batch.x.flatten(1)
        mean, log_variance = self.encode(batch.x)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        log_width = self.log_width.clamp(min=-4.0)
        error = (flat - self.decoder(z)) * torch.exp(-log_width)
        reconstruction = (0.5 * error.square() + log_width).sum(1).mean()
        divergence = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1).mean()
        beta = self.spec.beta * (min(1.0, batch.progress / self.spec.warmup) if self.spec.warmup else 1.0)
        return {
            "loss": reconstruction + beta * divergence,
            "reconstruction": reconstruction,
            "divergence": divergence,
        }

    @torch.no_grad()
    def finish(self, x: Tensor) -> None:
        """Fit the density of the latents."""
        from sklearn.mixture import GaussianMixture

        mean, log_variance = self.encode(x)
        generator = torch.Generator().manual_seed(0)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn(mean.shape, generator=generator)
        n_components = min(self.spec.components, max(1, len(z) // 10))
        mixture = GaussianMixture(n_components, random_state=0, reg_covar=1e-5, max_iter=200, init_params="k-means++")
        rows = z.numpy()[np.random.default_rng(0).permutation(len(z))[:20_000]]
        mixture.fit(rows.astype(np.float64))
        self.density_weights.zero_()
        self.density_weights[:n_components] = torch.tensor(mixture.weights_, dtype=torch.float32)
        self.density_means[:n_components] = torch.tensor(mixture.means_, dtype=torch.float32)
        factors = np.linalg.cholesky(mixture.covariances_)
        self.density_factors[:n_components] = torch.tensor(factors, dtype=torch.float32)

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return n scaled frames, (n, *shape)."""
        component = torch.multinomial(self.density_weights, n, replacement=True, generator=generator)
        noise = torch.randn(n, self.spec.latent, 1, generator=generator)
        z = self.density_means[component] + (self.density_factors[component] @ noise)[..., 0]
        means = self.decode(z)
        width = torch.exp(self.log_width.clamp(min=-4.0)).reshape(self.shape)
        return means + width * torch.randn(means.shape, generator=generator)

"""VAE: a variational autoencoder of frames, with a density fitted on its latents."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from mdnb.models.base import Batch, Model, ModelSpec, Task
from mdnb.models.condition import Condition
from mdnb.models.layers import Convolutions, mlp
from mdnb.specs import setting

__all__ = ["VAE"]


@dataclass(frozen=True)
class VAE(ModelSpec):
    """Choices of a variational autoencoder."""

    supervised: ClassVar[bool] = False

    latent: int = setting(10, "dimensions of the latent space", low=1, high=128, log=True)
    hidden: int = setting(256, "units of each hidden layer", low=8, high=2048, log=True)
    layers: int = setting(2, "hidden layers of encoder and decoder", low=1, high=6)
    encoder: str = setting("mlp", "layers that read a frame: fully connected, or convolutions (for maps and grids)",
                           options=("mlp", "convolutions"))  # fmt: skip
    beta: float = setting(0.5, "weight of the Kullback-Leibler term", low=0.0, high=100.0, searched=False)
    warmup: float = setting(0.3, "share of training over which beta rises from 0", low=0.0, high=1.0, searched=False)
    components: int = setting(
        30, "Gaussians of the density fitted on the latents", low=1, high=500, log=True, searched=False
    )

    def build(self, task: Task) -> Model:
        """Return the network."""
        return VAEModel(self, task)


class VAEModel(Model):
    """A beta-VAE whose decoder gives a mean and a learned width for each number, conditional where there is a label.

    Data: x (batch, 1, *shape), scaled; y (batch,) for a conditional one. Loss: negative log likelihood of a
    Gaussian with one learned width for each number (sigma-VAE), plus beta times the Kullback-Leibler divergence
    from the standard normal. Shape: `score` is (batch, latent), the mean of the posterior.

    Samples are drawn from a mixture of Gaussians fitted on the training latents after training, since the
    standard normal is not where the latents are, and get the decoder's own noise. Of a conditional VAE the
    mixture is that of latents and condition together, and is drawn from given the condition.

    References: Kingma, Welling (2013), https://doi.org/10.48550/arXiv.1312.6114; Sohn, Lee, Yan (NeurIPS 2015,
    conditional); Rybkin, Daniilidis, Levine (2021), https://doi.org/10.48550/arXiv.2006.13202; Ghosh et al. (2020),
    https://doi.org/10.48550/arXiv.1903.12436.
    """

    density_weights: Tensor
    density_means: Tensor
    density_factors: Tensor

    def __init__(self, spec: VAE, task: Task) -> None:
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
        self.log_width = nn.Parameter(torch.zeros(n_numbers))
        joint = spec.latent + known
        self.register_buffer("density_weights", torch.ones(spec.components) / spec.components)
        self.register_buffer("density_means", torch.zeros(spec.components, joint))
        self.register_buffer("density_factors", torch.eye(joint).repeat(spec.components, 1, 1))

    def encode(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of the posterior, each (batch, latent).

        Without the conditions y, a conditional VAE takes the mean of those it knows.
        """
        if self.conditional and y is None:
            known = self.condition(self.condition.known, x).mean(0).expand(x.shape[0], -1)
        else:
            known = self.condition(y, x)
        mean, log_variance = self.encoder(torch.cat([self.read(x), known], dim=1)).chunk(2, dim=1)
        return mean, log_variance.clamp(-12, 6)

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the decoder's means, (batch, *shape), scaled."""
        out: Tensor = self.decoder(torch.cat([z, self.condition(y, z)], dim=1))
        return out.reshape(z.shape[0], *self.shape)

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
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        log_width = self.log_width.clamp(min=-4.0)
        error = (flat - self.decode(z, batch.y).flatten(1)) * torch.exp(-log_width)
        reconstruction = (0.5 * error.square() + log_width).sum(1).mean()
        divergence = _divergence(mean, log_variance).sum(1).mean()
        beta = self.spec.beta * (min(1.0, batch.progress / self.spec.warmup) if self.spec.warmup else 1.0)
        return {
            "loss": reconstruction + beta * divergence,
            "reconstruction": reconstruction,
            "divergence": divergence,
        }

    @torch.no_grad()
    def finish(self, train: Iterable[Batch], validation: Iterable[Batch]) -> list[str]:
        """Fit the density of the latents, and say which latents are not used."""
        from sklearn.mixture import GaussianMixture

        means, widths, known, labels = [], [], [], []
        for batch in train:
            mean, log_variance = self.encode(batch.x, batch.y)
            means.append(mean)
            widths.append(log_variance)
            known.append(self.condition(batch.y, batch.x))
            if batch.y is not None:
                labels.append(batch.y)
        mean, log_variance = torch.cat(means).cpu(), torch.cat(widths).cpu()  # where the generator below draws
        self.condition.remember(torch.cat(labels) if labels else None)
        generator = torch.Generator().manual_seed(0)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn(mean.shape, generator=generator)
        n_components = min(self.spec.components, max(1, len(z) // 10))
        mixture = GaussianMixture(n_components, random_state=0, reg_covar=1e-5, max_iter=200, init_params="k-means++")
        both = torch.cat([z, torch.cat(known).cpu()], dim=1).numpy()
        rows = both[np.random.default_rng(0).permutation(len(z))[:20_000]]
        mixture.fit(rows.astype(np.float64))
        self.density_weights.zero_()
        self.density_weights[:n_components] = torch.tensor(mixture.weights_, dtype=torch.float32)
        self.density_means[:n_components] = torch.tensor(mixture.means_, dtype=torch.float32)
        factors = np.linalg.cholesky(mixture.covariances_)
        self.density_factors[:n_components] = torch.tensor(factors, dtype=torch.float32)
        unused = int((_divergence(mean, log_variance).mean(0) < 0.01).sum())
        if not unused:
            return []
        return [
            f"{unused} of {self.spec.latent} latent dimensions hold nothing (posterior collapse): fewer would do, or a "
            "smaller beta or a longer warmup uses them"
        ]

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator, condition: Tensor | None = None) -> Tensor:
        """Return n scaled frames, (n, *shape), given conditions (n,) or some as they were in training."""
        if condition is None:
            condition = self.condition.draw(n, generator)
        known = self.condition(condition, self.density_means[:1].expand(n, -1))
        z = _draw(self.density_weights, self.density_means, self.density_factors, known, generator)
        means = self.decode(z, condition)
        width = torch.exp(self.log_width.clamp(min=-4.0)).reshape(self.shape)
        return means + width * torch.randn(means.shape, generator=generator)


def _divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence from the standard normal, of each latent in nats."""
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp())


def _draw(weights: Tensor, means: Tensor, factors: Tensor, known: Tensor, generator: torch.Generator) -> Tensor:
    """Draw from a mixture of Gaussians of (latent, known) given the known part, (n, n_known) -> (n, n_latent).

    The conditional of a joint Gaussian is Gaussian, and components weigh as likely as they make the known part:
    Bishop, Pattern Recognition and Machine Learning (2006), section 2.3.1.
    """
    n, n_known = known.shape
    n_latent = means.shape[1] - n_known
    if not n_known:
        component = torch.multinomial(weights, n, replacement=True, generator=generator)
        noise = torch.randn(n, n_latent, 1, generator=generator)
        return means[component] + (factors[component] @ noise)[..., 0]
    covariances = (factors @ factors.mT).double()
    own, cross, inner = (
        covariances[:, n_latent:, n_latent:],
        covariances[:, :n_latent, n_latent:],
        covariances[:, :n_latent, :n_latent],
    )
    own = own + 1e-6 * torch.eye(n_known, dtype=own.dtype)
    gain = torch.linalg.solve(own, cross.mT).mT  # (components, latent, known)
    offset = known.double()[:, None] - means[:, n_latent:].double()  # (n, components, known)
    normal = torch.distributions.MultivariateNormal(torch.zeros(n_known, dtype=own.dtype), own, validate_args=False)
    log_weights = torch.log(weights.double()) + normal.log_prob(offset)
    component = torch.multinomial(torch.softmax(log_weights, 1), 1, generator=generator)[:, 0]
    rest = inner - gain @ cross.mT + 1e-9 * torch.eye(n_latent, dtype=own.dtype)
    centre = means[component, :n_latent].double()
    centre = centre + (gain[component] @ offset[torch.arange(n), component][..., None])[..., 0]
    noise = torch.randn(n, n_latent, 1, generator=generator, dtype=own.dtype)
    return (centre + (torch.linalg.cholesky(rest)[component] @ noise)[..., 0]).float()

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

#: Least weight of a number, as a share of the one that moves the atoms most.
_LEAST = 0.05
#: Numbers of a frame whose residuals' covariance is kept whole, at most.
_CORRELATED = 2048


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
    resolution: float = setting(0.003, "how far an atom has to move before a latent is worth it, where the features "
                                "are those of structures", low=1e-4, high=0.1, log=True, unit="nm",
                                searched=False)  # fmt: skip
    components: int = setting(
        50, "Gaussians of the density fitted on the latents", low=1, high=500, log=True, searched=False
    )

    def build(self, task: Task) -> Model:
        """Return the network."""
        return VAEModel(self, task)


class VAEModel(Model):
    """A beta-VAE, conditional where there is a label.

    Data: x (batch, 1, *shape), scaled; y (batch,) for a conditional one. Loss: negative log likelihood of a
    Gaussian, plus beta times the Kullback-Leibler divergence from the standard normal. Where the task says how far
    each number moves the atoms, the width of the Gaussian is that of atoms displaced by the resolution, so that the
    latents hold what moves the molecule, and not the vibration of each bond; elsewhere each number has a learned
    width (sigma-VAE). Shape: `score` is (batch, latent), the mean of the posterior.

    Samples are drawn from a mixture of Gaussians fitted on the training latents after training, since the
    standard normal is not where the latents are, and get what the latents do not hold as noise with the covariance
    of the residuals, in which the bonds and angles of a ring go together. Of a conditional VAE the mixture is that
    of latents and condition together, and is drawn from given the condition.

    References: Kingma, Welling (2013), https://doi.org/10.48550/arXiv.1312.6114; Sohn, Lee, Yan (NeurIPS 2015,
    conditional); Rybkin, Daniilidis, Levine (2021), https://doi.org/10.48550/arXiv.2006.13202; Ghosh et al. (2020),
    https://doi.org/10.48550/arXiv.1903.12436.
    """

    density_weights: Tensor
    density_means: Tensor
    density_factors: Tensor
    noise_factor: Tensor

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
        if task.influence:
            influence = torch.tensor(task.influence)
            # What moves no atom by itself still has to be near its mean.
            precision = influence.clamp(min=_LEAST * max(task.influence)) / spec.resolution
            self.register_buffer("log_width", -torch.log(precision))
        else:
            self.log_width = nn.Parameter(torch.zeros(n_numbers))
        # Lower Cholesky factor of the residuals' covariance; of very many numbers only their widths, as a diagonal.
        self.register_buffer("noise_factor", torch.zeros(n_numbers, n_numbers if n_numbers <= _CORRELATED else 1))
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
        log_width = self.log_width.clamp(min=-4.0) if isinstance(self.log_width, nn.Parameter) else self.log_width
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

        means, widths, drawn, known, labels = [], [], [], [], []
        generator = torch.Generator().manual_seed(0)
        residuals = _Residuals(self.noise_factor)
        for batch in train:
            mean, log_variance = self.encode(batch.x, batch.y)
            noise = torch.randn(mean.shape, generator=generator).to(mean)
            z = mean + torch.exp(0.5 * log_variance) * noise
            residuals.add(batch.x.flatten(1) - self.decode(z, batch.y).flatten(1))
            means.append(mean)
            widths.append(log_variance)
            drawn.append(z)
            known.append(self.condition(batch.y, batch.x))
            if batch.y is not None:
                labels.append(batch.y)
        self.noise_factor.copy_(residuals.factor())
        mean, log_variance, z = torch.cat(means).cpu(), torch.cat(widths).cpu(), torch.cat(drawn).cpu()
        self.condition.remember(torch.cat(labels) if labels else None)
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
        return self.decode(z, condition) + self.noise(n, generator)

    def noise(self, n: int, generator: torch.Generator) -> Tensor:
        """Return n draws of what the latents do not hold, (n, *shape), scaled."""
        own = torch.randn(n, math.prod(self.shape), generator=generator).to(self.noise_factor)
        whole = self.noise_factor.shape[1] > 1 or len(self.noise_factor) == 1
        drawn = own @ self.noise_factor.T if whole else own * self.noise_factor[:, 0]
        return drawn.reshape(n, *self.shape)


class _Residuals:
    """Covariance of rows that come in batches, about zero."""

    def __init__(self, factor: Tensor) -> None:
        self._n, self._whole = 0, factor.shape[1] > 1 or len(factor) == 1
        self._sum = torch.zeros_like(factor, dtype=torch.float64)

    def add(self, rows: Tensor) -> None:
        rows = rows.to(self._sum)
        self._sum += rows.T @ rows if self._whole else rows.square().sum(0)[:, None]
        self._n += len(rows)

    def factor(self) -> Tensor:
        """Return the lower Cholesky factor, or the standard deviations."""
        covariance = self._sum / max(1, self._n)
        if not self._whole:
            return covariance.sqrt()
        return torch.linalg.cholesky(covariance + 1e-7 * torch.eye(len(covariance)).to(covariance))


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

"""Latents: their density, fitted after training, and what of a frame they do not hold."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["Density", "Noise"]

#: Numbers of a frame whose residuals' covariance is kept whole, at most.
_CORRELATED = 2048


class Density(nn.Module):
    """A mixture of Gaussians of latents and condition together, drawn from given the condition.

    The conditional of a joint Gaussian is Gaussian, and components weigh as likely as they make the known part.

    References: Ghosh et al. (2020), https://doi.org/10.48550/arXiv.1903.12436; Bishop, Pattern Recognition and
    Machine Learning (2006), section 2.3.1.

    Parameters
    ----------
    components : int
        Gaussians, at most.
    n_latent : int
    n_known : int
        Numbers of the condition; 0 without one.
    """

    weights: Tensor
    means: Tensor
    factors: Tensor

    def __init__(self, components: int, n_latent: int, n_known: int) -> None:
        super().__init__()
        self.n_latent, both = n_latent, n_latent + n_known
        self.register_buffer("weights", torch.ones(components) / components)
        self.register_buffer("means", torch.zeros(components, both))
        self.register_buffer("factors", torch.eye(both).repeat(components, 1, 1))

    def fit(self, z: Tensor, known: Tensor) -> None:
        """Fit it to latents (n, n_latent) and conditions (n, n_known), of which 20,000 are used."""
        from sklearn.mixture import GaussianMixture

        n_components = min(len(self.weights), max(1, len(z) // 10))
        mixture = GaussianMixture(n_components, random_state=0, reg_covar=1e-5, max_iter=200, init_params="k-means++")
        both = torch.cat([z, known], dim=1).cpu().numpy()
        rows = both[np.random.default_rng(0).permutation(len(z))[:20_000]]
        mixture.fit(rows.astype(np.float64))
        self.weights.zero_()
        self.weights[:n_components] = torch.tensor(mixture.weights_, dtype=torch.float32)
        self.means[:n_components] = torch.tensor(mixture.means_, dtype=torch.float32)
        factors = np.linalg.cholesky(mixture.covariances_)
        self.factors[:n_components] = torch.tensor(factors, dtype=torch.float32)

    def draw(self, known: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return latents (n, n_latent) given conditions (n, n_known)."""
        n, n_known = known.shape
        n_latent, means, factors = self.n_latent, self.means, self.factors
        if not n_known:
            component = torch.multinomial(self.weights, n, replacement=True, generator=generator)
            noise = torch.randn(n, n_latent, 1, generator=generator, device=means.device)
            return means[component] + (factors[component] @ noise)[..., 0]
        covariances = (factors @ factors.mT).double()
        own, cross, inner = (
            covariances[:, n_latent:, n_latent:],
            covariances[:, :n_latent, n_latent:],
            covariances[:, :n_latent, :n_latent],
        )
        own = own + 1e-6 * torch.eye(n_known).to(own)
        gain = torch.linalg.solve(own, cross.mT).mT  # (components, latent, known)
        offset = known.double()[:, None] - means[:, n_latent:].double()  # (n, components, known)
        normal = torch.distributions.MultivariateNormal(torch.zeros(n_known).to(own), own, validate_args=False)
        log_weights = torch.log(self.weights.double()) + normal.log_prob(offset)
        component = torch.multinomial(torch.softmax(log_weights, 1), 1, generator=generator)[:, 0]
        rest = inner - gain @ cross.mT + 1e-9 * torch.eye(n_latent).to(own)
        centre = means[component, :n_latent].double()
        centre = centre + (gain[component] @ offset[torch.arange(n), component][..., None])[..., 0]
        noise = torch.randn(n, n_latent, 1, generator=generator, dtype=own.dtype, device=means.device)
        return (centre + (torch.linalg.cholesky(rest)[component] @ noise)[..., 0]).float()


class Noise(nn.Module):
    """What the latents do not hold, as noise with the covariance of the residuals, about zero.

    Parameters
    ----------
    n_numbers : int
        Of a frame; of more than 2,048 numbers only the widths are kept.
    """

    factor: Tensor

    def __init__(self, n_numbers: int) -> None:
        super().__init__()
        self._whole = n_numbers <= _CORRELATED
        # Lower Cholesky factor of the residuals' covariance, or their standard deviations.
        self.register_buffer("factor", torch.zeros((n_numbers, n_numbers) if self._whole else n_numbers))
        self.begin()

    def begin(self) -> None:
        """Forget the residuals that were added."""
        self._n, self._sum = 0, torch.zeros_like(self.factor, dtype=torch.float64)

    def add(self, rows: Tensor) -> None:
        """Take residuals (n, n_numbers) in."""
        rows = rows.to(self._sum)
        self._sum += rows.T @ rows if self._whole else rows.square().sum(0)
        self._n += len(rows)

    def fit(self) -> None:
        """Set the noise from the residuals that were added."""
        covariance = self._sum / max(1, self._n)
        if self._whole:
            self.factor.copy_(torch.linalg.cholesky(covariance + 1e-7 * torch.eye(len(covariance)).to(covariance)))
        else:
            self.factor.copy_(covariance.sqrt())
        self.begin()

    def draw(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Return n draws, (n, n_numbers)."""
        own = torch.randn(n, len(self.factor), generator=generator).to(self.factor)
        return own @ self.factor.T if self._whole else own * self.factor

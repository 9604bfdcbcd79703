"""Propagate: the distribution of what follows a window, from which trajectories are rolled out."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from mdnb.errors import SpecError
from mdnb.models.base import Batch, Head, Objective, Task
from mdnb.models.objectives.lag import lag_frames
from mdnb.models.precision import full_precision
from mdnb.specs import setting

__all__ = ["Propagate", "PropagateHead", "most_components"]

#: Frames that the Gaussians are fitted to before training, at most.
_ROWS = 20_000
#: Log probability of a Gaussian that is not needed.
_NEVER = -30.0


@dataclass(frozen=True)
class Propagate(Objective):
    """Learn the distribution of the next frame, as `mdnb.rollout` draws from it."""

    task_kind: ClassVar[str] = "propagate"
    learning_rate: ClassVar[float] = 1e-3

    lag_time: float = setting(0.0, "from one frame of a rollout to the next; 0 is the time between frames",
                              low=0.0, high=1e9, unit="ps")  # fmt: skip
    components: int = setting(40, "Gaussians of the next frame's distribution", low=1, high=500, log=True)

    def later(self, window: int, time_step: float) -> list[int]:
        """Return the frame a lag after the window's last."""
        lag = 1 if self.lag_time == 0 else lag_frames(self.lag_time, time_step)
        if window > 1 and lag > 1:
            raise SpecError(
                f"lag_time = {self.lag_time:g} ps is {lag} frames, but the {window} frames of a window are one apart, "
                "and a rollout needs equal steps; take Window(length=1), or lag_time=0 and mdnb.load(..., "
                f"stride={lag})"
            )
        return [window - 1 + lag]

    def n_outputs(self, shape: tuple[int, ...]) -> int:
        """Return the numbers of a frame."""
        return math.prod(shape)

    def head(self, width: int, task: Task) -> Head:
        """Return the head."""
        return PropagateHead(width, task.n_outputs, self.components)


class PropagateHead(Head):
    """A mixture of correlated Gaussians of the next frame, scaled; `forward` is its mean, (batch, n_numbers).

    The Gaussians stand where the frames are: they are fitted to them before training, and then trained along. How
    likely each is follows from the one that the last frame belongs to, by a table of jumps that is counted before
    training, as of a Markov model of hidden states, and from what the network adds to that, which at first is nothing.
    So the rates of the simulation are there before the network is, and it need not find them again among the noise.
    Within a Gaussian each number keeps a learned share of its last departure from the middle. So a jump between states
    is a jump, and never ends in the gap between them, as the draws of a network do that is free to say where. Loss:
    minus the log likelihood in nats per frame.

    References: Bishop (1994), https://publications.aston.ac.uk/id/eprint/373/ (mixture density networks); of latents
    of molecules: Vlachas et al., J. Chem. Theory Comput. 18, 538 (2022), https://doi.org/10.1021/acs.jctc.1c00809;
    jumps between Gaussians: Noe, Wu, Prinz, Plattner, J. Chem. Phys. 139, 184114 (2013),
    https://doi.org/10.1063/1.4828816; their counts: Dempster, Laird, Rubin, J. R. Stat. Soc. B 39, 1 (1977),
    https://doi.org/10.1111/j.2517-6161.1977.tb01600.x
    """

    site_weights: Tensor
    site_means: Tensor
    site_factors: Tensor

    def __init__(self, width: int, n_numbers: int, components: int) -> None:
        super().__init__()
        self.n, self.components = n_numbers, components
        self.weights = nn.Linear(width, components)
        self.jumps = nn.Parameter(torch.zeros(components, components))
        self.means = nn.Parameter(torch.randn(components, n_numbers))
        self.stays = nn.Parameter(torch.zeros(components, n_numbers))
        # The inverse of a component's Cholesky factor: its diagonal, and what is below in units of its row's.
        self.log_scales = nn.Parameter(torch.zeros(components, n_numbers))
        self.mixing = nn.Parameter(torch.zeros(components, n_numbers, n_numbers))
        # The Gaussians as fitted, which say where the last frame is: log weights, means, inverse Cholesky factors.
        self.register_buffer("site_weights", torch.full((components,), _NEVER))
        self.register_buffer("site_means", torch.zeros(components, n_numbers))
        self.register_buffer("site_factors", torch.eye(n_numbers).repeat(components, 1, 1))

    @torch.no_grad()
    def begin(self, train: Iterable[Batch]) -> bool:
        """Fit the Gaussians to the frames that follow, and count the jumps between them."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture
        from threadpoolctl import threadpool_limits

        before, rows = _thinned(train)
        n_components = most_components(len(rows), self.n, self.components)
        mixture = GaussianMixture(n_components, random_state=0, reg_covar=1e-4, init_params="k-means++")
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # training goes on from there
            mixture.fit(rows)
        inverse = np.linalg.inv(np.linalg.cholesky(mixture.covariances_))
        scales = np.diagonal(inverse, axis1=1, axis2=2)
        used = slice(0, n_components)
        self.site_weights[used] = torch.tensor(np.log(mixture.weights_), dtype=torch.float32)
        self.site_means[used] = torch.tensor(mixture.means_, dtype=torch.float32)
        self.site_factors[used] = torch.tensor(inverse, dtype=torch.float32)
        self.means[used] = self.site_means[used]
        self.log_scales[used] = torch.tensor(np.log(scales), dtype=torch.float32)
        self.mixing[used] = torch.tensor(np.tril(inverse / scales[..., None], -1), dtype=torch.float32)
        self.weights.weight.zero_()
        self.weights.bias.zero_()
        self.jumps.fill_(_NEVER)
        first, later = (torch.tensor(one, dtype=torch.float32) for one in (before, rows))
        self.jumps[used, used] = torch.log(_count_jumps(self._sites(first)[:, used], self._near(later)[:, used]))
        return False

    def _near(self, frames: Tensor) -> Tensor:
        """Return the log density of frames (batch, n_numbers) in each Gaussian as fitted, (batch, components)."""
        alone = torch.einsum("kij,bkj->bki", self.site_factors, frames[:, None] - self.site_means)
        return -0.5 * alone.square().sum(2) + torch.log(torch.diagonal(self.site_factors, dim1=1, dim2=2)).sum(1)

    def _sites(self, frames: Tensor) -> Tensor:
        """Return to which Gaussian frames (batch, n_numbers) belong, (batch, components); rows sum to 1."""
        return torch.softmax(self.site_weights + self._near(frames), 1)

    def _log_weights(self, hidden: Tensor, x: Tensor) -> Tensor:
        """Return the log probability of each Gaussian after the windows x, (batch, components)."""
        reached = self._sites(x[:, -1].flatten(1)) @ torch.softmax(self.jumps, 1)
        return torch.log_softmax(torch.log(reached + 1e-12) + self.weights(hidden), 1)

    def _middles(self, x: Tensor) -> Tensor:
        """Return the means of the components after the windows x, (batch, components, n_numbers)."""
        return self.means + self.stays * (x[:, -1].flatten(1)[:, None] - self.means)

    def _inverse_factors(self) -> Tensor:
        """Return what makes the numbers of each component independent, of variance 1, (components, n, n)."""
        one = torch.eye(self.n, dtype=self.mixing.dtype, device=self.mixing.device)
        return torch.exp(self.log_scales)[..., None] * (one + self.mixing.tril(-1))

    def forward(self, hidden: Tensor, x: Tensor) -> Tensor:
        """Return the mean of the next frame."""
        return (torch.exp(self._log_weights(hidden, x))[..., None] * self._middles(x)).sum(1)

    def log_likelihood(self, hidden: Tensor, x: Tensor, following: Tensor) -> Tensor:
        """Return the log density of the frames that followed (batch, n_numbers), in nats, (batch,)."""
        with full_precision(hidden):
            apart = following[:, None] - self._middles(x)
            alone = torch.einsum("kij,bkj->bki", self._inverse_factors(), apart)
            each = -0.5 * alone.square().sum(2) + self.log_scales.sum(1) - 0.5 * self.n * math.log(2 * math.pi)
            return torch.logsumexp(self._log_weights(hidden.float(), x) + each, 1)

    def losses(self, encoder: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return minus the log likelihood."""
        assert batch.later is not None
        return {"loss": -self.log_likelihood(encoder(batch.x), batch.x, batch.later.flatten(1)).mean()}

    @torch.no_grad()
    def factors(self) -> Tensor:
        """Return the Cholesky factors of the components, (components, n_numbers, n_numbers)."""
        one = torch.eye(self.n, dtype=torch.float64, device=self.mixing.device).expand(self.components, -1, -1)
        return torch.linalg.solve_triangular(self._inverse_factors().double(), one, upper=False).float()

    @torch.no_grad()
    def draw(self, hidden: Tensor, x: Tensor, factors: Tensor, generator: torch.Generator) -> Tensor:
        """Return one possible next frame for each window, scaled, (batch, n_numbers).

        Parameters
        ----------
        hidden : (batch, width) Tensor
        x : (batch, window, *shape) Tensor
        factors : Tensor
            As `factors` returns them; the same for all steps.
        generator : torch.Generator
        """
        chosen = torch.multinomial(torch.exp(self._log_weights(hidden, x)), 1, generator=generator)[:, 0]
        middle, last = self.means[chosen], x[:, -1].flatten(1)
        noise = torch.randn(len(chosen), self.n, 1, generator=generator)
        return middle + self.stays[chosen] * (last - middle) + (factors[chosen] @ noise)[..., 0]


def most_components(n_frames: int, n_numbers: int, asked: int) -> int:
    """Return how many Gaussians frames can tell apart: ten frames for each number of one, where more than ten are."""
    numbers = 1 + n_numbers + n_numbers * (n_numbers + 1) // 2
    few = min(10, n_frames // (5 * n_numbers + 5))
    return max(1, min(asked, max(few, n_frames // (10 * numbers))))


def _count_jumps(sites: Tensor, near: Tensor, n_rounds: int = 50) -> Tensor:
    """Return the probability of each Gaussian after each, (n, n), by expectation maximization.

    A frame in which two Gaussians overlap does not say which it belongs to, and where it went does not either; counts
    of both memberships would therefore see jumps that are none.

    Parameters
    ----------
    sites : (n_pairs, n) Tensor
        To which each first frame belongs.
    near : (n_pairs, n) Tensor
        Log density of each later frame in each Gaussian.
    """
    sites = sites.double()
    dense = torch.exp((near - near.max(1, keepdim=True).values).double())
    jumps = torch.full((sites.shape[1],) * 2, 1 / sites.shape[1], dtype=torch.float64)
    jumps += torch.eye(len(jumps))
    for _ in range(n_rounds):
        each = dense / ((sites @ jumps) * dense).sum(1, keepdim=True)
        jumps = jumps * (sites.T @ each) + 1e-6
        jumps = jumps / jumps.sum(1, keepdim=True)
    return jumps


def _thinned(train: Iterable[Batch]) -> tuple[np.ndarray, np.ndarray]:
    """Return the last frames of the windows and those that follow, or evenly chosen ones, twice (n, n_numbers)."""
    kept: list[Tensor] = []
    step, count = 1, 0
    for batch in train:
        assert batch.later is not None
        kept.append(torch.stack([batch.x[:, -1].flatten(1), batch.later.flatten(1)], 1)[::step].cpu())
        count += len(kept[-1])
        if count > _ROWS:
            kept, step = [torch.cat(kept)[::2]], 2 * step
            count = len(kept[0])
    both = torch.cat(kept).double().numpy()
    return both[:, 0], both[:, 1]

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

__all__ = ["Propagate", "PropagateHead"]

#: Frames that the Gaussians are fitted to before training, at most.
_ROWS = 20_000


@dataclass(frozen=True)
class Propagate(Objective):
    """Learn the distribution of the next frame, as `mdnb.rollout` draws from it."""

    task_kind: ClassVar[str] = "propagate"
    learning_rate: ClassVar[float] = 3e-3

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

    The Gaussians stand where the frames are: they are fitted to them before training, and then trained along. What the
    window says is how likely each is; within one, each number keeps a learned share of its last departure from the
    middle. So a jump between states is a jump, and never ends in the gap between them, as the draws of a network do
    that is free to say where. Loss: minus the log likelihood in nats per frame.

    References: Bishop (1994), https://publications.aston.ac.uk/id/eprint/373/ (mixture density networks); of latents
    of molecules: Vlachas et al., J. Chem. Theory Comput. 18, 538 (2022), https://doi.org/10.1021/acs.jctc.1c00809
    """

    def __init__(self, width: int, n_numbers: int, components: int) -> None:
        super().__init__()
        self.n, self.components = n_numbers, components
        self.weights = nn.Linear(width, components)
        self.means = nn.Parameter(torch.randn(components, n_numbers))
        self.stays = nn.Parameter(torch.zeros(components, n_numbers))
        # The inverse of a component's Cholesky factor: its diagonal, and what is below in units of its row's.
        self.log_scales = nn.Parameter(torch.zeros(components, n_numbers))
        self.mixing = nn.Parameter(torch.zeros(components, n_numbers, n_numbers))

    @torch.no_grad()
    def begin(self, train: Iterable[Batch]) -> bool:
        """Fit the Gaussians to the frames that follow."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture
        from threadpoolctl import threadpool_limits

        rows = _thinned(train)
        n_components = max(1, min(self.components, len(rows) // (5 * self.n + 5)))
        mixture = GaussianMixture(n_components, random_state=0, reg_covar=1e-4, init_params="k-means++")
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # training goes on from there
            mixture.fit(rows)
        inverse = np.linalg.inv(np.linalg.cholesky(mixture.covariances_))
        scales = np.diagonal(inverse, axis1=1, axis2=2)
        self.weights.bias.fill_(-30.0)  # of those that are not needed
        self.weights.bias[:n_components] = torch.tensor(np.log(mixture.weights_), dtype=torch.float32)
        self.means[:n_components] = torch.tensor(mixture.means_, dtype=torch.float32)
        self.log_scales[:n_components] = torch.tensor(np.log(scales), dtype=torch.float32)
        self.mixing[:n_components] = torch.tensor(np.tril(inverse / scales[..., None], -1), dtype=torch.float32)
        return False

    def _middles(self, x: Tensor) -> Tensor:
        """Return the means of the components after the windows x, (batch, components, n_numbers)."""
        return self.means + self.stays * (x[:, -1].flatten(1)[:, None] - self.means)

    def _inverse_factors(self) -> Tensor:
        """Return what makes the numbers of each component independent, of variance 1, (components, n, n)."""
        one = torch.eye(self.n, dtype=self.mixing.dtype, device=self.mixing.device)
        return torch.exp(self.log_scales)[..., None] * (one + self.mixing.tril(-1))

    def forward(self, hidden: Tensor, x: Tensor) -> Tensor:
        """Return the mean of the next frame."""
        return (torch.softmax(self.weights(hidden), 1)[..., None] * self._middles(x)).sum(1)

    def log_likelihood(self, hidden: Tensor, x: Tensor, following: Tensor) -> Tensor:
        """Return the log density of the frames that followed (batch, n_numbers), in nats, (batch,)."""
        with full_precision(hidden):
            apart = following[:, None] - self._middles(x)
            alone = torch.einsum("kij,bkj->bki", self._inverse_factors(), apart)
            each = -0.5 * alone.square().sum(2) + self.log_scales.sum(1) - 0.5 * self.n * math.log(2 * math.pi)
            return torch.logsumexp(torch.log_softmax(self.weights(hidden.float()), 1) + each, 1)

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
        chosen = torch.multinomial(torch.softmax(self.weights(hidden), 1), 1, generator=generator)[:, 0]
        middle, last = self.means[chosen], x[:, -1].flatten(1)
        noise = torch.randn(len(chosen), self.n, 1, generator=generator)
        return middle + self.stays[chosen] * (last - middle) + (factors[chosen] @ noise)[..., 0]


def _thinned(train: Iterable[Batch]) -> np.ndarray:
    """Return the frames that follow, or evenly chosen ones of many, (n, n_numbers)."""
    kept: list[Tensor] = []
    step, count = 1, 0
    for batch in train:
        assert batch.later is not None
        kept.append(batch.later.flatten(1)[::step].cpu())
        count += len(kept[-1])
        if count > _ROWS:
            kept, step = [torch.cat(kept)[::2]], 2 * step
            count = len(kept[0])
    return torch.cat(kept).double().numpy()

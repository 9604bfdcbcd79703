"""SlowModes: the slow collective variables of the dynamics, by the variational approach (VAMP)."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from mdnb.models.base import Batch, Head, Objective, Task
from mdnb.models.objectives.lag import lag_frames
from mdnb.models.objectives.vamp2_kernel import score_and_gradient
from mdnb.models.precision import full_precision
from mdnb.scores import Score, vamp_scores
from mdnb.specs import setting

__all__ = ["SlowModes", "SlowModesHead"]

#: Share of the mean variance that keeps outputs that have become equal from having no inverse.
_RIDGE = 1e-6


@dataclass(frozen=True)
class SlowModes(Objective):
    """Learn functions of a sample that best foretell themselves a lag time later."""

    task_kind: ClassVar[str] = "slow"
    #: Covariances need many samples at once.
    batch_size: ClassVar[int] = 2048
    #: The score does not change with the scale of the outputs, and its steps are of many samples: measured on three
    #: systems, 0.01 is as good as or better than 0.002 and 0.005 in as many epochs.
    learning_rate: ClassVar[float] = 1e-2

    lag_time: float = setting(10.0, "between the two samples of a pair", low=1e-6, high=1e9, log=True, unit="ps")
    modes: int = setting(2, "slow modes to learn, the constant one not counted", low=1, high=100)
    reversible: bool = setting(False, "take the dynamics as reversible, which equilibrium runs are on long times")
    linear: bool = setting(False, "add the network to the best linear modes (TICA), where it starts: for few data")

    def later(self, window: int, time_step: float) -> list[int]:
        """Return the window at the lag, which shares no frame with the first."""
        lag = lag_frames(self.lag_time, time_step, window)
        return [lag + frame for frame in range(window)]

    def usual_window(self, frames: int, time_step: float) -> int:
        """Return the family's frames, but no more than the lag has."""
        return min(frames, lag_frames(self.lag_time, time_step))

    def n_outputs(self, shape: tuple[int, ...]) -> int:
        """Return the number of modes."""
        return self.modes

    def head(self, width: int, task: Task) -> Head:
        """Return the head."""
        n_numbers = math.prod(task.shape) * task.window if self.linear else 0
        return SlowModesHead(width, self.modes, self.reversible, n_numbers)


class SlowModesHead(Head):
    """Slow modes (batch, modes), uncorrelated, of variance 1, the slowest first; minus the VAMP-2 score.

    One network serves both ends of a pair. After training the singular functions of the Koopman operator in the
    span of its outputs are found on the training part; `forward` returns the left ones.

    With ``n_numbers`` a linear map of the scaled sample is added to the network's output. It begins as TICA's modes
    of the training part, and the network's share as zero, so that training begins at the linear optimum and the
    epoch that is kept is no worse than it on the validation part.
    At the end TICA's modes are taken back unless the validation part shows beyond chance that the network is better;
    then the scores are TICA's to the last digit. A network that passes may still be a tie with TICA on the test part.

    References: Wu, Noe, J. Nonlinear Sci. 30, 23 (2020), https://doi.org/10.1007/s00332-019-09567-y; Mardt et
    al., Nat. Commun. 9, 5 (2018), https://doi.org/10.1038/s41467-017-02388-1; with ``reversible``: Chen, Sidky,
    Ferguson, J. Chem. Phys. 150, 214114 (2019), https://doi.org/10.1063/1.5092521.
    """

    mean: Tensor
    transform: Tensor
    later_mean: Tensor
    later_transform: Tensor
    singular_values: Tensor

    def __init__(self, width: int, modes: int, reversible: bool, n_numbers: int = 0) -> None:
        super().__init__()
        self.reversible = reversible
        self.linear = nn.Linear(width, modes)
        self.skip = nn.Linear(n_numbers, modes, bias=False) if n_numbers else None
        for name in ("mean", "later_mean"):
            self.register_buffer(name, torch.zeros(modes))
        for name in ("transform", "later_transform"):
            self.register_buffer(name, torch.eye(modes))
        self.register_buffer("singular_values", torch.zeros(modes))

    def forward(self, hidden: Tensor, x: Tensor) -> Tensor:
        """Return the slow modes."""
        return (self._functions(hidden, x) - self.mean) @ self.transform

    def later_modes(self, hidden: Tensor, x: Tensor) -> Tensor:
        """Return the right singular functions, (batch, modes)."""
        return (self._functions(hidden, x) - self.later_mean) @ self.later_transform

    def _functions(self, hidden: Tensor, x: Tensor) -> Tensor:
        with full_precision(hidden):
            out: Tensor = self.linear(hidden.float())
            return out if self.skip is None else out + self.skip(x.flatten(1))

    @torch.no_grad()
    def begin(self, train: Iterable[Batch]) -> bool:
        """Begin at TICA's modes where asked."""
        if self.skip is None:
            return False
        x, y = [], []
        for batch in train:
            assert batch.later is not None
            x.append(batch.x.flatten(1))
            y.append(batch.later.flatten(1))
        self.skip.weight.copy_(_tica(torch.cat(x), torch.cat(y), len(self.mean)).T)
        self.linear.weight.zero_()
        return True

    def _keep_linear(self, encoder: nn.Module, train: list[Batch], validation: list[Batch]) -> list[str]:
        """Go back to the linear start where the validation part does not show beyond chance that more is worth it."""
        learned = copy.deepcopy(self.state_dict())
        ours = self._validated(encoder, validation)
        self.begin(train)
        gain = ours.minus(self._validated(encoder, validation))
        if gain.low > 0:
            self.load_state_dict(learned)
            return []
        return [
            f"on the validation part the network is not better than TICA beyond chance (VAMP-2 {gain.value:+.3f} "
            f"[{gain.low:+.3f}, {gain.high:+.3f}]): TICA's modes are kept; more data would tell"
        ]

    def _validated(self, encoder: nn.Module, batches: list[Batch]) -> Score:
        now, later = (one.double().cpu().numpy() for one in self._pairs(encoder, batches))
        return vamp_scores(now, later, np.zeros(now.shape[1]), np.zeros(len(now), int))["VAMP-2"]

    def losses(self, encoder: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return minus the VAMP-2 score of the pairs of a batch."""
        assert batch.later is not None
        both = torch.cat([batch.x, batch.later])
        return {"loss": -_vamp2(self._functions(encoder(both), both), self.reversible)}

    @torch.no_grad()
    def validate(self, encoder: nn.Module, batches: Iterable[Batch]) -> float:
        """Return minus the VAMP-2 score of all pairs together."""
        return -float(_vamp2(torch.cat(self._pairs(encoder, batches)), self.reversible))

    def _pairs(self, encoder: nn.Module, batches: Iterable[Batch]) -> tuple[Tensor, Tensor]:
        now, later = [], []
        for batch in batches:
            assert batch.later is not None
            now.append(self._functions(encoder(batch.x), batch.x))
            later.append(self._functions(encoder(batch.later), batch.later))
        return torch.cat(now), torch.cat(later)

    @torch.no_grad()
    def finish(self, encoder: nn.Module, train: Iterable[Batch], validation: Iterable[Batch]) -> list[str]:
        """Find the singular functions."""
        notes: list[str] = []
        if self.skip is not None:
            train = list(train)
            notes = self._keep_linear(encoder, train, list(validation))
        x, y = self._pairs(encoder, train)
        x_mean, y_mean, c00, c0t, ctt = _covariances(x, y, self.reversible)
        left, right = torch.linalg.cholesky(c00), torch.linalg.cholesky(ctt)
        u, s, vh = torch.linalg.svd(_whitened(left, right, c0t))
        transform = torch.linalg.solve_triangular(left.T, u, upper=True)
        later_transform = torch.linalg.solve_triangular(right.T, vh.T, upper=True)
        # A sign of its own for each mode: skewed towards the positive side.
        modes = (x.double() - x_mean) @ transform
        sign = torch.where(modes.pow(3).mean(0) < 0, -1.0, 1.0)
        self.mean.copy_(x_mean)
        self.later_mean.copy_(y_mean)
        self.transform.copy_(transform * sign)
        self.later_transform.copy_(later_transform * sign)
        self.singular_values.copy_(s)
        return notes


def _covariances(x: Tensor, y: Tensor, reversible: bool) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return both means and the covariances C00, C0t, Ctt of pairs (n, d), in double precision."""
    x, y = x.double(), y.double()
    n, width = x.shape
    if reversible:
        x, y = torch.cat([x, y]), torch.cat([y, x])
        n = 2 * n
    x_mean, y_mean = x.mean(0), y.mean(0)
    x, y = x - x_mean, y - y_mean
    c00, c0t, ctt = x.T @ x / (n - 1), x.T @ y / (n - 1), y.T @ y / (n - 1)
    ridge = torch.eye(width, dtype=x.dtype, device=x.device)
    c00 = c00 + (_RIDGE * c00.trace() / width + 1e-12) * ridge
    ctt = ctt + (_RIDGE * ctt.trace() / width + 1e-12) * ridge
    return x_mean, y_mean, c00, c0t, ctt


def _tica(x: Tensor, y: Tensor, modes: int) -> Tensor:
    """Return the weights (d, modes) of the slowest linear functions of pairs (n, d), of variance 1.

    Reference: Perez-Hernandez et al., J. Chem. Phys. 139, 015102 (2013), https://doi.org/10.1063/1.4811489.
    """
    _, _, c00, c0t, _ = _covariances(x, y, reversible=True)
    values, vectors = torch.linalg.eigh(c00)
    keep = values > 1e-6 * values[-1]  # directions that hardly vary, such as sine and cosine of a stiff torsion
    whiten = vectors[:, keep] / values[keep].sqrt()
    _, slowest = torch.linalg.eigh(whiten.T @ c0t @ whiten)
    found = torch.zeros(len(c00), modes, dtype=c00.dtype, device=c00.device)
    n = min(modes, int(keep.sum()))
    found[:, :n] = whiten @ slowest[:, -n:].flip(1)
    return found


def _whitened(left: Tensor, right: Tensor, c0t: Tensor) -> Tensor:
    """Return the Koopman matrix between whitened functions."""
    half = torch.linalg.solve_triangular(left, c0t, upper=False)
    return torch.linalg.solve_triangular(right, half.T, upper=False).T


def _vamp2(ends: Tensor, reversible: bool) -> Tensor:
    """Return the VAMP-2 score of n pairs, the constant function's 1 included.

    Parameters
    ----------
    ends : (2 n, d) Tensor
        The functions of the first ends, and then those of the second ones.
    reversible : bool
        Whether each pair counts the other way round too.
    """
    if reversible:
        first, second = ends.chunk(2)
        ends = torch.cat([first, second, second, first])
    score: Tensor = _Vamp2.apply(ends)
    return score


class _Vamp2(torch.autograd.Function):
    """The score tr(C00^-1 C0t Ctt^-1 Ct0) + 1, with the covariances of `_covariances`, and its gradient in closed form.

    Of small matrices the calls cost, not the arithmetic: on a processor it is one call.
    """

    @staticmethod
    def forward(ctx: Any, ends: Tensor) -> Tensor:
        """Return the score in double precision."""
        if ends.is_cuda:
            score, ctx.gradient = _score_and_gradient(ends)
            return score
        found, gradient = score_and_gradient(ends.contiguous().numpy(), _RIDGE)
        ctx.gradient = torch.from_numpy(gradient)
        return torch.tensor(found, dtype=torch.float64)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> Tensor:
        """Return the gradient by the functions."""
        return ctx.gradient * outer[0].to(ctx.gradient.dtype)


def _score_and_gradient(ends: Tensor) -> tuple[Tensor, Tensor]:
    """Return what the kernel of that name does, by torch, and without waiting for the device."""
    n, width = len(ends) // 2, ends.shape[1]
    rows = ends.double().reshape(2, n, width).transpose(1, 2).reshape(2 * width, n)
    rows = rows - rows.mean(1, keepdim=True)
    covariance = rows @ rows.T / (n - 1)
    own = torch.block_diag(covariance[:width, :width], covariance[width:, width:])
    across = covariance - own
    _add_ridge(own, 1e-12)
    factor, _ = torch.linalg.cholesky_ex(own)
    ratio = torch.cholesky_solve(across, factor)
    half = torch.cholesky_solve(ratio.T, factor)
    slope = half - half @ ratio.T
    _add_ridge(slope)
    gradient = (2 / (n - 1) * slope @ rows).view(2, width, n).transpose(1, 2).reshape(2 * n, width)
    return (ratio * ratio.T).sum() / 2 + 1, gradient.to(ends.dtype)


def _add_ridge(matrix: Tensor, least: float = 0.0) -> None:
    """Add to the diagonal of both blocks (d, d) of a matrix (2 d, 2 d) a share of its mean, in place."""
    blocks = matrix.diagonal().view(2, -1)
    blocks += _RIDGE * blocks.mean(1, keepdim=True) + least

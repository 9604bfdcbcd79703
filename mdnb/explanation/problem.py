"""Problem: what is explained against what, as every method gets it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from mdnb.explanation.players import Players

__all__ = ["Problem", "Scored"]

#: Numbers in one pass through a network: few large passes, and yet small enough for a processor's cache.
_PASS = 2**16


class Scored(nn.Module):
    """A network whose one output is what is explained, (batch, 1)."""

    def __init__(self, model: nn.Module, head: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.model, self._head = model, head

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, 1)."""
        return self._head(self.model, x)[:, None]


@dataclass(frozen=True)
class Problem:
    """Samples, a background, and the output that is explained.

    Attributes
    ----------
    module : Scored
        The network.
    x : (n_samples, window, *shape) tensor
        Scaled inputs.
    background : (n_background, window, *shape) tensor
    weights : (n_background,) array
        They sum to 1.
    players : Players
    tolerance : float
        Additivity error, as a share of the predictions' range, at which a method may stop.
    seed : int
    threads : int
        Of torch; 0 and 1 are one.
    prediction : (n_samples,) array
        The output of the samples.
    base : (n_background,) array
        The output of the background.
    """

    module: Scored
    x: Tensor
    background: Tensor
    weights: np.ndarray
    players: Players
    tolerance: float = 0.01
    seed: int = 0
    threads: int = 1
    prediction: np.ndarray = field(init=False)
    base: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "prediction", self.evaluate(self.x))
        object.__setattr__(self, "base", self.evaluate(self.background))

    @property
    def n_inputs(self) -> int:
        """Numbers of a sample."""
        return int(self.x[0].numel())

    @property
    def base_value(self) -> float:
        """The output expected over the background."""
        return float(self.weights @ self.base)

    @property
    def spread(self) -> float:
        """The range of the predictions and the base value, never 0."""
        return max(float(np.ptp(np.append(self.prediction, self.base_value))), 1e-12)

    @property
    def pass_size(self) -> int:
        """How many points go through the network at once."""
        return int(np.clip(_PASS // self.n_inputs, 1, 4096))

    @torch.no_grad()
    def evaluate(self, points: Tensor) -> np.ndarray:
        """Return the output of points (n_points, window, *shape), (n_points,) in double precision."""
        return torch.cat([self.module(part)[:, 0] for part in points.split(self.pass_size)]).double().cpu().numpy()

    def worth(self, sample: int, coalitions: np.ndarray) -> np.ndarray:
        """Return what coalitions of players are worth: the mean output where all other inputs are the background's.

        Parameters
        ----------
        sample : int
        coalitions : (n_coalitions, n_players) bool array

        Returns
        -------
        (n_coalitions,) array
        """
        present = torch.from_numpy(self.players.present(np.asarray(coalitions, bool))).to(self.x.device)
        own, behind = self.x[sample].reshape(1, 1, -1), self.background.reshape(1, len(self.background), -1)
        rows = max(1, 8 * self.pass_size // len(self.background))
        values = [
            self.evaluate(torch.where(part[:, None], own, behind).reshape(-1, *self.x.shape[1:]))
            for part in present.split(rows)
        ]
        return np.asarray(np.concatenate(values).reshape(len(present), -1) @ self.weights)

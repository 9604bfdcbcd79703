"""Case: all that one judgement is made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mdnb.generation.draws import block_weights
from mdnb.generation.space import Described, Space

__all__ = ["Case"]


@dataclass(frozen=True)
class Case:
    """Ensembles that are compared with held-out molecular dynamics.

    Attributes
    ----------
    space : Space
        Of the held-out MD.
    real : Described
        The held-out MD.
    seen : Described or None
        The training MD.
    made : dict of Described
        What is judged.
    baselines : tuple of str
        The names among them of what is training MD itself.
    n_draws, seed : int
        Of the bootstrap.
    """

    space: Space
    real: Described
    seen: Described | None
    made: dict[str, Described]
    baselines: tuple[str, ...]
    n_draws: int
    seed: int

    @cached_property
    def weights(self) -> np.ndarray:
        """How often each block of the held-out MD is drawn, (n_draws, n_blocks): the same for every figure."""
        return block_weights(self.real.ensemble.n_blocks, self.n_draws, self.seed)

    def weights_of(self, name: str) -> np.ndarray:
        """Return how often each block of a set is drawn, (n_draws, n_blocks): the same for each of its figures."""
        number = list(self.made).index(name)
        return block_weights(self.made[name].ensemble.n_blocks, self.n_draws, self.seed + 1 + number)

    @cached_property
    def control(self) -> tuple[Described, Described]:
        """Real MD to take frames from for the floor, and real MD to compare them with.

        The training MD and the held-out MD; without the former every other replica of the latter and the rest, or
        the halves of its only replica.
        """
        if self.seen is not None:
            return self.seen, self.real
        replica = self.real.ensemble.replica
        if self.real.ensemble.n_replicas > 1:
            first = np.isin(replica, np.unique(replica)[::2])
        else:
            first = np.arange(len(replica)) < len(replica) // 2
        return self.real.take(np.flatnonzero(first)), self.real.take(np.flatnonzero(~first))

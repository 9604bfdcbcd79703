"""Proposals: structures drawn from a generator, and drawn again where the checks refuse them."""

from __future__ import annotations

import mdtraj
import numpy as np
import torch
from torch import Tensor

from mdnb.generation.checks import check_structures
from mdnb.generation.maker import Maker
from mdnb.models.autoencoder import Generator

__all__ = ["Proposals"]


class Proposals:
    """Structures of a generator, as drawn.

    Attributes
    ----------
    structures : mdtraj.Trajectory
    checks : dict of (n,) bool arrays
        What the checks say of them.
    draws : (n,) int array
        How often each was drawn.
    condition : (n,) Tensor or None
        What each was asked to be; where nothing was asked, what was drawn from the conditions of the training.

    Parameters
    ----------
    model : Generator
    n : int
    condition : (n,) Tensor or None
    generator : torch.Generator
    maker : Maker
    """

    def __init__(
        self, model: Generator, n: int, condition: Tensor | None, generator: torch.Generator, maker: Maker
    ) -> None:
        self._model, self._maker, self._generator = model, maker, generator
        self.condition, self._latents = model.latents(n, generator, condition)
        self._which = torch.rand(n, generator=generator)
        self.structures = maker.make(self._drawn(np.arange(n)))
        self.checks = check_structures(self.structures, maker.limits)
        self.draws = np.ones(n, int)

    @property
    def refused(self) -> np.ndarray:
        """The numbers of the structures that fail a check."""
        return np.flatnonzero(~np.logical_and.reduce(list(self.checks.values())))

    def again(self, attempts: int) -> None:
        """Draw those that are refused again, until each was drawn so often; of each the one with fewest clashes stays.

        They keep their latents and how their parts lie to each other: only the parts for themselves, such as side
        chains, are drawn anew. Were the latter drawn too, loose structures, which clash less, would become more
        frequent than they are.
        """
        clashes = self._maker.limits.clashes(self.structures)
        for _ in range(attempts - 1):
            rows = self.refused
            if not len(rows):
                return
            made = self._maker.make(self._drawn(rows))
            checks = check_structures(made, self._maker.limits)
            self.draws[rows] += 1
            found = self._maker.limits.clashes(made)
            better = np.logical_and.reduce(list(checks.values())) | (found < clashes[rows])
            taken = rows[better]
            positions = self.structures.xyz
            positions[taken], clashes[taken] = made.xyz[better], found[better]
            self.structures = mdtraj.Trajectory(positions, self.structures.topology)
            for name, passed in checks.items():
                self.checks[name][taken] = passed[better]

    def _drawn(self, rows: np.ndarray) -> Tensor:
        known = None if self.condition is None else self.condition[rows]
        return self._model.frames(self._latents[rows], self._generator, known, self._which[rows])

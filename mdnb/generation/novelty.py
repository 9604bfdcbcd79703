"""Novelty: whether structures are new, or copies of training frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mdnb.generation.ensemble import Ensemble
from mdnb.generation.nearest import nearest_rmsd

__all__ = ["Novelty", "NoveltyJudge"]

#: The memorization line: this part of real frames is nearer to a training frame; twice as many are worth a warning.
_LINE = 0.05
#: Structures prefer training over held-out frames by more than this part of what is left: they are copies.
_EXCESS = 0.2


@dataclass(frozen=True)
class Novelty:
    """How far generated structures are from training frames.

    Attributes
    ----------
    nearest : (n,) array
        RMSD of heavy atoms in nm to the nearest training frame.
    other : (n,) array
        That to the nearest held-out frame.
    line : float
        The memorization line in nm: 5% of real frames are nearer to a training frame.
    """

    nearest: np.ndarray
    other: np.ndarray
    line: float

    @property
    def below(self) -> np.ndarray:
        """Whether each is nearer to a training frame than the memorization line, (n,)."""
        return self.nearest < self.line

    @property
    def prefers(self) -> np.ndarray:
        """1 where a structure is nearer to training than to held-out MD, 0.5 where it is a tie, (n,)."""
        return (1 + np.sign(self.other - self.nearest)) / 2


class NoveltyJudge:
    """Compares distances to training frames with those of real frames.

    The memorization line is such that 5% of held-out frames, and at most 5% of training frames (blocks other than
    their own counted), are nearer to a training frame: where replicas have not seen the same basins, held-out frames
    are far from all training frames, and being nearer is no sign of copying.

    Parameters
    ----------
    train, held_out : Ensemble
    heavy : (n_heavy,) int array
        Atoms that count.
    work : float
        Pairs of structures to compare, of 16 atoms each: all training and held-out frames, which copies may be of,
        and as many queries as that allows, 500 to 10,000.

    Attributes
    ----------
    most : int
        Queries to ask at once.

    References
    ----------
    Distances of held-out samples as the measure of copying: Meehan, Chaudhuri, Dasgupta, AISTATS 108, 3546 (2020),
    https://doi.org/10.48550/arXiv.2004.05675
    """

    def __init__(self, train: Ensemble, held_out: Ensemble, heavy: np.ndarray, work: float = 1.5e8) -> None:
        self._heavy = heavy
        self._train, self._held_out = (one.structures.xyz[:, heavy] for one in (train, held_out))
        pool = max(len(train), len(held_out))
        self.most = int(np.clip(work * 16 / max(16, len(heavy)) / pool, 500, 10_000))
        rows = _rows(len(held_out), self.most // 2)
        self.blocks = np.unique(held_out.blocks[rows], return_inverse=True)[1]
        self.expected = nearest_rmsd(held_out.structures.xyz[rows][:, heavy], self._train)[0]
        chosen = _rows(len(train), self.most // 2)
        within = nearest_rmsd(self._train[chosen], self._train, (train.blocks[chosen], train.blocks))[0]
        self._within = float(np.quantile(within, _LINE))
        #: Of new structures this part is nearer to a training frame: of all frames, so many are.
        self.fair = len(self._train) / (len(self._train) + len(self._held_out))

    def judge(self, made: np.ndarray) -> Novelty:
        """Return how new structures are, from their positions (n, n_atoms, 3) in nm."""
        own = made[:, self._heavy]
        return Novelty(
            nearest=nearest_rmsd(own, self._train)[0],
            other=nearest_rmsd(own, self._held_out)[0],
            line=min(float(np.quantile(self.expected, _LINE)), self._within),
        )

    def lines(self, weights: np.ndarray) -> np.ndarray:
        """Return the memorization line of each draw of the held-out blocks, (n_draws,)."""
        order = np.argsort(self.expected)
        lines = np.empty(len(weights))
        for number, draw in enumerate(weights):
            total = np.cumsum(draw[self.blocks[order]])
            lines[number] = self.expected[order][np.searchsorted(total, _LINE * total[-1])]
        return np.minimum(lines, self._within)


def warning(name: str, share: float, low: float, preference: float, fair: float) -> str:
    """Return what is to be said about copies of training frames; nothing where there is nothing to say.

    Parameters
    ----------
    name : str
        Of the structures.
    share, low : float
        Of structures below the memorization line, and the lower end of its interval.
    preference : float
        Share of structures that are nearer to training than to held-out MD.
    fair : float
        That of new structures.
    """
    if not low > 2 * _LINE:
        return ""
    if preference > fair + _EXCESS * (1 - fair):
        return (
            f"{name}: memorized. {share:.0%} of the structures are nearer to a training frame than {_LINE:.0%} of "
            f"real ones are, and {preference:.0%} are nearer to training than to held-out MD ({fair:.0%} of new ones "
            "would be): they are copies"
        )
    return (
        f"{name}: {share:.0%} of the structures are nearer to a training frame than {_LINE:.0%} of real ones are, but "
        "as near to held-out MD: they are no copies, but keep to where MD is densest (thermal motion is missing)"
    )


def _rows(n: int, most: int) -> np.ndarray:
    return np.linspace(0, n - 1, min(n, most)).astype(int)

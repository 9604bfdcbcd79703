"""Novelty: whether structures are new, or copies of training frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mdnb.generation.draws import block_weights, interval
from mdnb.generation.ensemble import Ensemble
from mdnb.generation.nearest import nearest_rmsd

__all__ = ["Novelty", "NoveltyJudge"]

#: The memorization line: this part of real frames is nearer to a training frame; twice as many are worth a warning.
_LINE = 0.05
#: Structures prefer training over held-out frames by more than this part of what is left: they are copies.
_EXCESS = 0.2
#: Nearer than this, in nm, a structure is a training frame: XTC files round by as much.
_SAME = 1e-3
#: Bootstrap draws of the line and of the shares below it.
_DRAWS = 1000


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
    lines : (n_draws,) array
        The line of each draw of the blocks of real frames.
    n_real : int
        Blocks of real frames that the line is drawn from.
    """

    nearest: np.ndarray
    other: np.ndarray
    line: float
    lines: np.ndarray
    n_real: int

    @property
    def below(self) -> np.ndarray:
        """Whether each is nearer to a training frame than the memorization line, (n,)."""
        return self.nearest < self.line

    @property
    def same(self) -> np.ndarray:
        """Whether each is a training frame itself, to the rounding of files, (n,)."""
        return self.nearest < _SAME

    @property
    def prefers(self) -> np.ndarray:
        """1 where a structure is nearer to training than to held-out MD, 0.5 where it is a tie, (n,)."""
        return (1 + np.sign(self.other - self.nearest)) / 2

    def below_interval(self, blocks: np.ndarray, seed: int = 0) -> tuple[float, float]:
        """Return the 95% interval of the share below the line, with what is not known of the line itself.

        Parameters
        ----------
        blocks : (n,) int array
            Which structures are drawn together.
        seed : int
        """
        n_blocks = int(blocks.max()) + 1
        order = np.argsort(self.nearest)
        weights = block_weights(n_blocks, len(self.lines), seed)
        draws = np.empty(len(self.lines))
        for number, (draw, line) in enumerate(zip(weights, self.lines, strict=True)):
            own = draw[blocks[order]]
            draws[number] = own[: np.searchsorted(self.nearest[order], line)].sum() / own.sum()
        return interval(float(self.below.mean()), draws, min(n_blocks, self.n_real), (0.0, 1.0))


class NoveltyJudge:
    """Compares distances to training frames with those of real frames.

    The memorization line is such that 5% of held-out frames, and at most 5% of training frames (blocks other than
    their own counted), are nearer to a training frame: where replicas have not seen the same basins, held-out frames
    are far from all training frames, and being nearer is no sign of copying.

    Of structures that are new, 5% are therefore expected below the line, and half of all good generators show more
    than that. What speaks of copies is a share that is significantly above what real MD shows: more than 5% at the
    lower end of its 95% interval. That interval holds both what is not known of the share, by drawing the structures
    in their blocks, and what is not known of the line, by drawing the held-out and the training MD in theirs: its
    frames follow each other in time, so that thousands of them know the line as well as a few dozen blocks do.

    Parameters
    ----------
    train, held_out : Ensemble
    heavy : (n_heavy,) int array
        Atoms that count.
    work : float
        Pairs of structures to compare, of 16 atoms each: all training and held-out frames, which copies may be of,
        and as many queries as that allows, 500 to 10,000.
    seed : int
        Of the draws.

    Attributes
    ----------
    most : int
        Queries to ask at once.

    References
    ----------
    Distances of held-out samples as the measure of copying: Meehan, Chaudhuri, Dasgupta, AISTATS 108, 3546 (2020),
    https://doi.org/10.48550/arXiv.2004.05675. Blocks: Kunsch, Ann. Statist. 17, 1217 (1989),
    https://doi.org/10.1214/aos/1176347265
    """

    def __init__(
        self, train: Ensemble, held_out: Ensemble, heavy: np.ndarray, work: float = 1.5e8, seed: int = 0
    ) -> None:
        self._heavy = heavy
        self._train, self._held_out = (one.structures.xyz[:, heavy] for one in (train, held_out))
        pool = max(len(train), len(held_out))
        self.most = int(np.clip(work * 16 / max(16, len(heavy)) / pool, 500, 10_000))
        rows = _rows(len(held_out), self.most // 2)
        self.expected = nearest_rmsd(held_out.structures.xyz[rows][:, heavy], self._train)[0]
        chosen = _rows(len(train), self.most // 2)
        within = nearest_rmsd(self._train[chosen], self._train, (train.blocks[chosen], train.blocks))[0]
        self._line = min(float(np.quantile(one, _LINE)) for one in (self.expected, within))
        blocks = [np.unique(own, return_inverse=True)[1] for own in (held_out.blocks[rows], train.blocks[chosen])]
        self._n_real = min(int(own.max()) + 1 for own in blocks)
        both = zip((self.expected, within), blocks, (seed, seed + 1), strict=True)
        self._lines = np.min([_lines(distances, own, draw) for distances, own, draw in both], axis=0)
        #: Of new structures this part is nearer to a training frame: of all frames, so many are.
        self.fair = len(self._train) / (len(self._train) + len(self._held_out))

    def judge(self, made: np.ndarray) -> Novelty:
        """Return how new structures are, from their positions (n, n_atoms, 3) in nm."""
        own = made[:, self._heavy]
        return Novelty(
            nearest=nearest_rmsd(own, self._train)[0],
            other=nearest_rmsd(own, self._held_out)[0],
            line=self._line,
            lines=self._lines,
            n_real=self._n_real,
        )


def warning(name: str, share: float, low: float, preference: float, fair: float, same: float = 0.0) -> str:
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
    same : float
        Share of structures that are training frames.
    """
    if same > _LINE:
        return (
            f"{name}: {same:.0%} of the structures are training frames (to {_SAME:g} nm, the rounding of XTC files): "
            "pieces of the training data, or copies of it, and nothing new"
        )
    if not low > 2 * _LINE:
        return ""
    head = f"{share:.0%} of the structures lie below the memorization line, where {_LINE:.0%} of real frames do"
    if preference > fair + _EXCESS * (1 - fair):
        return (
            f"{name}: memorized. {head}, and {preference:.0%} are nearer to training than to held-out MD ({fair:.0%} "
            "of new ones would be): they are near-copies of training frames"
        )
    return (
        f"{name}: {head}, but they are as near to held-out MD: they are no copies, but keep to where MD is densest "
        "(thermal motion is missing)"
    )


def _lines(distances: np.ndarray, blocks: np.ndarray, seed: int) -> np.ndarray:
    """Return the line of each draw of the blocks of real frames, (n_draws,)."""
    order = np.argsort(distances)
    lines = np.empty(_DRAWS)
    for number, draw in enumerate(block_weights(int(blocks.max()) + 1, _DRAWS, seed)):
        total = np.cumsum(draw[blocks[order]])
        lines[number] = distances[order][np.searchsorted(total, _LINE * total[-1])]
    return lines


def _rows(n: int, most: int) -> np.ndarray:
    return np.linspace(0, n - 1, min(n, most)).astype(int)

"""Summary: the mean importance of groups over all samples, with intervals by block bootstrap over trajectories."""

from __future__ import annotations

import html
from dataclasses import dataclass

import numpy as np

__all__ = ["Summary", "blocks_of", "culprits", "interval", "summarize", "sure_part"]

_DRAWS = 500


@dataclass(frozen=True)
class Summary:
    """Mean attributions of groups of inputs over the explained samples.

    Attributes
    ----------
    kind : str
        What the groups are: ``feature``, ``residue``, ...
    names : tuple of str
    importance : (n_groups,) array
        Mean absolute attribution.
    low, high : (n_groups,) arrays
        Its 95% interval by bootstrap over blocks of successive samples of one trajectory.
    mean : (n_groups,) array
        Mean signed attribution.
    n_blocks : int
        How many blocks, of how many trajectories, the intervals rest on.
    n_trajectories : int
    """

    kind: str
    names: tuple[str, ...]
    importance: np.ndarray
    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray
    n_blocks: int
    n_trajectories: int

    def top(self, n: int = 5) -> list[str]:
        """Return the names of the most important groups, the first one first."""
        return [self.names[i] for i in np.argsort(-self.importance, kind="stable")[:n]]

    def _rows(self, most: int) -> list[tuple[str, float, float, float, float]]:
        order = np.argsort(-self.importance, kind="stable")[:most]
        columns = (self.importance, self.low, self.high, self.mean)
        return [(self.names[i], *(float(one[i]) for one in columns)) for i in order]

    def __repr__(self) -> str:
        rows = self._rows(12)
        width = max((len(row[0]) for row in rows), default=4)
        lines = [
            f"  {name:<{width}}  {value:9.4g}  [{low:.4g}, {high:.4g}]  mean {mean:+.4g}"
            for name, value, low, high, mean in rows
        ]
        more = [f"  ... and {len(self.names) - len(rows)} more"] if len(self.names) > len(rows) else []
        return "\n".join([self._headline(), *lines, *more])

    def _headline(self) -> str:
        return (
            f"Mean |attribution| by {self.kind}; 95% intervals from {self.n_blocks} blocks of {self.n_trajectories} "
            f"{'trajectory' if self.n_trajectories == 1 else 'trajectories'}"
        )

    def _repr_html_(self) -> str:
        cells = [[self.kind, "mean |attribution|", "95% interval", "mean"]]
        for name, value, low, high, mean in self._rows(20):
            cells.append([name, f"{value:.4g}", f"{low:.4g} to {high:.4g}", f"{mean:+.4g}"])
        rows = ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in cells]
        table = "".join(f"<tr>{row}</tr>" for row in rows)
        return f"<p>{html.escape(self._headline())}</p><table>{table}</table>"


def summarize(kind: str, names: tuple[str, ...], values: np.ndarray, trajectory: np.ndarray) -> Summary:
    """Return the summary of attributions.

    Parameters
    ----------
    kind : str
    names : tuple of str
    values : (n_samples, n_groups) array
        In order of time within each trajectory.
    trajectory : (n_samples,) int array

    References
    ----------
    Kunsch, Ann. Statist. 17, 1217 (1989), https://doi.org/10.1214/aos/1176347265
    """
    blocks = blocks_of(trajectory)
    size = np.array([len(block) for block in blocks], float)
    sums = np.stack([np.abs(values[block]).sum(0) for block in blocks])
    importance = np.abs(values).mean(0)
    low, high = interval(sums, size, importance)
    return Summary(
        kind, names, importance, np.maximum(low, 0), high, values.mean(0), len(blocks), len(np.unique(trajectory))
    )


def sure_part(values: np.ndarray, trajectory: np.ndarray) -> np.ndarray:
    """Return the size of the mean of (n_samples, n) attributions less half its 95% interval, at least 0, (n,)."""
    blocks = blocks_of(trajectory)
    sums = np.stack([values[block].sum(0) for block in blocks])
    center = values.mean(0)
    low, high = interval(sums, np.array([len(block) for block in blocks], float), center)
    return np.maximum(np.abs(center) - np.nan_to_num(high - low) / 2, 0)


def culprits(needs: np.ndarray, importance: np.ndarray) -> np.ndarray:
    """Return the importances of players, not negative, whose sums explain those of the inputs best.

    Parameters
    ----------
    needs : (n_inputs, n_players) bool array
    importance : (n_inputs,) array

    Returns
    -------
    (n_players,) array
    """
    from scipy.optimize import nnls

    found, _ = nnls(needs.astype(float), importance, maxiter=30 * needs.shape[1])
    return np.asarray(found)


def blocks_of(trajectory: np.ndarray, n_blocks: int = 20) -> list[np.ndarray]:
    """Return about `n_blocks` blocks of successive samples, none of two trajectories."""
    numbers = np.unique(trajectory)
    each = max(1, n_blocks // len(numbers))
    parts = [block for number in numbers for block in np.array_split(np.flatnonzero(trajectory == number), each)]
    return [block for block in parts if len(block)]


def interval(sums: np.ndarray, size: np.ndarray, center: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the 95% bootstrap interval of a mean from the sums of blocks, widened for few blocks.

    Parameters
    ----------
    sums : (n_blocks, n) array
    size : (n_blocks,) array
        Samples of each block.
    center : (n,) array
        The mean itself.
    """
    from scipy.stats import norm
    from scipy.stats import t as student

    n = len(sums)
    if n == 1:
        return np.full_like(center, np.nan), np.full_like(center, np.nan)
    times = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=_DRAWS)
    drawn = (times @ sums) / (times @ size)[:, None] - center
    widen = float(student.ppf(0.975, n - 1) / norm.ppf(0.975) * np.sqrt(n / (n - 1)))
    low, high = np.percentile(widen * drawn, [2.5, 97.5], axis=0)
    return center + low, center + high

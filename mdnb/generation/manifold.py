"""Precision, recall, density and coverage: whether structures lie where real ones lie, and everywhere they do."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

__all__ = ["Manifolds"]


class Manifolds:
    """The neighbourhoods of real and of generated samples, each a ball that reaches to the k-th nearest of its kind.

    Precision is the share of generated samples that lie in the ball of a real one, recall the share of real samples
    in the ball of a generated one; density counts the balls of real samples that a generated one lies in, over k;
    coverage is the share of real samples whose ball holds a generated one.

    Parameters
    ----------
    real, made : (n, n_features) arrays
    real_blocks, made_blocks : (n,) int arrays, optional
        Which samples are drawn together; all in one block by default.
    k : int

    References
    ----------
    Precision and recall: Kynkaanniemi et al., NeurIPS 32 (2019), https://doi.org/10.48550/arXiv.1904.06991; density
    and coverage: Naeem et al., ICML 119, 7176 (2020), https://doi.org/10.48550/arXiv.2002.09797
    """

    def __init__(
        self,
        real: np.ndarray,
        made: np.ndarray,
        real_blocks: np.ndarray | None = None,
        made_blocks: np.ndarray | None = None,
        k: int = 5,
    ) -> None:
        self.k = min(k, len(real) - 1, len(made) - 1)
        self._real, self._made = (
            _one_hot(np.zeros(len(one), int) if blocks is None else blocks)
            for one, blocks in ((real, real_blocks), (made, made_blocks))
        )
        with threadpool_limits(1):
            between = _squares(made, real)
            in_real = (between <= _reach(real, self.k)[None]).astype(np.float32)
            in_made = (between <= _reach(made, self.k)[:, None]).astype(np.float32)
            # Of each sample, how many balls of each block it lies in: all that a draw of blocks needs to know.
            self._balls_of_real = in_real @ self._real  # (n_made, n_real_blocks)
            self._balls_of_made = in_made.T @ self._made  # (n_real, n_made_blocks)
            self._held = in_real.T @ self._made  # (n_real, n_made_blocks)

    def scores(self) -> dict[str, float]:
        """Return precision, recall, density and coverage."""
        draws = self.draws(np.ones((1, self._real.shape[1])), np.ones((1, self._made.shape[1])))
        return {name: float(values[0]) for name, values in draws.items()}

    def draws(self, real: np.ndarray, made: np.ndarray) -> dict[str, np.ndarray]:
        """Return them of each draw of blocks, (n_draws,); the balls stay as they are.

        Parameters
        ----------
        real, made : (n_draws, n_blocks) array
            How often each block was drawn.
        """
        with threadpool_limits(1):
            of_real, of_made = real @ self._real.T, made @ self._made.T  # (n_draws, n): how often each sample counts
            n_real, n_made = of_real.sum(1), of_made.sum(1)
            balls = (self._balls_of_real @ real.T).T  # (n_draws, n_made)
            reached = (self._balls_of_made @ made.T).T > 0  # (n_draws, n_real)
            held = (self._held @ made.T).T > 0
        return {
            "precision": (of_made * (balls > 0)).sum(1) / n_made,
            "recall": (of_real * reached).sum(1) / n_real,
            "density": (of_made * balls).sum(1) / n_made / self.k * (len(self._real) / n_real),
            "coverage": (of_real * held).sum(1) / n_real,
        }


def _one_hot(blocks: np.ndarray) -> np.ndarray:
    return (blocks[:, None] == np.arange(blocks.max() + 1)).astype(np.float32)


def _squares(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the squared distances of all pairs, (n_first, n_second)."""
    middle = second.mean(0)
    a, b = first - middle, second - middle
    return np.maximum(np.square(a).sum(1)[:, None] + np.square(b).sum(1)[None] - 2 * a @ b.T, 0.0)


def _reach(samples: np.ndarray, k: int) -> np.ndarray:
    """Return the squared distance to the k-th nearest other sample, (n,)."""
    squares = _squares(samples, samples)
    np.fill_diagonal(squares, 0.0)
    return np.asarray(np.partition(squares, k, axis=1)[:, k])

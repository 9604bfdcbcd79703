"""Precision, recall, density and coverage: whether structures lie where real ones lie, and everywhere they do."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

__all__ = ["Manifolds"]


class Manifolds:
    """The neighbourhoods of real and of generated samples, each a ball that reaches to the k-th nearest of its kind.

    Parameters
    ----------
    real, made : (n, n_features) arrays
    k : int

    References
    ----------
    Precision and recall: Kynkaanniemi et al., NeurIPS 32 (2019), https://doi.org/10.48550/arXiv.1904.06991; density
    and coverage: Naeem et al., ICML 119, 7176 (2020), https://doi.org/10.48550/arXiv.2002.09797
    """

    def __init__(self, real: np.ndarray, made: np.ndarray, k: int = 5) -> None:
        self.k = min(k, len(real) - 1, len(made) - 1)
        with threadpool_limits(1):
            between = _squares(made, real)
            #: Whether a generated sample lies in the ball of a real one, and a real one in that of a generated one.
            self.made_in_real = (between <= _reach(real, self.k)[None]).astype(np.float32)
            self.real_in_made = (between <= _reach(made, self.k)[:, None]).T.astype(np.float32)

    def scores(self, real: np.ndarray | None = None, made: np.ndarray | None = None) -> dict[str, float]:
        """Return precision, recall, density and coverage.

        Parameters
        ----------
        real, made : (n,) array, optional
            How often each sample counts, 1 by default; the balls stay as they are.
        """
        n_made, n_real = self.made_in_real.shape
        real = np.ones(n_real) if real is None else real
        made = np.ones(n_made) if made is None else made
        in_real = self.made_in_real @ real.astype(np.float32)
        in_made = self.real_in_made @ made.astype(np.float32)
        held = made.astype(np.float32) @ self.made_in_real
        return {
            "precision": float(np.average(in_real > 0, weights=made)),
            "recall": float(np.average(in_made > 0, weights=real)),
            "density": float(np.average(in_real, weights=made) * n_real / (real.sum() * self.k)),
            "coverage": float(np.average(held > 0, weights=real)),
        }


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

"""Linear autoencoders: principal components, and reduced-rank regression at a lag."""

from __future__ import annotations

import numpy as np

from mdnb.baseline.data import Data
from mdnb.models.objectives import TimeLagged
from mdnb.models.vae import VAE
from mdnb.scores import Score, error_scores

__all__ = ["reconstructions"]


def reconstructions(data: Data) -> dict[str, dict[str, Score]]:
    """Return the score of the best linear autoencoder with as many latents."""
    objective, spec = data.run.task.objective, data.run.spec
    x, test_x = (data.inputs(part).astype(np.float64) for part in ("train", "test"))
    name = "PCA"
    if isinstance(objective, TimeLagged):
        latent = objective.latent
        y, test_y = (data.later(part).astype(np.float64) for part in ("train", "test"))
        if objective.lag_time > 0:
            name = "reduced-rank regression"
    else:
        assert isinstance(spec, VAE)
        latent, y, test_y = spec.latent, x, test_x
    given, test_given = (np.ones((len(one), 1)) for one in (x, test_x))
    if data.target is not None:  # the VAE is told the condition, so the linear model is too
        name = f"{name} with the condition"
        given, test_given = _condition(data, "train"), _condition(data, "test")
    guess = reduced_rank(x, y, latent, test_x, given, test_given)
    return {name: error_scores("reconstruction error", np.square(guess - test_y).mean(1), data.where)}


def reduced_rank(
    x: np.ndarray, y: np.ndarray, rank: int, test_x: np.ndarray, given: np.ndarray, test_given: np.ndarray
) -> np.ndarray:
    """Return what the best linear map of that rank makes of new samples; with x = y that of principal components.

    Parameters
    ----------
    x, y : (n, p) and (n, q) arrays
    rank : int
    test_x : (m, p) array
    given, test_given : (n, k) and (m, k) arrays
        What is known besides, at no cost of rank: at least the constant.
    """
    known_x, known_y = (np.linalg.lstsq(given, one, rcond=None)[0] for one in (x, y))
    rest_x, rest_y = x - given @ known_x, y - given @ known_y
    gram = rest_x.T @ rest_x / len(x)
    full = np.linalg.pinv(gram, rcond=1e-10, hermitian=True) @ (rest_x.T @ rest_y / len(x))
    # Of what the full map foretells, the directions with the most variance.
    _, vectors = np.linalg.eigh(full.T @ gram @ full)
    top = vectors[:, ::-1][:, :rank]
    return np.asarray(test_given @ known_y + (test_x - test_given @ known_x) @ (full @ top) @ top.T)


def _condition(data: Data, part: str) -> np.ndarray:
    labels = data.labels(part)
    assert data.target is not None
    if data.target.is_class:
        return np.eye(len(data.target.classes))[labels.astype(int)]
    return np.column_stack([np.ones(len(labels)), labels])

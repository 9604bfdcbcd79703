"""Superposition: the rotations that lay structures on a reference."""

from __future__ import annotations

import numpy as np

__all__ = ["rotations"]


def rotations(positions: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return the rotation matrices that superpose centred positions on a centred reference.

    Parameters
    ----------
    positions : (n_frames, n_atoms, 3) array
    reference : (n_atoms, 3) array

    Returns
    -------
    (n_frames, 3, 3) array
        ``positions @ rotation`` lies on the reference; always proper (no reflection).

    References
    ----------
    Kabsch, Acta Cryst. A 32, 922 (1976), https://doi.org/10.1107/S0567739476001873
    """
    covariance = np.einsum("fai,aj->fij", positions.astype(np.float64), reference.astype(np.float64))
    left, _, right = np.linalg.svd(covariance)
    sign = np.sign(np.linalg.det(left @ right))
    left[:, :, -1] *= sign[:, None]
    return left @ right

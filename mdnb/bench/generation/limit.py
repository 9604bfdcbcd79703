"""What thermal motion leaves of a reconstruction: the error of the best plane through the frames near by."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from mdnb.bench.generation.contestant import aligned_rmsd, heavy_atoms
from mdnb.bench.generation.settings import LATENT
from mdnb.bench.generation.systems import System
from mdnb.features.superposition import rotations
from mdnb.generation.coordinates import Coordinates

__all__ = ["local_limit"]


def local_limit(system: System, latent: int = LATENT, n: int = 400, neighbours: int = 200) -> float:
    """Return the RMSD in nm of heavy atoms that so many latents leave of held-out frames, by local PCA.

    Of each held-out frame the training frames nearest in its torsions are superposed, and the frame is projected onto
    their first principal components. Smooth latents can do little better: near a frame their structures lie on a
    plane of as many dimensions, and this one leaves the least of the frames there. What remains is the motion of all
    other bonds and angles, which grows with the root of the temperature.

    Parameters
    ----------
    system : System
    latent : int
    n : int
        Held-out frames, evenly spaced.
    neighbours : int
        Training frames to each: few know the plane badly, many are no longer near.

    References
    ----------
    Kambhatla, Leen, Neural Comput. 9, 1493 (1997), https://doi.org/10.1162/neco.1997.9.7.1493
    """
    train, held = system.train.frames(slice(None)), system.held.frames(slice(None))
    held = held[np.linspace(0, len(held) - 1, min(n, len(held))).astype(int)]
    coordinates, heavy = Coordinates.of(train.topology), heavy_atoms(train.topology)
    known, asked = (
        np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
        for angles in (coordinates.angles(train), coordinates.angles(held))
    )
    near = cKDTree(known).query(asked, min(neighbours, len(train)))[1]
    errors = []
    for frame, rows in zip(held.xyz[:, heavy].astype(np.float64), near, strict=True):
        own = frame - frame.mean(0)
        others = train.xyz[rows][:, heavy].astype(np.float64)
        others -= others.mean(1, keepdims=True)
        others = others @ rotations(others, own)
        others = others @ rotations(others, others.mean(0))
        mean = others.mean(0)
        own = (own[None] @ rotations(own[None], mean))[0]
        axes = np.linalg.svd((others - mean).reshape(len(rows), -1), full_matrices=False)[2][:latent]
        again = mean + ((own - mean).ravel() @ axes.T @ axes).reshape(-1, 3)
        errors.append(aligned_rmsd(again[None], own[None])[0])
    return float(np.mean(errors))

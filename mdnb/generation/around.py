"""around: structures like a given one, from the posterior of its latents."""

from __future__ import annotations

import math
from typing import Any

import mdtraj
import numpy as np
import torch

from mdnb.errors import SpecError
from mdnb.features.base import Features
from mdnb.generation.generated import Generated
from mdnb.generation.latents import require_generator, scaled_frame
from mdnb.generation.maker import Maker
from mdnb.generation.walked import said_condition, walked
from mdnb.runs import Run
from mdnb.trajectories import Trajectories

__all__ = ["around"]


@torch.no_grad()
def around(
    run: Run,
    frame: mdtraj.Trajectory | int,
    n: int = 100,
    *,
    width: float = 1.0,
    spread: float = 0.0,
    condition: Any = None,
    seed: int = 0,
    features: Features | None = None,
    reference: Trajectories | Features | None = None,
    clean_up: bool | None = None,
) -> Generated:
    """Return structures like a given one, drawn from the posterior of its latents, checked one by one.

    Parameters
    ----------
    run : Run
        Of a VAE or a GAN whose frames can be rebuilt.
    frame : mdtraj.Trajectory or int
        One structure of the molecule, or the number of a frame of `features`.
    n : int
        Structures to draw.
    width : float
        Factor on the posterior's standard deviation: at 1 the structures that the model cannot tell from the given one,
        at 0 its reconstruction.
    spread : float
        Standard deviation that is added in every latent dimension, to look further around: latents as a whole have
        one of about 1.
    condition : number, class name or (n,) array
        Of a run that was trained with a target: as for `mdnb.generate`.
    seed : int
    features : Features, optional
        Where the frame is given by number.
    reference, clean_up
        As for `mdnb.generate`.

    Returns
    -------
    Generated
        Without the noise of the decoder: what it is sure of. Those where no training frames are, are `extrapolated`; a
        note says how many.

    Raises
    ------
    SpecError
        For another family, n below 1, a width or spread below 0, or a condition that the run does not know.
    DataError
        When it is no frame of the run's molecule, or structures cannot be rebuilt from its features.

    References
    ----------
    Kingma, Welling (2013), https://doi.org/10.48550/arXiv.1312.6114
    """
    coding = require_generator(run).coding
    maker = Maker(run, reference)
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise SpecError(f"n = {n!r}: expected the number of structures, a whole number of at least 1")
    for name, value in (("width", width), ("spread", spread)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
            raise SpecError(f"{name} = {value!r}: expected a number of at least 0")
    wanted, notes = said_condition(run, condition, int(n))
    own = scaled_frame(run, frame, features)
    mean, log_variance = coding.encode(own.expand(int(n), *own.shape[1:]), wanted)
    deviation = torch.sqrt(width**2 * log_variance.exp() + spread**2)
    noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(seed))
    latents = mean + deviation * noise
    scaled = coding.decode(latents, wanted)
    return walked(maker, latents, scaled, "around a frame", wanted=wanted, seed=seed, notes=notes, clean_up=clean_up)

"""interpolate: the structures between two others, along a line in the latent space of a VAE or a GAN."""

from __future__ import annotations

from typing import Any

import mdtraj
import numpy as np
import torch
from torch import Tensor

from mdnb.errors import SpecError, unknown_name
from mdnb.features.base import Features
from mdnb.generation.generated import Generated
from mdnb.generation.latents import require_generator, scaled_frame
from mdnb.generation.maker import Maker
from mdnb.generation.walked import said_condition, walked
from mdnb.runs import Run
from mdnb.trajectories import Trajectories

__all__ = ["PATHS", "interpolate"]

#: Ways between two latents.
PATHS = ("line", "sphere")


@torch.no_grad()
def interpolate(
    run: Run,
    first: mdtraj.Trajectory | int,
    last: mdtraj.Trajectory | int,
    n: int = 20,
    *,
    path: str = "line",
    exact: bool = True,
    condition: Any = None,
    features: Features | None = None,
    reference: Trajectories | Features | None = None,
    clean_up: bool | None = None,
) -> Generated:
    """Return structures between two others: decoded from a line between their latents, checked one by one.

    It is a picture of what the model holds to lie between, no pathway of the dynamics: how long each structure lives,
    or whether it is passed at all, a line does not know.

    Parameters
    ----------
    run : Run
        Of a VAE or a GAN whose frames can be rebuilt.
    first, last : mdtraj.Trajectory or int
        Two structures of the molecule, one frame each; or the numbers of two frames of `features`.
    n : int
        Structures, both ends counted.
    path : {"line", "sphere"}
        A straight line, or an arc about the origin, which keeps the length of the latents where that of both ends
        is the same, as a normal prior has it in many dimensions.
    exact : bool
        Add to each structure what the model loses of the two ends, in proportion to their nearness, so that the path
        begins and ends with the structures given. Without it both ends are the model's reconstructions.
    condition : number, class name or (n,) array
        Of a run that was trained with a target: as for `mdnb.generate`, along the path.
    features : Features, optional
        Where frames are given by number.
    reference, clean_up
        As for `mdnb.generate`.

    Returns
    -------
    Generated
        In order from the first to the last. Those where no training frames are, are `extrapolated`; a note says how
        many.

    Raises
    ------
    SpecError
        For another family, an unknown path, n below 2, or a condition that the run does not know.
    DataError
        When the ends are no frames of the run's molecule, or structures cannot be rebuilt from its features.

    References
    ----------
    The arc: Shoemake, Comput. Graph. 19, 245 (1985), https://doi.org/10.1145/325165.325242; in latent spaces: White
    (2016), https://doi.org/10.48550/arXiv.1609.04468
    """
    coding = require_generator(run).coding
    maker = Maker(run, reference)
    if path not in PATHS:
        raise unknown_name("path", path, PATHS)
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 2:
        raise SpecError(f"n = {n!r}: expected the number of structures, a whole number of at least 2 for both ends")
    wanted, notes = said_condition(run, condition, int(n))
    ends = torch.cat([scaled_frame(run, frame, features) for frame in (first, last)])
    at_ends = None if wanted is None else wanted[[0, -1]]
    latents = coding.encode(ends, at_ends)[0]
    share = torch.linspace(0, 1, int(n))[:, None]
    between = _arc(latents, share) if path == "sphere" else (1 - share) * latents[:1] + share * latents[1:]
    scaled = coding.decode(between, wanted)
    if exact:
        lost = (ends[:, 0] - coding.decode(latents, at_ends)).flatten(1)
        scaled = scaled + ((1 - share) * lost[:1] + share * lost[1:]).reshape(scaled.shape)
    return walked(maker, between, scaled, "interpolated", wanted=wanted, seed=0, notes=notes, clean_up=clean_up)


def _arc(ends: Tensor, share: Tensor) -> Tensor:
    """Return points on an arc about the origin between two vectors (2, n); on a line where there is no arc."""
    angle = torch.arccos(torch.nn.functional.cosine_similarity(ends[0], ends[1], dim=0).clamp(-1, 1))
    if float(torch.sin(angle)) < 1e-4:
        return (1 - share) * ends[:1] + share * ends[1:]
    return (torch.sin((1 - share) * angle) * ends[:1] + torch.sin(share * angle) * ends[1:]) / torch.sin(angle)

"""generate: new structures from a trained VAE or GAN."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import mdtraj
import numpy as np
import torch
from torch import Tensor

from mdnb.errors import DataError, SpecError
from mdnb.features.base import Features
from mdnb.generation.asked import extrapolated, read_condition
from mdnb.generation.checks import check_structures
from mdnb.generation.clean_up import clean_up as cleaned
from mdnb.generation.clean_up import displacement
from mdnb.generation.generated import Generated
from mdnb.generation.maker import Maker
from mdnb.generation.origin import Origin
from mdnb.generation.proposals import Proposals
from mdnb.models.autoencoder import Generator
from mdnb.runs import Run
from mdnb.trajectories import Trajectories

__all__ = ["generate", "structures_of"]


def generate(
    run: Run,
    n: int = 1000,
    condition: Any = None,
    *,
    seed: int = 0,
    reference: Trajectories | Features | None = None,
    clean_up: bool | None = None,
    attempts: int = 1,
) -> Generated:
    """Draw new structures from a trained VAE or GAN and check each of them.

    Parameters
    ----------
    run : Run
        Trained on ``internal-coordinates``, from which all atoms are rebuilt exactly, on ``positions`` (the
        selected atoms), or for large proteins on ``backbone`` (N, CA, C, O and CB).
    n : int
        Number of structures.
    condition : number, class name, (n,) array or dict, optional
        Of a run that was trained with a target: what the structures shall be, in the target's unit, such as
        ``0.45`` or ``{"radius_of_gyration": 0.45}``. By default as often as it was in training.
    seed : int
    reference : Trajectories or Features, optional
        Real structures that say what bonds, angles and contacts the checks allow. By default the training
        frames that the run keeps, up to 1,000; more frames know the limits better.
    clean_up : bool, optional
        Whether structures that fail are moved, by small steps, to where the checks allow them to be, without a
        force field; what the checks said before is kept as ``checks_before``. By default not for
        ``internal-coordinates``, and for the others.
    attempts : int
        Draw a structure that the checks refuse again, up to so often in all (rejection sampling), before anything is
        cleaned up. Their latents stay, and of a protein the torsions between residues too: only what those leave open,
        such as side chains, is drawn anew, since else loose structures, which clash less, would become more frequent.
        ``draws`` of the result says how often each was drawn.

    Returns
    -------
    Generated

    Raises
    ------
    SpecError
        For a family that generates nothing, n or attempts below 1, or a condition that the run does not know.
    DataError
        When structures cannot be rebuilt from the features of the run.
    """
    if not isinstance(run, Run):
        raise DataError(f"got {type(run).__name__!r} as a run, expected what mdnb.fit or mdnb.Run.load returns")
    model = run.model
    if not isinstance(model, Generator):
        raise SpecError(f"a {run.family} generates nothing; train mdnb.VAE() or mdnb.GAN()")
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise SpecError(f"n = {n!r}: expected the number of structures, a whole number of at least 1")
    if isinstance(attempts, bool) or not isinstance(attempts, int | np.integer) or attempts < 1:
        raise SpecError(f"attempts = {attempts!r}: expected how often to draw at most, a whole number of at least 1")
    maker = Maker(run, reference)
    generator = torch.Generator().manual_seed(seed)
    wanted, notes = read_condition(run, condition, int(n))
    made = Proposals(model, int(n), wanted, generator, maker)
    if attempts > 1:
        first = 1 - len(made.refused) / n
        made.again(int(attempts))
        notes += (
            f"{first:.1%} passed the checks as first drawn, {1 - len(made.refused) / n:.1%} after at most {attempts} "
            f"draws each ({made.draws.sum():,} in all)",
        )
    result = _finished(maker, made.structures, made.checks, made.condition, seed, notes, clean_up)
    return replace(result, draws=made.draws)


def structures_of(
    maker: Maker,
    scaled: Tensor,
    wanted: Tensor | None = None,
    seed: int = 0,
    notes: tuple[str, ...] = (),
    clean_up: bool | None = None,
) -> Generated:
    """Return the structures of scaled frames, as a model makes them, with their checks.

    Parameters
    ----------
    maker : Maker
        Of the run.
    scaled : (n, *shape) Tensor
    wanted : (n,) Tensor, optional
        What each was asked to be, as `read_condition` returns it.
    seed, clean_up
        As for `generate`.
    notes : tuple of str
    """
    structures = maker.make(scaled)
    return _finished(maker, structures, check_structures(structures, maker.limits), wanted, seed, notes, clean_up)


def _finished(
    maker: Maker,
    structures: mdtraj.Trajectory,
    checks: dict[str, np.ndarray],
    wanted: Tensor | None,
    seed: int,
    notes: tuple[str, ...],
    clean_up: bool | None,
) -> Generated:
    """Return structures with their checks, cleaned up where that is asked."""
    run, before = maker.run, None
    if clean_up or (clean_up is None and not maker.featurizer.exact):
        moved = cleaned(structures, maker.limits)
        far = displacement(structures, moved)
        structures, before, checks = moved, checks, check_structures(moved, maker.limits)
        if far.any():
            notes += (
                f"clean-up moved {(far > 0).mean():.1%} of the structures, by {np.median(far[far > 0]):.2g} nm RMSD in "
                "the median",
            )
    requested = None
    if wanted is not None and run.target is not None:
        known = wanted.numpy()
        requested = known.astype(int) if run.target.classes else known * run.target.scale + run.target.mean
    origin, outside = Origin.of(run), extrapolated(run, wanted)
    return Generated(
        structures, checks, run.family, seed, requested, notes, origin, checks_before=before, extrapolated=outside
    )

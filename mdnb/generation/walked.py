"""walked: structures of chosen places among the latents of a VAE or a GAN, which `around` and `interpolate` make."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor

from mdnb.errors import SpecError
from mdnb.generation.asked import read_condition
from mdnb.generation.generate import structures_of
from mdnb.generation.generated import Generated
from mdnb.generation.latents import Region, outside_note, require_generator
from mdnb.generation.maker import Maker
from mdnb.runs import Run

__all__ = ["said_condition", "walked"]


def said_condition(run: Run, condition: Any, n: int) -> tuple[Tensor | None, tuple[str, ...]]:
    """Return what `read_condition` does; of a run that was trained with a target a condition has to be given.

    Raises
    ------
    SpecError
        When there is none.
    """
    if require_generator(run).coding.conditional and condition is None:
        raise SpecError(
            f"this {run.family} was trained with a target; say with condition= what the structures shall be"
        )
    return read_condition(run, condition, n)


def walked(
    maker: Maker,
    latents: Tensor,
    scaled: Tensor,
    how: str,
    *,
    wanted: Tensor | None,
    seed: int,
    notes: tuple[str, ...],
    clean_up: bool | None,
) -> Generated:
    """Return the structures of latents, of which those where no training frames are count as extrapolated.

    Parameters
    ----------
    maker : Maker
        Of the run.
    latents : (n, latent) Tensor
    scaled : (n, *shape) Tensor
        The frames that they stand for.
    how : str
        Words that are added to the name of the family.
    wanted, seed, notes, clean_up
        As for `structures_of`.
    """
    outside = Region.of_run(maker.run).outside(latents.numpy())
    notes = (*notes, *outside_note(float(outside.mean())))
    made = structures_of(maker, scaled, wanted, seed, notes, clean_up)
    beyond = outside if made.extrapolated is None else outside | made.extrapolated
    return replace(made, extrapolated=beyond, family=f"{maker.run.family}, {how}")

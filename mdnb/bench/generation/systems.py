"""What generators are measured on: trajectories to train on, and others to be judged against."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import mdnb
from mdnb.errors import DataError
from mdnb.trajectories import Trajectories

__all__ = ["DIPEPTIDES", "System", "held_apart", "packaged_protein"]


@dataclass(frozen=True)
class System:
    """A molecule.

    Attributes
    ----------
    title : str
    train, held : Trajectories
        Different simulations of it.
    """

    title: str
    train: Trajectories
    held: Trajectories

    def __str__(self) -> str:
        return (
            f"{self.title}: {self.train.n_frames:,} frames of {len(self.train)} trajectories to train on, "
            f"{self.held.n_frames:,} of {len(self.held)} others to be judged against"
        )


def _alanine(data: str | None) -> System:
    whole = mdnb.example("alanine-dipeptide")
    return System("packaged alanine dipeptide at 500 K", whole[:6], whole[6:])


def _msmb(data: str | None) -> System:
    root = data or os.environ.get("MDNB_EXTRA_DATA")
    folder = Path(root or "") / "ala2_msmb_data"
    if not root or not folder.is_dir():
        raise DataError(
            "ala2_msmb_data (https://doi.org/10.6084/m9.figshare.1026131) is not here; put its folder where --data "
            "or MDNB_EXTRA_DATA names it, or leave 'msmb' out"
        )
    files = sorted(folder.glob("trajectory-*.dcd"))
    whole = mdnb.load(files, top=folder / "ala2.pdb", time_step=1.0)
    return System("ala2_msmb_data at 300 K", whole[:-3], whole[-3:])


#: Name -> how to make it, with the folder of extra data.
DIPEPTIDES: Mapping[str, Callable[[str | None], System]] = {"alanine": _alanine, "msmb": _msmb}


def packaged_protein() -> System:
    """Return chignolin; of each temperature one simulation begun folded, and one begun unfolded, is held out."""
    whole = mdnb.example("chignolin")
    train, held = held_apart(whole, {number for number in range(len(whole)) if number % 4 >= 2})
    return System("packaged chignolin at 300, 400 and 500 K", train, held)


def held_apart(whole: Trajectories, held: Collection[int]) -> tuple[Trajectories, Trajectories]:
    """Return the trajectories to train on, and those of the numbers given, in memory."""
    train, apart = (
        mdnb.load(
            [whole[number].frames(slice(None)) for number in range(len(whole)) if (number in held) == wanted],
            time_step=whole.time_step,
        )
        for wanted in (False, True)
    )
    return train, apart

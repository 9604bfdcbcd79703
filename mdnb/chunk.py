"""Chunk: successive frames of one trajectory, what featurizers compute from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mdnb.formats.base import Frames

__all__ = ["Chunk"]


@dataclass(frozen=True)
class Chunk(Frames):
    """Successive frames of one trajectory: `Frames` and where they come from.

    Attributes
    ----------
    trajectory : int
        Which trajectory.
    start : int
        Index of the first frame over all trajectories.
    places : (n_atoms,) int array or None
        Where in `positions` each atom stands, -1 for one that was not read; None where all were, in their order.
    """

    trajectory: int = 0
    start: int = 0
    places: np.ndarray | None = None

    def places_of(self, atoms: np.ndarray) -> np.ndarray:
        """Return where in `positions` some atoms stand: a featurizer that sets `looks_at` has to ask."""
        if self.places is None:
            return atoms
        places: np.ndarray = self.places[atoms]
        if places.min(initial=0) < 0:
            raise IndexError(f"atom {atoms[places < 0][0]} was not read: the featurizer does not name it in looks_at")
        return places

    @cached_property
    def images(self) -> np.ndarray:
        """What compiled code needs of the boxes to find nearest images: (n_frames, 14, 3), without a box (0, 14, 3).

        It is that of `mdnb.periodic.describe_boxes`.
        """
        from mdnb.periodic import NO_BOXES, describe_boxes

        described: np.ndarray = NO_BOXES if self.box is None else describe_boxes(self.box)
        return described

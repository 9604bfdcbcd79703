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
    """

    trajectory: int = 0
    start: int = 0

    @cached_property
    def images(self) -> np.ndarray:
        """What compiled code needs of the boxes to find nearest images: (n_frames, 14, 3), without a box (0, 14, 3).

        It is that of `mdnb.periodic.describe_boxes`.
        """
        from mdnb.periodic import NO_BOXES, describe_boxes

        described: np.ndarray = NO_BOXES if self.box is None else describe_boxes(self.box)
        return described

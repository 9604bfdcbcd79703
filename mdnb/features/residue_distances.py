"""Closest distances between residues."""

from __future__ import annotations

import numpy as np

from mdnb.chunk import Chunk
from mdnb.errors import DataError
from mdnb.features.distances import Contacts

__all__ = ["ResidueDistances"]


class ResidueDistances(Contacts):
    """Closest distance in nm between the heavy atoms of every two residues, nearest images where there is a box.

    What `Contacts` switches: water is left out.

    Parameters
    ----------
    min_residues : int
        Smallest separation along the chain.
    """

    name = "residue-distances"
    what, unit = "closest distance", "nm"

    def __init__(self, min_residues: int = 3) -> None:
        if min_residues < 1:
            raise DataError(f"min_residues = {min_residues}: expected at least 1")
        self.min_residues = min_residues

    def compute(self, chunk: Chunk) -> np.ndarray:
        """Return (n_frames, n_residue_pairs) in nm."""
        return self._closest(chunk)

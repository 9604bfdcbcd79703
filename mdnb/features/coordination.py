"""Coordination numbers: how many atoms of one species surround those of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mdnb.chunk import Chunk
from mdnb.features.base import Column, Featurizer, atom_labels
from mdnb.features.distances import check_switch
from mdnb.features.species import Pairs, checked_pairs, described_boxes, species_pairs

if TYPE_CHECKING:
    import mdtraj

__all__ = ["Coordination"]

#: Beyond the cutoff and this many widths a pair counts less than 1e-6.
_TAIL = 14.0


class Coordination(Featurizer):
    """Number of atoms of a second species around the atoms of a first one, in each frame.

    A pair at the distance d counts ``1 / (1 + exp((d - cutoff) / width))``, or 1 below the cutoff and 0
    above where the width is 0. Nearest images in a box of any shape; works without a box too.

    Parameters
    ----------
    pairs : sequence of (str, str), optional
        Elements (``"Na"``) or selections in mdtraj's language, centre first; by default every two elements.
    cutoff : float
        In nm; best the first minimum of the radial distribution function.
    width : float
        In nm; 0 counts hard.
    per_atom : bool
        One column for each atom of the first species, rather than their mean.

    References
    ----------
    Sprik, Faraday Discuss. 110, 437 (1998), https://doi.org/10.1039/a801517a
    """

    name = "coordination"

    def __init__(
        self, pairs: Pairs | None = None, cutoff: float = 0.35, width: float = 0.01, per_atom: bool = False
    ) -> None:
        check_switch(cutoff, width)
        self.pairs = checked_pairs(pairs)
        self.cutoff, self.width, self.per_atom = cutoff, width, per_atom

    def describe(self, topology: mdtraj.Topology, reference: np.ndarray) -> tuple[Column, ...]:
        """Return one column for each pair, or for each atom of each first species."""
        self._pairs = species_pairs(topology, self.pairs, self.name)
        columns = []
        labels = atom_labels(topology) if self.per_atom else []
        for label, first, second in self._pairs:
            group = f"coordination {label}"
            if self.per_atom:
                columns += [Column(f"{group} {labels[i]}", "", (i,), group) for i in first.tolist()]
            else:
                columns.append(Column(group, "", tuple(np.union1d(first, second).tolist()), group))
        return tuple(columns)

    def compute(self, chunk: Chunk) -> np.ndarray:
        """Return (n_frames, n_columns)."""
        from mdnb.features.pair_kernels import coordination_numbers

        reach = self.cutoff + _TAIL * self.width
        boxes = described_boxes(chunk, reach, self.name, needs_box=False)
        parts = []
        for _, first, second in self._pairs:
            numbers = np.empty((len(chunk.positions), len(first)))
            coordination_numbers(
                chunk.positions, first, second, boxes, float(self.cutoff), float(self.width), reach, numbers
            )
            parts.append(numbers if self.per_atom else numbers.mean(1, keepdims=True))
        return np.concatenate(parts, axis=1)

"""One number for a whole molecule: the RMSD to the first frame, and the radius of gyration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mdnb.features.atoms import ca_or_heavy_atoms, masses, select_atoms
from mdnb.features.base import Column, Featurizer
from mdnb.trajectories import Chunk

if TYPE_CHECKING:
    import mdtraj

__all__ = ["RMSD", "RadiusOfGyration"]


class RMSD(Featurizer):
    """Root-mean-square deviation in nm from the first frame, after the best superposition.

    All atoms count alike, and the mirror image is not taken for the molecule. A frame with a position
    that is not a number has an RMSD that is not a number. Molecules have to be whole: a molecule cut by
    the border of the box is another shape.

    Parameters
    ----------
    selection : str, optional
        In mdtraj's selection language; by default the C-alpha atoms of a protein, or the heavy atoms
        (without water) where there are fewer than three.

    References
    ----------
    Kabsch, Acta Cryst. A 34, 827 (1978), https://doi.org/10.1107/S0567739478001680
    """

    name = "rmsd"

    def __init__(self, selection: str | None = None) -> None:
        self.selection = selection

    def describe(self, topology: mdtraj.Topology, reference: np.ndarray) -> tuple[Column, ...]:
        """Return one column."""
        self._atoms = ca_or_heavy_atoms(topology, self.selection, self.name)
        chosen = reference[self._atoms].astype(np.float64)
        self._reference = np.ascontiguousarray(chosen - chosen.mean(0))
        return (Column("rmsd", "nm", tuple(self._atoms.tolist()), "rmsd"),)

    def compute(self, chunk: Chunk) -> np.ndarray:
        """Return (n_frames, 1) in nm."""
        from mdnb.features.structure_kernels import covariances

        n_frames = len(chunk.positions)
        matrices, squares = np.empty((n_frames, 3, 3)), np.empty(n_frames)
        covariances(chunk.positions, self._atoms, self._reference, matrices, squares)
        result = np.full((n_frames, 1), np.nan)
        finite = np.isfinite(squares)
        matrices = matrices[finite]
        singular = np.linalg.svd(matrices, compute_uv=False)
        overlap = singular[:, 0] + singular[:, 1] + np.sign(np.linalg.det(matrices)) * singular[:, 2]
        square = squares[finite] + (self._reference**2).sum() - 2 * overlap
        result[finite, 0] = np.sqrt(np.maximum(square, 0) / len(self._atoms))
        return result


class RadiusOfGyration(Featurizer):
    """Radius of gyration in nm, weighted by mass. Molecules have to be whole.

    Parameters
    ----------
    selection : str, optional
        In mdtraj's selection language; by default the protein, or all but water where there is none.

    References
    ----------
    Flory, Principles of Polymer Chemistry (1953); Lobanov et al., Mol. Biol. 42, 623 (2008),
    https://doi.org/10.1134/S0026893308040195
    """

    name = "radius-of-gyration"

    def __init__(self, selection: str | None = None) -> None:
        self.selection = selection

    def describe(self, topology: mdtraj.Topology, reference: np.ndarray) -> tuple[Column, ...]:
        """Return one column."""
        selection = self.selection
        if selection is None:
            selection = "protein" if len(topology.select("protein")) else "not water"
        self._atoms = select_atoms(topology, selection, self.name)
        weights = masses(topology, self._atoms, self.name)
        self._weights = weights / weights.sum()
        return (Column("radius of gyration", "nm", tuple(self._atoms.tolist()), "radius of gyration"),)

    def compute(self, chunk: Chunk) -> np.ndarray:
        """Return (n_frames, 1) in nm."""
        from mdnb.features.structure_kernels import gyration

        values = np.empty(len(chunk.positions))
        gyration(chunk.positions, self._atoms, self._weights, values)
        return values[:, None]

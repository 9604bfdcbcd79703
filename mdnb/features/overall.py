"""One number for a whole molecule: the RMSD to the first frame, and the radius of gyration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mdnb.chunk import Chunk
from mdnb.features.atoms import ca_or_heavy_atoms, masses, select_atoms
from mdnb.features.base import Column, Featurizer
from mdnb.features.references import checked_reference, frame_of, reference_places
from mdnb.features.superposition import rotations

if TYPE_CHECKING:
    import mdtraj

__all__ = ["RMSD", "RadiusOfGyration"]


class RMSD(Featurizer):
    """Root-mean-square deviation in nm from a reference, by default the first frame, after the best superposition.

    All atoms count alike, and the mirror image is not taken for the molecule. A frame with a position
    that is not a number has an RMSD that is not a number. Molecules have to be whole, as `mdnb.load` makes
    them: a molecule cut by the border of the box is another shape.

    Parameters
    ----------
    selection : str, optional
        In mdtraj's selection language; by default the C-alpha atoms of a protein, or the heavy atoms
        (without water) where there are fewer than three.
    reference : int, path or mdtraj.Trajectory, optional
        The number of a frame over all trajectories, or a structure (PDB, GRO, mmCIF; the first frame) in
        which the selections find the same atoms in the same order. By default the first frame.
    align : str, optional
        Superpose by these atoms instead, such as the protein's C-alpha atoms for the RMSD of a ligand.

    References
    ----------
    Kabsch, Acta Cryst. A 34, 827 (1978), https://doi.org/10.1107/S0567739478001680; Theobald, Acta Cryst. A 61, 478
    (2005), https://doi.org/10.1107/S0108767305015266
    """

    name = "rmsd"

    def __init__(self, selection: str | None = None, reference: Any = None, align: str | None = None) -> None:
        self.selection, self.align = selection, align
        self.reference = checked_reference(reference)
        self.reference_frame = frame_of(self.reference)

    def describe(self, topology: mdtraj.Topology, reference: np.ndarray) -> tuple[Column, ...]:
        """Return one column."""

        def chosen(one: mdtraj.Topology) -> np.ndarray:
            least = 3 if self.align is None else 1
            return ca_or_heavy_atoms(one, self.selection, self.name, least)

        def aligned(one: mdtraj.Topology) -> np.ndarray:
            assert self.align is not None
            return select_atoms(one, self.align, self.name, at_least=3)

        self._atoms = chosen(topology)
        places = by = reference_places(self.reference, topology, reference, self._atoms, chosen, self.name)
        if self.align is not None:
            self._by = aligned(topology)
            by = reference_places(self.reference, topology, reference, self._by, aligned, self.name)
        self._reference = np.ascontiguousarray(places - by.mean(0))
        self._by_axis = np.ascontiguousarray(self._reference.T)
        self._by_reference = by - by.mean(0)
        self.looks_at = self._atoms if self.align is None else np.concatenate([self._atoms, self._by])
        return (Column("rmsd", "nm", tuple(self._atoms.tolist()), "rmsd"),)

    def compute(self, chunk: Chunk) -> np.ndarray:
        """Return (n_frames, 1) in nm."""
        if self.align is not None:
            return self._after_alignment(chunk)
        values = np.empty((len(chunk.positions), 1), np.float32)
        self.fill(chunk, values, 0)
        return values

    def fill(self, chunk: Chunk, out: np.ndarray, column: int) -> None:
        """Write the RMSD into its column of a table."""
        if self.align is not None:
            super().fill(chunk, out, column)
            return
        from mdnb.features.superposed_kernels import superposed_rmsd

        atoms = chunk.places_of(self._atoms)
        if superposed_rmsd(chunk.positions, atoms, self._by_axis, out, column):
            left = np.flatnonzero(out[:, column] < 0)
            out[left, column] = self._by_singular_values(chunk.positions[left], atoms)

    def _by_singular_values(self, positions: np.ndarray, atoms: np.ndarray) -> np.ndarray:
        """Return the RMSD of frames whose best superposition is not the only one, such as atoms on a line."""
        from mdnb.features.structure_kernels import covariances

        matrices, squares = np.empty((len(positions), 3, 3)), np.empty(len(positions))
        covariances(positions, atoms, self._reference, matrices, squares)
        singular = np.linalg.svd(matrices, compute_uv=False)
        overlap = singular[:, 0] + singular[:, 1] + np.sign(np.linalg.det(matrices)) * singular[:, 2]
        square = squares + (self._reference**2).sum() - 2 * overlap
        return np.sqrt(np.maximum(square, 0) / len(self._atoms))

    def _after_alignment(self, chunk: Chunk) -> np.ndarray:
        """Return (n_frames, 1) in nm, superposed by other atoms."""
        by = chunk.positions[:, chunk.places_of(self._by)].astype(np.float64)
        places = chunk.positions[:, chunk.places_of(self._atoms)].astype(np.float64) - by.mean(1, keepdims=True)
        finite = np.isfinite(by).all((1, 2))
        result = np.full((len(by), 1), np.nan)
        by = by[finite] - by[finite].mean(1, keepdims=True)
        turned = np.einsum("fai,fij->faj", places[finite], rotations(by, self._by_reference))
        result[finite, 0] = np.sqrt(((turned - self._reference) ** 2).sum((1, 2)) / len(self._atoms))
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
        self.looks_at = self._atoms
        return (Column("radius of gyration", "nm", tuple(self._atoms.tolist()), "radius of gyration"),)

    def compute(self, chunk: Chunk) -> np.ndarray:
        """Return (n_frames, 1) in nm."""
        from mdnb.features.structure_kernels import gyration

        values = np.empty(len(chunk.positions))
        gyration(chunk.positions, chunk.places_of(self._atoms), self._weights, values)
        return values[:, None]

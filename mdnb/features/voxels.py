"""Densities on a grid, for three-dimensional convolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mdnb.errors import DataError
from mdnb.features.atoms import ca_or_heavy_atoms, select_atoms
from mdnb.features.base import Column, Featurizer
from mdnb.features.positions import rotations
from mdnb.trajectories import Chunk

if TYPE_CHECKING:
    import mdtraj

__all__ = ["Voxels"]


class Voxels(Featurizer):
    """Number density in 1/nm^3 of atoms on a cubic grid, in a frame of reference fixed to a molecule.

    Each frame is superposed on the first one by the atoms of `around`, whose mean position is the centre
    of the grid; the axes are those of the first frame. Each atom is a Gaussian of volume 1, so the values
    times the volume of a cell sum to the number of atoms inside. Where there is a box, the image nearest
    to the centre counts; the molecule of `around` has to be whole. One element or selection at a time.

    Parameters
    ----------
    selection : str
        Atoms to count, in mdtraj's selection language; the heavy atoms by default. ``element C`` for one
        element, ``water and element O`` for a solvation shell.
    around : str, optional
        Atoms to superpose by; by default the C-alpha atoms of a protein, or the heavy atoms (without
        water) where there are fewer than three.
    n_cells : int
        Along each axis; there are ``n_cells ** 3`` numbers a frame.
    spacing : float
        Of the cells in nm; 16 cells of 0.15 nm are a cube of 2.4 nm.
    width : float
        Standard deviation of the Gaussians in nm; at least half the spacing, or atoms would slip through.

    Notes
    -----
    The atoms of a column are those that lie within three widths of the cell in the first frame, or the one
    atom nearest to it: what an explanation paints. Any counted atom may come there in other frames.

    References
    ----------
    Jimenez et al., Bioinformatics 33, 3036 (2017), https://doi.org/10.1093/bioinformatics/btx350
    """

    name = "voxels"
    axes = ("x", "y", "z")

    def __init__(
        self,
        selection: str = "element != H",
        around: str | None = None,
        n_cells: int = 16,
        spacing: float = 0.15,
        width: float = 0.1,
    ) -> None:
        if n_cells < 2 or spacing <= 0 or width < spacing / 2:
            raise DataError(
                f"n_cells = {n_cells}, spacing = {spacing} nm, width = {width} nm: expected at least 2 cells, a "
                f"spacing above 0 and a width of at least half the spacing"
            )
        self.selection, self.around = selection, around
        self.n_cells, self.spacing, self.width = n_cells, spacing, width

    def describe(self, topology: mdtraj.Topology, reference: np.ndarray) -> tuple[Column, ...]:
        """Return one column for each cell, z fastest."""
        self._atoms = select_atoms(topology, self.selection, self.name)
        self._around = ca_or_heavy_atoms(topology, self.around, self.name)
        chosen = reference[self._around].astype(np.float64)
        self._reference = chosen - chosen.mean(0)
        places = reference[self._atoms] - chosen.mean(0)
        line = (np.arange(self.n_cells) - (self.n_cells - 1) / 2) * self.spacing
        centres = np.stack(np.meshgrid(line, line, line, indexing="ij"), axis=-1).reshape(-1, 3)
        columns = []
        for x, y, z in centres:
            distances = np.linalg.norm(places - (x, y, z), axis=1)
            near = self._atoms[distances <= max(3 * self.width, float(distances.min()))]
            name = f"density {x:.3f} {y:.3f} {z:.3f}"
            columns.append(Column(name, "1/nm^3", tuple(near.tolist()), name))
        return tuple(columns)

    def prepare(self, topology: mdtraj.Topology, reference: np.ndarray) -> None:
        """See the topology and the reference; the shape is (n_cells, n_cells, n_cells)."""
        super().prepare(topology, reference)
        self.shape = (self.n_cells,) * 3

    def compute(self, chunk: Chunk) -> np.ndarray:
        """Return (n_frames, n_cells, n_cells, n_cells) in 1/nm^3."""
        from mdnb.features.structure_kernels import smeared_density

        around = chunk.positions[:, self._around].astype(np.float64)
        centre = around.mean(1, keepdims=True)
        turns = rotations(around - centre, self._reference)
        places = chunk.positions[:, self._atoms].astype(np.float64) - centre
        periodic = chunk.box is not None
        boxes = np.zeros((1, 3, 3)) if chunk.box is None else chunk.box.astype(np.float64)
        values = np.zeros((len(places), *self.shape), np.float32)
        smeared_density(places, boxes, periodic, turns, self.spacing, self.width, values)
        return values

"""Densities on a grid, for three-dimensional convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mdnb.chunk import Chunk
from mdnb.errors import DataError
from mdnb.features.atoms import ca_or_heavy_atoms, select_atoms
from mdnb.features.base import Column, Featurizer
from mdnb.features.species import element_names, species_atoms
from mdnb.features.superposition import rotations

if TYPE_CHECKING:
    import mdtraj

__all__ = ["Voxels"]


class Voxels(Featurizer):
    """Number density in 1/nm^3 of atoms on a cubic grid, in a frame of reference fixed to a molecule.

    Each frame is superposed on the first one by the atoms of `around`, whose mean position is the centre
    of the grid; the axes are those of the first frame. Each atom is a Gaussian of volume 1, so the values
    times the volume of a cell sum to the number of atoms inside. Where there is a box, the image nearest
    to the centre counts; the molecule of `around` has to be whole (`mdnb.load` sees to it). Each element or
    selection may have a channel of its own.

    Parameters
    ----------
    selection : str
        Atoms to count, in mdtraj's selection language; the heavy atoms by default. ``element C`` for one
        element, ``water and element O`` for a solvation shell.
    around : str, optional
        Atoms to superpose by; by default the C-alpha atoms of a protein, or the heavy atoms (without
        water) where there are fewer than three.
    channels : "elements" or sequence of str, optional
        One density for each element (``"C"``) or selection named, among the atoms of `selection`; the axes
        are then ``("channel", "x", "y", "z")``. ``"elements"`` takes those that occur. By default one density of
        all atoms, with the axes ``("x", "y", "z")``.
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
    axes: tuple[str, ...] = ("x", "y", "z")

    def __init__(
        self,
        selection: str = "element != H",
        around: str | None = None,
        channels: str | Sequence[str] | None = None,
        n_cells: int = 16,
        spacing: float = 0.15,
        width: float = 0.1,
    ) -> None:
        if n_cells < 2 or spacing <= 0 or width < spacing / 2:
            raise DataError(
                f"n_cells = {n_cells}, spacing = {spacing} nm, width = {width} nm: expected at least 2 cells, a "
                f"spacing above 0 and a width of at least half the spacing"
            )
        if isinstance(channels, str) and channels != "elements":
            raise DataError(f"channels = {channels!r}: expected 'elements' or a list, such as channels=['C', 'N', 'O']")
        if channels is not None and not isinstance(channels, str):
            channels = tuple(channels)
            if not channels or len(set(channels)) < len(channels):
                raise DataError(f"channels = {channels}: expected at least one, each once")
        self.selection, self.around, self.channels = selection, around, channels
        self.n_cells, self.spacing, self.width = n_cells, spacing, width

    def describe(self, topology: mdtraj.Topology, reference: np.ndarray) -> tuple[Column, ...]:
        """Return one column for each channel and cell, z fastest."""
        atoms = select_atoms(topology, self.selection, self.name)
        self._densities = self._channels(topology, atoms)
        self._around = ca_or_heavy_atoms(topology, self.around, self.name)
        chosen = reference[self._around].astype(np.float64)
        self._reference = chosen - chosen.mean(0)
        line = (np.arange(self.n_cells) - (self.n_cells - 1) / 2) * self.spacing
        centres = np.stack(np.meshgrid(line, line, line, indexing="ij"), axis=-1).reshape(-1, 3)
        columns = []
        for label, counted in self._densities:
            places = reference[counted] - chosen.mean(0)
            for x, y, z in centres:
                distances = np.linalg.norm(places - (x, y, z), axis=1)
                near = counted[distances <= max(3 * self.width, float(distances.min()))]
                name = f"density {label}{x:.3f} {y:.3f} {z:.3f}"
                columns.append(Column(name, "1/nm^3", tuple(near.tolist()), name))
        return tuple(columns)

    def _channels(self, topology: mdtraj.Topology, atoms: np.ndarray) -> list[tuple[str, np.ndarray]]:
        """Return what the names of each channel's columns begin with, and its atoms."""
        if self.channels is None:
            return [("", atoms)]
        names = element_names(topology, atoms) if self.channels == "elements" else self.channels
        found = []
        for name in names:
            chosen = np.intersect1d(species_atoms(topology, name, self.name), atoms)
            if not len(chosen):
                raise DataError(
                    f"{self.name!r}: none of the atoms of channel {name!r} is among the selection "
                    f"{self.selection!r}; widen the selection or leave the channel out"
                )
            found.append((f"{name} ", chosen))
        if not found:
            raise DataError(f"{self.name!r}: the topology knows no elements; name selections as channels")
        return found

    def prepare(self, topology: mdtraj.Topology, reference: np.ndarray) -> None:
        """See the topology and the reference; the shape is ([n_channels,] n_cells, n_cells, n_cells)."""
        super().prepare(topology, reference)
        self.shape = (self.n_cells,) * 3 if self.channels is None else (len(self._densities), *(self.n_cells,) * 3)
        self.axes = ("x", "y", "z") if self.channels is None else ("channel", "x", "y", "z")

    def compute(self, chunk: Chunk) -> np.ndarray:
        """Return (n_frames, *shape) in 1/nm^3."""
        from mdnb.features.structure_kernels import smeared_density

        around = chunk.positions[:, self._around].astype(np.float64)
        centre = around.mean(1, keepdims=True)
        turns = rotations(around - centre, self._reference)
        grid = (self.n_cells,) * 3
        values = np.zeros((len(around), len(self._densities), *grid), np.float32)
        for number, (_, counted) in enumerate(self._densities):
            places = chunk.positions[:, counted].astype(np.float64) - centre
            smeared_density(places, chunk.images, turns, self.spacing, self.width, values[:, number])
        return values.reshape(len(values), *self.shape)

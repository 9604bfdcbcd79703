"""Solvent-accessible surface area of each residue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mdnb.chunk import Chunk
from mdnb.errors import DataError
from mdnb.features.atoms import select_atoms
from mdnb.features.base import Column, Featurizer, residue_labels

if TYPE_CHECKING:
    import mdtraj

__all__ = ["SASA"]


class SASA(Featurizer):
    """Solvent-accessible surface area in nm^2 of each residue, by points on the sphere around each atom.

    This is the slowest of the features: about 0.8 ms a frame for 166 atoms, 30 ms for 3,320 (a few
    microseconds for torsions); its time is that of the points, and 240 change the area of a residue by
    about 1 %. The points are fixed in space, so a rotation of the molecule changes the areas by as much.
    Only the selected atoms cover each other, the box is not looked at, and molecules have to be whole.
    Radii and points are those of mdtraj's `shrake_rupley`, and so are the areas of a single frame; to the
    later ones of several frames mdtraj 1.11 adds about a thousandth of the area in the frame before.

    Parameters
    ----------
    selection : str
        Atoms that have a surface and cover others, in mdtraj's selection language; all but water by
        default.
    n_sphere_points : int
        Points on the sphere around each atom.
    probe_radius : float
        Radius of the solvent in nm; 0.14 for water.

    References
    ----------
    Shrake and Rupley, J. Mol. Biol. 79, 351 (1973), https://doi.org/10.1016/0022-2836(73)90011-9
    """

    name = "sasa"

    def __init__(self, selection: str = "not water", n_sphere_points: int = 960, probe_radius: float = 0.14) -> None:
        if n_sphere_points < 1 or probe_radius < 0:
            raise DataError(
                f"n_sphere_points = {n_sphere_points}, probe_radius = {probe_radius} nm: expected at least one point "
                f"and a radius of at least 0"
            )
        self.selection, self.n_sphere_points, self.probe_radius = selection, n_sphere_points, probe_radius

    def describe(self, topology: mdtraj.Topology, reference: np.ndarray) -> tuple[Column, ...]:
        """Return one column for each residue with selected atoms."""
        self._atoms = select_atoms(topology, self.selection, self.name)
        self._radii = self._radii_of([topology.atom(int(index)) for index in self._atoms]) + self.probe_radius
        self._points = _spiral(self.n_sphere_points)
        label = residue_labels(topology)
        groups: dict[int, list[int]] = {}
        for index in self._atoms.tolist():
            groups.setdefault(topology.atom(index).residue.index, []).append(index)
        columns = {residue: number for number, residue in enumerate(groups)}
        self._groups = np.array([columns[topology.atom(int(index)).residue.index] for index in self._atoms], int)
        return tuple(
            Column(f"sasa {label[residue]}", "nm^2", tuple(atoms), f"sasa {label[residue]}")
            for residue, atoms in groups.items()
        )

    def _radii_of(self, atoms: list[mdtraj.core.topology.Atom]) -> np.ndarray:
        """Return the van der Waals radii in nm, those of mdtraj's `shrake_rupley`."""
        from mdtraj.geometry.sasa import _ATOMIC_RADII

        symbols = ["" if atom.element is None else atom.element.symbol for atom in atoms]
        unknown = [atom for atom, symbol in zip(atoms, symbols, strict=True) if symbol not in _ATOMIC_RADII]
        if unknown:
            raise DataError(
                f"{self.name!r} needs the radius of every selected atom, and there is none for {unknown[0]} (element "
                f"{unknown[0].element}); leave it out with selection=, or give a topology with elements"
            )
        return np.array([_ATOMIC_RADII[symbol] for symbol in symbols], float)

    def compute(self, chunk: Chunk) -> np.ndarray:
        """Return (n_frames, n_residues) in nm^2."""
        from mdnb.features.surface_kernels import exposed_areas

        values = np.zeros((len(chunk.positions), len(self.columns)))
        exposed_areas(chunk.positions, self._atoms, self._radii, self._groups, self._points, values)
        return values


def _spiral(n_points: int) -> np.ndarray:
    """Return points spread evenly on the unit sphere, along a spiral of the golden section; (3, n_points)."""
    number = np.arange(n_points)
    height = (2 * number + 1) / n_points - 1
    radius = np.sqrt(1 - height**2)
    angle = number * np.pi * (3 - np.sqrt(5))
    return np.stack([np.cos(angle) * radius, height, np.sin(angle) * radius]).astype(np.float32)

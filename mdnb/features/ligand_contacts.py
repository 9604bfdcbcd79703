"""Distances between a protein and its ligand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mdnb.chunk import Chunk
from mdnb.errors import DataError
from mdnb.features.atoms import heavy_atoms, select_atoms
from mdnb.features.base import Column, Featurizer, residue_labels

if TYPE_CHECKING:
    import mdtraj

__all__ = ["LigandContacts"]


class LigandContacts(Featurizer):
    """Closest distance in nm between the heavy atoms of each protein residue and those of a ligand.

    Nearest images where there is a box.

    Parameters
    ----------
    ligand : str, optional
        In mdtraj's selection language, such as ``resname BEN``; may be a peptide. By default the one
        residue that is neither protein nor water and has at least six heavy atoms.
    selection : str
        The protein's atoms; those of the ligand's residues do not count.
    """

    name = "ligand-contacts"
    needed = "it needs residues of protein beside the ligand; give them with selection="

    def __init__(self, ligand: str | None = None, selection: str = "protein") -> None:
        self.ligand, self.selection = ligand, selection

    def _find(self, topology: mdtraj.Topology) -> list[int]:
        """Return the heavy atoms of the ligand."""
        if self.ligand is not None:
            found = select_atoms(topology, self.ligand, self.name)
        else:
            large = [
                residue
                for residue in topology.residues
                if not residue.is_protein and not residue.is_water and len(heavy_atoms(residue)) >= 6
            ]
            if len(large) != 1:
                names = ", ".join(str(residue) for residue in large[:6]) or "none"
                raise DataError(
                    f"{self.name!r} needs one ligand, and {len(large)} residues could be it ({names}); name it: "
                    f"mdnb.features.LigandContacts('resname BEN')"
                )
            found = np.array([atom.index for atom in large[0].atoms], int)
        heavy = [index for index in found.tolist() if getattr(topology.atom(index).element, "symbol", "") != "H"]
        if not heavy:
            raise DataError(f"{self.name!r}: the ligand {self.ligand!r} has no heavy atoms; choose another selection")
        return heavy

    def describe(self, topology: mdtraj.Topology, reference: np.ndarray) -> tuple[Column, ...]:
        """Return one column for each residue of the protein."""
        ligand = self._find(topology)
        taken = {topology.atom(index).residue.index for index in ligand}
        chosen = set(select_atoms(topology, self.selection, self.name).tolist())
        groups = [ligand]
        columns, label = [], residue_labels(topology)
        for residue in topology.residues:
            atoms = [index for index in heavy_atoms(residue) if index in chosen]
            if residue.index in taken or not atoms:
                continue
            groups.append(atoms)
            name = f"ligand distance {label[residue.index]}"
            columns.append(Column(name, "nm", (*atoms, *ligand), name))
        self._groups = np.concatenate(groups).astype(int), np.cumsum([0, *map(len, groups)])
        self._pairs = np.array([(0, number) for number in range(1, len(groups))], int).reshape(-1, 2)
        self.looks_at = np.unique(self._groups[0])
        return tuple(columns)

    def compute(self, chunk: Chunk) -> np.ndarray:
        """Return (n_frames, n_residues) in nm."""
        from mdnb.features.distance_kernels import closest_distances

        closest = np.empty((len(chunk.positions), len(self.columns)), np.float32)
        atoms, starts = self._groups
        closest_distances(chunk.positions, chunk.places_of(atoms), starts, self._pairs, chunk.images, closest)
        return closest

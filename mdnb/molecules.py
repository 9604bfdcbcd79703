"""Molecules as the bonds of a topology make them, and the way along bonds that puts them together again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mdnb.errors import SpecError

if TYPE_CHECKING:
    import mdtraj

__all__ = ["Molecules", "bond_pairs"]


def bond_pairs(topology: mdtraj.Topology) -> np.ndarray:
    """Return the bonded pairs of atoms, (n_bonds, 2); those of standard residues where the topology has none."""
    if topology.n_bonds == 0:
        topology = topology.copy()
        topology.create_standard_bonds()
    return np.array([(a.index, b.index) for a, b in topology.bonds], np.int64).reshape(-1, 2)


@dataclass(frozen=True)
class Way:
    """Atoms to read, and what to do with them.

    Attributes
    ----------
    read : (n_read,) int array or None
        Of the file; None for all.
    keep : (n_kept,) int array or None
        Which of those read were asked for; None for all.
    steps : (n_steps, 2) int array
        For `periodic.make_whole`, counted among those read.
    complex : tuple of four int arrays
        For `periodic.bring_together`; empty where there is nothing to bring together.
    """

    read: np.ndarray | None
    keep: np.ndarray | None
    steps: np.ndarray
    complex: tuple[np.ndarray, ...] = ()


class Molecules:
    """How to make the molecules of a selection whole; nothing is worked out before it is needed.

    A molecule is what bonds connect. Its first selected atom stays where it is. Bonds lead through atoms that are
    not selected (from one C-alpha to the next), so those on the way are read too.

    Parameters
    ----------
    topology : mdtraj.Topology
        Of all atoms in the file; where it has no bonds, those of standard residues are made.
    atom_indices : (n_atoms,) int array or None
        The selected ones; None for all.
    mode : {True, False, "together"}
        False leaves them as they are; ``"together"`` also brings all molecules but water and single atoms
        beside the first one.

    Raises
    ------
    SpecError
        For any other mode.
    """

    def __init__(self, topology: mdtraj.Topology, atom_indices: np.ndarray | None, mode: bool | str = True) -> None:
        if not (isinstance(mode, bool) or mode == "together"):
            raise SpecError(
                f"make_whole = {mode!r}: expected True (each molecule is put together), 'together' (and brought "
                "beside the first one) or False (as in the file)"
            )
        self.topology, self._chosen, self.mode = topology, atom_indices, mode

    @cached_property
    def bonds(self) -> np.ndarray:
        """The bonded pairs of atoms in the file, (n_bonds, 2)."""
        return bond_pairs(self.topology)

    @cached_property
    def problem(self) -> str:
        """Why molecules cannot be made whole, or only some of them; empty where they can."""
        bonded = np.zeros(self.topology.n_atoms, bool)
        bonded[self.bonds] = True
        loose = [
            residue
            for residue in self.topology.residues
            if residue.n_atoms > 1 and not bonded[[atom.index for atom in residue.atoms]].any()
        ]
        if not loose:
            return ""
        advice = "give a topology with bonds (PSF, PRMTOP, or PDB with CONECT)"
        if len(self.bonds) == 0:
            return f"the topology has no bonds; {advice}"
        names = ", ".join(sorted({residue.name for residue in loose})[:4])
        return f"the topology has no bonds in {len(loose):,} residues ({names}); {advice}"

    @cached_property
    def way(self) -> Way:
        """The way along the bonds."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import breadth_first_order, connected_components

        n_atoms, bonds = self.topology.n_atoms, self.bonds
        chosen = np.arange(n_atoms) if self._chosen is None else np.asarray(self._chosen)
        graph = coo_array((np.ones(len(bonds)), (bonds[:, 0], bonds[:, 1])), (n_atoms, n_atoms))
        _, molecule = connected_components(graph, directed=False)
        _, first = np.unique(molecule[chosen], return_index=True)
        # One search for all molecules: from an atom that is bonded to the first chosen one of each.
        links = np.concatenate([bonds, np.column_stack([np.full(len(first), n_atoms), chosen[first]])])
        size = n_atoms + 1
        joined = coo_array((np.ones(len(links)), (links[:, 0], links[:, 1])), (size, size)).tocsr()
        order, before = breadth_first_order(joined, n_atoms, directed=False)
        needed = np.zeros(size, bool)
        needed[chosen] = True
        if self._chosen is not None:
            for atom in order[:0:-1]:
                if needed[atom]:
                    needed[before[atom]] = True
        steps = np.array([(atom, before[atom]) for atom in order[1:] if needed[atom] and before[atom] != n_atoms], int)
        steps = steps.reshape(-1, 2)
        steps = steps[np.argsort(molecule[steps[:, 0]], kind="stable")]  # molecule by molecule: near in memory
        needed[n_atoms] = False
        read = np.flatnonzero(needed)
        steps = np.searchsorted(read, steps)
        keep = None if len(read) == len(chosen) else np.searchsorted(read, chosen)
        beside = self._complex(molecule, read) if self.mode == "together" else ()
        return Way(None if len(read) == n_atoms else read, keep, steps, beside)

    def _complex(self, molecule: np.ndarray, read: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the atoms looked at and the atoms moved, molecule by molecule, with where each begins."""
        groups: dict[int, list[int]] = {}
        for place, atom in enumerate(read.tolist()):
            if not self.topology.atom(atom).residue.is_water:
                groups.setdefault(int(molecule[atom]), []).append(place)
        moved = [np.array(group) for group in groups.values() if len(group) > 1]
        if len(moved) < 2:
            return ()
        names = np.array([self.topology.atom(atom).name for atom in read.tolist()])
        looked_at = []
        for group in moved:
            backbone = group[np.isin(names[group], ("CA", "P", "BB"))]
            looked_at.append(backbone if len(backbone) > 2 else group)
        starts = [np.cumsum([0, *map(len, groups)]) for groups in (looked_at, moved)]
        return np.concatenate(looked_at), starts[0], np.concatenate(moved), starts[1]

    def part_of(self, looked_at: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Return which of the atoms read it takes to put some of the chosen ones in place, and the steps among those.

        None where it takes all, as molecules are brought beside each other.

        Parameters
        ----------
        looked_at : (n,) int array
            Places among the chosen atoms.
        """
        if self.mode == "together":
            return None
        steps = self.way.steps
        n_read = self.topology.n_atoms if self.way.read is None else len(self.way.read)
        needed = np.zeros(n_read, bool)
        needed[looked_at if self.way.keep is None else self.way.keep[looked_at]] = True
        for atom, before in steps[::-1]:  # of each molecule its first atom comes first
            if needed[atom]:
                needed[before] = True
        part = np.flatnonzero(needed)
        return part, np.searchsorted(part, steps[needed[steps[:, 0]]])

    def mend(self, positions: np.ndarray, box: np.ndarray, steps: np.ndarray | None = None) -> None:
        """Make molecules whole in place.

        Parameters
        ----------
        positions : (n_frames, n_read, 3) float32 array
            Of the atoms that `way` says to read, or of those of `part_of`.
        box : (n_frames, 3, 3) float array
        steps : (n_steps, 2) int array, optional
            From `part_of`, where only that part is read.
        """
        from mdnb.periodic import bring_together, describe_boxes, make_whole

        boxes = describe_boxes(np.asarray(box, np.float64))
        make_whole(positions, self.way.steps if steps is None else steps, boxes)
        if self.way.complex:
            looked_at, look_starts, atoms, starts = self.way.complex
            bring_together(positions, looked_at, look_starts, atoms, starts, boxes)

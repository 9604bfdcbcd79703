"""Which atoms a featurizer looks at: selections with errors that say what to do, heavy atoms, masses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mdnb.errors import DataError

if TYPE_CHECKING:
    import mdtraj

__all__ = ["backbone_atoms", "ca_or_heavy_atoms", "heavy_atoms", "is_heavy", "masses", "select_atoms"]


def select_atoms(topology: mdtraj.Topology, selection: str, feature: str, at_least: int = 1) -> np.ndarray:
    """Return the indices of the selected atoms.

    Raises
    ------
    DataError
        When the selection is not in mdtraj's language or holds fewer than `at_least` atoms.
    """
    try:
        found = np.asarray(topology.select(selection), int)
    except ValueError as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"{feature!r}: the selection {selection!r} is not in mdtraj's language ({reason}); try 'protein', "
            f"'name CA' or 'element != H'"
        ) from error
    if len(found) < at_least:
        raise DataError(
            f"{feature!r} needs at least {at_least} {'atom' if at_least == 1 else 'atoms'}; the selection "
            f"{selection!r} holds {len(found)} of the {topology.n_atoms} atoms: choose another selection"
        )
    return found


def ca_or_heavy_atoms(topology: mdtraj.Topology, selection: str | None, feature: str, at_least: int = 3) -> np.ndarray:
    """Return the selected atoms; without a selection the C-alpha atoms, or the heavy atoms where they are too few."""
    if selection is not None:
        return select_atoms(topology, selection, feature, at_least)
    found = np.array([atom.index for atom in topology.atoms if atom.name == "CA" and atom.residue.is_protein], int)
    return found if len(found) >= at_least else select_atoms(topology, "not water and element != H", feature, at_least)


def is_heavy(atom: mdtraj.core.topology.Atom) -> bool:
    """Return whether an atom is not a hydrogen; one without an element counts as heavy."""
    return atom.element is None or atom.element.symbol != "H"


def heavy_atoms(residue: mdtraj.core.topology.Residue) -> list[int]:
    """Return the indices of a residue's atoms that are not hydrogen."""
    return [atom.index for atom in residue.atoms if is_heavy(atom)]


def backbone_atoms(residue: mdtraj.core.topology.Residue) -> dict[str, int]:
    """Return name -> index of those of N, CA, C and O that a residue has."""
    found: dict[str, int] = {}
    for atom in residue.atoms:
        if atom.name in ("N", "CA", "C", "O"):
            found.setdefault(atom.name, atom.index)
    return found


def masses(topology: mdtraj.Topology, atoms: np.ndarray, feature: str) -> np.ndarray:
    """Return the masses of some atoms in dalton.

    Raises
    ------
    DataError
        When an atom has no element, or all are massless.
    """
    chosen = [topology.atom(int(index)) for index in atoms]
    unknown = [atom for atom in chosen if atom.element is None]
    if unknown:
        raise DataError(
            f"{feature!r} weighs by mass, and the element of {unknown[0]} (and of {len(unknown) - 1} more atoms) is "
            f"unknown; give a topology with elements (PDB columns 77-78), or select other atoms"
        )
    found = np.array([atom.element.mass for atom in chosen], float)
    if found.sum() <= 0:
        raise DataError(f"{feature!r} weighs by mass, and the {len(found)} selected atoms have none")
    return found

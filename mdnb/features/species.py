"""Pairs of species, by element or selection, for features of liquids, solutions and materials."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

import numpy as np

from mdnb.errors import DataError
from mdnb.features.atoms import select_atoms

if TYPE_CHECKING:
    import mdtraj

    from mdnb.chunk import Chunk

__all__ = ["Pairs", "checked_pairs", "described_boxes", "element_names", "species_atoms", "species_pairs"]

#: Pairs of elements or selections.
Pairs = Sequence[tuple[str, str]]


def checked_pairs(pairs: Pairs | None) -> tuple[tuple[str, str], ...] | None:
    """Return pairs as tuples of text.

    Raises
    ------
    DataError
        When they are anything else.
    """
    if pairs is None:
        return None
    made = tuple(tuple(pair) if not isinstance(pair, str) else (pair,) for pair in pairs)
    for pair in made:
        if len(pair) != 2 or not all(isinstance(one, str) for one in pair):
            raise DataError(
                f"got the pair {pair!r}, expected two elements or selections each, such as pairs=[('Na', 'Cl')] or "
                "[('name OW', 'name OW')]"
            )
    return tuple((pair[0], pair[1]) for pair in made)


def element_names(topology: mdtraj.Topology, atoms: np.ndarray | None = None) -> list[str]:
    """Return the symbols of the elements that occur (among some atoms), in the order of their first atom."""
    chosen = topology.atoms if atoms is None else (topology.atom(int(index)) for index in atoms)
    return list(dict.fromkeys(atom.element.symbol for atom in chosen if atom.element is not None))


def species_atoms(topology: mdtraj.Topology, name: str, feature: str) -> np.ndarray:
    """Return the atoms of an element that occurs in the topology, or else of a selection.

    Raises
    ------
    DataError
        When it is neither.
    """
    found = [atom.index for atom in topology.atoms if atom.element is not None and atom.element.symbol == name]
    return np.array(found, np.int64) if found else select_atoms(topology, name, feature)


def species_pairs(
    topology: mdtraj.Topology, pairs: tuple[tuple[str, str], ...] | None, feature: str
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Return label and atoms of each pair; by default of every two elements (and each with itself).

    Raises
    ------
    DataError
        When a species is not there, or is one atom paired with itself.
    """
    given = pairs
    if given is None:
        elements = element_names(topology)
        if not elements:
            raise DataError(f"{feature!r}: the topology knows no elements; give pairs= of selections")
        given = tuple(combinations_with_replacement(elements, 2))
    found = []
    for one, other in given:
        first, second = species_atoms(topology, one, feature), species_atoms(topology, other, feature)
        if len(first) * len(second) > len(np.intersect1d(first, second)):
            found.append((f"{one}-{other}", first, second))
        elif pairs is not None:
            raise DataError(f"{feature!r}: {one!r} and {other!r} are one and the same atom; choose other pairs")
    return found


def described_boxes(chunk: Chunk, reach: float, feature: str, needs_box: bool) -> np.ndarray:
    """Return the boxes of a chunk for the kernels, once they are checked.

    Raises
    ------
    DataError
        When there is no box though one is needed, or the reach in nm is more than half of it.
    """
    from mdnb.periodic import QUARTER, describe_boxes

    boxes = describe_boxes(np.zeros((len(chunk.positions), 3, 3))) if chunk.box is None else chunk.images
    boxless = np.flatnonzero(np.isinf(boxes[:, QUARTER[0], QUARTER[1]]))
    if needs_box and len(boxless):
        where = "the trajectory" if len(boxless) == len(boxes) else f"frame {chunk.start + boxless[0]}"
        raise DataError(
            f"{feature!r} needs the density, so a periodic box in every frame; {where} has none: write it with "
            "the box (gmx trjconv -box), or ask for 'distances'"
        )
    half = float(np.sqrt(boxes[:, QUARTER[0], QUARTER[1]].min()))
    if reach > half:
        raise DataError(
            f"{feature!r} reaches {reach:.4g} nm, further than {half:.4g} nm, half the shortest way through the "
            "periodic box, where an atom would meet its own image; choose a smaller r_max, cutoff or width"
        )
    return boxes

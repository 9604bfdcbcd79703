"""Placements: in which order and from which others the atoms of a molecule are placed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mdnb.errors import DataError
from mdnb.features.atoms import is_heavy

if TYPE_CHECKING:
    import mdtraj

__all__ = ["Placement", "angle_at", "placements", "torsion_about", "turns", "unit", "wrapped"]

#: Rings of more atoms are no part of one residue, such as those that disulphides close.
_RING = 8


@dataclass(frozen=True)
class Placement:
    """How one atom is placed from three that are placed already.

    Attributes
    ----------
    atom, bond, angle, torsion : int
        The atom and its three references; -1 where there is none (the first three atoms).
    sibling : int
        The atom with the same three references whose torsion this one is measured from, or -1.
    offset : float
        Ideal difference to the sibling's torsion in radian (a multiple of 60 degrees).
    methyl : tuple of int
        For the first hydrogen of a methyl (or ammonium) group: its three hydrogens; else empty.
    """

    atom: int
    bond: int = -1
    angle: int = -1
    torsion: int = -1
    sibling: int = -1
    offset: float = 0.0
    methyl: tuple[int, ...] = ()


def placements(topology: mdtraj.Topology, reference: np.ndarray) -> tuple[Placement, ...]:
    """Return the order in which atoms are placed: from the centre of the bond graph outwards."""
    bonded = _bonded(topology)
    heavy = [is_heavy(atom) for atom in topology.atoms]
    # Heavy atoms come first, so that hydrogens hang on them.
    neighbours = [sorted(set(row), key=lambda index: (not heavy[index], index)) for row in bonded]
    order, parent = _outwards(_centre(neighbours, heavy), neighbours)
    if len(order) < max(topology.n_atoms, 4):
        raise DataError(
            f"'internal-coordinates' needs one molecule of at least four bonded atoms; {len(order)} of "
            f"{topology.n_atoms} atoms are connected: choose one molecule with selection="
        )
    placed: list[int] = []
    result: list[Placement] = []
    first_of: dict[tuple[int, int, int], int] = {}
    for atom in order:
        known = [-1, -1, -1]
        for position in range(min(3, len(placed))):
            used = {atom, *known}
            if position == 0:
                known[0] = parent[atom]
                continue
            candidates = [i for i in neighbours[known[position - 1]] if i in placed and i not in used]
            candidates += [i for base in known[:position] for i in neighbours[base] if i in placed and i not in used]
            known[position] = candidates[0]
        bond, angle, torsion = known
        place = Placement(atom, bond, angle, torsion)
        if torsion >= 0:
            key = (bond, angle, torsion)
            if key in first_of:
                frame = reference[None].astype(np.float64)
                sibling = first_of[key]
                difference = torsion_about(frame, place) - torsion_about(
                    frame, Placement(sibling, bond, angle, torsion)
                )
                centre = topology.atom(bond).element
                flat = centre is not None and centre.symbol in "CN" and _is_flat(bond, centre.symbol, neighbours)
                offset = np.pi if flat else float(np.round(wrapped(difference)[0] / (np.pi / 3)) * (np.pi / 3))
                place = Placement(atom, bond, angle, torsion, sibling, offset)
            else:
                first_of[key] = atom
        result.append(place)
        placed.append(atom)
    return tuple(_mark_methyls(result, heavy, neighbours))


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return vectors of length 1."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def angle_at(positions: np.ndarray, place: Placement) -> np.ndarray:
    """Return the angle that places an atom, in radian, (n_frames,)."""
    first = unit(positions[:, place.atom] - positions[:, place.bond])
    second = unit(positions[:, place.angle] - positions[:, place.bond])
    return np.arccos(np.clip(np.einsum("fi,fi->f", first, second), -1, 1))


def torsion_about(positions: np.ndarray, place: Placement) -> np.ndarray:
    """Return the torsion that places an atom, in radian, (n_frames,)."""
    a, b, c, d = (positions[:, index] for index in (place.torsion, place.angle, place.bond, place.atom))
    along = unit(c - b)
    first = np.cross(along, np.cross(b - a, along))
    second = np.cross(along, np.cross(d - c, along))
    sine = np.einsum("fi,fi->f", np.cross(-first, second), along)
    return np.arctan2(sine, np.einsum("fi,fi->f", -first, second))


def wrapped(angle: np.ndarray) -> np.ndarray:
    """Return angles in radian from -pi to pi."""
    return (angle + np.pi) % (2 * np.pi) - np.pi


def turns(places: tuple[Placement, ...], topology: mdtraj.Topology) -> set[int]:
    """Return the atoms whose torsion turns residues against each other, about no bond of a small ring."""
    near = _bonded(topology)
    residue = [atom.residue.index for atom in topology.atoms]
    moved = [{number} for number in residue]  # by each atom: the residues of all that hangs on it
    for place in reversed(places[1:]):
        moved[place.bond] |= moved[place.atom]
        if place.sibling >= 0:
            moved[place.sibling] |= moved[place.atom]
    found = set()
    for place in places[3:]:
        if place.sibling >= 0 or place.torsion not in near[place.angle]:  # measured from another, or improper
            continue
        parts = moved[place.atom] | {residue[i] for i in (place.bond, place.angle, place.torsion)}
        if len(parts) > 1 and not _in_ring(near, place.bond, place.angle):
            found.add(place.atom)
    return found


def _in_ring(near: list[list[int]], first: int, second: int) -> bool:
    """Return whether a bond is one of a ring of at most eight atoms."""
    reached, seen = {first}, {first}
    for _ in range(_RING - 1):
        reached = {j for i in reached for j in near[i] if {i, j} != {first, second}} - seen
        if second in reached:
            return True
        seen |= reached
    return False


def _bonded(topology: mdtraj.Topology) -> list[list[int]]:
    """Return the neighbours of each atom."""
    bonded: list[list[int]] = [[] for _ in range(topology.n_atoms)]
    for a, b in topology.bonds:
        bonded[a.index].append(b.index)
        bonded[b.index].append(a.index)
    return bonded


def _is_flat(atom: int, element: str, neighbours: list[list[int]]) -> bool:
    """Return whether the three neighbours of a carbon or nitrogen lie in a plane with it; one frame may mislead."""
    row = neighbours[atom]
    return len(row) == 3 and (element == "C" or any(len(neighbours[other]) == 3 for other in row))


def _centre(neighbours: list[list[int]], heavy: list[bool]) -> int:
    """Return the heavy atom from which the farthest atom is nearest: errors add up along short arms."""

    def farthest(start: int) -> int:
        distance = {start: 0}
        queue = [start]
        for atom in queue:
            for other in neighbours[atom]:
                if other not in distance:
                    distance[other] = distance[atom] + 1
                    queue.append(other)
        return max(distance.values())

    inner = [i for i, row in enumerate(neighbours) if heavy[i] and sum(heavy[j] for j in row) >= 2]
    if not inner:
        inner = [i for i, row in enumerate(neighbours) if len(row) >= 2]
    if not inner:
        raise DataError("'internal-coordinates' needs the bonds of the molecule; its topology has none")
    return min(inner, key=lambda index: (farthest(index), index))


def _outwards(root: int, neighbours: list[list[int]]) -> tuple[list[int], dict[int, int]]:
    """Return the atoms breadth first from the root, and the parent of each."""
    order, parent = [root], {root: -1}
    for atom in order:
        for other in neighbours[atom]:
            if other not in parent:
                parent[other] = atom
                order.append(other)
    return order, parent


def _mark_methyls(places: list[Placement], heavy: list[bool], neighbours: list[list[int]]) -> list[Placement]:
    """Mark the first hydrogen of each group of three on one atom with four neighbours."""
    marked = []
    for place in places:
        hydrogens = [place.atom, *(other.atom for other in places if other.sibling == place.atom)]
        three = len(hydrogens) == 3 and len(neighbours[place.bond]) == 4 if place.bond >= 0 else False
        if three and place.torsion >= 0 and not any(heavy[i] for i in hydrogens):
            place = Placement(place.atom, place.bond, place.angle, place.torsion, methyl=tuple(hydrogens))
        marked.append(place)
    return marked

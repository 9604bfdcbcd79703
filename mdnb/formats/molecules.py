"""A topology for files that name elements only: molecules are found by distances."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from mdnb.errors import DataError

if TYPE_CHECKING:
    import mdtraj

__all__ = ["bonds_by_distance", "element", "element_of_mass", "molecular_topology", "symbol_of"]

#: Elements that form molecules; metals and noble gases are left unbonded.
_BONDING = frozenset(["H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "As", "Se", "Br", "I"])
_CAPITALS = frozenset(["CL", "BR", "NA", "MG", "ZN", "FE", "MN", "CU", "LI", "SI", "AL", "SE", "AG", "AU", "TI", "RB"])
#: Two atoms are bonded within this part of the sum of their van der Waals radii (the rule of VMD and MDAnalysis).
_FUDGE = 0.55
_CLOSEST = 0.01  # nm; nearer atoms lie on each other
_MOST = 30  # neighbours of an atom; in condensed matter there are up to about 10 within the longest bond


def element(symbol: str) -> Any:
    """Return mdtraj's element of a symbol such as ``"Ca"`` or ``"CL"``, or of a name such as ``"CA"`` (carbon).

    None when it is none.
    """
    import mdtraj

    letters = re.match("[A-Za-z]{0,2}", symbol.strip())
    name = letters[0] if letters else ""
    # In capitals, two letters are an atom's name unless they are a usual ion or element.
    whole = not name.isupper() or name in _CAPITALS
    for candidate in (name, name[:1]) if whole else (name[:1], name):
        try:
            return mdtraj.element.get_by_symbol(candidate.capitalize())
        except KeyError:
            continue
    return None


def symbol_of(number: int) -> str:
    """Return the symbol of an atomic number, ``""`` for one that does not exist."""
    import mdtraj

    try:
        return str(mdtraj.element.Element.getByAtomicNumber(number).symbol)
    except KeyError:
        return ""


def element_of_mass(mass: float) -> str:
    """Return the symbol of the element with that mass in dalton (to 0.1, or 1% of it), ``""`` when there is none."""
    import mdtraj

    found = mdtraj.element.Element.getByMass(mass) if mass > 0.5 else None
    return str(found.symbol) if found is not None and abs(found.mass - mass) < max(0.1, 0.01 * mass) else ""


def bonds_by_distance(
    symbols: Sequence[str], positions: np.ndarray | None, box: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of bonded atoms, and over which image of the box each pair is bonded.

    Two atoms of elements that form molecules are bonded when they are nearer than 0.55 times the sum of their van der
    Waals radii, also over the box.

    Parameters
    ----------
    symbols : sequence of str
    positions : (n_atoms, 3) array
        In nm.
    box : (3, 3) array or None
        Vectors as rows.

    Returns
    -------
    pairs : (n_bonds, 2) int array
        The first index is the smaller.
    images : (n_bonds, 3) int array
        The second atom is bonded where it is moved by so many box vectors.

    Raises
    ------
    DataError
        When the atoms have more neighbours than matter can have, as with positions in another unit.
    """
    elements = [element(symbol) for symbol in symbols]
    radii = np.array([one.radius if one is not None and one.symbol in _BONDING else 0.0 for one in elements])
    bonding = np.flatnonzero(radii)
    none = np.empty((0, 2), int), np.empty((0, 3), int)
    if len(bonding) < 2 or positions is None:
        return none
    points = np.asarray(positions, float)[bonding]
    if len(bonding) > _MOST:  # so many in one place are a frame that was never filled in: they have no neighbours
        _, place, count = np.unique(points, axis=0, return_inverse=True, return_counts=True)
        apart = count[place.ravel()] <= _MOST
        bonding, points = bonding[apart], points[apart]
        if len(bonding) < 2:
            return none
    inside, moved, cutoff = points, np.zeros((len(bonding), 3), int), 2 * _FUDGE * radii.max()
    images, owners = [np.zeros((len(bonding), 3), int)], [np.arange(len(bonding))]
    if box is not None and abs(np.linalg.det(box)) > 1e-9:
        box = np.asarray(box, float)
        inverse = np.linalg.inv(box)
        margin = cutoff * np.linalg.norm(inverse, axis=0)
        moved = np.floor(inside @ inverse).astype(int)
        fractions = inside @ inverse - moved
        inside = fractions @ box
        for steps in product((-1, 0, 1), repeat=3):
            there = fractions + steps
            near = np.flatnonzero(((there >= -margin) & (there <= 1 + margin)).all(1))
            if any(steps) and len(near):
                images.append(np.tile(steps, (len(near), 1)))
                owners.append(near)
    image, owner = np.concatenate(images), np.concatenate(owners)
    everywhere = inside[owner] if box is None else inside[owner] + image @ box
    found = _near(inside, everywhere, cutoff)
    first, second, distance = found["i"], owner[found["j"]], found["v"]
    near = distance < _FUDGE * (radii[bonding][first] + radii[bonding][second])
    kept = near & (distance > _CLOSEST) & (first < second)
    shift = image[found["j"]] - moved[second] + moved[first]
    pairs, shift = np.stack([bonding[first], bonding[second]], 1)[kept], shift[kept]
    order = np.lexsort(pairs.T[::-1])
    return pairs[order], shift[order]


def _near(points: np.ndarray, others: np.ndarray, cutoff: float) -> np.ndarray:
    """Return the pairs of points within the cutoff: records of ``i``, ``j`` and the distance ``v``."""
    from scipy.spatial import cKDTree

    tree, other_tree = cKDTree(points), cKDTree(others)
    count = int(tree.count_neighbors(other_tree, cutoff)) - len(points)  # each is also its own
    if count > _MOST * len(points):
        raise DataError(
            f"the atoms lie too close to each other to tell molecules: {count / len(points):.0f} neighbours within "
            f"{cutoff:.2f} nm of each, expected at most {_MOST}; are the units and the box right? Mend them, or give "
            "a topology (top=)"
        )
    return np.asarray(tree.sparse_distance_matrix(other_tree, cutoff, output_type="ndarray"))


def molecular_topology(
    symbols: Sequence[str],
    positions: np.ndarray | None,
    box: np.ndarray | None = None,
    *,
    molecules: Sequence[Any] | None = None,
) -> mdtraj.Topology:
    """Return a topology with a residue for each molecule.

    A molecule is what bonds connect (`bonds_by_distance`), or what has one entry of `molecules`. What is bonded to its
    own image, such as a crystal or a glass, is no molecule: its atoms are residues of their own, without bonds.
    Water is called HOH, an atom alone by its element, anything else MOL. Atoms of one molecule that do not follow
    each other in the file become several residues, so that the order of the atoms is that of the file.

    Parameters
    ----------
    symbols : sequence of str
        One for each atom; ``""`` and what is no element give an atom without one.
    positions : (n_atoms, 3) array or None
        In nm; without, there are no bonds.
    box : (3, 3) array or None
        In nm, vectors as rows.
    molecules : sequence, optional
        Which molecule each atom belongs to.

    Returns
    -------
    mdtraj.Topology
    """
    import mdtraj
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n_atoms = len(symbols)
    pairs, images = bonds_by_distance(symbols, positions, box)
    graph = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(n_atoms, n_atoms))
    _, component = connected_components(graph, directed=False)
    endless = _endless(component, pairs, images, n_atoms)
    pairs = pairs[~endless[component[pairs[:, 0]]]]
    label: list[Any] = [(int(c), n if endless[c] else -1) for n, c in enumerate(component)]
    if molecules is not None:
        label = list(molecules)
    starts = [n for n in range(n_atoms) if n == 0 or label[n] != label[n - 1]]
    topology = mdtraj.Topology()
    chain = topology.add_chain()
    for number, (first, last) in enumerate(zip(starts, [*starts[1:], n_atoms], strict=True)):
        residue = topology.add_residue(_name(symbols[first:last]), chain, resSeq=number + 1)
        counts: Counter[str] = Counter()
        for symbol in symbols[first:last]:
            counts[symbol] += 1
            name = symbol if last == first + 1 else f"{symbol}{counts[symbol]}"
            topology.add_atom(name or f"X{counts[symbol]}", element(symbol), residue)
    atoms = list(topology.atoms)
    for one, other in pairs:
        topology.add_bond(atoms[one], atoms[other])
    return topology


def _endless(component: np.ndarray, pairs: np.ndarray, images: np.ndarray, n_atoms: int) -> np.ndarray:
    """Return for each component whether going along its bonds leads to another image of an atom."""
    endless = np.zeros(component.max() + 1 if n_atoms else 0, bool)
    crossing = np.unique(component[pairs[images.any(1), 0]])
    if not len(crossing):
        return endless
    inside = np.isin(component[pairs[:, 0]], crossing)
    neighbours: dict[int, list[tuple[int, np.ndarray]]] = {}
    for (one, other), image in zip(pairs[inside].tolist(), images[inside], strict=True):
        neighbours.setdefault(one, []).append((other, image))
        neighbours.setdefault(other, []).append((one, -image))
    place: dict[int, np.ndarray] = {}
    for start in neighbours:
        if start in place:
            continue
        place[start], waiting = np.zeros(3, int), [start]
        while waiting:
            one = waiting.pop()
            for other, image in neighbours[one]:
                if other not in place:
                    place[other] = place[one] + image
                    waiting.append(other)
                elif (place[other] != place[one] + image).any():
                    endless[component[one]] = True
    return endless


def _name(symbols: Sequence[str]) -> str:
    if len(symbols) == 1:
        return symbols[0].upper() or "UNK"
    return "HOH" if Counter(symbols) == Counter({"H": 2, "O": 1}) else "MOL"

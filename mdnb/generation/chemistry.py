"""What of a molecule is checked, read from its topology: angles, peptide bonds, rings, centres, residues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mdtraj
import numpy as np

from mdnb.features.atoms import is_heavy
from mdnb.features.distances import within_bonds

__all__ = ["Molecule", "read_molecule"]

_PROLINES = ("PRO", "HYP")
_POLAR = ("N", "O", "S")
_HYDROGEN_BOND = 0.14  # nm; shorter ones are clashes


@dataclass(frozen=True)
class Molecule:
    """Indices of atoms, each an int array.

    Attributes
    ----------
    bonds : (n_bonds, 2) array
    angles : (n_angles, 3) array
        Every two bonds of an atom, which is the one in the middle.
    amides : (n_amides, 4) array
        The torsion omega of each peptide bond, by its heavy atoms.
    pairs : (n_pairs, 2) array
        Atoms more than three bonds apart.
    nearest : (n_pairs,) array of float
        Each of these pairs clashes when nearer than this, in nm: 75% of the sum of their radii of van der Waals, that
        of a hydrogen on N, O or S being 0.06 nm; between such a one and N, O or S, which may be a hydrogen bond,
        0.14 nm (Word et al., J. Mol. Biol. 285, 1711 (1999), https://doi.org/10.1006/jmbi.1998.2400).
    centres : (n_centres, 4) array
        An atom with three or four neighbours, and three of them, heavy ones.
    threefold : (n_threefold, 4) array
        An atom of three neighbours, and these.
    ring_torsions : (n_torsions, 4) array
        About each bond of each ring of at most six atoms.
    rings : (n_torsions,) array
        The number of the ring that each of them is of.
    double : (n_double, 4) array
        A torsion about each further bond between two atoms of three neighbours, peptide bonds left out.
    sulphurs : (n_sulphurs, 2) array
        Pairs of S with one bond or none to a hydrogen or each other; those bonded come first.
    n_disulphides : int
        How many of these the topology has bonds for.
    backbone : (n_residues, 5) array
        C of the residue before, N, CA, C, and N of the residue after.
    kinds : tuple of str
        ``general``, ``glycine``, ``proline`` or ``pre-proline`` for each row of the backbone.
    """

    bonds: np.ndarray
    angles: np.ndarray
    amides: np.ndarray
    pairs: np.ndarray
    nearest: np.ndarray
    centres: np.ndarray
    threefold: np.ndarray
    ring_torsions: np.ndarray
    rings: np.ndarray
    double: np.ndarray
    sulphurs: np.ndarray
    n_disulphides: int
    backbone: np.ndarray
    kinds: tuple[str, ...]


def read_molecule(topology: mdtraj.Topology) -> Molecule:
    """Return what a topology says of bonds and what follows from them."""
    near: dict[int, list[int]] = {index: [] for index in range(topology.n_atoms)}
    for a, b in topology.bonds:
        near[a.index].append(b.index)
        near[b.index].append(a.index)
    heavy = {atom.index for atom in topology.atoms if is_heavy(atom)}
    element = {atom.index: atom.element.symbol if atom.element else "" for atom in topology.atoms}
    amides = _amides(near, heavy, element, [atom.name for atom in topology.atoms])
    # Equal hydrogens may be exchanged, so a centre of chirality needs three heavy neighbours.
    centres = [
        (centre, *sorted(row, key=lambda index: index not in heavy)[:3])
        for centre, row in near.items()
        if len(row) in (3, 4) and sum(index in heavy for index in row) >= 3
    ]
    threefold = {centre: row for centre, row in near.items() if len(row) == 3}
    rings = _rings(near)
    turns = [(number, *(ring[(k + j) % len(ring)] for j in range(4))) for number, ring in enumerate(rings)
             for k in range(len(ring))]  # fmt: skip
    closed = {frozenset((ring[k], ring[k - 1])) for ring in rings for k in range(len(ring))}
    known = closed | {frozenset((row[1], row[2])) for row in amides}
    double = [
        (_outer(near, heavy, a, b), a, b, _outer(near, heavy, b, a))
        for a in threefold
        for b in threefold[a]
        if a < b and b in threefold and frozenset((a, b)) not in known
    ]
    bonded = [(a, b) for a in near for b in near[a] if a < b and element[a] == element[b] == "S"]
    free = [i for i in near if element[i] == "S" and all(element[j] not in ("H", "S") for j in near[i])]
    backbone, kinds = _backbone(topology, near)
    turns_array = _rows(turns, 5)
    pairs = _apart(topology)
    return Molecule(
        bonds=_rows([(a.index, b.index) for a, b in topology.bonds], 2),
        angles=_rows([(i, mid, j) for mid, row in near.items() for k, i in enumerate(row) for j in row[k + 1 :]], 3),
        amides=_rows(amides, 4),
        pairs=pairs,
        nearest=_nearest(topology, pairs, near, heavy, element),
        centres=_rows(centres, 4),
        threefold=_rows([(centre, *row) for centre, row in threefold.items()], 4),
        ring_torsions=turns_array[:, 1:],
        rings=turns_array[:, 0],
        double=_rows(double, 4),
        sulphurs=_rows([*bonded, *((i, j) for k, i in enumerate(free) for j in free[k + 1 :])], 2),
        n_disulphides=len(bonded),
        backbone=_rows(backbone, 5),
        kinds=tuple(kinds),
    )


def _rows(rows: Sequence[tuple[int, ...]], width: int) -> np.ndarray:
    return np.array(rows, int).reshape(-1, width)


def _apart(topology: mdtraj.Topology) -> np.ndarray:
    """Return the pairs of atoms more than three bonds apart."""
    apart = np.triu(np.ones((topology.n_atoms, topology.n_atoms), bool), 1)
    close = np.array(sorted(within_bonds(topology, 3)), int).reshape(-1, 2)
    apart[close[:, 0], close[:, 1]] = False
    return np.argwhere(apart)


def _nearest(
    topology: mdtraj.Topology,
    pairs: np.ndarray,
    near: dict[int, list[int]],
    heavy: set[int],
    element: dict[int, str],
) -> np.ndarray:
    """Return the distances below which pairs clash, (n_pairs,)."""
    radii = np.array([atom.element.radius if atom.element else 0.15 for atom in topology.atoms], float)
    takes = np.array([element[atom.index] in _POLAR for atom in topology.atoms])
    gives = np.array([i not in heavy and any(element[j] in _POLAR for j in near[i]) for i in range(len(radii))])
    radii[gives] = 0.06  # it comes far nearer than others
    first, second = pairs.T
    bridge = (gives[first] & takes[second]) | (takes[first] & gives[second])
    return np.where(bridge, _HYDROGEN_BOND, 0.75 * (radii[first] + radii[second]))


def _amides(
    near: dict[int, list[int]], heavy: set[int], element: dict[int, str], name: list[str]
) -> list[tuple[int, ...]]:
    """Return the atoms of each torsion about a bond between N and a C with a terminal O."""
    rows: list[tuple[int, ...]] = []
    for c in near:
        for n in near[c]:
            if (element[c], element[n]) != ("C", "N"):
                continue
            others = [i for i in near[c] if i in heavy and i != n]
            oxygens = [i for i in others if element[i] == "O" and len(near[i]) == 1]
            before = [i for i in others if i not in oxygens]
            # Proline's N has two carbons, of which the C-alpha makes omega; some force fields list C-delta first.
            after = sorted((i for i in near[n] if i in heavy and i != c), key=lambda i: (name[i] != "CA", i))
            if oxygens and before and after:
                rows.append((before[0], c, n, after[0]))
    return rows


def _outer(near: dict[int, list[int]], heavy: set[int], atom: int, other: int) -> int:
    """Return a neighbour of an atom that is not `other`, a heavy one where there is one."""
    return min((i for i in near[atom] if i != other), key=lambda i: (i not in heavy, i))


def _rings(near: dict[int, list[int]], most: int = 6) -> list[list[int]]:
    """Return the rings of at most `most` atoms, each in its order: the shortest way round through each bond."""
    found: dict[frozenset[int], list[int]] = {}
    for start in near:
        for end in near[start]:
            if start > end:
                continue
            ways = [[start]]
            closed: list[int] = []
            for _ in range(most - 1):
                ways = [
                    [*way, i]
                    for way in ways
                    for i in near[way[-1]]
                    if i not in way and not (len(way) == 1 and i == end)
                ]
                closed = next((way for way in ways if way[-1] == end), [])
                if closed:
                    found.setdefault(frozenset(closed), closed)
                    break
    return list(found.values())


def _backbone(topology: mdtraj.Topology, near: dict[int, list[int]]) -> tuple[list[tuple[int, ...]], list[str]]:
    """Return the five atoms of phi and psi, and the kind of residue, of each residue that has both."""
    atoms = list(topology.atoms)
    rows: list[tuple[int, ...]] = []
    kinds = []
    for residue in topology.residues:
        own = {atom.name: atom.index for atom in residue.atoms}
        if not {"N", "CA", "C"} <= own.keys():
            continue
        before = [i for i in near[own["N"]] if atoms[i].name == "C" and atoms[i].residue is not residue]
        after = [i for i in near[own["C"]] if atoms[i].name == "N" and atoms[i].residue is not residue]
        if not before or not after:
            continue
        rows.append((before[0], own["N"], own["CA"], own["C"], after[0]))
        if residue.name == "GLY":
            kinds.append("glycine")
        elif residue.name in _PROLINES:
            kinds.append("proline")
        else:
            kinds.append("pre-proline" if atoms[after[0]].residue.name in _PROLINES else "general")
    return rows, kinds

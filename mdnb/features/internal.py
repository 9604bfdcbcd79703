"""Bond lengths, angles and torsions from which the Cartesian positions are rebuilt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mdnb.errors import DataError
from mdnb.features.atoms import is_heavy
from mdnb.features.base import Column, atom_labels
from mdnb.features.invertible import Invertible
from mdnb.trajectories import Chunk

if TYPE_CHECKING:
    import mdtraj


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


class InternalCoordinates(Invertible):
    """Bonds (nm), angles (rad) and torsions of one molecule, from its centre outwards.

    Atoms on the same three references share one torsion (as sine and cosine); the others of them are
    measured from it by their deviation from the ideal offset, which keeps planes flat and hands left or
    right. The three hydrogens of a methyl group cannot be told apart: they are brought into one order,
    and their torsion enters as the sine and cosine of three times the angle, so that the 27 copies of
    each state that three methyl groups make are one. Each ring is cut at one bond.

    References
    ----------
    Parsons et al., J. Comput. Chem. 26, 1063 (2005), https://doi.org/10.1002/jcc.20237 (rebuilding);
    Noe et al., Science 365, eaaw1147 (2019), https://doi.org/10.1126/science.aaw1147 (as coordinates of a
    generative model).
    """

    name = "internal-coordinates"
    exact = True
    needed = "it needs one molecule of at least four atoms whose bonds are known"

    def describe(self, topology: mdtraj.Topology, reference: np.ndarray) -> tuple[Column, ...]:
        """Return the columns: all bonds, then all angles, then the torsions."""
        self._topology = topology
        self.placements = _placements(topology, reference)
        label = atom_labels(topology)
        self._by_atom = {place.atom: place for place in self.placements}
        bonds: list[Column] = []
        angles: list[Column] = []
        torsions: list[Column] = []
        self._column_of: dict[int, int] = {}  # atom -> its first column among the torsions
        for place in self.placements[1:]:
            name = f"bond {label[place.atom]}"
            bonds.append(Column(name, "nm", (place.bond, place.atom), name))
        for place in self.placements[2:]:
            name = f"angle {label[place.atom]}"
            angles.append(Column(name, "rad", (place.angle, place.bond, place.atom), name))
        for place in self.placements[3:]:
            atoms = (place.torsion, place.angle, place.bond, place.atom)
            name = f"torsion {label[place.atom]}"
            self._column_of[place.atom] = len(torsions)
            if place.sibling >= 0:
                torsions.append(Column(f"improper {label[place.atom]}", "rad", atoms, name))
            else:
                times = "3 x " if place.methyl else ""
                torsions += [Column(f"{part} {times}{name}", "", atoms, name) for part in ("sin", "cos")]
        return (*bonds, *angles, *torsions)

    def compute(self, chunk: Chunk) -> np.ndarray:
        """Return (n_frames, n_columns)."""
        positions = self.canonical(chunk.positions).astype(np.float64)
        columns = [np.linalg.norm(positions[:, p.atom] - positions[:, p.bond], axis=-1) for p in self.placements[1:]]
        columns += [_angle(positions, place) for place in self.placements[2:]]
        torsion_of = {place.atom: _torsion(positions, place) for place in self.placements[3:]}
        for place in self.placements[3:]:
            if place.sibling >= 0:
                columns.append(_deviation(torsion_of, place))
            else:
                torsion = 3 * self._phase(torsion_of, place) if place.methyl else torsion_of[place.atom]
                columns += [np.sin(torsion), np.cos(torsion)]
        return np.stack(columns, axis=1)

    def _phase(self, torsion_of: dict[int, np.ndarray], place: Placement) -> np.ndarray:
        """Return the phase of a methyl group: its first torsion, freed of the three deviations.

        Under a rotation of the three labels it changes by exactly 120 degrees.
        """
        others = [self._by_atom[atom] for atom in place.methyl[1:]]
        return torsion_of[place.atom] + sum(_deviation(torsion_of, other) for other in others) / 3

    def canonical(self, positions: np.ndarray) -> np.ndarray:
        """Return the positions with the hydrogens of each methyl group in one order.

        The order is a rotation of the three labels, so that the phase lies within 60 degrees of zero; the
        molecule is the same.
        """
        result = positions.copy()
        for place in self.placements[3:]:
            if not place.methyl:
                continue
            hydrogens = list(place.methyl)
            torsion_of = {atom: _torsion(positions, self._by_atom[atom]) for atom in hydrogens}
            turns = np.round(self._phase(torsion_of, place) / (2 * np.pi / 3)).astype(int) % 3
            # The torsions of the three rise or fall by 120 degrees in the order of their labels.
            step = np.sign(self._by_atom[hydrogens[1]].offset)
            for turn in (1, 2):
                rows = turns == turn
                shift = int(turn * -step) % 3
                rolled = hydrogens[shift:] + hydrogens[:shift]
                result[np.ix_(rows, hydrogens)] = positions[np.ix_(rows, rolled)]
        return result

    @property
    def atoms(self) -> np.ndarray:
        """All atoms, (n_atoms,)."""
        return np.arange(len(self.placements))

    def rebuild(self, values: np.ndarray) -> np.ndarray:
        """Return the positions, (n_frames, n_atoms, 3) in nm, of rows of columns.

        The first atom is at the origin, the second on the x axis, the third in the xy plane.

        Parameters
        ----------
        values : (n_frames, n_columns) array
            As `compute` returns them; a sine and cosine need not lie on the unit circle.

        Raises
        ------
        DataError
            When the number of columns differs.
        """
        if values.ndim != 2 or values.shape[1] != len(self.columns):
            raise DataError(f"got values of shape {values.shape}, expected (n_frames, {len(self.columns)})")
        values = values.astype(np.float64)
        n_atoms = len(self.placements)
        bonds, angles = values[:, : n_atoms - 1], values[:, n_atoms - 1 : 2 * n_atoms - 3]
        rest = values[:, 2 * n_atoms - 3 :]
        positions = np.zeros((len(values), n_atoms, 3))
        torsions: dict[int, np.ndarray] = {}
        for number, place in enumerate(self.placements):
            if number == 0:
                continue
            bond = bonds[:, number - 1]
            if number == 1:
                positions[:, place.atom, 0] = bond
                continue
            angle = angles[:, number - 2]
            origin, back = positions[:, place.bond], positions[:, place.angle]
            if number == 2:
                along = np.sign(back[:, 0] - origin[:, 0])
                positions[:, place.atom, 0] = origin[:, 0] + along * bond * np.cos(angle)
                positions[:, place.atom, 1] = bond * np.sin(angle)
                continue
            column = self._column_of[place.atom]
            if place.sibling >= 0:
                torsion = torsions[place.sibling] + place.offset + rest[:, column]
            else:
                torsion = np.arctan2(rest[:, column], rest[:, column + 1])
                if place.methyl:
                    torsion = torsion / 3 - sum(rest[:, self._column_of[atom]] for atom in place.methyl[1:]) / 3
            torsions[place.atom] = torsion
            positions[:, place.atom] = _place(positions[:, place.torsion], back, origin, bond, angle, torsion)
        return positions


def _place(
    a: np.ndarray, b: np.ndarray, c: np.ndarray, bond: np.ndarray, angle: np.ndarray, torsion: np.ndarray
) -> np.ndarray:
    """Return the atoms at the given bond to c, angle at c with b, torsion about b-c from a."""
    along = _unit(c - b)
    normal = _unit(np.cross(b - a, along))
    across = np.cross(normal, along)
    return c + bond[:, None] * (
        -np.cos(angle)[:, None] * along
        + (np.sin(angle) * np.cos(torsion))[:, None] * across
        + (np.sin(angle) * np.sin(torsion))[:, None] * normal
    )


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _angle(positions: np.ndarray, place: Placement) -> np.ndarray:
    first = _unit(positions[:, place.atom] - positions[:, place.bond])
    second = _unit(positions[:, place.angle] - positions[:, place.bond])
    return np.arccos(np.clip(np.einsum("fi,fi->f", first, second), -1, 1))


def _torsion(positions: np.ndarray, place: Placement) -> np.ndarray:
    a, b, c, d = (positions[:, index] for index in (place.torsion, place.angle, place.bond, place.atom))
    along = _unit(c - b)
    first = np.cross(along, np.cross(b - a, along))
    second = np.cross(along, np.cross(d - c, along))
    sine = np.einsum("fi,fi->f", np.cross(-first, second), along)
    return np.arctan2(sine, np.einsum("fi,fi->f", -first, second))


def _wrap(angle: np.ndarray) -> np.ndarray:
    return (angle + np.pi) % (2 * np.pi) - np.pi


def _deviation(torsion_of: dict[int, np.ndarray], place: Placement) -> np.ndarray:
    return _wrap(torsion_of[place.atom] - torsion_of[place.sibling] - place.offset)


def _placements(topology: mdtraj.Topology, reference: np.ndarray) -> tuple[Placement, ...]:
    """Return the order in which atoms are placed: from the centre of the bond graph outwards."""
    bonded: list[list[int]] = [[] for _ in range(topology.n_atoms)]
    for a, b in topology.bonds:
        bonded[a.index].append(b.index)
        bonded[b.index].append(a.index)
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
                difference = _torsion(frame, place) - _torsion(frame, Placement(sibling, bond, angle, torsion))
                centre = topology.atom(bond).element
                flat = centre is not None and centre.symbol in "CN" and _is_flat(bond, centre.symbol, neighbours)
                offset = np.pi if flat else float(np.round(_wrap(difference)[0] / (np.pi / 3)) * (np.pi / 3))
                place = Placement(atom, bond, angle, torsion, sibling, offset)
            else:
                first_of[key] = atom
        result.append(place)
        placed.append(atom)
    return tuple(_mark_methyls(result, heavy, neighbours))


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

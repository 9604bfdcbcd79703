"""Bond lengths, angles and torsions from which the Cartesian positions are rebuilt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mdnb.chunk import Chunk
from mdnb.features.atoms import is_heavy
from mdnb.features.base import Column, atom_labels
from mdnb.features.invertible import Invertible
from mdnb.features.placements import Placement, angle_at, placements, torsion_about, turns, unit, wrapped
from mdnb.features.skeleton import Skeleton

if TYPE_CHECKING:
    import mdtraj

#: Molecules of fewer are one part.
_RESIDUES = 5


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
        self.placements = placements(topology, reference)
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
        columns += [angle_at(positions, place) for place in self.placements[2:]]
        torsion_of = {place.atom: torsion_about(positions, place) for place in self.placements[3:]}
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
            torsion_of = {atom: torsion_about(positions, self._by_atom[atom]) for atom in hydrogens}
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

    @property
    def parts(self) -> tuple[int, ...]:
        """For each number the residue that it shapes, -1 where it turns residues against each other.

        Torsions about the bonds of small rings shape the ring, whatever else they turn. Empty where there are fewer
        than five residues, of which a few latents hold everything that turns.
        """
        residues = [atom.residue.index for atom in self._topology.atoms]
        turning = turns(self.placements, self._topology)
        if len(set(residues)) < _RESIDUES or not turning:
            return ()
        owner = {place.atom: residues[place.bond] for place in self.placements[1:]}
        found = [owner[place.atom] for first in (1, 2) for place in self.placements[first:]]
        for place in self.placements[3:]:
            part = -1 if place.atom in turning else owner[place.atom]
            found += [part] * (1 if place.sibling >= 0 else 2)
        return tuple(found)

    @property
    def skeleton(self) -> Skeleton | None:
        """How the heavy atoms are placed; None where there are fewer than four, or one hangs on a hydrogen."""
        heavy = [place for place in self.placements if is_heavy(self._topology.atom(place.atom))]
        number = {place.atom: row for row, place in enumerate(heavy)}
        known = [[place.bond, place.angle, place.torsion] for place in heavy]
        if len(heavy) < 4 or any(atom not in number for row in known for atom in row if atom >= 0):
            return None
        first = 2 * len(self.placements) - 3  # the first column of the torsions
        at = {place.atom: row for row, place in enumerate(self.placements)}
        columns = []
        for place in heavy:
            row = at[place.atom]
            turn = more = -1
            if place.torsion >= 0:
                turn = first + self._column_of[place.atom if place.sibling < 0 else place.sibling]
                more = first + self._column_of[place.atom] if place.sibling >= 0 else -1
            bond = row - 1 if row > 0 else -1
            columns.append((bond, len(self.placements) - 1 + row - 2 if row > 1 else -1, turn, more))
        references = tuple(tuple(number.get(atom, -1) for atom in row) for row in known)
        return Skeleton(references, tuple(columns), tuple(place.offset for place in heavy))  # type: ignore[arg-type]

    def place(self, values: np.ndarray) -> np.ndarray:
        """Return the positions in nm; the first atom is at the origin, the second on the x axis, the third in xy."""
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
    along = unit(c - b)
    normal = unit(np.cross(b - a, along))
    across = np.cross(normal, along)
    return c + bond[:, None] * (
        -np.cos(angle)[:, None] * along
        + (np.sin(angle) * np.cos(torsion))[:, None] * across
        + (np.sin(angle) * np.sin(torsion))[:, None] * normal
    )


def _deviation(torsion_of: dict[int, np.ndarray], place: Placement) -> np.ndarray:
    return wrapped(torsion_of[place.atom] - torsion_of[place.sibling] - place.offset)

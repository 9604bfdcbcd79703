"""HDF5 files with a group for each of many systems: MISATO's complexes and SPICE's molecules."""

from __future__ import annotations

import os
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mdnb.formats.base import ArrayFile
from mdnb.formats.hdf5 import held, refuse_links
from mdnb.formats.molecules import bonds_by_distance, element, molecular_topology, symbol_of
from mdnb.formats.registry import register_layout

if TYPE_CHECKING:
    import mdtraj

__all__ = ["MisatoFile", "SpiceFile"]

_KCAL = 4.184
_BOHR = 0.0529177210903
"""Bohr radius in nm."""
_HARTREE = 2625.4996394799
"""Hartree in kJ/mol."""


class GroupedFile(ArrayFile):
    """One group of such a file.

    Parameters
    ----------
    path : path
    entry : str
        Name of the group; may be left out where there is one only.
    """

    foreign = True
    #: Data set of the positions, with which a file is known, and the database it is of.
    positions: ClassVar[str]
    database: ClassVar[str]

    def __init__(self, path: str | os.PathLike[str], entry: str = "") -> None:
        import h5py

        super().__init__(path)
        with h5py.File(self.path) as file:
            if not entry and len(file) > 1:
                first = next(iter(file))
                raise self.error(
                    f"it holds {len(file):,} systems, each with atoms of its own; open one at a time, with "
                    f"mdnb.fetch({self.database!r}, {first!r}, file={str(path)!r})"
                )
            self.member = entry or next(iter(file))
            if self.member not in file:
                raise self.error(f"it holds no {self.member!r}; is the name right, capitals and all?")
            if not isinstance(file.get(self.member, getlink=True), h5py.HardLink):
                raise self.error(f"{self.member!r} is a link to elsewhere, which is not followed")
            group = file[self.member]
            refuse_links(self, group)
            if self.positions not in group:
                raise self.error(f"{self.member!r} has no {self.positions!r}; was it copied completely?")
            self.n_frames, self.n_atoms = held(self, group[self.positions])
            self._look(group)

    @classmethod
    def claims(cls, path: Path) -> bool:
        """Return whether the first group of the file has the positions of this layout."""
        import h5py

        with h5py.File(path) as file:
            first = next(iter(file), None)
            return first is not None and isinstance(file[first], h5py.Group) and cls.positions in file[first]

    @abstractmethod
    def _look(self, group: Any) -> None:
        """Read what is needed of the group besides positions."""

    def _whole(self, group: Any, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """Return a small data set, of whole numbers and of that shape."""
        values = np.asarray(group[name][:]) if name in group and group[name].shape == shape else np.zeros(0)
        if values.shape != shape or values.dtype.kind not in "iuf":
            raise self.error(f"{self.member}: its {name} are not {shape} numbers; is it damaged?")
        return values.astype(int)


@register_layout(".h5", ".hdf5")
class SpiceFile(GroupedFile):
    """The conformations of one molecule of SPICE, with quantum energies and forces; bohr and hartree become nm, kJ/mol.

    They are in no order of time. Bonds are found by distances in the first one. Written to the published layout;
    tested on files made in it.

    References
    ----------
    Eastman et al., Sci. Data 10, 11 (2023), https://doi.org/10.1038/s41597-022-01882-6
    """

    positions = "conformations"
    database = "spice"

    def _look(self, group: Any) -> None:
        self._numbers = self._whole(group, "atomic_numbers", (self.n_atoms,))
        name = "dft_total_gradient"
        self.has_forces = name in group and group[name].shape == (self.n_frames, self.n_atoms, 3)

    def slice(self, name: str, frames: slice) -> np.ndarray | None:
        """Return positions in nm or forces (minus the gradient) in kJ/mol/nm of those conformations, or None."""
        import h5py

        with h5py.File(self.path) as file:
            group = file[self.member]
            if name == "positions":
                return group[self.positions][frames] * _BOHR
            if name == "forces" and self.has_forces:
                return group["dft_total_gradient"][frames] * (-_HARTREE / _BOHR)
        return None

    def topology(self) -> mdtraj.Topology:
        """Return a residue for each molecule, found by distances in the first conformation."""
        with self.reading("topology"):
            first = self.slice("positions", slice(0, 1))
            symbols = [symbol_of(int(number)) for number in self._numbers]
            return molecular_topology(symbols, None if first is None else first[0])

    def observables(self) -> dict[str, np.ndarray]:
        """Return ``potential_energy`` (total) and ``formation_energy`` in kJ/mol."""
        import h5py

        names = {"dft_total_energy": "potential_energy", "formation_energy": "formation_energy"}
        with self.reading("energies"), h5py.File(self.path) as file:
            group = file[self.member]
            return {
                ours: np.asarray(group[theirs][:], np.float64) * _HARTREE
                for theirs, ours in names.items()
                if theirs in group and group[theirs].shape == (self.n_frames,)
            }


#: MISATO's numbers of elements, residues and of the AMBER types that tell the backbone.
_ELEMENTS = ("", "H", "C", "N", "O", "F", "P", "S", "Cl", "Br", "I")
_RESIDUES = (
    "MOL", "ACE", "ALA", "ARG", "ASN", "ASP", "CYS", "CYX", "GLN", "GLU", "GLY", "HIE", "ILE", "LEU", "LYS", "MET",
    "PHE", "PRO", "SER", "THR", "TRP", "TYR", "VAL",
)  # fmt: skip
_C, _CX, _N, _O = 3, 14, 24, 29


@register_layout(".h5", ".hdf5")
class MisatoFile(GroupedFile):
    """One protein-ligand complex of MISATO: 100 frames of 8 ns, Angstrom become nm.

    The file has no atom names and no residue numbers. Residues are parted as the authors do it, where the type N
    follows O, or the residue's name changes; N, CA, C, O and CB are told by their AMBER types, and other atoms are
    called by element and number, so that selections and features of the backbone work and those of side-chain
    torsions do not. Bonds are found by distances in the first frame. The ligand is the residue MOL, in a chain of
    its own. The units of what is computed per frame are taken to be Angstrom and kcal/mol. Written to the published
    layout; tested on files made in it.

    References
    ----------
    Siebenmorgen et al., Nat. Comput. Sci. 4, 367 (2024), https://doi.org/10.1038/s43588-024-00627-2
    """

    positions = "trajectory_coordinates"
    database = "misato"
    _STEP = 80.0

    def _look(self, group: Any) -> None:
        size = (self.n_atoms,)
        self._elements = self._whole(group, "atoms_element", size)
        self._types = self._whole(group, "atoms_type", size)
        self._codes = self._whole(group, "atoms_residue", size)
        begins = group["molecules_begin_atom_index"].shape if "molecules_begin_atom_index" in group else (0,)
        self._begins = self._whole(group, "molecules_begin_atom_index", begins)
        known = ((self._elements, _ELEMENTS), (self._codes, _RESIDUES))
        if any(values.min() < 0 or values.max() >= len(names) for values, names in known):
            raise self.error(f"{self.member}: it numbers elements or residues that are not known; is it damaged?")

    def times(self) -> np.ndarray:
        """Return the times of all frames in ps."""
        return np.arange(self.n_frames) * self._STEP

    @property
    def time_step(self) -> float:
        """Time between the frames in ps."""
        return self._STEP

    def slice(self, name: str, frames: slice) -> np.ndarray | None:
        """Return positions in nm or times in ps of those frames, or None."""
        import h5py

        if name == "time":
            return self.times()[frames]
        if name != "positions":
            return None
        with h5py.File(self.path) as file:
            return file[self.member][self.positions][frames] * 0.1

    def observables(self) -> dict[str, np.ndarray]:
        """Return ``ligand_rmsd``, ``ligand_distance`` (nm), ``interaction_energy`` (kJ/mol), ``buried_area`` (nm2)."""
        import h5py

        names = {
            "frames_rmsd_ligand": ("ligand_rmsd", 0.1), "frames_distance": ("ligand_distance", 0.1),
            "frames_interaction_energy": ("interaction_energy", _KCAL), "frames_bSASA": ("buried_area", 0.01),
        }  # fmt: skip
        with self.reading("observables"), h5py.File(self.path) as file:
            group = file[self.member]
            return {
                ours: np.asarray(group[theirs][:], np.float64) * factor
                for theirs, (ours, factor) in names.items()
                if theirs in group and group[theirs].shape == (self.n_frames,)
            }

    def topology(self) -> mdtraj.Topology:
        """Return chains, residues and atoms as far as the file tells them."""
        import mdtraj

        starts = {int(index) for index in self._begins} | {0}
        symbols = [_ELEMENTS[number] for number in self._elements]
        topology = mdtraj.Topology()
        chain: Any = None
        bounds = [n for n in range(self.n_atoms) if n in starts or self._begins_residue(n)]
        for number, (first, last) in enumerate(zip(bounds, [*bounds[1:], self.n_atoms], strict=True)):
            if first in starts:
                chain = topology.add_chain()
            residue = topology.add_residue(_RESIDUES[self._codes[first]], chain, resSeq=number + 1)
            for name, symbol in zip(self._names(first, last), symbols[first:last], strict=True):
                topology.add_atom(name, element(symbol), residue)
        atoms = list(topology.atoms)
        first_frame = self.slice("positions", slice(0, 1))
        pairs, _ = bonds_by_distance(symbols, None if first_frame is None else first_frame[0], None)
        for one, other in pairs:
            topology.add_bond(atoms[one], atoms[other])
        return topology

    def _begins_residue(self, n: int) -> bool:
        if self._codes[n] != self._codes[n - 1]:
            return True
        if self._codes[n] == 0 or self._types[n - 1] != _O or self._types[n] != _N:
            return False
        # In the amides of ASN and GLN, N follows O too, but is not followed by the alpha carbon.
        amide = _RESIDUES[self._codes[n]] in ("ASN", "GLN")
        return not amide or _CX in self._types[n + 1 : n + 4]

    def _names(self, first: int, last: int) -> list[str]:
        """Return unique names of a residue's atoms, those of the backbone as in the PDB."""
        types = list(self._types[first:last])
        names: dict[int, str] = {}
        if self._codes[first] and _CX in types:
            symbols = [_ELEMENTS[number] for number in self._elements[first:last]]
            alpha, residue = types.index(_CX), _RESIDUES[self._codes[first]]
            if "N" in symbols[:alpha]:
                names[symbols.index("N")] = "N"
            names[alpha] = "CA"
            if _C in types:  # AMBER writes C, O and at the end of a chain OXT last
                carbonyl = len(types) - 1 - types[::-1].index(_C)
                names[carbonyl] = "C"
                oxygens = ((carbonyl + 1, "O"), (carbonyl + 2, "OXT"))
                names |= {at: name for at, name in oxygens if symbols[at : at + 1] == ["O"]}
            # The ring of proline is written before its alpha carbon.
            side = range(alpha - 1, -1, -1) if residue == "PRO" else range(alpha + 1, len(types))
            beta = next((n for n in side if symbols[n] == "C" and n not in names), None)
            if beta is not None and residue != "GLY":
                names[beta] = "CB"
        taken, counts, found = set(names.values()), dict.fromkeys(_ELEMENTS, 0), []
        for n in range(last - first):
            symbol = _ELEMENTS[self._elements[first + n]]
            name = names.get(n, "")
            while not name or (n not in names and name in taken):
                counts[symbol] += 1
                name = f"{symbol}{counts[symbol]}"
            taken.add(name)
            found.append(name)
        return found

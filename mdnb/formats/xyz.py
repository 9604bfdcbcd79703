"""XYZ and extended XYZ: text, with velocities, forces, box and energy where the columns and keys say so."""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mdnb.formats.molecules import molecular_topology, symbol_of
from mdnb.formats.registry import register
from mdnb.formats.text import Record, TextFile, table
from mdnb.formats.units import STYLES, Factors, factors

if TYPE_CHECKING:
    import mdtraj

#: Bytes of a file that are searched for line ends at a time.
_BLOCK = 8_000_000
_PAIR = re.compile(r"""([\w-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|\{([^}]*)\}|\[([^\]]*)\]|(\S+))""")
_NAMES = {
    "species": ("species", "symbols", "element"),
    "numbers": ("Z", "numbers"),
    "masses": ("masses", "mass"),
    "positions": ("pos", "positions"),
    "velocities": ("vel", "velo", "velocities", "velocity"),
    "momenta": ("momenta",),
    "forces": ("forces", "force"),
}
#: What a column of that name has to be: its type and number of columns.
_SHAPES = {"species": ("S", 1), "numbers": ("I", 1), "masses": ("R", 1)}
#: ASE's unit of momentum over the dalton, sqrt(eV/Da), in nm/ps.
_ASE_VELOCITY = STYLES["metal"].forces ** 0.5 * 0.1**0.5


@register(".xyz", ".extxyz")
class XYZFile(TextFile):
    """XYZ frames one after another; of extended XYZ the columns of ``Properties``, ``Lattice``, ``pbc`` and ``energy``.

    Without `units` lengths are Angstrom and forces eV/Angstrom, as ASE has them; ``momenta`` are ASE's and give the
    velocities. A column of velocities has no agreed unit (Angstrom/fs of GPUMD, others of others): reading them needs
    `units`, and so do the times of ``Time``.

    Parameters
    ----------
    path : path
    units : str or mapping, optional
        As in `mdnb.formats.units.factors`.

    References
    ----------
    https://github.com/libAtoms/extxyz; Larsen et al., J. Phys. Condens. Matter 29, 273002 (2017),
    https://doi.org/10.1088/1361-648X/aa680e
    """

    takes_units = True

    def __init__(self, path: str | os.PathLike[str], units: str | Mapping[str, Any] | None = None) -> None:
        super().__init__(path)
        self.units = units
        self._factors: Factors = factors(units) if units is not None else STYLES["metal"]
        with self.path.open("rb") as file:
            first = file.readline(40).split()
        if len(first) != 1 or not first[0].isdigit() or int(first[0]) < 1:
            raise self.error("its first line is not the number of atoms, as in an XYZ file; is it one?")
        self.n_atoms = int(first[0])
        self._index()
        if not self.n_frames:
            return
        comment, lines = self._split(self._raw(0), 0)
        self._columns = self._layout(comment, 0)
        if "positions" not in self._columns:
            raise self.error("its Properties name no positions (pos:R:3); is it an XYZ file of a trajectory?")
        self.has_velocities = "velocities" in self._columns or "momenta" in self._columns
        self.has_forces = "forces" in self._columns
        self._symbols = self._species(lines)

    def _find(self, data: mmap.mmap, position: int) -> tuple[list[int], int, str]:
        per_frame, size = self.n_atoms + 2, len(data)
        starts, seen, at = [position], 0, position
        while at < size:
            ends = np.flatnonzero(np.frombuffer(data[at : at + _BLOCK], np.uint8) == 10)
            # Of the line ends counted from `position`, every per_frame-th ends a frame.
            starts.extend((ends[per_frame - 1 - seen % per_frame :: per_frame] + at + 1).tolist())
            seen += len(ends)
            at += _BLOCK
        for number, start in enumerate(starts):
            line = data[start : start + 40].split(b"\n")[0].strip()
            if start < size and line != str(self.n_atoms).encode() and (line or data[start:].strip()):
                whole = line.isdigit() and start != starts[-1]
                raise self.error(
                    f"frame {number} starts with {line[:30].decode(errors='replace')!r}, expected {self.n_atoms} atoms "
                    "as in frame 0; "
                    + (
                        "a trajectory has the same atoms in each frame: split a data set of several systems"
                        if whole or line.isdigit()
                        else "the file is damaged"
                    )
                )
        left = data[starts[-1] :]
        if not left.strip():
            return starts[:-1], starts[-1], ""
        return starts[:-1], starts[-1], f"{len(left)} bytes are left of a frame, or the last line lacks its line end"

    def _split(self, raw: bytes, frame: int) -> tuple[str, list[str]]:
        lines = raw.decode().splitlines()
        if len(lines) != self.n_atoms + 2 or lines[0].strip() != str(self.n_atoms):
            raise self.error(f"frame {frame} has {len(lines)} lines, expected {self.n_atoms + 2}; the file is damaged")
        return lines[1], lines[2:]

    def _layout(self, comment: str, frame: int) -> dict[str, tuple[int, int]]:
        """Return name -> (first column, number of columns)."""
        fields = _pairs(comment).get("properties", "species:S:1:pos:R:3").split(":")
        found, at = {}, 0
        if len(fields) % 3:
            raise self.error(f"frame {frame} has Properties that are not triples of name, type and number")
        for name, kind, number in zip(fields[::3], fields[1::3], fields[2::3], strict=True):
            ours = next((ours for ours, names in _NAMES.items() if name in names), None)
            if ours is not None and (kind, int(number)) == _SHAPES.get(ours, ("R", 3)):
                found[ours] = (at, int(number))
            at += int(number)
        return found

    def _species(self, lines: list[str]) -> list[str]:
        rows = [line.split() for line in lines]
        if "species" in self._columns:
            return [row[self._columns["species"][0]] for row in rows]
        if "numbers" in self._columns:
            return [symbol_of(int(row[self._columns["numbers"][0]])) for row in rows]
        return [""] * len(rows)

    def _parse(self, raw: bytes, frame: int, atoms: bool, velocities: bool, forces: bool) -> Record:
        if velocities and "momenta" not in self._columns and self.units is None:
            raise self.error(
                "the unit of its velocities is not known, as XYZ files do not say it: give units='metal' "
                "(Angstrom/ps), units='real' (Angstrom/fs, kcal/mol/Angstrom), or, for GPUMD's Angstrom/fs and "
                "eV/Angstrom, units={'length': 0.1, 'time': 0.001, 'energy': 96.4853}"
            )
        comment, lines = self._split(raw, frame)
        known = _pairs(comment)
        record = Record(box=self._box(known))
        if self.units is not None and "time" in known:
            record.time = float(known["time"]) * self._factors.time
        if not atoms:
            return record
        columns = self._layout(comment, frame)
        if columns != self._columns or self._species(lines) != self._symbols:
            raise self.error(f"frame {frame} has other columns or elements than frame 0; a trajectory has the same")
        momenta = velocities and "momenta" in columns
        wanted = ["positions", *(["momenta" if momenta else "velocities"] if velocities else [])]
        wanted += ["forces"] if forces else []
        values = table(lines, [columns[name][0] + k for name in wanted for k in range(3)])
        arrays = dict(zip(wanted, np.split(values, len(wanted), axis=1), strict=True))
        record.positions = arrays["positions"] * self._factors.positions
        if momenta:
            record.velocities = arrays["momenta"] / self._masses(lines)[:, None] * _ASE_VELOCITY
        elif velocities:
            record.velocities = arrays["velocities"] * self._factors.velocities
        if forces:
            record.forces = arrays["forces"] * self._factors.forces
        return record

    def _box(self, known: Mapping[str, str]) -> np.ndarray | None:
        numbers = known.get("lattice", "").split()
        periodic = known.get("pbc", "T").replace(",", " ").lower().split()
        if not numbers or not any(word in ("t", "true", "1") for word in periodic):
            return None
        return np.array(numbers, float).reshape(3, 3) * self._factors.positions

    def _masses(self, lines: list[str]) -> np.ndarray:
        if "masses" in self._columns:
            return table(lines, [self._columns["masses"][0]])[:, 0]
        topology = self.topology()
        masses = np.array([atom.element.mass if atom.element else 0.0 for atom in topology.atoms])
        if not masses.all():
            raise self.error("its momenta give no velocities, as the mass of some atoms is not known (column masses)")
        return masses

    def observables(self) -> dict[str, np.ndarray]:
        """Return ``potential_energy`` in kJ/mol, from the key ``energy`` where every frame has it."""
        energies = []
        with self.reading("energies"), self.path.open("rb") as file:
            for start in self._starts[:-1]:
                file.seek(int(start))
                file.readline()
                known = _pairs(file.readline().decode())
                if "energy" not in known:
                    return {}
                energies.append(float(known["energy"]))
        return {"potential_energy": np.array(energies) * (self._factors.forces * self._factors.positions)}

    def topology(self) -> mdtraj.Topology:
        """Return a residue for each molecule, found by the distances in the first frame."""
        if self._topology is None:
            with self.reading("topology"):
                record = self._parse(self._raw(0), 0, True, False, False)
                self._topology = molecular_topology(self._symbols, record.positions, record.box)
        return self._topology

    _topology: mdtraj.Topology | None = None


def _pairs(comment: str) -> dict[str, str]:
    """Return the keys, in small letters, and values of a comment line."""
    return {found[0].lower(): next(filter(None, found[1:]), "") for found in _PAIR.findall(comment)}

"""LAMMPS dumps in text: positions in any of the four conventions, velocities, forces and any box."""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mdnb.formats.molecules import element_of_mass, molecular_topology
from mdnb.formats.registry import register
from mdnb.formats.text import Record, TextFile, table
from mdnb.formats.units import Factors, factors

if TYPE_CHECKING:
    import mdtraj

_MARK = b"ITEM: TIMESTEP"
#: What may stand before the mark and belongs to its frame.
_BEFORE = re.compile(rb"(?:ITEM: UNITS\r?\n[^\n]*\n)?(?:ITEM: TIME\r?\n[^\n]*\n)?\Z")
#: Columns of positions, the best first: unwrapped ones keep molecules whole.
_POSITIONS = (("xu", "yu", "zu"), ("xsu", "ysu", "zsu"), ("x", "y", "z"), ("xs", "ys", "zs"))
_VECTORS = {"velocities": ("vx", "vy", "vz"), "forces": ("fx", "fy", "fz")}
_IMAGES = ("ix", "iy", "iz")


@dataclass
class _Head:
    """What stands before the atoms of a frame; `box` has the vectors as rows, in the file's units."""

    n_atoms: int
    columns: list[str]
    n_lines: int
    box: np.ndarray
    origin: np.ndarray
    periodic: bool
    units: str = ""
    time: float = float("nan")


@register(".lammpstrj", ".lammpsdump", ".dump")
class LAMMPSFile(TextFile):
    """A LAMMPS text dump of style ``atom`` or ``custom``, sorted by the column ``id``.

    Positions are the unwrapped ones (``xu``, ``xsu``, or ``x``, ``xs`` with the image flags ``ix iy iz``) where the
    file has them, and not moved to the box's origin. The units are those of the line ``ITEM: UNITS`` or `units`; the
    time is that of ``ITEM: TIME``. There is a box where any boundary is periodic.

    Parameters
    ----------
    path : path
    units : str or mapping, optional
        As in `mdnb.formats.units.factors`.

    References
    ----------
    https://docs.lammps.org/dump.html, https://docs.lammps.org/Howto_triclinic.html
    """

    takes_units = True

    def __init__(self, path: str | os.PathLike[str], units: str | Mapping[str, Any] | None = None) -> None:
        super().__init__(path)
        self._ids: np.ndarray | None = None
        self.n_atoms = 0
        with self.path.open("rb") as file:
            if not file.read(5) == b"ITEM:":
                raise self.error("it does not start as a LAMMPS text dump does ('ITEM:'); is it one?")
        self._index()
        if not self.n_frames:
            return
        head = self._head(self._raw(0).decode().splitlines(), 0)
        self.n_atoms, self._columns = head.n_atoms, head.columns
        if self.n_atoms < 1:
            raise self.error(f"it says that it has {self.n_atoms} atoms; the file is damaged")
        self.has_velocities, self.has_forces = (set(names) <= set(head.columns) for names in _VECTORS.values())
        if "id" not in head.columns and self.n_frames > 1:
            raise self.error(
                "it has no column 'id', so that an atom cannot be followed from frame to frame; write it, as in "
                "'dump 1 all custom 1000 run.lammpstrj id type xu yu zu'"
            )
        if units is not None and head.units and units != head.units:
            raise self.error(f"it says that its units are {head.units!r}, but units={units!r} were given; leave it out")
        self.units = units or head.units or None

    @property
    def _factors(self) -> Factors:
        if not self.units:
            raise self.error(
                "it does not say its units: give those of the LAMMPS input, such as units='real' or units='metal' "
                "(to have them written: dump_modify ... units yes time yes)"
            )
        return factors(self.units)

    def _find(self, data: mmap.mmap, position: int) -> tuple[list[int], int, str]:
        starts, at = [], data.find(_MARK, position)
        while at >= 0:
            before = _BEFORE.search(data[max(position, at - 200) : at])
            starts.append(at - (len(before[0]) if before else 0))
            at = data.find(_MARK, at + len(_MARK))
        if not starts:
            left = len(data) - position
            return [], position, f"{left} bytes are left of a frame after the whole ones" if left else ""
        # All frames but the last end where the next one begins; that one may be cut off, or a next one begun.
        tail = data[starts[-1] :]
        atoms = tail.find(b"ITEM: ATOMS")
        count = re.search(rb"ITEM: NUMBER OF ATOMS\r?\n\s*(\d+)\s*\n", tail[: max(atoms, 0)])
        ends = np.flatnonzero(np.frombuffer(tail, np.uint8, offset=max(atoms, 0)) == 10)
        if count is None or len(ends) <= int(count[1]):
            cut = f"{len(tail)} bytes are left of a frame, or the last line lacks its line end"
            return starts[:-1], starts[-1], cut
        end = starts[-1] + atoms + int(ends[int(count[1])]) + 1
        rest = data[end:].strip()
        return starts, end, f"{len(rest)} bytes are left of a frame after the whole ones" if rest else ""

    def _head(self, lines: list[str], frame: int) -> _Head:
        """Return what stands before the atoms of a frame."""
        found: dict[str, list[str]] = {}
        titles: dict[str, str] = {}
        at = 0
        while at < len(lines):
            match = re.match(r"ITEM: (UNITS|TIMESTEP|TIME|NUMBER OF ATOMS|BOX BOUNDS|ATOMS)(.*)", lines[at])
            if match is None:
                raise self.error(f"frame {frame} has {lines[at][:40]!r} where an 'ITEM:' is due; the file is damaged")
            name, titles[match[1]] = match[1], match[2]
            if name == "ATOMS":
                break
            n_lines = 3 if name == "BOX BOUNDS" else 1
            found[name], at = lines[at + 1 : at + 1 + n_lines], at + 1 + n_lines
        if not {"NUMBER OF ATOMS", "BOX BOUNDS"} <= set(found) or "ATOMS" not in titles:
            raise self.error(f"frame {frame} lacks its number of atoms, box or atoms; the file is damaged")
        box, origin, periodic = _box(np.array([line.split() for line in found["BOX BOUNDS"]], float), titles)
        return _Head(
            n_atoms=int(found["NUMBER OF ATOMS"][0]),
            columns=titles["ATOMS"].split(),
            n_lines=at + 1,
            box=box,
            origin=origin,
            periodic=periodic,
            units=found.get("UNITS", [""])[0].strip(),
            time=float(found["TIME"][0]) if "TIME" in found else float("nan"),
        )

    def _parse(self, raw: bytes, frame: int, atoms: bool, velocities: bool, forces: bool) -> Record:
        factor = self._factors
        lines = raw.decode().splitlines()
        head = self._head(lines, frame)
        record = Record(time=head.time * factor.time, box=head.box * factor.positions if head.periodic else None)
        if not atoms:
            return record
        lines = self._atom_lines(lines, head, frame)
        names = next((names for names in _POSITIONS if set(names) <= set(head.columns)), None)
        if names is None:
            raise self.error(f"frame {frame} has no columns x y z, xs ys zs, xu yu zu or xsu ysu zsu")
        wrapped = "u" not in names[0] and set(_IMAGES) <= set(head.columns)
        wanted = [*names, *(_IMAGES if wrapped else ())]
        wanted += [*(_VECTORS["velocities"] if velocities else ()), *(_VECTORS["forces"] if forces else ())]
        missing = [name for name in wanted if name not in head.columns]
        if missing:
            raise self.error(f"frame {frame} has no column {missing[0]}, which frame 0 has; is it damaged?")
        known = "id" in head.columns
        values = table(lines, [head.columns.index(name) for name in (*(["id"] if known else []), *wanted)])
        if known:
            values = values[self._order(values[:, 0], frame), 1:]
        positions = values[:, :3]
        if "s" in names[0]:
            positions = positions @ head.box + head.origin
        if wrapped:
            positions = positions + values[:, 3:6] @ head.box
        record.positions = positions * factor.positions
        rest = values[:, 6 if wrapped else 3 :]
        if velocities:
            record.velocities, rest = rest[:, :3] * factor.velocities, rest[:, 3:]
        if forces:
            record.forces = rest[:, :3] * factor.forces
        return record

    def _atom_lines(self, lines: list[str], head: _Head, frame: int) -> list[str]:
        lines = lines[head.n_lines :]
        if head.n_atoms != self.n_atoms or len(lines) != self.n_atoms:
            raise self.error(
                f"frame {frame} has {len(lines)} of {head.n_atoms} atoms, frame 0 has {self.n_atoms}; a trajectory has "
                "the same atoms in each frame (in LAMMPS: dump a group of them), or the file is damaged"
            )
        return lines

    def _order(self, ids: np.ndarray, frame: int) -> np.ndarray:
        """Return what sorts the atoms by their id; they have to be the same ones in all frames."""
        order = np.argsort(ids, kind="stable")
        if self._ids is None:
            self._ids = ids[order] if frame == 0 else np.sort(self._first("id"))
        if not np.array_equal(ids[order], self._ids) or (np.diff(self._ids) == 0).any():
            raise self.error(f"frame {frame} has other atoms (column 'id') than frame 0; dump a fixed group of atoms")
        return order

    def _first(self, column: str) -> np.ndarray:
        """Return a column of numbers of the first frame."""
        lines = self._raw(0).decode().splitlines()
        head = self._head(lines, 0)
        return table(self._atom_lines(lines, head, 0), [head.columns.index(column)])[:, 0]

    def topology(self) -> mdtraj.Topology | None:
        """Return molecules from the columns ``element`` (or ``mass``) and ``mol``; None without the first two."""
        if not self.n_frames or not {"element", "mass"} & set(self._columns):
            return None
        with self.reading("topology"), np.errstate(over="ignore", invalid="ignore"):
            lines = self._raw(0).decode().splitlines()
            head = self._head(lines, 0)
            record = self._parse(self._raw(0), 0, True, False, False)
            rows = [line.split() for line in self._atom_lines(lines, head, 0)]
            order = np.argsort(self._first("id"), kind="stable") if "id" in head.columns else range(len(rows))

            def column(name: str) -> list[str]:
                return [rows[row][head.columns.index(name)] for row in order]

            if "element" in head.columns:
                symbols = column("element")
            else:
                symbols = [element_of_mass(float(mass)) for mass in column("mass")]
            molecules = column("mol") if "mol" in head.columns else None
            return molecular_topology(symbols, record.positions, record.box, molecules=molecules)


def _box(bounds: np.ndarray, titles: Mapping[str, str]) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return the vectors, the origin and whether any boundary is periodic."""
    words = titles["BOX BOUNDS"].split()
    edges = [word for word in words if re.fullmatch("[pfsm]{2}", word)]
    periodic = not edges or "pp" in edges
    if bounds.shape == (3, 4):  # a general triclinic box: "abc origin"
        return bounds[:, :3], bounds[:, 3], periodic
    low, high = bounds[:, 0].copy(), bounds[:, 1].copy()
    xy = xz = yz = 0.0
    if bounds.shape == (3, 3):
        xy, xz, yz = bounds[:, 2]
        # What is written are the bounds of the parallelepiped.
        low[0] -= min(0.0, xy, xz, xy + xz)
        high[0] -= max(0.0, xy, xz, xy + xz)
        low[1] -= min(0.0, yz)
        high[1] -= max(0.0, yz)
    size = high - low
    return np.array([[size[0], 0, 0], [xy, size[1], 0], [xz, yz, size[2]]]), low, periodic

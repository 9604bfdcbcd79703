"""Look for trajectories and topologies under a folder, and never outside it."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mdnb.errors import DataError, MdnbError
from mdnb.files import size_text
from mdnb.formats import FORMATS, open_trajectory
from mdnb.formats.probe import probe_trajectories
from mdnb.formats.topologies import TOPOLOGIES, read_topology
from mdnb.health import Finding, quick_findings

__all__ = ["TOPOLOGIES", "Entry", "Folder", "Header"]


@dataclass(frozen=True)
class Entry:
    """Something in a folder.

    Attributes
    ----------
    name : str
    kind : {"folder", "trajectory", "topology"}
        A PDB file counts as a topology.
    size : int
        Bytes; 0 for a folder.
    """

    name: str
    kind: str
    size: int

    def label(self) -> str:
        """Return the name with the size, for a list."""
        if self.kind == "folder":
            return f"{self.name}/"
        return f"{self.name}  ({size_text(self.size)})"


@dataclass(frozen=True)
class Header:
    """What a trajectory file tells without its positions being read.

    Attributes
    ----------
    n_frames, n_atoms : int or None
        None where it cannot be opened.
    time_step : float
        In ps; NaN where it is not known.
    own_topology : bool
        Whether it needs no other file.
    findings : tuple of Finding
    """

    n_frames: int | None = None
    n_atoms: int | None = None
    time_step: float = math.nan
    own_topology: bool = False
    findings: tuple[Finding, ...] = ()


class Folder:
    """A folder that is looked through and never left, neither by ``..`` nor by a link.

    Parameters
    ----------
    root : path

    Raises
    ------
    DataError
        If it is not a folder.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root).expanduser()
        if not self.root.is_dir():
            raise DataError(f"root {str(self.root)!r} is not a folder; give one that exists, such as '.'")
        self._real = self.root.resolve()

    def path(self, *parts: str) -> Path:
        """Return a path under the root as the user would write it.

        Raises
        ------
        DataError
            If it leads outside the root.
        """
        path = self.root.joinpath(*parts)
        if not path.resolve().is_relative_to(self._real):
            raise DataError(f"{os.path.join(*parts)!r} leads outside {str(self.root)!r}; open another root to reach it")
        return path

    def entries(self, *parts: str) -> list[Entry]:
        """Return the folders, trajectories and topologies in a folder, by name; hidden ones left out.

        Raises
        ------
        DataError
            If the folder is outside the root or cannot be read.
        """
        folder = self.path(*parts)
        found = []
        try:
            with os.scandir(folder) as items:
                for item in items:
                    suffix = os.path.splitext(item.name)[1].lower()
                    if item.name.startswith(".") or (item.is_symlink() and not self._is_inside(item.path)):
                        continue
                    if item.is_dir():
                        found.append(Entry(item.name, "folder", 0))
                    elif item.is_file() and (suffix in FORMATS or suffix in TOPOLOGIES):
                        kind = "topology" if suffix in TOPOLOGIES else "trajectory"
                        found.append(Entry(item.name, kind, item.stat().st_size))
        except OSError as error:
            raise DataError(f"cannot look into {str(folder)!r}: {error.strerror}; check its permissions") from error
        return sorted(found, key=lambda entry: entry.name.lower())

    def _is_inside(self, path: str) -> bool:
        return Path(path).resolve().is_relative_to(self._real)

    def header(self, file: Path) -> Header:
        """Return what a trajectory file tells of itself; fast, no positions are read."""
        try:
            return _header(str(file), file.stat().st_mtime_ns)
        except OSError as error:
            return Header(
                findings=(Finding(file.name, "unreadable", "error", f"cannot be read: {error.strerror}", "check it"),)
            )

    def headers(self, files: Sequence[Path]) -> list[Header]:
        """Return what several files tell of themselves; those that another process tries first are tried together."""
        # A file that crashes its reader ends them all: `header` then finds which one it is.
        with suppress(DataError):
            probe_trajectories(files)
        return [self.header(file) for file in files]

    def findings(self, file: Path, topology: Path | None = None) -> list[Finding]:
        """Return what is wrong with a trajectory file as far as its headers tell.

        Parameters
        ----------
        file : Path
        topology : Path, optional
            Whose number of atoms it must have.
        """
        header = self.header(file)
        found, atoms = list(header.findings), header.n_atoms
        expected = None if topology is None else _topology_atoms(str(topology), topology.stat().st_mtime_ns)
        if topology is not None and None not in (atoms, expected) and atoms != expected:
            what = f"it has {atoms:,} atoms, {topology.name} has {expected:,}"
            found.append(Finding(file.name, "atom-count", "error", what, "choose the topology of the atoms written"))
        return found

    def matching(self, files: Iterable[Path], topologies: Iterable[Path]) -> list[Path]:
        """Return those topologies that have as many atoms as every one of the trajectory files.

        Files and topologies that cannot be read match nothing; opening them tells why.
        """
        counts = {self.header(file).n_atoms for file in files}
        if len(counts) != 1 or None in counts:
            return []
        return [t for t in topologies if _topology_atoms(str(t), t.stat().st_mtime_ns) in counts]


@lru_cache(maxsize=4096)
def _header(path: str, changed: int) -> Header:
    name = os.path.basename(path)
    try:
        file = open_trajectory(path)
    except (MdnbError, OSError) as error:
        return Header(findings=(Finding(name, "unreadable", "error", f"cannot be opened: {error}", "copy it again"),))
    findings = tuple(quick_findings(file, name))
    own = False
    time_step = math.nan
    with suppress(DataError, OSError):  # opening it tells why
        own = file.topology() is not None
    with suppress(DataError, OSError):
        time_step = file.time_step
    return Header(file.n_frames, file.n_atoms, time_step, own, findings)


@lru_cache(maxsize=512)
def _topology_atoms(path: str, changed: int) -> int | None:
    """Return the number of atoms of a topology; PDB and GRO are counted without being parsed."""
    suffix = os.path.splitext(path)[1].lower()
    try:
        with open(path, errors="replace") as lines:
            if suffix == ".gro":
                next(lines)
                return int(next(lines))
            if suffix == ".pdb":
                count = 0
                for line in lines:
                    count += line.startswith(("ATOM  ", "HETATM"))
                    if line.startswith("ENDMDL"):
                        break
                return count
        return int(read_topology(path).n_atoms)
    except (OSError, ValueError, StopIteration, MdnbError):
        return None

"""What every public database offers: what it is, how an entry is called, and how one is opened."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any, ClassVar

from mdnb.errors import DataError, SpecError, unknown_name
from mdnb.machine import user_cache
from mdnb.sources.download import download
from mdnb.sources.remote import Remote
from mdnb.specs import Spec

__all__ = ["DATABASES", "Catalogue", "Database", "NoOptions", "Opened", "Store"]


@dataclass(frozen=True)
class NoOptions(Spec):
    """Nothing to choose beside the entry."""


@dataclass(frozen=True)
class Opened:
    """What is given to `mdnb.load`.

    Attributes
    ----------
    files : sequence of Path or TrajectoryFile
    top : Path or None
    time_step : float or None
        In ps, where the files do not say it.
    """

    files: Sequence[Any]
    top: Path | None = None
    time_step: float | None = None


@dataclass
class Store:
    """Where the files of one entry are kept, and how large they may be.

    Attributes
    ----------
    folder : Path
    max_bytes : float
        Limit of all files together that one call may download.
    file : Path or None
        A file that the user has downloaded by hand.
    """

    folder: Path
    max_bytes: float
    file: Path | None = None
    _spent: float = field(default=0.0, repr=False)

    def get(self, remote: Remote) -> Path:
        """Return a file, downloaded unless it is there; the one given by hand, if any, in its place.

        Raises
        ------
        DataError
            See `mdnb.sources.download.download`.
        """
        if self.file is not None:
            if not self.file.is_file():
                raise DataError(f"file={str(self.file)!r} does not exist; give the file that was downloaded by hand")
            return self.file
        there = (self.folder / remote.name).is_file()
        path = download(remote, self.folder, self.max_bytes, self._spent)
        self._spent += 0 if there else path.stat().st_size
        return path


#: Name -> the database.
DATABASES: dict[str, Database] = {}


class Database(ABC):
    """A public database: one subclass a file of `mdnb.sources.databases`, found by its `name`.

    Attributes
    ----------
    name : str
        As given to `mdnb.fetch`.
    title, home : str
        What it is, and its web page.
    content : str
        What its files hold.
    licence, citation, doi : str
    size : str
        How much is downloaded for an entry.
    example, entry_help : str
        An entry that exists, and how entries are called.
    pattern : str
        Regular expression of the whole name of an entry; nothing else comes into an address or a path.
    entries : tuple of str
        All entries, where they are few.
    by_hand : bool
        Whether a file that was downloaded by hand can take the place of the download.
    Options : type of Spec
        What can be chosen beside the entry; from its fields come the checks and the form.
    """

    name: ClassVar[str] = ""
    title: ClassVar[str]
    home: ClassVar[str]
    content: ClassVar[str]
    licence: ClassVar[str]
    citation: ClassVar[str]
    doi: ClassVar[str]
    size: ClassVar[str]
    example: ClassVar[str]
    entry_help: ClassVar[str]
    pattern: ClassVar[str]
    entries: ClassVar[tuple[str, ...]] = ()
    by_hand: ClassVar[bool] = True
    Options: ClassVar[type[Spec]] = NoOptions

    def __init_subclass__(cls) -> None:
        if cls.name:
            DATABASES[cls.name] = cls()

    @abstractmethod
    def open(self, entry: str, options: Any, store: Store) -> Opened:
        """Return the files of an entry, downloaded into the store unless they are there."""

    def check_entry(self, entry: str) -> str:
        """Return the entry's name without blanks around it.

        Raises
        ------
        DataError
            When no entry can be called so.
        """
        text = entry.strip() if isinstance(entry, str) else ""
        if self.entries and text not in self.entries:
            raise unknown_name(f"entry of {self.name}", entry, self.entries)
        if not re.fullmatch(self.pattern, text):
            raise DataError(f"{self.name} has no entry {entry!r}: expected {self.entry_help}, such as {self.example!r}")
        return text

    def check_options(self, given: Mapping[str, Any]) -> Any:
        """Return the options as their Spec.

        Raises
        ------
        SpecError
            For an option that the database does not have, or a value that it does not allow.
        """
        names = [one.name for one in self.Options.settings()]
        for name in given:
            if name not in names:
                if not names:
                    raise SpecError(f"{self.name} has no options, got {name}={given[name]!r}; leave it out")
                raise unknown_name(f"option of {self.name}", name, names)
        return self.Options(**given)

    def folder(self, entry: str) -> Path:
        """Return the folder of an entry, in the user's cache folder."""
        return user_cache() / "databases" / self.name / re.sub(r"[^A-Za-z0-9._-]", "_", entry)

    def facts(self) -> dict[str, str]:
        """Return what a user should know before downloading, as text by name."""
        return {
            "holds": self.content,
            "size": self.size,
            "licence": self.licence,
            "cite": f"{self.citation}, https://doi.org/{self.doi}" if self.doi else self.citation,
            "page": self.home,
        }


class Catalogue(Mapping[str, Database]):
    """The databases by name, shown as a table; made by `mdnb.databases`."""

    def __getitem__(self, name: str) -> Database:
        if name in _REFUSED:
            raise DataError(f"{name} is not offered: {_REFUSED[name]}")
        if name not in DATABASES:
            raise unknown_name("database", name, DATABASES)
        return DATABASES[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(DATABASES))

    def __len__(self) -> int:
        return len(DATABASES)

    def __contains__(self, name: object) -> bool:
        return name in DATABASES

    def __repr__(self) -> str:
        lines = [f"{'name':16} {'example':22} {'licence':18} what"]
        lines += [f"{one.name:16} {one.example:22} {one.licence[:18]:18} {one.title}" for one in self.values()]
        return "\n".join([*lines, "Open one with mdnb.fetch(name, entry)."])

    def _repr_html_(self) -> str:
        heads = "".join(f"<th>{name}</th>" for name in ("name", "what", "holds", "entry", "size", "licence", "cite"))
        rows = ""
        for one in self.values():
            facts = one.facts()
            cells = (one.name, one.title, one.content, one.example, one.size, one.licence, facts["cite"])
            rows += "<tr>" + "".join(f"<td style='text-align:left'>{escape(cell)}</td>" for cell in cells) + "</tr>"
        return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


#: What people may look for, and why it is not here.
_REFUSED = {
    "dynamicpdb": (
        "Dynamic PDB publishes its forces and velocities as Python pickles, which run code when they are opened; "
        "mdnb never opens a pickle. Its *_T.dcd files open with mdnb.load(..., top='ID.pdb')"
    ),
    "dynameomics": "its data can only be had by agreement with its authors, not by a program",
    "plas20k": "its frames are published one MOL2 file each; MDRepo holds its trajectories: mdnb.fetch('mdrepo', ...)",
}

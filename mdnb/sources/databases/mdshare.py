"""mdshare: alanine dipeptide and a pentapeptide, for tutorials of Markov models."""

from __future__ import annotations

from dataclasses import dataclass

from mdnb.errors import SpecError
from mdnb.sources.database import Database, Opened, Store
from mdnb.sources.download import Remote
from mdnb.specs import Spec, setting

__all__ = ["Mdshare", "MdshareOptions"]

_BASE = "http://ftp.imp.fu-berlin.de/pub/cmb-data"
#: File -> bytes (0 where not known exactly) and md5, from the catalogue of the package mdshare; more are published
#: there, and files without one here are pinned at their first download.
_FILES = {
    "alanine-dipeptide-nowater.pdb": (1_813, "728635667ed4937cf4a0e5b7c801d9ea"),
    "alanine-dipeptide-0-250ns-nowater.xtc": (0, "e82ba584d8e64491f30bd1d9dd019687"),
    "alanine-dipeptide-1-250ns-nowater.xtc": (0, "96b7686aa28a459d51a0d77c2dd0316e"),
    "alanine-dipeptide-2-250ns-nowater.xtc": (0, "6d3a8d9aecb3aa0e0a1ea9b195b7dfe0"),
    "pentapeptide-impl-solv.pdb": (7_501, "c52f482024e0ec7dcd64f2b925b53c2b"),
    "pentapeptide-00-500ns-impl-solv.xtc": (0, "16967d0bb09d24dc66de4d4885f953a4"),
}
#: Entry -> topology, trajectory, how many.
_ENTRIES = {
    "alanine-dipeptide": ("alanine-dipeptide-nowater.pdb", "alanine-dipeptide-{}-250ns-nowater.xtc", 3),
    "pentapeptide": ("pentapeptide-impl-solv.pdb", "pentapeptide-{:02d}-500ns-impl-solv.xtc", 25),
}


@dataclass(frozen=True)
class MdshareOptions(Spec):
    """Which of the trajectories."""

    replica: int = setting(-1, "0 to 2 of the dipeptide, 0 to 24 of the pentapeptide; -1 for all", low=-1, high=24)


class Mdshare(Database):
    """mdshare: 3 x 250 ns of alanine dipeptide (1 ps), 25 x 500 ns of a pentapeptide; XTC and PDB, md5 published.

    References
    ----------
    Nüske et al., J. Chem. Phys. 146, 094104 (2017), https://doi.org/10.1063/1.4976518 (alanine dipeptide);
    Hoffmann et al., Mach. Learn. Sci. Technol. 3, 015009 (2022), https://doi.org/10.1088/2632-2153/ac3de0 (deeptime,
    whose tutorials use them)
    """

    name = "mdshare"
    title = "mdshare: alanine dipeptide and a pentapeptide"
    home = "https://markovmodel.github.io/mdshare/"
    content = "positions; alanine dipeptide 3 x 250 ns every ps, pentapeptide 25 x 500 ns"
    licence = "CC-BY-4.0"
    citation = "Nüske et al., J. Chem. Phys. 146, 094104 (2017)"
    doi = "10.1063/1.4976518"
    size = "43 MB a trajectory of the dipeptide, 2.2 MB of the pentapeptide"
    example = "alanine-dipeptide"
    entry_help = "alanine-dipeptide or pentapeptide"
    pattern = "[a-z-]+"
    entries = tuple(_ENTRIES)
    Options = MdshareOptions

    def open(self, entry: str, options: MdshareOptions, store: Store) -> Opened:
        """Return the chosen trajectories and their PDB."""
        top, pattern, count = _ENTRIES[entry]
        if options.replica >= count:
            raise SpecError(f"{entry} has no replica {options.replica}: they are 0 to {count - 1}, or -1 for all")
        chosen = range(count) if options.replica < 0 else [options.replica]
        names = [top, *(pattern.format(number) for number in chosen)]
        if store.file is not None:
            paths = [store.file.with_name(name) for name in names]
        else:
            paths = [store.get(_remote(name)) for name in names]
        return Opened(paths[1:], paths[0])


def _remote(name: str) -> Remote:
    size, digest = _FILES.get(name, (0, ""))
    return Remote(f"{_BASE}/{name}", name, f"md5:{digest}" if digest else "", size)

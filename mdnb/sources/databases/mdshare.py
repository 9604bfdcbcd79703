"""mdshare: alanine dipeptide and a pentapeptide, for tutorials of Markov models."""

from __future__ import annotations

from dataclasses import dataclass

from mdnb.errors import SpecError
from mdnb.sources.database import Database, Opened, Store
from mdnb.sources.remote import Remote
from mdnb.specs import Spec, setting

__all__ = ["Mdshare", "MdshareOptions"]

_BASE = "http://ftp.imp.fu-berlin.de/pub/cmb-data"
#: File -> bytes and md5, from the catalogue of the package mdshare, which knows more files than these.
_FILES = {
    "alanine-dipeptide-nowater.pdb": (1_813, "728635667ed4937cf4a0e5b7c801d9ea"),
    "alanine-dipeptide-0-250ns-nowater.xtc": (42_909_936, "e82ba584d8e64491f30bd1d9dd019687"),
    "alanine-dipeptide-1-250ns-nowater.xtc": (42_911_308, "96b7686aa28a459d51a0d77c2dd0316e"),
    "alanine-dipeptide-2-250ns-nowater.xtc": (42_907_500, "6d3a8d9aecb3aa0e0a1ea9b195b7dfe0"),
    "pentapeptide-impl-solv.pdb": (7_501, "c52f482024e0ec7dcd64f2b925b53c2b"),
    "pentapeptide-00-500ns-impl-solv.xtc": (2_221_296, "16967d0bb09d24dc66de4d4885f953a4"),
    "pentapeptide-01-500ns-impl-solv.xtc": (2_221_268, "9db9b87ecafb2d5eb0085adc01b97680"),
    "pentapeptide-02-500ns-impl-solv.xtc": (2_221_392, "5ec89b72fa1e48c3a5e1b1ec707f66fb"),
    "pentapeptide-03-500ns-impl-solv.xtc": (2_221_596, "726208c33f9c9ce0eb2688e5788b8d57"),
    "pentapeptide-04-500ns-impl-solv.xtc": (2_221_604, "934d06ed03744c8cada2123a2cfd6fbf"),
    "pentapeptide-05-500ns-impl-solv.xtc": (2_221_020, "395f614244f3d484db8d4a50f35252fd"),
    "pentapeptide-06-500ns-impl-solv.xtc": (2_221_088, "3a94a06657b5bd7cadf6c3767fc4ca18"),
    "pentapeptide-07-500ns-impl-solv.xtc": (2_221_376, "82c633ed92112bf62bb7070f4393ac2a"),
    "pentapeptide-08-500ns-impl-solv.xtc": (2_220_668, "c2f49e03f4c8ef6c8315d844d5d1be0e"),
    "pentapeptide-09-500ns-impl-solv.xtc": (2_221_668, "ea74fa65dcb80a086a15c34a907495f3"),
    "pentapeptide-10-500ns-impl-solv.xtc": (2_221_300, "7b374e2402a37f139817be3137e6509e"),
    "pentapeptide-11-500ns-impl-solv.xtc": (2_221_672, "0fe84f969978a492fe26dbb3bd39c6ee"),
    "pentapeptide-12-500ns-impl-solv.xtc": (2_221_012, "8ddaaf213a4b4d34e92cbfbf6f3daad5"),
    "pentapeptide-13-500ns-impl-solv.xtc": (2_222_168, "21ced9d0791a4330c2714a408c6b7b63"),
    "pentapeptide-14-500ns-impl-solv.xtc": (2_221_316, "ecd2213ac5de68ef0fc37e9723269d34"),
    "pentapeptide-15-500ns-impl-solv.xtc": (2_221_780, "f41d2a6e283d3b43fdf14aa3e95eff03"),
    "pentapeptide-16-500ns-impl-solv.xtc": (2_221_404, "30c8f0805bfa248934714bfb663c4196"),
    "pentapeptide-17-500ns-impl-solv.xtc": (2_221_296, "82c52922cb585962a0b1cab70cc32645"),
    "pentapeptide-18-500ns-impl-solv.xtc": (2_220_924, "6906793b17978370a59025b6c2080ae1"),
    "pentapeptide-19-500ns-impl-solv.xtc": (2_220_900, "4f7948b2f6a5515666b495a1054326c4"),
    "pentapeptide-20-500ns-impl-solv.xtc": (2_221_344, "f4f3c376e90826d3dd43bcdf08910863"),
    "pentapeptide-21-500ns-impl-solv.xtc": (2_221_000, "e5d2467545d04778d6005c2c904e6df3"),
    "pentapeptide-22-500ns-impl-solv.xtc": (2_220_708, "b2cdf3759057ef1a9ccbf9ab41044efa"),
    "pentapeptide-23-500ns-impl-solv.xtc": (2_221_592, "1169c0f9efd028155519fa9bf2a85971"),
    "pentapeptide-24-500ns-impl-solv.xtc": (2_220_908, "8d016a9ea6a5b63843fca58b82b4573c"),
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
    Scherer et al., J. Chem. Theory Comput. 11, 5525 (2015), https://doi.org/10.1021/acs.jctc.5b00743 (pentapeptide)
    """

    name = "mdshare"
    title = "mdshare: alanine dipeptide and a pentapeptide"
    home = "https://markovmodel.github.io/mdshare/"
    content = "positions; alanine dipeptide 3 x 250 ns every ps, pentapeptide 25 x 500 ns every 100 ps; 300 K"
    licence = "CC-BY-4.0"
    citation = "Nüske et al., J. Chem. Phys. 146, 094104 (2017); pentapeptide: Scherer et al., JCTC 11, 5525 (2015)"
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

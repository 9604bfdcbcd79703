"""MDAnalysisData: the example trajectories of MDAnalysis on figshare."""

from __future__ import annotations

from dataclasses import dataclass

from mdnb.errors import DataError
from mdnb.sources.archives import unpack
from mdnb.sources.database import Database, Opened, Store
from mdnb.sources.remote import Remote

__all__ = ["MDAnalysisData"]


@dataclass(frozen=True)
class _Set:
    """Name, number on figshare and sha256 of topology and trajectory, and the time between frames in ps."""

    top: tuple[str, str, str]
    file: tuple[str, str, str]
    time_step: float | None = None


_SETS = {
    "adk_equilibrium": _Set(
        ("adk4AKE.psf", "8672230", "1aa947d58fb41b6805dc1e7be4dbe65c6a8f4690f0bd7fc2ae03e7bd437085f4"),
        (
            "1ake_007-nowater-core-dt240ps.dcd", "8672074",
            "598fcbcfcc425f6eafbe9997238320fcacc6a4613ecce061e1521732bab734bf",
        ),
        240.0,
    ),
    "ifabp_water": _Set(
        ("ifabp_water_0.pdb", "12980636", "8ccf5f75fd85385921c0cb77f00281a93b933fc1261c42fc9492f43983448a72"),
        ("rmsfit_ifabp_water_1.dcd", "12980642", "cebb48e58015abc8ff2f5bb7ba3eb7a289047f256351a8252bf1f29f9aaacf0e"),
        1.0,
    ),
    "nhaa_equilibrium": _Set(
        ("NhaA_non_water.gro", "13222709", "ae42f4cfcfe312476f9e5121fe47764a11aff962197799671c0c5a8f83637420"),
        ("NhaA_non_water.xtc", "13222712", "c9ab7ba8c9c271d535cfadebc33da1d90fbf00d9a01f48afedd0f7a703128eaf"),
    ),
}  # fmt: skip
#: Archives of 200 transitions each: number, sha256, topology, pattern of the trajectories.
_ARCHIVES = {
    "adk_transitions_DIMS": (
        "13182490", "81dfd247da7084bc7f47889c098069978b61f8f8b4f7706841266d284bfd3b55", r"adk4ake\.psf",
        r"dims[\w.-]*_fit-core\.dcd",
    ),
    "adk_transitions_FRODA": (
        "13182493", "fc2c90b9819fd07720e7effada033d4045663919ba7d2c8bd84f548dfbeee73c", r"1ake\.pdb",
        r"pathway[\w.-]*_fit-core\.dcd",
    ),
}  # fmt: skip


class MDAnalysisData(Database):
    """MDAnalysisData: adenylate kinase (equilibrium and transitions), I-FABP in water, NhaA; sha256 published.

    The table of files is that of the package MDAnalysisData; tested on files made in the same layout.

    References
    ----------
    Seyler, Beckstein, figshare (2017), https://doi.org/10.6084/m9.figshare.5108170.v1 (adk_equilibrium);
    Beckstein, figshare (2018), https://doi.org/10.6084/m9.figshare.7058030.v1 (ifabp_water);
    Seyler et al., PLoS Comput. Biol. 11, e1004568 (2015), https://doi.org/10.1371/journal.pcbi.1004568 (transitions)
    """

    name = "mdanalysisdata"
    title = "MDAnalysisData: adenylate kinase and others"
    home = "https://www.mdanalysis.org/MDAnalysisData/"
    content = "positions; the transitions are biased simulations, frames without time"
    licence = "CC-BY-4.0"
    citation = "of each set, on its page; adk_equilibrium: Seyler, Beckstein, figshare (2017)"
    doi = "10.6084/m9.figshare.5108170.v1"
    size = "adk_equilibrium 161 MB, ifabp_water 74 MB, transitions 757 MB (DIMS), nhaa_equilibrium 1.07 GB"
    example = "adk_equilibrium"
    entry_help = "the name of a set"
    pattern = "[A-Za-z_]+"
    entries = (*_SETS, *_ARCHIVES)

    def open(self, entry: str, options: object, store: Store) -> Opened:
        """Return the trajectories of a set and their topology."""
        if entry in _SETS:
            known = _SETS[entry]
            top, file = (
                store.file.with_name(one[0]) if store.file is not None else store.get(_remote(*one))
                for one in (known.top, known.file)
            )
            return Opened([file], top, known.time_step)
        number, digest, top_name, pattern = _ARCHIVES[entry]
        path = store.get(_remote(f"{entry}.tar.gz", number, digest))
        found = unpack(path, f"{top_name}|{pattern}", store.folder / "unpacked")
        files = [one for one in found if one.suffix == ".dcd"]
        tops = [one for one in found if one.suffix != ".dcd"]
        if not files or not tops:
            raise DataError(f"{path} holds no topology with trajectories; delete it, and fetch it again")
        return Opened(files, tops[0])


def _remote(name: str, number: str, digest: str) -> Remote:
    return Remote(f"https://ndownloader.figshare.com/files/{number}", name, f"sha256:{digest}")

"""mdCATH: thousands of protein domains at five temperatures, with forces."""

from __future__ import annotations

from dataclasses import dataclass

from mdnb.errors import DataError
from mdnb.formats.mdcath import MdCATHFile
from mdnb.formats.registry import open_trajectory
from mdnb.sources.database import Database, Opened, Store
from mdnb.sources.remote import Remote
from mdnb.specs import Spec, setting

__all__ = ["MdCATH", "MdCATHOptions"]


@dataclass(frozen=True)
class MdCATHOptions(Spec):
    """Which of the 25 trajectories of a domain."""

    temperature: int = setting(320, "0 for all five", options=(0, 320, 348, 379, 413, 450), unit="K")
    replica: int = setting(-1, "one of the five replicas; -1 for all of them", low=-1, high=4)


class MdCATH(Database):
    """mdCATH: 5,398 CATH domains, five replicas at each of five temperatures, positions and forces every ns.

    One HDF5 file for each domain; all temperatures and replicas are in it. Hugging Face tells the sha256 of a file
    with its answer, and that is checked. Written to the published layout; tested on files made in it.

    References
    ----------
    Mirarchi, Giorgino, De Fabritiis, Sci. Data 11, 1299 (2024), https://doi.org/10.1038/s41597-024-04140-z
    """

    name = "mdcath"
    title = "mdCATH: 5,398 protein domains at five temperatures"
    home = "https://huggingface.co/datasets/compsciencelab/mdCATH"
    content = "positions and forces every ns, CHARMM22*, 320 to 450 K; about 464 frames each; secondary structure, RMSD"
    licence = "CC-BY-4.0"
    citation = "Mirarchi, Giorgino, De Fabritiis, Sci. Data 11, 1299 (2024)"
    doi = "10.1038/s41597-024-04140-z"
    size = "0.1 to more than 1 GB a domain"
    example = "1r9lA02"
    entry_help = "a CATH domain: four characters of the PDB, the chain, two digits"
    pattern = "[0-9][a-z0-9]{3}[A-Za-z0-9][0-9]{2}"
    Options = MdCATHOptions

    def open(self, entry: str, options: MdCATHOptions, store: Store) -> Opened:
        """Return the chosen replicas of a domain."""
        name = f"mdcath_dataset_{entry}.h5"
        path = store.get(Remote(f"{self.home}/resolve/main/data/{name}", name))
        opened = open_trajectory(path)
        if not isinstance(opened, MdCATHFile):
            raise DataError(f"{path} is not in the layout of mdCATH; delete it, and fetch it again")
        files = [
            one
            for one in opened.members()
            if options.temperature in (0, int(one.member.split("-")[0]))
            and options.replica in (-1, int(one.member.split("-")[1]))
        ]
        if not files:
            there = ", ".join(opened.runs)
            raise DataError(
                f"{entry} has no replica {options.replica} at {options.temperature} K; it has (temperature-replica) "
                f"{there}"
            )
        return Opened(files)

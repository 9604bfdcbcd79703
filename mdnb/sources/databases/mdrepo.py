"""MDRepo: simulations deposited by many groups, MISATO's and others' collections among them."""

from __future__ import annotations

from dataclasses import dataclass

from mdnb.errors import DataError
from mdnb.sources.archives import unpack
from mdnb.sources.database import Database, Opened, Store
from mdnb.sources.remote import Remote
from mdnb.specs import Spec, setting

__all__ = ["MDRepo", "MDRepoOptions"]


@dataclass(frozen=True)
class MDRepoOptions(Spec):
    """Which of the processed trajectories."""

    part: str = setting(
        "minimal", "minimal: protein and ligand; sampled: a few frames of that; full: all atoms",
        options=("minimal", "sampled", "full"),
    )  # fmt: skip


class MDRepo(Database):
    """MDRepo: a zip for each simulation, with processed PDB and XTC of all atoms, or of protein and ligand only.

    Written to the published layout; tested on files made in it. No checksums are published.

    References
    ----------
    Roy et al., Nucleic Acids Res. 53, D477 (2025), https://doi.org/10.1093/nar/gkae1109
    """

    name = "mdrepo"
    title = "MDRepo: deposited simulations, also of MISATO and PLAS-20k"
    home = "https://mdrepo.org"
    content = "positions; what was simulated differs, see the record's page"
    licence = "CC-BY-4.0"
    citation = "Roy et al., Nucleic Acids Res. 53, D477 (2025), and the record's own papers"
    doi = "10.1093/nar/gkae1109"
    size = "differs"
    example = "9280"
    entry_help = "the number of an instance"
    pattern = "[1-9][0-9]{0,8}"
    Options = MDRepoOptions

    def open(self, entry: str, options: MDRepoOptions, store: Store) -> Opened:
        """Return one trajectory and its structure."""
        path = store.get(Remote(f"{self.home}/api/v1/get_download_instance/{entry}.zip", f"{entry}.zip"))
        top = "full" if options.part == "full" else "minimal"
        found = unpack(path, rf"{top}\.(pdb|gro)|{options.part}\.xtc", store.folder / "unpacked")
        files = [one for one in found if one.name == f"{options.part}.xtc"]
        tops = sorted((one for one in found if one.suffix in (".pdb", ".gro")), key=lambda one: one.suffix != ".pdb")
        if not files or not tops:
            raise DataError(f"{path} holds no {options.part}.xtc with {top}.pdb; unpack it, and use mdnb.load")
        return Opened(files, tops[0])

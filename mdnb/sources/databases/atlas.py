"""ATLAS: three replicas of 100 ns of each of many protein chains."""

from __future__ import annotations

from dataclasses import dataclass

from mdnb.errors import DataError
from mdnb.sources.archives import unpack
from mdnb.sources.database import Database, Opened, Store
from mdnb.sources.remote import Remote
from mdnb.specs import Spec, setting

__all__ = ["Atlas", "AtlasOptions"]


@dataclass(frozen=True)
class AtlasOptions(Spec):
    """How many frames, and which replica."""

    frames: str = setting(
        "analysis", "analysis: a frame every 100 ps; protein: every 10 ps", options=("analysis", "protein")
    )  # fmt: skip
    replica: int = setting(0, "1, 2 or 3; 0 for all", low=0, high=3)


class Atlas(Database):
    """ATLAS: 3 x 100 ns of protein chains of the PDB, CHARMM36m in TIP3P water, 300 K; a zip of PDB and XTC.

    No checksums are published: what is downloaded first is pinned. Written to the published layout; tested on files
    made in it.

    References
    ----------
    Vander Meersche et al., Nucleic Acids Res. 52, D384 (2024), https://doi.org/10.1093/nar/gkad1084
    """

    name = "atlas"
    title = "ATLAS: 100 ns of protein chains, three replicas"
    home = "https://www.dsimb.inserm.fr/ATLAS"
    content = "positions of the protein, CHARMM36m in water, 300 K"
    licence = "CC-BY-NC-4.0"
    citation = "Vander Meersche et al., Nucleic Acids Res. 52, D384 (2024)"
    doi = "10.1093/nar/gkad1084"
    size = "some 10 MB (analysis) to some 100 MB (protein) a chain; its page says it"
    example = "16pk_A"
    entry_help = "the PDB's four characters, an underscore and the chain"
    pattern = "[0-9][a-z0-9]{3}_[A-Za-z0-9]"
    Options = AtlasOptions

    def open(self, entry: str, options: AtlasOptions, store: Store) -> Opened:
        """Return the chosen replicas of a chain and its PDB."""
        name = f"{entry}_{options.frames}.zip"
        path = store.get(Remote(f"{self.home}/database/ATLAS/{entry}/{name}", name))
        which = "[123]" if options.replica == 0 else options.replica
        found = unpack(path, rf"{entry}\.pdb|{entry}_R{which}\.xtc", store.folder / options.frames)
        files = [one for one in found if one.suffix == ".xtc"]
        tops = [one for one in found if one.suffix == ".pdb"]
        if not files or not tops:
            raise DataError(f"{path} holds no {entry}.pdb with {entry}_R1.xtc; delete it, and fetch it again")
        return Opened(files, tops[0])

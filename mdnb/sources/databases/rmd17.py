"""rMD17: MD17's molecules computed again, with less noise."""

from __future__ import annotations

from pathlib import Path

from mdnb.errors import DataError
from mdnb.sources.archives import unpack
from mdnb.sources.database import Database, Opened, Store
from mdnb.sources.remote import Remote

__all__ = ["RevisedMD17"]


class RevisedMD17(Database):
    """rMD17: ten molecules, 100,000 frames each, in one archive; PBE/def2-SVP.

    Written to the published layout; tested on files made in it. The archive is downloaded once for all molecules.

    References
    ----------
    Christensen, von Lilienfeld, Mach. Learn. Sci. Technol. 1, 045018 (2020), https://doi.org/10.1088/2632-2153/abba6f
    """

    name = "rmd17"
    title = "rMD17: MD17 computed again, with less noise"
    home = "https://doi.org/10.6084/m9.figshare.12672038"
    content = "positions, quantum energies and forces; the frames are in no order of time"
    licence = "CC0-1.0"
    citation = "Christensen, von Lilienfeld, Mach. Learn. Sci. Technol. 1, 045018 (2020)"
    doi = "10.1088/2632-2153/abba6f"
    size = "about 1 GB, one archive for all molecules"
    example = "aspirin"
    entry_help = "the name of a molecule"
    pattern = "[a-z]+"
    entries = (
        "aspirin", "azobenzene", "benzene", "ethanol", "malonaldehyde", "naphthalene", "paracetamol", "salicylic",
        "toluene", "uracil",
    )  # fmt: skip

    def open(self, entry: str, options: object, store: Store) -> Opened:
        """Return the NPZ of a molecule."""
        path = store.get(Remote("https://figshare.com/ndownloader/files/23950376", "rmd17.tar.bz2"))
        if path.suffix == ".npz":
            return Opened([path])
        found = unpack(path, rf"rmd17_{entry}\.npz", store.folder / "rmd17")
        if not found:
            raise DataError(f"{path} holds no rmd17_{entry}.npz; delete it, and fetch it again")
        return Opened(found)

    def folder(self, entry: str) -> Path:
        """Return the one folder of all entries."""
        return super().folder(entry).parent

"""MD17 and MD22: ab initio molecular dynamics of single molecules, with quantum energies and forces."""

from __future__ import annotations

from mdnb.sources.database import Database, Opened, Store
from mdnb.sources.remote import Remote

__all__ = ["MD17"]


class MD17(Database):
    """MD17 and MD22: one NPZ for each molecule; energies and forces of density functional theory.

    Written to the published layout; tested on files made in it. No checksums are published.

    References
    ----------
    Chmiela et al., Sci. Adv. 3, e1603015 (2017), https://doi.org/10.1126/sciadv.1603015 (MD17);
    Chmiela et al., Sci. Adv. 9, eadf0873 (2023), https://doi.org/10.1126/sciadv.adf0873 (MD22)
    """

    name = "md17"
    title = "MD17 and MD22: quantum MD of single molecules"
    home = "http://www.quantum-machine.org/gdml/"
    content = "positions, quantum energies and forces; the frames are in no known order of time"
    licence = "not stated; see its page"
    citation = "Chmiela et al., Sci. Adv. 3, e1603015 (2017)"
    doi = "10.1126/sciadv.1603015"
    size = "not stated; all of it is held in memory"
    example = "md17_aspirin"
    entry_help = "the name of a molecule"
    pattern = "[A-Za-z0-9_-]+"
    entries = (
        "md17_aspirin", "md17_benzene2017", "md17_ethanol", "md17_malonaldehyde", "md17_naphthalene",
        "md17_salicylic", "md17_toluene", "md17_uracil", "md22_AT-AT", "md22_AT-AT-CG-CG", "md22_Ac-Ala3-NHMe",
        "md22_DHA", "md22_buckyball-catcher", "md22_double-walled_nanotube", "md22_stachyose",
    )  # fmt: skip

    def open(self, entry: str, options: object, store: Store) -> Opened:
        """Return the NPZ of a molecule."""
        folder = "repo/datasets" if entry.startswith("md22_") else "data/npz"
        return Opened([store.get(Remote(f"{self.home}{folder}/{entry}.npz", f"{entry}.npz"))])

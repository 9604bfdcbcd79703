"""GPCRmd: simulations of G protein-coupled receptors in membranes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mdnb.errors import DataError
from mdnb.sources.database import Database, Opened, Store
from mdnb.sources.remote import Remote
from mdnb.specs import Spec, setting

__all__ = ["GPCRmd", "GPCRmdOptions"]


@dataclass(frozen=True)
class GPCRmdOptions(Spec):
    """Which of the trajectories of a dynamics."""

    replica: int = setting(-1, "which one, from 0 in the order of its page; -1 for all", low=-1, high=99)


class GPCRmd(Database):
    """GPCRmd: trajectories of the files that the page of a dynamics names, with its PDB (or PSF).

    There is no interface for files but the pages, so that this stops working when they change. Written to what was
    published; tested on pages made so.

    References
    ----------
    Rodríguez-Espigares et al., Nat. Methods 17, 777 (2020), https://doi.org/10.1038/s41592-020-0884-y
    """

    name = "gpcrmd"
    title = "GPCRmd: receptors in membranes"
    home = "https://www.gpcrmd.org"
    content = "positions, of all atoms"
    licence = "see its page"
    citation = "Rodríguez-Espigares et al., Nat. Methods 17, 777 (2020)"
    doi = "10.1038/s41592-020-0884-y"
    size = "some 100 MB to some GB a trajectory"
    example = "7"
    entry_help = "the number of a dynamics"
    pattern = "[1-9][0-9]{0,6}"
    by_hand = False
    Options = GPCRmdOptions

    def open(self, entry: str, options: GPCRmdOptions, store: Store) -> Opened:
        """Return the chosen trajectories and their structure."""
        page = store.get(Remote(f"{self.home}/dynadb/dynamics/id/{entry}/", f"page-{entry}.html"))
        text = page.read_text(encoding="utf-8", errors="replace")
        # Those of later submissions lie in a folder of their own, which has another number than the dynamics.
        pattern = rf"/dynadb/files/Dynamics/((?:dyn[0-9]+/)?[0-9]+_(?:trj|dyn)_{entry}\.(?:xtc|dcd|pdb|psf))\b"
        paths = list(dict.fromkeys(re.findall(pattern, text)))
        tops = sorted((one for one in paths if "_dyn_" in one), key=lambda one: one.endswith(".psf"))
        files = [one for one in paths if "_trj_" in one]
        if not files or not tops:
            raise DataError(
                f"the page {self.home}/dynadb/dynamics/id/{entry}/ names no trajectory with its structure; look at it "
                f"in a browser, and open the files with mdnb.load. It is kept as {page}: delete it to ask again"
            )
        if options.replica >= len(files):
            raise DataError(f"dynamics {entry} has {len(files)} trajectories, 0 to {len(files) - 1}, or -1 for all")
        chosen = files if options.replica < 0 else [files[options.replica]]
        top, *found = (
            store.get(Remote(f"{self.home}/dynadb/files/Dynamics/{one}", one.rpartition("/")[2]))
            for one in [tops[0], *chosen]
        )
        return Opened(found, top)

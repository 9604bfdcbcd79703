"""MDDB, whose nodes (MDposit) serve any part of a trajectory over the web."""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode

from mdnb.errors import DataError
from mdnb.sources.database import Database, Opened, Store
from mdnb.sources.remote import Remote
from mdnb.specs import Spec, setting

__all__ = ["MDposit", "MDpositOptions"]

_NODES = {
    "global": "https://mdposit.mddbr.eu/api/rest/v1",
    "mmb": "https://mmb.mddbr.eu/api/rest/v1",
    "irb": "https://irb.mddbr.eu/api/rest/v1",
    "cineca": "https://cineca.mddbr.eu/api/rest/v1",
    "inria": "https://inria.mddbr.eu/api/rest/v1",
    "bioexcel-cv19": "https://bioexcel-cv19.mddbr.eu/api/rest/v1",
}
_FRAMES = re.compile(r"[1-9]\d*:(?:[1-9]\d*|-1)(?::([1-9]\d*))?", re.ASCII)


@dataclass(frozen=True)
class MDpositOptions(Spec):
    """Which atoms and frames, as the server selects them before anything is downloaded."""

    atoms: str = setting("", "atoms in NGL's language, such as 'protein' or 'backbone'; empty for all")
    frames: str = setting("", "first:last:step counted from 1, such as 1:1000:10, last -1 for the end; empty for all")
    node: str = setting("global", "which server; global knows the projects of all", options=tuple(_NODES))


class MDposit(Database):
    """MDDB (formerly MoDEL-CNS and BioExcel-CV19): structure as PDB and frames as XTC from the REST interface.

    Only the frames and atoms asked for are downloaded. Where the global server does not give a file, name the node that
    holds it and the accession there (``node="mmb"`` and "A026F.1"): the project's page says both. Written to the
    published interface; tested on answers made in it. Nothing is published to check parts with: what is downloaded
    first is pinned.

    References
    ----------
    Beltrán et al., Nucleic Acids Res. 52, D393 (2024), https://doi.org/10.1093/nar/gkad991 (BioExcel-CV19)
    """

    name = "mdposit"
    title = "MDDB/MDposit: simulations from many groups"
    home = "https://mdposit.mddbr.eu"
    content = "positions of the frames and atoms asked for; force field and temperature differ by project"
    licence = "of each project, on its page; mostly CC-BY-4.0"
    citation = "Beltrán et al., Nucleic Acids Res. 52, D393 (2024), and the project's own"
    doi = "10.1093/nar/gkad991"
    size = "what is asked for: about 4 bytes an atom and frame"
    example = "MD-A003ZT.2"
    entry_help = "an accession, with .1, .2 and so on for a replica"
    pattern = r"[A-Za-z0-9][A-Za-z0-9-]{2,39}(\.[0-9]{1,3})?"
    by_hand = False
    Options = MDpositOptions

    def open(self, entry: str, options: MDpositOptions, store: Store) -> Opened:
        """Return the structure and the chosen frames."""
        found = _FRAMES.fullmatch(options.frames)
        if options.frames and found is None:
            raise DataError(
                f"frames={options.frames!r}: expected first:last:step counted from 1, such as '1:1000:10' or '1:-1:10'"
            )
        base = f"{_NODES[options.node]}/projects/{entry}"
        tag = hashlib.sha256(f"{options.node}|{options.atoms}|{options.frames}".encode()).hexdigest()[:12]
        # All of it may be asked for as XTC too; a selection is made by the server.
        selection = {"selection": options.atoms} if options.atoms else {}
        frames = {"frames": options.frames} if options.frames else {}
        project = _get(store, Remote(base, f"project-{options.node}.json"), options.node)
        step = _time_step(project.read_text(encoding="utf-8", errors="replace"))
        top = _get(store, Remote(_address(f"{base}/structure", selection), f"structure-{tag}.pdb"), options.node)
        query = {"format": "xtc", **frames, **selection}
        file = _get(store, Remote(_address(f"{base}/trajectory", query), f"{entry}-{tag}.xtc"), options.node)
        every = int(found[1] or 1) if found is not None else 1
        return Opened([file], top, step * every if step else None)


def _get(store: Store, remote: Remote, node: str) -> Path:
    """Return a file; where the server refuses it, name the other servers."""
    try:
        return store.get(remote)
    except DataError as error:
        if not isinstance(error.__cause__, HTTPError):
            raise
        others = ", ".join(name for name in _NODES if name != node)
        raise DataError(
            f"{error}. Another server may hold it, under its own accession, as its page says; node= takes {others}"
        ) from error


def _address(base: str, query: dict[str, str]) -> str:
    return f"{base}?{urlencode(query, quote_via=quote)}" if query else base


def _time_step(content: str) -> float | None:
    """Return the time between the frames of a project in ps, or None where it does not say it."""
    try:
        project: Any = json.loads(content)
    except ValueError as error:
        raise DataError("the server's answer on the project is no JSON; is the node right? Try later") from error
    known = project.get("metadata") if isinstance(project, dict) else None
    for name, factor in (("FREQUENCY", 1.0), ("FRAMESTEP", 1000.0)):
        value = known.get(name) if isinstance(known, dict) else None
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0:
            return value * factor
    return None

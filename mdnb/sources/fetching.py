"""fetch: trajectories from public databases, downloaded once and checked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from mdnb.errors import DataError
from mdnb.loading import load
from mdnb.sources.database import Catalogue, Store
from mdnb.trajectories import Trajectories

__all__ = ["databases", "fetch"]


def databases() -> Catalogue:
    """Return the public databases that `fetch` knows, by name; it is shown as a table with licences and citations.

    Returns
    -------
    Catalogue
        A mapping of name to `mdnb.sources.database.Database`.
    """
    import mdnb.sources.databases  # noqa: F401 - registers them

    return Catalogue()


def fetch(
    database: str,
    entry: str,
    *,
    selection: str = "all",
    stride: int = 1,
    file: str | os.PathLike[str] | None = None,
    max_gb: float = 2.0,
    **options: Any,
) -> Trajectories:
    """Open trajectories of a public database; they are downloaded the first time, and kept.

    Files go to the user's cache folder (``MDNB_CACHE`` names another), are compared with the published checksum, or,
    where none is published, with that of their first download, and continued where a download was interrupted.
    Proxies are those of the environment (``HTTPS_PROXY``). ``MDNB_MIRROR=https://host/folder`` asks a mirror in place
    of the databases: the file of ``https://a.b/c`` is taken from ``https://host/folder/a.b/c``, as ``wget -x`` stores
    it. Each database's own licence holds for its data; see `databases`.

    Parameters
    ----------
    database : str
        Name, of those in `mdnb.databases`.
    entry : str
        What the database calls it, such as ``"1r9lA02"`` in mdCATH.
    selection, stride
        As for `mdnb.load`.
    file : path, optional
        What was downloaded by hand, in place of a download.
    max_gb : float
        More than this is not downloaded, and the error tells the size.
    **options
        Of the database, such as ``temperature=320, replica=0`` of mdCATH; see ``mdnb.databases()[name].Options``.

    Returns
    -------
    Trajectories
        In nm, ps, kJ/mol/nm, whatever the database's units.

    Raises
    ------
    SpecError
        For a database, an entry of a short list or an option that does not exist.
    DataError
        When an entry cannot be called so, cannot be reached (with what to do by hand), is too large, or is damaged.

    Examples
    --------
    >>> mdnb.databases()
    >>> mdnb.fetch("mdcath", "1r9lA02", temperature=320, replica=0)
    """
    known = databases()[database]
    name = known.check_entry(entry)
    chosen = known.check_options(options)
    number = isinstance(max_gb, int | float | np.integer | np.floating) and not isinstance(max_gb, bool)
    if not number or not max_gb > 0:
        raise DataError(f"max_gb = {max_gb!r}: expected how many GB may be downloaded, above 0")
    if file is not None and not known.by_hand:
        raise DataError(
            f"got file={os.fspath(file)!r}, but {database} gives structure and frames as files that mdnb.load opens: "
            "mdnb.load(trajectory, top=structure)"
        )
    store = Store(known.folder(name), float(max_gb) * 1e9, None if file is None else Path(file))
    opened = known.open(name, chosen, store)
    found = load(list(opened.files), opened.top, selection, stride, time_step=opened.time_step)
    found.code = _code(database, name, selection, stride, file, max_gb, options)
    return found


def _code(database: str, entry: str, selection: Any, stride: int, file: Any, max_gb: float, options: Any) -> str:
    if not isinstance(selection, str):
        selection = np.asarray(selection).tolist()
    given = {
        **options, "selection": selection, "stride": stride,
        "file": None if file is None else os.fspath(file), "max_gb": max_gb,
    }  # fmt: skip
    usual = {"selection": "all", "stride": 1, "file": None, "max_gb": 2.0}
    more = "".join(f", {key}={one!r}" for key, one in given.items() if key not in usual or one != usual[key])
    return f"mdnb.fetch({database!r}, {entry!r}{more})"

"""What the folder of feature stores holds, and the limit of its size."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from mdnb.errors import DataError
from mdnb.features.store import cache_folder

__all__ = ["Stored", "make_room", "stores"]

_NAME = re.compile(r"[0-9a-f]{32}(\.partial)?")


@dataclass(frozen=True)
class Stored:
    """One store.

    Attributes
    ----------
    path : Path
        Its folder; ends in ``.partial`` while it is written or when that was interrupted.
    n_bytes : int
    used : float
        When it was last written or opened, in seconds since 1970.
    files : tuple of str
        The trajectories its features are of; empty while it is not complete.
    """

    path: Path
    n_bytes: int
    used: float
    files: tuple[str, ...]


def stores(cache: bool | str | os.PathLike[str] = True) -> tuple[Stored, ...]:
    """Return the feature stores in a folder, the one that was not used for longest first.

    Parameters
    ----------
    cache : bool or path
        As in `mdnb.featurize`: True for the user's cache folder or that of ``MDNB_CACHE``.
    """
    folder = cache_folder(cache)
    found = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)] if folder.is_dir() else []
    return tuple(sorted(filter(None, map(_stored, found)), key=lambda one: one.used))


def _stored(path: Path) -> Stored | None:
    try:
        sizes = [(file.stat().st_size, file.stat().st_mtime) for file in path.iterdir()]
        if not (path / "blocks.jsonl").is_file():
            return None
    except OSError:  # it was deleted or finished meanwhile
        return None
    try:
        header = json.loads((path / "header.json").read_text(encoding="utf-8"))
        files = tuple(str(one["path"]) for one in header["recipe"]["files"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        files = ()
    return Stored(path, sum(size for size, _ in sizes), max(time for _, time in sizes), files)


def make_room(folder: Path, keep: Path) -> list[Path]:
    """Delete the stores that were not used for longest until the rest takes at most ``MDNB_CACHE_LIMIT`` GB.

    Nothing is deleted where that environment variable is not set; `keep`, the store just written, never is.

    Returns
    -------
    list of Path
        What was deleted.

    Raises
    ------
    DataError
        When the limit is not a number of at least 0.
    """
    given = os.environ.get("MDNB_CACHE_LIMIT")
    if not given:
        return []
    try:
        limit = 1e9 * float(given)
    except ValueError:
        limit = -1.0
    if not limit >= 0:
        raise DataError(f"MDNB_CACHE_LIMIT = {given!r}: expected how many GB the feature stores may take, such as 20")
    held = stores(folder)
    total, deleted = sum(one.n_bytes for one in held), []
    for one in held:
        if total <= limit:
            break
        if one.path != keep and one.files:  # what is being written stays
            shutil.rmtree(one.path, ignore_errors=True)
            total -= one.n_bytes
            deleted.append(one.path)
    return deleted

"""Where the frames of a large file begin, kept on disk so that they are searched once.

An index is written only for a file of at least 16 MB whose search took longer than 10 ms (reading the index takes a
tenth of that), so that folders are not littered: as ``.NAME.mdnb-index`` beside the data, or, where that cannot be
written, in the user's cache folder (``MDNB_CACHE`` overrules it). It holds numbers with a checksum, never a pickle.
It is used while the file has the same size and time of change, or has grown at its end only; it is searched again
otherwise, and when the index is damaged.
"""

from __future__ import annotations

import json
import logging
import os
import zlib
from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from mdnb.files import write_whole
from mdnb.machine import user_cache

__all__ = ["index_paths", "load_index", "save_index"]

_LOG = logging.getLogger(__name__)
_FORMAT = "mdnb frame index 1"
_EDGE = 64  # bytes compared at the beginning of the file and before the end of the last frame
#: An index is written for files of at least so many bytes ...
SMALLEST = 16_000_000
#: ... whose search took so many seconds: reading an index takes a tenth of it.
SLOW = 0.01
#: No index takes more bytes than its data and so many: it has a few numbers for each frame.
_HEAD = 4096
#: What a damaged index leads to.
_DAMAGED = (
    *(ValueError, LookupError, TypeError, AttributeError, ArithmeticError),
    *(OSError, RecursionError, MemoryError),
)


def index_paths(path: Path) -> list[Path]:
    """Return where the index of a file may lie: beside it, and in the user's cache folder."""
    beside = path.with_name(f".{path.name}.mdnb-index")
    name = sha256(os.fsencode(path.absolute())).hexdigest()[:32]
    return [beside, user_cache() / "frames" / f"{name}.mdnb-index"]


def load_index(path: Path, kind: str, names: Sequence[str]) -> dict[str, np.ndarray] | None:
    """Return the arrays of a file's index, or None when there is none that holds.

    Parameters
    ----------
    path : Path
        The trajectory file.
    kind : str
        What wrote it.
    names : sequence of str
        The arrays it must have: ``starts`` (n_frames + 1: where each frame begins, where the last one ends) and others
        with a number for each frame.
    """
    if path.stat().st_size < SMALLEST:
        return None
    for place in index_paths(path):
        try:
            size = place.stat().st_size
        except OSError:  # there is none, which is the usual case
            continue
        try:
            if size > path.stat().st_size + _HEAD:
                raise ValueError(f"it has {size} bytes, more than the data")
            arrays = _decode(place.read_bytes(), path, kind, names)
        except _DAMAGED as error:
            _LOG.info("the index %s is damaged and made again: %s", place, error)
            continue
        if arrays is not None:
            return arrays
    return None


def _decode(content: bytes, path: Path, kind: str, names: Sequence[str]) -> dict[str, np.ndarray] | None:
    end = content.index(b"\n")
    head, payload = json.loads(content[:end]), memoryview(content)[end + 1 :]
    if head["format"] != _FORMAT or head["kind"] != kind:
        return None
    if zlib.crc32(payload) != head["checksum"]:
        raise ValueError("its checksum is wrong")
    arrays, position = {}, 0
    for name, count in head["arrays"].items():
        arrays[name] = np.frombuffer(payload, "<i8" if name == "starts" else "<f8", count, position)
        position += 8 * count
    starts = arrays["starts"]
    fits = all(len(arrays[name]) == len(starts) - 1 for name in names if name != "starts")
    if len(starts) < 2 or not fits or (np.diff(starts) <= 0).any() or starts[0] < 0:
        raise ValueError("its numbers contradict each other")
    now = path.stat()
    unchanged = (now.st_size, now.st_mtime_ns) == (head["size"], head["changed"])
    grown = now.st_size > head["size"]
    if not (unchanged or grown) or starts[-1] > now.st_size or _edges(path, int(starts[-1])) != head["edges"]:
        return None
    return arrays


def save_index(path: Path, kind: str, arrays: Mapping[str, np.ndarray], seconds: float) -> Path | None:
    """Write the index of a file, if it is large and was slow to search; return where.

    Parameters
    ----------
    path, kind
        As for `load_index`.
    arrays : mapping
        ``starts`` and others.
    seconds : float
        What the search took.
    """
    there = path.stat()
    if there.st_size < SMALLEST or seconds < SLOW or len(arrays["starts"]) < 2:
        return None
    parts = {name: np.ascontiguousarray(array, "<i8" if name == "starts" else "<f8") for name, array in arrays.items()}
    payload = b"".join(part.tobytes() for part in parts.values())
    head: dict[str, Any] = {
        "format": _FORMAT,
        "kind": kind,
        "size": there.st_size,
        "changed": there.st_mtime_ns,
        "edges": _edges(path, int(parts["starts"][-1])),
        "checksum": zlib.crc32(payload),
        "arrays": {name: len(part) for name, part in parts.items()},
    }
    for place in index_paths(path):
        try:
            if place.parent.name == "frames":  # in the cache folder; that of the data is there
                place.parent.mkdir(parents=True, exist_ok=True)
            content = json.dumps(head).encode() + b"\n" + payload
            write_whole(place, partial(Path.write_bytes, data=content))
        except OSError as error:
            _LOG.debug("no index at %s: %s", place, error)
            continue
        return place
    return None


def _edges(path: Path, end: int) -> str:
    """Return bytes from the beginning of a file and before `end`, as hexadecimal text."""
    with path.open("rb") as file:
        first = file.read(_EDGE)
        file.seek(max(end - _EDGE, 0))
        return (first + file.read(min(_EDGE, end))).hex()

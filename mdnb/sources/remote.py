"""A file on the web, and the record that is kept of its download: what a later one is compared with."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mdnb.errors import DataError
from mdnb.files import write_whole

__all__ = ["Remote", "check", "read_record", "write_record"]


@dataclass(frozen=True)
class Remote:
    """A file on the web.

    Attributes
    ----------
    url : str
        ``http`` or ``https``.
    name : str
        What it is called here; no path.
    checksum : str
        ``"md5:..."`` or ``"sha256:..."`` as published; empty where none is, then what came first is pinned.
    size : int
        Bytes, 0 where it is not known beforehand.
    """

    url: str
    name: str
    checksum: str = ""
    size: int = 0

    def __post_init__(self) -> None:
        if urlsplit(self.url).scheme not in ("http", "https"):
            raise DataError(f"{self.url!r} is no address of the web; expected https://...")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,150}", self.name):
            raise DataError(f"{self.name!r} cannot be the name of a file; expected letters, digits, '.', '_' and '-'")


def check(remote: Remote, path: Path, told: str, known: dict[str, Any]) -> None:
    """Compare a file with the published checksum, or that of the server, or of the first time."""
    pinned = f"sha256:{known['sha256']}" if known.get("sha256") else ""
    expected = remote.checksum or told or pinned
    if remote.size and path.stat().st_size != remote.size:
        raise DataError(
            f"{remote.name} has {path.stat().st_size:,} bytes, expected {remote.size:,}; it is not the published file: "
            "delete it, and fetch it again"
        )
    if not expected:
        return
    kind, _, digest = expected.partition(":")
    with path.open("rb") as file:
        got = hashlib.file_digest(file, kind).hexdigest()
    if got != digest.lower():
        whose = "published" if remote.checksum else "told by the server" if told else "of the first download"
        advice = (
            f"the file was changed at its source: delete {remote.name}.json beside it to accept the new one"
            if expected == pinned and not remote.checksum and not told
            else "it was damaged on its way, or a proxy or mirror sent something else: delete it, and fetch it again"
        )
        raise DataError(f"{remote.name} has the {kind} {got}, expected {digest} ({whose}); {advice}")


def read_record(path: Path) -> dict[str, Any]:
    """Return what is recorded of a download; nothing where that is missing or damaged."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_record(record: Path, remote: Remote, path: Path) -> None:
    """Record the address, size, date and sha256 of a file that was downloaded."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    content = {
        "url": remote.url,
        "size": path.stat().st_size,
        "sha256": digest,
        "published": remote.checksum,
        "downloaded": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    text = json.dumps(content, indent=1)
    write_whole(record, lambda path: path.write_text(text, encoding="utf-8"))

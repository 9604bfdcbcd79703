"""Some members of a zip or tar archive, written to a folder; never outside it, never more than they claim."""

from __future__ import annotations

import re
import shutil
import tarfile
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO
from zipfile import BadZipFile, ZipFile
from zlib import error as ZlibError

from mdnb.errors import DataError
from mdnb.files import size_text, write_whole

__all__ = ["unpack"]

#: Trajectories are compressed already; what claims to be packed tighter than this is no trajectory.
_TIGHTEST = 100
_BLOCK = 1 << 20


@dataclass(frozen=True)
class _Member:
    name: str
    size: int
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, wanted: str, folder: Path) -> list[Path]:
    """Write the members whose name matches, without their folders; those that are there already stay.

    Parameters
    ----------
    archive : Path
        ``.zip``, or ``.tar`` compressed in any way that Python reads.
    wanted : str
        Regular expression of the whole file name, without folders.
    folder : Path

    Returns
    -------
    list of Path
        In the order of their names; empty when none matches.

    Raises
    ------
    DataError
        When the archive is damaged, a member would lead outside the folder, two have the same name, or they are
        larger than the archive can hold or the disk has room for.
    """
    found: dict[str, Path] = {}
    room = archive.stat().st_size * _TIGHTEST
    try:
        folder.mkdir(parents=True, exist_ok=True)
        members = _zip_members(archive) if archive.suffix == ".zip" else _tar_members(archive)
        with closing(members):
            for member in members:
                name = _safe(member.name, archive)
                if not re.fullmatch(wanted, name):
                    continue
                if name in found:
                    raise DataError(f"{archive} holds two files called {name!r}; unpack it by hand")
                room -= member.size
                if room < 0:
                    raise DataError(
                        f"{archive} claims to hold {size_text(member.size)} in {name!r}, more than {_TIGHTEST} times "
                        "its own size; it is no archive of trajectories, or damaged"
                    )
                found[name] = folder / name
                if not _is_there(found[name], member.size, archive):
                    _write(member, found[name], archive)
    except (BadZipFile, tarfile.TarError, EOFError, ZlibError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{archive} cannot be unpacked ({error}); delete it, and fetch it again") from error
    except OSError as error:
        raise DataError(f"{archive} cannot be unpacked into {folder} ({error}); make room, or delete it") from error
    return [found[name] for name in sorted(found)]


def _zip_members(archive: Path) -> Generator[_Member]:
    with ZipFile(archive) as opened:
        for info in opened.infolist():
            if not info.is_dir():
                yield _Member(info.filename, info.file_size, partial(opened.open, info))


def _tar_members(archive: Path) -> Generator[_Member]:
    with tarfile.open(archive, "r:*") as opened:
        for info in opened:
            if info.isfile():  # no links, no devices

                def content(info: tarfile.TarInfo = info) -> IO[bytes]:
                    file = opened.extractfile(info)
                    if file is None:
                        raise tarfile.TarError(f"{info.name} is no file")
                    return file

                yield _Member(info.name, info.size, content)


def _is_there(path: Path, size: int, archive: Path) -> bool:
    """Return whether a member was written before, from this archive or one that is as new."""
    if not path.is_file():
        return False
    there = path.stat()
    return there.st_size == size and there.st_mtime_ns >= archive.stat().st_mtime_ns


def _safe(name: str, archive: Path) -> str:
    """Return the last part of a member's name; refuse one that leads out of a folder."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", name) or "\0" in name:
        raise DataError(f"{archive} holds {name!r}, which would be written outside its folder; do not trust it")
    return path.name


def _write(member: _Member, path: Path, archive: Path) -> None:
    free = shutil.disk_usage(path.parent).free
    if member.size > free:
        raise DataError(
            f"{path.name} needs {size_text(member.size)}, {path.parent} has {size_text(free)} free; make room"
        )

    def copy(temporary: Path) -> None:
        left = member.size
        with member.open() as source, temporary.open("wb") as target:
            while block := source.read(_BLOCK):
                left -= len(block)
                if left < 0:
                    raise DataError(f"{archive}: {member.name!r} holds more than the {member.size:,} bytes it claims")
                target.write(block)
        if left:
            raise DataError(f"{archive}: {member.name!r} holds {left:,} bytes less than it claims; fetch it again")

    write_whole(path, copy)

"""Files from the web: checked, continued where they were interrupted, kept in the user's cache folder.

``pooch`` was weighed: its downloader does not continue what was interrupted, knows no limit of size before it
starts, and cannot be stopped by a watcher, which is most of what is here; what is left of it, a hash and a rename,
`mdnb.files` has.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError

from mdnb.errors import DataError
from mdnb.files import size_text, write_whole
from mdnb.progress import progress_bar
from mdnb.sources import web
from mdnb.sources.remote import Remote, check, read_record, write_record
from mdnb.sources.web import BROKEN, get, give_up_or_wait

__all__ = ["download"]

_BLOCK = 1 << 18


def download(remote: Remote, folder: Path, max_bytes: float, before: float = 0.0) -> Path:
    """Return a file's path in the folder, downloaded unless it is there.

    What comes is written beside it under a hidden name and renamed when it is whole and its checksum is right. What
    was interrupted is continued by the next call, if the server can (HTTP Range) and the file has not changed, and
    starts again otherwise. Beside it, ``NAME.json`` records address, size, date and sha256; a file that has no
    published checksum is compared with that when it has to be downloaded again. Proxies are those of the environment
    (``HTTPS_PROXY``); `mdnb.sources.web.mirrored` tells of mirrors.

    Parameters
    ----------
    remote : Remote
    folder : Path
    max_bytes : float
        No more than this is downloaded.
    before : float
        Bytes that were downloaded already, of which that limit is too.

    Raises
    ------
    DataError
        When it cannot be had (with what to do by hand), is larger than `max_bytes` or the free space, or is not what
        its checksum says.
    """
    path = folder / remote.name
    record = folder / f"{remote.name}.json"
    if path.is_file():
        known = read_record(record)
        if known.get("size") == path.stat().st_size:
            return path
        check(remote, path, "", known if known.get("size") else {})  # put there by hand, or changed
        write_record(record, remote, path)
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot make the folder {folder} ({error}); give another in MDNB_CACHE") from error
    partial = folder / f".partial-{remote.name}"
    with _alone(partial, remote) as file:
        told = _Transfer(remote, partial, file, (max_bytes, before), path).run()
        file.flush()
        os.fsync(file.fileno())
        try:
            check(remote, partial, told, read_record(record))
        except DataError:
            _forget(partial)
            raise
        write_record(record, remote, partial)
        if os.name == "nt":  # where an open file cannot be renamed
            file.close()
        os.replace(partial, path)
        _forget(partial)
    return path


@contextmanager
def _alone(partial: Path, remote: Remote) -> Iterator[IO[bytes]]:
    """Open the partial file, which nobody else may write at the same time."""
    try:
        file = partial.open("ab")
    except OSError as error:
        raise DataError(f"cannot write to {partial.parent} ({error}); give another folder in MDNB_CACHE") from error
    with file:
        if not _locked(file, partial):
            raise DataError(
                f"{remote.name} is being downloaded by another process, or by a cancelled download that has not ended "
                "yet; wait for it, and ask again"
            )
        yield file


def _locked(file: IO[bytes], partial: Path) -> bool:
    """Take the lock of an open file, if it still has its name; Windows has no such locks."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(file.fileno()), partial.stat())
    except OSError:
        return False


class _Transfer:
    """One download, over as many connections as it takes."""

    def __init__(self, remote: Remote, partial: Path, file: IO[bytes], limit: tuple[float, float], path: Path) -> None:
        self._remote, self._partial, self._file, self._path = remote, partial, file, path
        self._max, self._before = limit
        self._state = partial.with_name(partial.name + ".json")
        self._validator = str(read_record(self._state).get("validator", ""))
        self._told = str(read_record(self._state).get("checksum", ""))
        self._bar: Any = None

    def run(self) -> str:
        """Fill the partial file; return the checksum that the server told."""
        pauses = iter(web.PAUSES)
        self._refuse_large(self._remote.size)
        try:
            while True:
                before = self._done
                try:
                    self._connect()
                    return self._told
                except (*BROKEN, HTTPError) as error:
                    if self._done > before:
                        pauses = iter(web.PAUSES)  # it goes on, if slowly
                    give_up_or_wait(error, next(pauses, None), self._remote.url, self._by_hand())
                except OSError as error:
                    raise DataError(f"{self._partial.parent} cannot be written ({error}); make room") from error
        finally:
            if self._bar is not None:
                self._bar.close()

    @property
    def _done(self) -> int:
        return self._file.seek(0, os.SEEK_END)

    def _by_hand(self) -> str:
        return f"; or download {self._remote.url} by hand (in a browser, on another machine) and put it at {self._path}"

    def _connect(self) -> None:
        done = self._done if self._validator else 0
        headers = {"Range": f"bytes={done}-", "If-Range": self._validator} if done else {}
        try:
            answer, told = get(self._remote.url, headers)
        except HTTPError as error:
            if error.code != 416:
                raise
            self._start_again()  # what is here is longer than the file
            answer, told = get(self._remote.url, {})
        with answer:
            begin = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
            if answer.status != 206 or begin is None or int(begin[1]) != done:
                if answer.status == 206:
                    raise ConnectionError("the server sent another part than was asked for")
                self._start_again()
                done = 0
            length = answer.headers.get("Content-Length")
            total = done + int(length) if length is not None and length.isdigit() else 0
            self._refuse_large(total or self._remote.size)
            self._note(answer.headers, told)
            self._receive(answer, total)

    def _note(self, headers: Any, told: str) -> None:
        """Keep what tells whether the file is still the same when it is continued."""
        tag = headers.get("ETag", "")
        self._validator = tag if tag and not tag.startswith("W/") else headers.get("Last-Modified", "") or ""
        linked = str(headers.get("X-Linked-ETag", "")).strip('"')
        self._told = told or (f"sha256:{linked}" if re.fullmatch("[0-9a-f]{64}", linked) else self._told)
        content = json.dumps({"validator": self._validator, "checksum": self._told})
        write_whole(self._state, lambda path: path.write_text(content, encoding="utf-8"))

    def _receive(self, answer: Any, total: int) -> None:
        done = self._done
        if self._bar is None:
            size = f" ({size_text(total)})" if total else ""
            self._bar = progress_bar(total=total, description=f"{self._remote.name}{size}", unit="B", initial=done)
        while block := answer.read1(_BLOCK):
            self._file.write(block)
            done += len(block)
            if done + self._before > self._max:
                self._refuse_large(done)
            self._bar.update(len(block))
        if total and done < total:
            raise ConnectionError(f"the connection ended after {size_text(done)} of {size_text(total)}")

    def _start_again(self) -> None:
        self._file.truncate(0)
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _refuse_large(self, size: float) -> None:
        needed = size + self._before
        if needed > self._max:
            self._file.truncate(0)
            _forget(self._partial)
            others = f" and with what was downloaded for it before {size_text(needed)}" if self._before else ""
            raise DataError(
                f"{self._remote.name} has {size_text(size)}{others}, more than max_gb={self._max / 1e9:g}; ask for it "
                f"with max_gb={needed / 1e9 * 1.1:.2g} or more{self._by_hand()}"
            )
        free = shutil.disk_usage(self._partial.parent).free
        if size - self._done > free:
            raise DataError(
                f"{self._remote.name} has {size_text(size)}, and {self._partial.parent} has {size_text(free)} free; "
                "make room, or set MDNB_CACHE to a folder on another disk"
            )


def _forget(partial: Path) -> None:
    """Take away what is left of a download that ended."""
    partial.unlink(missing_ok=True)
    partial.with_name(partial.name + ".json").unlink(missing_ok=True)

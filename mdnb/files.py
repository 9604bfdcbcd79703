"""Files that are whole or not there: written under a temporary name, put on the disk, then renamed."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

__all__ = ["NO_LOCKS", "absent", "locked", "sha256_of", "size_text", "user_path", "write_tensors", "write_whole"]

#: Numbers of the errors by which a file system says that it has no locks.
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


def absent(path: Path) -> str:
    """Return a path that leads nowhere, with what explains it: where it was looked for, or that it is an address."""
    if re.match("[a-z][a-z0-9+.-]+:/", str(path)):
        return f"{path} (an address: download it first; public databases open with mdnb.fetch)"
    return str(path) if path.is_absolute() else f"{path} (looked for in {Path.cwd()})"


def user_path(path: str | os.PathLike[str]) -> Path:
    """Return a path as a shell reads it: ``~`` is the user's home."""
    return Path(os.path.expanduser(path))  # Path.expanduser raises for "~x" where there is no user x


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a file under a temporary name, and give it its own when it is on the disk.

    Raises
    ------
    OSError
        When the disk is full or cannot be written; what was at `path` before is still there.
    """
    # A name of its own, since another thread or process may write the same file; the suffix stays for who goes by it.
    temporary = path.with_name(f".partial-{uuid4().hex[:12]}-{path.name[-100:]}")
    try:
        write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_tensors(path: Path, tensors: Mapping[str, Any]) -> None:
    """Write torch tensors or numpy arrays to a safetensors file, which must all be of one of the two.

    Raises
    ------
    OSError
        When the disk is full or cannot be written, which safetensors says by an error of its own.
    """
    import numpy as np
    from safetensors import SafetensorError

    numpy = all(isinstance(value, np.ndarray) for value in tensors.values())
    library = import_module(f"safetensors.{'numpy' if numpy else 'torch'}")
    try:
        library.save_file(dict(tensors), path)
    except SafetensorError as error:
        raise OSError(str(error)) from error


@contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[None]:
    """Hold the lock of a file, which is made with its folder; the system frees it when the process dies.

    Parameters
    ----------
    path : path
    wait : bool
        For another thread or process that holds it.

    Raises
    ------
    BlockingIOError
        When another one holds it and this is not to wait.
    OSError
        When the file cannot be made, or the file system has no locks: then `errno` is one of `NO_LOCKS`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        if sys.platform == "win32":
            import msvcrt

            try:
                msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
            except PermissionError as error:
                raise BlockingIOError(errno.EAGAIN, "another process holds the lock", str(path)) from error
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield


def sha256_of(path: Path) -> str:
    """Return the hash of a file, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def size_text(n_bytes: float) -> str:
    """Return a number of bytes as people read it."""
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:,.3g} TB"

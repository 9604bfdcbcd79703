"""Files that are whole or not there: written under a temporary name, put on the disk, then renamed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

__all__ = ["sha256_of", "write_tensors", "write_whole"]


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


def sha256_of(path: Path) -> str:
    """Return the hash of a file, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

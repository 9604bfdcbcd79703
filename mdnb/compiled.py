"""``compiled``: numba's compiler as mdnb uses it, and where what it compiled is kept."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import numba
from numba import njit

from mdnb.machine import user_cache

__all__ = ["compiled", "compiled_folder"]

_LOCK = Lock()
_SETTINGS: Any = numba.config
#: Seconds without a use after which what other versions of mdnb compiled is deleted.
_OLD = 30 * 86400.0


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator: the function is compiled at its first call, runs without the GIL, and is kept on disk.

    It is kept in the folder ``compiled`` of mdnb's cache folder (of the environment variable ``MDNB_CACHE``), not
    beside the installed sources, where numba would put it; ``NUMBA_CACHE_DIR`` goes before. Where nothing can be
    written to, each process compiles anew.

    Parameters
    ----------
    **options
        Of `numba.njit`.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        with _LOCK:  # numba looks at its setting when a function is decorated, and only then
            before = _SETTINGS.CACHE_DIR
            _SETTINGS.CACHE_DIR = before or str(compiled_folder())
            try:
                return njit(cache=True, nogil=True, **options)(function)
            except RuntimeError:  # no folder that can be written to
                return njit(nogil=True, **options)(function)
            finally:
                _SETTINGS.CACHE_DIR = before

    return decorate


@cache
def compiled_folder() -> Path:
    """Return the folder of exactly these sources: numba does not see when a function changed that another one calls."""
    package = Path(__file__).parent
    sources = [path.read_bytes() for path in sorted(package.rglob("*.py"))]
    kernels = [source for source in sources if b"@compiled(" in source or b"numba.extending" in source]
    folder = user_cache() / "compiled" / hashlib.sha256(b"".join(kernels)).hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.touch()
        for other in folder.parent.iterdir():
            if other.stat().st_mtime < time.time() - _OLD:
                shutil.rmtree(other, ignore_errors=True)
    except OSError:
        pass  # numba looks for another folder
    return folder

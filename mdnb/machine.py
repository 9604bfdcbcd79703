"""What this machine offers: cores, memory, and a folder for what is kept between sessions."""

from __future__ import annotations

import math
import os
from pathlib import Path

from mdnb.errors import DataError

__all__ = ["memory_bytes", "n_cores", "n_workers", "user_cache"]


def n_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def n_workers(n_jobs: int) -> int:
    """Return how many threads ``n_jobs`` asks for.

    Raises
    ------
    DataError
        For anything else than a whole number of at least 1, or -1 for all cores.
    """
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int) or (n_jobs < 1 and n_jobs != -1):
        raise DataError(f"n_jobs = {n_jobs!r}: expected a whole number of threads of at least 1, or -1 for all cores")
    return n_jobs if n_jobs > 0 else n_cores()


def memory_bytes() -> float:
    """Return the memory of this machine in bytes; infinity where it does not say."""
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return math.inf
    return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def user_cache() -> Path:
    """Return the folder of the environment variable ``MDNB_CACHE``, or else mdnb's own in the user's cache folder."""
    if os.environ.get("MDNB_CACHE"):
        return Path(os.environ["MDNB_CACHE"])
    from platformdirs import user_cache_path

    return user_cache_path("mdnb", appauthor=False)

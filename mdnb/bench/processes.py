"""What has to be measured in a process of its own: peak memory, and the first call."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

from mdnb.bench.contenders import our_features
from mdnb.errors import DataError

__all__ = ["first_call", "in_process", "peak_memory"]


def in_process(function: str, *arguments: str, **environment: str) -> dict[str, Any]:
    """Call a function of this module in a fresh process; return what it wrote as JSON, and ``stderr``."""
    code = f"import sys; from mdnb.bench.processes import {function}; {function}(*sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DataError(f"the measurement {function} failed: {done.stderr.strip()[-500:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**found, "stderr": done.stderr}


def peak_memory(xtc: str, pdb: str, cache: str) -> None:
    """Featurize a file into a store and once more from it; write seconds and the memory it took."""
    import mdnb

    mdnb.featurize(mdnb.load(mdnb.load(xtc, top=pdb).frames(range(8))), our_features())  # compiled code is loaded
    before = _memory("VmRSS")
    if before is not None:
        Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    trajectories = mdnb.load(xtc, top=pdb)
    start = perf_counter()
    mdnb.featurize(trajectories, our_features(), cache=cache)
    seconds = perf_counter() - start
    peak = _memory("VmHWM")
    start = perf_counter()
    mdnb.featurize(trajectories, our_features(), cache=cache)
    again = perf_counter() - start
    peak_mb = None if peak is None or before is None else max(0.0, peak - before)
    sys.stdout.write(json.dumps({"seconds": seconds, "again": again, "peak_mb": peak_mb}) + "\n")


def first_call(xtc: str, pdb: str) -> None:
    """Open and featurize a file twice; write the seconds of the imports, of the first and of the second time."""
    start = perf_counter()
    import mdtraj  # noqa: F401  # what mdnb imports at use
    import numba  # noqa: F401

    import mdnb

    times = [start, perf_counter()]
    for _ in range(2):
        mdnb.featurize(mdnb.load(xtc, top=pdb), our_features())
        times.append(perf_counter())
    imports, first, second = (later - sooner for sooner, later in pairwise(times))
    sys.stdout.write(json.dumps({"imports": imports, "first": first, "second": second}) + "\n")


def _memory(which: str) -> float | None:
    """Return the memory (VmRSS) or its peak (VmHWM) of this process in MB; None where the system does not tell."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    line = next(line for line in status.read_text().splitlines() if line.startswith(which))
    return int(line.split()[1]) / 1024

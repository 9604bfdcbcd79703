"""Try files in another process before a C library reads them here, because a damaged file may make it crash.

A crash would take the user's kernel with it. Only for readers that are not our own (`TrajectoryFile.foreign`,
topologies that MDAnalysis reads): each file once a process, while its size and time of change are the same, and all
files of one call together. The first and the last frame are read; damage elsewhere in a file may still be met later.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from mdnb.errors import DataError

__all__ = ["probe", "probe_trajectories", "read_some", "trust"]

#: Files that were tried, as they were then.
_TRIED: set[tuple[str, str, int, int]] = set()
#: Set in the process that tries files.
_TRYING: list[bool] = []
#: Seconds that one file may take.
_PATIENCE = 60.0
_CHILD = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from mdnb.formats.probe import _child; _child()"


def probe(files: Iterable[tuple[Path, str]]) -> None:
    """Try files in another process, those that were not tried before.

    Parameters
    ----------
    files : iterable of (path, reader)
        `reader` is ``"module:name"`` of what is called with the path.

    Raises
    ------
    DataError
        When a reader crashes on a file or does not come back. What readers say of a file is left to who opens it.
    """
    if _TRYING:
        return
    waiting = [(path, reader) for path, reader in files if path.is_file() and _key(path, reader) not in _TRIED]
    while waiting:
        n_done, code = _run(waiting)
        _TRIED.update(_key(path, reader) for path, reader in waiting[:n_done])
        if n_done < len(waiting) and code != 0:
            path = waiting[n_done][0]
            how = (
                f"crashed the library that reads it ({_reason(code)})"
                if code is not None
                else (f"kept the library that reads it busy for {_PATIENCE:g} s")
            )
            raise DataError(
                f"{path} {how}, in a process of its own; the file is damaged or no such file at all: copy or write it "
                "again"
            )
        waiting = waiting[n_done:]
        if n_done == 0:  # it ended well but did nothing, which only a broken Python does
            raise DataError(f"{sys.executable} did not run to try {waiting[0][0]}; is the Python environment whole?")


def probe_trajectories(paths: Iterable[Path]) -> None:
    """Try those trajectory files that another library than ours reads."""
    from mdnb.formats.registry import FORMATS

    forms = [(path, FORMATS.get(path.suffix.lower())) for path in paths]
    probe((path, "mdnb.formats.probe:read_some") for path, form in forms if form is not None and form.foreign)


def trust(paths: Iterable[Path]) -> None:
    """Count files as tried, because they came with mdnb."""
    _TRIED.update(_key(path, "mdnb.formats.probe:read_some") for path in paths)


def _key(path: Path, reader: str) -> tuple[str, str, int, int]:
    there = path.stat()
    return str(path.absolute()), reader, there.st_size, there.st_mtime_ns


def _run(files: Sequence[tuple[Path, str]]) -> tuple[int, int | None]:
    """Return how many files were tried to the end, and the exit code; None when time was over."""
    task = "".join(json.dumps([str(path.absolute()), reader]) + "\n" for path, reader in files)
    command = [sys.executable, "-W", "ignore", "-c", _CHILD, json.dumps(sys.path)]
    try:
        done = subprocess.run(
            command,
            input=task.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE * len(files),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return (error.stdout or b"").count(b"\n"), None
    return done.stdout.count(b"\n"), done.returncode


def _reason(code: int) -> str:
    import signal

    known = -code in set(signal.Signals)
    return signal.Signals(-code).name if known else f"exit code {code}"


def _tasks() -> Iterator[tuple[str, str]]:
    for line in sys.stdin:
        path, reader = json.loads(line)
        yield path, reader


def _child() -> None:
    """Read what is asked for on the standard input; a line on the standard output for each file that is done."""
    _TRYING.append(True)
    answers = os.dup(1)
    os.dup2(2, 1)  # what libraries print is no answer
    for path, reader in list(_tasks()):
        module, _, name = reader.partition(":")
        with contextlib.suppress(Exception):  # who opens the file here says what is wrong with it
            getattr(importlib.import_module(module), name)(path)
        os.write(answers, b"\n")


def read_some(path: str) -> None:
    """Open a trajectory and read its first and its last frame."""
    from mdnb.formats import open_trajectory

    file = open_trajectory(path)
    file.topology()
    for frame in {0, file.n_frames - 1} if file.n_frames else ():
        file.read(frame, frame + 1, 1, np.arange(file.n_atoms), True, True)

"""Tables in files that the workers of a cluster on this machine map too, so that no numbers travel to be collected."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mdnb.features.work import Block, Work

__all__ = ["SharedTables", "shared_tables"]

#: Files in memory, where a system has them.
_IN_MEMORY = Path("/dev/shm")


class SharedTables:
    """The tables and times of a whole pass in files; called with a block, it fills its rows.

    Parameters
    ----------
    work : Work
    folder : Path
    n_frames : int
    firsts : list of int
        The first row of each trajectory.
    """

    def __init__(self, work: Work, folder: Path, n_frames: int, firsts: list[int]) -> None:
        self.work, self.folder, self._firsts = work, folder, firsts
        self._layout = [*((dtype, (n_frames, width)) for dtype, width in work.layout), ("<f8", (n_frames,))]
        for number in range(len(self._layout)):
            self._map(number, "w+")

    def _map(self, number: int, mode: Any) -> np.ndarray:
        dtype, shape = self._layout[number]
        return np.memmap(self.folder / str(number), np.dtype(dtype), mode, shape=shape).view(np.ndarray)

    def maps(self) -> tuple[list[np.ndarray], np.ndarray]:
        """Return the tables and times; what is written into them is in the files."""
        *tables, time = (self._map(number, "r+") for number in range(len(self._layout)))
        return tables, time

    def __call__(self, block: Block) -> tuple[Block, list[np.ndarray], np.ndarray] | None:
        """Fill the rows of a block; return it, its tables and times where the files are not seen from here."""
        try:
            tables, time = self.maps()
        except FileNotFoundError:  # of a worker on another machine, which came later
            return self.work(block)
        rows = slice(self._firsts[block[0]] + block[1], self._firsts[block[0]] + block[2])
        self.work.compute(block, [table[rows] for table in tables], time[rows])
        return None


@contextmanager
def shared_tables(client: Any, work: Work, n_frames: int, firsts: list[int]) -> Iterator[SharedTables | None]:
    """Give tables that all workers of a cluster can map, or None where one of them is on another machine.

    The files are gone at the end; who has mapped them keeps them.
    """
    needed = n_frames * (work.row_bytes + 8)
    folder = _folder(needed)
    if folder is None or os.name == "nt":  # there files that are mapped cannot be removed
        yield None
        return
    made = Path(tempfile.mkdtemp(prefix="mdnb-", dir=folder))
    try:
        seen = client.run(_sees, str(made), os.uname().nodename)
        yield SharedTables(work, made, n_frames, firsts) if all(seen.values()) else None
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _folder(n_bytes: int) -> Path | None:
    """Return where there is room for files of so many bytes twice, in memory if that can be."""
    for folder in (_IN_MEMORY, Path(tempfile.gettempdir())):
        if folder.is_dir() and os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > 2 * n_bytes:
            return folder
    return None


def _sees(folder: str, node: str) -> bool:
    """Return whether a folder is on the machine of this process, and writable."""
    return os.uname().nodename == node and os.access(folder, os.W_OK)

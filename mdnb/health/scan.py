"""The check of every frame of files: streamed, in bounded memory, several files at once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from mdnb.files import sha256_of
from mdnb.formats.base import TrajectoryFile
from mdnb.health.bond_limits import bond_limits
from mdnb.health.findings import SEVERITIES, Health
from mdnb.health.seen import Seen, look_through
from mdnb.health.verdicts import findings_of, shared_findings
from mdnb.machine import n_workers
from mdnb.progress import progress_bar

if TYPE_CHECKING:
    import mdtraj

__all__ = ["check_files"]


def check_files(
    files: Sequence[TrajectoryFile],
    names: Sequence[str],
    topology: mdtraj.Topology | None,
    *,
    n_jobs: int = 1,
    sha256: bool = True,
    progress: Any = None,
) -> Health:
    """Read every frame of files and return what is wrong with them; ``trajectories.health()`` calls it.

    Parameters
    ----------
    files : sequence of TrajectoryFile
    names : sequence of str
        What the findings call them.
    topology : mdtraj.Topology or None
        Of all atoms in the files; None to leave bond lengths out.
    n_jobs : int
        Files checked at once; -1 for all cores.
    sha256 : bool
        Hash each file too.
    progress : object with update(n_frames), optional
        Told of what is done, in place of a progress bar; what it raises ends the check.

    Returns
    -------
    Health

    Raises
    ------
    DataError
        When `n_jobs` is no number of threads.
    """
    threads = min(len(files), n_workers(n_jobs))
    none = np.empty((0, 2), np.int64), np.empty((0, 2))
    bonds, limits = none if topology is None else bond_limits(topology)
    total = sum(file.n_frames for file in files)
    shown = (
        progress_bar(total=total, description="check", unit=" frames") if progress is None else nullcontext(progress)
    )
    with shown as bar:

        def look(item: tuple[TrajectoryFile, str]) -> Seen:
            file, name = item
            seen = Seen(name, file)
            if topology is None or file.n_atoms == topology.n_atoms:
                look_through(seen, bonds, limits, bar)
            else:
                look_through(seen, *none, bar)
            if sha256 and file.path.is_file() and not file.member:  # of many in one file it would tell nothing
                seen.sha256 = sha256_of(file.path)
            return seen

        items = list(zip(files, names, strict=True))
        if threads == 1:
            seen = [look(item) for item in items]
        else:
            with ThreadPoolExecutor(threads, thread_name_prefix="mdnb-health") as pool:
                seen = list(pool.map(look, items))
    found = [one for part in seen for one in findings_of(part, topology, bonds)] + shared_findings(seen)
    order = {name: number for number, name in enumerate(names)}
    found.sort(key=lambda one: (order[one.file], SEVERITIES.index(one.severity)))
    return Health(
        tuple(found),
        {part.name: sum(map(len, part.numbers)) for part in seen},
        {part.name: part.sha256 for part in seen if part.sha256},
    )

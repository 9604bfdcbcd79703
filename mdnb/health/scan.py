"""The check of every frame of files: streamed, in bounded memory, several files at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mdnb.errors import DataError
from mdnb.files import sha256_of
from mdnb.formats.base import ONE_READER, UNREADABLE, Frames, TrajectoryFile
from mdnb.health.bond_limits import bond_limits
from mdnb.health.findings import SEVERITIES, Finding, Health, frame_ranges
from mdnb.health.quick import quick_findings, time_findings
from mdnb.machine import n_workers
from mdnb.progress import progress_bar

if TYPE_CHECKING:
    import mdtraj

__all__ = ["check_files"]

_BLOCK_BYTES = 4_000_000


@dataclass
class _Seen:
    """What was seen of one file."""

    name: str
    file: TrajectoryFile
    times: list[np.ndarray] = field(default_factory=list)
    numbers: list[np.ndarray] = field(default_factory=list)
    hashes: list[np.ndarray] = field(default_factory=list)
    counts: list[np.ndarray] = field(default_factory=list)
    worst: list[np.ndarray] = field(default_factory=list)
    unreadable: dict[int, str] = field(default_factory=dict)
    boxes: int = 0
    flat: list[int] = field(default_factory=list)
    first: np.ndarray | None = None
    still: np.ndarray | None = None
    sha256: str = ""


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

        def look(item: tuple[TrajectoryFile, str]) -> _Seen:
            file, name = item
            seen = _Seen(name, file)
            if topology is None or file.n_atoms == topology.n_atoms:
                _scan(seen, bonds, limits, bar)
            else:
                _scan(seen, *none, bar)
            if sha256 and file.path.is_file() and not file.member:  # of many in one file it would tell nothing
                seen.sha256 = sha256_of(file.path)
            return seen

        items = list(zip(files, names, strict=True))
        if threads == 1:
            seen = [look(item) for item in items]
        else:
            with ThreadPoolExecutor(threads, thread_name_prefix="mdnb-health") as pool:
                seen = list(pool.map(look, items))
    found = [one for part in seen for one in _findings(part, topology, bonds)] + _shared(seen)
    order = {name: number for number, name in enumerate(names)}
    found.sort(key=lambda one: (order[one.file], SEVERITIES.index(one.severity)))
    return Health(
        tuple(found),
        {part.name: sum(map(len, part.numbers)) for part in seen},
        {part.name: part.sha256 for part in seen if part.sha256},
    )


def _blocks(seen: _Seen) -> Iterator[tuple[int, Frames]]:
    """Read a file block by block; where a block cannot be read, frame by frame, noting what cannot."""
    file = seen.file
    size = int(np.clip(_BLOCK_BYTES // (12 * max(file.n_atoms, 1)), 1, 1024))
    for start in range(0, file.n_frames, size):
        stop = min(start + size, file.n_frames)
        try:
            yield start, _read(file, start, stop)
            continue
        except (*UNREADABLE, DataError) as error:
            if stop - start == 1:
                seen.unreadable[start] = str(error)
                continue
        for frame in range(start, stop):
            try:
                one = _read(file, frame, frame + 1)
            except (*UNREADABLE, DataError) as error:
                seen.unreadable[frame] = str(error)
                continue
            yield frame, one


def _read(file: TrajectoryFile, start: int, stop: int) -> Frames:
    with nullcontext() if file.concurrent else ONE_READER:
        frames = file.read(start, stop, 1, None, False, False)
    if frames.positions.shape != (stop - start, file.n_atoms, 3):
        raise file.error(f"{stop - start} frames expected, got positions of shape {frames.positions.shape}")
    return frames


def _scan(seen: _Seen, bonds: np.ndarray, limits: np.ndarray, bar: Any) -> None:
    from mdnb.health.kernels import inspect
    from mdnb.periodic import KIND, describe_boxes

    done = 0
    for start, frames in _blocks(seen):
        positions = np.ascontiguousarray(frames.positions, np.float32)
        n_frames = len(positions)
        if seen.first is None:
            seen.first, seen.still = positions[0].copy(), np.ones(positions.shape[1], bool)
        boxes = describe_boxes(np.zeros((n_frames, 3, 3)) if frames.box is None else frames.box.astype(np.float64))
        if frames.box is not None:
            seen.boxes += n_frames
            seen.flat += (np.flatnonzero(boxes[:, KIND[0], KIND[1]] == 0) + start).tolist()
        hashes, counts = np.empty(n_frames, np.uint64), np.empty((n_frames, 4), np.int64)
        worst = np.empty((n_frames, 2))
        bits = positions.reshape(n_frames, -1).view(np.uint32)
        inspect(positions, bits, bonds, limits, boxes, seen.first, seen.still, hashes, counts, worst)
        seen.times.append(np.array(frames.time, np.float64))
        seen.numbers.append(np.arange(start, start + n_frames))
        seen.hashes.append(hashes)
        seen.counts.append(counts.astype(np.int32))
        seen.worst.append(worst.astype(np.float32))
        bar.update(start + n_frames - done)
        done = start + n_frames
    bar.update(seen.file.n_frames - done)


def _findings(seen: _Seen, topology: mdtraj.Topology | None, bonds: np.ndarray) -> list[Finding]:
    """Return what was found in one file."""
    file, name = seen.file, seen.name
    found = [one for one in quick_findings(file, name) if not one.kind.startswith("time")]

    def add(kind: str, severity: str, what: str, advice: str, frames: Any = ()) -> None:
        found.append(Finding(name, kind, severity, what, advice, tuple(int(frame) for frame in frames)))

    if topology is not None and file.n_atoms != topology.n_atoms:
        add(
            "atom-count", "error", f"it has {file.n_atoms:,} atoms, the topology has {topology.n_atoms:,}",
            "give the topology of the atoms that were written (gmx trjconv -dump 0 with the same group)",
        )  # fmt: skip
    if seen.unreadable:
        bad = list(seen.unreadable)
        add(
            "unreadable", "error", f"{frame_ranges(bad)} cannot be read: {seen.unreadable[bad[0]]}",
            "copy the file again; gmx check -f says where it breaks, gmx trjconv -b/-e writes the parts around it",
            bad,
        )  # fmt: skip
    if not seen.numbers:
        return found
    numbers, counts = np.concatenate(seen.numbers), np.concatenate(seen.counts)
    worst, hashes = np.concatenate(seen.worst), np.concatenate(seen.hashes)
    found += time_findings(np.concatenate(seen.times), name)
    broken, far, cut, implausible = (numbers[counts[:, column] > 0] for column in range(4))
    if len(broken):
        add(
            "not-finite", "error", f"{frame_ranges(broken)} hold NaN or infinite coordinates",
            "the simulation blew up or the file is damaged: leave those frames out (gmx trjconv -b/-e)", broken,
        )  # fmt: skip
    if len(far):
        add(
            "far-away", "error", f"{frame_ranges(far)} hold atoms more than 10,000 nm from the origin",
            "the file is damaged or the unit is wrong: copy it again and compare its sha256", far,
        )  # fmt: skip
    if len(implausible):
        found.append(_bond_finding(seen, topology, bonds, numbers, implausible, worst))
    if len(cut):
        add(
            "cut-molecules", "note", f"molecules are cut by the border of the box in {frame_ranges(cut)}",
            "mdnb.load makes them whole (make_whole=True); for other programs: gmx trjconv -pbc whole -s topol.tpr",
            cut,
        )  # fmt: skip
    if 0 < len(seen.flat) < seen.boxes:  # all zeros is how some formats say that there is none
        add(
            "no-box", "warning", f"the box is zero, flat or no number in {frame_ranges(seen.flat)}",
            "nearest images are not taken there and molecules stay cut; write the box (gmx trjconv -box), or leave "
            "those frames out", seen.flat,
        )  # fmt: skip
    same = _repeats(hashes)
    if len(same):
        add(
            "duplicates", "error", f"{frame_ranges(numbers[same])} repeat earlier frames exactly",
            "frames of a restart were appended twice: split with gmx trjconv -b/-e and join with gmx trjcat",
            numbers[same],
        )  # fmt: skip
    still = seen.still
    if still is not None and len(numbers) > 2 and len(same) < len(numbers) - 1 and still.any():
        add(
            "frozen", "note", f"{int(still.sum()):,} of {len(still):,} atoms never move (first: atom "
            f"{int(np.flatnonzero(still)[0])})",
            "fine for frozen groups (freezegrps); else the file holds positions of another run there",
        )  # fmt: skip
    return found


def _bond_finding(
    seen: _Seen, topology: Any, bonds: np.ndarray, numbers: np.ndarray, bad: np.ndarray, worst: np.ndarray
) -> Finding:
    """Return the finding on implausible bonds."""
    row = int(np.flatnonzero(numbers == bad[0])[0])
    i, j = bonds[int(worst[row, 0])] if worst[row, 0] >= 0 else bonds[0]
    what = (
        f"implausible bond lengths in {frame_ranges(bad)}: {topology.atom(int(i))} to {topology.atom(int(j))} is "
        f"{worst[row, 1]:.3g} nm in frame {bad[0]}"
    )
    if len(bad) > 0.9 * len(numbers) and len(numbers) > 1:
        advice = "the topology is that of another system, or its atoms stand in another order; give the right one"
        if not seen.boxes:
            advice += "; or molecules were cut by a box that the file does not hold (gmx trjconv -pbc whole)"
    else:
        advice = (
            "those frames are damaged (the format has no checksum) or the simulation blew up: compare the sha256 with "
            "the original's, copy again, or leave them out (gmx trjconv -b/-e)"
        )
    return Finding(seen.name, "bonds", "error", what, advice, tuple(bad.tolist()))


def _repeats(hashes: np.ndarray) -> np.ndarray:
    """Return where a hash stands that stood before."""
    _, first = np.unique(hashes, return_index=True)
    again = np.ones(len(hashes), bool)
    again[first] = False
    return np.flatnonzero(again)


def _shared(seen: Sequence[_Seen]) -> list[Finding]:
    """Return which files hold frames of files before them: such frames leak from training to validation."""
    found = []
    digests: dict[str, str] = {}
    before: list[tuple[str, np.ndarray]] = []
    for part in seen:
        hashes = np.concatenate(part.hashes) if part.hashes else np.empty(0, np.uint64)
        if part.sha256 and part.sha256 in digests:
            found.append(
                Finding(
                    part.name, "same-file", "error", f"it is the same file, byte for byte, as {digests[part.sha256]}",
                    "leave one of the two out: copies on both sides of a split make a model look better than it is",
                )
            )  # fmt: skip
            continue
        digests.setdefault(part.sha256, part.name)
        for other, theirs in before:
            common = np.flatnonzero(np.isin(hashes, theirs))
            if len(common):
                numbers = np.concatenate(part.numbers)[common]
                found.append(
                    Finding(
                        part.name, "shared-frames", "warning", f"{frame_ranges(numbers)} are also in {other}",
                        "join the parts with gmx trjcat, which drops the overlap, or load them as one trajectory",
                        tuple(numbers.tolist()),
                    )
                )  # fmt: skip
        before.append((part.name, hashes))
    return found

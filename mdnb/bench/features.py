"""``mdnb bench features``: reading and featurizing beside mdtraj and MDAnalysis, timed in turns in one run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from mdnb.bench.contenders import decoders, featurizers, has_mdanalysis, our_features
from mdnb.bench.systems import write_protein, write_small
from mdnb.errors import DataError
from mdnb.progress import progress_bar

__all__ = ["bench_features", "peak_memory"]

#: Seconds after which one contender is not run again.
_ENOUGH = 20.0


def bench_features(n_frames: int = 20_000, n_small: int = 250_000, rounds: int = 3) -> str:
    """Measure and return the tables as text.

    Parameters
    ----------
    n_frames : int
        Of 3,320 atoms.
    n_small : int
        Frames of 22 atoms.
    rounds : int
        Each contender runs once a round, in turns; the median counts.

    Raises
    ------
    DataError
        For numbers that are too small to measure anything.
    """
    if min(n_frames, n_small) < 8 or rounds < 1:
        raise DataError(
            f"got {n_frames} and {n_small} frames in {rounds} rounds: expected at least 8 frames and 1 round"
        )
    with tempfile.TemporaryDirectory(prefix="mdnb-bench-") as name:
        folder = Path(name)
        protein, small = write_protein(folder, n_frames), write_small(folder, n_small)
        parts = [f"Medians of {rounds} rounds in turns, {os.cpu_count()} cores; ratio: how many times mdnb's time."]
        if not has_mdanalysis():
            parts.append("MDAnalysis is not installed and left out.")
        for (xtc, pdb), count in ((protein, n_frames), (small, n_small)):
            times, _ = _in_turns(decoders(xtc, pdb), rounds, "decode")
            parts.append(_table(f"XTC decoding, {_size(xtc, pdb, count)}", times, count))
        contenders = featurizers(*protein)
        _warm_up(*protein)
        table_bytes = 4 * n_frames * sum(_columns(protein[1]))
        times, difference = _in_turns(contenders, rounds, "end to end", table_bytes)
        sines, distances, _ = _columns(protein[1])
        what = f"{sines:,} sines and cosines, {distances:,} CA distances, RMSD"
        parts.append(_table(f"File to features, {_size(*protein, n_frames)}: {what}", times, n_frames))
        parts.append(f"Largest difference between the tables: {difference:.1e} (first rows, nm or pure number)")
        parts.append(_store(folder, protein, n_frames))
    return "\n\n".join(parts)


def _warm_up(xtc: Path, pdb: Path) -> None:
    """Compile, or load what was compiled, before the clock runs."""
    import mdnb

    mdnb.featurize(mdnb.load(mdnb.load(xtc, top=pdb).frames(range(8))), our_features())


def _in_turns(
    contenders: Mapping[str, Callable[[], Any]], rounds: int, description: str, n_bytes: int = 0
) -> tuple[dict[str, list[float]], float]:
    """Return the seconds of each run, and the largest difference between the first rows of what was returned.

    Before each run `n_bytes` of memory are touched and freed: a virtual machine takes seconds to find memory
    that nobody has used for a while, and whoever comes first would pay for all.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    rows: list[np.ndarray] = []
    with progress_bar(total=rounds * len(contenders), description=description, unit="run") as bar:
        for number in range(rounds):
            for name, run in contenders.items():
                if sum(times[name]) < _ENOUGH:
                    np.empty(n_bytes, np.uint8).fill(1)
                    start = perf_counter()
                    table = run()
                    times[name].append(perf_counter() - start)
                    if number == 0 and table is not None:
                        rows.append(np.array(table[:500]))
                    del table
                bar.update()
    return times, max((float(np.abs(one - rows[0]).max()) for one in rows), default=0.0)


def _store(folder: Path, files: tuple[Path, Path], n_frames: int) -> str:
    """Return the table of the store: time and memory for a quarter of the frames and for all."""
    lines = ["Into a store on disk, one thread (a process each): seconds, again from it, peak memory over the start"]
    for count in (n_frames // 4, n_frames):
        with tempfile.TemporaryDirectory(dir=folder) as cache:
            code = "import sys; from mdnb.bench.features import peak_memory; peak_memory(*sys.argv[1:])"
            command = [sys.executable, "-c", code, *map(str, files), cache, str(count)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise DataError(f"the measurement of memory failed: {done.stderr.strip()[-500:]}")
            found = json.loads(done.stdout.splitlines()[-1])
        memory = f"{found['peak_mb']:8.0f} MB" if found["peak_mb"] is not None else "unknown here"
        lines.append(f"  {count:>9,} frames  {found['seconds']:8.2f} s  {found['again']:8.2f} s  {memory}")
    return "\n".join(lines)


def peak_memory(xtc: str, pdb: str, cache: str, count: str) -> None:
    """Featurize the first frames of a file into a store, in a process of its own, and write what it took as JSON."""
    import mdnb

    _warm_up(Path(xtc), Path(pdb))
    trajectories, n_frames = mdnb.load(xtc, top=pdb), int(count)
    if n_frames < trajectories.n_frames:  # the beginning of the file as a file
        end = int(trajectories._files[0]._starts[n_frames])  # type: ignore[attr-defined]  # of an XTC file
        part = Path(cache) / "part.xtc"
        with open(xtc, "rb") as whole:
            part.write_bytes(whole.read(end))
        trajectories = mdnb.load(part, top=pdb)
    before = _memory("VmRSS")
    if before is not None:
        Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    start = perf_counter()
    mdnb.featurize(trajectories, our_features(), cache=cache)
    seconds = perf_counter() - start
    peak = _memory("VmHWM")
    start = perf_counter()
    mdnb.featurize(trajectories, our_features(), cache=cache)
    again = perf_counter() - start
    peak_mb = None if peak is None or before is None else max(0.0, peak - before)
    sys.stdout.write(json.dumps({"seconds": seconds, "again": again, "peak_mb": peak_mb}) + "\n")


def _memory(which: str) -> float | None:
    """Return the memory (VmRSS) or its peak (VmHWM) of this process in MB; None where the system does not tell."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    line = next(line for line in status.read_text().splitlines() if line.startswith(which))
    return int(line.split()[1]) / 1024


def _size(xtc: Path, pdb: Path, n_frames: int) -> str:
    import mdtraj

    n_atoms = mdtraj.load_topology(str(pdb)).n_atoms
    return f"{n_frames:,} frames x {n_atoms:,} atoms, {xtc.stat().st_size / 1e6:.0f} MB"


def _columns(pdb: Path) -> list[int]:
    """Return how many columns each of `our_features` has."""
    import mdtraj

    frame = mdtraj.load(str(pdb))
    makers = our_features()
    for maker in makers:
        maker.prepare(frame.topology, frame.xyz[0])
    return [len(maker.columns) for maker in makers]


def _table(title: str, times: Mapping[str, list[float]], n_frames: int) -> str:
    middle = {name: median(values) for name, values in times.items()}
    first = next(iter(middle.values()))
    width = max(map(len, middle))
    lines = [
        f"  {name:<{width}}  {seconds:8.3f} s  {n_frames / seconds:12,.0f} frames/s  {seconds / first:6.2f}"
        f"  ({min(times[name]):.3f} to {max(times[name]):.3f})"
        for name, seconds in middle.items()
    ]
    return "\n".join([title, *lines])

"""``mdnb bench features``: reading and featurizing beside mdtraj and MDAnalysis, timed in turns in one run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np

from mdnb.bench.contenders import Table, decoders, featurizers, has_mdanalysis, our_features, ours
from mdnb.bench.processes import in_process
from mdnb.bench.systems import boxed, other_formats, repeated, write_protein, write_small
from mdnb.errors import DataError
from mdnb.progress import progress_bar

__all__ = ["bench_features"]

#: Seconds after which one contender is not run again.
_ENOUGH = 60.0


def bench_features(n_frames: int = 20_000, n_small: int = 250_000, rounds: int = 3) -> str:
    """Measure and return the tables as text.

    Parameters
    ----------
    n_frames : int
        Of 3,341 atoms.
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
        return "\n\n".join(_sections(Path(name), n_frames, n_small, rounds))


def _sections(folder: Path, n_frames: int, n_small: int, rounds: int) -> Iterator[str]:
    protein, small = write_protein(folder, n_frames), write_small(folder, n_small)
    yield (
        f"Medians of {rounds} rounds in turns, {os.cpu_count()} cores: seconds, of all cores together in brackets, and "
        "how many times mdnb's both are.\nOn a busy machine only those in brackets mean something."
    )
    if not has_mdanalysis():
        yield "MDAnalysis is not installed and left out."
    for files, count in ((protein, n_frames), (small, n_small)):
        times, _ = _in_turns(decoders(*files), rounds, "decode")
        yield _table(f"XTC decoding, {_size(*files, count)}", times, count)
    part = max(8, n_frames // 10)
    for file in other_formats(*protein, part):
        times, _ = _in_turns(decoders(file, protein[1], mdanalysis=False), max(rounds, 5), "decode")
        yield _table(f"{file.suffix[1:].upper()} decoding, {_size(file, protein[1], part)}", times, part)
        file.unlink()

    _warm_up(*protein)
    times, tables = _in_turns(featurizers(*protein), rounds, "end to end")
    what = f"{next(iter(tables.values()))[0].shape[1]} sines and cosines, {_n_contacts(protein[1]):,} CA contacts, RMSD"
    yield _table(f"File to features, {_size(*protein, n_frames)}: {what}", times, n_frames)
    yield _differences(tables)
    inside = boxed(*protein, part), protein[1]
    times, tables = _in_turns(featurizers(*inside), rounds, "in a box")
    yield _table(f"The same in a rhombic dodecahedron, {_size(*inside, part)}: nearest images", times, part)
    yield _differences(tables)
    inside[0].unlink()
    if find_spec("distributed") is not None:
        for times_as_many in (1, 10):
            yield _cluster(folder, protein, n_frames, times_as_many, rounds)
    yield _growth(folder, protein, n_frames, rounds)
    yield _store(folder, protein, n_frames)
    yield _first_call(folder)


def _warm_up(xtc: Path, pdb: Path) -> None:
    """Compile, or load what was compiled, before the clock runs."""
    import mdnb

    mdnb.featurize(mdnb.load(mdnb.load(xtc, top=pdb).frames(range(8))), our_features())


def _in_turns(
    contenders: Mapping[str, Callable[[], Any]], rounds: int, description: str
) -> tuple[dict[str, list[tuple[float, float]]], dict[str, Table]]:
    """Return the seconds of each run, by the clock and of the processor, and what each contender returned first.

    Before each run as much memory is touched and freed as the result takes: a virtual machine takes seconds to find
    memory that nobody has used for a while, and whoever comes first would pay for all.
    """
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    tables: dict[str, Table] = {}
    n_bytes = 0
    with progress_bar(total=rounds * len(contenders), description=description, unit="run") as bar:
        for _ in range(rounds):
            for name, run in contenders.items():
                if sum(wall for wall, _ in times[name]) < _ENOUGH:
                    np.empty(n_bytes, np.uint8).fill(1)
                    start, used = perf_counter(), process_time()
                    table = run()
                    times[name].append((perf_counter() - start, process_time() - used))
                    if table is not None:
                        tables.setdefault(name, table)
                        n_bytes = sum(part.nbytes for part in table)
                    del table
                bar.update()
    return times, tables


def _differences(tables: Mapping[str, Table]) -> str:
    """Return how far the others' numbers are from ours."""
    (_, (sines, bits, rmsds)), *others = tables.items()
    lines = [f"Largest differences from the first table, all {len(sines):,} frames"]
    for name, (other_sines, other_bits, other_rmsds) in others:
        n_contacts = int(np.bitwise_count(other_bits ^ bits).sum(dtype=np.int64))
        lines.append(
            f"  {name:<16}{np.abs(other_sines - sines).max():8.1e} of a sine or cosine, "
            f"{np.abs(other_rmsds - rmsds).max():8.1e} nm of an RMSD, {n_contacts} contacts"
        )
    return "\n".join(lines)


def _cluster(folder: Path, files: tuple[Path, Path], n_frames: int, times_as_many: int, rounds: int) -> str:
    """Return the table of one core and of a Dask cluster of two workers on this machine."""
    import mdtraj
    from distributed import Client, LocalCluster

    top = mdtraj.load_topology(str(files[1]))
    xtc = files[0] if times_as_many == 1 else repeated(files[0], times_as_many)
    with (
        tempfile.TemporaryDirectory(dir=folder) as local,
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=local) as cluster,
        Client(cluster) as client,
    ):
        ours(xtc, top, client=client)  # the workers import and load what was compiled
        times, tables = _in_turns(
            {"mdnb, 1 thread": lambda: ours(xtc, top), "mdnb, 2 workers": lambda: ours(xtc, top, client=client)},
            max(rounds, 3),
            "cluster",
        )
    same = all(one.tobytes() == other.tobytes() for one, other in zip(*tables.values(), strict=True))
    if times_as_many > 1:
        xtc.unlink()
    count = times_as_many * n_frames
    return _table(
        f"{count:,} frames by a Dask LocalCluster of two workers (in brackets: this process alone)", times, count
    ) + ("\n  the same bits" if same else "\n  DIFFERENT bits")


def _growth(folder: Path, files: tuple[Path, Path], n_frames: int, rounds: int) -> str:
    """Return the table of times over numbers of frames and of columns."""
    import mdtraj

    import mdnb
    from mdnb.features import CADistances

    xtc, pdb = files[0], mdtraj.load_topology(str(files[1]))
    lines = ["Growth, one thread: seconds, and per million frames or per million numbers"]
    for count in (n_frames // 4, n_frames // 2, n_frames):
        part = write_protein(folder / f"part-{count}", count)[0] if count < n_frames else xtc
        seconds = _median(lambda part=part: ours(part, pdb), rounds)  # type: ignore[misc]
        lines.append(f"  {count:>9,} frames   {seconds:8.3f} s  {1e6 * seconds / count:8.1f} s")
    frames = mdnb.load(mdnb.load(xtc, top=pdb).frames(slice(0, min(n_frames, 1000))))
    for apart in (150, 90, 1):
        made = mdnb.featurize(frames, CADistances(min_residues=apart))
        seconds = _median(lambda apart=apart: mdnb.featurize(frames, CADistances(min_residues=apart)), rounds)  # type: ignore[misc]
        n_numbers = len(made) * len(made.columns)
        lines.append(f"  {len(made.columns):>9,} columns  {seconds:8.3f} s  {1e6 * seconds / n_numbers:8.4f} s")
    return "\n".join(lines)


def _median(run: Callable[[], Any], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        start = perf_counter()
        run()
        times.append(perf_counter() - start)
    return median(times)


def _store(folder: Path, files: tuple[Path, Path], n_frames: int) -> str:
    """Return the table of the store: time and memory for the frames and for ten times as many."""
    lines = ["Into a store on disk, one thread (a process each): seconds, again from it, peak memory over the start"]
    for times in (1, 10):
        with tempfile.TemporaryDirectory(dir=folder) as cache:
            xtc = files[0] if times == 1 else repeated(files[0], times)
            found = in_process("peak_memory", str(xtc), str(files[1]), cache)
            if times > 1:
                xtc.unlink()
        memory = f"{found['peak_mb']:8.0f} MB" if found["peak_mb"] is not None else "unknown here"
        count = times * n_frames
        lines.append(f"  {count:>9,} frames  {found['seconds']:8.2f} s  {found['again']:8.2f} s  {memory}")
    return "\n".join(lines)


def _first_call(folder: Path) -> str:
    """Return the table of the first call in a fresh process, with compiled code on the disk and without."""
    xtc, pdb = map(str, write_protein(folder / "few", 400))
    lines = ["First call in a fresh process, 400 frames: what it takes longer than the second one"]
    with tempfile.TemporaryDirectory(dir=folder) as empty:
        for what, environment in (
            ("nothing compiled yet", {"NUMBA_CACHE_DIR": empty}),
            ("compiled before", {"NUMBA_CACHE_DIR": empty}),
        ):
            found = in_process("first_call", xtc, pdb, **environment)
            says = ", says that it compiles" if "compiling" in found["stderr"] else ""
            lines.append(
                f"  {what:<21}{found['first'] - found['second']:8.2f} s  (imports {found['imports']:.2f} s{says})"
            )
    return "\n".join(lines)


def _size(file: Path, pdb: Path, n_frames: int) -> str:
    import mdtraj

    n_atoms = mdtraj.load_topology(str(pdb)).n_atoms
    return f"{n_frames:,} frames x {n_atoms:,} atoms, {file.stat().st_size / 1e6:.0f} MB"


def _n_contacts(pdb: Path) -> int:
    import mdtraj

    frame = mdtraj.load(str(pdb))
    contacts = our_features()[1]
    contacts.prepare(frame.topology, frame.xyz[0])
    return len(contacts.columns)


def _table(title: str, times: Mapping[str, list[tuple[float, float]]], n_frames: int) -> str:
    middle = {name: [median(some) for some in zip(*values, strict=True)] for name, values in times.items()}
    first = next(iter(middle.values()))
    width = max(map(len, middle))
    lines = [
        f"  {name:<{width}}  {wall:8.3f} s  [{used:8.3f} s]  {n_frames / wall:12,.0f} frames/s  {wall / first[0]:6.2f}"
        f"  [{used / max(first[1], 1e-9):6.2f}]"
        for name, (wall, used) in middle.items()
    ]
    return "\n".join([title, *lines])

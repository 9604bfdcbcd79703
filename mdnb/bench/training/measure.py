"""The clock: everyone's epoch in turns, and the tables."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import numpy as np

from mdnb.bench.training.contenders import OURS, Contender, contenders, missing
from mdnb.bench.training.problems import Problem, problems
from mdnb.errors import DataError
from mdnb.progress import progress_bar
from mdnb.training import fit, torch_threads

__all__ = ["bench_training"]

#: Epochs more in the longer of the two trainings, whose difference is counted.
_MORE = 2
#: Seconds of the wall, and of the processor.
Clock = tuple[float, float]


def bench_training(n_frames: int = 200_000, rounds: int = 3, threads: int = 1) -> str:
    """Measure and return the tables as text.

    Parameters
    ----------
    n_frames : int
        Training samples of the smallest networks; a 20th to a 200th for the others.
    rounds : int
        Everyone trains once a round, in turns; the median counts.
    threads : int
        Processor threads for everyone.

    Raises
    ------
    DataError
        For numbers that are too small to measure anything.
    """
    if n_frames < 20_000 or rounds < 1 or threads < 1:
        raise DataError(
            f"got {n_frames} frames, {rounds} rounds, {threads} threads: expected at least 20,000 frames, 1 and 1"
        )
    parts = [
        f"Seconds of an epoch: medians of {rounds} rounds in turns, {threads} of {os.cpu_count()} threads. An epoch\n"
        f"is the difference between a training of {1 + _MORE} epochs and one of 1: what is done once is not\n"
        "counted; mdnb also validates in each. Ratios: how many times mdnb's, of the wall's and of the processor's\n"
        "seconds; on a busy machine only the latter mean something."
    ]
    if missing():
        parts.append(f"Not installed and left out: {', '.join(missing())} (pip install {' '.join(missing())}).")
    with torch_threads(threads):
        for problem in problems(n_frames):
            parts += [
                _table(problem.title(size), _in_turns(contenders(problem, size, threads), rounds, problem.name))
                for size in problem.batch_sizes
            ]
        parts.append(_streamed(problems(n_frames)[0], rounds, threads))
    return "\n\n".join(parts)


def _in_turns(found: Mapping[str, Contender], rounds: int, description: str) -> dict[str, list[Clock]]:
    times: dict[str, list[Clock]] = {name: [] for name in found}
    with progress_bar(total=(rounds + 1) * len(found), description=description, unit="run") as bar:
        for number in range(rounds + 1):
            for name, train in found.items():
                one = _clocked(lambda train=train: train(1))  # type: ignore[misc]  # the default holds the variable
                if number:  # the first round loads what is loaded once
                    more = _clocked(lambda train=train: train(1 + _MORE))  # type: ignore[misc]  # the same
                    times[name].append(((more[0] - one[0]) / _MORE, (more[1] - one[1]) / _MORE))
                bar.update()
    return times


def _clocked(run: Callable[[], object]) -> Clock:
    start, worked = perf_counter(), process_time()
    run()
    return perf_counter() - start, process_time() - worked


def _table(title: str, times: Mapping[str, list[Clock]]) -> str:
    middle = {name: tuple(median(column) for column in zip(*values, strict=True)) for name, values in times.items()}
    wall, worked = next(iter(middle.values()))
    width = max(map(len, middle))
    lines = [
        f"  {name:<{width}}  {one:8.3f} s wall  {other:8.3f} s processor  {one / wall:6.2f}  {other / worked:6.2f}"
        for name, (one, other) in middle.items()
    ]
    return "\n".join([title, *lines])


def _streamed(problem: Problem, rounds: int, threads: int) -> str:
    """Return the table of features that are read from disk while training, as those larger than memory are."""
    batch_size = problem.batch_sizes[-1]
    with tempfile.TemporaryDirectory(prefix="mdnb-bench-") as folder:
        path = Path(folder) / "values.npy"
        np.save(path, problem.features.values)
        mapped = replace(problem.features, values=np.load(path, mmap_mode="r"))

        def streamed(epochs: int) -> object:
            before = os.environ.get("MDNB_MEMORY")
            os.environ["MDNB_MEMORY"] = "0"
            try:
                return fit(mapped, None, problem.spec, problem.training(epochs, batch_size, threads))
            finally:
                del os.environ["MDNB_MEMORY"]
                if before is not None:
                    os.environ["MDNB_MEMORY"] = before

        ours = contenders(problem, batch_size, threads)[OURS]
        times = _in_turns({"in memory": ours, "streamed from disk": streamed}, rounds, "streamed")
    return _table(f"Streamed, {problem.title(batch_size)}", times)

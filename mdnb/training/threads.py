"""How many processor threads a training gets: tried out once for each kind of step, and remembered.

Two threads gain up to twofold for large steps, lose for small ones, and on a busy machine wait for each other longer
than one works. The number changes the last bits of some results, so that what was found is kept for this machine:
the same training is the same again.
"""

from __future__ import annotations

import json
import logging
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import torch

from mdnb.files import write_whole
from mdnb.machine import n_cores, user_cache

__all__ = ["choose_threads", "torch_threads"]

_LOG = logging.getLogger(__name__)
#: Floating-point operations of a step's forward pass below which a second thread cannot pay.
_SMALL = 2e7
#: How many times as fast more threads have to be.
_GAIN = 1.15
#: Tries of each number of threads, and the seconds after which it is enough.
_TRIES, _ENOUGH = 5, 1.0
#: Entries of the file; the oldest are dropped.
_REMEMBERED = 1000


@contextmanager
def torch_threads(n_threads: int) -> Iterator[None]:
    """Let torch use so many threads: on a busy machine two wait for each other longer than one works."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, n_threads))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def choose_threads(kind: str, step: Callable[[], object]) -> int:
    """Return the number of threads with which a step is fastest, 1 unless more gain 15%.

    Parameters
    ----------
    kind : str
        What decides how long a step takes; the answer is remembered for it.
    step : function
        Does one step without consequences.
    """
    most = n_cores()
    if most < 2 or _flops(step) < _SMALL:
        return 1
    key = f"{kind}, {most} cores, torch {torch.__version__}, {platform.processor() or platform.machine()}"
    known = _read()
    if key not in known:
        one, all_cores = _seconds(step, (1, most))
        known[key] = most if _GAIN * all_cores < one else 1
        _write(dict(list(known.items())[-_REMEMBERED:]))
    return min(known[key], most)


def _flops(step: Callable[[], object]) -> float:
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with torch_threads(1), counter:
        step()
    return float(counter.get_total_flops())


def _seconds(step: Callable[[], object], choices: Sequence[int]) -> list[float]:
    """Return the median time of a few steps with each number of threads, in turns; about two seconds at most.

    In turns, so that what else runs on the machine troubles all; and the median, since on a busy machine more
    threads are quick only now and then.
    """
    times: dict[int, list[float]] = {n_threads: [] for n_threads in choices}
    began = time.perf_counter()
    while len(times[choices[0]]) < _TRIES and time.perf_counter() - began < _ENOUGH:
        for n_threads in choices:
            with torch_threads(n_threads):
                step()  # the threads are awake
                start = time.perf_counter()
                step()
                times[n_threads].append(time.perf_counter() - start)
    return [median(values) for values in times.values()]


def _file() -> Path:
    return user_cache() / "threads.json"


def _read() -> dict[str, int]:
    try:
        content = json.loads(_file().read_text(encoding="utf-8"))
        return {str(name): max(1, int(value)) for name, value in content.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError, ArithmeticError, RecursionError) as error:
        _LOG.info("what was found about threads cannot be read (%s); it is tried again", error)
        return {}


def _write(known: dict[str, int]) -> None:
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        write_whole(_file(), lambda path: path.write_text(json.dumps(known, indent=1), encoding="utf-8"))
    except OSError as error:
        _LOG.info("what was found about threads cannot be kept (%s)", error)

"""One pass over trajectories: blocks of frames are read and computed, by several threads where that is asked."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

__all__ = ["announce_compilation", "in_order"]

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def in_order(work: Callable[[_In], _Out], items: Iterable[_In], n_jobs: int) -> Generator[_Out]:
    """Yield ``work(item)`` of each item in order; `n_jobs` threads work, a few items ahead.

    The first item is done by the calling thread (compiled code is compiled once, there). When the caller
    stops (an error, Ctrl-C), what has begun is finished and nothing else is begun.
    """
    rest = iter(items)
    if n_jobs == 1:
        yield from map(work, rest)
        return
    for first in rest:
        yield work(first)
        break
    pending: deque[Future[_Out]] = deque()
    with ThreadPoolExecutor(n_jobs, thread_name_prefix="mdnb") as pool:
        try:
            for item in rest:
                pending.append(pool.submit(work, item))
                if len(pending) >= 4 * n_jobs:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


@contextmanager
def announce_compilation(bar: Any) -> Iterator[None]:
    """Say in the description of a progress bar while numba compiles, which it does once for each machine."""
    from numba.core import event

    description = getattr(bar, "desc", "")  # a silent bar has none

    class Announcer(event.Listener):
        depth = 0

        def on_start(self, event: Any) -> None:
            if self.depth == 0:
                bar.set_description("compiling, once on this machine")
            self.depth += 1

        def on_end(self, event: Any) -> None:
            self.depth -= 1
            if self.depth == 0:
                bar.set_description_str(description)

    with event.install_listener("numba:compile", Announcer()):
        yield

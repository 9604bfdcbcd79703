"""The blocks of one pass, computed by the workers of a Dask cluster."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator, Sequence
from time import perf_counter
from typing import Any, TypeVar

from mdnb.errors import DataError, MissingDependencyError

__all__ = ["check_client", "on_cluster"]

_In = TypeVar("_In")
_Out = TypeVar("_Out")

#: Seconds of work that a task should hold: handing one over takes milliseconds.
_WORTHWHILE = 0.3


def check_client(client: Any, n_jobs: int) -> None:
    """Refuse what is no client of a cluster that has workers.

    Raises
    ------
    DataError
        When it is something else or has no workers, or threads are asked for too.
    MissingDependencyError
        When Dask is not installed.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingDependencyError("distributed", "featurize(client=...)", "cluster") from error
    if not isinstance(client, Client):
        raise DataError(f"client = {client!r}: expected a distributed.Client, such as Client(n_workers=2)")
    if client.asynchronous:
        raise DataError("the client is asynchronous, expected one made without asynchronous=True")
    if n_jobs != 1:
        raise DataError(f"n_jobs = {n_jobs} with a client: the cluster says how many compute; leave n_jobs out")
    if not client.nthreads():
        raise DataError(f"{client!r} has no workers; start some, for example with client.cluster.scale(2)")


def several(work: Callable[[_In], _Out], items: Sequence[_In]) -> list[_Out]:
    """Return ``work(item)`` of each item: one task of a cluster."""
    return [work(item) for item in items]


def on_cluster(client: Any, work: Callable[[_In], _Out], items: Sequence[_In]) -> Generator[_Out]:
    """Yield ``work(item)`` of each item in order; the workers are a few tasks ahead.

    The first items are done here: what is compiled lies on the disk when the workers ask for it, and it is seen how
    many items make a task worth handing over. A task whose worker dies goes to another one. When the caller stops
    (an error, Ctrl-C), the tasks that have not begun are cancelled.
    """
    yield work(items[0])
    start = perf_counter()
    for item in items[1:2]:
        yield work(item)
    seconds = max(perf_counter() - start, 1e-4)
    n_workers = max(1, sum(client.nthreads().values()))
    fair = math.ceil(len(items) / (4 * n_workers))
    size = max(1, min(math.ceil(_WORTHWHILE / seconds), fair))
    rest = [items[place : place + size] for place in range(2, len(items), size)]
    (there,) = client.scatter([work], broadcast=True, hash=False)
    pending: deque[Any] = deque()
    try:
        for some in rest:
            pending.append(client.submit(several, there, some, pure=False))
            if len(pending) >= 3 * n_workers:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()
    finally:
        client.cancel(list(pending))

"""Who goes first in the kernel: what a user just did, before what works in the background."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep

__all__ = ["asked", "behind", "first", "give_way", "let_out"]

#: Seconds that the background stands still after a callback, for its answer to reach the screen.
_AFTER = 0.08
#: Seconds in which the kernel's thread of messages sends what is waiting.
_TURN = 0.002
#: The longest that it stands still for one callback, and the least that it works between two.
_MOST, _LEAST = 0.5, 0.1

_thread = threading.local()
_until = 0.0


@contextmanager
def first() -> Iterator[None]:
    """Let what is done inside, and the way of its answer to the screen, go before threads that are `behind`."""
    global _until
    if getattr(_thread, "behind", False):
        yield
        return
    _until = monotonic() + _MOST
    try:
        yield
    finally:
        _until = monotonic() + _AFTER


def behind() -> None:
    """Put the calling thread behind what a user does: it asks `give_way` often."""
    _thread.behind, _thread.since = True, 0.0


def asked() -> bool:
    """Return whether something goes first just now."""
    return monotonic() < _until


def give_way(stop: threading.Event) -> None:
    """Stand still while something goes first, if the calling thread is `behind` and has worked for a while.

    Parameters
    ----------
    stop : Event
        Ends the standing still.
    """
    if not asked() or not getattr(_thread, "behind", False) or monotonic() - _thread.since < _LEAST:
        return
    end = monotonic() + _MOST
    while (left := min(_until, end) - monotonic()) > 0 and not stop.wait(left):
        pass
    _thread.since = monotonic()


def let_out() -> None:
    """Let the thread that sends the kernel's messages have its turn, before something that takes longer is done."""
    sleep(_TURN)

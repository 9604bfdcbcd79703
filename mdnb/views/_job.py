"""Work in a background thread that can be paused, continued and stopped, so that the kernel stays free."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from threading import Event, Lock, Thread, current_thread, get_native_id
from typing import Any

from mdnb.progress import watched
from mdnb.views import _way

__all__ = ["TRAINING", "Job"]

#: Held by what trains in this process: torch has one state of random numbers, so that two trainings at once would
#: not be what they are alone.
TRAINING = Lock()

#: How much nicer than the kernel a thread is, where the system knows that of threads.
_NICER = 5


def _step_back() -> None:
    """Let kernel, server and browser go first on a busy processor: this thread, and those that it starts."""
    if sys.platform == "linux":  # elsewhere it would be the whole process
        os.setpriority(os.PRIO_PROCESS, get_native_id(), os.getpriority(os.PRIO_PROCESS, get_native_id()) + _NICER)


class Job:
    """One piece of work.

    Parameters
    ----------
    work : callable
        Called with the job, in the thread; it asks `stopped` often, and handles its own errors.
    name : str
        Of the thread.
    on_end : callable
        Called in the thread when nothing is left to do and `alive` is false.
    """

    def __init__(self, work: Callable[[Job], None], name: str, on_end: Callable[[], None]) -> None:
        self._work, self._on_end = work, on_end
        self._stop, self._go, self._ended = Event(), Event(), Event()
        self._go.set()
        #: Whether the work has come to where it waits to be continued.
        self.held = False
        self.thread = Thread(target=self._run, daemon=True, name=name)

    def start(self) -> Job:
        """Begin, and return at once."""
        self.thread.start()
        return self

    def run_here(self) -> None:
        """Do the work in the calling thread; Ctrl-C stops it as `stop` does, and is raised again."""
        try:
            self._work(self)
        except KeyboardInterrupt:
            self.stop()
            raise
        finally:
            self._ended.set()
            self._on_end()

    def _run(self) -> None:
        _step_back()
        _way.behind()
        with watched(lambda done, total: None):  # a bar drawn by a thread would land in some other cell
            self.run_here()

    def stopped(self) -> bool:
        """Return whether it is to stop; waits here while it is paused, and while the kernel answers the user."""
        _way.give_way(self._stop)
        if not self._go.is_set():
            self.held = True
            self._go.wait()
            self.held = False
        return self._stop.is_set()

    def take(self, lock: Any) -> bool:
        """Wait for a lock; return False where it is stopped meanwhile."""
        while not lock.acquire(timeout=0.1):
            if self.stopped():
                return False
        return True

    def pause(self) -> None:
        """Hold the work at the next `stopped`."""
        self._go.clear()

    def resume(self) -> None:
        """Let it go on."""
        self._go.set()

    def stop(self) -> None:
        """End the work at the next `stopped`."""
        self._stop.set()
        self._go.set()

    @property
    def paused(self) -> bool:
        """Whether it waits to be continued."""
        return not self._go.is_set()

    @property
    def alive(self) -> bool:
        """Whether it has not ended yet."""
        return not self._ended.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it ends; Ctrl-C stops it. Return whether it ended."""
        if self.thread is current_thread():
            return False
        try:
            self._ended.wait(timeout)
        except KeyboardInterrupt:
            self.stop()
            self._ended.wait()
            raise
        return not self.alive

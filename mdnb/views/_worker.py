"""A widget that does its work in a background thread, and tells its live half how far it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mdnb.views._job import Job
from mdnb.views._live import error_text
from mdnb.views._view import View

__all__ = ["Worker"]


class Worker(View):
    """Base of the views that train, search or compute.

    Attributes
    ----------
    job : Job or None
        What runs, or ran last.
    error : str
        Why that failed; empty if it did not.
    """

    job: Job | None = None
    error: str = ""
    _listener: Callable[[bool], None] | None = None

    @property
    def running(self) -> bool:
        """Whether something runs, paused or not."""
        return self.job is not None and self.job.alive

    def stop(self) -> None:
        """End what runs at its next step."""
        if self.job is not None:
            self.job.stop()
        self._tell(True)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing runs any more, for a script or the next cell; return whether that is so."""
        return self.job is None or self.job.wait(timeout)

    def close(self) -> None:
        """Stop what runs, and take the live widget away; the value stays."""
        self.stop()
        self.wait(10)
        super().close()

    def _guarded(self, work: Callable[..., None], *given: Any) -> None:
        """Do it in a thread, which has no caller that could see an error: it is kept in `error`."""
        try:
            work(*given)
        except Exception as error:  # noqa: BLE001 - see above
            self.error = error_text(error)

    def _tell(self, at_once: bool) -> None:
        """Tell the live half that something is new; unless `at_once`, it may wait for the next time."""
        listener = self._listener
        if listener is not None:
            listener(at_once)

"""One thing done behind the kernel's back, so that the other cells and controls stay alive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mdnb.views._frame import Frame
from mdnb.views._job import Job
from mdnb.views._live import error_text

__all__ = ["Background"]


class Background:
    """Runs one function at a time in a `Job`; its errors are shown in the widget.

    Parameters
    ----------
    frame : Frame
        Whose errors are shown; when it is closed, what still runs is forgotten as soon as it ends.
    """

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._job: Job | None = None
        self._closed = False
        frame.on_close(self._close)

    @property
    def running(self) -> bool:
        """Whether something runs."""
        return self._job is not None and self._job.alive

    def start(self, work: Callable[[], Any], done: Callable[[Any], None], after: Callable[[], None]) -> bool:
        """Run `work`, hand what it returns to `done`, and call `after` in any case; not while another runs."""
        if self.running:
            return False

        def run(job: Job) -> None:
            try:
                result = work()
                if not self._closed:
                    done(result)
            except Exception as error:  # noqa: BLE001 - a thread has no caller that could see it
                self._show(error_text(error))

        self._job = Job(run, "mdnb-background", lambda: None if self._closed else after())
        self._job.start()
        return True

    def wait(self, seconds: float | None = None) -> None:
        """Wait until nothing runs."""
        if self._job is not None:
            self._job.thread.join(seconds)

    def _close(self) -> None:
        self._closed = True

    def _show(self, text: str) -> None:
        if not self._closed:
            self._frame.show_error(text)

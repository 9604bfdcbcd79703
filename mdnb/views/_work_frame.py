"""The live half of a `Worker`: drawn anew while the work goes on, a few times a second."""

from __future__ import annotations

from threading import RLock
from time import monotonic
from typing import Any

from mdnb.views import _way
from mdnb.views._frame import Frame
from mdnb.views._live import shows_errors

__all__ = ["WorkFrame"]

#: Seconds between two updates of what is on the screen.
_EVERY = 0.2


class WorkFrame(Frame):
    """Base of the live halves of `Worker`; a subclass has a method `draw`. Parameters as for `Frame`."""

    def __init__(self, view: Any, name: str, css_class: str) -> None:
        super().__init__(view, name, css_class)
        self._lock, self._shown, self._closed = RLock(), 0.0, False
        self._filling = False

    def listen(self) -> None:
        """Draw what the view holds, now and whenever it tells of something new; to be called last."""
        self.view._listener = self._on_change
        self.on_close(self._stop_listening)
        self._on_change(True)

    def draw(self) -> None:
        """Put the controls where the view is."""
        raise NotImplementedError

    def _stop_listening(self) -> None:
        self._closed = True
        self.view._listener = None

    @shows_errors
    def _on_change(self, at_once: bool) -> None:
        """See that the view has changed: from any thread, and often."""
        if self._closed or (not at_once and (_way.asked() or monotonic() - self._shown < _EVERY)):
            return
        with self._lock:
            self._shown = monotonic()
            self.draw()

"""The health of files in a `TrajectoryPicker`: what headers tell, and a check of every frame that can be stopped."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from threading import Event, Thread
from time import monotonic
from typing import Any

import ipywidgets

from mdnb.files import size_text
from mdnb.health import Finding
from mdnb.sources.folders import Header
from mdnb.views._live import error_text

__all__ = ["FrameCheck", "findings_html"]

_COLOURS = {"error": "var(--mdnb-error,#b3261e)", "warning": "var(--mdnb-warning,#8a5a00)", "note": "inherit"}


def findings_html(rows: Sequence[tuple[str, int, Header | None, Sequence[Finding]]]) -> str:
    """Return a table of what files tell of themselves, and what was found in each; empty without rows.

    Parameters
    ----------
    rows : sequence of (name, size, Header, findings)
        None instead of a header for a line of words.
    """
    if not rows:
        return ""
    cell = "vertical-align:top;text-align:left;padding:0 12px 0 0"
    right = f"{cell};text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums"
    lines = ""
    for name, size, header, found in rows:
        if header is None:
            lines += f"<tr><td style='{cell}' colspan='6'>{escape(name)}</td></tr>"
            continue
        told = "<br>".join(
            f"<span style='color:{_COLOURS[one.severity]}'>{escape(one.what)}</span>: {escape(one.advice)}"
            for one in found
        )
        step = f"{header.time_step:.4g}" if math.isfinite(header.time_step) else "?"
        numbers = [size_text(size), *("?" if n is None else f"{n:,}" for n in (header.n_frames, header.n_atoms)), step]
        lines += f"<tr><td style='{cell};white-space:nowrap'>{escape(name)}</td>"
        lines += "".join(f"<td style='{right}'>{number}</td>" for number in numbers)
        lines += f"<td style='{cell}'>{told or 'headers in order'}</td></tr>"
    names = ("file", "size", "frames", "atoms", "time step (ps)", "health")
    head = "".join(f"<th style='{right if 0 < i < 5 else cell}'>{name}</th>" for i, name in enumerate(names))
    return f"<table class='mdnb-health' style='margin-left:134px;line-height:1.35'><tr>{head}</tr>{lines}</table>"


class _Stopped(Exception):
    """The user stopped the check."""


class _Progress:
    """Shows how many frames were checked, and ends the check when it is to stop."""

    def __init__(self, bar: ipywidgets.IntProgress, stop: Event) -> None:
        self._bar, self._stop, self._done, self._shown = bar, stop, 0, 0.0

    def update(self, n_frames: int) -> None:
        """Note that so many more frames are done."""
        self._done += n_frames
        if monotonic() - self._shown > 0.2:
            self._bar.value, self._shown = self._done, monotonic()
        if self._stop.is_set():
            raise _Stopped


class FrameCheck:
    """A button that checks every frame of what is picked in a thread, so that the kernel stays free.

    Parameters
    ----------
    picker : TrajectoryPicker
    show_error : callable
        Shows a text.
    """

    def __init__(self, picker: Any, show_error: Callable[[str], None]) -> None:
        self._picker, self._show_error, self._stop = picker, show_error, Event()
        self.thread: Thread | None = None
        self.button = ipywidgets.Button(
            description="Check every frame", tooltip="Reads all files: broken frames, bonds, times, duplicates"
        )
        self.bar = ipywidgets.IntProgress(layout=ipywidgets.Layout(display="none"))
        self.result = ipywidgets.HTML()
        self.box = ipywidgets.VBox([ipywidgets.HBox([self.button, self.bar]), self.result])
        self.button.on_click(self._on_click)
        self.reset()

    def reset(self) -> None:
        """Forget the result: something else is picked."""
        self._stop.set()
        self.result.value = ""
        self.box.layout.display = "none" if self._picker.value is None else "flex"

    def close(self) -> None:
        """End a check that runs."""
        self._stop.set()

    def _on_click(self, button: Any) -> None:
        if self.thread is not None and self.thread.is_alive():
            self._stop.set()
            return
        self._stop = Event()
        self._show_error("")
        self.result.value = ""
        self.button.description = "Stop"
        self.bar.max, self.bar.value = self._picker.value.n_frames, 0
        self.bar.layout.display = "flex"
        self.thread = Thread(target=self._run, args=(self._stop,), daemon=True, name="mdnb-health")
        self.thread.start()

    def _run(self, stop: Event) -> None:
        try:
            health = self._picker.check(_Progress(self.bar, stop))
            if self._picker.health is health:
                self.result.value = health._repr_html_()
        except _Stopped:
            self.result.value = "<em>stopped; nothing was changed</em>"
        except Exception as error:  # noqa: BLE001 - a thread has no caller that could see it
            self._show_error(error_text(error))
        finally:
            self.bar.layout.display = "none"
            self.button.description = "Check every frame"

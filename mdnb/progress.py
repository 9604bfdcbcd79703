"""The one progress bar: a widget in a live notebook, text in a terminal, nothing in a report, or a watcher's."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, Self

__all__ = ["progress_bar", "watched"]

#: Called with what is done, and how much there is in all.
Watcher = Callable[[int, int], None]

_WATCHER: ContextVar[Watcher | None] = ContextVar("mdnb_progress_watcher", default=None)


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Call `watcher` in place of drawing bars, in this thread; what it raises ends what is done.

    A bar that is drawn by a background thread would land in whichever cell runs at that moment.
    """
    before = _WATCHER.set(watcher)
    try:
        yield
    finally:
        _WATCHER.reset(before)


class _Watched:
    """Stands for a bar, and tells the watcher."""

    desc = ""

    def __init__(self, total: int, done: int, watcher: Watcher) -> None:
        self._total, self._done, self._watcher = total, done, watcher

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def update(self, n: int = 1) -> None:
        self._done += n
        self._watcher(self._done, self._total)

    def set_description(self, text: str) -> None:
        self.desc = text

    set_description_str = set_postfix_str = set_description

    def close(self) -> None:
        return None


def progress_bar(*, total: int, description: str, unit: str, initial: int = 0) -> Any:
    """Return a tqdm bar (`update`, `set_postfix_str`, `close`; a context manager).

    A bar drawn in a papermill run would stay frozen in the saved notebook, so there it is silent
    (the runner has a bar of its own).
    """
    watcher = _WATCHER.get()
    if watcher is not None:
        return _Watched(total, initial, watcher)
    if os.environ.get("MDNB_REPORT"):
        from tqdm.std import tqdm

        return tqdm(total=total, disable=True)
    scaled = unit == "B"  # bytes are told as MB and GB
    return _bar_class()(total=total, desc=description, unit=unit, unit_scale=scaled, initial=initial, leave=False)


@cache
def _bar_class() -> Any:
    from tqdm.auto import tqdm as auto

    live = sys.modules.get("tqdm.notebook")  # loaded by tqdm.auto in a notebook only: it brings ipywidgets along
    if live is None or not issubclass(auto, live.tqdm):
        return auto

    class Bar(auto):
        """A bar that takes its place in the cell away too, which would stay as "model not found" in Voila."""

        def __init__(self, *given: Any, **more: Any) -> None:
            super().__init__(*given, **more, display=False)
            self._place: Any = None
            if not self.disable:
                from IPython.display import display

                self._place = display(self.container, display_id=True)
                self.displayed = True

        def close(self) -> None:
            done = self.n >= (self.total or 0)  # else it stays, in red
            super().close()
            place, self._place = getattr(self, "_place", None), None
            if place is not None and done:
                place.update({}, raw=True)  # an empty text would leave an empty line

    return Bar

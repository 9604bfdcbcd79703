"""nglview, imported late and with the version of the JavaScript that is really installed.

nglview 4.0.1 asks the browser for version 4.0 of its JavaScript and ships 3.1.5, so that JupyterLab shows an
error instead of a molecule (nglviewer/nglview#1172). Its import also shows a hidden widget (#905).
"""

from __future__ import annotations

import json
import sys
import types
from functools import cache
from pathlib import Path
from threading import Event
from typing import Any

__all__ = ["frontend_version", "new_view"]


def frontend_version() -> str | None:
    """Return the version of the installed JupyterLab extension of nglview, or None if there is none."""
    from jupyter_core.paths import jupyter_path

    for folder in jupyter_path("labextensions"):
        package = Path(folder, "nglview-js-widgets", "package.json")
        if package.is_file():
            return str(json.loads(package.read_text(encoding="utf-8"))["version"])
    return None


def _import(version: str | None) -> Any:
    if "nglview" not in sys.modules and version is not None:
        pinned = types.ModuleType("nglview._frontend")
        pinned.__frontend_version__ = version  # type: ignore[attr-defined]
        sys.modules.setdefault("nglview._frontend", pinned)
    if "nglview" in sys.modules:
        return sys.modules["nglview"]
    from IPython.utils.capture import capture_output

    with capture_output(stdout=False, stderr=False, display=True):
        import nglview
    return nglview


@cache
def _ending_thread() -> Any:
    """Return nglview's class of threads that send calls to the browser, which run for ever, with an end (`ended`)."""
    from nglview.remote_thread import RemoteCallThread

    class EndingThread(RemoteCallThread):
        def __init__(self, *given: Any, **more: Any) -> None:
            super().__init__(*given, **more)
            self.ended = Event()

        def run(self) -> None:
            # nglview makes two of them for each view and forgets the first.
            while not self.ended.is_set() and self.view._remote_call_thread is self:
                if not self.q:
                    self.ended.wait(self.timeout)
                    continue
                callback = self.q.pop(0)
                callback(self.view)
                if callback._method_name in self.registered_funcs:
                    self.view._wait_until_finished()

    return EndingThread


def new_view() -> Any:
    """Return an empty `nglview.NGLWidget` that renders with the installed JavaScript."""
    version = frontend_version()
    module = _import(version)
    # Also right when the user imported nglview first, unpinned.
    versions = {} if version is None else {"_view_module_version": version, "_model_module_version": version}
    theirs = module.widget.RemoteCallThread
    module.widget.RemoteCallThread = _ending_thread()
    try:
        return module.NGLWidget(**versions)
    finally:
        module.widget.RemoteCallThread = theirs

"""A JupyterLab and a headless Chromium of their own, kept from every host but this one: to measure, and to test."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mdnb.errors import DataError, MissingDependencyError

__all__ = ["FLAGS", "chromium_path", "jupyterlab", "open_notebook", "open_page", "run_all"]

FLAGS = [
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]  # fmt: skip
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium_path() -> str | None:
    """Return the Chromium or Chrome that is found, or that ``MDNB_CHROMIUM`` names."""
    path = os.environ.get("MDNB_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    return path if path and Path(path).is_file() else None


@contextmanager
def open_page() -> Iterator[Any]:
    """Yield a playwright page of a new browser.

    Raises
    ------
    MissingDependencyError
        Without playwright.
    DataError
        Without a Chromium.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise MissingDependencyError("playwright", "mdnb bench widgets", "test") from error
    path = chromium_path()
    if path is None:
        raise DataError("no Chromium was found: install it (apt install chromium), or name it in MDNB_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            page = browser.new_context(viewport={"width": 1300, "height": 1000}).new_page()
            page.set_default_timeout(60_000)
            yield page
        finally:
            browser.close()


@contextmanager
def jupyterlab() -> Iterator[tuple[str, Path]]:
    """Yield the address of a new JupyterLab, and the folder that it works in.

    Raises
    ------
    DataError
        When it does not start in two minutes.
    """
    with tempfile.TemporaryDirectory(prefix="mdnb-lab-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        quiet = {"fetchNews": "false", "checkForUpdates": False}
        (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
        (folder / "work").mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        environment = {
            **os.environ,
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]),
        }
        environment.pop("MDNB_REPORT", None)
        command = [
            sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser",
            "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token=",
            "--ServerApp.password=", f"--ServerApp.root_dir={folder / 'work'}",
        ]  # fmt: skip
        with (folder / "lab.log").open("w") as log:
            server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
            try:
                url = f"http://127.0.0.1:{port}"
                end = time.monotonic() + 120
                while not _answers(f"{url}/api"):
                    if server.poll() is not None or time.monotonic() > end:
                        told = (folder / "lab.log").read_text()[-2000:]
                        raise DataError(f"JupyterLab did not start in 120 s; it said: {told}")
                yield url, folder / "work"
            finally:
                server.terminate()
                try:
                    server.wait(20)
                except subprocess.TimeoutExpired:
                    server.kill()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def open_notebook(page: Any, url: str, folder: Path, name: str, cells: Sequence[str]) -> None:
    """Write a notebook of those cells, and open it; its kernel is idle then."""
    import nbformat

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / name)
    page.goto(f"{url}/lab/tree/{name}?reset")
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    # Cells that are run before the kernel is idle are cleared, and nothing runs (jupyterlab#8490).
    page.wait_for_function("() => /\\| Idle/.test(document.querySelector('#jp-main-statusbar')?.textContent || '')")


def run_all(page: Any) -> None:
    """Run all cells of the open notebook."""
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")

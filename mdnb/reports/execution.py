"""Run a notebook in a kernel of this very Python."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import zmq
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, NotebookExecutionManager, papermill_engines
from papermill.exceptions import PapermillExecutionError
from papermill.execute import execute_notebook
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from mdnb.errors import MdnbError
from mdnb.progress import progress_bar

__all__ = ["execute"]

_ENGINE = "mdnb"
_ENVIRONMENT = {
    "MDNB_REPORT": "1",  # nobody clicks: the views show pictures, the progress bars stay silent
    "PLOTLY_RENDERER": "plotly_mimetype+notebook",  # plotly 7 alone would leave nothing for the HTML
}


class _ThisPython(AsyncKernelManager):
    """Starts kernels with the running interpreter; a kernelspec of another environment has no say."""

    @property
    def kernel_spec(self) -> KernelSpec:
        return KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            display_name="Python 3",
            language="python",
            metadata={"supported_encryption": ["curve"]},
        )


class _Engine(Engine):
    @classmethod
    def execute_notebook(
        cls, nb: Any, kernel_name: str, output_path: str | None = None, progress_bar: Any = None, **options: Any
    ) -> Any:
        manager = NotebookExecutionManager(nb, output_path=output_path, progress_bar=False)
        manager.pbar = progress_bar
        client = PapermillNotebookClient(
            manager,
            kernel_name=kernel_name,
            kernel_manager_class=_ThisPython,
            startup_timeout=options.get("start_timeout", 120),
            timeout=None,
            store_widget_state=False,
            coalesce_streams=True,
        )
        start: dict[str, Any] = {"env": {**os.environ, **_ENVIRONMENT}}
        if hasattr(AsyncKernelManager, "transport_encryption") and zmq.has("curve"):
            start["transport_encryption"] = "auto"  # else the kernel warns of plain TCP
        manager.notebook_start()
        try:
            client.execute(**start)
        finally:
            manager.cleanup_pbar()
            manager.notebook_complete()
        return manager.nb


papermill_engines.register(_ENGINE, _Engine)


def execute(notebook: Any, parameters: dict[str, Any], *, source: Path, output: Path, progress: bool) -> Any:
    """Run `notebook` with checked `parameters` and return it executed; `output` is written as it runs.

    Raises
    ------
    MdnbError
        If a cell fails or the kernel dies.
    """
    notebook = load_notebook_node(notebook)  # adds the metadata that papermill expects
    if parameters:
        notebook = parameterize_notebook(notebook, parameters, kernel_name="python3", language="python")
    bar = progress_bar(total=len(notebook.cells), description=source.stem, unit="cell") if progress else None
    try:
        return execute_notebook(
            notebook, _literal(output), engine_name=_ENGINE, kernel_name="python3", language="python", progress_bar=bar
        )
    except PapermillExecutionError as error:
        raise MdnbError(
            f"{source.name} stopped at cell {error.cell_index + 1} of {len(notebook.cells)}, "
            f"which begins {_first_line(error.source)!r}: {error.ename}: {error.evalue}. "
            f"What ran before it is kept in {output}; open that notebook to see the traceback"
        ) from error
    except (DeadKernelError, CellTimeoutError) as error:
        raise MdnbError(
            f"{source.name} stopped because its Python process ended ({error}), most often for lack of memory: "
            f"use smaller parameters. What ran before is kept in {output}"
        ) from error


def _literal(path: Path) -> str:
    """Return a path that papermill, which formats paths with the parameters, leaves as it is."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _first_line(source: str) -> str:
    lines = [line.strip() for line in source.splitlines()]
    return next((line for line in lines if line and not line.startswith(("#", "%"))), "")[:80]

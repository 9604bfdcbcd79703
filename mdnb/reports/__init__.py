"""A notebook run with its parameters and kept as one HTML file that opens without a network."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mdnb.errors import DataError
from mdnb.reports.notebooks import find_notebook

__all__ = ["Report", "find_notebook", "report"]


@dataclass(frozen=True)
class Report:
    """What `report` wrote.

    Attributes
    ----------
    notebook : Path
        The executed notebook, with its outputs.
    html : Path
        The report: one file that needs neither a network nor a server.
    """

    notebook: Path
    html: Path

    def _repr_html_(self) -> str:
        from html import escape

        html, notebook = escape(str(self.html)), escape(str(self.notebook))
        return f"<p>Report: <code>{html}</code><br>Notebook: <code>{notebook}</code></p>"


def report(
    notebook: str | os.PathLike[str],
    parameters: Mapping[str, Any] | None = None,
    out: str | os.PathLike[str] = "report",
    *,
    progress: bool = True,
) -> Report:
    """Run a notebook with papermill and keep it as an executed notebook and as one HTML file.

    The parameters are checked before anything runs. The kernel is the Python that calls this function,
    whatever kernels are installed, and works in the current folder.

    Parameters
    ----------
    notebook : str or path
        A file, or the name of a notebook that comes with mdnb, such as ``"demo"`` or ``"03_predict_spatial"``.
    parameters : mapping, optional
        Name -> value, for names that the notebook's cell tagged ``parameters`` declares. Where it declares
        ``out_dir`` and none is given, what the notebook saves goes to the folder ``artifacts`` in `out`.
    out : str or path
        The folder for both files; made if it is not there. Both are named after the notebook.
    progress : bool
        Whether a bar over the cells is shown.

    Returns
    -------
    Report

    Raises
    ------
    DataError
        If there is no such notebook, it cannot be read, `out` is no folder, or the executed notebook would
        overwrite one that no report has written.
    SpecError
        If a parameter is not declared, is not a Python name or has another type than declared.
    MdnbError
        If a cell fails. The notebook as far as it ran is kept, and the message names it.
    """
    from mdnb.reports.execution import execute
    from mdnb.reports.html import write_html
    from mdnb.reports.notebooks import read_notebook
    from mdnb.reports.parameters import check_parameters, declared_parameters

    source = find_notebook(notebook)
    document = read_notebook(source)
    declared = declared_parameters(document, source.name)
    values = check_parameters(declared, parameters or {}, source.name)
    folder = Path(out)
    executed = folder / source.name
    _check_place(executed, source)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"out = {str(out)!r} cannot be made a folder ({error.strerror}): give another one, such as 'report'"
        ) from error
    if "out_dir" in {one.name for one in declared}:
        values.setdefault("out_dir", str(folder / "artifacts"))
    result = execute(document, values, source=source, output=executed, progress=progress)
    html = write_html(
        result, folder / f"{source.stem}.html", source=source, parameters=[(d, values.get(d.name)) for d in declared]
    )
    return Report(notebook=executed, html=html)


def _check_place(executed: Path, source: Path) -> None:
    """Refuse to write the executed notebook over the notebook itself, or over one that nobody has run this way."""
    from mdnb.reports.notebooks import read_notebook

    if not executed.exists():
        return
    if executed.samefile(source):
        raise DataError(
            f"the report of {str(source)!r} would overwrite that notebook itself: "
            "give another folder as out, such as 'report'"
        )
    try:
        ours = executed.is_file() and "papermill" in read_notebook(executed).metadata
    except DataError:
        ours = False  # what cannot be read was not written by a report either
    if not ours:
        raise DataError(
            f"the report of {source.name!r} would overwrite {str(executed)!r}, which is not the notebook of an earlier "
            "report: give another folder as out, such as 'report'"
        )

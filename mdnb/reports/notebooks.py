"""Find and read the notebook that is to be reported."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mdnb.errors import DataError, unknown_name

__all__ = ["find_notebook", "notebooks_folder", "read_notebook"]


def notebooks_folder() -> Path:
    """Return the folder of the notebooks that come with mdnb.

    Returns
    -------
    Path
        ``mdnb/notebooks`` in an installed wheel, the top-level ``notebooks`` in a checkout.

    Raises
    ------
    DataError
        If neither is there.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if folder.is_dir():
            return folder
    raise DataError(
        f"the notebooks that come with mdnb are missing: expected them in {package / 'notebooks'} "
        f"or {package.parent / 'notebooks'}; install mdnb again"
    )


def find_notebook(notebook: str | os.PathLike[str]) -> Path:
    """Return the file of a notebook given as a path or by the name of a shipped one.

    Raises
    ------
    DataError
        If a path was given and there is no such file, or it is no ``.ipynb``.
    SpecError
        If a bare name was given that no shipped notebook has.
    """
    path = Path(notebook).expanduser()
    if path.is_file():
        if path.suffix != ".ipynb":
            raise DataError(
                f"cannot report {str(path)!r}: expected a notebook (.ipynb), got a {path.suffix or 'plain'} file"
            )
        return path
    if path.parent != Path() or path.is_absolute():
        raise DataError(
            f"no such notebook: {str(path)!r}; give the path of an .ipynb file or the name of a shipped notebook"
        )
    folder = notebooks_folder()
    shipped = folder / f"{path.name.removesuffix('.ipynb')}.ipynb"
    if not shipped.is_file():
        raise unknown_name("notebook", str(notebook), [file.stem for file in folder.glob("*.ipynb")])
    return shipped


def read_notebook(path: Path) -> Any:
    """Return a notebook as nbformat's node (format 4).

    Raises
    ------
    DataError
        If the file is not a notebook.
    """
    import nbformat

    try:
        return nbformat.read(path, as_version=4)
    except (
        nbformat.reader.NotJSONError,
        nbformat.ValidationError,
        UnicodeDecodeError,
        AttributeError,
        KeyError,
    ) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"cannot read {str(path)!r} as a notebook ({reason[:120]}): expected a Jupyter notebook of format 4; "
            "open and save it in JupyterLab"
        ) from error

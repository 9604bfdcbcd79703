"""What a table file or a DataFrame holds: its columns, as text or with types."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mdnb.errors import DataError, MissingDependencyError
from mdnb.files import absent

__all__ = ["is_counted", "is_frame", "plain", "read_columns", "typed"]

#: What stands for "not measured", in small letters.
_MISSING = frozenset({"", "na", "n/a", "nan", "null", "#n/a"})


def is_frame(source: Any) -> bool:
    """Return whether it is a pandas.DataFrame, without importing pandas."""
    return hasattr(source, "columns") and hasattr(source, "index") and hasattr(source, "to_dict")


def is_counted(index: Any) -> bool:
    """Return whether a pandas index holds numbers and not names."""
    return not all(isinstance(name, str) for name in index)


def plain(value: Any) -> Any:
    """Return None for what is missing, and Python's own number of numpy's."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or (isinstance(value, float) and np.isnan(value)) or type(value).__name__ in ("NAType", "NaTType"):
        return None
    return value


def read_columns(source: Any) -> tuple[str, dict[str, Sequence[Any]], bool]:
    """Return where the table is from, its columns, and whether their values have types."""
    if is_frame(source):
        frame = (
            source if is_counted(source.index) else source.rename_axis(source.index.name or "trajectory").reset_index()
        )
        names = [str(name) for name in frame.columns]
        _refuse_twice(names, "the DataFrame")
        return (
            "the DataFrame",
            {n: [plain(v) for v in frame[c]] for n, c in zip(names, frame.columns, strict=True)},
            True,
        )
    if not isinstance(source, str | os.PathLike):
        raise DataError(
            f"got {type(source).__name__!r} as a table, expected the path of a CSV or Parquet file, or a DataFrame"
        )
    path = Path(source)
    if not path.is_file():
        raise DataError(f"no such table: {absent(path)}; give the path of a CSV or Parquet file")
    if path.suffix.lower() in (".parquet", ".pq"):
        return path.name, _parquet(path), True
    return path.name, _csv(path), False


def _parquet(path: Path) -> dict[str, Sequence[Any]]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import read_table
    except ImportError as error:
        raise MissingDependencyError("pyarrow", "a Parquet table", "tables") from error
    try:
        read = read_table(path)
        columns = [(name, column.to_pylist()) for name, column in zip(read.column_names, read.columns, strict=True)]
    except (ArrowException, OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as Parquet ({error}); write it again, or give a CSV file") from error
    _refuse_twice(read.column_names, path.name)
    return {name: [plain(value) for value in values] for name, values in columns}


def _csv(path: Path) -> dict[str, Sequence[Any]]:
    raw = path.read_bytes()
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no UTF-8 text (byte {error.start}); save it as 'CSV UTF-8'") from error
    first = re.sub(r'"[^"]*"', "", text.lstrip().partition("\n")[0])
    delimiter = max("\t;,", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}; is a quotation mark left open?") from error
    if not rows:
        return {}
    header = [cell.strip() for cell in rows[0][1]]
    _refuse_twice(header, path.name)
    for line, row in rows[1:]:
        if len(row) != len(header):
            raise DataError(
                f"{path}, line {line}: {len(row)} cells, the header has {len(header)}; put text that holds "
                f"{delimiter!r} into quotation marks"
            )
    cells = [row for _, row in rows[1:]]
    columns: dict[str, Sequence[Any]] = {name: [row[n].strip() for row in cells] for n, name in enumerate(header)}
    if delimiter == ";":
        columns = {name: _decimal_comma(values) for name, values in columns.items()}
    return columns


def _decimal_comma(cells: Sequence[str]) -> Sequence[str]:
    """Return a column with decimal points, where all of its numbers are written with a comma."""
    given = [cell for cell in cells if cell.lower() not in _MISSING]
    if any("," in cell for cell in given) and all(
        re.fullmatch(r"[-+]?\d*(,\d*)?([eE][-+]?\d+)?", cell) for cell in given
    ):
        return [cell.replace(",", ".") for cell in cells]
    return cells


def typed(cells: Sequence[str]) -> list[Any]:
    """Return a column of text as booleans, whole numbers, numbers or text, whichever all of its cells are."""
    given = [cell for cell in cells if cell.lower() not in _MISSING]
    convert: Any = str
    if given and all(cell.lower() in ("true", "false") for cell in given):
        convert = {"true": True, "false": False}.__getitem__
    elif given and all(re.fullmatch(r"[-+]?\d{1,18}", cell) for cell in given):
        convert = int
    elif _are_numbers(given):
        convert = float
    lower = convert not in (str, int, float)
    return [None if cell.lower() in _MISSING else convert(cell.lower() if lower else cell) for cell in cells]


def _are_numbers(cells: Sequence[str]) -> bool:
    try:
        return bool(cells) and all("_" not in cell and float(cell) is not None for cell in cells)
    except ValueError:
        return False


def _refuse_twice(names: Sequence[str], origin: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DataError(f"{origin} has two columns called {name!r}; rename one")
        seen.add(name)

"""Tables of labels: one row for each trajectory or molecule, from CSV, Parquet or a DataFrame."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mdnb.errors import DataError, unknown_name
from mdnb.targets.readers import is_counted, is_frame, plain, read_columns, typed

__all__ = ["Table", "table"]

#: A path, and the column that may follow it after a colon.
_TEXT = re.compile(r"(?P<path>.*\.(?:csv|tsv|parquet|pq))(?::(?P<column>.*))?", re.IGNORECASE | re.DOTALL)
_UNIT = re.compile(r"(?P<name>.*?)\s*\[(?P<unit>[^\[\]]*)\]\s*", re.DOTALL)
_KEYS = ("trajectory", "file", "name", "molecule", "molecule_id", "molecule id", "mol_id", "id")
_GROUPS = ("group", "molecule", "molecule_id", "molecule id", "mol_id")


@dataclass(frozen=True)
class Table:
    """Labels by the name of a trajectory or molecule.

    Attributes
    ----------
    name : str
        Of the label.
    keys : tuple of str
    values : tuple
        One for each key, all of one kind: float, int, bool or str; None where it is missing.
    groups : tuple of str
        What each row belongs to: its group, or its own key.
    unit : str
    origin : str
        Where the values come from, for messages.
    real : bool or None
        Whether they are a quantity; None to decide by their kind.
    """

    name: str
    keys: tuple[str, ...]
    values: tuple[Any, ...]
    groups: tuple[str, ...]
    unit: str = ""
    origin: str = "the table"
    real: bool | None = None


def table(
    source: Any,
    column: str | None = None,
    *,
    key: str | None = None,
    group: str | None = None,
    unit: str = "",
    real: bool | None = None,
) -> Table:
    """Read labels by trajectory or molecule, for `mdnb.fit` and `make_target`.

    Whole numbers, true/false and text are classes; numbers of which one has a fraction or a point are a
    quantity, and so are whole numbers with a unit. Empty cells, NA, N/A, NaN and null are missing. Formulas
    are text and never computed.

    Parameters
    ----------
    source : path or pandas.DataFrame
        CSV (comma, semicolon or tab; UTF-8 or UTF-16; with semicolons a decimal comma is understood), TSV
        or Parquet.
    column : str, optional
        The label. Its header may hold the unit: ``pIC50 [kcal/mol]`` is found as ``pIC50``. May be left out
        where only one column is neither key nor group.
    key : str, optional
        The column of the names, by default ``trajectory``, ``file``, ``name``, ``molecule``, ``molecule_id``
        or ``id``, or else the first one (of a DataFrame: its index, where that holds text).
    group : str, optional
        The column that says which rows belong together and may not be parted by a split, by default
        ``group``, ``molecule`` or ``molecule_id`` where there is one; else each key is a group.
    unit : str
    real : bool, optional
        True for whole numbers that are a quantity, False for numbers that are classes.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        When the file cannot be read, a row is incomplete, or a key is missing or stands twice with different
        values.
    SpecError
        For a column that is not there.
    MissingDependencyError
        For Parquet without pyarrow.
    """
    origin, columns, has_types = read_columns(source)
    if not columns:
        raise DataError(f"{origin} has no columns; expected a header line such as 'trajectory,pIC50'")
    key = _named(columns, key, _KEYS, "column") or next(iter(columns))
    group = _named(columns, group, [name for name in _GROUPS if name != key.lower()], "column")
    chosen = _label(columns, column, {key, group}, origin)
    group = None if chosen == group else group
    match = _UNIT.fullmatch(chosen)
    name, found = (match["name"], match["unit"].strip()) if match else (chosen, "")
    if unit and found and unit != found:
        raise DataError(f"{origin}: the column {chosen!r} is in {found}, got unit={unit!r}; units are not converted")
    keys = _texts(columns[key])
    groups = keys if group is None else _texts(columns[group])
    values = columns[chosen] if has_types else typed(columns[chosen])
    rows = _unique(keys, values, groups, origin, key, group)
    made = [(keys[row], values[row], groups[row]) for row in rows]
    own_keys, own_values, own_groups = zip(*made, strict=True) if made else ((), (), ())
    return Table(name, own_keys, own_values, own_groups, unit or found, origin, real)


def as_table(target: Any) -> Table | None:
    """Return the table that a target names or is, or None."""
    if isinstance(target, Table):
        return target
    if isinstance(target, str):
        match = _TEXT.fullmatch(target)
        return None if match is None else table(match["path"], match["column"])
    if isinstance(target, os.PathLike) or is_frame(target):
        return table(target)
    if hasattr(target, "to_frame") and hasattr(target, "index") and not is_counted(target.index):
        return table(target.rename(target.name or "label").to_frame())  # a pandas.Series by name
    if isinstance(target, Mapping):
        if not all(isinstance(key, str) for key in target):
            wrong = next(key for key in target if not isinstance(key, str))
            raise DataError(f"got the label of {wrong!r}, expected the name of a trajectory in a dictionary of labels")
        keys = tuple(target)
        return Table("label", keys, tuple(map(plain, target.values())), keys, origin="the dictionary")
    return None


def _named(columns: Mapping[str, Any], asked: str | None, usual: Sequence[str], kind: str) -> str | None:
    """Return the column that was asked for, or the first usual one that is there."""
    if asked is not None:
        if asked not in columns:
            raise unknown_name(kind, asked, columns)
        return asked
    by_lower = {name.lower(): name for name in reversed(list(columns))}
    return next((by_lower[name] for name in usual if name in by_lower), None)


def _label(columns: Mapping[str, Any], asked: str | None, others: set[str | None], origin: str) -> str:
    left = [name for name in columns if name not in others]
    if asked is None:
        if len(left) != 1:
            shown = ", ".join(map(repr, left[:5])) + (", ..." if len(left) > 5 else "")
            raise DataError(
                f"{origin} has {len(left)} columns that may be the label ({shown or 'none'}); name one, as in "
                f"'labels.csv:{left[0] if left else 'pIC50'}'"
            )
        return left[0]
    if asked in columns:
        return asked
    bare = [name for name in columns if (match := _UNIT.fullmatch(name)) and match["name"] == asked]
    if len(bare) != 1:
        raise unknown_name("column", asked, columns)
    return bare[0]


def _texts(cells: Sequence[Any]) -> list[str]:
    """Return names as text; a number without a fraction is written as a whole number, as it was before an Excel."""
    return [
        "" if cell is None else str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()
        for cell in cells
    ]


def _unique(
    keys: Sequence[str], values: Sequence[Any], groups: Sequence[str], origin: str, key: str, group: str | None
) -> list[int]:
    """Return the rows of different keys; the same label twice is one."""
    first: dict[str, int] = {}
    for row, name in enumerate(keys):
        if not name:
            raise DataError(f"{origin}: row {row + 1} has no {key!r}; each label needs the name of its trajectory")
        if group is not None and not groups[row]:
            raise DataError(f"{origin}: {name!r} has no {group!r}; fill it in, or give another group=")
        known = first.setdefault(name, row)
        if known != row and not (_same(values[known], values[row]) and groups[known] == groups[row]):
            raise DataError(
                f"{origin}: {name!r} stands in rows {known + 1} and {row + 1} with different labels "
                f"({values[known]!r} and {values[row]!r}); keep one row for each {key}"
            )
    return list(first.values())


def _same(one: Any, other: Any) -> bool:
    """Return whether two cells hold the same, which may be one label or an array of them."""
    if any(hasattr(cell, "__len__") and not isinstance(cell, str) for cell in (one, other)):
        return np.array_equal(one, other)
    return bool(one == other)

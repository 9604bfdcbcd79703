"""make_target: the one way from what a user gives to a label for each frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from os.path import splitext
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from mdnb.errors import DataError, unknown_name
from mdnb.features.base import FEATURIZERS, Features
from mdnb.features.joined import Molecules
from mdnb.loading import SUFFIXES
from mdnb.targets.base import Target, of_trajectories, of_values
from mdnb.targets.readers import plain
from mdnb.targets.states import clusters, metastable
from mdnb.targets.structure import (
    basin,
    end_to_end_distance,
    feature,
    folded,
    fraction_of_native_contacts,
    observable,
    potential_energy,
    rmsd,
)
from mdnb.targets.tables import Table, as_table

__all__ = ["TARGETS", "labelled", "make_target"]

#: Name -> function of the features and of what follows a colon in the name.
TARGETS: dict[str, Callable[[Features, str], Target]] = {
    "basin": basin,
    "clusters": clusters,
    "end-to-end-distance": end_to_end_distance,
    "folded": folded,
    "metastable": metastable,
    "native-contacts": fraction_of_native_contacts,
    "observable": observable,
    "potential-energy": potential_energy,
    "rmsd": rmsd,
}


def make_target(features: Features, target: Any) -> Target:
    """Return the target of some features.

    Parameters
    ----------
    features : Features
    target : str, array, function, dict, table or Target
        - a name in `TARGETS`, such as ``"basin:GLY7"``, ``"rmsd:100"`` (from frame 100), ``"clusters:4"`` or
          ``"metastable:3:50ps"``, or ``"observable:rmsd"`` (what the files hold per frame); or that of a
          featurizer, such as ``"radius-of-gyration"`` or ``"torsions:sin phi ALA2"``;
        - an array of one label per frame: whole numbers, booleans and text are classes, numbers with a
          fraction are a quantity;
        - a function of one trajectory (a `Trajectories` of one) that returns one value, or one per frame;
        - a dictionary ``{trajectory: value}``, of one value or one per frame for each;
        - a table by trajectory or molecule: ``"labels.csv:pIC50"``, a path, a pandas DataFrame or Series, or
          what `mdnb.targets.table` returns. A row belongs to every trajectory whose name, file name or
          folder is its key; those of one row stay together in a split (`Target.groups`).

    Raises
    ------
    SpecError
        For an unknown name.
    DataError
        When the number of labels is not that of the frames, a label is NaN, or a trajectory has none, or more
        than one.
    """
    made = _made(features, target)
    if made.values.shape != (len(features),):
        hint = ""
        if made.values.shape == (len(np.unique(features.trajectory)),):
            hint = "; one for each trajectory is given as a dictionary {name: label}"
        raise DataError(
            f"the target {made.name!r} has the shape {made.values.shape}, expected one label for each of the "
            f"{len(features)} frames{hint}"
        )
    if not np.isfinite(made.values).all():
        raise DataError(f"the target {made.name!r} holds NaN or infinity; leave those frames out")
    if made.groups is not None and np.shape(made.groups) != (len(features),):
        raise DataError(
            f"the groups of the target {made.name!r} have the shape {np.shape(made.groups)}, expected one number for "
            f"each of the {len(features)} frames"
        )
    return made


def labelled(features: Features, target: Any) -> tuple[Features, Target]:
    """Return the features of those trajectories that a table or dictionary has a label for, and their target.

    Parameters
    ----------
    features : Features
    target : dict, table, path or str
        As in `make_target`.

    Raises
    ------
    DataError
        When no trajectory has a label, or the target is no table.
    """
    found = as_table(target)
    if found is None:
        raise DataError(f"got {type(target).__name__!r}, expected a table or a dictionary of labels by trajectory")
    numbers = np.unique(features.trajectory).tolist()
    rows = _rows(features, numbers, found)
    chosen = [
        number for number, row in zip(numbers, rows, strict=True) if row is not None and _given(found.values[row])
    ]
    if not chosen:
        raise _missing(features, numbers, found)
    part = features.of_trajectories(chosen)
    return part, make_target(part, found)


def _made(features: Features, target: Any) -> Target:
    if isinstance(target, Target):
        return target
    found = as_table(target)
    if found is not None:
        return _of_table(features, found)
    if isinstance(target, str):
        name, _, option = target.partition(":")
        if isinstance(features.source, Molecules) and name in {*TARGETS, *FEATURIZERS} - {"clusters"}:
            raise DataError(
                f"the target {name!r} is computed from one molecule, these are the features of several; give a table, "
                "a dictionary by trajectory, or one label for each frame"
            )
        if name in TARGETS:
            return replace(TARGETS[name](features, option), asked=target)
        if name in FEATURIZERS:
            return replace(feature(features, name, option), asked=target)
        raise unknown_name("target", name, [*TARGETS, *FEATURIZERS])
    if callable(target):
        return _of_function(features, target)
    return of_values("label", target)


def _of_function(features: Features, function: Callable[[Any], Any]) -> Target:
    name = getattr(function, "__name__", type(function).__name__)
    numbers, values = np.unique(features.trajectory).tolist(), []
    for number in numbers:
        try:
            values.append(function(features.source[number]))
        except Exception as error:
            error.add_note(f"(in the target {name!r}, of the trajectory {features.source.names[number]!r})")
            raise
    missing = [number for number, value in zip(numbers, values, strict=True) if not _given(value)]
    if missing:
        raise DataError(
            f"the function {name!r} returned no label for {_names(features, missing)}; leave those trajectories out "
            "with features.of_trajectories"
        )
    groups = np.arange(len(numbers)) if all(np.ndim(value) == 0 for value in values) else None
    return _joined(features, name, values, groups)


def _of_table(features: Features, table: Table) -> Target:
    numbers = np.unique(features.trajectory).tolist()
    rows = _rows(features, numbers, table)
    missing = [n for n, row in zip(numbers, rows, strict=True) if row is None or not _given(table.values[row])]
    if missing:
        raise _missing(features, missing, table)
    chosen = [row for row in rows if row is not None]
    values = [table.values[row] for row in chosen]
    names, groups = np.unique([table.groups[row] for row in chosen], return_inverse=True)
    independent = len(names) == len(numbers) and all(np.ndim(value) for value in values)
    made = _joined(features, table.name, values, None if independent else groups, table.unit, table.real)
    distinct = len(made.classes)
    if table.real is None and distinct > 2 and distinct == len(set(chosen)) and all(type(v) is int for v in values):
        raise DataError(
            f"{table.origin}: {table.name!r} has another whole number for each of {distinct} trajectories; that is no "
            "class: if it is a quantity, give its unit or real=True to mdnb.targets.table"
        )
    return made


def _joined(
    features: Features,
    name: str,
    values: Sequence[Any],
    groups: np.ndarray | None,
    unit: str = "",
    real: bool | None = None,
) -> Target:
    """Return the target of one value, or one per frame, for each trajectory."""
    parts = of_trajectories(features, values)
    kinds = {"number" if part.dtype.kind in "iuf" else part.dtype.kind for part in parts}
    if len(kinds) > 1:
        shown = ", ".join(_shown(part.flat[0]) for part in parts[:5])
        raise DataError(f"the labels of {name!r} are of different kinds ({shown}); give numbers, or text, for all")
    made = of_values(name, np.concatenate(parts), unit, real)
    if groups is None:
        return made
    _, where = np.unique(features.trajectory, return_inverse=True)
    return Target(made.name, made.values, made.classes, made.unit, groups[where])


def _shown(value: Any) -> str:
    value = plain(value)
    return "a whole number beyond 64 bits" if isinstance(value, int) and abs(value) >= 2**63 else repr(value)


def _given(value: Any) -> bool:
    return value is not None and not (isinstance(value, float | np.floating) and np.isnan(value))


def _rows(features: Features, numbers: Sequence[int], table: Table) -> list[int | None]:
    """Return the row of the table that each trajectory belongs to, or None.

    The name of the trajectory is tried first, then that of its file, then its folders, of which only one may
    be in the table.
    """
    row_of = {key: row for row, key in enumerate(table.keys)}
    for row, key in enumerate(table.keys):  # written with its suffix
        stem, suffix = splitext(key)
        if suffix.lower() in SUFFIXES:
            row_of.setdefault(stem, row)
    files = [Path(path) for path in features.source.recipe()["files"]]
    return [_row(features.source.names[number], files[number], row_of, table) for number in numbers]


def _row(name: str, path: Path, row_of: dict[str, int], table: Table) -> int | None:
    parts = path.with_suffix("").parts
    for key in (name, *(PurePath(*parts[first:]).as_posix() for first in range(len(parts)))):
        if key in row_of:
            return row_of[key]
    found = {row_of[folder]: folder for folder in reversed(path.parent.parts) if folder in row_of}
    if len(found) > 1:
        raise DataError(
            f"{table.origin}: the trajectory {name!r} belongs to {' and '.join(map(repr, found.values()))}, which are "
            f"all folders of {path}; give it a row of its own name"
        )
    return next(iter(found), None)


def _missing(features: Features, numbers: Sequence[int], table: Table) -> DataError:
    keys = ", ".join(map(repr, table.keys[:3])) + (", ..." if len(table.keys) > 3 else "")
    return DataError(
        f"{table.origin} has no {table.name!r} for {_names(features, numbers)}; its keys are {keys or 'none'}, "
        "expected the name of the trajectory, its file or its folder. Add the rows, or leave those trajectories out: "
        "features, target = mdnb.targets.labelled(features, table)"
    )


def _names(features: Features, numbers: Sequence[int]) -> str:
    names = ", ".join(repr(features.source.names[number]) for number in numbers[:5])
    total = len(np.unique(features.trajectory))
    return f"{len(numbers)} of {total} trajectories ({names}{', ...' if len(numbers) > 5 else ''})"

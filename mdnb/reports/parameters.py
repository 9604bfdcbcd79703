"""What a notebook's parameters cell declares, and the check of the values given for it.

papermill injects unknown names and ill-typed values without an error; here both are refused before a
kernel starts. The cell is parsed as Python (papermill's own parser knows no ``int | None``).
"""

from __future__ import annotations

import ast
import io
import keyword
import tokenize
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mdnb.errors import DataError, SpecError, unknown_name
from mdnb.reports.annotations import ANY, SIMPLE, accepts, cast, from_text, options, parse_type, plain

__all__ = ["Declared", "check_parameters", "declared_parameters", "parse_values"]


@dataclass(frozen=True)
class Declared:
    """One line of a parameters cell, ``name: type = default  # help``.

    Attributes
    ----------
    name : str
    type : str
        As written, or the default's type where none is written; ``"Any"`` if that is not known either.
    default : str
        The default's source.
    help : str
    """

    name: str
    type: str
    default: str
    help: str


def declared_parameters(notebook: Any, name: str) -> list[Declared]:
    """Return what the notebook's cell tagged ``parameters`` declares, in its order.

    Raises
    ------
    DataError
        If that cell is not valid Python.
    """
    cell = next((c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])), None)
    if cell is None:
        return []
    try:
        tree = ast.parse(cell.source)
    except SyntaxError as error:
        raise DataError(
            f"the parameters cell of {name!r} is not valid Python ({error.msg}, line {error.lineno}): "
            "write one `name: type = default  # help` a line"
        ) from error
    comments = {
        token.start[0]: token.string.lstrip("# ").strip()
        for token in tokenize.generate_tokens(io.StringIO(cell.source).readline)
        if token.type == tokenize.COMMENT
    }
    declared = []
    for statement in tree.body:
        if (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and statement.value is not None
        ):
            target, kind = statement.target.id, _written(statement.annotation)
        elif (
            isinstance(statement, ast.Assign)
            and len(statement.targets) == 1
            and isinstance(statement.targets[0], ast.Name)
        ):
            target, kind = statement.targets[0].id, _type_of_default(statement.value)
        else:
            continue
        text = comments.get(statement.end_lineno or statement.lineno, "")
        declared.append(Declared(target, kind, ast.unparse(statement.value), text))
    return declared


def check_parameters(declared: Sequence[Declared], given: Mapping[str, Any], notebook: str) -> dict[str, Any]:
    """Return the values to inject, or refuse them.

    Integers are taken for floats, paths for strings, tuples for lists and numpy scalars for numbers.

    Raises
    ------
    SpecError
        If a name is not a Python name or not declared, or a value has another type than declared.
    """
    known = {entry.name: entry for entry in declared}
    values = {}
    for name, value in given.items():
        _check_name(name, known, notebook)
        kind = parse_type(known[name].type)
        simple = plain(value)
        if not accepts(kind, simple):
            raise _ill_typed(known[name], value, type(value).__name__, notebook)
        values[name] = cast(kind, simple)
    return values


def parse_values(declared: Sequence[Declared], texts: Iterable[Sequence[str]], notebook: str) -> dict[str, Any]:
    """Return the values typed on a command line, each as its declared type.

    Lists are written ``a,b`` or ``[1, 2]``, true and false also ``yes`` and ``no``.

    Raises
    ------
    SpecError
        If a name is not declared, or a text is no value of the declared type.
    """
    known = {entry.name: entry for entry in declared}
    values = {}
    for name, text in texts:
        _check_name(name, known, notebook)
        values[name] = _parse_text(known[name], text, notebook)
    return values


def _parse_text(entry: Declared, text: str, notebook: str) -> Any:
    for option in options(parse_type(entry.type)):
        try:
            value = from_text(option, text)
        except (ValueError, SyntaxError):
            continue
        if accepts(option, value):
            return cast(option, value)
    raise _ill_typed(entry, text, "text", notebook)


def _check_name(name: Any, known: Mapping[str, Declared], notebook: str) -> None:
    if not str(name).isidentifier() or keyword.iskeyword(name):
        raise SpecError(f"{name!r} cannot be a parameter of {notebook!r}: expected a Python name, such as 'n_frames'")
    if not known:
        raise SpecError(f"{notebook!r} takes no parameters, got {name!r}: tag one of its cells 'parameters'")
    if name not in known:
        raise unknown_name(f"parameter of {notebook!r}", name, known)


def _ill_typed(entry: Declared, value: Any, got: str, notebook: str) -> SpecError:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return SpecError(
        f"parameter {entry.name!r} of {notebook!r} must be {entry.type}, got {shown} ({got}): "
        f"give a value like its default, {entry.default}"
    )


def _written(annotation: ast.expr) -> str:
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return annotation.value
    return ast.unparse(annotation)


def _type_of_default(value: ast.expr) -> str:
    try:
        literal = ast.literal_eval(value)
    except ValueError:
        return ANY
    name = type(literal).__name__
    return name if literal is not None and name in SIMPLE else ANY

"""What a notebook's parameters cell declares, and the check of the values given for it.

papermill injects unknown names and ill-typed values without an error; here both are refused before a
kernel starts. The cell is parsed as Python (papermill's own parser knows no ``int | None``).
"""

from __future__ import annotations

import ast
import io
import json
import keyword
import math
import os
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mdnb.errors import DataError, SpecError, unknown_name

__all__ = ["Declared", "check_parameters", "declared_parameters", "parse_value"]

_ANY = "Any"
_SIMPLE = ("bool", "int", "float", "str", "list", "tuple", "dict", "None", _ANY)
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


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
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value is not None:
            target, kind = statement.target.id, _written(statement.annotation)
        elif isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name):
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
        if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
            raise SpecError(f"{name!r} cannot be a parameter of {notebook!r}: expected a Python name, such as 'n_frames'")
        if name not in known:
            if not known:
                raise SpecError(f"{notebook!r} takes no parameters, got {name!r}: tag one of its cells 'parameters'")
            raise unknown_name(f"parameter of {notebook!r}", name, known)
        kind = _parse(known[name].type)
        plain = _plain(value)
        if not _is(kind, plain):
            raise _ill_typed(known[name], value, type(value).__name__, notebook)
        values[name] = _cast(kind, plain)
    return values


def parse_value(entry: Declared, text: str, notebook: str) -> Any:
    """Return a value typed on a command line as the declared type.

    Lists are written ``a,b`` or ``[1, 2]``, true and false also ``yes`` and ``no``.

    Raises
    ------
    SpecError
        If the text is no value of that type.
    """
    kind = _parse(entry.type)
    for option in _options(kind):
        try:
            value = _from_text(option, text)
        except (ValueError, SyntaxError):
            continue
        if _is(option, value):
            return _cast(option, value)
    raise _ill_typed(entry, text, "text", notebook)


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
        return _ANY
    name = type(literal).__name__
    return name if literal is not None and name in _SIMPLE else _ANY


def _parse(text: str) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        return ast.Name(_ANY)


def _name(kind: ast.expr) -> str:
    """Return the bare name of a type: ``"list"`` for ``list[int]``, ``"Any"`` for what is not known."""
    if isinstance(kind, ast.Subscript):
        kind = kind.value
    if isinstance(kind, ast.Constant) and kind.value is None:
        return "None"
    name = kind.attr if isinstance(kind, ast.Attribute) else kind.id if isinstance(kind, ast.Name) else _ANY
    lowered = name.lower() if name in ("List", "Tuple", "Dict") else {"Path": "str", "Sequence": "list"}.get(name, name)
    return lowered if lowered in (*_SIMPLE, "Optional", "Union", "Literal") else _ANY


def _arguments(kind: ast.expr) -> list[ast.expr]:
    if not isinstance(kind, ast.Subscript):
        return []
    return list(kind.slice.elts) if isinstance(kind.slice, ast.Tuple) else [kind.slice]


def _options(kind: ast.expr) -> list[ast.expr]:
    """Return the alternatives of a union, the others as the only one; None comes first and text last."""
    if isinstance(kind, ast.BinOp) and isinstance(kind.op, ast.BitOr):
        found = [*_options(kind.left), *_options(kind.right)]
    elif _name(kind) == "Optional":
        found = [*(o for a in _arguments(kind) for o in _options(a)), ast.Constant(None)]
    elif _name(kind) == "Union":
        found = [o for a in _arguments(kind) for o in _options(a)]
    else:
        return [kind]
    return sorted(found, key=lambda option: {"None": 0, "str": 2}.get(_name(option), 1))


def _is(kind: ast.expr, value: Any) -> bool:
    options = _options(kind)
    if len(options) > 1:
        return any(_is(option, value) for option in options)
    name, inner = _name(options[0]), _arguments(options[0])
    if name == _ANY:
        return True
    if name == "None":
        return value is None
    if name == "Literal":
        return any(isinstance(a, ast.Constant) and a.value == value and type(a.value) is type(value) for a in inner)
    if name in ("bool", "str"):
        return isinstance(value, bool if name == "bool" else str)
    if name in ("int", "float"):
        return isinstance(value, (int, float) if name == "float" else int) and not isinstance(value, bool)
    if name == "dict":
        return isinstance(value, dict) and (len(inner) != 2 or all(_is(inner[0], k) and _is(inner[1], v) for k, v in value.items()))
    if not isinstance(value, list):
        return False
    if name == "tuple" and inner and not _is_ellipsis(inner[-1]):
        return len(value) == len(inner) and all(map(_is, inner, value))
    return not inner or all(_is(inner[0], item) for item in value)


def _is_ellipsis(kind: ast.expr) -> bool:
    return isinstance(kind, ast.Constant) and kind.value is Ellipsis


def _cast(kind: ast.expr, value: Any) -> Any:
    names = {_name(option) for option in _options(kind)}
    return float(value) if "float" in names and "int" not in names and type(value) is int else value


def _plain(value: Any) -> Any:
    """Return numbers, paths and sequences of other libraries as Python's own, which papermill can write down."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    to_list = getattr(value, "tolist", None)
    return to_list() if callable(to_list) else value


def _from_text(kind: ast.expr, text: str) -> Any:
    name, inner, bare = _name(kind), _arguments(kind), text.strip()
    if name == "str":
        return text
    if name == "None":
        if bare.lower() in ("none", "null", ""):
            return None
        raise ValueError(text)
    if name == "bool":
        if bare.lower() in (*_TRUE, *_FALSE):
            return bare.lower() in _TRUE
        raise ValueError(text)
    if name == "int":
        return int(bare)
    if name == "float":
        value = float(bare)
        if math.isnan(value):
            raise ValueError(text)
        return value
    if name in ("list", "tuple") and not bare.startswith(("[", "(")):
        item = inner[0] if inner else ast.Name(_ANY)
        return [_from_text(item, part) for part in bare.split(",")] if bare else []
    if name == "Literal" and any(isinstance(a, ast.Constant) and a.value == text for a in inner):
        return text
    try:
        return _plain(json.loads(bare))
    except json.JSONDecodeError:
        pass  # Python's own notation, or plain text, is tried next
    try:
        return _plain(ast.literal_eval(bare))
    except (ValueError, SyntaxError):
        if name == _ANY:
            return text
        raise

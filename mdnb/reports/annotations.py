"""Types as written in a parameters cell: what they accept, and how text becomes such a value."""

from __future__ import annotations

import ast
import json
import math
import os
from collections.abc import Mapping
from typing import Any

__all__ = ["ANY", "SIMPLE", "accepts", "cast", "from_text", "options", "parse_type", "plain"]

ANY = "Any"
SIMPLE = ("bool", "int", "float", "str", "list", "tuple", "dict", "None", ANY)
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def parse_type(text: str) -> ast.expr:
    """Return a type as written; what is not Python counts as any type."""
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        return ast.Name(ANY)


def _name(kind: ast.expr) -> str:
    """Return the bare name of a type: ``"list"`` for ``list[int]``, ``"Any"`` for what is not known."""
    if isinstance(kind, ast.Subscript):
        kind = kind.value
    if isinstance(kind, ast.Constant) and kind.value is None:
        return "None"
    name = kind.attr if isinstance(kind, ast.Attribute) else kind.id if isinstance(kind, ast.Name) else ANY
    lowered = name.lower() if name in ("List", "Tuple", "Dict") else {"Path": "str", "Sequence": "list"}.get(name, name)
    return lowered if lowered in (*SIMPLE, "Optional", "Union", "Literal") else ANY


def _arguments(kind: ast.expr) -> list[ast.expr]:
    if not isinstance(kind, ast.Subscript):
        return []
    return list(kind.slice.elts) if isinstance(kind.slice, ast.Tuple) else [kind.slice]


def options(kind: ast.expr) -> list[ast.expr]:
    """Return the alternatives of a union, the others as the only one; None comes first and text last."""
    if isinstance(kind, ast.BinOp) and isinstance(kind.op, ast.BitOr):
        found = [*options(kind.left), *options(kind.right)]
    elif _name(kind) == "Optional":
        found = [*(o for a in _arguments(kind) for o in options(a)), ast.Constant(None)]
    elif _name(kind) == "Union":
        found = [o for a in _arguments(kind) for o in options(a)]
    else:
        return [kind]
    return sorted(found, key=lambda option: {"None": 0, "str": 2}.get(_name(option), 1))


def accepts(kind: ast.expr, value: Any) -> bool:
    """Return whether a plain value has that type; integers count as floats, booleans not as integers."""
    alternatives = options(kind)
    if len(alternatives) > 1:
        return any(accepts(option, value) for option in alternatives)
    name, inner = _name(alternatives[0]), _arguments(alternatives[0])
    if name == ANY:
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
        return isinstance(value, dict) and (
            len(inner) != 2 or all(accepts(inner[0], k) and accepts(inner[1], v) for k, v in value.items())
        )
    if not isinstance(value, list):
        return False
    if name == "tuple" and inner and not _is_ellipsis(inner[-1]):
        return len(value) == len(inner) and all(map(accepts, inner, value))
    return not inner or all(accepts(inner[0], item) for item in value)


def _is_ellipsis(kind: ast.expr) -> bool:
    return isinstance(kind, ast.Constant) and kind.value is Ellipsis


def cast(kind: ast.expr, value: Any) -> Any:
    """Return an integer given for a float as a float, anything else as it is."""
    names = {_name(option) for option in options(kind)}
    return float(value) if "float" in names and "int" not in names and type(value) is int else value


def plain(value: Any) -> Any:
    """Return numbers, paths and sequences of other libraries as Python's own, which papermill can write down."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    to_list = getattr(value, "tolist", None)
    return to_list() if callable(to_list) else value


def from_text(kind: ast.expr, text: str) -> Any:
    """Return text as a value of a type without alternatives.

    Raises
    ------
    ValueError, SyntaxError
        If it is none.
    """
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
        item = inner[0] if inner else ast.Name(ANY)
        return [from_text(item, part) for part in bare.split(",")] if bare else []
    if name == "Literal" and any(isinstance(a, ast.Constant) and a.value == text for a in inner):
        return text
    try:
        return plain(json.loads(bare))
    except json.JSONDecodeError:
        pass  # Python's own notation, or plain text, is tried next
    try:
        return plain(ast.literal_eval(bare))
    except (ValueError, SyntaxError):
        if name == ANY:
            return text
        raise

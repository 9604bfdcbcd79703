"""What features depend on: the files' content, how they are read, each featurizer's settings and code."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from mdnb import __version__
from mdnb.errors import DataError
from mdnb.features.base import Featurizer
from mdnb.formats.topology_json import topology_to_json
from mdnb.trajectories import Trajectories

__all__ = ["describe_source", "file_identity", "key_of", "settings_of"]

_WHOLE = 1 << 20  # bytes; files up to this size are hashed whole, of larger ones a part at either end
_PART = 1 << 16


def key_of(content: Mapping[str, Any]) -> str:
    """Return the name under which something of this description is kept."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def describe_source(trajectories: Trajectories, makers: Sequence[Featurizer]) -> dict[str, Any]:
    """Return all that the features depend on, as JSON would hold it; the featurizers are prepared.

    Raises
    ------
    DataError
        When frames are in memory, or a featurizer's settings or code cannot be told.
    """
    recipe = trajectories.recipe()
    columns = [(c.name, c.unit, c.atom_indices, c.group) for maker in makers for c in maker.columns]
    return {
        "mdnb": __version__,
        **recipe,
        "files": [file_identity(Path(path)) for path in recipe["files"]],
        "topology": _digest(json.dumps(topology_to_json(trajectories.topology)).encode()),
        "featurizers": [
            {"class": type(maker).__qualname__, "settings": settings_of(maker), "code": _code_of(maker)}
            for maker in makers
        ],
        "columns": _digest(json.dumps(columns).encode()),
    }


def file_identity(path: Path) -> dict[str, Any]:
    """Return the path, size, time of change and a hash of the content (of both ends of a large file)."""
    try:
        stat = path.stat()
        with path.open("rb") as file:
            digest = hashlib.sha256(file.read(_WHOLE if stat.st_size <= _WHOLE else _PART))
            if stat.st_size > _WHOLE:
                file.seek(-_PART, 2)
                digest.update(file.read(_PART))
    except FileNotFoundError as error:
        raise DataError(
            f"features of {path.name!r} cannot be cached, because there is no such file: only features of files "
            "are; save the frames to a file, or leave cache out"
        ) from error
    return {
        "path": str(path.resolve()), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": digest.hexdigest()
    }  # fmt: skip


def settings_of(maker: Featurizer) -> dict[str, Any]:
    """Return the arguments of a featurizer's constructor, from its attributes of the same names.

    Raises
    ------
    DataError
        When they cannot be told.
    """
    settings = {}
    for name, parameter in inspect.signature(type(maker)).parameters.items():
        called = f"{maker.name or type(maker).__name__} cannot be cached: its setting {name!r}"
        advice = "leave cache out, or change the class"
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise DataError(f"{called} stands for any number of arguments; name each one, or leave cache out")
        if not hasattr(maker, name):
            raise DataError(f"{called} is not kept as self.{name}, so that it cannot be told; {advice}")
        settings[name] = _plain(getattr(maker, name), f"{called} holds", advice)
    return settings


def _plain(value: Any, called: str, advice: str) -> Any:
    """Return a value as JSON would hold it, large arrays as their hash."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return _plain(value.item(), called, advice)
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufcUS":
        return [str(value.dtype), list(value.shape), _digest(np.ascontiguousarray(value).tobytes())]
    if isinstance(value, list | tuple):
        return [_plain(one, called, advice) for one in value]
    if isinstance(value, set | frozenset):
        return sorted(json.dumps(_plain(one, called, advice)) for one in value)
    if isinstance(value, Mapping):
        return [[_plain(key, called, advice), _plain(one, called, advice)] for key, one in value.items()]
    if isinstance(value, Path):
        return file_identity(value)
    if dataclasses.is_dataclass(value):
        fields = [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
        return [type(value).__qualname__, _plain(fields, called, advice)]
    if inspect.isfunction(value) and value.__closure__ is None:
        return [value.__qualname__, _source_of(value, called)]
    if hasattr(value, "xyz") and hasattr(value, "topology"):  # an mdtraj.Trajectory, such as a reference structure
        topology = _digest(json.dumps(topology_to_json(value.topology)).encode())
        return ["mdtraj.Trajectory", topology, _plain(np.asarray(value.xyz), called, advice)]
    raise DataError(f"{called} a {type(value).__name__}, which cannot be told from another one; {advice}")


def _code_of(maker: Featurizer) -> list[str]:
    """Return hashes of the source files that define a featurizer's class and the functions it holds."""
    called = f"{maker.name or type(maker).__name__} cannot be cached: its class holds"
    ours = {cls for cls in type(maker).__mro__ if cls.__module__.partition(".")[0] == "mdnb"}
    others = [cls for cls in type(maker).__mro__ if cls not in ours and issubclass(cls, Featurizer)]
    held = [thing.__func__ for cls in ours for thing in vars(cls).values() if isinstance(thing, staticmethod)]
    functions = [_plain(one, called, "leave cache out") for one in held]  # of `featurizer`
    return [_our_code(), *(_source_of(cls, called) for cls in others), *sorted(map(json.dumps, functions))]


@cache
def _our_code() -> str:
    """Return a hash of the source of the featurizers and the readers, which tells versions in development apart."""
    package = Path(__file__).parent.parent
    folders = [path for folder in ("features", "formats") for path in sorted((package / folder).glob("*.py"))]
    below = [package / name for name in ("chunk.py", "frame_reader.py", "molecules.py", "periodic.py")]
    return _digest(b"".join(path.read_bytes() for path in [*folders, *below]))


def _source_of(thing: type | Callable[..., Any], called: str) -> str:
    """Return a hash of the file that defines a class or function."""
    file = getattr(sys.modules.get(thing.__module__), "__file__", None)
    if file is None:
        raise DataError(
            f"{called} code that was not read from a file (it stands in a notebook?), so that a change of it would "
            "not be noticed; move it to a .py file and import it, or leave cache out"
        )
    return _digest(Path(file).read_bytes())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

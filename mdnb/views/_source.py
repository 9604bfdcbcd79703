"""The Python that makes again what a widget was given: trajectories, features, or a variable of the notebook."""

from __future__ import annotations

from typing import Any

__all__ = ["features_lines", "name_of", "trajectories_lines"]


def name_of(thing: Any, default: str) -> str:
    """Return the notebook's own variable that holds an object, or a default name where there is none.

    Names that begin with an underscore are those of IPython's output cache.
    """
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    known = {} if shell is None else shell.user_ns
    if known.get(default) is thing:
        return default
    names = [name for name, value in list(known.items()) if value is thing and not name.startswith("_")]
    return min(names, key=len) if names else default


def trajectories_lines(trajectories: Any, name: str = "trajectories") -> list[str]:
    """Return the lines that define ``name`` as these trajectories.

    Where they were made in memory, that is the variable of the notebook that holds them.
    """
    if getattr(trajectories, "code", ""):
        return [f"{name} = {trajectories.code}"]
    return _variable(trajectories, name, "the trajectories given to the widget")


def features_lines(features: Any, name: str = "features") -> list[str]:
    """Return the lines that define ``trajectories`` and ``name`` as these features."""
    if getattr(features, "code", ""):
        return [*trajectories_lines(features.source), f"{name} = {features.code}"]
    return _variable(features, name, "the features given to the widget")


def _variable(thing: Any, name: str, what: str) -> list[str]:
    own = name_of(thing, name)
    return [f"# {name}: {what}, which no call of mdnb made"] if own == name else [f"{name} = {own}"]

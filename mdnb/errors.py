"""The errors of mdnb: each says what, what was given, what was expected and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["DataError", "MdnbError", "MissingDependencyError", "SpecError", "TrainingError", "unknown_name"]


class MdnbError(Exception):
    """Base class of every error that mdnb raises on purpose."""


class DataError(MdnbError, ValueError):
    """A file, trajectory, feature or label that cannot be used as it is."""


class SpecError(MdnbError, ValueError):
    """A name or a setting that does not exist or is out of its bounds."""


class TrainingError(MdnbError, RuntimeError):
    """Training that cannot go on, such as a loss that is not a number."""


class MissingDependencyError(MdnbError, ImportError):
    """An optional package that is not installed; the message holds the pip line."""

    def __init__(self, package: str, purpose: str, extra: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed; "
            f"install it with: pip install 'mdnb[{extra}]'"
        )


def unknown_name(kind: str, name: object, known: Iterable[str]) -> SpecError:
    """Return the error for a name that is not registered, with the closest known one."""
    options = sorted(known)
    small, asked = {option.lower(): option for option in options}, str(name).lower()
    close = get_close_matches(asked, small, n=1) or [option for option in small if asked and asked in option]
    hint = f"did you mean {small[close[0]]!r}? " if close else ""
    return SpecError(f"unknown {kind} {name!r}: {hint}known are {', '.join(map(repr, options))}")

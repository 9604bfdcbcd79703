"""What can be computed from trajectories, how many columns and how much memory it takes, before anything runs."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from time import perf_counter
from typing import Any

import numpy as np

from mdnb.errors import MdnbError, SpecError, unknown_name
from mdnb.features.base import FEATURIZERS, Column, Featurizer
from mdnb.trajectories import Trajectories

__all__ = ["Offer", "Option", "Preview", "offer", "options_of", "preview"]

#: Columns above which nothing is tried: naming them alone would take minutes and gigabytes.
_MOST_COLUMNS = 2_000_000
#: Kinds of features with a column for each pair of selected atoms, or of residues.
_OF_ATOM_PAIRS, _OF_RESIDUE_PAIRS = ("distances", "distance-map"), ("contacts", "contact-map", "residue-distances")


@dataclass(frozen=True)
class Option:
    """An argument of a featurizer's constructor that a form can set.

    Attributes
    ----------
    name : str
    kind : {"int", "float", "bool", "text", "words"}
        ``words`` is a tuple of names; a text or words may be None where `optional`.
    default : object
    optional : bool
    help : str
    """

    name: str
    kind: str
    default: Any
    optional: bool
    help: str


@dataclass(frozen=True)
class Offer:
    """What one featurizer would give.

    Attributes
    ----------
    name : str
    about : str
        One line.
    maker : Featurizer or None
        Prepared; None where it does not apply.
    reason : str
        Why it does not apply; empty where it does.
    shape : tuple of int
        Of one frame.
    n_bytes : int
        Of all frames.
    """

    name: str
    about: str
    maker: Featurizer | None
    reason: str
    shape: tuple[int, ...]
    n_bytes: int

    @property
    def columns(self) -> Sequence[Column]:
        """What the numbers mean."""
        return () if self.maker is None else self.maker.columns


@dataclass(frozen=True)
class Preview:
    """A few frames of one featurizer.

    Attributes
    ----------
    values : (n_frames, n_columns) array
    seconds : float
        That all frames would take, as far as these tell.
    """

    values: np.ndarray
    seconds: float


def offer(trajectories: Trajectories, name: str, settings: Mapping[str, Any] | None = None) -> Offer:
    """Return what a featurizer would give, or why it would not.

    Parameters
    ----------
    trajectories : Trajectories
    name : str
    settings : mapping, optional
        Arguments of its constructor.

    Raises
    ------
    SpecError
        For an unknown name or setting.
    """
    if name not in FEATURIZERS:
        raise unknown_name("feature", name, FEATURIZERS)
    kind = FEATURIZERS[name]
    given = dict(settings or {})
    known = inspect.signature(kind).parameters
    for one in given:
        if one not in known:
            raise unknown_name(f"setting of {name}", one, known)
    about = " ".join((inspect.getdoc(kind) or name).split("\n\n")[0].split())
    try:
        trajectories.require("velocities" in kind.needs, "forces" in kind.needs)
        maker = kind(**given)
        n_pairs = _pairs_at_most(trajectories, maker)
        if n_pairs > _MOST_COLUMNS:
            reason = f"it would be about {n_pairs:,} columns: choose fewer atoms"
            return Offer(name, about, None, reason, (), 0)
        chosen = maker.reference_frame
        maker.prepare(trajectories.topology, trajectories.frames(chosen).xyz[0])
        # One frame, as what it holds may be missing too: a periodic box, for one.
        maker.compute(trajectories.read(0, 0, 1, "velocities" in kind.needs, "forces" in kind.needs))
    except MdnbError as error:
        return Offer(name, about, None, str(error), (), 0)
    except (TypeError, ValueError) as error:  # mdtraj's, of a selection that is not in its language
        told = " ".join(str(error).split())
        return Offer(name, about, None, f"its settings cannot be used ({told}); try 'name CA' or 'protein'", (), 0)
    return Offer(name, about, maker, "", tuple(maker.shape), trajectories.n_frames * prod(maker.shape) * 4)


def _pairs_at_most(trajectories: Trajectories, maker: Featurizer) -> int:
    topology = trajectories.topology
    if maker.name in _OF_RESIDUE_PAIRS:
        return int(sum(not one.is_water for one in topology.residues)) ** 2 // 2
    selection = getattr(maker, "selection", None)
    if maker.name not in _OF_ATOM_PAIRS or not isinstance(selection, str) or getattr(maker, "pairs", None) is not None:
        return 0
    try:
        return len(topology.select(selection)) ** 2 // (2 if maker.name == "distances" else 1)
    except Exception as error:  # mdtraj's parser raises what it likes
        raise SpecError(f"the selection {selection!r} is not in mdtraj's language ({error}); try 'name CA'") from error


def preview(trajectories: Trajectories, maker: Featurizer, n_frames: int = 30) -> Preview:
    """Return the first frames of a prepared featurizer, and how long all would take.

    Raises
    ------
    DataError
        When frames cannot be read, or do not suit the featurizer.
    """
    stop = min(n_frames, trajectories.lengths[0])
    wishes = ("velocities" in maker.needs, "forces" in maker.needs)
    chunk = trajectories.read(0, 0, stop, *wishes)
    maker.compute(chunk)  # compiles where that is needed
    begin = perf_counter()
    chunk = trajectories.read(0, 0, stop, *wishes)
    values = np.asarray(maker.compute(chunk)).reshape(stop, -1)
    return Preview(values, (perf_counter() - begin) / stop * trajectories.n_frames)


_KINDS = {"int": "int", "float": "float", "bool": "bool", "str": "text", "tuple[str, ...]": "words"}


def options_of(name: str) -> tuple[Option, ...]:
    """Return the settings of a featurizer that a form can hold, with their help from its docstring."""
    kind = FEATURIZERS[name]
    found = []
    for parameter in inspect.signature(kind).parameters.values():
        words = [part.strip() for part in str(parameter.annotation).strip("'\"").split("|")]
        optional = "None" in words
        plain = [_KINDS[word] for word in words if word in _KINDS]
        # Of what may be several things, the text is what can be typed.
        if plain and all(word in _KINDS or word == "None" or word.startswith("Sequence") for word in words):
            found.append(Option(parameter.name, plain[0], parameter.default, optional, _help(kind, parameter.name)))
    return tuple(found)


def _help(kind: type[Featurizer], name: str) -> str:
    """Return what the numpydoc of a class, or of one it extends, says of a parameter."""
    for one in kind.__mro__:
        text = inspect.cleandoc(one.__doc__ or "")
        match = re.search(rf"^(?:\w+, )*{name}(?:, \w+)* : .*\n((?:[ \t]+.*\n?)+)", text, re.MULTILINE)
        if match:
            return " ".join(textwrap.dedent(match[1]).split()).replace("`", "")
    return ""

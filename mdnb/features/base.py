"""Features: numbers per frame, each with its name, unit and atoms; and the registry of featurizers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mdnb.chunk import Chunk
from mdnb.errors import DataError, unknown_name
from mdnb.features.columns import Column, names_of
from mdnb.features.parts import Bits, Part, columns_of, joined
from mdnb.trajectories import Trajectories

if TYPE_CHECKING:
    import mdtraj

__all__ = ["FEATURIZERS", "Column", "Features", "Featurizer", "make_featurizer"]


@dataclass(frozen=True)
class Features:
    """Numbers per frame, with what they mean and where they come from. Never changed in place.

    Attributes
    ----------
    values : (n_frames, *shape) float32 array
        Of features that are kept smaller (hard contacts take a bit each) it is made when it is first asked
        for, and kept; see `parts`.
    columns : tuple of Column
        One for each number of a frame, in the order of ``values[0].ravel()``.
    trajectory : (n_frames,) int array
        Which trajectory each frame comes from; frames of one are contiguous and in order of time.
    time : (n_frames,) array
        In ps; NaN where unknown.
    axes : tuple of str
        What the axes of a frame are: ``("feature",)`` or ``("atom", "xyz")``.
    featurizers : tuple of str
        What was asked for.
    source : Trajectories
        Where the frames were read.
    code : str
        The Python expression that computes them again from ``trajectories``; empty where it cannot be written.
    """

    values: np.ndarray
    columns: tuple[Column, ...]
    trajectory: np.ndarray
    time: np.ndarray
    axes: tuple[str, ...]
    featurizers: tuple[str, ...]
    source: Trajectories = field(repr=False)
    code: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        n_numbers = sum(columns_of(part) for part in self.parts)
        lengths = {len(part) for part in self.parts}
        n_columns = len(self._given_columns)
        if n_columns != n_numbers or not {len(self.trajectory), len(self.time)} == lengths:
            raise DataError(
                f"{len(self)} frames of {n_numbers} numbers do not fit {n_columns} columns, "
                f"{len(self.trajectory)} trajectory numbers and {len(self.time)} times"
            )

    def __len__(self) -> int:
        return len(self.parts[0])

    @property
    def parts(self) -> tuple[Part, ...]:
        """The numbers as they are kept, side by side: an array, or `Bits` of hard contacts and arrays of the others.

        Once somebody asked for `values`, that one array.
        """
        given = vars(self)["values"]
        return given if isinstance(given, tuple) else (given,)

    @property
    def _given_columns(self) -> Sequence[Column]:
        """The columns, those not made yet that nobody looked at."""
        given: Sequence[Column] = vars(self)["columns"]
        return given

    @property
    def topology(self) -> mdtraj.Topology:
        """The topology that the atom indices point into."""
        return self.source.topology

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one frame."""
        return tuple(self.parts[0].shape[1:]) if len(self.parts) == 1 else (len(self._given_columns),)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(names_of(self._given_columns))

    def flat(self) -> np.ndarray:
        """Return the values as (n_frames, n_columns)."""
        return self.values.reshape(len(self.values), -1)

    def column(self, name: str) -> np.ndarray:
        """Return the values of one column, (n_frames,).

        Raises
        ------
        SpecError
            When there is no column of that name.
        """
        if name not in self.names:
            raise unknown_name("column", name, self.names)
        place = self.names.index(name)
        for part in self.parts:
            if place < columns_of(part):
                break
            place -= columns_of(part)
        return part.column(place) if isinstance(part, Bits) else part.reshape(len(part), -1)[:, place]

    def of_trajectories(self, chosen: Sequence[int]) -> Features:
        """Return the features of some trajectories only; their numbers and frame order stay."""
        mask = np.isin(self.trajectory, chosen)
        if not mask.any():
            raise DataError(f"there are no frames of the trajectories {list(chosen)}")
        values: Any = tuple(part[mask] for part in self.parts)
        code = f"{self.code}.of_trajectories({[int(one) for one in chosen]})" if self.code else ""
        return replace(self, values=values, trajectory=self.trajectory[mask], time=self.time[mask], code=code)

    def _headline(self) -> str:
        size = sum(part.nbytes for part in self.parts) / 1e6
        return (
            f"{len(self):,} frames x {' x '.join(map(str, self.shape))} ({', '.join(self.axes)}) from "
            f"{', '.join(self.featurizers)}; {size:.1f} MB"
        )

    def __repr__(self) -> str:
        units = sorted({column.unit or "1" for column in self.columns})
        shown = ", ".join(self.names[:6]) + (", ..." if len(self.names) > 6 else "")
        return f"Features: {self._headline()}\n  units {', '.join(units)}; columns {shown}"


class _Values:
    """What `Features.values` is: an array, made of its parts when it is first asked for."""

    def __set__(self, features: Features, given: np.ndarray | tuple[Part, ...]) -> None:
        alone = isinstance(given, tuple) and len(given) == 1 and isinstance(given[0], np.ndarray)
        vars(features)["values"] = given[0] if alone else given

    def __get__(self, features: Features | None, owner: type) -> Any:
        if features is None:
            return self
        if isinstance(vars(features)["values"], tuple):
            vars(features)["values"] = joined(features.parts)
        return vars(features)["values"]


class _Columns:
    """What `Features.columns` is: a tuple, made when it is first asked for; making thousands takes a while."""

    def __set__(self, features: Features, given: Sequence[Column]) -> None:
        vars(features)["columns"] = given

    def __get__(self, features: Features | None, owner: type) -> Any:
        if features is None:
            return self
        given = vars(features)["columns"]
        if not isinstance(given, tuple):
            given = vars(features)["columns"] = tuple(given)
        return given


# After the dataclass was made, which would take them for the defaults of the fields.
Features.values = _Values()  # type: ignore[assignment]  # a descriptor of such values
Features.columns = _Columns()  # type: ignore[assignment]  # as well


class Featurizer(ABC):
    """Turns chunks of frames into numbers; a subclass registers itself under its `name`.

    A subclass gives `columns` in its constructor (it sees the topology) and `compute`. It must treat each
    frame on its own, so that the size of a chunk does not matter.
    """

    name: ClassVar[str] = ""
    needs: ClassVar[frozenset[str]] = frozenset({"positions"})
    columns: Sequence[Column]
    shape: tuple[int, ...]
    axes: tuple[str, ...] = ("feature",)
    #: Which frame over all trajectories `prepare` is given as the reference.
    reference_frame: int = 0
    #: The atoms whose positions `compute` looks at, where `describe` finds that others need not be read; None for all.
    #: Where it is set, `compute` asks `Chunk.places_of` where they stand.
    looks_at: np.ndarray | None = None
    #: Whether `compute` takes atoms for their places, so that all have to be there: that of a user's subclass does,
    #: whatever its parent looks at, unless it says that it does not.
    takes_all: ClassVar[bool] = False
    #: Whether all its numbers are 0 or 1: they are then kept as bits, and `fill` gets a table of uint8.
    binary: bool = False

    def __init_subclass__(cls) -> None:
        own = vars(cls).keys()
        if not cls.__module__.startswith("mdnb.") and "compute" in own:
            if "takes_all" not in own:
                cls.takes_all = True
            for name in {"fill", "fill_bits"} - own:  # those of its parent would compute what that does
                setattr(cls, name, getattr(Featurizer, name))
        if cls.name:
            FEATURIZERS[cls.name] = cls

    def prepare(self, topology: mdtraj.Topology, reference: np.ndarray) -> None:
        """See the topology and the positions of the `reference_frame`, (n_atoms, 3) in nm; set columns and shape."""
        self.columns = self.describe(topology, reference)
        self.shape = (len(self.columns),)
        if not self.columns:
            raise DataError(f"{self.name!r} finds nothing in {topology}: {self.needed}")

    #: What the topology must hold, for the error when it does not.
    needed: ClassVar[str] = "choose another feature"

    @abstractmethod
    def describe(self, topology: mdtraj.Topology, reference: np.ndarray) -> Sequence[Column]:
        """Return the columns."""

    @abstractmethod
    def compute(self, chunk: Chunk) -> np.ndarray:
        """Return (n_frames, *shape) for one chunk; several threads may call it at once, so it keeps nothing."""

    def fill(self, chunk: Chunk, out: np.ndarray, column: int) -> None:
        """Write the numbers of one chunk into their columns of `out` (n_frames, n_columns), from `column` on.

        A subclass may write them there itself, without an array in between.
        """
        out[:, column : column + len(self.columns)] = self.compute(chunk).reshape(len(out), -1)

    def fill_bits(self, chunk: Chunk, out: np.ndarray) -> None:
        """Write the numbers of one chunk, all of them 0 or 1, into `out` (n_frames, n_bytes) as `numpy.packbits` does.

        A subclass may write the bits there itself.
        """
        values = np.empty((len(out), len(self.columns)), np.uint8)
        self.fill(chunk, values, 0)
        out[:] = np.packbits(values, axis=1)


#: Name -> class; filled as the modules of `mdnb.features` are imported.
FEATURIZERS: dict[str, type[Featurizer]] = {}


def make_featurizer(asked: str | Featurizer) -> Featurizer:
    """Return the featurizer of that name, or the one given.

    Raises
    ------
    SpecError
        For an unknown name.
    """
    if isinstance(asked, Featurizer):
        return asked
    if asked not in FEATURIZERS:
        raise unknown_name("feature", asked, FEATURIZERS)
    return FEATURIZERS[asked]()


def as_mdtraj(chunk: Chunk, topology: mdtraj.Topology) -> mdtraj.Trajectory:
    """Return a chunk as an mdtraj.Trajectory that shares its positions."""
    import mdtraj

    trajectory = mdtraj.Trajectory(chunk.positions, topology)
    if chunk.box is not None:
        trajectory.unitcell_vectors = chunk.box
    return trajectory


def residue_labels(topology: mdtraj.Topology) -> list[str]:
    """Return a short unique label of each residue: ``ALA2``, or ``ALA2.1`` (of chain 1) where chains share names."""
    names = [str(residue) for residue in topology.residues]
    if len(set(names)) < len(names):
        names = [f"{name}.{residue.chain.index}" for name, residue in zip(names, topology.residues, strict=True)]
    return _told_apart(names)


def atom_labels(topology: mdtraj.Topology) -> list[str]:
    """Return a short unique label of each atom, such as ``ALA2-CB``."""
    residues = residue_labels(topology)
    return _told_apart([f"{residues[atom.residue.index]}-{atom.name}" for atom in topology.atoms])


def _told_apart(names: list[str]) -> list[str]:
    """Return the names, with their number where a name occurs more than once."""
    counts = Counter(names)
    return [name if counts[name] == 1 else f"{name}#{number}" for number, name in enumerate(names)]

"""A user's own feature: a function of a chunk of frames."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mdnb.chunk import Chunk
from mdnb.errors import DataError, SpecError
from mdnb.features.base import FEATURIZERS, Column, Featurizer

if TYPE_CHECKING:
    import mdtraj

__all__ = ["CustomFeaturizer", "featurizer"]

_F = TypeVar("_F", bound=Callable[..., Any])
#: A `Column`, or its name, unit and atom indices.
ColumnLike = Column | tuple[str, str, Sequence[int]]
Columns = Iterable[ColumnLike] | Callable[["mdtraj.Topology"], Iterable[ColumnLike]]


class CustomFeaturizer(Featurizer):
    """A featurizer made of a function; made and registered by `featurizer`."""

    needed = "its list of columns is empty"
    function: Callable[..., Any]
    given: Columns

    def __init__(self, given: Columns | None = None) -> None:
        if given is not None:  # other columns than those of the definition
            self.given = _checked(given, self.name)

    def describe(self, topology: mdtraj.Topology, reference: np.ndarray) -> tuple[Column, ...]:
        """Return the columns that the user gave or that the user's function finds."""
        parameters = inspect.signature(type(self).function).parameters.values()
        self._takes_columns = sum(one.default is one.empty for one in parameters) > 1
        given = self.given
        columns = tuple(_as_column(one, self.name) for one in (given(topology) if callable(given) else given))
        for column in columns:
            wrong = [index for index in column.atom_indices if not 0 <= index < topology.n_atoms]
            if wrong:
                raise DataError(
                    f"{self.name!r}: the column {column.name!r} names the atom {wrong[0]}; there are "
                    f"{topology.n_atoms} (0 to {topology.n_atoms - 1})"
                )
        return columns

    def compute(self, chunk: Chunk) -> np.ndarray:
        """Return (n_frames, n_columns), checked."""
        arguments = (chunk, self.columns) if self._takes_columns else (chunk,)
        values = np.asarray(type(self).function(*arguments))
        n_frames, n_columns = len(chunk.positions), len(self.columns)
        if values.shape == (n_frames,) and n_columns == 1:
            values = values[:, None]
        if values.shape != (n_frames, n_columns) or values.dtype.kind not in "fiub":
            raise DataError(
                f"{self.name!r} returned an array of {values.dtype} and shape {values.shape} for a chunk of {n_frames} "
                f"frames, expected numbers of shape ({n_frames}, {n_columns}): one row a frame, one number a column"
            )
        return values

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to another process as a function, whose class is made there."""
        made = type(self)
        return _restore, (made.function, made.name, made.given, made.needs, self.__dict__)


def featurizer(name: str, columns: Columns, *, velocities: bool = False, forces: bool = False) -> Callable[[_F], _F]:
    """Make a feature of a function of one's own, to be asked for by its name like any other.

    The function is called with a chunk of frames at a time and must treat each frame on its own, so that
    the size of a chunk does not matter. It stays as it is: it may be called in a test.

    Parameters
    ----------
    name : str
        Its name in `mdnb.featurize`; running the definition again replaces it.
    columns : sequence of (name, unit, atom indices) or of Column, or a function
        What the numbers of a frame are; a function gets the `mdtraj.Topology` and returns the sequence.
    velocities, forces : bool
        Whether the chunk must have them.

    Returns
    -------
    decorator
        For ``function(chunk)`` or ``function(chunk, columns)``. A chunk has ``positions`` (n_frames,
        n_atoms, 3) in nm, ``time`` in ps, ``box`` (n_frames, 3, 3) in nm or None, and where asked
        ``velocities`` in nm/ps and ``forces`` in kJ/mol/nm. It returns (n_frames, n_columns), or
        (n_frames,) for one column.

    Raises
    ------
    SpecError
        When the name is that of a feature of mdnb, or empty.

    Examples
    --------
    >>> import numpy as np
    >>> from mdnb.features import featurizer
    >>> def ends(topology):
    ...     first, last = topology.select("name CA")[[0, -1]]
    ...     return [("end to end", "nm", (first, last))]
    >>> @featurizer("end-to-end", columns=ends)
    ... def end_to_end(chunk, columns):
    ...     first, last = columns[0].atom_indices
    ...     return np.linalg.norm(chunk.positions[:, first] - chunk.positions[:, last], axis=1)

    Then ``mdnb.featurize(trajectories, ["torsions", "end-to-end"])``.
    """
    if (
        not isinstance(name, str)
        or not name
        or not issubclass(FEATURIZERS.get(name, CustomFeaturizer), CustomFeaturizer)
    ):
        raise SpecError(
            f"the name {name!r} cannot be given to a feature of one's own: it is empty or that of a feature of mdnb; "
            f"choose another"
        )
    needs = frozenset({"positions"} | ({"velocities"} if velocities else set()) | ({"forces"} if forces else set()))
    checked = _checked(columns, name)

    def add(function: _F) -> _F:
        if not callable(function):
            raise SpecError(f"@featurizer({name!r}) got {function!r}, expected a function of a chunk of frames")
        FEATURIZERS[name] = _make(function, name, checked, needs)
        return function

    return add


def _make(function: Callable[..., Any], name: str, given: Columns, needs: frozenset[str]) -> type[CustomFeaturizer]:
    """Return the class of one function, not registered."""
    attributes = {
        "function": staticmethod(function),
        "given": staticmethod(given) if callable(given) else given,
        "needs": needs,
        "__doc__": function.__doc__,
        "__module__": __name__,
    }
    made: type[CustomFeaturizer] = type("CustomFeaturizer", (CustomFeaturizer,), attributes)
    made.name = name  # after the class is made, so that only `featurizer` registers it
    return made


def _restore(
    function: Callable[..., Any], name: str, given: Columns, needs: frozenset[str], state: dict[str, Any]
) -> CustomFeaturizer:
    """Return an instance in another process."""
    made = _make(function, name, given, needs)()
    made.__dict__.update(state)
    return made


def _checked(columns: Columns, feature: str) -> Columns:
    """Return a function as it is, and anything else as a tuple of columns."""
    return columns if callable(columns) else tuple(_as_column(one, feature) for one in columns)


def _as_column(given: ColumnLike, feature: str) -> Column:
    if isinstance(given, Column):
        return given
    try:
        name, unit, atoms = given
        return Column(str(name), str(unit), tuple(int(index) for index in atoms), str(name))
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{feature!r}: got the column {given!r}, expected (name, unit, atom indices), such as "
            f"('end to end', 'nm', (0, 21))"
        ) from error

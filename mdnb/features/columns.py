"""What each number of a frame means: its name, its unit and its atoms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, overload

import numpy as np

__all__ = ["Column", "JoinedColumns", "PairColumns", "name_given_twice", "names_of"]


@dataclass(frozen=True)
class Column:
    """One number of a frame.

    Attributes
    ----------
    name : str
        Unique among the columns of a `Features`.
    unit : str
        Empty for pure numbers such as a sine.
    atom_indices : tuple of int
        The atoms it is computed from, in the topology of the trajectories.
    group : str
        What belongs together, such as the sine and the cosine of one torsion.
    """

    name: str
    unit: str
    atom_indices: tuple[int, ...]
    group: str = ""


class PairColumns(Sequence[Column]):
    """One column for each pair of atoms; each is made when it is looked at, as there may be a million.

    Parameters
    ----------
    what : str
        With which names begin.
    unit : str
    pairs : (n_pairs, 2) int array
    labels : sequence of str
        Of all atoms.
    """

    def __init__(self, what: str, unit: str, pairs: np.ndarray, labels: Sequence[str]) -> None:
        self.what, self._unit, self._pairs = what, unit, pairs
        self._labels = {atom: labels[atom] for atom in np.flatnonzero(np.bincount(pairs.ravel())).tolist()}

    def __len__(self) -> int:
        return len(self._pairs)

    @overload
    def __getitem__(self, number: int) -> Column: ...
    @overload
    def __getitem__(self, number: slice) -> tuple[Column, ...]: ...
    def __getitem__(self, number: int | slice) -> Column | tuple[Column, ...]:
        if isinstance(number, slice):
            return tuple(map(self._column, *self._pairs[number].T.tolist()))
        first, second = self._pairs[number].tolist()
        return self._column(first, second)

    def __iter__(self) -> Iterator[Column]:
        return map(self._column, *self._pairs.T.tolist())

    def differ(self) -> bool:
        """Return whether all their names differ, without making them."""
        pairs = np.sort(self._pairs[:, 0] * (1 + int(self._pairs.max(initial=0))) + self._pairs[:, 1])
        return bool((pairs[1:] > pairs[:-1]).all()) and len(set(self._labels.values())) == len(self._labels)

    def _column(self, first: int, second: int) -> Column:
        name = f"{self._labels[first]} {self._labels[second]}"
        return Column(f"{self.what} {name}", self._unit, (first, second), name)

    def names(self) -> list[str]:
        """Return the names of all columns."""
        label, what = self._labels, self.what
        first, second = self._pairs.T.tolist()
        return [f"{what} {label[i]} {label[j]}" for i, j in zip(first, second, strict=True)]


class JoinedColumns(Sequence[Column]):
    """Columns one after another, as one sequence."""

    def __init__(self, parts: Sequence[Sequence[Column]]) -> None:
        self.parts = tuple(parts)

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __getitem__(self, number: Any) -> Any:
        return tuple(self)[number]

    def __iter__(self) -> Iterator[Column]:
        return chain.from_iterable(self.parts)

    def names(self) -> list[str]:
        """Return the names of all columns."""
        return [name for part in self.parts for name in names_of(part)]


def names_of(columns: Sequence[Column]) -> list[str]:
    """Return the names of columns, without making those that are not made yet."""
    if isinstance(columns, PairColumns | JoinedColumns):
        return columns.names()
    return [column.name for column in columns]


def name_given_twice(columns: Sequence[Column]) -> str | None:
    """Return a name that two columns have, or None. Names of pairs are made only where another begins like them."""
    parts = columns.parts if isinstance(columns, JoinedColumns) else (columns,)
    pairs = [part for part in parts if isinstance(part, PairColumns) and part.differ()]
    names = [name for part in parts if part not in pairs for name in names_of(part)]
    begins = {f"{part.what} " for part in pairs}
    if len(begins) < len(pairs) or any(name.startswith(tuple(begins)) for name in names):
        names = names_of(columns)
    counts = Counter(names)
    return None if len(counts) == len(names) else counts.most_common(1)[0][0]

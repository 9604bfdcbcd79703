"""Skeleton: how the heavy atoms of a molecule are placed from internal coordinates, as plain numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Skeleton"]


@dataclass(frozen=True)
class Skeleton:
    """The heavy atoms in the order in which they are placed, each from others before it.

    Attributes
    ----------
    references : tuple of tuple of int
        Of each atom the three that its bond, angle and torsion are measured from, as numbers in this order; -1 where
        there is none (the first three atoms).
    columns : tuple of tuple of int
        Of each atom the columns of its bond, of its angle, of the sine of its torsion (the cosine follows), and of
        what is added to that; -1 where there is none.
    offsets : tuple of float
        What is added to the torsion besides, in radian.
    """

    references: tuple[tuple[int, int, int], ...]
    columns: tuple[tuple[int, int, int, int], ...]
    offsets: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.references)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Skeleton:
        """Return what JSON holds of one.

        Raises
        ------
        ValueError
            When atoms are placed from others that are not there yet, or rows are missing.
        """
        references = tuple(tuple(map(int, row)) for row in content["references"])
        columns = tuple(tuple(map(int, row)) for row in content["columns"])
        offsets = tuple(map(float, content["offsets"]))
        if not 4 <= len(references) == len(columns) == len(offsets):
            raise ValueError("the rows of the skeleton are not of the same atoms")
        for number, (row, own) in enumerate(zip(references, columns, strict=True)):
            known = min(number, 3)
            found = [*row[:known], *own[: min(number, 2)], *own[2 : 3 if number > 2 else 2]]
            before = len(set(row[:known])) == known and all(0 <= one < number for one in row[:known])
            if len(row) != 3 or len(own) != 4 or not before or min(found, default=0) < 0:
                raise ValueError(f"atom {number} of the skeleton is placed from none that is there")
        return cls(references, columns, offsets)  # type: ignore[arg-type]

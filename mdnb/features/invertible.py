"""Featurizers from whose numbers structures are rebuilt."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from mdnb.errors import DataError
from mdnb.features.base import FEATURIZERS, Column, Featurizer
from mdnb.features.skeleton import Skeleton
from mdnb.features.superposition import rotations

if TYPE_CHECKING:
    import mdtraj

__all__ = ["Invertible", "compare_columns", "restore"]


class Invertible(Featurizer):
    """A featurizer whose numbers tell where its atoms are, up to the place and direction of the whole.

    Attributes
    ----------
    exact : bool
        Whether bonds, angles and hands are numbers of their own, so that any numbers near those of real frames
        give sound structures; where not, structures that a model proposes need a clean-up.
    """

    exact: ClassVar[bool] = False

    @property
    @abstractmethod
    def atoms(self) -> np.ndarray:
        """The atoms that are rebuilt, (n_rebuilt,), in ascending order."""

    def rebuild(self, values: np.ndarray) -> np.ndarray:
        """Return the positions in nm of these atoms, (n_frames, n_rebuilt, 3).

        Parameters
        ----------
        values : (n_frames, *shape) array
            As `compute` gives them, or (n_frames, n_columns); a sine and cosine need not lie on the unit circle.

        Raises
        ------
        DataError
            When their number differs.
        """
        if values.ndim < 2 or math.prod(values.shape[1:]) != len(self.columns):
            expected = ", ".join(map(str, ("n_frames", *self.shape)))
            raise DataError(f"got values of shape {values.shape}, expected ({expected})")
        return self.place(np.array(values, np.float64).reshape(len(values), -1))

    @abstractmethod
    def place(self, values: np.ndarray) -> np.ndarray:
        """Return what `rebuild` does, of float64 values (n_frames, n_columns)."""

    @property
    def parts(self) -> tuple[int, ...]:
        """For each number the part of the molecule that it shapes, -1 where it moves parts against each other.

        Empty where that is not known, or where the molecule is too small to have parts.
        """
        return ()

    @property
    def skeleton(self) -> Skeleton | None:
        """How the heavy atoms are placed, for who wants to place them in another way; None where that is not known."""
        return None

    def influence(self, values: np.ndarray) -> np.ndarray:
        """Return how far the atoms move when each number changes a little, (n_columns,), in nm per its unit.

        That is the root mean square displacement of all rebuilt atoms after superposition, over the frames given.

        Parameters
        ----------
        values : (n_frames, n_columns) array
            Of real frames; a few are enough.
        """
        steps = 1e-3 * np.maximum(values.std(0), 1e-6)
        moved = np.zeros(values.shape)
        for row, frame in enumerate(values.astype(np.float64)):
            changed = self.rebuild(np.concatenate([frame[None], frame + np.diag(steps)]))
            centred = changed - changed.mean(1, keepdims=True)
            apart = centred[1:] @ rotations(centred[1:], centred[0]) - centred[0]
            moved[row] = np.sqrt(np.square(apart).sum(-1).mean(-1)) / steps
        return np.asarray(np.sqrt(np.square(moved).mean(0)))

    @classmethod
    def of_columns(cls, columns: Sequence[Column], topology: mdtraj.Topology, reference: np.ndarray) -> Invertible:
        """Return the prepared featurizer that made the columns.

        Raises
        ------
        DataError
            When other settings made them than can be told from them.
        """
        maker = cls()
        maker.prepare(topology, reference)
        compare_columns(cls.name, columns, maker.columns)
        return maker


def restore(
    featurizers: Sequence[str], columns: Sequence[Column], topology: mdtraj.Topology, reference: np.ndarray
) -> Invertible:
    """Return the featurizer, prepared, from whose numbers structures can be rebuilt.

    Parameters
    ----------
    featurizers : sequence of str
        What was asked for.
    columns : sequence of Column
    topology : mdtraj.Topology
    reference : (n_atoms, 3) array
        First frame of the data in nm.

    Raises
    ------
    DataError
        When structures cannot be rebuilt from these.
    """
    found = FEATURIZERS.get(featurizers[0]) if len(featurizers) == 1 else None
    if found is None or not issubclass(found, Invertible):
        able = [repr(name) for name, one in FEATURIZERS.items() if issubclass(one, Invertible)]
        raise DataError(
            f"structures cannot be rebuilt from {', '.join(featurizers)}; featurize with "
            f"{', '.join(sorted(able, key=lambda name: 'internal' not in name)[:-1])} or {able[-1]}"
        )
    return found.of_columns(columns, topology, reference)


def compare_columns(name: str, asked: Sequence[Column], found: Sequence[Column]) -> None:
    """Refuse columns that a featurizer does not make again."""
    if [column.name for column in asked] != [column.name for column in found]:
        raise DataError(
            f"the {len(asked)} columns are not those that {name!r} makes of this molecule ({len(found)}); featurize "
            f"again with this version"
        )

"""Generated: structures that a model proposed, and what the checks say of each."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import mdtraj
import numpy as np

from mdnb.errors import DataError
from mdnb.files import write_whole

__all__ = ["Generated"]


@dataclass(frozen=True)
class Generated:
    """Structures proposed by a model, and which checks each of them passes.

    Attributes
    ----------
    structures : mdtraj.Trajectory
        Superposed on the first frame of the training data.
    checks : dict of (n_structures,) bool arrays
        True where passed, by those of `mdnb.generation.checks.CHECKS` that the molecule has.
    family : str
    seed : int
    requested : (n_structures,) array or None
        What each was asked to be: class numbers, or numbers in the condition's unit.
    notes : tuple of str
        What a reader has to know, such as a condition that the training data do not cover.
    """

    structures: mdtraj.Trajectory
    checks: dict[str, np.ndarray]
    family: str
    seed: int
    requested: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return int(self.structures.n_frames)

    @property
    def valid(self) -> np.ndarray:
        """Which structures pass every check, (n_structures,)."""
        return np.logical_and.reduce([self.checks[name] for name in self.checks])

    def only_valid(self) -> Generated:
        """Return the structures that pass every check.

        Raises
        ------
        DataError
            When none does.
        """
        keep = np.flatnonzero(self.valid)
        if not len(keep):
            raise DataError(f"none of the {len(self)} structures passes every check; train longer")
        checks = {name: passed[keep] for name, passed in self.checks.items()}
        requested = None if self.requested is None else self.requested[keep]
        return replace(self, structures=self.structures[keep], checks=checks, requested=requested)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write all structures to a PDB, XTC or DCD file (by suffix), whole or not at all."""
        path = Path(path)
        write_whole(path, lambda place: self.structures.save(str(place)))
        return path

    def __repr__(self) -> str:
        shares = ", ".join(f"{name} {passed.mean():.1%}" for name, passed in self.checks.items())
        total = f"all checks {self.valid.mean():.1%}"
        head = f"Generated: {len(self)} structures by the {self.family} (seed {self.seed})"
        return "\n".join([head, f"  {shares}; {total}", *(f"  note: {note}" for note in self.notes)])

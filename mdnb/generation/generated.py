"""Generated: structures that a model proposed, what the checks say of each, and where each came from."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import wrap
from typing import Any

import mdtraj
import numpy as np

from mdnb.errors import DataError
from mdnb.generation.energy import Energies, energies
from mdnb.generation.origin import Origin
from mdnb.generation.output import save_structures

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
        What each was asked to be, or drawn to be where nothing was asked of a run with a target: class numbers, or
        numbers in the condition's unit.
    notes : tuple of str
        What a reader has to know, such as a condition that the training data do not cover.
    origin : Origin or None
        The run that drew them.
    index : (n_structures,) int array
        The place of each in the draw, which its seed repeats.
    checks_before : dict of (n_structures,) bool arrays, or None
        The checks of the structures as drawn, where they were cleaned up afterwards.
    draws : (n_structures,) int array or None
        How often each was drawn, where structures that the checks refused were drawn again.
    energies : Energies or None
        As `with_energies` adds them.
    extrapolated : (n_structures,) bool array or None
        Which lie beyond the training data: asked for outside their range, or with latents where none of theirs are.
    """

    structures: mdtraj.Trajectory
    checks: dict[str, np.ndarray]
    family: str
    seed: int
    requested: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    origin: Origin | None = None
    index: np.ndarray | None = None
    checks_before: dict[str, np.ndarray] | None = None
    energies: Energies | None = None
    draws: np.ndarray | None = None
    extrapolated: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.index is None:
            object.__setattr__(self, "index", np.arange(self.structures.n_frames))

    def __len__(self) -> int:
        return int(self.structures.n_frames)

    @property
    def valid(self) -> np.ndarray:
        """Which structures pass every check, (n_structures,)."""
        return np.logical_and.reduce([np.ones(len(self), bool), *self.checks.values()])

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
        return self.only(keep)

    def only(self, rows: np.ndarray) -> Generated:
        """Return some structures, by their numbers here, with all that is known of them."""
        rows = np.asarray(rows, int)
        assert self.index is not None
        before = self.checks_before
        return replace(
            self,
            structures=self.structures[rows],
            checks={name: passed[rows] for name, passed in self.checks.items()},
            requested=None if self.requested is None else self.requested[rows],
            index=self.index[rows],
            checks_before=None if before is None else {name: passed[rows] for name, passed in before.items()},
            energies=None if self.energies is None else self.energies.only(rows),
            draws=None if self.draws is None else self.draws[rows],
            extrapolated=None if self.extrapolated is None else self.extrapolated[rows],
        )

    def with_energies(self, **options: Any) -> Generated:
        """Return the same structures with their energies; options and errors are those of `mdnb.energies`."""
        return replace(self, energies=energies(self.structures, **options))

    def table(self) -> Any:
        """Return what is known of each structure as a `pandas.DataFrame`, one row each.

        Columns: ``index`` in the draw, ``family``, ``run``, ``weights_sha256``, ``mdnb``, ``seed``, ``requested``
        (the name where it is a class), ``extrapolated``, ``draws``, one for each check, ``valid``, ``before: `` each
        check before the clean-up, ``energy`` and ``minimized_energy`` (kJ/mol), ``moved`` (nm) and ``clashes`` left by
        the minimization.
        """
        import pandas

        origin, wanted = self.origin, self.requested
        columns: dict[str, Any] = {"index": self.index, "family": self.family}
        if origin is not None:
            columns |= {"run": origin.run, "weights_sha256": origin.weights_sha256, "mdnb": origin.mdnb}
        columns["seed"] = self.seed
        if wanted is not None:
            named = origin is not None and bool(origin.classes)
            columns["requested"] = [origin.classes[int(k)] for k in wanted] if origin and named else wanted
        if self.extrapolated is not None:
            columns["extrapolated"] = self.extrapolated
        if self.draws is not None:
            columns["draws"] = self.draws
        columns |= self.checks
        columns["valid"] = self.valid
        columns |= {f"before: {name}": passed for name, passed in (self.checks_before or {}).items()}
        if self.energies is not None:
            found = self.energies
            columns |= {"energy": found.before, "minimized_energy": found.after, "moved": found.moved}
            columns["clashes left"] = found.clashes
        return pandas.DataFrame(columns, index=range(len(self)))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write all structures to a PDB, XTC or DCD file (by suffix), and beside it where each came from.

        Beside ``x.pdb`` stands ``x.pdb.json``, with what all structures share and the rows of `table`; beside
        ``x.xtc`` also ``x.xtc.pdb``, its topology: ``mdnb.load("x.xtc", top="x.xtc.pdb")``. A PDB file has the same in
        its remarks, model by model. All are written under other names first, and take theirs when all are whole.

        Returns
        -------
        Path
            Of the structures.

        Raises
        ------
        DataError
            For another suffix, a folder that is not there, or positions that are not numbers or do not fit into the
            format.
        OSError
            When the disk is full or cannot be written; what was there before still is.
        """
        head = {
            "family": self.family,
            "seed": self.seed,
            "force_field": None if self.energies is None else self.energies.force_field,
            "notes": list(self.notes),
            "origin": None if self.origin is None else self.origin.to_dict(),
        }
        return save_structures(Path(path), self.structures, head, self.table())

    def __repr__(self) -> str:
        head = f"Generated: {len(self)} structures by the {self.family} (seed {self.seed})"
        lines = [head, *_shares(f"all checks {self.valid.mean():.1%}", self.checks)]
        if self.checks_before is not None:
            lines += _shares("before the clean-up", self.checks_before)
        if self.energies is not None:
            lines += [f"  energies in {self.energies.force_field}", *repr(self.energies).splitlines()[1:]]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def _shares(head: str, checks: dict[str, np.ndarray]) -> list[str]:
    """Return lines with the share of structures that pass each check."""
    shares = ", ".join(f"{name} {passed.mean():.1%}" for name, passed in checks.items())
    return wrap(f"{head}: {shares}", 100, initial_indent="  ", subsequent_indent="    ")

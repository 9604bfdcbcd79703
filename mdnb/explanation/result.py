"""Explanation: attributions of one output for some samples, the checks of them, and the ways out of here."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mdnb.errors import DataError
from mdnb.explanation import paint
from mdnb.explanation.attributions import Attributions
from mdnb.explanation.faithfulness import Faithfulness, check
from mdnb.explanation.players import make_players
from mdnb.explanation.problem import Problem
from mdnb.explanation.words import in_words
from mdnb.runs import Run

if TYPE_CHECKING:
    import mdtraj
    import shap

__all__ = ["Explanation"]


@dataclass(frozen=True, kw_only=True)
class Explanation(Attributions):
    """Attributions of one output for some samples.

    Attributes
    ----------
    values, columns, topology, trajectory, reference, grouping
        See `Attributions`.
    base_value : float
        Mean output over the background.
    prediction : (n_samples,) array
        The output: a class's logit, or the predicted number in the label's unit.
    data : array like `values`
        The inputs, in their own units; NaN for groups.
    output : str
        Name of the output.
    frames : (n_samples,) int array
        The last frame of each sample, in the features.
    method : str
    background : str
        What the background is.
    notes : tuple of str
        What a reader has to know.
    asked : str or int
        The output as `mdnb.explain` takes it.
    """

    base_value: float
    prediction: np.ndarray
    data: np.ndarray
    output: str
    frames: np.ndarray
    method: str
    background: str
    notes: tuple[str, ...] = ()
    asked: str | int = 0
    problem: Problem | None = field(default=None, repr=False, compare=False)
    rerun: Any = field(default=None, repr=False, compare=False)
    _checked: dict[str, Faithfulness] = field(default_factory=dict, repr=False, compare=False)

    def additivity_error(self) -> float:
        """Return the largest ``|sum of values - (prediction - base_value)|`` over the range of the predictions.

        The range is that of the explained predictions and the base value together.
        """
        total = self.values.reshape(len(self.values), -1).sum(1, dtype=np.float64)
        everything = np.append(self.prediction, self.base_value)
        spread = max(float(np.ptp(everything)), 1e-12)
        return float(np.abs(total - (self.prediction - self.base_value)).max() / spread)

    def contact_map(self, sample: int | None = None) -> np.ndarray:
        """Return the attribution of each pair of residues, (n_residues, n_residues); NaN where no column is of it.

        Parameters
        ----------
        sample : int, optional
            Signed, of that sample; the mean signed one over all samples when left out.

        Raises
        ------
        DataError
            When no column is of two residues.
        """
        return paint.contact_map(self, sample)

    def only(self, chosen: np.ndarray) -> Explanation:
        """Return the explanation of some of the samples, such as those of one class.

        Parameters
        ----------
        chosen : (n_samples,) bool array, or int array
            Such as ``explanation.prediction > 0``.

        Raises
        ------
        DataError
            When none is chosen.
        """
        rows = np.arange(len(self.values))[chosen]
        if not len(rows):
            raise DataError(f"none of the {len(self.values)} samples is chosen")
        parts = {name: getattr(self, name)[rows] for name in ("values", "prediction", "data", "frames")}
        if len(self.trajectory):
            parts["trajectory"] = self.trajectory[rows]
        fewer: dict[str, Any] = {"_checked": {}}
        if self.problem is not None:
            ask = self.rerun
            fewer["problem"] = replace(self.problem, x=self.problem.x[rows])
            fewer["rerun"] = lambda run, seed: replace(whole := ask(run, seed), x=whole.x[rows])
        return replace(self, **parts, **fewer)

    # --- checks -------------------------------------------------------------------------------------------------------

    def faithfulness(self, *, runs: Sequence[Run] = (), n: int = 20, seed: int = 0) -> Faithfulness:
        """Return checks of whether this explanation says what the model does; see `Faithfulness`.

        Parameters
        ----------
        runs : sequence of Run
            Other runs of the same kind, such as those of other seeds or splits: are they explained alike?
        n : int
            Samples that the curves are computed on, spread over the explained ones.
        seed : int
            Of the random orders, the random weights and the other backgrounds.

        Raises
        ------
        DataError
            When the explanation does not know its model any more, or there are too few inputs.
        """
        key = f"{[id(run) for run in runs]} {n} {seed}"
        if key not in self._checked:
            self._checked[key] = check(self, tuple(runs), n, seed)
        return self._checked[key]

    def in_words(self, by: str = "feature", most: int = 3) -> str:
        """Return what the explanation says, and the checks that support it or do not, in sentences.

        Parameters
        ----------
        by : str
            One of `mdnb.explanation.GROUPINGS`.
        most : int
            How many of the most important groups are named.
        """
        return in_words(self, by, most)

    @property
    def checked(self) -> Faithfulness | None:
        """What `faithfulness` found last; None before."""
        return list(self._checked.values())[-1] if self._checked else None

    # --- out of here --------------------------------------------------------------------------------------------------

    def to_shap(self) -> shap.Explanation:
        """Return a `shap.Explanation` of all inputs in one row, on which shap's plots work."""
        import shap

        rows = self.values.reshape(len(self.values), -1)
        names = make_players("input", self.columns, self.window, self.topology).names
        base = np.full(len(rows), self.base_value)
        return shap.Explanation(rows, base, self.data.reshape(rows.shape), feature_names=list(names))

    def save_structure(
        self,
        path: str | os.PathLike[str],
        structure: mdtraj.Trajectory | None = None,
        *,
        by: str = "residue",
        sample: int | None = None,
    ) -> Path:
        """Write a PDB or mmCIF file with the attributions as B-factors, for PyMOL, ChimeraX or VMD.

        Parameters
        ----------
        path : path
            Ends with ``.pdb``, ``.cif`` or ``.mmcif``.
        structure : mdtraj.Trajectory, optional
            Of one frame; the first frame of the data the model was trained on when left out.
        by : {"residue", "atom"}
        sample : int, optional
            The signed attribution in that sample; the mean absolute one when left out.

        Returns
        -------
        Path
            In a PDB file the numbers are scaled to what fits its columns, and a remark says by how much.

        Raises
        ------
        DataError
            For another ending, or a structure with another number of atoms.
        """
        return paint.save_structure(self, Path(path), structure, by, sample)

    def save_csv(self, path: str | os.PathLike[str], by: str = "residue") -> Path:
        """Write a table of the groups: mean absolute attribution, its 95% interval and the mean signed one."""
        return paint.save_csv(self.summary(by), self.output, Path(path))

    def colours(self, *, by: str = "residue", sample: int | None = None) -> list[str]:
        """Return one ``#rrggbb`` for each atom: orange raises the output, blue lowers it, grey does nothing.

        Parameters
        ----------
        by : {"residue", "atom"}
            By residue all atoms of one have the same colour.
        sample : int, optional
            The mean absolute attribution is shown when left out.
        """
        return paint.colours(self, by, sample)

    def nglview_scheme(self, *, by: str = "residue", sample: int | None = None) -> list[list[str]]:
        """Return ``[[colour, selection], ...]``, what nglview's ``ColormakerRegistry.add_selection_scheme`` takes."""
        return paint.nglview_scheme(self.colours(by=by, sample=sample))

    def painted(self, *, by: str = "residue", sample: int | None = None) -> np.ndarray:
        """Return the numbers that the pictures show, one for each atom: its own, or those of its residue."""
        return paint.painted(self, by, sample)

    def __repr__(self) -> str:
        top = self.summary("feature")
        shown = ", ".join(f"{name} {value:.3g} [{low:.3g}, {high:.3g}]" for name, value, low, high, _ in top._rows(4))
        lines = [
            f"Explanation of {self.output}: {len(self.values)} samples by {self.method}"
            + (f" on groups by {self.grouping}" if self.grouping != "input" else ""),
            f"  background: {self.background}; base value {self.base_value:.4g}",
            f"  additivity error {self.additivity_error():.2%} of the range of the predictions",
            f"  most important: {shown}",
            *(f"  note: {note}" for note in self.notes),
        ]
        checked = self.checked
        lines += [f"  {line}" for line in checked.verdict()] if checked else ["  not checked yet: .faithfulness()"]
        return "\n".join(lines)

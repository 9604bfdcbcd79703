"""Attributions: a number for each input of each sample, and what they sum up to by residue, atom or group."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mdnb.errors import DataError
from mdnb.explanation.players import make_players
from mdnb.explanation.summary import Summary, culprits, summarize, sure_part
from mdnb.features.base import Column, atom_labels, residue_labels

if TYPE_CHECKING:
    import mdtraj

__all__ = ["Attributions"]


@dataclass(frozen=True, kw_only=True)
class Attributions:
    """How much each input moves an output, in some samples.

    Attributes
    ----------
    values : (n_samples, window, *shape) array
        How much each input moves the output; without the window axis where the window is one frame;
        (n_samples, n_groups) where groups of inputs were explained.
    columns : tuple of Column
        What the numbers of a frame mean; the groups, where groups were explained.
    topology : mdtraj.Topology
        What the columns' atom indices point into.
    trajectory : (n_samples,) int array
        Which trajectory each sample is of.
    reference : (n_atoms, 3) array or None
        Positions of one frame in nm.
    grouping : str
        What was explained: ``input``, or the groups.
    """

    values: np.ndarray
    columns: tuple[Column, ...]
    topology: mdtraj.Topology = field(repr=False)
    trajectory: np.ndarray = field(default_factory=lambda: np.empty(0, int), repr=False)
    reference: np.ndarray | None = field(default=None, repr=False)
    grouping: str = "input"

    @property
    def window(self) -> int:
        """Frames of a sample."""
        return int(self.values[0].size // len(self.columns))

    @property
    def _by_column(self) -> np.ndarray:
        """Attributions summed over the window, (n_samples, n_columns)."""
        return self.values.reshape(len(self.values), -1, len(self.columns)).sum(1)

    def _per_atom(self) -> np.ndarray:
        """Signed attributions of the atoms, (n_samples, n_atoms)."""
        shares = np.zeros((len(self.columns), self.topology.n_atoms))
        for number, column in enumerate(self.columns):
            if column.atom_indices:
                shares[number, list(column.atom_indices)] = 1 / len(column.atom_indices)
        result: np.ndarray = self._by_column @ shares
        return result

    def grouped(self, by: str) -> tuple[tuple[str, ...], np.ndarray]:
        """Return the names of groups and the attributions summed over each, (n_samples, n_groups).

        Parameters
        ----------
        by : str
            One of `mdnb.explanation.GROUPINGS`. What a number of several atoms contributes is shared equally by
            them for ``atom`` and ``residue``, by its players for the others.
        """
        if by in ("atom", "residue"):
            atoms = self._per_atom()
            if by == "atom":
                return tuple(atom_labels(self.topology)), atoms
            member = np.zeros((self.topology.n_atoms, self.topology.n_residues))
            for atom in self.topology.atoms:
                member[atom.index, atom.residue.index] = 1
            return tuple(residue_labels(self.topology)), atoms @ member
        if self.grouping != "input":
            if by not in (self.grouping, "feature", "column", "input"):
                raise DataError(f"this explanation is of groups by {self.grouping}; explain again with by={by!r}")
            return tuple(column.name for column in self.columns), self.values
        players = make_players(by, self.columns, self.window, self.topology, self.reference)
        return players.names, self.values.reshape(len(self.values), -1) @ players.shares

    def summary(self, by: str = "feature") -> Summary:
        """Return the mean absolute attribution of groups with intervals by block bootstrap over trajectories."""
        names, values = self.grouped(by)
        return summarize(by, names, values, self._numbers)

    @property
    def _numbers(self) -> np.ndarray:
        """The trajectory of each sample."""
        return self.trajectory if len(self.trajectory) else np.zeros(len(self.values), int)

    def by_feature(self) -> dict[str, float]:
        """Return the mean absolute attribution of each group of columns (sine and cosine together), largest first."""
        names, values = self.grouped("feature")
        means = dict(zip(names, np.abs(values).mean(0).tolist(), strict=True))
        return dict(sorted(means.items(), key=lambda item: -item[1]))

    def by_residue(self) -> dict[str, float]:
        """Return the mean absolute attribution of each residue, in the order of the chain.

        What a column of several residues contributes is shared equally by its atoms.
        """
        names, values = self.grouped("residue")
        return dict(zip(names, np.abs(values).mean(0).tolist(), strict=True))

    def by_atom(self, sample: int | None = None) -> np.ndarray:
        """Return the attribution of each atom, (n_atoms,).

        Parameters
        ----------
        sample : int, optional
            The signed attribution in that sample; the mean absolute one over all samples when left out.
        """
        values = self._per_atom()
        return np.abs(values).mean(0) if sample is None else values[sample]

    def culprits(self, by: str = "residue", *, signed: bool = False) -> dict[str, float]:
        """Return the importance of atoms or residues of their own, largest first: not that of their partners.

        A distance changes when one of its two ends moves, and equal shares blame the other one too. Here the
        importance of each column is explained as a sum over its atoms (or residues) of importances that are not
        negative, by least squares: one that moves explains all of its distances, one that rests explains none.

        Parameters
        ----------
        by : {"residue", "atom"}
        signed : bool
            Take what is beyond doubt of the mean signed attribution of each column, its size less half its 95%
            interval, instead of the mean absolute one: noise averages out. For samples of one kind, such as the
            frames of one class.

        References
        ----------
        Lawson, Hanson, Solving Least Squares Problems (1995), https://doi.org/10.1137/1.9781611971217
        """
        players = make_players(by, self.columns, 1, self.topology, self.reference)
        values = self._by_column
        size = sure_part(values, self._numbers) if signed else np.abs(values).mean(0)
        found = culprits(players.needs, size)
        return dict(sorted(zip(players.names, found.tolist(), strict=True), key=lambda item: -item[1]))

    def over_time(self) -> np.ndarray:
        """Return the mean absolute attribution of each frame of the window, (window,)."""
        if self.grouping == "time":
            return np.asarray(np.abs(self.values).mean(0))
        by_frame = self.values.reshape(len(self.values), -1, len(self.columns)).sum(2)
        return np.asarray(np.abs(by_frame).mean(0))

    def in_window(self, sample: int) -> np.ndarray:
        """Return the signed attribution of each residue at each frame of one sample's window, (window, n_residues)."""
        values = self.values[sample].reshape(-1, len(self.columns))
        shares = np.zeros((len(self.columns), self.topology.n_residues))
        for number, column in enumerate(self.columns):
            for atom in column.atom_indices:
                shares[number, self.topology.atom(atom).residue.index] += 1 / len(column.atom_indices)
        return np.asarray(values @ shares)

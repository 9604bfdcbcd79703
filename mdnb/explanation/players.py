"""Players: which inputs belong together, as the players of a game in Shapley's sense."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from mdnb.errors import DataError, unknown_name
from mdnb.features.base import Column, atom_labels, residue_labels

if TYPE_CHECKING:
    import mdtraj

__all__ = ["GROUPINGS", "Players", "make_players"]

#: How inputs can be grouped.
GROUPINGS = ("input", "column", "feature", "residue", "atom", "residue-pair", "secondary-structure", "time")

_ELEMENTS = {"H": "helix", "E": "strand"}


@dataclass(frozen=True)
class Players:
    """Players of a game in which the inputs of a sample take part.

    An input is in the game when all players that it needs are: a distance between two residues is known only
    when both are. In a linear model each of them then gets the same share of it.

    Attributes
    ----------
    kind : str
        One of `GROUPINGS`.
    names : tuple of str
    needs : (n_inputs, n_players) bool array
        Which players an input needs; the inputs are those of a whole window, in order of time.
    atoms : tuple of tuple of int
        The atoms of each player.
    """

    kind: str
    names: tuple[str, ...]
    needs: np.ndarray = field(repr=False)
    atoms: tuple[tuple[int, ...], ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def shares(self) -> np.ndarray:
        """What each player gets of an input, (n_inputs, n_players); the rows sum to 1."""
        return np.asarray(self.needs / self.needs.sum(1, keepdims=True))

    def present(self, coalitions: np.ndarray) -> np.ndarray:
        """Return which inputs take part in each coalition.

        Parameters
        ----------
        coalitions : (n_coalitions, n_players) bool array

        Returns
        -------
        (n_coalitions, n_inputs) bool array
        """
        absent = (~coalitions).astype(np.float32) @ self.needs.T.astype(np.float32)
        return np.asarray(absent == 0)


def make_players(
    kind: str,
    columns: Sequence[Column],
    window: int,
    topology: mdtraj.Topology,
    reference: np.ndarray | None = None,
) -> Players:
    """Return the players of one grouping.

    Parameters
    ----------
    kind : str
        ``input`` (each number of each frame), ``column`` (a number of a frame, over the whole window),
        ``feature`` (what belongs together, such as sine and cosine of one torsion), ``residue``, ``atom``,
        ``residue-pair``, ``secondary-structure`` (elements of the reference structure after DSSP) or ``time``
        (the frames of the window). A number of several residues belongs to the one that has most of its atoms,
        or to several that have equally many; one without atoms is a player of its own.
    columns : sequence of Column
    window : int
    topology : mdtraj.Topology
    reference : (n_atoms, 3) array, optional
        Positions in nm, for the secondary structure.

    Raises
    ------
    SpecError
        For an unknown grouping.
    DataError
        For the secondary structure without a reference.

    References
    ----------
    DSSP: Kabsch, Sander, Biopolymers 22, 2577 (1983), https://doi.org/10.1002/bip.360221211
    """
    if kind not in GROUPINGS:
        raise unknown_name("grouping", kind, GROUPINGS)
    n_columns = len(columns)
    if kind == "input":
        return _each_input(columns, window)
    if kind == "time":
        steps = tuple(f"t{step - window + 1:+d}" for step in range(window))
        everything = tuple(sorted({atom for column in columns for atom in column.atom_indices}))
        return Players(kind, steps, np.repeat(np.eye(window, dtype=bool), n_columns, 0), (everything,) * window)
    owners, known = _owners(kind, columns, topology, reference)
    seen = list(dict.fromkeys(one for own in owners for one in own))
    if known is not None:  # in the order of the chain; what has no atoms comes last
        seen.sort(key=lambda one: (isinstance(one, str), one if isinstance(one, int) else 0))
    order = {owner: number for number, owner in enumerate(seen)}
    needs = np.zeros((n_columns, len(order)), bool)
    for row, own in enumerate(owners):
        needs[row, [order[one] for one in own]] = True
    names: list[str] = []
    atoms: list[tuple[int, ...]] = []
    for owner in seen:
        own_columns = [column for column, own in zip(columns, owners, strict=True) if owner in own]
        if known is not None and isinstance(owner, int):
            names.append(known[owner][0])
            atoms.append(known[owner][1])
        else:
            names.append(str(owner))
            atoms.append(tuple(sorted({atom for column in own_columns for atom in column.atom_indices})))
    return Players(kind, tuple(names), np.tile(needs, (window, 1)), tuple(atoms))


def _each_input(columns: Sequence[Column], window: int) -> Players:
    suffix = [""] if window == 1 else [f" t{step - window + 1:+d}" for step in range(window)]
    names = tuple(column.name + text for text in suffix for column in columns)
    atoms = tuple(column.atom_indices for _ in suffix for column in columns)
    return Players("input", names, np.eye(len(names), dtype=bool), atoms)


_Owner = int | str


def _owners(
    kind: str, columns: Sequence[Column], topology: mdtraj.Topology, reference: np.ndarray | None
) -> tuple[list[tuple[_Owner, ...]], list[tuple[str, tuple[int, ...]]] | None]:
    """Return the owners of each column, and name and atoms of the owners that are numbers."""
    if kind == "column":
        return [(column.name,) for column in columns], None
    if kind == "feature":
        return [(column.group or column.name,) for column in columns], None
    known: list[tuple[str, tuple[int, ...]]]
    if kind == "atom":
        known = [(label, (number,)) for number, label in enumerate(atom_labels(topology))]
        return [column.atom_indices or (column.group or column.name,) for column in columns], known
    residue_of = np.array([atom.residue.index for atom in topology.atoms])
    residues = [_most(residue_of, column) for column in columns]
    if kind == "residue":
        known = _with_atoms(residue_labels(topology), np.arange(topology.n_residues), topology)
        return [own or (column.group or column.name,) for own, column in zip(residues, columns, strict=True)], known
    if kind == "residue-pair":
        labels = residue_labels(topology)
        pairs = [" ".join(labels[one] for one in own) for own in residues]
        return [(pair or column.group or column.name,) for pair, column in zip(pairs, columns, strict=True)], None
    element_of, names = _elements(topology, reference)
    known = _with_atoms(names, element_of, topology)
    found = [tuple(sorted({int(element_of[one]) for one in own})) for own in residues]
    return [own or (column.group or column.name,) for own, column in zip(found, columns, strict=True)], known


def _most(residue_of: np.ndarray, column: Column) -> tuple[int, ...]:
    """Return the residues that have most of a column's atoms."""
    if not column.atom_indices:
        return ()
    residues, counts = np.unique(residue_of[list(column.atom_indices)], return_counts=True)
    return tuple(int(one) for one in residues[counts == counts.max()])


def _with_atoms(
    names: Sequence[str], group_of: np.ndarray, topology: mdtraj.Topology
) -> list[tuple[str, tuple[int, ...]]]:
    """Return name and atoms of groups of residues."""
    atoms: list[list[int]] = [[] for _ in names]
    for atom in topology.atoms:
        atoms[group_of[atom.residue.index]].append(atom.index)
    return [(name, tuple(own)) for name, own in zip(names, atoms, strict=True)]


def _elements(topology: mdtraj.Topology, reference: np.ndarray | None) -> tuple[np.ndarray, list[str]]:
    """Return the secondary structure element of each residue, and the names of the elements."""
    import mdtraj

    if reference is None:
        raise DataError("grouping by secondary structure needs the reference structure, which this explanation lacks")
    codes = mdtraj.compute_dssp(mdtraj.Trajectory(reference[None], topology), simplified=True)[0]
    kinds = [(residue.chain.index, str(code)) for residue, code in zip(topology.residues, codes, strict=True)]
    labels, element_of = residue_labels(topology), np.empty(topology.n_residues, int)
    names: list[str] = []
    start = 0
    for (_, code), run in groupby(kinds):
        length = len(list(run))
        ends = labels[start] if length == 1 else f"{labels[start]} to {labels[start + length - 1]}"
        element_of[start : start + length] = len(names)
        names.append(f"{_ELEMENTS.get(code, 'coil')} {ends}")
        start += length
    return element_of, names

"""Positions superposed on a reference, and velocities and forces turned into the same frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mdnb.chunk import Chunk
from mdnb.errors import DataError
from mdnb.features.base import Column, Featurizer, atom_labels
from mdnb.features.invertible import Invertible, compare_columns
from mdnb.features.references import checked_reference, frame_of, reference_places
from mdnb.features.superposition import rotations

if TYPE_CHECKING:
    import mdtraj


class _Superposed(Featurizer):
    """Vectors of the selected atoms in the frame of their superposition on a reference."""

    axes = ("atom", "xyz")
    quantity: ClassVar[str]
    unit: ClassVar[str]
    needed = "it needs at least one selected atom"

    def __init__(self, selection: str = "element != H", reference: Any = None, align: str | None = None) -> None:
        self.selection, self.align = selection, align
        self.reference = checked_reference(reference)
        self.reference_frame = frame_of(self.reference)

    def describe(self, topology: mdtraj.Topology, reference: np.ndarray) -> tuple[Column, ...]:
        """Return x, y and z of each selected atom."""

        def aligned(one: mdtraj.Topology) -> np.ndarray:
            found = one.select(self.selection if self.align is None else self.align)
            if len(found) < 3:
                text = self.selection if self.align is None else self.align
                raise DataError(f"{self.name!r} needs at least 3 atoms to superpose; {text!r} holds {len(found)}")
            return np.asarray(found)

        self._by = aligned(topology)
        self._atoms = self._by if self.align is None else topology.select(self.selection)
        chosen = reference_places(self.reference, topology, reference, self._by, aligned, self.name)
        self._reference = chosen - chosen.mean(0)
        label = atom_labels(topology)
        return tuple(
            Column(
                f"{self.quantity[:-1] if self.quantity != 'velocities' else 'velocity'} {label[i]} {axis}",
                self.unit,
                (int(i),),
                label[i],
            )
            for i in self._atoms
            for axis in "xyz"
        )

    def prepare(self, topology: mdtraj.Topology, reference: np.ndarray) -> None:
        """See the topology and the reference; the shape is (n_atoms, 3)."""
        super().prepare(topology, reference)
        self.shape = (len(self._atoms), 3)

    def compute(self, chunk: Chunk) -> np.ndarray:
        """Return (n_frames, n_atoms, 3)."""
        by = chunk.positions[:, self._by]
        centre = by.mean(1, keepdims=True)
        rotation = rotations(by - centre, self._reference)
        positions = chunk.positions[:, self._atoms] - centre
        values = positions if self.quantity == "positions" else getattr(chunk, self.quantity)[:, self._atoms]
        return np.einsum("fai,fij->faj", values, rotation)


class Positions(_Superposed, Invertible):
    """Cartesian positions in nm of the selected atoms, superposed on a reference, by default the first frame.

    Parameters
    ----------
    selection : str
        Atoms to return, in mdtraj's selection language; the heavy atoms by default.
    reference : int, path or mdtraj.Trajectory, optional
        The number of a frame over all trajectories, or a structure (PDB, GRO, mmCIF; the first frame) in
        which the selection finds the same atoms in the same order.
    align : str, optional
        Superpose by these atoms instead, whose mean position is then the origin.
    """

    name = quantity = "positions"
    unit = "nm"

    @property
    def atoms(self) -> np.ndarray:
        """The selected atoms, (n_selected,)."""
        return np.asarray(self._atoms, int)

    @classmethod
    def of_columns(cls, columns: Sequence[Column], topology: mdtraj.Topology, reference: np.ndarray) -> Positions:
        """Return the prepared featurizer of the atoms that the columns name; their superposition does not matter."""
        atoms = [column.atom_indices[0] for column in columns[::3]]
        maker = cls("index " + " ".join(map(str, atoms)))
        maker.prepare(topology, reference)
        compare_columns(cls.name, columns, maker.columns)
        return maker

    def place(self, values: np.ndarray) -> np.ndarray:
        """Return the positions of the selected atoms in nm: the values themselves."""
        return values.reshape(len(values), -1, 3)


class Velocities(_Superposed):
    """Velocities in nm/ps of the selected atoms, rotated with the superposition of `Positions`.

    Parameters
    ----------
    selection : str
        Atoms to return, in mdtraj's selection language; the heavy atoms by default.
    reference : int, path or mdtraj.Trajectory, optional
        The number of a frame over all trajectories, or a structure (PDB, GRO, mmCIF; the first frame) in
        which the selection finds the same atoms in the same order.
    align : str, optional
        Superpose by these atoms instead, whose mean position is then the origin.
    """

    name = quantity = "velocities"
    unit = "nm/ps"
    needs = frozenset({"positions", "velocities"})


class Forces(_Superposed):
    """Forces in kJ/mol/nm on the selected atoms, rotated with the superposition of `Positions`.

    Parameters
    ----------
    selection : str
        Atoms to return, in mdtraj's selection language; the heavy atoms by default.
    reference : int, path or mdtraj.Trajectory, optional
        The number of a frame over all trajectories, or a structure (PDB, GRO, mmCIF; the first frame) in
        which the selection finds the same atoms in the same order.
    align : str, optional
        Superpose by these atoms instead, whose mean position is then the origin.
    """

    name = quantity = "forces"
    unit = "kJ/mol/nm"
    needs = frozenset({"positions", "forces"})

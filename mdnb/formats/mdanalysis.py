"""What MDAnalysis reads: a `Universe` in memory seen as a file, and topologies of formats that mdtraj does not read."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mdnb.errors import DataError, MissingDependencyError
from mdnb.formats.base import Frames, TrajectoryFile
from mdnb.formats.molecules import element, element_of_mass, molecular_topology

if TYPE_CHECKING:
    import mdtraj

__all__ = ["UniverseFile", "is_universe", "load_universe", "topology_of"]


def is_universe(item: object) -> bool:
    """Return whether something is a `MDAnalysis.Universe` or `AtomGroup`, without importing MDAnalysis."""
    return hasattr(item, "universe") and hasattr(item, "atoms") and hasattr(item.universe, "trajectory")


def load_universe(path: str) -> Any:
    """Return the `MDAnalysis.Universe` of a topology file.

    Raises
    ------
    MissingDependencyError
        When MDAnalysis is not installed.
    """
    try:
        import MDAnalysis
    except ImportError as error:
        raise MissingDependencyError("MDAnalysis", f"reading {Path(path).name}", "formats") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about what a topology alone does not have
        return MDAnalysis.Universe(path)


class UniverseFile(TrajectoryFile):
    """The trajectory of a `MDAnalysis.Universe`, or of the atoms of an `AtomGroup`, streamed frame by frame.

    MDAnalysis has Angstrom, Angstrom/ps and kJ/mol/Angstrom. After each read the universe is at the frame where it was.
    Times are unknown where MDAnalysis makes up 1 ps between frames because the format has none.
    """

    def __init__(self, item: Any, name: str = "universe in memory") -> None:
        super().__init__(Path(name))
        self._atoms = item.atoms
        self._reader = item.universe.trajectory
        self.n_atoms, self.n_frames = len(self._atoms), len(self._reader)
        if not self.n_atoms:
            raise DataError("the AtomGroup holds no atoms; select some")
        step, kind = self._reader.ts, type(getattr(self._reader, "readers", [self._reader])[0]).__name__
        self.has_velocities, self.has_forces = bool(step.has_velocities), bool(step.has_forces)
        if kind == "DumpReader" and (self.has_velocities or self.has_forces):
            raise DataError(
                "MDAnalysis does not convert the velocities and forces of a LAMMPS dump; load the file itself, as in "
                "mdnb.load('run.lammpstrj', units='real')"
            )
        if not getattr(self._reader, "convert_units", True):
            raise DataError(
                "the universe was made with convert_units=False, so its units are not known; leave that out"
            )
        self._timeless = _made_up(kind, step, self._reader)

    def topology(self) -> mdtraj.Topology | None:
        """Return the topology of the atoms."""
        return topology_of(self._atoms)

    def read(
        self, start: int, stop: int, stride: int, atom_indices: np.ndarray | None, velocities: bool, forces: bool
    ) -> Frames:
        """Return the frames ``start:stop:stride`` of the chosen atoms."""
        chosen = range(*slice(start, stop, stride).indices(self.n_frames))
        indices = self._atoms.indices if atom_indices is None else self._atoms.indices[atom_indices]
        wanted = {"positions": 0.1, "velocities": 0.1 * velocities, "forces": 10.0 * forces}
        wanted = {name: factor for name, factor in wanted.items() if factor and getattr(self, f"has_{name}", True)}
        arrays = {name: np.empty((len(chosen), len(indices), 3), np.float32) for name in wanted}
        time, boxes = np.full(len(chosen), np.nan), []
        before = self._reader.frame
        try:
            with self.reading("frames"):
                for row, frame in enumerate(chosen):
                    step = self._reader[frame]
                    for name, factor in wanted.items():
                        arrays[name][row] = getattr(step, name)[indices] * np.float64(factor)
                    time[row] = np.nan if self._timeless else step.time
                    boxes.append(None if step.dimensions is None else step.triclinic_dimensions / 10)
        finally:
            self._reader[before]
        box = np.array(boxes, np.float32) if boxes and all(one is not None for one in boxes) else None
        return Frames(time=time, box=box, **arrays)


def _made_up(kind: str, step: Any, reader: Any) -> bool:
    """Return whether MDAnalysis counts frames in ps, because it was told no time or one that means nothing."""
    if kind == "MemoryReader":  # 1 ps unless someone said otherwise
        return bool(reader.dt == 1.0)
    if kind == "DumpReader":
        return "dt" not in step.data
    return kind == "DCDReader" or not ({"time", "dt"} & set(step.data) or hasattr(reader, "_get_dt"))


def topology_of(item: Any) -> mdtraj.Topology:
    """Return the topology of a `MDAnalysis.Universe` or `AtomGroup`.

    Elements are those of MDAnalysis, else they follow from the masses, else from the names. Where there are no bonds,
    those of the standard residues are added; where there are no residue names (XYZ, LAMMPS), molecules become residues.

    Parameters
    ----------
    item : MDAnalysis.Universe or AtomGroup

    Returns
    -------
    mdtraj.Topology
    """
    import mdtraj

    atoms = item.atoms
    symbols = _symbols(atoms)
    bonds = _bonds(atoms)
    names = _column(atoms, "names")
    resnames = _column(atoms, "resnames")
    if not any(resnames) and bonds is None and getattr(item.universe, "trajectory", None) is not None:
        step = item.universe.trajectory.ts
        box = None if step.dimensions is None else step.triclinic_dimensions / 10
        return molecular_topology(symbols, step.positions[atoms.indices] / 10, box)
    chains = _column(atoms, "chainIDs") if any(_column(atoms, "chainIDs")) else _column(atoms, "segids")
    segments = _column(atoms, "segids")
    numbers = atoms.resids if hasattr(atoms, "resids") else atoms.resindices + 1
    topology = mdtraj.Topology()
    chain = residue = None
    last: tuple[Any, ...] = (None, None)
    for k, resindex in enumerate(atoms.resindices.tolist()):
        if chain is None or chains[k] != last[0]:
            chain, residue = topology.add_chain(chains[k] or None), None
        if residue is None or resindex != last[1]:
            name = resnames[k] or ("HOH" if _is_water(symbols, atoms.resindices, k) else "MOL")
            residue = topology.add_residue(name, chain, resSeq=int(numbers[k]), segment_id=segments[k])
        topology.add_atom(names[k] or f"{symbols[k] or 'X'}{k + 1}", element(symbols[k]), residue)
        last = (chains[k], resindex)
    if bonds is None:
        topology.create_standard_bonds()
        return topology
    made, place = list(topology.atoms), {index: k for k, index in enumerate(atoms.indices.tolist())}
    for one, other in bonds:
        if one in place and other in place:
            topology.add_bond(made[place[one]], made[place[other]])
    return topology


def _column(atoms: Any, name: str) -> list[str]:
    values = getattr(atoms, name, None)
    return [""] * len(atoms) if values is None else [str(value).strip() for value in values]


def _symbols(atoms: Any) -> list[str]:
    """Return the symbols of the elements, ``""`` where none is found."""
    known = _column(atoms, "elements")
    masses = getattr(atoms, "masses", np.zeros(len(atoms)))
    known = [symbol or element_of_mass(float(mass)) for symbol, mass in zip(known, masses, strict=True)]
    if all(known) or np.any(masses):
        return known
    from MDAnalysis.guesser.default_guesser import DefaultGuesser

    guess = DefaultGuesser(None).guess_atom_element
    labels = [name or kind for name, kind in zip(_column(atoms, "names"), _column(atoms, "types"), strict=True)]
    return [symbol or str(guess(label)) for symbol, label in zip(known, labels, strict=True)]


def _bonds(atoms: Any) -> Sequence[tuple[int, int]] | None:
    """Return pairs of atom indices of the universe; None where it has no bonds."""
    group = getattr(atoms, "bonds", None)
    return None if group is None or not len(group) else [(int(one), int(other)) for one, other in group.indices]


def _is_water(symbols: Sequence[str], resindices: np.ndarray, first: int) -> bool:
    inside = [symbols[k] for k in range(first, min(first + 4, len(symbols))) if resindices[k] == resindices[first]]
    return sorted(inside) == ["H", "H", "O"]

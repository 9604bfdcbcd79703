"""same_atoms: real structures with only those atoms that generated ones have."""

from __future__ import annotations

from collections.abc import Iterator

import mdtraj

from mdnb.errors import DataError

__all__ = ["atoms_of", "same_atoms"]


def same_atoms(structures: mdtraj.Trajectory, topology: mdtraj.Topology) -> mdtraj.Trajectory:
    """Return structures with only the atoms of another topology, so that both are measured on the same ones.

    Parameters
    ----------
    structures : mdtraj.Trajectory
        Of a whole molecule, or of these atoms already.
    topology : mdtraj.Topology
        Of what a run on some of the atoms rebuilds, in the order of the molecule.

    Raises
    ------
    DataError
        When there are atoms that the structures do not have.
    """
    atoms = atoms_of(structures.topology, topology)
    return structures if len(atoms) == structures.n_atoms else structures.atom_slice(atoms)


def atoms_of(whole: mdtraj.Topology, part: mdtraj.Topology) -> list[int]:
    """Return which atoms of a molecule a part of it has, found in order by residue, its number and the atom's name.

    Raises
    ------
    DataError
        When the molecule does not have them, or in another order.
    """
    names = enumerate(_names(whole))
    found = [next((number for number, name in names if name == wanted), -1) for wanted in _names(part)]
    if -1 in found:
        missing = list(part.atoms)[found.index(-1)]
        raise DataError(
            f"the generated structures have {part.n_atoms} atoms, the reference {whole.n_atoms}, without {missing} "
            "after those before it; give the trajectories that the run was trained on"
        )
    return found


def _names(topology: mdtraj.Topology) -> Iterator[tuple[str, int, str]]:
    return ((atom.residue.name, atom.residue.resSeq, atom.name) for atom in topology.atoms)

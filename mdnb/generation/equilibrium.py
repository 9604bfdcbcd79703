"""Bond lengths and angles that a force field allows, and the system of the packaged force field."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import mdtraj
import numpy as np

from mdnb.errors import MissingDependencyError
from mdnb.sources.recipes import FORCE_FIELD, import_openmm

__all__ = ["STRAIN", "packaged_system", "strain_ranges"]

#: No single bond or angle of a real molecule stores more, in kJ/mol: 12 kT at 500 K, 20 kT at 300 K. Of a C-C bond
#: this is 13% of its length, of an angle 20 to 35 degrees.
STRAIN = 50.0


@lru_cache(maxsize=1)
def _force_field() -> Any:
    return import_openmm().app.ForceField(*FORCE_FIELD)


def packaged_system(topology: mdtraj.Topology) -> Any:
    """Return the `openmm.System` of a molecule in the force field of the packaged data, without constraints.

    Raises
    ------
    MissingDependencyError
        When OpenMM is not installed.
    ValueError
        When the force field has no parameters for the molecule, or atoms are missing (OpenMM's own sentence); or when
        an atom of a bond is not one of the topology's, as after a residue was renamed in place.
    """
    openmm = import_openmm()
    try:
        handed = topology.to_openmm()
    except KeyError as error:
        raise ValueError(f"a bond of the topology has the atom {error}, which is not one of its atoms") from error
    return _force_field().createSystem(handed, nonbondedMethod=openmm.app.NoCutoff)


def strain_ranges(
    topology: mdtraj.Topology, bonds: np.ndarray, angles: np.ndarray, system: Any = None
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the ranges of bonds (nm) and angles (radian) in which each stores at most `STRAIN`.

    Parameters
    ----------
    topology : mdtraj.Topology
    bonds : (n_bonds, 2) int array
    angles : (n_angles, 3) int array
    system : openmm.System, optional
        By default that of the packaged force field.

    Returns
    -------
    (n_bonds, 2) array, (n_angles, 2) array
        Without bounds where the force field has no harmonic term; None where OpenMM is not installed or the
        packaged force field does not know the molecule.
    """
    if system is None:
        try:
            system = packaged_system(topology)
        except (MissingDependencyError, ValueError):
            return None
    terms: dict[tuple[int, ...], tuple[float, float]] = {}
    for force in system.getForces():
        if type(force).__name__ == "HarmonicBondForce":
            for k in range(force.getNumBonds()):
                *atoms, rest, stiffness = force.getBondParameters(k)
                terms[_key(atoms)] = rest._value, stiffness._value
        elif type(force).__name__ == "HarmonicAngleForce":
            for k in range(force.getNumAngles()):
                *atoms, rest, stiffness = force.getAngleParameters(k)
                terms[_key(atoms)] = rest._value, stiffness._value
    return _ranges(bonds, terms), _ranges(angles, terms)


def _key(atoms: Any) -> tuple[int, ...]:
    atoms = tuple(int(atom) for atom in atoms)
    return min(atoms, atoms[::-1])


def _ranges(rows: np.ndarray, terms: dict[tuple[int, ...], tuple[float, float]]) -> np.ndarray:
    found = np.empty((len(rows), 2))
    for row, atoms in zip(found, rows, strict=True):
        rest, stiffness = terms.get(_key(atoms), (0.0, 0.0))
        reach = np.sqrt(2 * STRAIN / stiffness) if stiffness > 0 else np.inf
        row[:] = rest - reach, rest + reach
    return found

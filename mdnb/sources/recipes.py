"""The recipes of the packaged example data: which molecule, force field, solvent and start."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from mdnb.errors import MissingDependencyError, unknown_name

__all__ = ["SYSTEMS", "System", "build", "create_system", "hands_of", "one_handed", "provenance"]

BOLTZMANN = 0.00831446261815324
"""Boltzmann constant in kJ/(mol K)."""


@dataclass(frozen=True)
class System:
    """How one example system is built and run.

    Attributes
    ----------
    sequence : str
        One-letter residues, or for the capped dipeptide ``"ACE-ALA-NME"``.
    starts : tuple of str
        Starting structures, taken in turn by the replicas; "unfolded" is the folded one after 100 ps at 900 K.
    time_step : float
        In fs.
    hydrogen_mass : float or None
        In dalton when mass is moved from heavy atoms to hydrogens, None for the natural masses.
    platform : str
        OpenMM platform; the Reference platform is the faster one below about 60 atoms.
    save_interval : float
        In ps.
    equilibration : float
        Discarded time at the start of each replica, in ps.
    """

    sequence: str
    starts: tuple[str, ...]
    time_step: float
    hydrogen_mass: float | None
    platform: str
    save_interval: float
    equilibration: float


SYSTEMS = {
    "alanine-dipeptide": System("ACE-ALA-NME", ("extended", "left-handed"), 2.0, None, "Reference", 2.0, 20.0),
    "chignolin": System("YYDPETGTWY", ("folded", "unfolded"), 4.0, 3.0, "CPU", 4.0, 20.0),
}

#: AMBER ff96 with the OBC implicit solvent: of AMBER's force fields the one with the best balance of helix and
#: strand in this solvent (Shell, Ritterson, Dill, J. Phys. Chem. B 112, 6878 (2008), 10.1021/jp800282x).
FORCE_FIELD = ("amber96.xml", "amber96_obc.xml")


def import_openmm(purpose: str = "simulate") -> Any:
    """Return openmm, or say what needs it and how to install it."""
    try:
        import openmm
        import openmm.app
    except ImportError:
        raise MissingDependencyError("openmm", purpose, "simulate") from None
    return openmm


def build(system: str, start: str) -> Any:
    """Return the `openmm.app.Modeller` with hydrogens of one starting structure.

    Raises
    ------
    SpecError
        For a system or start that is not in `SYSTEMS`.
    MissingDependencyError
        When openmm or PeptideBuilder is not installed.
    """
    openmm = import_openmm()
    if system not in SYSTEMS:
        raise unknown_name("system", system, SYSTEMS)
    if start not in SYSTEMS[system].starts:
        raise unknown_name(f"start of {system}", start, SYSTEMS[system].starts)
    from io import StringIO

    if start in ("folded", "unfolded"):
        text = files("mdnb.sources").joinpath("starts", f"{system}.pdb").read_text()
    else:
        text = _dipeptide(left_handed=start == "left-handed")
    pdb = openmm.app.PDBFile(StringIO(text))
    modeller = openmm.app.Modeller(pdb.topology, pdb.positions)
    # Missing hydrogens are placed with a local minimization that starts from random positions.
    modeller.addHydrogens(openmm.app.ForceField(*FORCE_FIELD), platform=openmm.Platform.getPlatformByName("Reference"))
    positions = np.array(modeller.positions.value_in_unit(openmm.unit.nanometer))
    order = one_handed(modeller.topology, positions)
    modeller.positions = positions[order] * openmm.unit.nanometer
    return modeller


def read_positions(path: Path) -> np.ndarray:
    positions = import_openmm().app.PDBFile(str(path)).getPositions(asNumpy=True)
    return np.asarray(positions._value)


def hands_of(topology: Any, positions: np.ndarray) -> list[bool]:
    """Return the hand of each centre with three different heavy neighbours and one further neighbour."""
    bonded = _bonded(topology)
    hydrogen = {atom.index for atom in topology.atoms() if atom.element.symbol == "H"}
    centres = [
        (centre, sorted(set(row) - hydrogen)[:3])
        for centre, row in sorted(bonded.items())
        if len(row) == 4 and len(set(row) - hydrogen) >= 3
    ]
    return [bool(np.linalg.det(positions[row] - positions[centre]) > 0) for centre, row in centres]


def cis_bonds(topology: Any, positions: np.ndarray) -> list[str]:
    """Return the residues whose peptide bond to the residue before is cis (omega within 90 degrees of 0).

    Parameters
    ----------
    topology : openmm.app.Topology
    positions : (n_atoms, 3) array
    """
    found = []
    residues = [{atom.name: atom.index for atom in residue.atoms()} for residue in topology.residues()]
    for names, after, residue in zip(residues, residues[1:], list(topology.residues())[1:], strict=False):
        if "CA" not in names or "CA" not in after:
            continue
        a, b, c, d = positions[[names["CA"], names["C"], after["N"], after["CA"]]]
        along = (c - b) / np.linalg.norm(c - b)
        first, second = (arm - (arm @ along) * along for arm in (a - b, d - c))
        if first @ second > 0:
            found.append(f"{residue.name}{residue.id}")
    return found


def _bonded(topology: Any) -> dict[int, list[int]]:
    bonded: dict[int, list[int]] = {}
    for a, b in topology.bonds():
        bonded.setdefault(a.index, []).append(b.index)
        bonded.setdefault(b.index, []).append(a.index)
    return bonded


def one_handed(topology: Any, positions: np.ndarray) -> list[int]:
    """Return the order of atoms that gives equal hydrogens of one atom the same hand in every replica.

    `addHydrogens` labels the two hydrogens of CH2 and the three of CH3 at random: replicas would differ in
    what HB2 and HB3 are, and a model could tell them apart by it.

    Parameters
    ----------
    topology : openmm.app.Topology
    positions : (n_atoms, 3) array
        In nm.
    """
    bonded = _bonded(topology)
    hydrogen = {atom.index for atom in topology.atoms() if atom.element.symbol == "H"}
    order = list(range(len(positions)))
    for centre, neighbours in bonded.items():
        own = sorted(hydrogen.intersection(neighbours))
        if len(own) < 2 or len(neighbours) != 4:
            continue
        third = own[2] if len(own) == 3 else min(set(neighbours) - hydrogen)
        volume = np.linalg.det(positions[[own[0], own[1], third]] - positions[centre])
        if volume < 0:
            order[own[0]], order[own[1]] = order[own[1]], order[own[0]]
    return order


def _dipeptide(*, left_handed: bool) -> str:
    """Return the heavy atoms of extended (or left-handed) ACE-ALA-NME as PDB text."""
    try:
        import PeptideBuilder
        from Bio.PDB import PDBIO
    except ImportError:
        raise MissingDependencyError("PeptideBuilder", "simulate", "simulate") from None
    from io import StringIO

    phi, psi = (55.0, 45.0) if left_handed else (-120.0, 140.0)
    geometries = [PeptideBuilder.Geometry.geometry("A") for _ in range(3)]
    for geometry in geometries:
        geometry.phi, geometry.psi_im1 = phi, psi
    chain = PeptideBuilder.initialize_res(geometries[0])
    for geometry in geometries[1:]:
        chain = PeptideBuilder.add_residue(chain, geometry)
    stream = StringIO()
    writer = PDBIO()
    writer.set_structure(chain)
    writer.save(stream)
    # The first and the last alanine lose what a cap does not have and take the caps' names.
    caps = {
        1: ("ACE", {"CA": "CH3", "C": "C", "O": "O"}),
        2: ("ALA", {name: name for name in ("N", "CA", "C", "O", "CB")}),
        3: ("NME", {"N": "N", "CA": "C"}),
    }
    lines = []
    for line in stream.getvalue().splitlines():
        if not line.startswith("ATOM"):
            continue
        residue, names = caps[int(line[22:26])]
        if (name := line[12:16].strip()) in names:
            lines.append(f"{line[:12]} {names[name]:<3s} {residue}{line[20:]}")
    return "\n".join([*lines, "END", ""])


def create_system(system: str, topology: Any) -> Any:
    """Return the `openmm.System`: ff96, OBC solvent, no cutoff, bonds to hydrogen constrained."""
    openmm = import_openmm()
    mass = SYSTEMS[system].hydrogen_mass
    return openmm.app.ForceField(*FORCE_FIELD).createSystem(
        topology,
        nonbondedMethod=openmm.app.NoCutoff,
        constraints=openmm.app.HBonds,
        hydrogenMass=None if mass is None else mass * openmm.unit.amu,
    )


def provenance(system: str, topology: Any) -> dict[str, Any]:
    """Return what the sidecar says of a system: force field, integrator, masses, constraints, units."""
    openmm = import_openmm()
    recipe, model = SYSTEMS[system], create_system(system, topology)
    masses = [model.getParticleMass(i)._value for i in range(model.getNumParticles())]
    return {
        "system": system,
        "sequence": recipe.sequence,
        "force_field": " + ".join(FORCE_FIELD),
        "force_field_reference": "10.1021/jp800282x",
        "openmm": openmm.Platform.getOpenMMVersion(),
        "platform": recipe.platform,
        "integrator": "LangevinMiddleIntegrator, friction 1/ps",
        "integrator_reference": "10.1021/acs.jpca.9b02771",
        "time_step_fs": recipe.time_step,
        "save_interval_ps": recipe.save_interval,
        "equilibration_ps": recipe.equilibration,
        "hydrogen_mass_dalton": recipe.hydrogen_mass,
        "constraints": "all bonds to hydrogen",
        "n_constraints": model.getNumConstraints(),
        "center_of_mass_motion": "removed",
        "degrees_of_freedom": 3 * len(masses) - model.getNumConstraints() - 3,
        "masses_dalton": masses,
        "units": {"positions": "nm", "velocities": "nm/ps", "forces": "kJ/mol/nm", "energies": "kJ/mol"},
        "licence": "CC0-1.0",
    }

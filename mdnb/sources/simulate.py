"""The OpenMM recipe of the packaged example data: small peptides in implicit solvent."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from importlib.resources import files
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from mdnb.errors import DataError, MissingDependencyError, unknown_name
from mdnb.formats.h5md_writer import write_h5md

__all__ = ["SYSTEMS", "System", "simulate"]

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


def _openmm() -> Any:
    try:
        import openmm
        import openmm.app
    except ImportError:
        raise MissingDependencyError("openmm", "simulate", "simulate") from None
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
    openmm = _openmm()
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


def _positions(path: Path) -> np.ndarray:
    positions = _openmm().app.PDBFile(str(path)).getPositions(asNumpy=True)
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
    openmm = _openmm()
    mass = SYSTEMS[system].hydrogen_mass
    return openmm.app.ForceField(*FORCE_FIELD).createSystem(
        topology,
        nonbondedMethod=openmm.app.NoCutoff,
        constraints=openmm.app.HBonds,
        hydrogenMass=None if mass is None else mass * openmm.unit.amu,
    )


def _replica(task: Mapping[str, Any]) -> dict[str, Any]:
    """Run one replica to its file and return its row of the sidecar (in a process of its own)."""
    openmm = _openmm()
    unit, name, seed = openmm.unit, task["system"], task["seed"]
    system = SYSTEMS[name]
    topology_file = Path(task["topology"])
    random.seed(seed)  # addHydrogens draws from it; this process runs nothing else
    modeller = build(name, task["start"])
    topology = openmm.app.PDBFile(str(topology_file)).topology
    model = create_system(name, topology)
    integrator = openmm.LangevinMiddleIntegrator(
        task["temperature"] * unit.kelvin, 1 / unit.picosecond, system.time_step * unit.femtosecond
    )
    integrator.setRandomNumberSeed(seed)
    properties = {"Threads": "1"} if system.platform == "CPU" else {}
    platform = openmm.Platform.getPlatformByName(system.platform)
    simulation = openmm.app.Simulation(topology, model, integrator, platform, properties)
    simulation.context.setPositions(modeller.positions)
    simulation.minimizeEnergy()
    if task["start"] == "unfolded":  # a random coil of its own for each replica
        integrator.setTemperature(900 * unit.kelvin)
        integrator.setStepSize(1 * unit.femtosecond)
        simulation.context.setVelocitiesToTemperature(900 * unit.kelvin, seed)
        integrator.step(100_000)
        integrator.setStepSize(system.time_step * unit.femtosecond)
        integrator.setTemperature(task["temperature"] * unit.kelvin)
    simulation.context.setVelocitiesToTemperature(task["temperature"] * unit.kelvin, seed)
    integrator.step(round(system.equilibration * 1000 / system.time_step))
    stride = round(system.save_interval * 1000 / system.time_step)
    n_frames = round(task["length"] * 1000 / system.save_interval)
    shape = (n_frames, model.getNumParticles(), 3)
    arrays = {key: np.empty(shape, np.float32) for key in ("positions", "velocities", "forces")}
    energies = {key: np.empty(n_frames) for key in ("potential_energy", "kinetic_energy")}
    for frame in range(n_frames):
        integrator.step(stride)
        state = simulation.context.getState(positions=True, velocities=True, forces=True, energy=True)
        positions = state.getPositions(asNumpy=True)._value
        arrays["positions"][frame] = positions - positions.mean(0)
        arrays["velocities"][frame] = state.getVelocities(asNumpy=True)._value
        arrays["forces"][frame] = state.getForces(asNumpy=True)._value
        energies["potential_energy"][frame] = state.getPotentialEnergy()._value
        energies["kinetic_energy"][frame] = state.getKineticEnergy()._value
    hands = [hands_of(topology, frame) for frame in (_positions(topology_file), arrays["positions"][-1])]
    if hands[0] != hands[1]:
        raise DataError(f"{task['out']}: the hand of a chiral centre changed; this temperature breaks the molecule")
    write_h5md(
        task["out"],
        time=np.arange(1, n_frames + 1) * system.save_interval,
        observables=energies,
        attributes={"temperature": task["temperature"]},
        positions=arrays["positions"],
        velocities=arrays["velocities"],
        forces=arrays["forces"],
    )
    dof = 3 * shape[1] - model.getNumConstraints() - 3
    row = {
        "file": Path(task["out"]).name,
        "start": task["start"],
        "temperature": task["temperature"],
        "seed": seed,
        "n_frames": n_frames,
        "mean_kinetic_temperature": float(2 * energies["kinetic_energy"].mean() / (dof * BOLTZMANN)),
        "mean_potential_energy": float(energies["potential_energy"].mean()),
    }
    if name == "alanine-dipeptide":
        row["phi_crossings"] = phi_crossings(arrays["positions"], topology_file)
    return row


def phi_crossings(positions: np.ndarray, topology_file: str | os.PathLike[str]) -> int:
    """Count how often the first phi passes through zero (not through 180 degrees) between frames."""
    import mdtraj

    phi = mdtraj.compute_phi(mdtraj.Trajectory(positions, mdtraj.load_topology(str(topology_file))))[1][:, 0]
    return int(((phi[1:] > 0) != (phi[:-1] > 0))[np.abs(np.diff(phi)) < np.pi].sum())


def _provenance(system: str, topology: Any) -> dict[str, Any]:
    openmm = _openmm()
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


def simulate(
    system: str = "alanine-dipeptide",
    *,
    temperature: float | tuple[float, ...] = 500.0,
    length: float = 1.0,
    replicas: int = 4,
    seed: int = 0,
    out: str | os.PathLike[str] = "simulation",
    n_jobs: int | None = None,
    progress: bool = True,
) -> Path:
    """Simulate one of the example systems with OpenMM: positions, velocities, forces, energies.

    Replicas are independent and run one process each. A replica that is already in `out` is kept, so
    that an interrupted call, made again, does only what is missing.

    Parameters
    ----------
    system : {"alanine-dipeptide", "chignolin"}
    temperature : float or tuple of float
        In kelvin; each temperature is run for each replica.
    length : float
        Length of each replica in ns.
    replicas : int
        Number of replicas at each temperature, from the system's starting structures in turn.
    seed : int
        Seed of the thermostat and of the starting velocities.
    out : path
        Folder for ``{system}.pdb``, one ``.h5md`` per replica and the sidecar ``{system}.json``.
    n_jobs : int, optional
        Processes at a time; the number of processors by default.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Path
        The folder `out`.

    Raises
    ------
    SpecError
        For an unknown system.
    DataError
        When `out` holds another recipe's files, or the kinetic temperature is off by more than 3%, which
        means an unstable time step.
    MissingDependencyError
        When the `simulate` extra is not installed.

    References
    ----------
    OpenMM: Eastman et al., J. Phys. Chem. B 128, 109 (2024), https://doi.org/10.1021/acs.jpcb.3c06662.
    OBC solvent: Onufriev, Bashford, Case, Proteins 55, 383 (2004), https://doi.org/10.1002/prot.20033.
    """
    from tqdm.auto import tqdm

    openmm = _openmm()
    if system not in SYSTEMS:
        raise unknown_name("system", system, SYSTEMS)
    temperatures = temperature if isinstance(temperature, tuple) else (temperature,)
    if length <= 0 or replicas < 1 or min(temperatures) <= 0:
        raise DataError(f"got length={length} ns, replicas={replicas}, temperature={temperature} K; all must be > 0")
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    topology_file, sidecar = folder / f"{system}.pdb", folder / f"{system}.json"
    if not topology_file.exists():
        first = build(system, SYSTEMS[system].starts[0])
        temporary = topology_file.with_suffix(".partial")
        with temporary.open("w") as stream:
            openmm.app.PDBFile.writeFile(first.topology, first.positions, stream)
        os.replace(temporary, topology_file)
    record = _provenance(system, openmm.app.PDBFile(str(topology_file)).topology)
    rows: dict[str, dict[str, Any]] = {}
    if sidecar.exists():
        old = json.loads(sidecar.read_text())
        if any(old.get(key) != value for key, value in record.items()):
            raise DataError(f"{folder} holds another recipe's {system}; choose an empty folder for out=")
        rows = {row["file"]: row for row in old["replicas"]}
    starts, tasks = SYSTEMS[system].starts, []
    for kelvin in temperatures:
        for replica in range(replicas):
            name = f"{system}-{kelvin:.0f}K-{replica}.h5md"
            if name in rows and (folder / name).exists():
                continue
            task = {"system": system, "start": starts[replica % len(starts)], "temperature": float(kelvin)}
            task |= {"length": length, "seed": seed * 10_000 + round(kelvin) * 10 + replica + 1}
            tasks.append(task | {"topology": str(topology_file), "out": str(folder / name)})
    with ProcessPoolExecutor(n_jobs or os.cpu_count(), mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(_replica, task) for task in tasks]
        for future in tqdm(as_completed(futures), total=len(futures), unit="replica", disable=not progress):
            row = future.result()
            rows[row["file"]] = row
            _write_sidecar(sidecar, record, rows)
            error = 5 * (2 / (record["degrees_of_freedom"] * row["n_frames"])) ** 0.5
            if abs(row["mean_kinetic_temperature"] / row["temperature"] - 1) > 0.02 + error:
                raise DataError(
                    f"{row['file']}: kinetic temperature {row['mean_kinetic_temperature']:.1f} K, expected "
                    f"{row['temperature']:.1f} K; the time step is not stable"
                )
    return folder


def _write_sidecar(path: Path, record: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]]) -> None:
    content = {**record, "replicas": [rows[name] for name in sorted(rows)]}
    if all("phi_crossings" in row for row in rows.values()):
        content["phi_crossings"] = sum(row["phi_crossings"] for row in rows.values())
    temporary = path.with_suffix(".partial")
    temporary.write_text(json.dumps(content, indent=1) + "\n")
    os.replace(temporary, path)

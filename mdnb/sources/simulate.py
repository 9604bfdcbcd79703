"""simulate: run a recipe with OpenMM, one process for each replica."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from mdnb.errors import DataError, unknown_name
from mdnb.formats.h5md_writer import write_h5md
from mdnb.sources.recipes import (
    BOLTZMANN,
    SYSTEMS,
    build,
    cis_bonds,
    create_system,
    hands_of,
    import_openmm,
    provenance,
    read_positions,
)

__all__ = ["simulate"]


def _replica(task: Mapping[str, Any]) -> dict[str, Any]:
    """Run one replica to its file and return its row of the sidecar (in a process of its own)."""
    openmm = import_openmm()
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
    if task["start"] == "unfolded":
        _unfold(simulation, seed)
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
    hands = [hands_of(topology, frame) for frame in (read_positions(topology_file), arrays["positions"][-1])]
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


def _unfold(simulation: Any, seed: int) -> None:
    """Heat a simulation to a random coil of its own; coils with a cis peptide bond are drawn again."""
    unit, integrator = import_openmm().unit, simulation.integrator
    folded = simulation.context.getState(positions=True).getPositions()
    integrator.setTemperature(900 * unit.kelvin)
    integrator.setStepSize(1 * unit.femtosecond)
    for attempt in range(10):
        simulation.context.setPositions(folded)
        simulation.context.setVelocitiesToTemperature(900 * unit.kelvin, seed + 1000 * attempt)
        integrator.step(100_000)
        positions = simulation.context.getState(positions=True).getPositions(asNumpy=True)._value
        if not cis_bonds(simulation.topology, positions):
            return
    raise DataError("ten coils in a row had a cis peptide bond; choose another seed")


def phi_crossings(positions: np.ndarray, topology_file: str | os.PathLike[str]) -> int:
    """Count how often the first phi passes through zero (not through 180 degrees) between frames."""
    import mdtraj

    phi = mdtraj.compute_phi(mdtraj.Trajectory(positions, mdtraj.load_topology(str(topology_file))))[1][:, 0]
    return int(((phi[1:] > 0) != (phi[:-1] > 0))[np.abs(np.diff(phi)) < np.pi].sum())


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

    openmm = import_openmm()
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
    record = provenance(system, openmm.app.PDBFile(str(topology_file)).topology)
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

"""Write a `conftest.Sample` in each format with a library that is not mdnb, and read it back with another."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import ase.io
import ase.units
import h5py
import MDAnalysis
import mdtraj
import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator
from MDAnalysis.lib.formats.libmdaxdr import TRRFile, XTCFile
from mdtraj.utils import box_vectors_to_lengths_and_angles
from openmm import app, unit

from mdnb.formats import Frames
from mdnb.formats.topology_json import topology_to_json


def lengths_and_angles(box):
    return np.array([np.concatenate(np.split(np.array(box_vectors_to_lengths_and_angles(*one)), 2)) for one in box])


def write_xtc(path: Path, sample) -> None:
    with XTCFile(str(path), "w") as file:
        for i in range(len(sample)):
            file.write(sample.positions[i], sample.box[i], i, sample.time[i], 1000.0)


def write_trr(path: Path, sample) -> None:
    with TRRFile(str(path), "w") as file:
        for i in range(len(sample)):
            arrays = (sample.positions[i], sample.velocities[i], sample.forces[i])
            file.write(*arrays, sample.box[i], i, sample.time[i], 0.0, sample.positions.shape[1])


def write_dcd(path: Path, sample) -> None:
    cell = lengths_and_angles(sample.box).astype(np.float32)
    with mdtraj.formats.DCDTrajectoryFile(str(path), "w") as file:
        file.write(sample.positions * 10, cell[:, :3] * 10, cell[:, 3:])


def write_hdf5(path: Path, sample) -> None:
    """As mdtraj does, without the pytables that it needs for it; lengths in nanometers, as it states them."""
    cell = lengths_and_angles(sample.box).astype(np.float32)
    arrays = {
        "coordinates": (sample.positions, "nanometers"),
        "velocities": (sample.velocities, "nanometers/picosecond"),
        "time": (sample.time.astype(np.float32), "picoseconds"),
        "cell_lengths": (cell[:, :3], "nanometers"),
        "cell_angles": (cell[:, 3:], "degrees"),
        "potentialEnergy": (np.arange(len(sample), dtype=np.float32), "kJ/mol"),
    }
    with h5py.File(path, "w") as file:
        for name, (array, unit) in arrays.items():
            file.create_dataset(name, data=array).attrs["units"] = np.bytes_(unit)
        file["topology"] = np.array([json.dumps(topology_to_json(sample.topology)).encode()])


def write_npz(path: Path, sample) -> None:
    energies = np.stack([np.arange(len(sample)), np.arange(len(sample)) + 0.5], axis=1)
    names = ("positions", "velocities", "forces", "time")
    np.savez(path, energies=energies, **{name: getattr(sample, name) for name in names})


def write_pdb(path: Path, sample) -> None:
    """In a rectangular box of 3 nm; PDB has three decimals of Angstrom."""
    trajectory = mdtraj.Trajectory(sample.positions, sample.topology)
    trajectory.unitcell_vectors = np.repeat(3 * np.eye(3, dtype=np.float32)[None], len(sample), axis=0)
    trajectory.save_pdb(str(path))


def write_mmcif(path: Path, sample) -> None:
    """As OpenMM does, in a rectangular box of 3 nm; it writes four decimals of Angstrom."""
    topology = sample.topology.to_openmm()
    topology.setPeriodicBoxVectors(np.diag([3.0, 3.0, 3.0]) * unit.nanometer)
    with path.open("w") as file:
        app.PDBxFile.writeHeader(topology, file)
        for number, positions in enumerate(sample.positions):
            app.PDBxFile.writeModel(topology, positions * unit.nanometer, file, number + 1)


def write_xyz(path: Path, sample) -> None:
    """Extended XYZ as ASE writes it: Angstrom, eV/Angstrom, and momenta in its own unit."""
    symbols = [atom.element.symbol for atom in sample.topology.atoms]
    frames = []
    for i in range(len(sample)):
        atoms = ase.Atoms(symbols, sample.positions[i] * 10, cell=sample.box[i] * 10, pbc=True)
        atoms.set_velocities(sample.velocities[i] * 10 / (1000 * ase.units.fs))
        forces = sample.forces[i] / 10 * ase.units.kJ / ase.units.mol
        energy = i * ase.units.kJ / ase.units.mol
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
        frames.append(atoms)
    ase.io.write(path, frames, format="extxyz")


def write_lammps(path: Path, sample, *, says_units: bool = True, seed: int = 0) -> None:
    """In the layout of LAMMPS (units real, atoms shuffled); ASE and MDAnalysis read it in a test."""
    random = np.random.default_rng(seed)
    symbols = [atom.element.symbol for atom in sample.topology.atoms]
    with path.open("w") as file:
        for i in range(len(sample)):
            if says_units:
                file.write("ITEM: UNITS\nreal\n" if i == 0 else "")
                file.write(f"ITEM: TIME\n{sample.time[i] * 1000:.16g}\n")
            (lx, _, _), (xy, ly, _), (xz, yz, lz) = sample.box[i].astype(float) * 10
            x = min(0, xy, xz, xy + xz), lx + max(0, xy, xz, xy + xz)
            y = min(0, yz), ly + max(0, yz)
            file.write(f"ITEM: TIMESTEP\n{i * 100}\nITEM: NUMBER OF ATOMS\n{len(symbols)}\n")
            file.write("ITEM: BOX BOUNDS xy xz yz pp pp pp\n")
            for (low, high), tilt in zip((x, y, (0.0, lz)), (xy, xz, yz), strict=True):
                file.write(f"{low:.16e} {high:.16e} {tilt:.16e}\n")
            file.write("ITEM: ATOMS id element x y z vx vy vz fx fy fz\n")
            arrays = sample.positions[i] * 10, sample.velocities[i] / 100, sample.forces[i] / 41.84
            numbers = np.hstack([array.astype(float) for array in arrays])
            for row in random.permutation(len(symbols)):
                file.write(f"{row + 1} {symbols[row]} " + " ".join(f"{value:.10g}" for value in numbers[row]) + "\n")


def write_mdanalysis(path: Path, sample) -> None:
    """AMBER NetCDF or H5MD with velocities and forces, by MDAnalysis, which takes units and times from a TRR file."""
    write_trr(path.with_suffix(".trr"), sample)
    source = MDAnalysis.Universe.empty(sample.positions.shape[1])
    source.load_new(str(path.with_suffix(".trr")))
    with MDAnalysis.Writer(str(path), n_atoms=len(source.atoms), velocities=True, forces=True) as writer:
        for _ in source.trajectory:
            writer.write(source.atoms)


def read_mdanalysis(path: Path, n_atoms: int) -> dict[str, np.ndarray]:
    """Return what MDAnalysis reads, in mdnb's units (its own: Angstrom, Angstrom/ps, kJ/mol/Angstrom)."""
    read = MDAnalysis.Universe.empty(n_atoms)
    read.load_new(str(path))
    found: dict[str, list] = {"positions": [], "velocities": [], "forces": [], "time": [], "box": []}
    for step in read.trajectory:
        found["positions"].append(step.positions / 10)
        found["time"].append(step.time)
        if step.has_velocities:
            found["velocities"].append(step.velocities / 10)
        if step.has_forces:
            found["forces"].append(step.forces * 10)
        if step.triclinic_dimensions is not None:
            found["box"].append(step.triclinic_dimensions / 10)
    return {name: np.array(values) for name, values in found.items() if values}


def everything(trajectories, size=None):
    """Return name -> array of all frames, read in chunks of a size."""
    wish = {"velocities": trajectories.has_velocities, "forces": trajectories.has_forces}
    chunks = list(trajectories.chunks(size, **wish))
    names = [field.name for field in fields(Frames) if getattr(chunks[0], field.name) is not None]
    return {name: np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in names}


WRITERS = {
    "xtc": write_xtc,
    "trr": write_trr,
    "dcd": write_dcd,
    "nc": write_mdanalysis,
    "h5": write_hdf5,
    "h5md": write_mdanalysis,
    "npz": write_npz,
    "pdb": write_pdb,
    "cif": write_mmcif,
    "xyz": write_xyz,
    "lammpstrj": write_lammps,
}

"""Small files in the published layouts of public databases, made from frames that a test has."""

from __future__ import annotations

import io
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import mdtraj
import numpy as np

DOMAIN = "1abcA00"


def pdb_text(topology: mdtraj.Topology, positions: np.ndarray) -> str:
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.pdb")
        mdtraj.Trajectory(positions[:1], topology).save_pdb(str(path))
        return path.read_text()


def xtc_bytes(topology: mdtraj.Topology, positions: np.ndarray, time: np.ndarray) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.xtc")
        mdtraj.Trajectory(positions, topology, time=time).save_xtc(str(path))
        return path.read_bytes()


def write_mdcath(path, topology, positions, forces, *, old=False, layout=True, unit="Angstrom"):
    """Temperatures 320 and 450 K, replicas 0 and 1 with all and every second frame; 413 K has an empty replica."""
    n_residues = topology.n_residues
    with h5py.File(path, "w", libver="latest") as file:
        if layout:
            file.attrs["layout"] = "mdcath-only-protein-v1.0"
        domain = file.create_group(DOMAIN)
        domain.attrs.update(numProteinAtoms=topology.n_atoms, numResidues=n_residues, numChains=1)
        domain["z"] = [atom.element.atomic_number for atom in topology.atoms]
        domain["resid"] = [atom.residue.resSeq for atom in topology.atoms]
        text = h5py.string_dtype()
        for name, values in (
            ("chain", ["0"] * topology.n_atoms),
            ("element", [atom.element.symbol for atom in topology.atoms]),
            ("resname", [atom.residue.name for atom in topology.atoms]),
        ):
            domain.create_dataset(name, data=values, dtype=text)
        domain["pdbProteinAtoms"] = pdb_text(topology, positions).encode()
        domain["pdb"], domain["psf"] = b"the solvated system", b"PSF"
        for temperature in (320, 450, 413):
            group = domain.create_group(f"sims{temperature}K" if old else str(temperature))
            for replica in (0, 1):
                run = group.create_group(str(replica))
                if temperature == 413:
                    continue  # a replica that was not finished
                rows = slice(None, None, replica + 1)
                n_frames = len(positions[rows])
                run.attrs["numFrames"] = n_frames
                run["coords"] = (positions[rows] * 10 + temperature / 1000).astype(np.float32)
                run["coords"].attrs["unit"] = unit
                run["forces"] = (forces[rows] / 41.84).astype(np.float32)
                run["forces"].attrs["unit"] = "kcal/mol/Angstrom"
                letters = np.full((n_frames, n_residues), "H", object)
                letters[:, 1:] = "E"
                letters[-1] = " "
                run.create_dataset("dssp", data=letters, dtype=text)
                run["dssp"].attrs["unit"] = "nm"  # as in the published files
                run["gyrationRadius"] = np.arange(n_frames) + 1.0
                run["rmsd"] = np.arange(n_frames) / 10
                run["rmsf"] = np.zeros(n_residues)
                run["box"] = np.diag([5.0, 6.0, 7.0])
    return path


def npz_bytes(**arrays) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def timewarp_bytes(sample) -> bytes:
    n_frames = len(sample)
    return npz_bytes(
        step=np.arange(n_frames), time=sample.time, energies=np.stack([np.arange(n_frames), np.ones(n_frames)], 1),
        positions=sample.positions, velocities=sample.velocities, forces=sample.forces,
    )  # fmt: skip


def md17_bytes(sample, *, revised=False) -> bytes:
    numbers = np.array([atom.element.atomic_number for atom in sample.topology.atoms], np.uint8)
    positions, forces = sample.positions * 10.0, sample.forces / 41.84
    energies = -np.arange(len(sample), dtype=float)
    if revised:
        return npz_bytes(
            nuclear_charges=numbers, coords=positions, energies=energies, forces=forces,
            old_indices=np.arange(len(sample)), old_energies=energies, old_forces=forces,
        )  # fmt: skip
    return npz_bytes(z=numbers, R=positions, E=energies[:, None], F=forces, name=np.array(b"molecule"))

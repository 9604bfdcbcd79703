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


def write_misato(path, topology, positions):
    """A complex of the peptide, its atoms in AMBER's order, and a "ligand" of its first three atoms; and another one.

    Returns the order of the peptide's atoms.
    """
    codes = {name: number for number, name in enumerate(MISATO_RESIDUES)}
    elements = {symbol: number for number, symbol in enumerate(["", "H", "C", "N", "O"])}
    order = [atom.index for residue in topology.residues for atom in sorted(residue.atoms, key=_amber)]
    atoms = [topology.atom(index) for index in order]
    ligand = atoms[:3]
    rows = [*order, *(atom.index for atom in ligand)]
    with h5py.File(path, "w") as file:
        for name in ("10GS", "11GS"):
            group = file.create_group(name)
            group["trajectory_coordinates"] = (
                positions[:, rows] * 10 + 50.0 * (np.arange(len(rows)) >= len(order))[:, None]
            )
            group["atoms_element"] = [elements[atom.element.symbol] for atom in [*atoms, *ligand]]
            group["atoms_number"] = [atom.element.atomic_number for atom in [*atoms, *ligand]]
            group["atoms_residue"] = [codes[atom.residue.name] for atom in atoms] + 3 * [0]
            group["atoms_type"] = [_type(atom) for atom in atoms] + [90, 91, 92]
            group["molecules_begin_atom_index"] = [0, len(order)]
            for number, what in enumerate(("rmsd_ligand", "distance", "interaction_energy", "bSASA")):
                group[f"frames_{what}"] = np.full(len(positions), number + 1.0)
    return order


MISATO_RESIDUES = (
    "MOL", "ACE", "ALA", "ARG", "ASN", "ASP", "CYS", "CYX", "GLN", "GLU", "GLY", "HIE", "ILE", "LEU", "LYS", "MET",
    "PHE", "PRO", "SER", "THR", "TRP", "TYR", "VAL",
)  # fmt: skip


def _amber(atom):
    """AMBER writes N and its hydrogens first, C and O last; proline's ring comes before its alpha carbon."""
    name = atom.name
    if name == "N":
        return 0
    if name in ("H", "H1", "H2", "H3"):
        return 1
    if name in ("CA", "HA", "HA2", "HA3"):
        return 4 if atom.residue.name == "PRO" else 2
    if atom.residue.name == "PRO" and name[1:2] in ("D", "G", "B"):
        return 3 + "DGB".index(name[1]) / 10
    return {"C": 5, "O": 6, "OXT": 7}.get(name, 3)


def _type(atom):
    first, last = atom.residue.index == 0, atom.residue.index == atom.residue.chain.n_residues - 1
    end = 30 if last else 29
    known = {"N": 26 if first else 24, "CA": 14, "C": 3, "O": end, "OXT": end, "CB": 7, "CZ": 3}
    return known.get(atom.name, {"H": 15, "C": 6, "N": 27, "O": 31}[atom.element.symbol])


def write_spice(path, sample):
    bohr, hartree = 0.529177210903, 627.5094740631  # in Angstrom and kcal/mol
    with h5py.File(path, "w") as file:
        for name in ("103147721", "other"):
            group = file.create_group(name)
            group["subset"], group["smiles"] = [b"SPICE PubChem"], [b"C"]
            numbers = [atom.element.atomic_number for atom in sample.topology.atoms]
            group["atomic_numbers"] = np.array(numbers, np.int16)
            group["conformations"] = (sample.positions * 10 / bohr).astype(np.float32)
            group["conformations"].attrs["units"] = "bohr"
            group["formation_energy"] = np.arange(len(sample)) * 1.0
            group["dft_total_energy"] = np.arange(len(sample)) - 100.0
            group["dft_total_gradient"] = (-sample.forces / 41.84 / hartree * bohr).astype(np.float32)

"""Trajectories to measure on, made from packaged examples: of the size of adenylate kinase, and a dipeptide."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import mdtraj

__all__ = ["boxed", "other_formats", "repeated", "write_protein", "write_small"]

_NOISE = 0.01  # nm
_BLOCK = 200


def write_protein(folder: Path, n_frames: int, n_copies: int = 25) -> tuple[Path, Path]:
    """Write an XTC and a PDB of a made-up protein of the size of adenylate kinase.

    Copies of chignolin without its first and last residue, which eight and six of them keep, are joined to one
    chain along a lattice; each copy runs through the conformations of chignolin, with thermal noise on top.
    25 copies have 214 residues and 3,341 atoms.

    Parameters
    ----------
    folder : Path
    n_frames : int
    n_copies : int

    Returns
    -------
    tuple of Path
        The XTC and the PDB file.
    """
    from mdnb.sources import example

    peptide = example("chignolin")
    shapes = peptide.frames(range(0, peptide.n_frames, max(1, peptide.n_frames // 100)))
    residues = np.array([atom.residue.index for atom in shapes.topology.atoms])
    side = int(np.ceil(n_copies ** (1 / 3)))
    pieces = []
    for copy in range(n_copies):
        first, last = 0 if copy % 3 == 0 and copy < 24 else 1, 9 if copy % 4 == 1 and copy < 24 else 8
        pieces.append(np.flatnonzero((residues >= first) & (residues <= last)))
    topology = _one_chain(shapes.topology, pieces)
    places = 1.6 * np.array([_on_the_way(copy, side) for copy in range(n_copies)], np.float32)[:, None]
    centred = shapes.xyz - shapes.xyz.mean(1, keepdims=True)

    def positions(frame: int) -> np.ndarray:
        return np.concatenate(
            [centred[(frame + 7 * copy) % len(centred), piece] + places[copy] for copy, piece in enumerate(pieces)]
        )

    return _write(folder / "protein", topology, n_frames, positions)


def _on_the_way(step: int, side: int) -> tuple[int, int, int]:
    """Return the place on a cubic lattice after so many steps of a way that goes from neighbour to neighbour."""
    x, rest = divmod(step, side * side)
    y, z = divmod(rest, side)
    y = y if x % 2 == 0 else side - 1 - y
    return x, y, z if (x * side + y) % 2 == 0 else side - 1 - z


def _one_chain(topology: mdtraj.Topology, pieces: Sequence[np.ndarray]) -> mdtraj.Topology:
    """Return a topology of one chain in which the pieces of another one follow each other."""
    import mdtraj

    made = mdtraj.Topology()
    chain = made.add_chain()
    place: dict[tuple[int, int], mdtraj.core.topology.Residue] = {}
    for number, piece in enumerate(pieces):
        for index in piece:
            atom = topology.atom(int(index))
            key = (number, atom.residue.index)
            if key not in place:
                place[key] = made.add_residue(atom.residue.name, chain, resSeq=len(place) + 1)
            made.add_atom(atom.name, atom.element, place[key])
    made.create_standard_bonds()
    return made


def write_small(folder: Path, n_frames: int) -> tuple[Path, Path]:
    """Write an XTC and a PDB of alanine dipeptide, 22 atoms."""
    from mdnb.sources import example

    shapes = example("alanine-dipeptide")[0].frames(range(0, 1000, 10))
    return _write(folder / "small", shapes.topology, n_frames, lambda frame: shapes.xyz[frame % len(shapes)])


def repeated(xtc: Path, times: int) -> Path:
    """Write an XTC whose frames are those of another one, so many times in a row; return it."""
    content, path = xtc.read_bytes(), xtc.with_name(f"{xtc.stem}-{times}.xtc")
    with path.open("wb") as file:
        for _ in range(times):
            file.write(content)
    return path


def boxed(xtc: Path, pdb: Path, n_frames: int) -> Path:
    """Write the first frames as an XTC with a box, as of a solvated protein: a rhombic dodecahedron 1 nm around it.

    It is as large as ``gmx editconf -bt dodecahedron -d 1`` makes it: the largest distance between atoms, and 2 nm.
    """
    import mdtraj

    frames = next(mdtraj.iterload(str(xtc), top=str(pdb), chunk=n_frames))
    first = frames.xyz[0, ::10]
    size = float(np.linalg.norm(first[:, None] - first[None], axis=-1).max()) + 2
    shape = np.array([[1, 0, 0], [0, 1, 0], [0.5, 0.5, np.sqrt(0.5)]], np.float32)
    frames.unitcell_vectors = np.repeat(size * shape[None], len(frames), axis=0)
    path = xtc.with_stem(f"{xtc.stem}-boxed")
    frames.save_xtc(str(path))
    return path


def other_formats(xtc: Path, pdb: Path, n_frames: int) -> Iterator[Path]:
    """Write the first frames as TRR, DCD and NetCDF, and return the files one after another."""
    import mdtraj

    frames = next(mdtraj.iterload(str(xtc), top=str(pdb), chunk=n_frames))
    for suffix in ("trr", "dcd", "nc"):
        path = xtc.with_suffix(f".{suffix}")
        frames.save(str(path))
        yield path


def _write(
    stem: Path, topology: mdtraj.Topology, n_frames: int, positions: Callable[[int], np.ndarray]
) -> tuple[Path, Path]:
    """Write the frames, with thermal noise."""
    import mdtraj

    stem.parent.mkdir(exist_ok=True)
    random = np.random.default_rng(0)
    xtc, pdb = stem.with_suffix(".xtc"), stem.with_suffix(".pdb")
    with mdtraj.formats.XTCTrajectoryFile(str(xtc), "w") as file:
        for start in range(0, n_frames, _BLOCK):
            frames = range(start, min(start + _BLOCK, n_frames))
            noise = random.standard_normal((len(frames), topology.n_atoms, 3), np.float32) * np.float32(_NOISE)
            block = noise + np.stack([positions(frame) for frame in frames])
            file.write(block.astype(np.float32), time=np.array(frames, np.float32), step=np.array(frames, np.int32))
    mdtraj.Trajectory(positions(0)[None], topology).save_pdb(str(pdb))
    return xtc, pdb

"""Trajectories to measure on, made from packaged examples: of the size of adenylate kinase and of a dipeptide."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import mdtraj

__all__ = ["write_protein", "write_small"]

_NOISE = 0.01  # nm
_BLOCK = 200


def write_protein(folder: Path, n_frames: int, n_atoms: int = 3341) -> tuple[Path, Path]:
    """Write an XTC and a PDB of copies of chignolin on a lattice, each in another conformation.

    Parameters
    ----------
    folder : Path
    n_frames : int
    n_atoms : int
        Rounded to whole copies.

    Returns
    -------
    tuple of Path
        The XTC and the PDB file.
    """
    from mdnb.sources import example

    peptide = example("chignolin")
    shapes = peptide.frames(range(0, peptide.n_frames, max(1, peptide.n_frames // 100)))
    copies = max(1, round(n_atoms / shapes.n_atoms))
    side = int(np.ceil(copies ** (1 / 3)))
    places = 1.6 * np.stack(np.unravel_index(np.arange(copies), (side,) * 3), axis=1)[:, None].astype(np.float32)
    topology = shapes.topology.copy()
    for _ in range(copies - 1):
        topology = topology.join(shapes.topology)
    centred = shapes.xyz - shapes.xyz.mean(1, keepdims=True)

    def positions(frame: int) -> np.ndarray:
        return (centred[(frame + 7 * np.arange(copies)) % len(centred)] + places).reshape(-1, 3)

    return _write(folder / "protein", topology, n_frames, positions)


def write_small(folder: Path, n_frames: int) -> tuple[Path, Path]:
    """Write an XTC and a PDB of alanine dipeptide, 22 atoms."""
    from mdnb.sources import example

    shapes = example("alanine-dipeptide")[0].frames(range(0, 1000, 10))
    return _write(folder / "small", shapes.topology, n_frames, lambda frame: shapes.xyz[frame % len(shapes)])


def _write(
    stem: Path, topology: mdtraj.Topology, n_frames: int, positions: Callable[[int], np.ndarray]
) -> tuple[Path, Path]:
    """Write the frames, with thermal noise."""
    import mdtraj

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

"""Small real data that the tests share: frames of the packaged examples, with velocities and forces."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import mdtraj
import numpy as np
import pytest
from packaged import Packaged
from writers import WRITERS

import mdnb
from mdnb.compiled import compiled_folder
from mdnb.sources import EXAMPLES

# Tests give mdnb other cache folders; what was compiled stays in one, for this process and those that it starts.
os.environ.setdefault("NUMBA_CACHE_DIR", str(compiled_folder()))


@dataclass(frozen=True)
class Sample:
    """Thirty real frames with all that a format may hold, in nm, ps, nm/ps and kJ/mol/nm."""

    topology: mdtraj.Topology
    positions: np.ndarray
    velocities: np.ndarray
    forces: np.ndarray
    time: np.ndarray
    box: np.ndarray

    def __len__(self) -> int:
        return len(self.time)


@pytest.fixture(scope="session")
def alanine() -> mdnb.Trajectories:
    return mdnb.example("alanine-dipeptide")[:2]


@pytest.fixture(scope="session")
def chignolin() -> mdnb.Trajectories:
    return mdnb.example("chignolin")


@pytest.fixture(scope="session")
def chunk(alanine):
    """The first trajectory of alanine dipeptide as one chunk."""
    return next(alanine[0].chunks(3000, velocities=True, forces=True))


@pytest.fixture(scope="session")
def sample(alanine, chunk) -> Sample:
    """Every hundredth frame, in a triclinic box that breathes: a truncated octahedron, as GROMACS writes it."""
    rows = slice(None, None, 100)
    n_frames = len(chunk.time[rows])
    octahedron = np.array([[3, 0, 0], [1, 2.828427, 0], [-1, 1.414214, 2.449490]], np.float32)
    return Sample(
        topology=alanine.topology,
        positions=chunk.positions[rows],
        velocities=chunk.velocities[rows],
        forces=chunk.forces[rows],
        time=chunk.time[rows],
        box=octahedron * (1 + 0.001 * np.arange(n_frames, dtype=np.float32))[:, None, None],
    )


@pytest.fixture(scope="session")
def pdb(sample, tmp_path_factory) -> Path:
    """A PDB file of the sample's first frame: the topology of the files that have none."""
    path = tmp_path_factory.mktemp("topology") / "alanine.pdb"
    mdtraj.Trajectory(sample.positions[:1], sample.topology).save_pdb(str(path))
    return path


@pytest.fixture(scope="session")
def extra_data() -> Path:
    """The folder of larger, foreign data."""
    folder = os.environ.get("MDNB_EXTRA_DATA")
    if not folder:
        pytest.skip("MDNB_EXTRA_DATA is not set: it names the folder of larger data")
    return Path(folder)


@pytest.fixture(scope="session")
def folder(sample, tmp_path_factory) -> Path:
    """A folder of intact files: a.xtc, a.trr, a.dcd, a.npz."""
    made = tmp_path_factory.mktemp("trajectories")
    for suffix in ("xtc", "trr", "dcd", "npz"):
        WRITERS[suffix](made / f"a.{suffix}", sample)
    return made


@pytest.fixture(scope="session", params=EXAMPLES)
def packaged(request) -> Packaged:
    """Each packaged example, with all its arrays."""
    return Packaged(request.param)

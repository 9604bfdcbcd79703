"""What every registered featurizer keeps to, whatever it computes."""

import mdtraj
import numpy as np
import pytest
from moved import moved

import mdnb
from mdnb.chunk import Chunk
from mdnb.features import (
    FEATURIZERS,
    SASA,
    Coordination,
    Distances,
    LigandContacts,
    Positions,
    RadialDistribution,
    Torsions,
    Voxels,
    featurize,
)
from mdnb.features.custom import CustomFeaturizer

#: Where the default settings do not suit the molecule, or would take long.
SETTINGS = {
    "distances": lambda: Distances("name CA or name CB or name C"),
    "sasa": lambda: SASA(n_sphere_points=120),
    "ligand-contacts": lambda: LigandContacts("resname TRP"),
    "voxels": lambda: Voxels(channels=["C", "N", "O"], n_cells=6, spacing=0.4, width=0.3),
    "radial-distribution": lambda: RadialDistribution([("C", "O"), ("N", "N")], r_max=1.4, n_bins=12),
    "coordination": lambda: Coordination([("C", "O"), ("N", "H")], width=0.02),
}
#: How much a turn and a shift of the molecule may change (by rounding, unless a reason stands there).
LOOSE = {
    "sasa": 0.2,  # the points are fixed in space, and few
    "voxels": 2e-3,
    "hydrogen-bonds": 2e-3,
    "contacts": 1e-4,  # the steepest switching is 1 / (4 x 0.03 nm)
    "contact-map": 1e-4,
    "internal-coordinates": 1e-3,
    "coordination": 2e-3,
    "radial-distribution": np.inf,  # a pair may pass the border between two bins; see the next test
    "positions": 1e-5,
    "torsions": 2e-5,
    "backbone": 2e-5,
}
#: Those that tell a molecule from its mirror image; the others must not.
HANDED = {
    "torsions",
    "backbone",
    "positions",
    "velocities",
    "forces",
    "internal-coordinates",
    "rmsd",
    "voxels",
    "hydrogen-bonds",
}
UNITS = {"", "nm", "nm^2", "rad", "nm/ps", "kJ/mol", "kJ/mol/nm", "1/nm^3"}
NAMES = sorted(name for name, one in FEATURIZERS.items() if not issubclass(one, CustomFeaturizer))


def maker_of(name):
    return SETTINGS[name]() if name in SETTINGS else FEATURIZERS[name]()


@pytest.fixture(scope="module")
def peptide(chignolin):
    """In a triclinic box; all frames of two files, which begin with the same frame, the reference."""
    frames = chignolin.frames([0, *range(5, 300, 25), 0, *range(900, 1200, 50)])
    frames.unitcell_vectors = np.tile(np.array([[4, 0, 0], [1, 4, 0], [-1, 1, 4]], np.float32), (len(frames), 1, 1))
    frames.time = np.arange(float(len(frames)))
    return frames


@pytest.fixture(scope="module")
def files(peptide, tmp_path_factory):
    folder = tmp_path_factory.mktemp("contract")
    peptide[0].save_pdb(str(folder / "top.pdb"))
    cut = int(np.flatnonzero((peptide.xyz == peptide.xyz[0]).all((1, 2)))[1])
    peptide[:cut].save_xtc(str(folder / "a.xtc"))
    peptide[cut:].save_xtc(str(folder / "b.xtc"))
    return [folder / "a.xtc", folder / "b.xtc"], folder / "top.pdb"


def opened(name, files, alanine):
    """Return trajectories that have what the feature needs, in order and the other way round."""
    if {"velocities", "forces"} & FEATURIZERS[name].needs:
        return alanine[:1], None
    paths, top = files
    return mdnb.load(paths, top=top), mdnb.load(paths[::-1], top=top)


@pytest.mark.parametrize("name", NAMES)
def test_columns_and_values(name, files, alanine):
    trajectories, _ = opened(name, files, alanine)
    features = featurize(trajectories, maker_of(name))
    assert features.values.dtype == np.float32
    assert features.values.shape == (trajectories.n_frames, *features.shape)
    assert np.isfinite(features.values).all()
    assert len(features.axes) == len(features.shape)
    assert len(set(features.names)) == len(features.columns) == np.prod(features.shape)
    assert all(column.name and column.group for column in features.columns)
    assert {column.unit for column in features.columns} <= UNITS
    atoms = [index for column in features.columns for index in column.atom_indices]
    assert atoms
    assert 0 <= min(atoms) <= max(atoms) < trajectories.n_atoms
    assert features.values.std() > 0


@pytest.mark.parametrize("name", NAMES)
def test_any_chunk_size_and_order_of_files(name, files, alanine):
    forth, back = opened(name, files, alanine)
    if len(forth) == 1:
        forth = forth[:1]
        sizes = (100, 777)
    else:
        sizes = (1, 5)
    whole = featurize(forth, maker_of(name))
    for size in sizes:
        assert np.array_equal(featurize(forth, maker_of(name), chunk_size=size).values, whole.values)
    assert np.array_equal(featurize(forth, [maker_of(name)]).values, whole.values)
    if back is not None:
        other = featurize(back, maker_of(name))
        n_first = forth.lengths[0]
        assert np.array_equal(np.roll(other.values, n_first, axis=0), whole.values)
        assert np.array_equal(np.roll(other.time, n_first), whole.time)


@pytest.mark.parametrize("name", [name for name in NAMES if FEATURIZERS[name].needs == {"positions"}])
def test_turns_shifts_and_mirrors(name, peptide):
    """A turn and a shift change nothing; a mirror image does where handedness is looked at."""
    free = peptide[:10]
    free.unitcell_vectors = None
    maker = maker_of(name)
    maker.prepare(free.topology, free.xyz[0])
    box = None
    if name == "radial-distribution":  # a box turned with the atoms
        box = np.repeat(6 * np.eye(3, dtype=np.float32)[None], len(free), 0)
    before = maker.compute(Chunk(free.xyz, free.time, box=box))
    turned = moved(free, 3)
    if box is None:
        assert np.abs(maker.compute(Chunk(turned.xyz, free.time)) - before).max() <= LOOSE.get(name, 5e-6)
    else:
        shifted = (free.xyz + np.float32([7, -2, 0.5]))[:, :, [2, 0, 1]]
        assert np.abs(maker.compute(Chunk(shifted, free.time, box=box)) - before).mean() < 0.01 * before.mean()
    mirrored = maker.compute(Chunk(free.xyz * np.float32([-1, 1, 1]), free.time, box=box))
    if name in HANDED - {"hydrogen-bonds"}:
        assert np.abs(mirrored - before).max() > 0.02
    elif name not in ("secondary-structure", "sasa", "hydrogen-bonds", "radial-distribution"):
        assert np.abs(mirrored - before).max() <= LOOSE.get(name, 5e-6)


def test_not_everything_is_invariant(peptide):
    """What is not superposed changes with the molecule: the test above can fail."""
    maker = Positions()
    maker.prepare(peptide.topology, peptide.xyz[0])
    turned = moved(peptide[:5], 3)
    heavy = [column.atom_indices[0] for column in maker.columns[::3]]
    assert np.abs(turned.xyz[:, heavy] - peptide.xyz[:5, heavy]).max() > 1
    assert (
        np.abs(maker.compute(Chunk(turned.xyz, turned.time)) - maker.compute(Chunk(peptide.xyz[:5], turned.time))).max()
        < 1e-4
    )
    reverse = mdtraj.Trajectory(peptide.xyz[:5, ::-1], peptide.topology)
    angles = Torsions()
    angles.prepare(peptide.topology, peptide.xyz[0])
    there, back = (angles.compute(Chunk(xyz, turned.time)) for xyz in (peptide.xyz[:5], reverse.xyz))
    assert np.abs(there - back).max() > 0.1

"""Radial distributions and coordination: lattices, the ideal gas, MDAnalysis; boxes of any shape."""

import itertools

import MDAnalysis
import mdtraj
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from MDAnalysis.analysis.rdf import InterRDF

import mdnb
from mdnb.errors import DataError
from mdnb.features import Coordination, RadialDistribution, featurize

NACL = 0.282  # nm from ion to ion


def made(elements, xyz, box):
    """Return a trajectory of single atoms."""
    topology, xyz = mdtraj.Topology(), np.asarray(xyz, np.float32)
    chain = topology.add_chain()
    for symbol in elements:
        residue = topology.add_residue(symbol, chain)
        topology.add_atom(symbol, mdtraj.element.get_by_symbol(symbol), residue)
    frames = mdtraj.Trajectory(xyz.reshape(-1, len(elements), 3), topology)
    if box is not None:
        frames.unitcell_vectors = np.broadcast_to(box, (len(frames), 3, 3)).astype(np.float32)
    return frames


@pytest.fixture(scope="module")
def salt():
    """Rock salt, 8 x 8 x 8 ions."""
    places = np.array(list(itertools.product(range(8), repeat=3)))
    elements = ["Na" if total % 2 == 0 else "Cl" for total in places.sum(1)]
    return made(elements, places * NACL, 8 * NACL * np.eye(3))


@pytest.fixture(scope="module")
def copper():
    """A face-centred lattice in the skewed box of its primitive cell, neighbours at 0.256 nm."""
    cell = 0.256 / np.sqrt(2) * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    turn, _ = np.linalg.qr(cell.T)
    cell = cell @ turn
    cell *= np.sign(np.diag(cell))  # lower triangular, as GROMACS wants it
    places = np.array(list(itertools.product(range(7), repeat=3))) @ cell
    return made(["Cu"] * 343, places, 7 * cell)


@pytest.fixture(scope="module")
def gas():
    """Points at random in a triclinic box, forty frames."""
    box = np.array([[3, 0, 0], [0.9, 2.8, 0], [-0.7, 1.1, 2.6]])
    random = np.random.default_rng(0)
    return made(["Ar"] * 300 + ["Kr"] * 200, random.uniform(size=(40, 500, 3)) @ box, box)


def test_coordination_of_rock_salt(salt):
    features = featurize(salt, Coordination(cutoff=0.35, width=0))
    assert features.names == ("coordination Na-Na", "coordination Na-Cl", "coordination Cl-Cl")
    assert features.values.tolist() == [[0, 6, 0]]
    assert features.columns[1].atom_indices == tuple(range(512))
    wider = featurize(salt, Coordination([("Na", "Na"), ("Na", "Cl")], cutoff=0.42, width=0))
    assert wider.values.tolist() == [[12, 6]]
    smooth = featurize(salt, Coordination([("Na", "Cl")], cutoff=0.35, width=0.01)).values[0, 0]
    assert smooth == pytest.approx(6 / (1 + np.exp((NACL - 0.35) / 0.01)), abs=2e-3)
    each = featurize(salt, Coordination([("Cl", "Na")], cutoff=0.35, width=0, per_atom=True))
    assert each.values.tolist() == [[6] * 256]
    assert each.columns[0].atom_indices == (1,)
    assert each.names[0].startswith("coordination Cl-Na Cl")


def test_coordination_of_a_face_centred_lattice_in_a_skewed_box(copper):
    for cutoff, expected in ((0.30, 12), (0.40, 18), (0.47, 42)):
        assert featurize(copper, Coordination(cutoff=cutoff, width=0)).values[0, 0] == expected


def test_shells_of_rock_salt(salt):
    """g(r) of a lattice is its shells: 6 at 1, 12 at sqrt 2, 8 at sqrt 3, 6 at 2, 24 at sqrt 5 distances."""
    features = featurize(salt, RadialDistribution([("Na", "Na"), ("Na", "Cl")], r_max=0.7, n_bins=70))
    assert (features.shape, features.axes) == ((2, 70), ("channel", "r"))
    edges = np.linspace(0, 0.7, 71)
    density = 256 / (8 * NACL) ** 3
    counts = features.values[0] * 4 / 3 * np.pi * np.diff(edges**3) * density
    counts[0] *= 255 / 256
    shells = {(0, 12): 2**0.5, (0, 6): 2, (0, 24): 6**0.5, (1, 6): 1, (1, 8): 3**0.5, (1, 24): 5**0.5}
    for (row, count), distance in shells.items():
        place = int(distance * NACL / 0.01)
        assert counts[row, place - 1 : place + 2].sum() == pytest.approx(count, abs=1e-3)
    assert counts[0].sum() == pytest.approx(12 + 6 + 24, abs=1e-3)
    assert features.columns[70].name == "g Na-Cl 0.0050"
    assert features.columns[70].unit == ""


def test_an_ideal_gas_has_no_structure(gas):
    features = featurize(gas, RadialDistribution(r_min=0.2, r_max=1.2, n_bins=20))
    assert features.shape == (3, 20)
    assert np.abs(features.values.mean(0) - 1).max() < 0.08
    assert np.abs(features.values.mean((0, 2)) - 1).max() < 0.01


def brute(frames, first, second, low, high, n_bins):
    """Return counts of ordered pairs, by trying 27 images of every pair."""
    images = np.array(list(itertools.product((-1, 0, 1), repeat=3)))
    counts = []
    for xyz, box in zip(frames.xyz.astype(float), frames.unitcell_vectors.astype(float), strict=True):
        between = xyz[second][None] - xyz[first][:, None]
        between -= np.round(between @ np.linalg.inv(box)) @ box
        distances = np.sqrt(((between[:, :, None] + images @ box) ** 2).sum(-1)).min(-1)
        distances = distances[first[:, None] != second[None]]
        counts.append(np.histogram(distances, n_bins, (low, high))[0])
    return np.array(counts)


@pytest.mark.parametrize("r_max", [0.45, 1.2])  # through cells, and pair by pair
def test_counts_are_those_of_brute_force(gas, r_max):
    part = gas[:4]
    for one, other in (("Ar", "Kr"), ("Ar", "Ar"), ("index 0 to 320", "index 290 to 400")):
        features = featurize(part, RadialDistribution([(one, other)], r_min=0.05, r_max=r_max, n_bins=30))
        first, second = (
            np.array(part.topology.select(f"element {name}" if len(name) == 2 else name)) for name in (one, other)
        )
        edges = np.linspace(0.05, r_max, 31)
        n_pairs = len(first) * len(second) - len(np.intersect1d(first, second))
        volume = part.unitcell_volumes[:, None].astype(float)
        expected = brute(part, first, second, 0.05, r_max, 30) * volume / n_pairs / (4 / 3 * np.pi * np.diff(edges**3))
        assert np.allclose(features.values, expected, rtol=1e-4, atol=1e-4 * expected.max())


def test_the_radial_distribution_is_that_of_mdanalysis(gas):
    """Largest difference 1e-4 (of about 1); MDAnalysis bins and divides by the mean volume."""
    universe = MDAnalysis.Universe.empty(500, trajectory=True)
    cells = np.concatenate([gas.unitcell_lengths * 10, gas.unitcell_angles], axis=1)
    universe.load_new(gas.xyz * 10, dimensions=cells)
    theirs = InterRDF(universe.atoms[:300], universe.atoms[300:], nbins=40, range=(2.0, 12.0)).run()
    features = featurize(gas, RadialDistribution([("Ar", "Kr")], r_min=0.2, r_max=1.2, n_bins=40))
    assert (features.shape, features.axes) == ((40,), ("r",))
    assert np.abs(features.values.mean(0) - theirs.results.rdf).max() < 5e-4


def test_water_of_a_real_run(extra_data):
    """A truncated octahedron of AMBER: the first shell of oxygens at 0.28 nm, as MDAnalysis has it."""
    folder = extra_data / "trpzip2_cpptraj_velfrc"
    opened = mdnb.load(folder / "systemVF.nc", top=folder / "systemVF.parm7")
    pair = ("water and element O", "water and element O")
    features = featurize(opened, RadialDistribution([pair], r_min=0.1, r_max=1.0, n_bins=45))
    frames = opened.frames(slice(None))
    oxygen = frames.topology.select(pair[0])
    universe = MDAnalysis.Universe.empty(frames.n_atoms, trajectory=True)
    universe.load_new(
        frames.xyz * 10, dimensions=np.concatenate([frames.unitcell_lengths * 10, frames.unitcell_angles], axis=1)
    )
    group = universe.atoms[oxygen]
    theirs = InterRDF(group, group, nbins=45, range=(1.0, 10.0), exclusion_block=(1, 1)).run()
    g = features.values.mean(0)
    assert np.abs(g - theirs.results.rdf).max() < 0.01 * g.max()
    assert 0.1 + 0.02 * g.argmax() == pytest.approx(0.27, abs=0.021)
    neighbours = featurize(opened, Coordination([pair], cutoff=0.33, width=0)).values.mean()
    assert 3.5 < neighbours < 5.5


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_shifts_turns_and_box_vectors_change_nothing(gas, seed):
    random = np.random.default_rng(seed)
    part = gas[:2]
    box = part.unitcell_vectors[0].astype(float)
    turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
    moved = part.xyz + random.integers(-2, 3, part.xyz.shape) @ box + random.normal(size=3)
    turned = made(["Ar"] * 300 + ["Kr"] * 200, moved @ turn, None)
    opened = mdnb.load(turned)
    boxes = np.repeat((box @ turn)[None], 2, 0).astype(np.float32)
    for maker in (Coordination(cutoff=0.4, width=0.03), Coordination(cutoff=0.4, width=0.03, per_atom=True)):
        expected = featurize(part, maker).values
        chunk = next(opened.chunks())
        found = maker.compute(type(chunk)(chunk.positions, chunk.time, box=boxes))
        assert np.abs(found - expected).max() < 2e-3


def test_coordination_without_a_box(salt):
    free = made([atom.element.symbol for atom in salt.topology.atoms], salt.xyz, None)
    each = featurize(free, Coordination([("Na", "Cl")], cutoff=0.35, width=0, per_atom=True)).values[0]
    assert sorted(set(each.tolist())) == [3, 4, 5, 6]  # corners, edges, faces, inside
    assert (each == 6).sum() == 6**3 / 2


def test_what_cannot_be_is_refused(salt, alanine):
    with pytest.raises(DataError, match="'radial-distribution' needs the density, so a periodic box in every frame"):
        featurize(alanine[0], "radial-distribution")
    with pytest.raises(DataError, match=r"reaches 1\.2 nm, further than 1\.128 nm, half the shortest way through"):
        featurize(salt, RadialDistribution(r_max=1.2))
    with pytest.raises(DataError, match=r"'coordination' reaches 2 nm, further than 1\.128 nm"):
        featurize(salt, Coordination(cutoff=2.0, width=0))
    with pytest.raises(DataError, match="the selection 'element Xe' holds 0 of the 512 atoms"):
        featurize(salt, Coordination([("Na", "element Xe")]))
    with pytest.raises(DataError, match="'index 3' and 'index 3' are one and the same atom"):
        featurize(salt, Coordination([("index 3", "index 3")]))
    with pytest.raises(DataError, match=r"got the pair \('Na',\), expected two elements or selections each"):
        Coordination(["Na"])
    with pytest.raises(DataError, match=r"expected 0 <= r_min < r_max and at least 1 bin"):
        RadialDistribution(r_min=1.0, r_max=0.5)
    with pytest.raises(DataError, match=r"cutoff = 0 nm, width = 0\.01 nm"):
        Coordination(cutoff=0)


def test_the_cnn_takes_pairs_as_channels(gas):
    features = featurize(mdnb.load([gas[:20], gas[20:]]), RadialDistribution(r_max=1.2, n_bins=12))
    model = mdnb.CNN(channels=4, layers=1, hidden=8)
    run = mdnb.fit(features, np.arange(40) % 2, model, mdnb.Training(epochs=1, seed=0))
    assert "(3, 4, kernel_size=" in repr(run.model)

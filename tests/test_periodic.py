"""Nearest images against brute force over all images, and molecules made whole in boxes of any shape."""

import itertools

import mdtraj
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moved import BOX
from writers import everything

import mdnb
from mdnb.errors import SpecError
from mdnb.features import CAContacts, CADistances, Contacts, DistanceMap, Distances, Torsions, featurize
from mdnb.features.distance_kernels import closest_distances, distance_runs, far_from_images, run_distances
from mdnb.periodic import describe_boxes, nearest

OCTAHEDRON = np.array([[3, 0, 0], [1, 2.828427, 0], [-1, 1.414214, 2.449490]])
DODECAHEDRON = np.array([[3, 0, 0], [0, 3, 0], [1.5, 1.5, 2.121320]])
BOXES = {
    "cubic": np.diag([2.6, 2.6, 2.6]),
    "rectangular": np.diag([2.4, 3.1, 2.7]),
    "octahedron": OCTAHEDRON,
    "dodecahedron": DODECAHEDRON,
    "skewed": BOX / 2.4,
}


def put_into(frames, box, shift=0.1):
    """Return frames whose atoms were put into a box one by one."""
    fractions = (frames.xyz.astype(np.float64) - frames.xyz[0].mean(0) + shift) @ np.linalg.inv(box)
    made = mdtraj.Trajectory(((fractions - np.floor(fractions)) @ box).astype(np.float32), frames.topology)
    made.unitcell_vectors = np.tile(box, (len(frames), 1, 1)).astype(np.float32)
    return made


def shortest(vectors, box, reach):
    """Return the lengths of the shortest images, by trying all up to `reach` boxes away."""
    images = np.array(list(itertools.product(range(-reach, reach + 1), repeat=3))) @ box
    return np.sqrt(((vectors[:, None] + images) ** 2).sum(-1)).min(1)


def lengths(vectors, box):
    described = describe_boxes(box[None])[0]
    return np.array([np.linalg.norm(nearest(*vector, described)) for vector in vectors])


@pytest.fixture(scope="module")
def folded(chignolin):
    """Frames at 300 K."""
    return chignolin[0].frames(range(0, chignolin.lengths[0], 20))


# --- nearest images -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BOXES)
def test_nearest_images_are_those_of_brute_force_over_27(name):
    vectors = np.random.default_rng(0).uniform(-1, 1, (500, 3)) @ BOXES[name]
    centred = vectors - np.round(vectors @ np.linalg.inv(BOXES[name])) @ BOXES[name]
    assert np.abs(lengths(vectors, BOXES[name]) - shortest(centred, BOXES[name], 1)).max() < 1e-12


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_nearest_images_in_any_box_at_all(seed):
    """However skewed: here rounding fractions, and the 27 images around, fail."""
    random = np.random.default_rng(seed)
    box = random.normal(size=(3, 3)) + np.eye(3)
    if abs(np.linalg.det(box)) < 0.5:
        box += 2 * np.eye(3)
    if abs(np.linalg.det(box)) < 0.5 or np.linalg.cond(box) > 12:
        return
    vectors = random.uniform(-1, 1, (30, 3)) @ box
    assert np.abs(lengths(vectors, box) - shortest(vectors, box, 9)).max() < 1e-9


def test_a_box_so_skewed_that_27_images_do_not_do():
    box = np.array([[1.0, 0, 0], [3.4, 1.0, 0], [5.3, -2.4, 1.0]])
    vectors = np.random.default_rng(1).uniform(-1, 1, (200, 3)) @ box
    right = shortest(vectors, box, 16)
    assert np.abs(lengths(vectors, box) - right).max() < 1e-12
    fractions = vectors @ np.linalg.inv(box)
    naive = shortest((fractions - np.round(fractions)) @ box, box, 1)
    assert (naive > right + 0.01).mean() > 0.3


def test_a_box_that_is_none_leaves_vectors_alone():
    flat = np.array([[1.0, 0, 0], [2.0, 0, 0], [0, 0, 1]])
    for box in (np.zeros((3, 3)), flat, np.full((3, 3), np.nan)):
        assert nearest(5.0, -7.0, 9.0, describe_boxes(box[None])[0]) == (5.0, -7.0, 9.0)
    numbers = nearest(np.nan, np.inf, 0.0, describe_boxes(OCTAHEDRON[None])[0])
    assert not np.isfinite(numbers).all()


# --- features in a box ----------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_distances_of_many_pairs_at_once_in_any_box(seed):
    """Runs of pairs and the closest atoms of groups, against all images up to 3 boxes away, rounded to 32 bits."""
    random = np.random.default_rng(seed)
    box = BOXES[random.choice(list(BOXES))] * random.uniform(0.5, 2)
    xyz = (random.uniform(-2, 2, (1, 30, 3)) @ box).astype(np.float32)
    boxes = describe_boxes(box[None])
    pairs = np.column_stack(np.triu_indices(30, 1))
    expected = shortest(np.float64(xyz[0, pairs[:, 1]]) - xyz[0, pairs[:, 0]], box, 5)
    found = np.full((1, len(pairs) + 2), -1, np.float32)
    run_distances(xyz, *distance_runs(pairs), boxes, found, 1)
    assert np.abs(found[0, 1:-1] - expected).max() < 3e-6
    assert (found[:, [0, -1]] == -1).all()

    starts = np.array([0, 1, 9, 12, 30])
    groups = random.permutation([(0, 2), (3, 1), (0, 3), (1, 2), (2, 1)])
    square = np.zeros((30, 30))
    square[tuple(pairs.T)] = square[tuple(pairs.T[::-1])] = expected
    closest = np.empty((1, len(groups)), np.float32)
    closest_distances(xyz, np.arange(30), starts, groups, boxes, closest)
    blocks = [slice(starts[k], starts[k + 1]) for k in range(4)]
    assert np.abs(closest[0] - [square[blocks[a], blocks[b]].min() for a, b in groups]).max() < 3e-6


@pytest.mark.parametrize("name", BOXES)
@pytest.mark.parametrize("size", [0.5, 0.8, 1.1, 3.0])
def test_hard_contacts_in_a_box_are_those_of_the_distances(folded, name, size):
    """Of a molecule that touches its own images, and of one far from them, which needs none."""
    frames = put_into(folded[:5], BOXES[name] * size)
    maker = CAContacts(0.7, min_residues=1)
    found = featurize(frames, maker).values
    distances = featurize(frames, CADistances(1)).values
    assert np.array_equal(np.asarray(found), distances < 0.7)
    chunk = mdnb.load(frames).read(0, 0, 5)
    far = far_from_images(chunk.positions, maker._runs[0], chunk.images, 0.7)
    assert far if size == 3.0 else not far if size == 0.5 else True
    if far:
        assert np.array_equal(
            distances < 0.7, featurize(mdtraj.Trajectory(chunk.positions, frames.topology), maker).values
        )


@pytest.mark.parametrize("name", BOXES)
def test_features_of_nearest_images_are_those_of_mdtraj(folded, name):
    """Largest differences: distances 1e-6 nm, torsions 2e-5; the boxes are those in which mdtraj is right."""
    boxed = put_into(folded[:10], BOXES[name] * 1.5)
    made = mdnb.load(boxed, make_whole=False)
    distances = featurize(made, Distances("name CA or name N"))
    pairs = [column.atom_indices for column in distances.columns]
    assert np.abs(distances.values - mdtraj.compute_distances(boxed, pairs, periodic=True)).max() < 2e-6
    angles = featurize(made, Torsions(representation="angle"))
    expected = mdtraj.compute_dihedrals(boxed, [column.atom_indices for column in angles.columns], periodic=True)
    assert np.abs(np.angle(np.exp(1j * (angles.values - expected)))).max() < 1e-4
    both = featurize(made, "torsions").values
    assert np.allclose(both[:, ::2], np.sin(angles.values), atol=2e-5)
    hard, pairs = featurize(made, Contacts(width=0)).values, [(a, b) for a in range(10) for b in range(a + 3, 10)]
    closest = mdtraj.compute_contacts(boxed, pairs, scheme="closest-heavy", periodic=True)[0]
    assert (hard != (closest < 0.45))[np.abs(closest - 0.45) > 1e-5].sum() == 0


@pytest.mark.parametrize(
    "maker", [CADistances(), Contacts(), Torsions(), DistanceMap(), "hydrogen-bonds", "contact-map"]
)
def test_nearest_images_do_not_see_where_the_box_cuts(folded, maker):
    free = featurize(mdnb.load(folded[:10]), maker).values
    for name in ("cubic", "octahedron"):
        boxed = put_into(folded[:10], BOXES[name] * 2)
        for whole in (True, False):
            cut = featurize(mdnb.load(boxed, make_whole=whole), maker).values
            assert np.abs(cut - free).max() < 1e-3


# --- whole molecules ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BOXES)
def test_a_molecule_cut_by_the_box_has_the_rmsd_of_a_whole_one(folded, name):
    expected = featurize(mdnb.load(folded), "rmsd").values
    boxed = put_into(folded, BOXES[name])
    assert np.abs(featurize(mdnb.load(boxed), "rmsd").values - expected).max() < 1e-5
    assert np.abs(featurize(mdnb.load(boxed), "radius-of-gyration").values - featurize(
        mdnb.load(folded), "radius-of-gyration").values).max() < 1e-5  # fmt: skip
    assert featurize(mdnb.load(boxed, make_whole=False), "rmsd").values.max() > 3 * expected.max()
    assert expected.max() < 0.35


@pytest.mark.parametrize("name", BOXES)
def test_whole_molecules_are_those_of_mdtraj(folded, name):
    boxed = put_into(folded, BOXES[name])
    before = boxed.xyz.copy()
    found = everything(mdnb.load(boxed))["positions"]
    assert np.array_equal(boxed.xyz, before)  # the caller's array is left alone
    expected = boxed.make_molecules_whole(inplace=False)
    assert np.abs(found - expected.xyz).max() < 1e-5
    again = mdtraj.Trajectory(found, folded.topology)
    again.unitcell_vectors = boxed.unitcell_vectors
    assert everything(mdnb.load(again))["positions"].tobytes() == found.tobytes()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), name=st.sampled_from(sorted(BOXES)))
def test_shifting_atoms_by_box_vectors_changes_nothing(folded, seed, name):
    random, box = np.random.default_rng(seed), BOXES[name]
    part = put_into(folded[:3], box)
    expected = everything(mdnb.load(part))["positions"]
    shifts = random.integers(-2, 3, part.xyz.shape) @ box
    shifts[:, 0] = 0  # the first atom stays where it is
    moved = mdtraj.Trajectory((part.xyz + shifts).astype(np.float32), part.topology)
    moved.unitcell_vectors = part.unitcell_vectors
    assert np.abs(everything(mdnb.load(moved))["positions"] - expected).max() < 5e-6


@pytest.mark.parametrize("selection", ["name CA", "resid 2 to 6 and element H", "all", [5, 160]])
def test_bonds_through_atoms_that_are_not_selected_count(folded, selection, tmp_path):
    """Also from a file, whose atoms on the way are read with them; velocities and order stay right."""
    boxed = put_into(folded, BOXES["skewed"])
    boxed.save_xtc(str(tmp_path / "a.xtc"))
    boxed[0].save_pdb(str(tmp_path / "a.pdb"))
    chosen = np.arange(166) if selection == "all" else np.array(
        selection if isinstance(selection, list) else folded.topology.select(selection))  # fmt: skip
    expected = folded.xyz[:, chosen] - folded.xyz[:, chosen[:1]]
    for opened in (
        mdnb.load(boxed, selection=selection),
        mdnb.load(tmp_path / "a.xtc", top=tmp_path / "a.pdb", selection=selection),
    ):
        found = everything(opened, 7)["positions"]
        assert found.shape == (len(folded), len(chosen), 3)
        assert np.abs(found - found[:, :1] - expected).max() < 3e-3  # XTC has three decimals
        assert opened.frames([3, 1]).n_atoms == len(chosen)


def test_velocities_and_forces_keep_their_atoms(sample, folder, pdb):
    """They are read with the atoms on the way and thinned with the positions."""
    for make_whole in (True, False):
        opened = mdnb.load(folder / "a.trr", top=pdb, selection=[1, 4, 16], make_whole=make_whole)
        found = everything(opened)
        assert np.array_equal(found["velocities"], sample.velocities[:, [1, 4, 16]])
        assert np.array_equal(found["forces"], sample.forces[:, [1, 4, 16]])


def test_chains_are_brought_together_when_that_is_asked(folded):
    """Three chains side by side, the third beside the second only, and water that stays where it is."""
    frames, box = folded[:8], np.diag([4.0, 4.0, 9.0])
    three = frames
    for number in (1, 2):
        three = three.stack(mdtraj.Trajectory(frames.xyz + np.float32([0, 0, 2.2 * number]), frames.topology))
    water = mdtraj.Topology()
    residue = water.add_residue("HOH", water.add_chain())
    atoms = [water.add_atom(name, mdtraj.element.get_by_symbol(name[0]), residue) for name in ("O", "H1", "H2")]
    for other in atoms[1:]:
        water.add_bond(atoms[0], other)
    places = np.tile(np.float32([[1, 1, 8.9], [1.08, 1, 8.9], [1, 1.08, 8.9]]), (8, 1, 1))
    three = three.stack(mdtraj.Trajectory(places, water))
    boxed = put_into(three, box)
    boxed.xyz[:, 166:332] += np.float32([4, 0, -9])
    boxed.xyz[:, 332:498] -= np.float32([0, 8, 0])
    together = everything(mdnb.load(boxed, make_whole="together"))["positions"]
    chains, expected = together[:, :498], three.xyz[:, :498]
    assert np.abs((chains - chains[:, :1]) - (expected - expected[:, :1])).max() < 1e-5
    apart = everything(mdnb.load(boxed))["positions"]
    assert np.array_equal(apart[:, 498:], together[:, 498:])
    assert np.abs((apart[:, :498] - apart[:, :1]) - (expected - expected[:, :1])).max() > 3


def test_what_is_done_is_said(folded, sample):
    boxed = put_into(folded[:4], BOXES["cubic"])
    assert "periodic box, molecules made whole\n" in repr(mdnb.load(boxed))
    assert "made whole and brought together" in repr(mdnb.load(boxed, make_whole="together"))
    assert "periodic box, molecules as in the file" in repr(mdnb.load(boxed, make_whole=False))
    assert "box" not in repr(mdnb.load(folded[:4]))
    assert [mdnb.load(boxed, make_whole=one).recipe()["make_whole"] for one in (True, False, "together")] == [
        True, False, "together"
    ]  # fmt: skip
    assert mdnb.load(boxed, make_whole=False)[0].make_whole is False
    with pytest.raises(SpecError, match="make_whole = 'yes': expected True"):
        mdnb.load(boxed, make_whole="yes")


def test_a_topology_without_bonds(folded):
    """Those of standard residues are made; where there are none it is said."""
    bare = mdtraj.Topology()
    chain = bare.add_chain()
    strange = mdtraj.Topology()
    other = strange.add_residue("XYZ", strange.add_chain())
    for residue in folded.topology.residues:
        made = bare.add_residue(residue.name, chain, residue.resSeq)
        for atom in residue.atoms:
            bare.add_atom(atom.name, atom.element, made)
            strange.add_atom(atom.name, atom.element, other)
    boxed = put_into(folded[:4], BOXES["cubic"])
    expected = everything(mdnb.load(boxed))["positions"]
    known = mdnb.load(boxed, top=bare)
    assert np.abs(everything(known)["positions"] - expected)[:, 2:].max() < 1e-5
    unknown = mdnb.load(boxed, top=strange)
    assert r"molecules not made whole: the topology has no bonds; give a topology with bonds (PSF" in repr(unknown)
    assert np.array_equal(everything(unknown)["positions"], boxed.xyz)

"""Features kept small: hard contacts as bits beside float32 tables, and the kernels that fill them."""

import os

import mdtraj
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mdnb
from mdnb.errors import DataError
from mdnb.features import RMSD, CAContacts, CADistances, Contacts, Features, Torsions, featurize
from mdnb.features.columns import Column, JoinedColumns, PairColumns, name_given_twice
from mdnb.features.contact_kernels import contact_bits, smallest_square_beyond
from mdnb.features.distance_kernels import distance_runs, pair_distances
from mdnb.features.parts import Bits

MIXED = [Torsions(("phi", "psi")), CAContacts(0.7, 1), Contacts(0.45, 0, 2), RMSD()]


@pytest.fixture(scope="module")
def files(chignolin, tmp_path_factory):
    """Two XTC files of 60 and 25 frames."""
    folder = tmp_path_factory.mktemp("files")
    frames = chignolin.frames(range(85))
    frames[0].save_pdb(str(folder / "top.pdb"))
    frames[:60].save_xtc(str(folder / "a.xtc"))
    frames[60:].save_xtc(str(folder / "b.xtc"))
    return folder


@pytest.fixture
def opened(files):
    return mdnb.load(str(files / "*.xtc"), top=files / "top.pdb")


@given(st.integers(1, 40), st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_bits_are_the_table_they_were_made_of(n_columns, n_frames, seed):
    table = np.random.default_rng(seed).integers(0, 2, (n_frames, n_columns)).astype(np.uint8)
    bits = Bits(np.packbits(table, axis=1), n_columns)
    assert np.array_equal(bits.unpacked(), table)
    assert (bits.shape, len(bits), bits.nbytes) == (table.shape, n_frames, n_frames * -(-n_columns // 8))
    for number in range(n_columns):
        assert np.array_equal(bits.column(number), table[:, number])
    assert np.array_equal(bits[::2].unpacked(), table[::2])


def test_several_kinds_of_features_are_kept_apart_until_one_table_is_asked_for(opened):
    one_by_one = [featurize(opened, maker).values for maker in MIXED]
    made = featurize(opened, MIXED)
    assert [type(part) for part in made.parts] == [np.ndarray, Bits, np.ndarray]
    contacts = made.parts[1]
    assert contacts.n_columns == one_by_one[1].shape[1] + one_by_one[2].shape[1]
    assert contacts.nbytes == 85 * -(-contacts.n_columns // 8)
    assert (len(made), made.shape) == (85, (sum(table.shape[1] for table in one_by_one),))
    expected = np.concatenate(one_by_one, axis=1)
    for place in (0, 20, one_by_one[0].shape[1], len(made.columns) - 2, len(made.columns) - 1):
        assert np.array_equal(made.column(made.names[place]), expected[:, place])
    assert isinstance(made.parts[1], Bits)  # none of this unpacked it
    second = made.of_trajectories([1])
    assert isinstance(second.parts[1], Bits)
    assert np.array_equal(second.values, expected[60:])
    assert made.values.dtype == np.float32
    assert np.array_equal(made.values, expected)
    assert made.values is made.values
    assert made.parts[0] is made.values


@pytest.mark.parametrize("settings", [{"n_jobs": 3}, {"chunk_size": 7}, {"cache": True}, {"cache": True, "n_jobs": 2}])
def test_the_bits_are_the_same_however_they_are_made(opened, settings, tmp_path):
    if "cache" in settings:
        settings = {**settings, "cache": tmp_path}
    expected, made = featurize(opened, MIXED), featurize(opened, MIXED, **settings)
    assert np.array_equal(made.parts[1].packed, expected.parts[1].packed)
    assert made.values.tobytes() == expected.values.tobytes()
    if "cache" in settings:
        again = featurize(opened, MIXED, **settings)
        assert isinstance(again.parts[1].packed, np.memmap)
        assert again.values.tobytes() == expected.values.tobytes()


def test_hard_contacts_are_those_of_mdtrajs_distances(opened):
    frames = opened.frames(slice(None))
    contacts = featurize(opened, CAContacts(0.65, 2))
    pairs = [column.atom_indices for column in contacts.columns]
    expected = mdtraj.compute_distances(frames, pairs) < 0.65
    assert np.array_equal(contacts.values, expected)
    assert 0.05 < expected.mean() < 0.95
    assert contacts.columns[0].name == "contact TYR1-CA ASP3-CA"
    assert {column.unit for column in contacts.columns} == {""}
    nearest = np.array(featurize(opened, CADistances(2)).values)
    assert np.array_equal(contacts.values, nearest < np.float32(0.65))


def test_hard_contacts_over_the_border_of_the_box(sample):
    """The same atoms, one of them moved by a box vector."""
    moved = sample.positions.copy()
    moved[:, 9:] += sample.box[:, :1]
    frames = mdtraj.Trajectory(moved, sample.topology)
    frames.unitcell_vectors = sample.box
    frames = frames.atom_slice([4, 8, 14])
    for atom in frames.topology.atoms:
        atom.name = "CA"
    made = featurize(mdnb.load(frames), CAContacts(0.4, 1))
    expected = mdtraj.compute_distances(frames, [c.atom_indices for c in made.columns], periodic=True) < 0.4
    assert np.array_equal(made.values, expected)


@settings(max_examples=300)
@given(st.floats(1e-3, 50), st.floats(0.999999, 1.000001))
def test_comparing_squares_says_what_comparing_distances_says(cutoff, factor):
    beyond = smallest_square_beyond(cutoff)
    square = np.float32(np.float32(cutoff) ** 2 * np.float32(factor))
    assert (square < beyond) == (np.sqrt(square) < np.float32(cutoff))
    assert np.sqrt(beyond) >= np.float32(cutoff) > np.sqrt(np.nextafter(beyond, np.float32(0)))


@settings(max_examples=100, deadline=None)
@given(st.integers(3, 30), st.sampled_from(["ball", "line", "plane", "same", "mirror"]), st.integers(0, 2**32 - 1))
def test_rmsd_is_that_by_singular_values(n_atoms, shape, seed):
    """Also where the best superposition is not the only one."""
    random = np.random.default_rng(seed)
    start = random.normal(size=(n_atoms, 3))
    start[:, {"line": 1, "plane": 2}.get(shape, 3) :] = 0
    turned = start @ np.linalg.qr(random.normal(size=(3, 3)))[0]
    frames = turned + 5 + (0 if shape in ("same", "mirror") else 0.1) * random.normal(size=(4, n_atoms, 3))
    if shape == "mirror":
        frames = frames * [1, 1, -1]
    xyz = np.concatenate([start[None], frames]).astype(np.float32)
    topology = mdtraj.Topology()
    residue = topology.add_residue("UNL", topology.add_chain())
    for number in range(n_atoms):
        topology.add_atom(f"C{number}", mdtraj.element.carbon, residue)
    found = featurize(mdtraj.Trajectory(xyz, topology), RMSD("all")).values[:, 0]
    centred = xyz.astype(float) - xyz.astype(float).mean(1, keepdims=True)
    products = np.einsum("fia,ib->fab", centred, centred[0])
    singular = np.linalg.svd(products, compute_uv=False)
    overlap = singular[:, 0] + singular[:, 1] + np.sign(np.linalg.det(products)) * singular[:, 2]
    squares = (centred**2).sum((1, 2)) + (centred[0] ** 2).sum() - 2 * overlap
    expected = np.sqrt(np.maximum(squares, 0) / n_atoms)
    assert np.abs(found - expected).max() < 2e-6
    assert (found >= 0).all()


def test_rmsd_beside_mdtraj(chignolin):
    """The largest difference, 1e-5 nm, is that of mdtraj's single precision: see the test by singular values."""
    frames = chignolin.frames(range(0, 1000, 10))
    atoms = frames.topology.select("name CA")
    found = featurize(frames, RMSD("name CA")).values[:, 0]
    assert np.abs(found - mdtraj.rmsd(frames, frames, 0, atoms)).max() < 1e-5


def test_a_table_larger_than_memory_is_refused(opened, monkeypatch):
    made = featurize(opened, MIXED)
    monkeypatch.setattr(os, "sysconf", lambda name: 1)
    with pytest.raises(
        DataError, match=r"the features need .* GB, this machine has .*; Features.parts has them packed"
    ):
        made.values  # noqa: B018
    assert isinstance(made.parts[1], Bits)


def test_parts_that_do_not_fit_are_refused(opened):
    made = featurize(opened, MIXED)
    with pytest.raises(DataError, match=r"85 frames of \d+ numbers do not fit"):
        Features(**{**vars(made), "values": made.parts[:2]})


@settings(max_examples=60, deadline=None)
@given(n_atoms=st.integers(2, 90), skip=st.integers(1, 40), grid=st.booleans(), seed=st.integers(0, 2**32 - 1))
def test_bits_of_contacts_are_those_of_distances(n_atoms, skip, grid, seed):
    """Runs of any length, also where a distance is the cutoff to the last bit."""
    random = np.random.default_rng(seed)
    positions = random.uniform(0, 2, (3, n_atoms, 3)).astype(np.float32)
    if grid:
        positions = np.round(positions * 5) / np.float32(5)
    pairs = np.stack(np.triu_indices(n_atoms, 1), axis=1)[:: 1 + seed % 3]
    pairs = pairs[random.permutation(len(pairs))] if seed % 2 else pairs[skip - 1 :]
    if not len(pairs):
        return
    distances = np.empty((3, len(pairs)), np.float32)
    pair_distances(positions, pairs, distances)
    found = np.full((3, -(-len(pairs) // 8)), 255, np.uint8)
    contact_bits(positions, *distance_runs(pairs), smallest_square_beyond(0.8), found)
    assert found.tobytes() == np.packbits(distances < np.float32(0.8), axis=1).tobytes()


def test_columns_of_pairs_are_made_when_somebody_looks(opened):
    maker = CAContacts(0.7, 1)
    columns = featurize(opened, maker).columns
    assert isinstance(columns, tuple)
    assert list(maker.columns) == list(columns)
    assert (maker.columns[3], maker.columns[-1], maker.columns[2:4]) == (columns[3], columns[-1], columns[2:4])
    assert (len(maker.columns), maker.columns.names()) == (len(columns), [column.name for column in columns])
    made = featurize(opened, [maker, RMSD()])
    assert made.names == tuple(column.name for column in made.columns)
    with pytest.raises(DataError, match=r"the column 'contact .*' was asked for twice"):
        featurize(opened, [maker, CAContacts(0.6, 1)])


def test_names_that_occur_twice_are_found_without_making_those_of_pairs():
    labels = [f"ALA{number}-CA" for number in range(5)]
    some, others = (
        PairColumns("contact", "", np.array(pairs), labels) for pairs in ([[0, 1], [1, 2]], [[2, 4], [0, 3]])
    )
    assert name_given_twice(some) is None
    assert name_given_twice(JoinedColumns([some, others])) is None
    assert name_given_twice(JoinedColumns([some, others, some])) == "contact ALA0-CA ALA1-CA"
    assert name_given_twice(PairColumns("contact", "", np.array([[0, 1], [1, 0], [0, 1]]), labels)) == (
        "contact ALA0-CA ALA1-CA"
    )
    same_labels = PairColumns("contact", "", np.array([[0, 1], [0, 2]]), ["a", "b", "b"])
    assert name_given_twice(same_labels) == "contact a b"
    own = (Column("contact ALA1-CA ALA2-CA", "", (1, 2)),)
    assert name_given_twice(JoinedColumns([some, own])) == "contact ALA1-CA ALA2-CA"
    assert name_given_twice(JoinedColumns([others, own])) is None
    assert name_given_twice((Column("rmsd", "nm", ()), Column("rmsd", "nm", ()))) == "rmsd"

"""Targets: known values of the built-in ones, labels from arrays, and what is refused."""

import mdtraj
import numpy as np
import pytest

import mdnb
from mdnb.errors import DataError, SpecError
from mdnb.targets import TARGETS, Target, make_target


@pytest.fixture(scope="module")
def features(alanine):
    return mdnb.featurize(alanine, "torsions")


@pytest.fixture(scope="module")
def exact(alanine):
    return alanine.frames(slice(None))


def test_basin(features, exact):
    target = make_target(features, "basin")
    phi = np.degrees(mdtraj.compute_phi(exact)[1][:, 0])
    psi = np.degrees(mdtraj.compute_psi(exact)[1][:, 0])
    assert target.classes == ("extended", "right-handed", "left-handed")
    assert target.is_class
    assert np.array_equal(target.values == 2, phi > 0)
    assert np.array_equal(target.values == 1, (phi <= 0) & (psi > -120) & (psi < 50))
    assert sum(target.counts().values()) == 6000
    assert min(target.counts().values()) > 30
    assert np.array_equal(make_target(features, "basin:ALA2").values, target.values)


def test_basin_of_a_residue(chignolin):
    features = mdnb.featurize(chignolin[0], "torsions")
    with pytest.raises(DataError, match=r"needs a residue: 'basin:TYR2', or one of TYR2, ASP3, PRO4, GLU5, THR6, GLY7"):
        make_target(features, "basin")
    with pytest.raises(SpecError, match="unknown residue with phi and psi 'GLY8': did you mean 'GLY7'"):
        make_target(features, "basin:GLY8")
    values = make_target(features, "basin:GLY7").values
    frames = chignolin[0].frames(slice(None))
    indices, phi = mdtraj.compute_phi(frames)
    (glycine,) = [i for i, row in enumerate(indices) if frames.topology.atom(row[2]).residue.name == "GLY"]
    assert np.array_equal(values == 2, phi[:, glycine] > 0)


def test_basin_needs_a_backbone(exact):
    methyl = exact.atom_slice(range(6))
    loaded = mdnb.load(methyl[:5])
    with pytest.raises(DataError, match="the target 'basin' needs a residue with phi and psi; this topology has none"):
        make_target(mdnb.featurize(loaded, "positions"), "basin")


def test_basin_does_not_see_the_box(sample):
    wrapped = mdtraj.Trajectory(sample.positions % 3.0, sample.topology)
    wrapped.unitcell_vectors = np.tile(3 * np.eye(3), (len(sample), 1, 1))
    labels = [
        make_target(mdnb.featurize(one, "torsions"), "basin").values
        for one in (wrapped, mdtraj.Trajectory(sample.positions, sample.topology))
    ]
    assert np.array_equal(*labels)


def test_end_to_end_distance(features, exact, chignolin):
    target = make_target(features, "end-to-end-distance")
    heavy = exact.topology.select("element != H")
    expected = mdtraj.compute_distances(exact, [[heavy[0], heavy[-1]]])[:, 0]
    assert np.allclose(target.values, expected, atol=1e-6)
    assert (target.unit, target.is_class) == ("nm", False)
    frames = chignolin[0].frames(slice(None))
    ca = frames.topology.select("name CA")
    target = make_target(mdnb.featurize(chignolin[0]), "end-to-end-distance")
    assert np.allclose(target.values, mdtraj.compute_distances(frames, [[ca[0], ca[-1]]])[:, 0], atol=1e-6)


def test_potential_energy(features, alanine):
    target = make_target(features, "potential-energy")
    assert target.unit == "kJ/mol"
    assert np.array_equal(target.values, alanine.observable("potential_energy"))
    in_memory = mdnb.featurize(alanine.frames([0, 1]))
    with pytest.raises(DataError, match=r"in memory: it holds no potential_energy \(it has: none\); give the values"):
        make_target(in_memory, "potential-energy")


def test_native_contacts(chignolin):
    """After Best, Hummer and Eaton, as mdtraj's own example writes it."""
    frames = chignolin[:2].frames(slice(None))
    native = frames[0]
    heavy = native.topology.select("element != H")
    pairs = np.array(
        [
            (i, j)
            for i in heavy
            for j in heavy
            if native.topology.atom(j).residue.index - native.topology.atom(i).residue.index > 3
        ]
    )
    near = mdtraj.compute_distances(native, pairs)[0] < 0.45
    start = mdtraj.compute_distances(native, pairs[near])
    far = 50 * (mdtraj.compute_distances(frames, pairs[near]) - 1.8 * start)
    q = (1 - 0.5 * (1 + np.tanh(far / 2))).mean(1)  # 1 / (1 + exp(far)), without overflow
    features = mdnb.featurize(chignolin[:2], "torsions")
    assert np.allclose(make_target(features, "native-contacts").values, q, atol=1e-5)
    assert np.array_equal(make_target(features, "folded").values, (q > 0.5).astype(int))
    assert q[0] > 0.95


def test_native_contacts_need_a_chain(features):
    with pytest.raises(DataError, match="native contacts need residues more than 3 apart; this molecule is too short"):
        make_target(features, "folded")


def test_part_of_the_trajectories(features):
    whole = make_target(features, "basin")
    part = features.of_trajectories([1])
    assert np.array_equal(make_target(part, "basin").values, whole.values[3000:])


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (np.arange(6000) % 3, ("0", "1", "2")),
        (np.arange(6000) % 2 == 0, ("False", "True")),
        (np.array(["open", "shut"])[np.arange(6000) % 2], ("open", "shut")),
        (5 + np.arange(6000) % 2, ("5", "6")),
        (np.linspace(0, 1, 6000), ()),
    ],
)
def test_labels_from_an_array(features, labels, classes):
    target = make_target(features, labels)
    assert target.classes == classes
    if classes:
        assert [classes[number] for number in target.values] == [str(label) for label in labels]
    else:
        assert np.array_equal(target.values, labels)
    assert make_target(features, target) is target


def test_refusals(features):
    with pytest.raises(SpecError, match="unknown target 'bassin': did you mean 'basin'"):
        make_target(features, "bassin")
    with pytest.raises(DataError, match=r"the target 'label' has the shape \(10,\), expected one label for each of"):
        make_target(features, np.arange(10))
    with pytest.raises(DataError, match=r"has the shape \(6000, 1\), expected one label"):
        make_target(features, np.zeros((6000, 1)))
    with pytest.raises(DataError, match="the target 'label' holds NaN or infinity; leave those frames out"):
        make_target(features, np.full(6000, np.nan))
    with pytest.raises(DataError, match="the target is an array of complex128, expected numbers or text"):
        make_target(features, np.zeros(6000, complex))


def test_rmsd(features, exact):
    for name, frame in (("rmsd", 0), ("rmsd:250", 250)):
        heavy = exact.topology.select("element != H")
        expected = mdtraj.rmsd(exact, exact, frame, atom_indices=heavy)
        target = make_target(features, name)
        assert np.allclose(target.values, expected, atol=2e-5)
        assert (target.unit, target.is_class) == ("nm", False)
    assert make_target(features, "rmsd:250").name == "RMSD from frame 250"


def test_a_feature_as_target(features, exact):
    target = make_target(features, "radius-of-gyration")
    masses = np.array([atom.element.mass for atom in exact.topology.atoms])
    centred = exact.xyz - np.average(exact.xyz, axis=1, weights=masses)[:, None]
    expected = np.sqrt(np.average((centred**2).sum(2), axis=1, weights=masses))
    assert np.allclose(target.values, expected, atol=1e-5)
    assert (target.name, target.unit) == ("radius of gyration", "nm")
    assert np.allclose(
        make_target(features, "torsions:cos psi ALA2").values, features.column("cos psi ALA2"), atol=1e-6
    )
    forces = make_target(features, "forces:force ALA2-CA x")
    assert np.allclose(forces.values, mdnb.featurize(features.source, "forces").column("force ALA2-CA x"), atol=1e-3)


def test_groups_of_a_target(features):
    labels = Target("half", np.arange(6000) % 2, ("a", "b"), groups=np.arange(6000) // 3000)
    assert make_target(features, labels) is labels
    wrong = Target("half", labels.values, ("a", "b"), groups=np.arange(10))
    with pytest.raises(DataError, match=r"the groups of the target 'half' have the shape \(10,\), expected one number"):
        make_target(features, wrong)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("rmsd:x", "the target 'rmsd:x' needs a whole number of at least 0, as in 'rmsd:0'"),
        ("end-to-end-distance:3", "the target 'end-to-end-distance' takes nothing after a colon, got '3'"),
        ("potential-energy:3", "the target 'potential-energy' takes nothing after a colon, got '3'"),
        ("torsions", "'torsions' has 4 columns, a target is one: give its name, such as 'torsions:sin phi ALA2'"),
        ("torsions:sin fi ALA2", "unknown column of 'torsions' 'sin fi ALA2': did you mean 'sin psi ALA2'"),
        ("torsion", "unknown target 'torsion': did you mean 'torsions'"),
        (np.zeros(2), r"has the shape \(2,\), .*; one for each trajectory is given as a dictionary"),
        ("rmsd:6000", "frame 6000 does not exist"),
    ],
)
def test_more_refusals(features, target, message):
    with pytest.raises((SpecError, DataError), match=message):
        make_target(features, target)


def test_every_target_is_tested():
    assert set(TARGETS) == {
        *("basin", "end-to-end-distance", "potential-energy", "folded", "native-contacts", "rmsd"),
        *("clusters", "metastable"),  # in test_target_states.py
        "observable",  # in test_databases.py
    }
    assert Target("x", np.array([0, 1, 1]), ("a", "b", "c")).counts() == {"a": 1, "b": 2, "c": 0}

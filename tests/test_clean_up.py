"""Structures are moved into the geometry that the checks allow, and no farther."""

from functools import cache

import mdtraj
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mdnb
from mdnb.errors import DataError
from mdnb.features.internal import InternalCoordinates
from mdnb.generation.checks import Limits, check_structures
from mdnb.generation.clean_up import clean_up, displacement

#: What has to pass after clean-up.
SHARES = {"alanine-dipeptide": 0.99, "chignolin": 0.95}


@cache
def system(name):
    """Return limits of most replicas, and frames of the last one."""
    everything = mdnb.example(name)
    train = everything.n_frames - everything.lengths[-1]
    known = np.linspace(0, train - 1, 3000).astype(int)
    own = np.linspace(train, everything.n_frames - 1, 100).astype(int)
    return Limits.measure(everything.frames(known)), everything.frames(own)


def changed(structures, positions):
    return mdtraj.Trajectory(positions.astype(np.float32), structures.topology)


def shaken(structures, noise, seed=0):
    return changed(structures, structures.xyz + np.random.default_rng(seed).normal(0, noise, structures.xyz.shape))


def valid(structures, limits, without=()):
    found = check_structures(structures, limits)
    return np.logical_and.reduce([passed for name, passed in found.items() if name not in without])


@pytest.mark.parametrize("name", SHARES)
@pytest.mark.parametrize("noise", [0.01, 0.03])
def test_shaken_frames_come_back(name, noise):
    limits, real = system(name)
    broken = shaken(real, noise)
    assert valid(broken, limits).mean() < 0.05
    mended = clean_up(broken, limits)
    assert valid(mended, limits).mean() >= SHARES[name]
    moved = displacement(broken, mended)
    assert 0 < moved.mean() < 1.5 * noise * np.sqrt(3)


@pytest.mark.parametrize("name", SHARES)
def test_frames_with_noise_on_their_torsions_come_back(name):
    """Turned torsions bring whole arms into each other."""
    limits, real = system(name)
    coordinates = InternalCoordinates()
    coordinates.prepare(real.topology, real.xyz[0])
    values = mdnb.featurize(mdnb.load(real), "internal-coordinates").values
    torsions = np.array([column.name.startswith(("sin", "cos", "improper")) for column in coordinates.columns])
    noise = np.random.default_rng(0).normal(0, 0.3, values.shape) * torsions
    broken = changed(real, coordinates.rebuild(values + noise))
    assert valid(broken, limits).mean() < 0.8
    assert valid(clean_up(broken, limits), limits).mean() >= SHARES[name]


@pytest.mark.parametrize("name", SHARES)
def test_mirrored_molecules_get_their_hand_back(name):
    limits, real = system(name)
    mirrored = changed(real, real.xyz * np.array([1, 1, -1]))
    assert not check_structures(mirrored, limits)["chirality"].any()
    # Phi and psi stay those of the mirror image, which an L-amino acid hardly has: that is for its check to mark.
    assert valid(clean_up(mirrored, limits), limits, ["Ramachandran"]).mean() >= SHARES[name]


def test_a_hand_is_mended_without_hydrogens():
    everything = mdnb.example("alanine-dipeptide").frames(slice(None, None, 20))
    heavy = everything.atom_slice(everything.topology.select("element != H"))
    limits = Limits.measure(heavy)
    mirrored = changed(heavy, heavy.xyz * np.array([1, 1, -1]))
    assert valid(clean_up(mirrored, limits), limits, ["Ramachandran"]).mean() >= 0.99


def test_frames_that_pass_stay_as_they_are():
    limits, real = system("chignolin")
    passed = valid(real, limits)
    assert passed.mean() > 0.9
    assert np.array_equal(clean_up(real, limits).xyz[passed], real.xyz[passed])


def test_each_structure_is_mended_on_its_own_and_always_alike():
    limits, real = system("chignolin")
    broken = shaken(real[:6], 0.02)
    before = broken.xyz.copy()
    together = clean_up(broken, limits)
    assert np.array_equal(broken.xyz, before)
    assert np.array_equal(clean_up(broken, limits).xyz, together.xyz)
    assert np.array_equal(clean_up(broken[4], limits).xyz, together.xyz[4:5])


@settings(max_examples=20, deadline=None)
@given(
    quaternion=st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1),
    shift=st.tuples(*[st.floats(-3, 3)] * 3),
    seed=st.integers(0, 1000),
)
def test_it_does_not_depend_on_place_and_direction(quaternion, shift, seed):
    limits, real = system("alanine-dipeptide")
    broken = shaken(real[:10], 0.01, seed)
    w, x, y, z = np.array(quaternion) / np.linalg.norm(quaternion)
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    turned = clean_up(changed(broken, broken.xyz @ rotation + shift), limits)
    expected = clean_up(broken, limits).xyz @ rotation + shift
    assert np.abs(turned.xyz - expected).max() < 1e-4


def test_what_is_no_number_is_left_for_the_check():
    limits, real = system("alanine-dipeptide")
    broken = shaken(real[:3], 0.01)
    broken.xyz[1, 4] = np.nan
    mended = clean_up(broken, limits)
    assert np.array_equal(mended.xyz[1], broken.xyz[1], equal_nan=True)
    assert valid(mended, limits).tolist() == [True, False, True]


def test_atoms_on_one_point_stay_finite():
    limits, real = system("alanine-dipeptide")
    mended = clean_up(changed(real[:2], np.zeros_like(real.xyz[:2])), limits)
    assert np.isfinite(mended.xyz).all()
    assert not valid(mended, limits).any()


def test_displacement_by_hand():
    _, real = system("alanine-dipeptide")
    moved = real.xyz[:2].copy()
    moved[1, 0] += np.array([0.3, 0.4, 0.0])
    assert displacement(real[:2], changed(real, moved)) == pytest.approx([0, 0.5 / np.sqrt(22)], abs=1e-6)


def test_clear_errors():
    limits, real = system("alanine-dipeptide")
    with pytest.raises(DataError, match="limits have 21 bonds and the structures 171"):
        clean_up(system("chignolin")[1][:1], limits)
    with pytest.raises(DataError, match="n_steps = 0: expected the largest number of passes"):
        clean_up(real, limits, n_steps=0)

"""Targets by clustering: known states are found again, in the same order each time."""

from dataclasses import replace

import mdtraj
import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

import mdnb
from mdnb.errors import DataError, SpecError
from mdnb.features.base import Column, Features
from mdnb.targets import make_target

CENTRES = np.array([[0.0, 0.0, 5.0], [4.0, 0.0, 5.0], [0.0, 300.0, 5.0]])
STAY = np.array([[0.98, 0.01, 0.01], [0.02, 0.98, 0.0], [0.05, 0.0, 0.95]])


def hopping(seed: int = 0, n_frames: int = 2000, n_trajectories: int = 3) -> tuple[Features, np.ndarray]:
    """Return features that hop between three places by a Markov chain, and the place of each frame."""
    rng = np.random.default_rng(seed)
    places = np.zeros((n_trajectories, n_frames), int)
    for row in places:
        row[0] = rng.integers(3)
        for frame in range(1, n_frames):
            row[frame] = rng.choice(3, p=STAY[row[frame - 1]])
    state = places.ravel()
    values = (CENTRES[state] + rng.normal(size=(len(state), 3)) * [0.5, 40, 0]).astype(np.float32)
    return of_values(values, n_trajectories), state


def of_values(values: np.ndarray, n_trajectories: int = 1) -> Features:
    topology = mdtraj.Topology()
    atom = topology.add_atom("X", mdtraj.element.carbon, topology.add_residue("X", topology.add_chain()))
    assert atom.index == 0
    parts = [
        mdtraj.Trajectory(np.zeros((len(part), 1, 3), np.float32), topology, time=2.0 * np.arange(len(part)))
        for part in np.array_split(values, n_trajectories)
    ]
    source = mdnb.load(parts)
    number = np.repeat(np.arange(n_trajectories), source.lengths)
    columns = tuple(Column(f"x{i}", "nm", (0,)) for i in range(values.shape[1]))
    return Features(values, columns, number, np.zeros(len(values)), ("feature",), ("test",), source)


@pytest.fixture(scope="module")
def known():
    return hopping()


@pytest.mark.parametrize("name", ["clusters:3", "metastable:3", "metastable:3:5", "metastable:3:10ps"])
def test_known_states_are_found(known, name):
    features, state = known
    target = make_target(features, name)
    assert adjusted_rand_score(state, target.values) > 0.97
    counts = list(target.counts().values())
    assert counts == sorted(counts, reverse=True)
    assert target.classes == tuple(f"{'cluster' if name[0] == 'c' else 'state'} {i}" for i in (1, 2, 3))
    assert np.array_equal(make_target(features, name).values, target.values)


def test_clusters_of_scaled_columns_are_the_same(known):
    features, _ = known
    scaled = replace(features, values=features.values * np.float32([1e-3, 1e3, 1]) + np.float32([5, 0, 0]))
    assert (
        adjusted_rand_score(make_target(features, "clusters:3").values, make_target(scaled, "clusters:3").values) == 1
    )


def test_metastable_states_of_alanine_dipeptide():
    """At 2 ps the three states are the Ramachandran basins, which k-means on the torsions does not find."""
    features = mdnb.featurize(mdnb.example("alanine-dipeptide"), "torsions")
    basin = make_target(features, "basin").values
    slow = make_target(features, "metastable:3").values
    assert np.mean(slow == basin) > 0.95  # both count from the most populated one
    assert (
        adjusted_rand_score(basin, slow) > 0.85 > adjusted_rand_score(basin, make_target(features, "clusters:3").values)
    )
    with pytest.raises(
        DataError, match="there are no 3 metastable states at a lag of 25 frames: the 2 slowest processes"
    ):
        make_target(features, "metastable:3:50ps")


def test_metastable_ignores_what_is_populated_but_fast():
    """A column that jumps at random between two places has clusters and no states."""
    rng = np.random.default_rng(0)
    _, slow = hopping(n_trajectories=2)
    fast = rng.integers(2, size=len(slow))
    values = np.stack([0.5 * (slow == 1) + 0.05 * rng.normal(size=len(slow)), 9.0 * fast], axis=1)
    features = of_values(values.astype(np.float32), 2)
    assert adjusted_rand_score(fast, make_target(features, "clusters:2").values) > 0.99
    assert adjusted_rand_score(slow == 1, make_target(features, "metastable:2").values) > 0.97


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("clusters", "the target 'clusters:' needs a whole number of at least 2, as in 'clusters:2'"),
        ("clusters:1", "needs a whole number of at least 2"),
        ("metastable:x", "needs a whole number of at least 2"),
        ("metastable:2:0", "the lag '0' is none: expected frames, as in 'metastable:3:10', or a time"),
        ("metastable:2:1.5", "the lag '1.5' is none"),
        ("metastable:2:5h", "the lag '5h' is none"),
        ("metastable:2:1fs", "the lag of 1fs is shorter than the 2 ps between frames"),
        ("metastable:2:3000", "the lag of 3000 frames is too long for trajectories of at most 2000 frames; .*:2:200'"),
        ("metastable:99", "microstates are connected at a lag of .*, too few for 99 states|there are no 99 metastable"),
    ],
)
def test_refusals(known, name, message):
    with pytest.raises((SpecError, DataError), match=message):
        make_target(known[0], name)


def test_too_little_variety():
    flat = of_values(np.ones((500, 2), np.float32))
    for name in ("clusters:2", "metastable:2"):
        with pytest.raises(DataError, match="the features do not vary: there are no states to find"):
            make_target(flat, name)
    with pytest.raises(DataError, match="3 frames cannot be parted into 4 clusters"):
        make_target(of_values(np.arange(6, dtype=np.float32).reshape(3, 2)), "clusters:4")


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")  # scikit-learn's own word for it
def test_fewer_places_than_clusters():
    two = of_values(np.repeat(np.float32([[0, 0], [1, 1]]), 50, axis=0))
    with pytest.raises(DataError, match="the target 'clusters:3' finds only 2 different states; ask for fewer"):
        make_target(two, "clusters:3")

"""Several molecules in one table: a property of each, learned and judged on molecules that were held out."""

from functools import cache

import numpy as np
import pytest

import mdnb
from mdnb.errors import DataError


@cache
def molecules() -> tuple[mdnb.Features, ...]:
    """Return features of pieces of chignolin, which are molecules of different sizes, in two trajectories each."""
    whole = mdnb.example("chignolin")
    found = []
    for last in range(2, 10):
        frames = [whole.frames(np.arange(start, start + 30)) for start in (0, 400)]
        pieces = [one.atom_slice(one.topology.select(f"resid 0 to {last}")) for one in frames]
        found.append(mdnb.featurize(mdnb.load(pieces), ["radius-of-gyration"]))
    return tuple(found)


def test_rows_names_and_lengths_are_those_of_the_parts():
    joined = mdnb.join(molecules())
    assert len(joined) == 8 * 60
    assert len(joined.source) == 16
    assert len(set(joined.source.names)) == 16
    assert joined.trajectory.tolist() == np.repeat(np.arange(16), 30).tolist()
    assert np.array_equal(joined.values[60:120], molecules()[1].values)
    assert joined.columns[0].atom_indices == ()
    assert joined.source.frames([61, 75]).n_atoms == molecules()[1].source.n_atoms
    with pytest.raises(DataError, match="the frames are of 2 molecules, which no one trajectory can hold"):
        joined.source.frames([0, 61])


def test_a_property_of_molecules_is_learned_and_judged_on_other_molecules():
    joined = mdnb.join(molecules())
    sizes = {name: float(number // 2) for number, name in enumerate(joined.source.names)}
    target = mdnb.targets.Target(
        "size", np.array([sizes[joined.source.names[i]] for i in joined.trajectory]), groups=joined.trajectory // 2
    )
    run = mdnb.fit(joined, target, mdnb.CNN(channels=8, dropout=0.0), mdnb.Training(epochs=40, batch_size=32))
    assert run.split["description"] == "by molecule: 5 train, 1 validate, 2 test"
    assert run.scores["mean absolute error"].value < 2
    window = mdnb.Window(length=30, per="trajectory")
    per_trajectory = mdnb.fit(joined, target, "CNN", mdnb.Training(epochs=5), window=window)
    assert per_trajectory.predict(joined).shape == (16,)


def test_columns_must_be_the_same():
    whole = mdnb.example("chignolin")
    other = mdnb.featurize(whole.frames(np.arange(5)), "torsions")
    with pytest.raises(
        DataError, match=r"have not the columns of the first \(.* are of one only\); join features that do"
    ):
        mdnb.join([molecules()[0], other])


@pytest.mark.parametrize("given", [[], ["torsions"]])
def test_no_features(given):
    with pytest.raises(DataError, match="expected the features of at least one molecule"):
        mdnb.join(given)


def test_a_target_of_one_molecule_is_refused():
    with pytest.raises(DataError, match="the target 'basin' is computed from one molecule"):
        mdnb.fit(mdnb.join(molecules()), "basin", mdnb.CNN())

"""Ensembles on real data: their errors are calibrated, they go on after a crash, and come back from disk the same."""

import json

import numpy as np
import pytest
from learning_fixtures import features, weights

import mdnb
from mdnb.errors import DataError, SpecError
from mdnb.training.ensembles import _moments

TRAINING = mdnb.Training(epochs=4, batch_size=64, learning_rate=5e-3, seed=1)
SPEC = mdnb.MLP(hidden=16)


def train(**options) -> mdnb.Ensemble:
    return mdnb.ensemble(features(), "end-to-end-distance", SPEC, TRAINING, **{"members": 3, **options})


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ensemble") / "out"
    return train(out=folder), folder


def same(one: mdnb.Ensemble, other: mdnb.Ensemble) -> bool:
    pairs = zip(one.runs, other.runs, strict=True)
    return (one.width_factor, one.scores, one.single) == (other.width_factor, other.scores, other.single) and all(
        np.array_equal(mine[name], value)
        for a, b in pairs
        for mine in [weights(a)]
        for name, value in weights(b).items()
    )


def test_members_differ_by_their_seed_and_share_the_split(trained):
    runs = trained[0].runs
    assert [run.training.seed for run in runs] == [1, 2, 3]
    assert all(np.array_equal(run.test_frames, runs[0].test_frames) for run in runs)
    assert len({str(run.history) for run in runs}) == 3


def test_the_moments_are_those_of_draws():
    means, errors = np.array([[0.0], [1.0], [5.0]]), np.array([[1.0], [0.5], [2.0]])
    draws = np.random.default_rng(0).normal(means, errors, (3, 200_000))
    mean, error = _moments(means, errors)
    assert mean == pytest.approx(draws.mean(), abs=0.02)
    assert error == pytest.approx(draws.std(), abs=0.02)


def test_its_errors_are_calibrated_and_it_is_no_worse_than_one(trained):
    made = trained[0]
    data, run = features(), made.runs[0]
    assert 0.9 < made.scores["within 95% interval"].value < 0.99
    assert made.scores["mean absolute error"].value <= made.single["mean absolute error"]
    assert made.scores["log likelihood"].value >= made.single["log likelihood"]
    assert "of one member" in repr(made)
    means, errors = (np.array([getattr(one, what)(data) for one in made.runs]) for what in ("predict", "errors"))
    assert np.allclose(made.predict(data), means.mean(0))
    assert np.allclose(made.disagreement(data), means.std(0))
    assert np.allclose(made.errors(data) ** 2, made.width_factor**2 * ((errors**2).mean(0) + means.var(0)))
    assert run.samples(data).frames.shape[0] == len(made.errors(data))


def test_it_comes_back_from_disk_the_same(trained, tmp_path):
    made, folder = trained
    assert same(mdnb.Ensemble.load(folder), made)
    again = mdnb.Ensemble.load(made.save(tmp_path / "copy"))
    assert np.array_equal(again.errors(features()), made.errors(features()))


def test_it_goes_on_after_a_crash_to_the_same_weights(trained, tmp_path):
    class Killed(Exception):
        pass

    rows = []

    def die(row):
        rows.append(row)
        if len(rows) == TRAINING.epochs + 1:  # in the second member
            raise Killed

    with pytest.raises(Killed):
        train(out=tmp_path / "e", callback=die)
    with pytest.raises(DataError, match=r"has no ensemble\.json; give the folder of a whole ensemble, or repeat"):
        mdnb.Ensemble.load(tmp_path / "e")
    assert (tmp_path / "e" / "member-1.training").exists()
    again = []
    made = train(out=tmp_path / "e", callback=lambda row: again.append(row["epoch"]))
    assert again == [2, 3, 4, 1, 2, 3, 4]  # the first is taken as it is, the second goes on
    assert same(made, trained[0])


def test_what_is_no_ensemble_is_refused(trained, tmp_path):
    with pytest.raises(SpecError, match="members = 1: expected a whole number of at least 2"):
        train(members=1)
    with pytest.raises(SpecError, match="for a target that is a number"):
        mdnb.ensemble(features(), "basin", SPEC, TRAINING)
    (tmp_path / "thesis.txt").write_text("")
    with pytest.raises(DataError, match=r"holds other things than this ensemble \(thesis\.txt\)"):
        train(out=tmp_path)
    with pytest.raises(DataError, match="is a file; give the folder of an ensemble"):
        trained[0].save(tmp_path / "thesis.txt")
    folder = trained[0].save(tmp_path / "e")
    trained[0].runs[1].save(folder / "member-0")
    with pytest.raises(DataError, match=r"holds other members than ensemble\.json says"):
        mdnb.Ensemble.load(folder)
    (folder / "ensemble.json").write_text(json.dumps({"members": []}))
    with pytest.raises(DataError, match=r"ensemble\.json is damaged"):
        mdnb.Ensemble.load(folder)

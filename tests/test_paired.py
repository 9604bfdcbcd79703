"""mdnb.compare: models on the held-out frames they share; and a label that needs time."""

from dataclasses import replace

import numpy as np
import pytest
from learning_fixtures import FAST, features

import mdnb
from mdnb.errors import DataError
from mdnb.features import Distances

SMALL = mdnb.MLP(hidden=16)


def trained(length: int = 1, **options) -> mdnb.Run:
    return mdnb.fit(
        features(), "basin", SMALL, mdnb.Training(epochs=2, **{**FAST, **options}), window=mdnb.Window(length=length)
    )


def test_of_one_run_it_is_the_run_s_own_score():
    run = trained()
    assert mdnb.compare({"MLP": run}, features(), "basin")["MLP"] == run.scores


def test_a_number_is_scored_in_its_unit():
    run = mdnb.fit(features(), "end-to-end-distance", SMALL, mdnb.Training(epochs=2, **FAST))
    assert mdnb.compare({"MLP": run}, features(), "end-to-end-distance")["MLP"] == run.scores


def test_windows_of_other_lengths_are_judged_on_the_frames_that_both_have():
    """By hand: the accuracy of each on the last frames of the longer windows."""
    models = {"one": trained(), "three": trained(3)}
    found = mdnb.compare(models, features(), "basin")
    labels = mdnb.targets.make_target(features(), "basin").values
    tested = np.isin(features().trajectory, models["one"].split["test"]["trajectories"])
    first = np.diff(features().trajectory, prepend=-1) != 0
    late = tested & ~first & ~np.roll(first, 1)
    for name, run in models.items():
        predicted = np.full(len(labels), -1)
        predicted[run.samples(features()).frames[:, -1]] = run.predict(features())
        assert found[name]["accuracy"].value == pytest.approx((predicted == labels)[late].mean(), abs=1e-12)
    gap = found["three"]["accuracy"].minus(found["one"]["accuracy"])
    assert gap.low <= gap.value <= gap.high
    same = found["one"]["accuracy"].minus(found["one"]["accuracy"])
    assert (same.low, same.value, same.high) == (0, 0, 0)


def test_of_a_cross_validation_every_frame_counts_once():
    training = mdnb.Training(epochs=1, **FAST)
    folds = mdnb.cross_validate(features(), "basin", SMALL, training, folds=4)
    scored = mdnb.compare({"folds": folds}, features(), "basin")["folds"]["accuracy"].value
    each = [(run.scores["accuracy"].value, run.split["test"]["n_samples"]) for run in folds.runs]
    assert sum(n for _, n in each) == len(features())
    assert scored == pytest.approx(sum(value * n for value, n in each) / len(features()), abs=1e-12)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(DataError, match="no model to compare"):
        mdnb.compare({}, features(), "basin")
    slow = mdnb.fit(features(), spec=SMALL, training=mdnb.Training(epochs=1), objective=mdnb.SlowModes(20.0, 1))
    with pytest.raises(DataError, match="'slow' predicts no label"):
        mdnb.compare({"slow": slow}, features(), "basin")
    folds = {str(n): trained(folds=4, fold=n) for n in (0, 1)}
    with pytest.raises(DataError, match="no test frame in common; train them with the same split_seed"):
        mdnb.compare(folds, features(), "basin")
    run, made = trained(), mdnb.targets.make_target(features(), "basin")
    with pytest.raises(DataError, match="not the labels"):
        mdnb.compare({"MLP": run}, features(), replace(made, values=np.zeros_like(made.values)))


def test_the_future_state_needs_time_where_the_features_hide_part_of_the_state():
    """Of the length of the hydrogen bond alone a window tells more than its last frame, beyond chance."""
    trajectories = mdnb.example("alanine-dipeptide")
    pair = [int(trajectories.topology.select(f"resname {one}")[0]) for one in ("ACE and name O", "NME and name H")]
    bond = mdnb.featurize(trajectories, [Distances(pairs=[pair])])
    training = mdnb.Training(epochs=5, threads=1, balanced=True)
    models = {
        name: mdnb.cross_validate(bond, "basin", spec, training, folds=4, window=mdnb.Window(length=length, horizon=1))
        for name, spec, length in (
            ("CNN", mdnb.CNN(channels=16), 1),
            ("RNN", mdnb.RNN(hidden=32), 10),
            ("CNN+RNN", mdnb.CNNRNN(channels=8, hidden=32), 10),
        )
    }
    scores = mdnb.compare(models, bond, "basin")
    for name in ("RNN", "CNN+RNN"):
        gap = scores[name]["balanced accuracy"].minus(scores["CNN"]["balanced accuracy"])
        assert gap.low > 0, gap
        assert gap.value > 0.015, gap

"""The baselines see exactly what the network sees, and are what scikit-learn makes of it."""

from dataclasses import replace

import numpy as np
import pytest
from learning_fixtures import features, fit_family, trained, trajectories
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.preprocessing import StandardScaler

import mdnb
from mdnb.datasets import make_samples
from mdnb.errors import DataError
from mdnb.scores import verdict
from mdnb.targets import make_target


def parts(run, data, labels):
    """Return the inputs and labels of the training and the test trajectories, by hand."""
    result = []
    for part in ("train", "test"):
        rows = np.isin(data.trajectory, run.split[part]["trajectories"])
        result += [data.flat()[rows], labels[rows]]
    return result


def test_logistic_regression_is_that_of_sklearn():
    run, data = trained("CNN"), features()
    models = mdnb.baselines(run, data, "basin")
    assert list(models) == ["majority class", "logistic regression", "CNN"]
    assert models["CNN"] == run.scores
    x, labels, test_x, test_labels = parts(run, data, make_target(data, "basin").values)
    scaler = StandardScaler().fit(x)
    guess = LogisticRegression(max_iter=5000).fit(scaler.transform(x), labels).predict(scaler.transform(test_x))
    found = models["logistic regression"]["balanced accuracy"].value
    assert found == pytest.approx(balanced_accuracy_score(test_labels, guess), abs=0.003)
    most = np.bincount(labels).argmax()
    assert models["majority class"]["accuracy"].value == pytest.approx((test_labels == most).mean())
    assert models["majority class"]["balanced accuracy"].value == pytest.approx(1 / 3)


def test_it_is_as_good_as_the_truth_where_the_truth_is_linear():
    data = features()
    labels = (data.column("cos phi ALA2") + data.column("sin psi ALA2") > 0.3).astype(int)
    run = fit_family("CNN", target=labels, epochs=1)
    models = mdnb.baselines(run, data, labels)
    assert models["logistic regression"]["accuracy"].value > 0.98
    assert "does not beat the best baseline, logistic regression" in verdict(models)


def test_windows_are_seen_whole():
    """A label that only the first frame of a window tells is found by the linear model too."""
    data = features()
    past = np.roll((data.column("cos phi ALA2") > 0.5).astype(int), 3)
    run = fit_family("RNN", target=past, epochs=1, window=mdnb.Window(length=4))
    assert mdnb.baselines(run, data, past)["logistic regression"]["accuracy"].value > 0.97


def test_real_target():
    data = features()
    truth = 3 + 2 * data.column("sin psi ALA2").astype(float)
    run = fit_family("CNN", target=truth, epochs=1)
    models = mdnb.baselines(run, data, truth)
    assert list(models) == ["mean", "ridge regression", "CNN"]
    assert models["ridge regression"]["R2"].value > 0.999
    assert models["mean"]["R2"].value < 0.01


def test_labels_with_a_large_offset_keep_their_digits():
    """Total energies in eV differ by hundredths of 100,000, which is below the digits of single precision."""
    data = features()
    near = 0.02 * data.column("sin psi ALA2").astype(float)
    runs = [fit_family("CNN", target=label) for label in (near, near - 1e5)]
    found = [mdnb.baselines(run, data, label) for run, label in zip(runs, (near, near - 1e5), strict=True)]
    for model in ("CNN", "ridge regression"):
        small, large = (one[model]["R2"].value for one in found)
        assert small > 0.9
        assert large == pytest.approx(small, abs=1e-3)
    small, large = (run.predict(data) for run in runs)
    assert large + 1e5 == pytest.approx(small, abs=1e-4)
    small, large = (mdnb.explain(run, data, n=4, output=0) for run in runs)
    assert large.prediction + 1e5 == pytest.approx(small.prediction, abs=1e-4)
    assert large.values == pytest.approx(small.values, abs=1e-4)


def test_balanced_weights_hold_for_both():
    data = features()
    rng = np.random.default_rng(0)
    rare = (data.column("cos phi ALA2") + 0.5 * rng.normal(size=len(data)) > 1.1).astype(int)
    found = []
    for balanced in (False, True):
        run = mdnb.fit(data, rare, "CNN", mdnb.Training(epochs=1, balanced=balanced))
        found.append(mdnb.baselines(run, data, rare)["logistic regression"]["balanced accuracy"].value)
    assert found[1] > found[0] + 0.1


def test_a_loaded_run_gives_the_same(tmp_path):
    run = trained("CNN")
    assert mdnb.baselines(mdnb.Run.load(run.save(tmp_path / "run")), features(), "basin") == mdnb.baselines(
        run, features(), "basin"
    )


def test_test_samples_are_the_runs_own():
    data = features()
    window = mdnb.Window(length=3, stride=7, horizon=2)
    run = fit_family("RNN", epochs=1, window=window)
    samples = make_samples(data, make_target(data, "basin"), window)
    held_out = np.isin(samples.trajectory, run.split["test"]["trajectories"])
    assert run.split["test"]["n_samples"] == held_out.sum()
    truth = samples.labels[held_out]
    own = run.outputs(data, samples.frames[held_out]).argmax(1)
    assert mdnb.baselines(run, data, "basin")["RNN"]["accuracy"].value == pytest.approx((own == truth).mean())


def test_other_trajectories_are_refused():
    with pytest.raises(DataError, match="not the features that the CNN was trained on"):
        mdnb.baselines(trained("CNN"), mdnb.featurize(trajectories()[:4]), "basin")


def test_another_target_is_refused():
    with pytest.raises(DataError, match="was trained on 'basin of ALA2', got the target 'label'"):
        mdnb.baselines(trained("CNN"), features(), make_target(features(), "basin").values)
    other = replace(make_target(features(), "basin"), classes=("a", "b", "c"))
    with pytest.raises(DataError, match="got the target"):
        mdnb.baselines(trained("CNN"), features(), other)


def test_other_labels_are_refused():
    data = features()
    run = mdnb.fit(data, data.trajectory % 2, "CNN", mdnb.Training(epochs=1))
    with pytest.raises(DataError, match="not the labels that the CNN was trained on"):
        mdnb.baselines(run, data, 1 - data.trajectory % 2)

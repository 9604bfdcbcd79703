"""Scores against scikit-learn, and intervals against what they claim."""

import re

import numpy as np
import pytest
from sklearn import metrics

import mdnb
from mdnb.scores import class_scores, real_scores, verdict


def correlated(rng, n_trajectories, n_frames, lag):
    """Return stationary, autocorrelated standard normals, (n_trajectories, n_frames)."""
    keep = np.exp(-1 / lag)
    noise = rng.normal(size=(n_frames, n_trajectories)) * np.sqrt(1 - keep**2)
    values = np.empty((n_frames, n_trajectories))
    values[0] = rng.normal(size=n_trajectories)
    for frame in range(1, n_frames):
        values[frame] = keep * values[frame - 1] + noise[frame]
    return values.T


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_class_scores_are_those_of_sklearn(n_classes):
    rng = np.random.default_rng(n_classes)
    labels = rng.choice(n_classes, size=500, p=np.arange(1, n_classes + 1) / np.arange(1, n_classes + 1).sum())
    predicted = np.where(rng.random(500) < 0.7, labels, rng.integers(0, n_classes, 500))
    scores = class_scores(labels, predicted, np.zeros(500, int))
    assert scores["accuracy"].value == pytest.approx(metrics.accuracy_score(labels, predicted))
    assert scores["balanced accuracy"].value == pytest.approx(metrics.balanced_accuracy_score(labels, predicted))


def test_a_class_that_the_test_part_lacks_does_not_count():
    labels, predicted = np.array([0, 0, 1, 1] * 10), np.array([0, 2, 1, 1] * 10)
    assert class_scores(labels, predicted, np.zeros(40, int))["balanced accuracy"].value == pytest.approx(0.75)


def test_real_scores_are_those_of_sklearn():
    rng = np.random.default_rng(0)
    labels = rng.normal(size=400) * 3 + 50
    predicted = labels + rng.normal(size=400)
    scores = real_scores(labels, predicted, np.repeat([0, 1], 200))
    assert scores["R2"].value == pytest.approx(metrics.r2_score(labels, predicted))
    assert scores["mean absolute error"].value == pytest.approx(metrics.mean_absolute_error(labels, predicted))


def test_the_mean_has_no_r2():
    labels = np.random.default_rng(0).normal(size=100)
    assert real_scores(labels, np.full(100, labels.mean()), np.zeros(100, int))["R2"].value == pytest.approx(0)


@pytest.mark.parametrize("n_trajectories", [1, 2, 4, 30])
def test_intervals_hold_the_truth_although_errors_are_correlated(n_trajectories):
    """Errors last 20 frames: taking frames as independent would hold the truth in far fewer cases."""
    rng = np.random.default_rng(n_trajectories)
    n_frames = 4000 // n_trajectories
    trajectory = np.repeat(np.arange(n_trajectories), n_frames)
    held, naive, n_draws = 0, 0, 120
    for _ in range(n_draws):
        wrong = (correlated(rng, n_trajectories, n_frames, 20) > 0.8416).ravel()  # one in five
        score = class_scores(np.zeros(len(wrong), int), wrong.astype(int), trajectory)["accuracy"]
        held += score.low <= 0.8 <= score.high
        naive += abs(score.value - 0.8) <= 1.96 * np.sqrt(0.16 / len(wrong))
    assert held / n_draws >= 0.85
    assert naive / n_draws < 0.75
    assert held > naive


def test_intervals_are_the_same_each_time_and_hold_the_value():
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, 2, 300), rng.integers(0, 2, 300)
    one, other = (class_scores(labels, predicted, np.zeros(300, int)) for _ in range(2))
    assert one == other
    assert all(score.low <= score.value <= score.high for score in one.values())


@pytest.mark.parametrize("n", [1, 2, 7])
def test_few_samples(n):
    score = class_scores(np.zeros(n, int), np.zeros(n, int), np.zeros(n, int))["accuracy"]
    assert score.value == 1
    # One block tells nothing about the spread, and beats nobody.
    assert (score.low, score.high) == (1, 1) if n > 1 else np.isnan([score.low, score.high]).all()


LABELS = np.random.default_rng(0).integers(0, 2, 2000)
WHERE = np.repeat([0, 1], 1000)


def guesses(right, seed):
    """Return the scores of predictions of which that share is right, chance hits included."""
    rng = np.random.default_rng(seed)
    return class_scores(LABELS, np.where(rng.random(2000) < right, LABELS, 1 - LABELS), WHERE)


class TestVerdict:
    def test_it_wins(self):
        text = verdict({"majority class": guesses(0.5, 0), "linear": guesses(0.7, 1), "CNN": guesses(0.9, 2)})
        assert re.match(
            r"accuracy: the CNN \(0\.\d{3}\) beats the best baseline, linear \(0\.7\d\d\); "
            r"difference \+0\.\d{3} \[\+0\.\d{3}, \+0\.\d{3}\]\.",
            text,
        )

    def test_it_loses(self):
        text = verdict({"majority class": guesses(0.5, 0), "linear": guesses(0.9, 1), "CNN": guesses(0.7, 2)})
        assert "does not beat the best baseline, linear" in text

    def test_a_tie_is_no_win(self):
        assert "does not beat" in verdict({"mean": guesses(0.5, 1), "RNN": guesses(0.5, 1)})

    def test_a_lead_within_chance_is_said(self):
        ahead = sorted([guesses(0.8, 1), guesses(0.8, 4)], key=lambda one: one["accuracy"].value)
        assert "is ahead of, but not beyond chance, the best baseline" in verdict({"a": ahead[0], "RNN": ahead[1]})

    def test_a_small_sure_lead_beats_although_the_intervals_overlap(self):
        """Both miss the same hard samples; one misses a few more: the paired difference is sure."""
        rng = np.random.default_rng(3)
        hard = rng.random(2000) < 0.2
        first, second = (np.where(hard | (rng.random(2000) < more), 1 - LABELS, LABELS) for more in (0.012, 0.0))
        scores = [class_scores(LABELS, guess, WHERE)["accuracy"] for guess in (first, second)]
        assert scores[0].high > scores[1].low
        assert "beats the best baseline" in verdict({"a": {"accuracy": scores[0]}, "b": {"accuracy": scores[1]}})

    def test_equally_good_models_seldom_beat_each_other(self):
        rng = np.random.default_rng(0)
        trajectory, truth, n_draws = np.repeat([0, 1], 2000), np.zeros(4000, int), 100
        claims = 0
        for _ in range(n_draws):
            models = {
                name: class_scores(truth, (correlated(rng, 2, 2000, 20) > 0.8416).ravel().astype(int), trajectory)
                for name in ("linear", "CNN")
            }
            claims += verdict(models).count("accuracy: the CNN") and " beats " in verdict(models).splitlines()[0]
        assert claims / n_draws <= 0.1

    def test_scores_of_a_loaded_run_can_be_judged(self, tmp_path):
        from learning_fixtures import features, trained

        run = trained("CNN")
        loaded = mdnb.Run.load(run.save(tmp_path / "run"))
        assert verdict(mdnb.baselines(loaded, features(), "basin")) == verdict(mdnb.baselines(run, features(), "basin"))

    def test_a_small_error_wins(self):
        rng = np.random.default_rng(0)
        truth = rng.normal(size=2000)
        models = {
            name: real_scores(truth, truth + size * rng.normal(size=2000), WHERE)
            for name, size in {"mean": 3, "ridge": 2, "CNN": 1}.items()
        }
        assert "mean absolute error: the CNN (0.8" in verdict(models)
        assert "does not beat" not in verdict(models)
        models["CNN"] = real_scores(truth, truth + 2.5 * rng.normal(size=2000), WHERE)
        assert verdict(models).count("does not beat the best baseline, ridge") == 2

    def test_one_line_for_each_metric(self):
        assert len(verdict({"mean": guesses(0.6, 0), "CNN": guesses(0.7, 1)}).splitlines()) == 2


def test_a_rare_class_does_not_stretch_the_interval():
    """Draws without the class do not count, so the majority class scores 1/3 in each, and none scores above 1."""
    labels = np.repeat([0, 1, 2], [495, 500, 5])
    where = np.zeros(1000, int)
    majority = class_scores(labels, np.ones(1000, int), where)["balanced accuracy"]
    assert (majority.low, majority.value, majority.high) == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    perfect = class_scores(labels, labels, where)
    assert all(score.low == score.value == score.high == 1 for score in perfect.values())


def test_a_constant_label_has_no_r2():
    assert np.isnan(real_scores(np.ones(100), np.ones(100), np.zeros(100, int))["R2"].value)

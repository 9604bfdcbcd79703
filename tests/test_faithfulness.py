"""Whether the checks of an explanation tell a good one from a bad one."""

import copy
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from learning_fixtures import family_features, features, fit_family, trained

import mdnb
from mdnb.errors import DataError, SpecError
from mdnb.explanation.background import k_medoids
from mdnb.explanation.summary import summarize


@cache
def good():
    return mdnb.explain(fit_family("CNN", epochs=15), features(), n=40)


def test_a_good_explanation_passes():
    checked = good().faithfulness()
    assert checked.better_than_chance
    assert checked.warnings == ()
    assert 0 < checked.gain[1] < checked.gain[0] < checked.gain[2]
    assert checked.seeds > 0.8 > checked.random_weights
    assert "above a random order" in repr(checked)
    assert checked.verdict()[0] in repr(good())  # it is beside the numbers once it was made
    assert good().faithfulness() is checked


def test_the_curves():
    checked = good().faithfulness()
    for curve in checked.curves.values():
        assert curve.share[[0, -1]].tolist() == [0, 1]
        assert curve.insertion[[0, -1]] == pytest.approx([0, 1], abs=1e-6)
        assert curve.deletion[[0, -1]] == pytest.approx([1, 0], abs=1e-6)
    own, chance = checked.curves["explanation"], checked.curves["random order"]
    assert own.insertion.mean() > chance.insertion.mean()
    assert own.deletion.mean() < chance.deletion.mean()


def test_the_reverse_order_is_worse_than_chance():
    wrong = replace(good(), values=-good().values, _checked={})
    checked = wrong.faithfulness()
    assert checked.gain[2] < 0
    assert checked.warnings[0].startswith("WARNING: the explanation is no better than chance")
    assert repr(checked).splitlines()[1].strip().startswith("WARNING")


def test_noise_is_no_better_than_chance():
    noise = np.random.default_rng(0).normal(size=good().values.shape)
    checked = replace(good(), values=noise, _checked={}).faithfulness()
    assert not checked.better_than_chance
    assert any("another background gives another explanation" in one for one in checked.warnings)


def test_an_explanation_of_the_data_alone_is_caught():
    """The same for any weights: how far each input is from the mean."""
    from mdnb.explanation.methods import METHODS

    def far(problem):
        return np.abs((problem.x - problem.background.mean(0)).numpy())

    METHODS["far"] = far
    try:
        explanation = mdnb.explain(fit_family("CNN", epochs=15), features(), n=40, method="far")
        checked = explanation.faithfulness()
    finally:
        del METHODS["far"]
    assert checked.random_weights == pytest.approx(1)
    assert any("shuffled weights is explained nearly alike" in one for one in checked.warnings)
    assert "far misses additivity by" in explanation.notes[0]


def test_weights_are_left_alone():
    run = trained("CNN")
    before = copy.deepcopy(run.model.state_dict())
    mdnb.explain(run, features(), n=10).faithfulness(n=5)
    assert all(torch.equal(value, run.model.state_dict()[name]) for name, value in before.items())


def test_other_runs():
    others = [fit_family("CNN", epochs=10, seed=seed) for seed in (1, 2)]
    checked = good().faithfulness(runs=others)
    assert len(checked.runs) == 2
    assert min(checked.runs) > 0.5
    assert "with other runs" in repr(checked)
    with pytest.raises(DataError, match="was trained on frames of shape"):
        good().faithfulness(runs=[fit_family("CNN", data=features("positions"), epochs=1)])


def test_in_one_call_and_retrained():
    run = trained("CNN")
    checked = mdnb.faithfulness(run, features(), retrain=1, target="basin", n=10)
    assert len(checked.runs) == 1
    with pytest.raises(SpecError, match="to retrain this CNN its target is needed"):
        mdnb.faithfulness(run, features(), retrain=1)


@pytest.mark.parametrize("family", ["RNN", "CNNRNN", "VAE", "GAN"])
def test_every_family(family):
    checked = mdnb.explain(trained(family), family_features(family), n=20).faithfulness(n=10)
    assert checked.better_than_chance
    assert np.isfinite([*checked.gain, checked.random_weights, checked.seeds]).all()


def test_groups_are_checked_as_groups():
    checked = mdnb.explain(trained("RNN"), features(), n=10, by="time", method="exact").faithfulness()
    assert checked.players == "time"
    assert len(checked.curves["explanation"].share) == 5


def test_nothing_to_order():
    explanation = mdnb.explain(trained("CNN"), features(), n=3, by="residue", method="exact")
    with pytest.raises(DataError, match="there is one input only"):
        explanation.faithfulness()
    with pytest.raises(DataError, match="does not know its model any more"):
        replace(good(), problem=None, _checked={}).faithfulness()


# --- the background --------------------------------------------------------------------------------------------------


def test_k_medoids_finds_clusters():
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0], [10, 0], [0, 10]])
    sizes = [50, 30, 20]
    points = np.concatenate([centre + rng.normal(size=(n, 2)) for centre, n in zip(centres, sizes, strict=True)])
    chosen, weights = k_medoids(points, 3, seed=0)
    order = np.argsort(-weights)
    assert weights[order] == pytest.approx([0.5, 0.3, 0.2])
    assert np.abs(points[chosen[order]] - centres).max() < 1.5


def test_medoids_are_a_background():
    run, data = trained("CNN"), features()
    explanation = mdnb.explain(run, data, background="k-medoids", n_background=12)
    assert explanation.background.startswith("12 medoids of 5 training trajectories, weighted by their clusters")
    assert explanation.additivity_error() <= 0.01
    assert explanation.problem.weights.sum() == pytest.approx(1)
    even = mdnb.explain(run, data, n_background=400)
    assert explanation.base_value == pytest.approx(even.base_value, abs=0.25 * np.ptp(even.prediction))
    with pytest.raises(SpecError, match="unknown background 'medoids': did you mean 'k-medoids'"):
        mdnb.explain(run, data, background="medoids")
    with pytest.raises(SpecError, match="n_background = 0"):
        mdnb.explain(run, data, n_background=0)


@pytest.mark.parametrize("way", ["stratified", "k-medoids"])
def test_what_is_explained_is_never_the_background(way):
    run, data = trained("RNN"), features()
    inside = np.flatnonzero(run.in_part(data, run.samples(data).frames, "train"))
    ends = run.samples(data).frames[inside[::50], -1]
    explanation = mdnb.explain(run, data, frames=ends, background=way, n_background=30)
    shared = {row.tobytes() for row in explanation.problem.x.numpy()} & {
        row.tobytes() for row in explanation.problem.background.numpy()
    }
    assert not shared


def test_nothing_left_for_a_background():
    run = trained("CNN")
    data = features().of_trajectories([0])
    with pytest.raises(DataError, match="there are no windows left for the background: all are explained"):
        mdnb.explain(run, data, frames=np.arange(len(data)))


# --- summaries -------------------------------------------------------------------------------------------------------


def test_intervals_are_of_trajectories_not_of_frames():
    """Frames of one trajectory are alike: the interval is as wide as few independent cases make it."""
    rng = np.random.default_rng(0)
    level = np.repeat(rng.normal(5, 1, 8), 200)
    numbers = np.repeat(np.arange(8), 200)
    summary = summarize("feature", ("a",), level[:, None], numbers)
    assert summary.n_trajectories == 8
    assert summary.importance[0] == pytest.approx(np.abs(level).mean())
    true_error = level.std() / np.sqrt(8)
    assert 1.0 * true_error < (summary.high - summary.low)[0] / 2 < 3.5 * true_error


def test_the_interval_holds_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(200):
        values = np.repeat(rng.normal(3, 1, 20), 5) + 0.1 * rng.normal(size=100)
        summary = summarize("feature", ("a",), values[:, None], np.repeat(np.arange(20), 5))
        inside.append(summary.low[0] <= 3 <= summary.high[0])
    assert 0.9 <= np.mean(inside) <= 0.99


def test_summary_of_an_explanation():
    summary = good().summary("feature")
    assert dict(zip(summary.names, summary.importance, strict=True)) == pytest.approx(good().by_feature())
    assert summary.top(1) == [next(iter(good().by_feature()))]
    assert (summary.low <= summary.importance).all()
    assert (summary.importance <= summary.high).all()
    assert f"[{summary.low[0]:.4g}, " in repr(summary)
    assert "<td>phi ALA2</td>" in summary._repr_html_()

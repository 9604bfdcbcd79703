"""The fit loop: what stops it, what it saves on the way, and that the test part never has a say."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from learning_fixtures import (
    FAST,
    families,
    family_features,
    family_spec,
    features,
    fit_family,
    same_weights,
    trained,
    weights,
)

import mdnb
from mdnb.datasets import make_samples, split_samples
from mdnb.errors import DataError, SpecError, TrainingError
from mdnb.models.base import Predictor
from mdnb.models.gan import GANModel
from mdnb.models.objectives.labels import ClassHead
from mdnb.specs import spec_class
from mdnb.targets import Target, make_target

FAMILIES = families()
LINEAR = mdnb.CNN(channels=4, layers=1, hidden=8)


def single() -> mdnb.Features:
    """Return features of one trajectory only, as `featurize` would give them."""
    return mdnb.featurize(features(stride=5).source[:1])


# --- what cannot be trained ------------------------------------------------------------------------------------------


def test_unknown_family():
    with pytest.raises(SpecError, match=r"unknown model 'CMN': did you mean 'CNN'\?"):
        mdnb.fit(features(), "basin", "CMN")


def test_something_that_is_no_model():
    with pytest.raises(SpecError, match=r"expected for example mdnb\.CNN\(\)"):
        mdnb.fit(features(), "basin", 3)


def test_target_given_to_a_vae():
    """It is the condition then."""
    run = mdnb.fit(features(), "basin", family_spec("VAE"), mdnb.Training(epochs=1))
    assert (run.task.kind, run.task.n_outputs, run.target.name) == ("class", 3, "basin of ALA2")


def test_nan_in_the_features():
    values = features().values.copy()
    values[7, 1] = np.nan
    with pytest.raises(DataError, match="features of frame 7 hold NaN"):
        mdnb.fit(replace(features(), values=values), "basin", LINEAR)


@pytest.mark.parametrize(("n", "others"), [(1, ""), (3, r" \(and 2 more\)")])
def test_a_feature_that_is_nan_in_all_frames_is_named(n, others):
    values = features().values.copy()
    values[:, 1 : 1 + n] = np.nan
    name = features().names[1]
    with pytest.raises(DataError, match=f"the feature '{name}'{others} is NaN or infinite in all frames; leave it out"):
        mdnb.fit(replace(features(), values=values), "basin", LINEAR)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"window": 5}, r"got 5 as the window, expected for example mdnb\.Window\(length=5\)"),
        ({"window": 0}, r"got 0 as the window"),
        ({"training": {"epochs": 2}}, r"got \{'epochs': 2\} as the training, expected for example mdnb\.Training\("),
        ({"training": {}}, r"got \{\} as the training"),
    ],
)
def test_a_window_or_a_training_that_is_none(options, sentence):
    with pytest.raises(SpecError, match=sentence):
        mdnb.fit(features(), "basin", LINEAR, **options)


@pytest.mark.parametrize("labels", [np.zeros(3), np.zeros((3, 2)), np.zeros(3, complex)])
def test_labels_that_do_not_fit(labels):
    with pytest.raises(DataError, match=r"the target"):
        mdnb.fit(features(), labels, LINEAR)


def test_nan_label():
    with pytest.raises(DataError, match="NaN or infinity"):
        mdnb.fit(features(), np.full(len(features()), np.nan), LINEAR)


def test_one_class_only():
    with pytest.raises(TrainingError, match="all training samples are '4'"):
        mdnb.fit(features(), np.full(len(features()), 4), LINEAR)


def test_window_longer_than_a_trajectory():
    with pytest.raises(DataError, match="no trajectory has the 1001 frames"):
        mdnb.fit(features(), "basin", mdnb.RNN(), window=mdnb.Window(length=1000, horizon=1))


# --- what stops it ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["CNN", "GAN"])
def test_nan_loss_keeps_the_last_good_state(family, tmp_path, monkeypatch):
    owner = {"CNN": Predictor, "GAN": GANModel}[family]
    right, epochs = owner.losses, []

    def wrong(self, batch, group):
        terms = right(self, batch, group)
        return {name: value * float("nan") for name, value in terms.items()} if len(epochs) == 2 else terms

    monkeypatch.setattr(owner, "losses", wrong)
    with pytest.raises(TrainingError, match=r"not a number in epoch 3: lower learning_rate \(it is 0.005\)") as caught:
        fit_family(family, out=tmp_path / "run", callback=lambda row: epochs.append(row) or False)
    assert str(tmp_path / "run") in str(caught.value)
    loaded = mdnb.Run.load(tmp_path / "run")
    assert 1 <= len(loaded.history) <= 2
    assert all(torch.isfinite(value).all() for value in loaded.model.state_dict().values())
    monkeypatch.undo()
    assert np.isfinite(loaded.outputs(family_features(family), np.arange(5)[:, None])).all()


def test_a_loss_that_is_not_a_number_from_the_start_promises_no_saved_state(tmp_path, monkeypatch):
    monkeypatch.setattr(Predictor, "losses", lambda self, batch, group: {"loss": self.score(batch.x).sum() * np.nan})
    with pytest.raises(TrainingError, match="in epoch 1") as caught:
        fit_family("CNN", out=tmp_path / "run")
    assert "last good state" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_validation_loss_that_is_not_a_number_is_an_error(monkeypatch):
    """Else no epoch would count as better and the untrained weights would come back."""
    right = ClassHead.losses

    def wrong(self, encoder, batch):
        loss = right(self, encoder, batch)["loss"]
        return {"loss": loss if self.training else loss * float("nan")}

    monkeypatch.setattr(ClassHead, "losses", wrong)
    with pytest.raises(TrainingError, match="not a number in epoch 1"):
        fit_family("CNN")


@pytest.mark.parametrize("family", FAMILIES)
def test_keyboard_interrupt_returns_what_was_learned(family, tmp_path):
    def callback(row):
        if row["epoch"] == 3:
            raise KeyboardInterrupt

    run = fit_family(family, epochs=50, callback=callback, out=tmp_path / "run")
    assert len(run.history) == 3
    assert run.provenance["interrupted"]
    assert not same_weights(run, fit_family(family, epochs=50, callback=lambda row: True))
    assert same_weights(run, mdnb.Run.load(tmp_path / "run"))
    assert bool(run.scores) == (family != "GAN")


@pytest.mark.parametrize("moment", ["mdnb.training.fitting.evaluate", "mdnb.models.base.Predictor.finish"])
@pytest.mark.parametrize("saved", [False, True])
def test_keyboard_interrupt_while_it_is_judged_keeps_what_was_learned(moment, saved, tmp_path, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    options = {"target": None, "objective": mdnb.SlowModes(lag_time=20.0, modes=1)}
    whole = fit_family("CNN", epochs=3, **options)
    with monkeypatch.context() as patched:
        patched.setattr(moment, interrupted)
        run = fit_family("CNN", epochs=3, out=tmp_path / "run" if saved else None, **options)
    assert run.provenance["interrupted"]
    assert run.scores == {}
    assert run.history == whole.history
    assert np.array_equal(weights(run)["head.linear.weight"], weights(whole)["head.linear.weight"])
    if "finish" in moment:
        with pytest.raises(DataError, match="what is fitted at the end is missing"):
            run.encode(features())
    else:
        assert np.array_equal(run.encode(features()), whole.encode(features()))
    if saved:
        assert mdnb.Run.load(tmp_path / "run").provenance["interrupted"]
        again = mdnb.resume(tmp_path / "run")
        assert same_weights(again, whole)
        assert again.scores == whole.scores
        assert not {"interrupted", "unfinished"} & again.provenance.keys()


def test_what_trains_several_passes_the_keyboard_interrupt_on(monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("mdnb.training.fitting.evaluate", interrupted)
    short = mdnb.Training(epochs=1, **FAST)
    with pytest.raises(KeyboardInterrupt):
        mdnb.cross_validate(features(), "basin", LINEAR, short, folds=2)
    with pytest.raises(KeyboardInterrupt):
        mdnb.lag_scan(features(), LINEAR, [20.0], short)


def test_keyboard_interrupt_before_the_first_epoch_is_passed_on(monkeypatch):
    def interrupted(self, batch, group):
        raise KeyboardInterrupt

    monkeypatch.setattr(Predictor, "losses", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit_family("CNN")


@pytest.mark.parametrize("family", FAMILIES)
def test_callback_stops_it(family):
    rows = []

    def callback(row):
        rows.append(row)
        return len(rows) == 2

    run = fit_family(family, epochs=9, callback=callback)
    assert run.history == rows
    assert len(rows) == 2
    assert "interrupted" not in run.provenance


def test_it_stops_without_a_better_validation_loss_and_keeps_the_best():
    training = mdnb.Training(epochs=200, patience=3, batch_size=64, learning_rate=0.05)
    rng = np.random.default_rng(0)
    run = mdnb.fit(features(), rng.integers(0, 2, len(features())), LINEAR, training)  # nothing to be learned
    losses = [row["validation_loss"] for row in run.history]
    assert len(losses) < 200
    assert np.argmin(losses) == len(losses) - 4


def test_the_weights_are_those_of_the_least_validation_loss(tmp_path):
    run = fit_family("CNN", epochs=8, out=tmp_path / "run")
    data = family_features("CNN")
    made = make_target(data, "basin")
    samples = make_samples(data, made, run.window)
    split = split_samples(samples, mdnb.Training(test=0.25, validation=0.125, seed=0))
    chosen = run.outputs(data, samples.frames[split.validation])
    labels = samples.labels[split.validation]
    loss = -np.log(chosen[np.arange(len(labels)), labels]).mean()
    assert loss == pytest.approx(min(row["validation_loss"] for row in run.history), rel=1e-4)


# --- out -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_out_is_loadable_while_it_trains(family, tmp_path, monkeypatch):
    monkeypatch.setattr("mdnb.training.loop.SAVE_EVERY", 0)
    lengths = []

    def callback(row):
        lengths.append(len(mdnb.Run.load(tmp_path / "deep" / "run").history))

    run = fit_family(family, epochs=3, out=tmp_path / "deep" / "run", callback=callback)
    assert lengths[0] == 1
    assert lengths == sorted(lengths)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["run"], "a temporary folder was left"
    assert len(mdnb.Run.load(tmp_path / "deep" / "run").history) == len(run.history)


def test_out_that_holds_other_files_is_refused_before_training(tmp_path):
    (tmp_path / "thesis.tex").write_text("do not delete")
    with pytest.raises(DataError, match=r"holds other things than a run \(thesis.tex\)"):
        fit_family("CNN", out=tmp_path, callback=lambda row: pytest.fail("it trained"))
    assert (tmp_path / "thesis.tex").read_text() == "do not delete"


# --- the split -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_test_trajectories_never_influence_training(family):
    data = family_features(family)
    run = trained(family)
    values = data.values.copy()
    held_out = np.isin(data.trajectory, run.split["test"]["trajectories"])
    assert 0.1 < held_out.mean() < 0.4
    values[held_out] = values[held_out][::-1] * 3 + 100
    target = make_target(data, "basin") if run.spec.supervised else None
    if target is not None:
        target = replace(target, values=np.where(held_out, 0, target.values))
    other = fit_family(family, data=replace(data, values=values), target=target)
    assert same_weights(run, other)
    assert run.history == other.history
    assert np.array_equal(run.scaler.mean, other.scaler.mean)
    assert np.array_equal(run.scaler.scale, other.scaler.scale)
    if run.scores:
        assert run.scores != other.scores


def test_validation_trajectories_do_not_enter_the_scaler():
    run, data = trained("CNN"), features()
    own = np.isin(data.trajectory, run.split["train"]["trajectories"])
    assert run.scaler.mean == pytest.approx(data.values[own].mean(0), abs=1e-5)
    parts = [set(run.split[name]["trajectories"]) for name in ("train", "validation", "test")]
    assert sum(map(len, parts)) == len(set().union(*parts)) == 8


@pytest.mark.parametrize("length", [1, 5])
@pytest.mark.parametrize("horizon", [0, 3])
@pytest.mark.parametrize("n_trajectories", [1, 2, 5])
def test_no_frame_or_label_is_in_two_parts(length, horizon, n_trajectories):
    data = mdnb.featurize(features().source[:n_trajectories])
    samples = make_samples(data, make_target(data, "basin"), mdnb.Window(length=length, horizon=horizon))
    split = split_samples(samples, mdnb.Training(test=0.25, validation=0.2, seed=0))
    touched = []
    for part in (split.train, split.validation, split.test):
        frames = np.concatenate([samples.frames[part].ravel(), samples.label_frames[part]])
        touched.append(set(frames.tolist()))
        assert touched[-1]
    assert not touched[0] & touched[1]
    assert not touched[1] & touched[2]
    assert not touched[0] & touched[2]
    if n_trajectories < 3:
        gap = 2 * (length + horizon)
        assert min(touched[1]) - max(frame for frame in touched[0] if frame < min(touched[1])) > gap
    windows = samples.frames
    assert (data.trajectory[windows] == data.trajectory[windows[:, :1]]).all()
    assert (data.trajectory[samples.label_frames] == samples.trajectory).all()


def test_split_depends_on_the_seed_and_is_described():
    splits = {tuple(fit_family("CNN", seed=seed, epochs=1).split["test"]["trajectories"]) for seed in range(6)}
    assert len(splits) > 1
    assert trained("CNN").split["description"] == "by trajectory: 5 train, 1 validate, 2 test"


def test_block_split_holds_the_end_out():
    data = single()
    run = mdnb.fit(data, "basin", LINEAR, mdnb.Training(epochs=2, batch_size=64))
    assert "by contiguous block" in run.split["description"]
    assert run.train_frames.max() < run.test_frames.min()
    windows = run.samples(data).frames
    assert run.in_part(data, windows, "test").sum() == run.split["test"]["n_samples"]
    assert not (run.in_part(data, windows, "test") & run.in_part(data, windows, "train")).any()


def test_too_few_frames_for_blocks():
    data = mdnb.featurize(features().source.frames(np.arange(4)))
    with pytest.raises(DataError, match="too few to cut"):
        mdnb.fit(data, np.array([0.0, 1, 0, 1]), LINEAR)


# --- the labels ------------------------------------------------------------------------------------------------------


def test_labels_of_a_window_lie_at_its_horizon():
    data = features()
    target = Target("number", np.arange(len(data), dtype=float))
    samples = make_samples(data, target, mdnb.Window(length=4, stride=3, horizon=2))
    assert samples.frames[0].tolist() == [0, 1, 2, 3]
    assert samples.frames[1].tolist() == [3, 4, 5, 6]
    assert np.array_equal(samples.labels, samples.frames[:, -1] + 2)


def test_balanced_weights_are_inverse_to_the_counts():
    data = features()
    training = mdnb.Training(epochs=12, balanced=True, **FAST)
    run = mdnb.fit(data, "basin", family_spec("CNN"), training)
    own = make_target(data, "basin").values[run.train_frames]
    counts = np.bincount(own, minlength=3)
    assert run.task.class_weights == pytest.approx(len(own) / (3 * counts))
    assert sum(weight * count for weight, count in zip(run.task.class_weights, counts, strict=True)) == pytest.approx(
        len(own)
    )


def test_the_samples_of_each_class_are_counted():
    run = mdnb.fit(features(), "basin", LINEAR, mdnb.Training(epochs=1))
    samples = make_samples(features(), make_target(features(), "basin"), mdnb.Window())
    split = split_samples(samples, run.training)
    for part in ("train", "validation", "test"):
        own = samples.labels[getattr(split, part)]
        expected = {name: int((own == number).sum()) for number, name in enumerate(run.target.classes)}
        assert run.split[part]["counts"] == expected
        assert sum(expected.values()) == run.split[part]["n_samples"]
    number = mdnb.fit(features(), "rmsd", LINEAR, mdnb.Training(epochs=1))
    assert "counts" not in number.split["train"]


@pytest.mark.parametrize(
    ("share", "spec", "balanced", "said"),
    [
        (0.9, LINEAR, False, True),
        (0.9, LINEAR, True, False),
        (0.7, LINEAR, False, False),
        (0.9, mdnb.VAE(hidden=8, latent=2), False, False),
    ],
)
def test_a_class_that_outweighs_the_others_is_said(share, spec, balanced, said):
    data = features()
    rare = np.where(np.random.default_rng(0).random(len(data)) < share, "folded", "unfolded")
    run = mdnb.fit(data, rare, spec, mdnb.Training(epochs=1, balanced=balanced))
    counts = run.split["train"]["counts"]
    own = f"{counts['folded'] / sum(counts.values()):.0%} of the training samples are 'folded': the others may hardly"
    assert any(note.startswith(own) and "balanced=True" in note for note in run.split["notes"]) == said


def test_balanced_weights_find_more_of_a_rare_class():
    data = features()
    rng = np.random.default_rng(0)
    rare = (data.column("cos phi ALA2") + 0.5 * rng.normal(size=len(data)) > 1.1).astype(int)
    assert 0.005 < rare.mean() < 0.2
    found = []
    for balanced in (False, True):
        training = mdnb.Training(epochs=12, balanced=balanced, **FAST)
        run = mdnb.fit(data, rare, family_spec("CNN"), training)
        samples = run.samples(data)
        found.append(run.predict(data)[rare[samples.label_frames] == 1].mean())
    assert found[1] > found[0] + 0.2


def test_spec_may_be_a_class_or_a_name():
    short = mdnb.Training(epochs=1, batch_size=256)
    assert mdnb.fit(features(), "basin", mdnb.CNN, short).spec == mdnb.fit(features(), "basin", "CNN", short).spec


def test_every_supervised_family_has_a_window_of_its_own():
    short = mdnb.Training(epochs=1)
    assert mdnb.fit(features(), "basin", "RNN", short).window.length == 10
    assert mdnb.fit(features(), "basin", "CNN", short).window.length == 1
    assert spec_class("RNN", kind="model").supervised


def test_constant_number():
    with pytest.raises(DataError, match="the target 'label' is 3 in every training sample; there is nothing to learn"):
        mdnb.fit(features(), np.full(len(features()), 3.0), "CNN")


def test_a_class_without_test_samples_is_said():
    data = features()
    run = fit_family("CNN", epochs=1)
    labels = make_target(data, "basin").values.copy()
    labels[np.isin(data.trajectory, run.split["test"]["trajectories"])] = 0
    noted = mdnb.fit(data, Target("basin", labels, ("a", "b", "c")), "CNN", mdnb.Training(epochs=1))
    assert "class 'b' has no test sample: it is not judged" in repr(noted)
    assert "each of the 2 test trajectories holds one class only" in repr(noted)
    assert run.split["notes"] == []


def test_the_learning_rate_is_what_suits_the_objective_unless_it_is_given():
    short = {"epochs": 1, "batch_size": 512, "threads": 1}
    slow = mdnb.SlowModes(lag_time=20.0)
    for objective, given, expected in ((None, 0.0, 2e-3), (slow, 0.0, 1e-2), (slow, 3e-4, 3e-4)):
        target = "basin" if objective is None else None
        training = mdnb.Training(**short, learning_rate=given)
        run = mdnb.fit(features(), target, mdnb.MLP(hidden=4), training, objective=objective)
        assert run.training.learning_rate == expected

"""Splits that do not leak, folds, molecules that stay together, and one sample for a whole trajectory."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learning_fixtures import FAST, family_spec, features

import mdnb
from mdnb.datasets import make_samples, split_samples
from mdnb.errors import DataError, SpecError
from mdnb.targets import Target

SMALL = mdnb.CNN(channels=4, layers=1, hidden=16)
PARTS = ("train", "validation", "test")


def drift(data: mdnb.Features, seed: int = 0) -> np.ndarray:
    """Return noise that drifts slowly and has nothing to do with the structure: one random walk a trajectory."""
    rng = np.random.default_rng(seed)
    walks = [np.cumsum(rng.normal(size=n)) + 20 * rng.normal() for n in np.bincount(data.trajectory)]
    return np.concatenate(walks)


def test_the_split_may_have_a_seed_of_its_own():
    """So that several trainings share one test part."""
    samples = make_samples(features(), None, mdnb.Window())
    parts = [split_samples(samples, mdnb.Training(seed=seed, split_seed=3)).test for seed in (0, 1, 2)]
    assert np.array_equal(parts[0], parts[1])
    assert np.array_equal(parts[0], parts[2])
    assert np.array_equal(parts[0], split_samples(samples, mdnb.Training(seed=3)).test)
    others = [split_samples(samples, mdnb.Training(split_seed=seed)).test for seed in range(5)]
    assert any(not np.array_equal(parts[0], one) for one in others)


# --- the leak test ---------------------------------------------------------------------------------------------------


def slow_noise(data: mdnb.Features) -> mdnb.Features:
    """Return features that drift slowly too, as those of a protein do, and tell nothing about any label."""
    rng = np.random.default_rng(1)
    values = np.concatenate([np.cumsum(rng.normal(size=(n, 8)), axis=0) for n in np.bincount(data.trajectory)])
    return replace(data, values=np.hstack([data.values, values.astype(np.float32)]), columns=(
        *data.columns, *(replace(data.columns[0], name=f"drift {i}", group=f"drift {i}") for i in range(8)),
    ))  # fmt: skip


@pytest.mark.filterwarnings("ignore:split='leaky-random-frames':UserWarning")
def test_drifting_noise_is_at_chance_by_default_and_looks_learned_by_random_frames():
    data = slow_noise(features())
    label = drift(data)
    scores = {}
    for split in ("auto", "leaky-random-frames"):
        training = mdnb.Training(epochs=20, split=split, **FAST)
        scores[split] = mdnb.fit(data, label, mdnb.CNN(channels=8, hidden=64), training).scores["R2"].value
    assert scores["auto"] < 0.2
    assert scores["leaky-random-frames"] > 0.7


@pytest.mark.filterwarnings("ignore:split='leaky-random-frames':UserWarning")
def test_trajectory_identity_cannot_be_learned_by_default():
    data = slow_noise(features())
    label = np.isin(data.trajectory, [0, 3, 5, 6]).astype(int)
    scores = {}
    for split in ("auto", "leaky-random-frames"):
        training = mdnb.Training(epochs=20, split=split, **FAST)
        scores[split] = mdnb.cross_validate(data, label, SMALL, training, folds=4).scores["accuracy"].value
    assert scores["auto"] < 0.75
    assert scores["leaky-random-frames"] > 0.9


def test_random_frames_are_warned_of():
    samples = make_samples(features(), None, mdnb.Window())
    with pytest.warns(
        UserWarning, match=r"neighbouring, nearly equal frames into training and test: its scores are too good"
    ):
        split = split_samples(samples, mdnb.Training(split="leaky-random-frames"))
    assert "LEAKS" in split.description


# --- folds -----------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    folds=st.integers(3, 8), length=st.integers(1, 6), lag=st.integers(0, 5), seed=st.integers(0, 9),
    n=st.sampled_from([1, 2, 8]),
)  # fmt: skip
def test_every_sample_is_tested_once_or_lies_in_a_gap_and_nothing_leaks(folds, length, lag, seed, n):
    data = features()
    data = data.of_trajectories(range(n)) if n < 8 else data
    later = np.arange(length) + lag if lag else None
    samples = make_samples(data, None, mdnb.Window(length=length), later)
    tested = np.zeros(len(samples), int)
    for fold in range(folds):
        split = split_samples(samples, mdnb.Training(folds=folds, fold=fold, seed=seed))
        tested[split.test] += 1
        touched = []
        for name in PARTS:
            part = getattr(split, name)
            assert len(part)
            own = [samples.frames[part].ravel()] + ([] if later is None else [samples.later[part].ravel()])
            touched.append(set(np.concatenate(own).tolist()))
        assert not touched[0] & touched[1]
        assert not touched[0] & touched[2]
        assert not touched[1] & touched[2]
        if n < 3:  # the nearest frames of two parts are farther from each other than a window and what follows it
            a, b = (np.array(sorted(touched[i])) for i in (0, 2))
            same = np.abs(a[:, None] - b)[data.trajectory[a][:, None] == data.trajectory[b]]
            assert same.min() > length + lag
    assert tested.max() == 1
    assert (tested == 1).mean() > (0.999 if n == 8 else 0)  # of blocks, the gaps between them are left out


def test_cross_validation_gives_each_trajectory_to_one_test_part(tmp_path):
    training = mdnb.Training(epochs=2, **FAST)
    found = mdnb.cross_validate(features(), "basin", SMALL, training, folds=4, out=tmp_path)
    tested = sorted(number for run in found.runs for number in run.split["test"]["trajectories"])
    assert tested == list(range(8))
    values = [run.scores["accuracy"].value for run in found.runs]
    assert found.scores["accuracy"].value == pytest.approx(np.mean(values))
    assert found.scores["accuracy"].low < min(values) or np.ptp(values) > 0
    assert "fold 2 of 4" in found.runs[1].split["description"]
    assert "4 folds" in repr(found)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"fold-{i}" for i in range(4)]


@pytest.mark.parametrize(("folds", "sentence"), [(1, "at least 2"), (True, "at least 2"), (2.5, "at least 2")])
def test_folds_that_are_none(folds, sentence):
    with pytest.raises(SpecError, match=sentence):
        mdnb.cross_validate(features(), "basin", SMALL, folds=folds)


def test_more_folds_than_trajectories():
    with pytest.raises(DataError, match="8 trajectories or molecules do not make 9 folds; lower folds"):
        mdnb.cross_validate(features(), "basin", SMALL, mdnb.Training(epochs=1), folds=9)


def test_a_fold_that_does_not_exist():
    with pytest.raises(DataError, match="fold 4 of 4 does not exist; folds count from 0"):
        mdnb.fit(features(), "basin", SMALL, mdnb.Training(folds=4, fold=4))


# --- molecules -------------------------------------------------------------------------------------------------------


def test_trajectories_of_one_molecule_stay_together():
    data = features()
    molecule = np.array([0, 0, 1, 1, 2, 2, 3, 3])[data.trajectory]
    target = Target("affinity", molecule * 1.5 + 1, groups=molecule)
    for seed in range(5):
        run = mdnb.fit(data, target, SMALL, mdnb.Training(epochs=1, seed=seed, **FAST))
        parts = [{number // 2 for number in run.split[name]["trajectories"]} for name in PARTS]
        assert sum(map(len, parts)) == len(set().union(*parts)) == 4
        assert run.split["description"].startswith("by molecule: 2 train, 1 validate, 1 test")


def test_two_molecules_cannot_be_parted():
    data = features()
    molecule = (data.trajectory > 3).astype(int)
    with pytest.raises(DataError, match="2 trajectories or molecules cannot be parted in three"):
        mdnb.fit(data, Target("affinity", molecule * 1.5, groups=molecule), SMALL, mdnb.Training(split="trajectory"))


# --- one sample for a trajectory -------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["CNN", "RNN", "CNNRNN"])
def test_one_sample_for_each_trajectory(family):
    source = mdnb.load([features(stride=2).source.frames(slice(start, start + 60)) for start in range(0, 9600, 60)])
    data = mdnb.featurize(source)
    means = np.array([data.column("cos psi ALA2")[data.trajectory == i].mean() for i in range(len(source))])
    target = means[data.trajectory].astype(float)
    window = mdnb.Window(length=60, per="trajectory")
    run = mdnb.fit(
        data,
        target,
        family_spec(family),
        mdnb.Training(epochs=60, patience=60, batch_size=16, learning_rate=5e-3),
        window=window,
    )
    assert len(run.samples(data)) == len(source) == 160
    assert run.scores["R2"].value > 0.2
    assert run.predict(data).shape == (160,)
    frames = run.samples(data).frames
    assert (data.trajectory[frames] == np.arange(160)[:, None]).all()
    assert (np.diff(frames, axis=1) > 0).all()


def test_a_label_that_changes_within_a_trajectory_is_refused():
    with pytest.raises(DataError, match=r"changes within .*; one sample of a whole trajectory needs one label"):
        mdnb.fit(features(), "basin", SMALL, window=mdnb.Window(length=5, per="trajectory"))


def test_a_trajectory_shorter_than_its_sample_is_refused():
    data = features()
    with pytest.raises(
        DataError, match="the shortest trajectory has 300 frames, a sample of each needs 301; lower length"
    ):
        mdnb.fit(data, data.trajectory * 1.0, SMALL, window=mdnb.Window(length=301, per="trajectory"))


def test_one_label_for_each_of_two_files_is_not_cut_into_blocks():
    data = features().of_trajectories([0, 1])
    names = features().source.names
    with pytest.raises(DataError, match="2 trajectories or molecules cannot be parted in three"):
        mdnb.fit(data, {names[0]: "a", names[1]: "b"}, SMALL)


def test_samples_never_span_two_groups():
    data = features()
    groups = np.arange(len(data)) // 50
    samples = make_samples(data, Target("y", data.column("cos phi ALA2"), groups=groups), mdnb.Window(length=10))
    assert (groups[samples.frames] == samples.group[:, None]).all()


def test_labels_of_molecules_are_judged_by_molecule():
    """Frames of one molecule share its error: an interval over frames would be far too narrow."""
    data = features()
    truth = np.random.default_rng(0).normal(size=8)[data.trajectory]
    target = Target("affinity", truth, groups=data.trajectory)
    run = mdnb.fit(data, target, SMALL, mdnb.Training(epochs=2, test=0.5, **FAST))
    assert any("4 of them are in the test part" in note for note in run.split["notes"])
    models = mdnb.baselines(run, data, target)
    own = np.abs(truth - truth[run.train_frames].mean())[run.test_frames]
    each = [own[data.trajectory[run.test_frames] == i].mean() for i in run.split["test"]["trajectories"]]
    score = models["mean"]["mean absolute error"]
    assert score.high - score.low > 2 * np.std(each) / np.sqrt(len(each))

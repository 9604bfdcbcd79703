"""Samples never span trajectories, splits never leak, and the scaler sees the training frames only."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

import mdnb
from mdnb.datasets import Samples, Scaler, Window, make_samples, split_samples
from mdnb.errors import DataError, SpecError
from mdnb.features.base import Column, Features
from mdnb.targets import Target


class Source:
    """What a target or a run asks of the trajectories."""

    def __init__(self, lengths):
        self.lengths = lengths

    def __len__(self):
        return len(self.lengths)


def features_of(lengths, seed=0):
    """Return features of one number per frame; trajectory k is noise around k."""
    trajectory = np.repeat(np.arange(len(lengths)), lengths)
    values = np.random.default_rng(seed).normal(size=(len(trajectory), 1)).astype(np.float32)
    columns = (Column("x", "nm", (0,)),)
    time = np.concatenate([np.arange(length) for length in lengths]) * 1.0
    return Features(values + trajectory[:, None], columns, trajectory, time, ("feature",), ("x",), Source(lengths))


windows = st.builds(Window, length=st.integers(1, 8), stride=st.integers(1, 5), horizon=st.integers(0, 6))
lengths = st.lists(st.integers(1, 60), min_size=1, max_size=6)


@settings(max_examples=150, deadline=None)
@given(lengths=lengths, window=windows)
def test_windows(lengths, window):
    features = features_of(lengths)
    target = Target("number", np.arange(len(features)).astype(float))
    need = window.length + window.horizon
    if max(lengths) < need:
        said = f"no trajectory has the {need} frames .* the longest has {max(lengths)}; take a shorter window or h"
        with pytest.raises(DataError, match=said):
            make_samples(features, target, window)
        return
    samples = make_samples(features, target, window)
    assert len(samples) == sum(len(range(0, length - need + 1, window.stride)) for length in lengths)
    assert samples.frames.shape == (len(samples), window.length)
    assert (np.diff(samples.frames, axis=1) == 1).all()
    # Neither the window nor its label leaves the trajectory.
    touched = np.column_stack([samples.frames, samples.label_frames])
    assert (features.trajectory[touched] == samples.trajectory[:, None]).all()
    assert np.array_equal(samples.label_frames - samples.frames[:, -1], np.full(len(samples), window.horizon))
    assert np.array_equal(samples.labels, target.values[samples.label_frames])
    same = np.diff(samples.trajectory) == 0
    assert (np.diff(samples.frames[:, 0])[same] == window.stride).all()


def test_without_a_target():
    samples = make_samples(features_of([5, 3]), None, Window(length=2))
    assert samples.labels is None
    assert samples.frames.tolist() == [[0, 1], [1, 2], [2, 3], [3, 4], [5, 6], [6, 7]]


def test_window_bounds():
    for wrong in ({"length": 0}, {"stride": 0}, {"horizon": -1}):
        with pytest.raises(SpecError, match="is too small"):
            Window(**wrong)


def frames_of(samples: Samples, part):
    """Return the frames that a part sees, in its windows or as labels."""
    return set(samples.frames[part].ravel()) | set(samples.label_frames[part])


@settings(max_examples=150, deadline=None)
@given(lengths=lengths, window=windows, seed=st.integers(0, 50), test=st.floats(0.05, 0.6), share=st.floats(0.05, 0.3))
def test_splits_are_disjoint(lengths, window, seed, test, share):
    if max(lengths) < window.length + window.horizon:
        return
    samples = make_samples(features_of(lengths), None, window)
    try:
        split = split_samples(samples, mdnb.Training(test=test, validation=share, seed=seed))
    except DataError:
        with pytest.raises(DataError, match=r"cannot hold out|are too few to cut into training"):
            split_samples(samples, mdnb.Training(test=test, validation=share, seed=seed))
        return
    parts = [split.train, split.validation, split.test]
    assert all(len(part) for part in parts)
    seen = [frames_of(samples, part) for part in parts]
    assert sum(map(len, seen)) == len(set().union(*seen))
    if len(np.unique(samples.trajectory)) >= 3:
        assert sum(len(part) for part in parts) == len(samples)
        of = [set(samples.trajectory[part]) for part in parts]
        assert sum(map(len, of)) == len(set().union(*of))
        assert split.description.startswith("by trajectory")
    else:
        gap = 2 * (window.length + window.horizon)
        for number in np.unique(samples.trajectory):
            own = [[f for f in frames if samples.trajectory[0] == number or f >= lengths[0]] for frames in seen]
            own = [np.array(sorted(frames)) for frames in own]
            for before, after in ((0, 1), (1, 2)):
                if len(own[before]) and len(own[after]) and len(np.unique(samples.trajectory)) == 1:
                    assert own[after].min() - own[before].max() > gap
        assert split.description == f"by contiguous block with a gap of {gap} frames"


def test_two_trajectories_are_cut_alike():
    samples = make_samples(features_of([100, 200]), None, Window(length=5, horizon=5))
    split = split_samples(samples, mdnb.Training(test=0.3, validation=0.3, seed=0))
    for first, length in ((0, 100), (100, 200)):
        parts = [
            np.array(sorted(f for f in frames_of(samples, part) if first <= f < first + length))
            for part in (split.train, split.validation, split.test)
        ]
        assert parts[0].min() == first
        assert parts[2].max() == first + length - 1
        assert parts[1].min() - parts[0].max() > 20
        assert parts[2].min() - parts[1].max() > 20
        assert len(parts[0]) == 0.4 * length


def test_split_depends_on_the_seed_only():
    samples = make_samples(features_of([10] * 8), None, Window())
    one, same, other = (
        split_samples(samples, mdnb.Training(test=0.25, validation=0.125, seed=seed)) for seed in (1, 1, 2)
    )
    assert np.array_equal(one.test, same.test)
    assert not np.array_equal(one.test, other.test)
    assert one.description == "by trajectory: 5 train, 1 validate, 2 test"


def test_splits_that_cannot_be():
    samples = make_samples(features_of([10] * 3), None, Window())
    with pytest.raises(DataError, match=r"3 trajectories cannot hold out 2 \+ 1; lower the shares"):
        split_samples(samples, mdnb.Training(test=0.6, validation=0.3, seed=0))
    samples = make_samples(features_of([20]), None, Window(length=5))
    with pytest.raises(DataError, match=r"16 samples are too few to cut .* with a gap of 10 frames; use shorter"):
        split_samples(samples, mdnb.Training(test=0.2, validation=0.2, seed=0))


# --- scaler ---------------------------------------------------------------------------------------------------------


def test_scaler():
    random = np.random.default_rng(0)
    values = (random.normal(size=(500, 3)) * [1, 10, 0] + [5, -3, 2]).astype(np.float32)
    scaler = Scaler.fit(values, ("feature",))
    scaled = scaler.transform(values)
    assert np.allclose(scaled.mean(0), 0, atol=1e-5)
    assert np.allclose(scaled.std(0), [1, 1, 0], atol=1e-5)
    assert scaler.scale[2] == pytest.approx(2e-4)  # a constant number is not blown up
    assert np.allclose(scaler.inverse(scaled), values, atol=1e-5)
    assert scaled.dtype == np.float32


def test_scaler_keeps_the_shape_of_space():
    random = np.random.default_rng(0)
    values = (random.normal(size=(500, 4, 3)) * [1, 2, 3]).astype(np.float32)
    scaler = Scaler.fit(values, ("atom", "xyz"))
    assert len(np.unique(scaler.scale)) == 1
    assert scaler.scale[0, 0] == pytest.approx(np.sqrt(14 / 3), rel=0.05)
    assert np.allclose(scaler.inverse(scaler.transform(values)), values, atol=1e-5)


def test_fit_scales_by_training_frames_only(alanine):
    """Values of the held-out trajectories, however far off, change nothing that is learned."""
    frames = [alanine.frames(range(start, start + 60)) for start in range(0, 6000, 1000)]
    features = mdnb.featurize(frames, "torsions")
    training = mdnb.Training(epochs=1, seed=3)
    run = mdnb.fit(features, "end-to-end-distance", mdnb.CNN(channels=4, layers=1), training)
    train = features.values[run.train_frames]
    assert np.allclose(run.scaler.mean, train.mean(0), atol=1e-6)
    samples = make_samples(features, None, Window())
    split = split_samples(samples, mdnb.Training(test=training.test, validation=training.validation, seed=3))
    assert np.array_equal(run.train_frames, np.unique(samples.frames[split.train]))
    far = features.values.copy()
    far[samples.frames[split.test]] += 1000
    again = mdnb.fit(
        dataclasses.replace(features, values=far), "end-to-end-distance", mdnb.CNN(channels=4, layers=1), training
    )
    assert np.array_equal(again.scaler.mean, run.scaler.mean)
    assert np.array_equal(again.scaler.scale, run.scaler.scale)
    assert [row["loss"] for row in again.history] == [row["loss"] for row in run.history]


def test_what_only_tells_trajectories_apart_scores_no_better_than_chance():
    """Each trajectory has a class by the toss of a coin and a value of its own: random frames would leak it all."""
    n, correct, leaked = 40, [], []
    features = features_of([30] * n, seed=5)
    features.values[:] = features.values * 0.05 - 0.95 * features.trajectory[:, None]
    for seed in range(8):
        coin = np.random.default_rng(seed).integers(0, 2, n)
        samples = make_samples(features, Target("coin", coin[features.trajectory], ("0", "1")), Window())
        split = split_samples(samples, mdnb.Training(test=0.25, validation=0.1, seed=seed))
        x = features.values[samples.frames[:, 0]]
        model = KNeighborsClassifier(1).fit(x[split.train], samples.labels[split.train])
        correct.append(model.score(x[split.test], samples.labels[split.test]))
        mixed = np.random.default_rng(seed).permutation(len(samples))
        model = KNeighborsClassifier(1).fit(x[mixed[:900]], samples.labels[mixed[:900]])
        leaked.append(model.score(x[mixed[900:]], samples.labels[mixed[900:]]))
    assert np.mean(leaked) > 0.95
    assert abs(np.mean(correct) - 0.5) < 0.2

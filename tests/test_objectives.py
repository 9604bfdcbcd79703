"""Every family with every objective: it fits, improves, repeats, round-trips and is explained."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from learning_fixtures import FAST, families, family_spec, features, same_weights

import mdnb
from mdnb.bench.slow import sqrt_model
from mdnb.errors import DataError, SpecError
from mdnb.specs import spec_class

PREDICTORS = [name for name in families() if spec_class(name, kind="model").supervised]
OBJECTIVES = {
    "slow": mdnb.SlowModes(lag_time=8.0, modes=2),
    "reversible": mdnb.SlowModes(lag_time=8.0, modes=2, reversible=True),
    "from TICA": mdnb.SlowModes(lag_time=8.0, modes=2, linear=True),
    "forecast": mdnb.Forecast(steps=2),
    "propagate": mdnb.Propagate(components=8),
    "lagged": mdnb.TimeLagged(lag_time=8.0, latent=2),
    "autoencoder": mdnb.TimeLagged(latent=2),
    "uncertainty": mdnb.Labels(uncertainty=True),
}


def data_of(name: str) -> mdnb.Features:
    """Return torsions; with a lag time every 4 ps, since after 20 ps little is left to foretell."""
    return features(stride=2) if lagged(name) else features()


def lagged(name: str) -> bool:
    """Return whether an objective has a lag time."""
    return getattr(OBJECTIVES[name], "lag_time", 0) > 0


def fit(family: str, name: str, epochs: int = 4, seed: int = 0, **options) -> mdnb.Run:
    data = data_of(name)
    target = data.column("cos phi ALA2").astype(float) * 3 + 20 if name == "uncertainty" else None
    training = mdnb.Training(epochs=epochs, seed=seed, **FAST)
    if isinstance(OBJECTIVES[name], mdnb.SlowModes):
        training = replace(training, batch_size=400)
    length = 2 if lagged(name) else 4  # no longer than the lag
    window = mdnb.Window(length=length) if spec_class(family, kind="model").window > 1 else None
    return mdnb.fit(
        data, target, family_spec(family), training, window=window,
        objective=OBJECTIVES[name], **options,
    )  # fmt: skip


@cache
def trained(family: str, name: str) -> mdnb.Run:
    return fit(family, name)


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("family", PREDICTORS)
class TestEveryObjective:
    def test_it_learns(self, family, name):
        losses = [row["validation_loss"] for row in trained(family, name).history]
        assert np.isfinite(losses).all()
        assert trained(family, name).scores
        if name == "propagate":  # its Gaussians are fitted before training, which may find little more to learn
            each = mdnb.baselines(trained(family, name), data_of(name))
            gap = each[family]["log likelihood"].minus(each["independent Gaussian"]["log likelihood"])
            assert gap.low > 2, gap
        else:
            assert min(losses[1:]) < losses[0]

    def test_same_seed_same_weights(self, family, name):
        again = fit(family, name)
        assert same_weights(again, trained(family, name))
        assert (again.history, again.scores) == (trained(family, name).history, trained(family, name).scores)

    def test_saved_and_loaded_it_gives_identical_outputs(self, family, name, tmp_path):
        run, data = trained(family, name), data_of(name)
        loaded = mdnb.Run.load(run.save(tmp_path / "run"))
        assert loaded.task == run.task
        frames = run.samples(data).frames[:40]
        assert np.array_equal(run.outputs(data, frames), loaded.outputs(data, frames))

    def test_the_explanation_has_the_shape_of_the_input(self, family, name):
        run, data = trained(family, name), data_of(name)
        explanation = mdnb.explain(run, data, frames=run.samples(data).frames[[3, 50], -1], output=0)
        window = () if run.window.length == 1 else (run.window.length,)
        assert explanation.values.shape == (2, *window, *data.shape)


# --- slow modes ------------------------------------------------------------------------------------------------------


def test_slow_modes_are_uncorrelated_of_variance_one_and_sorted():
    run, data = trained("CNN", "slow"), data_of("slow")
    train = np.isin(data.trajectory, run.split["train"]["trajectories"])
    modes = run.encode(data)[train]
    assert np.allclose(modes.mean(0), 0, atol=0.05)
    assert np.allclose(np.cov(modes.T), np.eye(2), atol=0.05)
    values = run.model.head.singular_values.numpy()
    assert 1 > values[0] > values[1] > 0


def test_the_vamp_score_is_deeptimes():
    deeptime = pytest.importorskip("deeptime.decomposition", reason="deeptime is not installed")
    from mdnb.scores import vamp_scores

    rng = np.random.default_rng(0)
    x = np.cumsum(rng.normal(size=(4000, 3)), axis=0) * 0.02 + rng.normal(size=(4000, 3))
    model = deeptime.VAMP(lagtime=1, epsilon=1e-12).fit_from_timeseries(x).fetch_model()
    found = vamp_scores(x[:-1], x[1:], np.ones(3), np.zeros(len(x) - 1, int))
    assert found["VAMP-2"].value == pytest.approx(model.score(2), rel=1e-5)


def test_vamp_e_of_the_fitted_functions_on_their_own_data_is_vamp_2():
    run, data = trained("CNN", "slow"), data_of("slow")
    from mdnb.scores import vamp_scores

    lag = 2
    train = np.flatnonzero(np.isin(data.trajectory, run.split["train"]["trajectories"]))
    pairs = train[
        np.isin(train + lag, train)
        & (data.trajectory[np.minimum(train + lag, len(data) - 1)] == data.trajectory[train])
    ]
    with torch.no_grad():
        x, y = run.inputs(data, pairs[:, None]), run.inputs(data, (pairs + lag)[:, None])
        head, encoder = run.model.head, run.model.encoder
        now, later = head(encoder(x), x).numpy(), head.later_modes(encoder(y), y).numpy()
    found = vamp_scores(now, later, head.singular_values.numpy(), data.trajectory[pairs])
    assert found["VAMP-E"].value == pytest.approx(found["VAMP-2"].value, rel=1e-3)


@pytest.mark.parametrize(
    ("lag_time", "sentence"),
    [
        (30.0, r"lag_time = 30 ps is no whole number of frames, which are 20 ps apart; take 20 or 40 ps"),
        (5.0, r"take 20 or 40 ps"),
    ],
)
def test_a_lag_between_frames_is_refused(lag_time, sentence):
    with pytest.raises(SpecError, match=sentence):
        mdnb.fit(features(), spec=mdnb.CNN(), objective=mdnb.SlowModes(lag_time=lag_time))


def test_a_lag_without_a_time_step_is_refused():
    unknown = features().source[:]
    unknown.time_step = float("nan")
    with pytest.raises(
        SpecError, match=r"the time between frames is not known; give it: mdnb\.load\(\.\.\., time_step="
    ):
        mdnb.fit(replace(features(), source=unknown), spec=mdnb.CNN(), objective=mdnb.SlowModes(lag_time=10))


def test_pairs_do_not_cross_trajectories_or_parts():
    from mdnb.datasets import make_samples, split_samples

    data = features()
    samples = make_samples(data, None, mdnb.Window(length=3), np.array([5, 6, 7]))
    assert (data.trajectory[samples.later] == data.trajectory[samples.frames[:, :1]]).all()
    assert np.array_equal(samples.last, samples.later[:, -1])
    one = mdnb.featurize(data.source[:1])
    samples = make_samples(one, None, mdnb.Window(length=3), np.array([5, 6, 7]))
    split = split_samples(samples, mdnb.Training())
    touched = [
        set(np.concatenate([samples.frames[part].ravel(), samples.later[part].ravel()]).tolist())
        for part in (split.train, split.validation, split.test)
    ]
    assert not touched[0] & touched[1]
    assert not touched[1] & touched[2]


@pytest.mark.parametrize("objective", [mdnb.SlowModes(lag_time=60.0), mdnb.TimeLagged(lag_time=60.0)])
def test_windows_that_share_frames_with_those_at_the_lag_are_refused(objective):
    with pytest.raises(
        SpecError,
        match=r"lag_time = 60 ps is 3 frames, but a window has 4: windows that share frames foretell each other .*; "
        r"take a lag_time of at least 80 ps, or train with Window\(length=3\) or less",
    ):
        mdnb.fit(features(), spec=mdnb.RNN(), window=mdnb.Window(length=4), objective=objective)


@pytest.mark.parametrize(
    ("objective", "length"),
    [
        (mdnb.SlowModes(lag_time=20.0, modes=1), 1),
        (mdnb.SlowModes(lag_time=60.0, modes=1), 3),
        (mdnb.SlowModes(lag_time=400.0, modes=1), 10),
        (mdnb.TimeLagged(lag_time=60.0), 3),
        (mdnb.TimeLagged(), 10),
    ],
)
def test_without_a_window_it_is_no_longer_than_the_lag(objective, length):
    run = mdnb.fit(features(), spec=family_spec("RNN"), training=mdnb.Training(epochs=1, **FAST), objective=objective)
    assert run.window.length == length
    note = "instead of this family's 10: the lag has no room for longer ones"
    assert any(note in one for one in run.split["notes"]) == (length < 10)
    if isinstance(objective, mdnb.SlowModes):  # windows of ten frames, one apart, gave 1.9 here
        assert run.scores["VAMP-2"].value < 1.3


# --- forecasts and errors --------------------------------------------------------------------------------------------


def test_a_forecast_is_in_the_features_units():
    run, data = trained("RNN", "forecast"), features()
    ahead = run.predict(data)
    assert ahead.shape == (len(run.samples(data)), 2, *data.shape)
    assert np.abs(ahead).max() < 3  # sines and cosines
    windows = run.samples(data).frames
    inside = windows[:, -1] + 1 < len(data)
    same = data.trajectory[np.minimum(windows[:, -1] + 1, len(data) - 1)] == data.trajectory[windows[:, -1]]
    chosen = inside & same
    truth = data.values[windows[chosen, -1] + 1]
    persistence = np.square(data.values[windows[chosen, -1]] - truth).mean()
    assert np.square(ahead[chosen, 0] - truth).mean() < persistence


def test_predicted_errors_are_calibrated():
    data = features()
    rng = np.random.default_rng(0)
    spread = 0.1 + 0.5 * (data.column("sin psi ALA2") > 0)  # noise of two known sizes
    noisy = data.column("cos phi ALA2") + spread * rng.normal(size=len(data))
    run = mdnb.fit(
        data, noisy, mdnb.CNN(channels=8, layers=1, hidden=32), mdnb.Training(epochs=30, **FAST),
        objective=mdnb.Labels(uncertainty=True),
    )  # fmt: skip
    assert 0.9 < run.scores["within 95% interval"].value < 0.99
    errors = run.errors(data)
    assert np.median(errors[spread > 0.3]) == pytest.approx(0.6, rel=0.25)
    assert 0.08 < np.median(errors[spread < 0.3]) < 0.25  # the model's own error is in it too


def test_errors_are_refused_where_none_are_predicted():
    with pytest.raises(DataError, match=r"train with objective=mdnb\.Labels\(uncertainty=True\)"):
        trained("CNN", "slow").errors(features())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"objective": mdnb.SlowModes(), "target": "basin"}, "SlowModes learns without a target; leave it None"),
        ({"objective": mdnb.Labels()}, "Labels needs a target"),
        ({}, r"CNN needs a target, such as 'basin', or an objective"),
        ({"objective": "SlowMode"}, r"unknown objective 'SlowMode': did you mean 'SlowModes'\?"),
        ({"objective": 3}, "got 3 as the objective"),
        ({"objective": mdnb.Forecast(), "window": mdnb.Window(horizon=2)}, "leave horizon at 0"),
        ({"objective": mdnb.Labels(uncertainty=True), "target": "basin"}, "for a target that is a number"),
        ({"objective": mdnb.SlowModes(), "spec": "VAE"}, "VAE learns the distribution of the frames"),
    ],
)
def test_what_does_not_go_together_is_refused(options, sentence):
    options = {"target": None, "spec": "CNN", **options}
    with pytest.raises(SpecError, match=sentence):
        mdnb.fit(features(), options.pop("target"), options.pop("spec"), **options)


# --- conditions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["VAE", "GAN"])
def test_a_conditional_generator_makes_what_is_asked_for(family):
    data = features()
    target = data.column("cos psi ALA2").astype(float)
    spec = mdnb.VAE(latent=4, hidden=64) if family == "VAE" else mdnb.GAN(hidden=64)
    run = mdnb.fit(data, target, spec, mdnb.Training(epochs=60, batch_size=128))
    column = data.names.index("cos psi ALA2")
    means = []
    for wanted in (-0.8, 0.9):
        condition = torch.full((400,), (wanted - run.target.mean) / run.target.scale)
        sample = run.model.sample(400, torch.Generator().manual_seed(0), condition).numpy()
        means.append(run.scaler.inverse(sample).reshape(400, -1)[:, column].mean())
    assert means[0] < -0.3
    assert means[1] > 0.4


def test_a_class_as_condition():
    data = features()
    run = mdnb.fit(data, "basin", mdnb.VAE(latent=3, hidden=64), mdnb.Training(epochs=40, batch_size=128))
    shares = []
    for number in (0, 2):  # phi is below zero in the extended basin, above in the left-handed
        sample = run.model.sample(400, torch.Generator().manual_seed(0), torch.full((400,), number)).numpy()
        shares.append((run.scaler.inverse(sample)[:, data.names.index("sin phi ALA2")] > 0).mean())
    assert shares[0] < 0.2
    assert shares[1] > 0.7


def test_posterior_collapse_is_said():
    run = mdnb.fit(features(), spec=mdnb.VAE(latent=8, hidden=32, beta=50.0), training=mdnb.Training(epochs=5, **FAST))
    (note,) = run.split["notes"]
    assert "of 8 latent dimensions hold nothing (posterior collapse)" in note


def test_mode_collapse_is_measured_and_said():
    run = mdnb.fit(
        features("internal-coordinates"), spec=mdnb.GAN(hidden=16, layers=1), training=mdnb.Training(epochs=2)
    )
    assert {"coverage", "diversity"} <= run.history[0].keys()
    (note,) = run.split["notes"]
    assert "misses modes (mode collapse) or has to train longer" in note


def test_slow_modes_that_begin_at_tica_are_no_worse_than_it_where_data_are_few():
    """Of 900 frames of chignolin a network learns noise; told to begin at TICA it stays there, and says so."""
    data = mdnb.featurize(mdnb.example("chignolin"), "torsions")
    training = mdnb.Training(epochs=4, split_seed=0, folds=4, fold=1, threads=1)
    plain, careful = (
        mdnb.fit(data, spec=mdnb.MLP(), training=training, objective=mdnb.SlowModes(20.0, 1, linear=linear))
        for linear in (False, True)
    )
    linear = mdnb.baselines(careful, data)["TICA"]["VAMP-2"].value
    assert plain.scores["VAMP-2"].value < linear - 0.05
    assert careful.scores["VAMP-2"].value == pytest.approx(linear, abs=2e-3)
    assert any("TICA's modes are kept" in note for note in careful.split["notes"])


def test_slow_modes_that_begin_at_tica_leave_it_where_that_is_worth_it(tmp_path):
    """Of deeptime's model, whose boundary is curved; and the run is read back as it was."""
    system = sqrt_model(6, 2500)
    training = mdnb.Training(epochs=8, threads=1, split_seed=0)
    run = mdnb.fit(
        system.features,
        spec=mdnb.MLP(),
        training=training,
        objective=mdnb.SlowModes(1.0, 1, linear=True),
        out=tmp_path / "r",
    )
    assert run.scores["VAMP-2"].value > mdnb.baselines(run, system.features)["TICA"]["VAMP-2"].value + 0.3
    assert not run.split["notes"]
    again = mdnb.Run.load(tmp_path / "r")
    assert np.array_equal(again.encode(system.features), run.encode(system.features))

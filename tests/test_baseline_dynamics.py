"""The linear models of time and of reconstruction: what deeptime and scikit-learn make of the same samples."""

import numpy as np
import pytest
from deeptime.decomposition import TICA, VAMP
from hypothesis import given, settings
from hypothesis import strategies as st
from learning_fixtures import FAST, features, fit_family, trained
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression

import mdnb
from mdnb.baseline.reconstruction import reduced_rank
from mdnb.errors import DataError, SpecError
from mdnb.scores import vamp_scores, verdict

LAG = 20.0


def fit(objective, epochs=2, **options):
    return mdnb.fit(features(), None, mdnb.MLP(hidden=16), mdnb.Training(epochs=epochs, **FAST), objective=objective,
                    **options)  # fmt: skip


def of_part(run, part, lag=0):
    """Return raw first and later frames of each pair of a part, and their trajectory, by hand."""
    data, x, y, where = features(), [], [], []
    for number in run.split[part]["trajectories"]:
        own = data.flat()[data.trajectory == number].astype(float)
        x.append(own[: len(own) - lag])
        y.append(own[lag:])
        where.append(np.full(len(own) - lag, number))
    return np.concatenate(x), np.concatenate(y), np.concatenate(where)


@pytest.mark.parametrize("modes", [1, 2])
def test_slow_modes_have_tica_and_vamp_of_deeptime(modes):
    run = fit(mdnb.SlowModes(lag_time=LAG, modes=modes))
    models = mdnb.baselines(run, features())
    assert list(models) == ["TICA", "linear VAMP", "MLP"]
    assert models["MLP"] == run.scores
    x, y, _ = of_part(run, "train", 1)
    test_x, test_y, where = of_part(run, "test", 1)
    for name, kind in (("TICA", TICA), ("linear VAMP", VAMP)):
        model = kind(lagtime=1, dim=modes, scaling=None).fit_fetch((x, y))
        known = vamp_scores(
            model.transform(test_x), model.backward(test_y, propagate=False), model.singular_values[:modes], where
        )
        for metric in ("VAMP-2", "VAMP-E"):
            assert models[name][metric].value == pytest.approx(known[metric].value, abs=2e-3)
            assert len(models[name][metric].draws) == len(run.scores[metric].draws)
    assert "VAMP-2: the MLP" in verdict(models)


def test_linear_modes_are_uncorrelated_and_of_variance_1():
    run = fit(mdnb.SlowModes(lag_time=LAG, modes=2))
    for method in ("TICA", "linear VAMP"):
        modes = mdnb.linear_modes(run, features(), method)
        assert modes.shape == (len(features()), 2)
        train = np.isin(features().trajectory, run.split["train"]["trajectories"])
        assert np.cov(modes[train].T) == pytest.approx(np.eye(2), abs=0.02)


def test_a_plain_autoencoder_has_principal_components():
    run = fit(mdnb.TimeLagged(latent=2))
    models = mdnb.baselines(run, features())
    assert list(models) == ["PCA", "MLP"]
    x, test_x = (run.scaler.transform(of_part(run, part)[0]) for part in ("train", "test"))
    pca = PCA(2).fit(x)
    error = np.square(pca.inverse_transform(pca.transform(test_x)) - test_x).mean()
    assert models["PCA"]["reconstruction error"].value == pytest.approx(error, rel=1e-4)


def test_of_a_vae_too():
    run, data = trained("VAE"), features("internal-coordinates")
    models = mdnb.baselines(run, data)
    assert list(models) == ["PCA", "VAE"]
    rows = [np.isin(data.trajectory, run.split[part]["trajectories"]) for part in ("train", "test")]
    x, test_x = (run.scaler.transform(data.values[own]).reshape(own.sum(), -1) for own in rows)
    pca = PCA(run.spec.latent).fit(x)
    error = np.square(pca.inverse_transform(pca.transform(test_x)) - test_x).mean()
    assert models["PCA"]["reconstruction error"].value == pytest.approx(error, rel=1e-3)


def test_a_condition_is_told_to_the_linear_model_too():
    run = fit_family("VAE", target="basin", epochs=1)
    models = mdnb.baselines(run, features("internal-coordinates"), "basin")
    assert list(models) == ["PCA with the condition", "VAE"]
    plain = mdnb.baselines(trained("VAE"), features("internal-coordinates"))["PCA"]["reconstruction error"]
    assert models["PCA with the condition"]["reconstruction error"].value < plain.value


def test_at_a_lag_it_is_reduced_rank_regression():
    run = fit(mdnb.TimeLagged(latent=4, lag_time=LAG))
    models = mdnb.baselines(run, features())
    assert list(models) == ["reduced-rank regression", "MLP"]
    x, y, _ = (run.scaler.transform(one) if one.ndim > 1 else one for one in of_part(run, "train", 1))
    test_x, test_y, _ = (run.scaler.transform(one) if one.ndim > 1 else one for one in of_part(run, "test", 1))
    error = np.square(LinearRegression().fit(x, y).predict(test_x) - test_y).mean()  # of full rank: all 4 columns
    assert models["reduced-rank regression"]["reconstruction error"].value == pytest.approx(error, rel=1e-4)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), rank=st.integers(1, 4))
def test_no_map_of_that_rank_is_better(seed, rank):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(60, 5))
    y = x @ rng.normal(size=(5, 4)) + rng.normal(size=(60, 4))
    ones = np.ones((60, 1))
    guesses = [reduced_rank(x, y, one, x, ones, ones) for one in range(1, 5)]
    errors = [np.square(guess - y).sum() for guess in guesses]
    assert (np.diff(errors) <= 1e-9).all()
    centred = guesses[rank - 1] - y.mean(0)
    assert np.linalg.matrix_rank(centred, tol=1e-8) <= rank
    other = (x - x.mean(0)) @ rng.normal(size=(5, rank))
    best, *_ = np.linalg.lstsq(other, y - y.mean(0), rcond=None)
    assert errors[rank - 1] <= np.square(other @ best - (y - y.mean(0))).sum() + 1e-9


def test_a_forecast_has_persistence_and_ridge():
    run = fit(mdnb.Forecast(steps=2), window=mdnb.Window(length=3))
    models = mdnb.baselines(run, features())
    assert list(models) == ["persistence", "ridge regression", "MLP"]
    found = []
    for number in run.split["test"]["trajectories"]:
        own = run.scaler.transform(features().flat()[features().trajectory == number])
        found.append(np.square(np.stack([own[3:-1] - own[2:-2], own[4:] - own[2:-2]])).mean((0, 2)))
    assert models["persistence"]["forecast error"].value == pytest.approx(np.concatenate(found).mean(), rel=1e-5)
    assert models["ridge regression"]["forecast error"].value < models["persistence"]["forecast error"].value


def test_refusals():
    with pytest.raises(
        SpecError, match=r"this CNN has no slow modes to compare with; train it with objective=mdnb\.SlowModes"
    ):
        mdnb.linear_modes(trained("CNN"), features())
    run = fit(mdnb.SlowModes(lag_time=LAG), epochs=1)
    with pytest.raises(SpecError, match="unknown linear method 'PCA'"):
        mdnb.linear_modes(run, features(), "PCA")
    with pytest.raises(DataError, match="the CNN was trained on 'basin of ALA2'; give the same target"):
        mdnb.baselines(trained("CNN"), features())
    with pytest.raises(DataError, match="a GAN predicts nothing"):
        mdnb.baselines(trained("GAN"), features("internal-coordinates"))

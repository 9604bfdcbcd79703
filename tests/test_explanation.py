"""Explanations against the truth: exact Shapley values, linear models, planted causes."""

from dataclasses import replace
from functools import cache
from itertools import combinations
from math import factorial

import matplotlib as mpl
import numpy as np
import pytest
import shap
import torch
from learning_fixtures import FAST, families, family_features, features, fit_family, trained, trajectories
from torch import nn

import mdnb
from mdnb.errors import DataError, MissingDependencyError, SpecError
from mdnb.explanation import METHODS
from mdnb.models.base import Model

FAMILIES = families()
LIBRARIES = [name for name in METHODS if name.startswith(("captum", "shap"))]


class Linear(Model):
    """A model whose attributions are known exactly."""

    def __init__(self, n_inputs: int) -> None:
        super().__init__()
        self.head = nn.Linear(n_inputs, 3)

    def losses(self, batch, group):
        raise NotImplementedError

    def score(self, x):
        return self.head(x.flatten(1))


def linear_run(run: mdnb.Run) -> mdnb.Run:
    """Return the run with a linear model of random weights instead of its own."""
    torch.manual_seed(1)
    return replace(run, model=Linear(run.window.length * int(np.prod(run.task.shape))).eval())


def spread(run: mdnb.Run, data: mdnb.Features, n: int = 30) -> np.ndarray:
    """Return last frames of windows, spread over all of the data."""
    windows = run.samples(data).frames
    return windows[np.linspace(0, len(windows) - 1, n).astype(int), -1]


def exact_shapley(function, x: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Return the Shapley values of one row by enumeration of all coalitions."""
    n = len(x)

    @cache
    def worth(members) -> float:
        rows = background.copy()
        rows[:, list(members)] = x[list(members)]
        return function(rows).mean()

    values = np.zeros(n)
    for own in range(n):
        others = [i for i in range(n) if i != own]
        for size in range(n):
            weight = factorial(size) * factorial(n - size - 1) / factorial(n)
            for members in combinations(others, size):
                values[own] += weight * (worth(tuple(sorted((*members, own)))) - worth(members))
    return values


# --- it adds up ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_additivity(family):
    run, data = trained(family), family_features(family)
    explanation = mdnb.explain(run, data)
    assert explanation.additivity_error() <= 0.01
    assert len(explanation.values) == 100
    total = explanation.values.reshape(100, -1).sum(1)
    span = np.ptp(np.append(explanation.prediction, explanation.base_value))
    assert np.abs(total + explanation.base_value - explanation.prediction).max() <= 0.01 * span
    assert f"additivity error {explanation.additivity_error():.2%}" in repr(explanation)


@pytest.mark.parametrize("tolerance", [0.05, 0.002])
def test_a_smaller_tolerance_is_held(tolerance):
    explanation = mdnb.explain(trained("RNN"), features(), tolerance=tolerance)
    assert explanation.additivity_error() <= tolerance


def test_additivity_error_is_measured_not_assumed():
    explanation = mdnb.explain(trained("CNN"), features())
    span = np.ptp(np.append(explanation.prediction, explanation.base_value))
    wrong = explanation.values.copy()
    wrong[4, 0] += 0.5 * span
    assert replace(explanation, values=wrong).additivity_error() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("family", ["CNN", "RNN"])
def test_linear_model_is_explained_exactly(method, family):
    data = features()
    if method in LIBRARIES:
        pytest.importorskip("captum" if "captum" in method else "shap")
    if method == "exact" and family == "RNN":
        pytest.skip("16 inputs are too many to enumerate")
    close = 0.1 if method in ("shap-gradient", "captum-gradientshap") else 1e-4  # these draw points at random
    run = linear_run(trained(family))
    background = run.samples(data).frames[::200][:10]
    explanation = mdnb.explain(run, data, frames=spread(run, data, 5), background=background, method=method, output=1)
    x = run.inputs(data, run.samples(data).frames).numpy()
    own = {int(row[-1]): values for row, values in zip(run.samples(data).frames, x, strict=True)}
    weights = run.model.head.weight[1].detach().numpy().reshape(x.shape[1:])
    middle = run.inputs(data, background).numpy().mean(0)
    expected = np.stack([weights * (own[int(frame)] - middle) for frame in explanation.frames])
    assert np.allclose(explanation.values.reshape(expected.shape), expected, atol=close)
    assert explanation.base_value == pytest.approx(
        float((middle * weights).sum() + run.model.head.bias[1].detach()), abs=1e-4
    )


# --- against Shapley values ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network():
    """A nonlinear network of four inputs, samples of it and a background."""
    data = features()
    run = fit_family("CNN", epochs=20)
    windows = run.samples(data).frames
    return run, data, spread(run, data, 40), windows[np.random.default_rng(1).choice(len(windows), 40, replace=False)]


@pytest.fixture(scope="module")
def truth(network):
    run, data, frames, background = network

    def function(rows):
        with torch.no_grad():
            batch = torch.from_numpy(np.asarray(rows, np.float32)).reshape(-1, 1, *run.task.shape)
            return run.model.score(batch)[:, 1].double().numpy()

    x = run.inputs(data, frames[:, None]).flatten(1).numpy()
    behind = run.inputs(data, background).flatten(1).numpy()
    return function, x, behind, np.stack([exact_shapley(function, row, behind) for row in x])


def test_enumeration_is_what_shap_finds(truth):
    function, x, behind, expected = truth
    found = shap.ExactExplainer(function, shap.maskers.Independent(behind, max_samples=len(behind)))(x[:10])
    assert np.allclose(found.values, expected[:10], atol=1e-4)


def test_expected_gradients_are_near_shapley_values(network, truth):
    """Not equal: they integrate along straight paths (Aumann-Shapley). Correlation measured: 0.99."""
    run, data, frames, background = network
    explanation = mdnb.explain(run, data, frames=frames, background=background, output=1)
    correlation = np.corrcoef(explanation.values.ravel(), truth[3].ravel())[0, 1]
    assert correlation > 0.95
    assert explanation.prediction == pytest.approx(truth[0](truth[1]), abs=1e-4)
    assert explanation.base_value == pytest.approx(truth[0](truth[2]).mean(), abs=1e-4)


def test_permutation_is_shapley_values(network, truth):
    run, data, frames, background = network
    explanation = mdnb.explain(run, data, frames=frames[:10], background=background, output=1, method="permutation")
    assert np.corrcoef(explanation.values.ravel(), truth[3][:10].ravel())[0, 1] > 0.99
    assert explanation.additivity_error() < 0.01


@pytest.mark.parametrize("method", METHODS)
def test_an_input_that_is_not_used_gets_nothing(method):
    if method in LIBRARIES:
        pytest.importorskip("captum" if "captum" in method else "shap")
    data = features()
    run = linear_run(trained("CNN"))
    with torch.no_grad():
        run.model.head.weight[:, 2] = 0
    explanation = mdnb.explain(run, data, frames=spread(run, data, 5), method=method)
    assert np.abs(explanation.values[:, 2]).max() < 1e-6
    assert np.abs(explanation.values[:, [0, 1, 3]]).min(1).max() > 0


def test_methods_do_not_touch_the_global_random_state():
    np.random.seed(3)  # noqa: NPY002 - it is the global state that must not change
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    run = trained("CNN")
    for method in set(METHODS) - set(LIBRARIES) | {"shap-gradient"}:
        mdnb.explain(run, features(), frames=spread(run, features(), 2), method=method)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


# --- a planted cause -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cause", ["phi ALA2", "psi ALA2"])
@pytest.mark.parametrize("family", ["CNN", "RNN"])
def test_the_planted_torsion_ranks_first(cause, family):
    data = features()
    label = (data.column(f"sin {cause}") > np.median(data.column(f"sin {cause}"))).astype(int)
    run = fit_family(family, target=label, epochs=10)
    assert run.scores["balanced accuracy"].value > 0.9
    ranking = mdnb.explain(run, data).by_feature()
    assert next(iter(ranking)) == cause
    first, second = list(ranking.values())
    assert first > 2 * second


def test_the_planted_distance_is_found_among_many():
    data = features("distances")
    cause = data.columns[7]
    label = (data.column(cause.name) > np.median(data.column(cause.name))).astype(int)
    run = mdnb.fit(data, label, mdnb.CNN(channels=4, layers=1, hidden=16), mdnb.Training(epochs=15, **FAST))
    assert run.scores["balanced accuracy"].value > 0.85
    explanation = mdnb.explain(run, data)
    assert next(iter(explanation.by_feature())) == cause.group
    atoms = explanation.by_atom()
    assert set(np.argsort(-atoms)[:4]) & set(cause.atom_indices)


def test_the_planted_time_is_found():
    """The label depends on the first frame of four only."""
    data = features()
    past = np.roll((data.column("sin psi ALA2") > 0.3).astype(int), 3)
    run = fit_family("RNN", target=past, epochs=15, window=mdnb.Window(length=4))
    assert run.scores["balanced accuracy"].value > 0.85
    times = mdnb.explain(run, data).over_time()
    assert times.argmax() == 0
    assert times[0] > 2 * times[1:].max()


# --- sums ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def explanation():
    return mdnb.explain(trained("RNN"), features())


def test_by_feature_sums_sine_and_cosine(explanation):
    by_column = explanation.values.sum(1)  # over the window
    assert explanation.by_feature() == pytest.approx(
        {
            "phi ALA2": np.abs(by_column[:, :2].sum(1)).mean(),
            "psi ALA2": np.abs(by_column[:, 2:].sum(1)).mean(),
        }
    )
    assert list(explanation.by_feature().values()) == sorted(explanation.by_feature().values(), reverse=True)


def test_by_atom_keeps_the_sum(explanation):
    for sample in (0, 7):
        atoms = explanation.by_atom(sample)
        assert atoms.shape == (22,)
        assert atoms.sum() == pytest.approx(explanation.values[sample].sum(), abs=1e-4)
    shares = np.zeros(22)
    for number, column in enumerate(explanation.columns):
        for atom in column.atom_indices:
            shares[atom] += explanation.values[3, :, number].sum() / len(column.atom_indices)
    assert explanation.by_atom(3) == pytest.approx(shares, abs=1e-6)
    signed = np.stack([explanation.by_atom(sample) for sample in range(100)])
    assert explanation.by_atom() == pytest.approx(np.abs(signed).mean(0))


def test_by_residue_sums_the_atoms_of_each(explanation):
    residues = explanation.by_residue()
    assert list(residues) == ["ACE1", "ALA2", "NME3"]
    signed = np.stack([explanation.by_atom(sample) for sample in range(100)])
    for residue in explanation.topology.residues:
        own = signed[:, [atom.index for atom in residue.atoms]].sum(1)
        assert residues[str(residue)] == pytest.approx(np.abs(own).mean())


def test_over_time(explanation):
    assert explanation.over_time() == pytest.approx(np.abs(explanation.values.sum(2)).mean(0))
    assert explanation.over_time().shape == (4,)
    assert mdnb.explain(trained("CNN"), features()).over_time().shape == (1,)


def test_atoms_of_positions_keep_their_sum():
    data = features("positions")
    run = fit_family("CNN", data=data, epochs=3)
    explanation = mdnb.explain(run, data)
    assert explanation.values.shape == (100, *data.shape)
    heavy = sorted({column.atom_indices[0] for column in explanation.columns})
    assert np.allclose(explanation.by_atom(0)[heavy], explanation.values[0].sum(1), atol=1e-6)
    assert np.abs(np.delete(explanation.by_atom(0), heavy)).max() == 0


@pytest.mark.parametrize("family", ["CNN", "RNN"])
def test_to_shap_can_be_plotted(family):
    explanation = mdnb.explain(trained(family), features())
    converted = explanation.to_shap()
    assert isinstance(converted, shap.Explanation)
    assert converted.values.shape == (100, explanation.values[0].size)
    assert len(set(converted.feature_names)) == explanation.values[0].size
    if family == "RNN":
        assert converted.feature_names[0] == "sin phi ALA2 t-3"
        assert converted.feature_names[-1] == "cos psi ALA2 t+0"
    assert converted.data.ravel() == pytest.approx(explanation.data.ravel())
    figure = mpl.figure.Figure()
    shap.plots.beeswarm(converted, show=False, ax=figure.add_subplot(), plot_size=None)
    assert figure.axes[0].get_yticklabels()


# --- what is explained, against what ---------------------------------------------------------------------------------


def test_so_many_windows_as_asked():
    run, data = trained("RNN"), features()
    explanation = mdnb.explain(run, data, n=7)
    assert len(explanation.values) == 7
    assert len(set(explanation.frames)) == 7
    assert len(mdnb.explain(run, data, n=10**6).values) == run.in_part(data, run.samples(data).frames, "test").sum()
    with pytest.raises(SpecError, match="n = 0"):
        mdnb.explain(run, data, n=0)


def test_test_samples_are_explained_by_default():
    run, data = trained("CNN"), features()
    explanation = mdnb.explain(run, data)
    assert set(data.trajectory[explanation.frames]) == set(run.split["test"]["trajectories"])


def test_background_comes_from_the_training_part(monkeypatch):
    run, data = trained("CNN"), features()
    seen, right = [], mdnb.explanation.METHODS["expected-gradients"]
    monkeypatch.setitem(
        METHODS, "expected-gradients", lambda problem: seen.append(problem.background) or right(problem)
    )
    explanation = mdnb.explain(run, data)
    assert explanation.background == "50 windows drawn from 5 training trajectories"
    (base,) = seen
    everything = run.scaler.transform(data.values)
    found = [int(np.flatnonzero((everything == row).all(1))[0]) for row in base[:, 0].numpy()]
    trajectory, counts = np.unique(data.trajectory[found], return_counts=True)
    assert set(trajectory) == set(run.split["train"]["trajectories"])
    assert counts.tolist() == [10] * 5


def test_block_split_explains_the_held_out_block_against_the_training_block():
    data = mdnb.featurize(trajectories(5)[:1])
    run = mdnb.fit(data, "basin", mdnb.CNN(channels=4, layers=1), mdnb.Training(epochs=2, **FAST))
    explanation = mdnb.explain(run, data)
    assert explanation.frames.min() > run.train_frames.max()
    assert "from 1 training trajectories" in explanation.background


def test_features_of_other_trajectories_are_not_called_training():
    run = trained("CNN")
    explanation = mdnb.explain(run, mdnb.featurize(trajectories()[2:4]))
    assert "the training ones are not among these features" in explanation.background


def test_background_seed_matters_little_and_is_kept():
    run, data = trained("CNN"), features()
    one, same, other = (mdnb.explain(run, data, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(one.values, same.values)
    assert not np.array_equal(one.values, other.values)
    assert np.corrcoef(one.values.ravel(), other.values.ravel())[0, 1] > 0.9


def test_output_by_name_number_or_default():
    run, data = trained("CNN"), features()
    frames = spread(run, data)
    named = mdnb.explain(run, data, frames=frames, output="left-handed")
    numbered = mdnb.explain(run, data, frames=frames, output=2)
    assert np.array_equal(named.values, numbered.values)
    assert named.output == "logit of 'left-handed' (basin of ALA2)"
    with torch.no_grad():
        assert named.prediction == pytest.approx(run.model.score(run.inputs(data, frames[:, None]))[:, 2].numpy())
    usual = np.bincount(run.predict(data)[frames]).argmax()
    assert mdnb.explain(run, data, frames=frames).output.startswith(f"logit of '{run.target.classes[usual]}'")


def test_real_target_is_explained_in_its_unit():
    data = features()
    run = fit_family("CNN", target="end-to-end-distance", epochs=10)
    explanation = mdnb.explain(run, data, frames=spread(run, data))
    assert explanation.output == "end-to-end distance (nm)"
    assert explanation.prediction == pytest.approx(run.predict(data)[explanation.frames], abs=1e-5)
    assert explanation.additivity_error() < 0.01


def test_data_are_in_their_own_units():
    run, data = trained("CNN"), features()
    explanation = mdnb.explain(run, data, frames=[5, 17])
    assert np.array_equal(explanation.data, data.values[[5, 17]])
    assert explanation.frames.tolist() == [5, 17]


def test_clear_errors():
    run, data = trained("RNN"), features()
    with pytest.raises(SpecError, match="unknown explanation method 'gradient'"):
        mdnb.explain(run, data, method="gradient")
    with pytest.raises(SpecError, match="unknown class 'left-hand': did you mean 'left-handed'"):
        mdnb.explain(run, data, output="left-hand")
    with pytest.raises(SpecError, match="output = 3 does not exist; the model has outputs 0 to 2"):
        mdnb.explain(run, data, output=3)
    with pytest.raises(DataError, match="frame 2 does not end a whole window of 4 frames"):
        mdnb.explain(run, data, frames=[2])
    with pytest.raises(DataError, match="expected one or more whole numbers"):
        mdnb.explain(run, data, frames=[])
    with pytest.raises(DataError, match="expected one or more whole numbers"):
        mdnb.explain(run, data, frames=[1.5])
    with pytest.raises(DataError, match="trained on frames of shape"):
        mdnb.explain(run, features("positions"))


class TestSlips:
    def test_not_a_run_or_no_features(self):
        with pytest.raises(DataError, match="got 'Features' as a run"):
            mdnb.explain(features(), trained("CNN"))
        with pytest.raises(DataError, match=r"got 'Trajectories', expected Features: give mdnb\.featurize"):
            mdnb.explain(trained("CNN"), trajectories())

    @pytest.mark.parametrize("n", ["5", 2.5, True, 0, None])
    def test_n(self, n):
        with pytest.raises(SpecError, match=r"n = .*: expected the number of windows to explain"):
            mdnb.explain(trained("CNN"), features(), n=n)

    @pytest.mark.parametrize("background", [[10**7], [-1], [0.5], [], ["a"], [[1, 2]], 3])
    def test_background(self, background):
        with pytest.raises(DataError, match=r"background"):
            mdnb.explain(trained("CNN"), features(), n=2, background=background)


# --- parts and words -------------------------------------------------------------------------------------------------


def test_only_some_samples():
    run, data = trained("RNN"), features()
    explanation = mdnb.explain(run, data, n=30)
    some = explanation.only(explanation.prediction > np.median(explanation.prediction))
    assert len(some.values) == 15
    assert np.array_equal(some.frames, explanation.frames[explanation.prediction > np.median(explanation.prediction)])
    assert some.problem.prediction == pytest.approx(some.prediction)
    assert some.faithfulness().n_samples == 15
    with pytest.raises(DataError, match="none of the 30 samples is chosen"):
        explanation.only(explanation.prediction > np.inf)


def test_in_words():
    explanation = mdnb.explain(fit_family("CNN", epochs=15), features(), output="extended")
    words = explanation.in_words()
    assert words.startswith("Of 2 feature groups, the logit of 'extended' (basin of ALA2) depends most on psi ALA2 (")
    assert "The first is ahead of the second beyond their intervals." in words
    assert "WARNING" not in words
    noise = replace(explanation, values=np.random.default_rng(0).normal(size=explanation.values.shape), _checked={})
    assert "WARNING: the explanation is no better than chance" in noise.in_words()


def test_the_output_can_be_asked_for_again():
    run, data = trained("CNN"), features()
    explanation = mdnb.explain(run, data, n=5)
    assert mdnb.explain(run, data, n=5, output=explanation.asked).output == explanation.output


def test_outputs_of_what_learns_without_labels():
    data = family_features("VAE")
    latent = mdnb.explain(trained("VAE"), data, n=3, output=2)
    assert latent.output == "VAE: latent 2"
    with torch.no_grad():
        assert latent.prediction == pytest.approx(trained("VAE").outputs(data, latent.frames[:, None])[:, 2], abs=1e-5)
    rebuilt = mdnb.explain(trained("VAE"), data, n=3, output="reconstruction error")
    x = trained("VAE").inputs(data, rebuilt.frames[:, None])
    with torch.no_grad():
        error = (trained("VAE").model.reconstruct(x).flatten(1) - x.flatten(1)).square().mean(1)
    assert rebuilt.prediction == pytest.approx(error.numpy(), rel=1e-4)
    assert mdnb.explain(trained("GAN"), data, n=3).output == "GAN: score of the critic"
    rebuilt = mdnb.explain(trained("GAN"), data, n=3, output="reconstruction error")
    assert (rebuilt.prediction > 0).all()
    slow = mdnb.fit(
        features(), spec=mdnb.RNN(hidden=8), training=mdnb.Training(epochs=1), objective=mdnb.SlowModes(lag_time=40)
    )
    assert mdnb.explain(slow, features(), n=3).output == "RNN: slow mode 0"


def test_a_tolerance_that_is_not_met_is_said():
    """Rounding alone is more than this."""
    explanation = mdnb.explain(trained("CNN"), features(), n=5, tolerance=1e-9)
    assert "the integration stopped at an additivity error of" in explanation.notes[0]
    assert "note: the integration stopped" in repr(explanation)
    with pytest.raises(SpecError, match="tolerance = 0: expected a share"):
        mdnb.explain(trained("CNN"), features(), tolerance=0)


def test_a_method_of_a_package_that_is_not_there(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'mdnb\[explain\]'"):
        mdnb.explain(trained("CNN"), features(), n=2, method="captum-gradientshap")

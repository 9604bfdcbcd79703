"""Rollouts: the distribution of what follows, trajectories drawn from it, and their check against simulations."""

from dataclasses import replace
from functools import cache

import mdtraj
import numpy as np
import pytest
import torch
from learning_fixtures import features, trained, trajectories

import mdnb
from mdnb.errors import DataError, SpecError
from mdnb.features.base import Column
from mdnb.models.objectives.propagate import _count_jumps, most_components

STEP = 4.0  # ps
FAST = mdnb.Training(epochs=8, batch_size=256)
LONG = mdnb.Training(epochs=15, patience=15, batch_size=128, learning_rate=5e-3)


def made(values: np.ndarray) -> mdnb.Features:
    """Return numbers as features of eight trajectories of 1,500 frames, 4 ps apart."""
    values = values.reshape(len(values), -1).astype(np.float32)
    columns = tuple(Column(f"x{number}", "", ()) for number in range(values.shape[1]))
    return replace(features(stride=2), values=values, columns=columns, featurizers=("made",), code="")


@cache
def ornstein_uhlenbeck(memory: float = 0.9) -> mdnb.Features:
    """Return an AR(1) process of mean 3 and standard deviation 2."""
    rng = np.random.default_rng(0)
    paths = np.empty((8, 1500))
    paths[:, 0] = rng.normal(size=8)
    for t in range(1, 1500):
        paths[:, t] = memory * paths[:, t - 1] + np.sqrt(1 - memory**2) * rng.normal(size=8)
    return made(3 + 2 * paths.ravel())


@cache
def two_states() -> mdnb.Features:
    """Return two Gaussians in the plane, left for each other with probabilities 0.03 and 0.09 a frame."""
    rng = np.random.default_rng(0)
    state = np.empty((8, 1500), int)
    state[:, 0] = rng.random(8) < 0.25
    for t in range(1, 1500):
        leaves = rng.random(8) < np.where(state[:, t - 1] == 0, 0.03, 0.09)
        state[:, t] = np.where(leaves, 1 - state[:, t - 1], state[:, t - 1])
    return made(np.array([[-1, 0], [1, 0.5]])[state.ravel()] + 0.2 * rng.normal(size=(12_000, 2)))


@cache
def propagator(name: str) -> mdnb.Run:
    data = {"one": ornstein_uhlenbeck, "two": two_states}[name]()
    return mdnb.fit(
        data,
        spec=mdnb.MLP(hidden=32),
        training=LONG if name == "one" else FAST,
        objective=mdnb.Propagate(components=12),
    )


# --- known processes -------------------------------------------------------------------------------------------------


def test_an_ornstein_uhlenbeck_process_keeps_mean_width_and_memory():
    run, data = propagator("one"), ornstein_uhlenbeck()
    rolled = mdnb.rollout(run, data, 2000, 16).values[..., 0]
    later = rolled[:, 50:]
    assert later.mean() == pytest.approx(3, abs=0.3)
    assert later.std() == pytest.approx(2, rel=0.1)
    memory = np.corrcoef(later[:, :-1].ravel(), later[:, 1:].ravel())[0, 1]
    assert -1 / np.log(memory) == pytest.approx(-1 / np.log(0.9), rel=0.2)


def test_its_log_likelihood_is_nearly_the_best_there_is():
    """That of the true transition density, in units of the scaled numbers."""
    best = -0.5 * np.log(2 * np.pi * np.e * (1 - 0.9**2))
    found = propagator("one").scores["log likelihood"].value
    assert best - 0.08 < found < best + 0.03
    run, data = propagator("one"), ornstein_uhlenbeck()
    ahead = run.predict(data)[:, 0, 0]
    assert np.abs(ahead - (3 + 0.9 * (data.values[:, 0] - 3))).mean() < 0.15


def test_the_baselines_of_a_linear_process_are_as_good_and_those_of_jumps_are_not():
    linear = mdnb.baselines(propagator("one"), ornstein_uhlenbeck())
    best = -0.5 * np.log(2 * np.pi * np.e * (1 - 0.9**2))
    assert linear["linear Gaussian"]["log likelihood"].value == pytest.approx(best, abs=0.03)
    assert linear["independent Gaussian"]["log likelihood"].value == pytest.approx(-1.42, abs=0.1)
    jumps = mdnb.baselines(propagator("two"), two_states())
    assert jumps["MLP"]["log likelihood"].minus(jumps["linear Gaussian"]["log likelihood"]).low > 0


def test_two_states_keep_their_populations_and_their_timescale():
    run, data = propagator("two"), two_states()
    rolled = mdnb.rollout(run, data, 3000, 16)
    found = mdnb.compare_dynamics(rolled.features(), data, [STEP, 3 * STEP], n_states=2, n_clusters=10)
    truth = -STEP / np.log(1 - 0.12)
    assert found.timescales["drawn"].values[:, 0] == pytest.approx(truth, rel=0.25)
    assert found.timescales["simulated"].values[:, 0] == pytest.approx(truth, rel=0.2)
    assert (found.factors > 0.7).all()
    assert (found.factors < 1.4).all()
    assert found.populations["drawn"][0] == pytest.approx([0.75, 0.25], abs=0.06)
    assert found.populations_agree.all()
    gap = np.abs(rolled.values[..., 0]) < 0.3  # the chain has no frame between the states, but noise has a few
    assert gap.mean() < 0.02
    assert found.distance < 0.15
    assert not rolled.notes


def test_jumps_are_counted_although_the_gaussians_overlap():
    """Memberships of frames in Gaussians that overlap see jumps that are none; expectation maximization does not."""
    rng = np.random.default_rng(0)
    true = np.array([[0.95, 0.05], [0.15, 0.85]])
    state = np.zeros(40_000, int)
    for t in range(1, len(state)):
        state[t] = rng.random() < true[state[t - 1], 1]
    x = 2.4 * state + rng.normal(size=len(state))
    near = torch.tensor(np.stack([-0.5 * x**2, -0.5 * (x - 2.4) ** 2], 1))
    sites = torch.softmax(near + torch.log(torch.tensor([0.75, 0.25])), 1)
    found = _count_jumps(sites[:-1], near[1:]).numpy()
    naive = (sites[:-1].T @ sites[1:]).numpy()
    naive /= naive.sum(1, keepdims=True)
    assert found.sum(1) == pytest.approx([1, 1])
    assert np.abs(np.diag(found) - np.diag(true)).max() < 0.03 < np.abs(np.diag(naive) - np.diag(true)).max()


def test_the_rates_are_there_before_the_network_is():
    """After a training that changes nothing, the jumps alone have the populations and the timescale."""
    data = two_states()
    run = mdnb.fit(
        data, spec=mdnb.MLP(hidden=8), training=replace(FAST, epochs=1, learning_rate=1e-9),
        objective=mdnb.Propagate(components=12),
    )  # fmt: skip
    rolled = mdnb.rollout(run, data, 2000, 16)
    found = mdnb.compare_dynamics(rolled.features(), data, [STEP, 3 * STEP], n_states=2, n_clusters=10)
    assert found.factors == pytest.approx(1, abs=0.2)
    assert found.populations_agree.all()


def test_there_are_as_many_gaussians_as_the_frames_can_tell_apart():
    assert most_components(100_000, 2, 40) == 40
    assert most_components(16_000, 10, 40) == 24  # ten frames for each of the 66 numbers of one
    assert most_components(3_000, 60, 40) == 9
    assert most_components(10, 3, 40) == 1


def test_a_longer_lag_is_one_step_of_a_rollout():
    data = ornstein_uhlenbeck()
    objective = mdnb.Propagate(lag_time=3 * STEP, components=12)
    run = mdnb.fit(data, spec=mdnb.MLP(hidden=32), training=LONG, objective=objective)
    rolled = mdnb.rollout(run, data, 500, 16)
    assert rolled.time_step == 3 * STEP
    assert rolled.time[:2].tolist() == [12.0, 24.0]
    paths = rolled.values[..., 0]
    assert np.corrcoef(paths[:, :-1].ravel(), paths[:, 1:].ravel())[0, 1] == pytest.approx(0.9**3, abs=0.06)


@pytest.mark.parametrize("spec", [mdnb.RNN(hidden=16, dropout=0.0), mdnb.CNNRNN(channels=4, convolutions=1, hidden=12)])
def test_windows_of_several_frames(spec):
    data = two_states()
    run = mdnb.fit(
        data, spec=spec, training=replace(FAST, epochs=3), window=mdnb.Window(length=4),
        objective=mdnb.Propagate(components=8),
    )  # fmt: skip
    rolled = mdnb.rollout(run, data, 400, 8)
    assert rolled.values.shape == (8, 400, 2)
    assert 0.1 < (rolled.values[..., 0] > 0).mean() < 0.5


# --- rollouts --------------------------------------------------------------------------------------------------------


def test_a_rollout_is_repeated_by_its_seed_and_its_trajectories_differ():
    run, data = propagator("two"), two_states()
    one, same, other = (mdnb.rollout(run, data, 30, 4, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.values, same.values)
    assert not np.array_equal(one.values, other.values)
    assert not np.allclose(one.values[0], one.values[1])


def test_it_begins_where_it_is_told_to_or_in_the_training_part():
    run, data = propagator("two"), two_states()
    assert np.isin(mdnb.rollout(run, data, 2, 50).starts, run.train_frames).all()
    left, right = (int(np.flatnonzero(side)[7]) for side in (data.values[:, 0] < -0.8, data.values[:, 0] > 0.8))
    rolled = mdnb.rollout(run, data, 1, 200, frames=np.repeat([left, right], 100))
    assert (rolled.values[:100, 0, 0] < 0).mean() > 0.9
    assert (rolled.values[100:, 0, 0] > 0).mean() > 0.8


def test_a_rollout_as_features_keeps_the_boundaries():
    rolled = mdnb.rollout(propagator("two"), two_states(), 50, 3)
    data = rolled.features()
    assert data.shape == (2,)
    assert np.bincount(data.trajectory).tolist() == [50, 50, 50]
    assert np.array_equal(data.values[50:100], rolled.values[1])
    assert data.time[50:52].tolist() == [STEP, 2 * STEP]
    assert mdnb.timescales(None, data, [STEP], functions=data.values[:, :1], part="all").block_time > 0


def test_frames_outside_the_training_data_are_counted_and_said():
    rolled = mdnb.rollout(propagator("two"), two_states(), 100, 4)
    away = rolled.outside.copy()
    away[:, 60:] = True
    text = repr(replace(rolled, outside=away))
    assert "of the frames lie outside the training data (1% of real ones do)" in text
    assert "it grows: the rollout drifts away" in text
    assert rolled.outside.mean() < 0.04


@pytest.mark.parametrize(
    ("error", "sentence", "call"),
    [
        (SpecError, r"this CNN does not say what follows", lambda run, data: mdnb.rollout(trained("CNN"), features())),
        (DataError, r"got 'int' as a run", lambda run, data: mdnb.rollout(3, data)),
        (SpecError, r"n_frames = 0: expected", lambda run, data: mdnb.rollout(run, data, 0)),
        (SpecError, r"n_trajectories = 1\.5: expected", lambda run, data: mdnb.rollout(run, data, 5, 1.5)),
        (DataError, r"was trained on frames of shape \(2,\)", lambda run, data: mdnb.rollout(run, features(), 5)),
        (
            DataError,
            r"got 1 starting frames for 2 trajectories; they do not fit",
            lambda run, data: mdnb.rollout(run, data, 5, 2, frames=[4]),
        ),
        (
            DataError,
            r"no window of 1 ends with frame 99999",
            lambda run, data: mdnb.rollout(run, data, 5, 1, frames=[99999]),
        ),
        (
            DataError,
            r"the decoder makes structures of latents of VAE",
            lambda run, data: mdnb.rollout(run, data, 5, 1, decoder=trained("VAE")),
        ),
        (SpecError, r"a CNN has no latents", lambda run, data: mdnb.rollout(run, data, 5, 1, decoder=trained("CNN"))),
        (DataError, r"has no structures; give", lambda run, data: mdnb.rollout(run, data, 5, 1).trajectories),
        (
            SpecError,
            r"8 ps is 2 frames, but the 3 frames of a window are one apart",
            lambda run, data: mdnb.fit(
                data, spec="RNN", window=mdnb.Window(length=3), objective=mdnb.Propagate(lag_time=8.0)
            ),
        ),
        (SpecError, r"lag_times is empty", lambda run, data: mdnb.compare_dynamics(data, data, [])),
        (
            SpecError,
            r"4 clusters cannot be joined to 5 states",
            lambda run, data: mdnb.compare_dynamics(data, data, [STEP], n_states=5, n_clusters=4),
        ),
        (
            DataError,
            r"featurize both with the same names",
            lambda run, data: mdnb.compare_dynamics(data, features(), [STEP]),
        ),
    ],
)
def test_what_is_refused(error, sentence, call):
    with pytest.raises(error, match=sentence):
        call(propagator("two"), two_states())


# --- structures ------------------------------------------------------------------------------------------------------


@cache
def decoded() -> mdnb.Rollout:
    latents = mdnb.latents(trained("VAE"), features("internal-coordinates"))
    run = mdnb.fit(
        latents, spec=mdnb.MLP(hidden=16), training=replace(FAST, epochs=2), objective=mdnb.Propagate(components=6)
    )
    return mdnb.rollout(run, latents, 40, 3, decoder=trained("VAE"))


def test_latents_are_features_with_the_boundaries_of_the_frames():
    data = features("internal-coordinates")
    latents = mdnb.latents(trained("VAE"), data)
    assert np.array_equal(latents.values, trained("VAE").encode(data))
    assert np.array_equal(latents.trajectory, data.trajectory)
    assert latents.names[:2] == ("latent 0", "latent 1")
    with pytest.raises(SpecError, match="a CNN has no latents"):
        mdnb.latents(trained("CNN"), data)


def test_decoded_frames_are_structures_with_times_and_checks():
    rolled = decoded()
    parts = rolled.trajectories
    assert [part.n_frames for part in parts] == [40, 40, 40]
    assert parts[2].time[:2].tolist() == [20.0, 40.0]
    assert len(rolled.generated) == 120
    assert rolled.generated.checks["bonds"].mean() > 0.9
    source = rolled.load()
    assert source.lengths == (40, 40, 40)
    assert source.time_step == 20.0
    torsions = mdnb.featurize(source, "torsions")
    found = mdnb.compare_dynamics(torsions, features(), [20.0], n_states=2, n_clusters=8, n_bootstrap=20)
    assert {"what", "simulated", "drawn low"} <= found.table()[0].keys()
    assert "populations agree within their 95% intervals" in repr(found)
    assert "all checks" in repr(rolled)


def test_saved_trajectories_are_read_by_mdtraj(tmp_path):
    folder = decoded().save(tmp_path / "rolled")
    assert sorted(path.name for path in folder.iterdir()) == [
        *(f"rollout-00{number}.xtc" for number in range(3)),
        "topology.pdb",
    ]
    again = mdtraj.load(str(folder / "rollout-001.xtc"), top=str(folder / "topology.pdb"))
    assert again.xyz == pytest.approx(decoded().trajectories[1].xyz, abs=2e-3)
    assert again.time == pytest.approx(decoded().time)


# --- the comparison itself -------------------------------------------------------------------------------------------


def test_simulations_agree_with_themselves_and_not_with_shuffled_ones():
    data = two_states()
    halves = data.of_trajectories(range(4)), data.of_trajectories(range(4, 8))
    same = mdnb.compare_dynamics(*halves, [STEP], n_states=2, n_clusters=10)
    assert same.populations_agree.all()
    assert 0.7 < same.factors[0] < 1.4
    rows = np.random.default_rng(0).permutation(6000)
    shuffled = replace(halves[0], values=halves[0].values[rows])
    other = mdnb.compare_dynamics(shuffled, halves[1], [STEP], n_states=2, n_clusters=10)
    assert np.isnan(other.factors[0]) or other.factors[0] < 0.3
    lopsided = replace(data, values=np.abs(data.values))
    assert not mdnb.compare_dynamics(lopsided, data, [STEP], n_states=2, n_clusters=10).populations_agree.all()


def test_populations_are_those_of_the_frames():
    data = two_states()
    found = mdnb.compare_dynamics(data, data, [STEP], n_states=2, n_clusters=10)
    right = (data.values[:, 0] > 0.15).mean()
    assert found.populations["drawn"][0, 1] == pytest.approx(right, abs=0.01)
    assert found.populations["drawn"][0].sum() == pytest.approx(1)
    assert (found.populations["drawn"][1] < found.populations["drawn"][2]).all()
    assert found.distance == pytest.approx(0, abs=1e-6)


def test_alanine_dipeptide_itself():
    """The drawn frames are real ones here: the two halves of the replicas agree within their intervals."""
    torsions = mdnb.featurize(trajectories(1), "torsions")
    found = mdnb.compare_dynamics(
        torsions.of_trajectories(range(4)), torsions.of_trajectories(range(4, 8)), [4.0, 10.0], n_states=3
    )
    assert found.populations_agree.all()
    assert (found.factors > 0.6).all()
    assert (found.factors < 1.7).all()


def test_the_figure_shows_both_with_their_intervals():
    data = two_states()
    found = mdnb.compare_dynamics(data, data, [STEP, 2 * STEP], n_states=2, n_clusters=10, n_bootstrap=20)
    figure = mdnb.figures.agreement_figure(found)
    bars = [trace for trace in figure.data if trace.type == "bar"]
    lines = [trace for trace in figure.data if trace.type == "scatter"]
    assert [trace.name for trace in bars] == ["simulated", "drawn"]
    assert np.allclose(bars[1].y, found.populations["drawn"][0])
    assert np.allclose(np.asarray(bars[1].y) + bars[1].error_y.array, found.populations["drawn"][2])
    assert np.allclose(lines[0].y, found.timescales["simulated"].values[:, 0])
    assert list(lines[0].x) == [STEP, 2 * STEP]

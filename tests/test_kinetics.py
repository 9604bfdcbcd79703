"""Timescales, the Chapman-Kolmogorov test and the lag scan against Markov chains that are solved, and deeptime."""

from dataclasses import replace

import mdtraj
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learning_fixtures import features, trained

import mdnb
from mdnb.errors import DataError, SpecError
from mdnb.features.base import Column, Features
from mdnb.kinetics.correlations import make_series

#: Three states in a row; the timescales follow from the eigenvalues.
CHAIN = np.array([[0.98, 0.02, 0.0], [0.02, 0.96, 0.02], [0.0, 0.05, 0.95]])
KNOWN = -1 / np.log(np.sort(np.linalg.eigvals(CHAIN).real)[::-1][1:])


def walk(matrix: np.ndarray, n: int, seed: int, start: int = 0) -> np.ndarray:
    """Return a path of the Markov chain."""
    draws, edges = np.random.default_rng(seed).random(n), np.cumsum(matrix, 1)
    path = np.empty(n, int)
    for step in range(n):
        path[step] = start
        start = min(int(np.searchsorted(edges[start], draws[step])), len(matrix) - 1)
    return path


def made(values: list[np.ndarray], time_step: float = 0.5) -> Features:
    """Return features of made-up trajectories, with an atom to hang them on."""
    topology = mdtraj.Topology()
    topology.add_atom("C", mdtraj.element.carbon, topology.add_residue("X", topology.add_chain()))
    files = [mdtraj.Trajectory(np.zeros((len(one), 1, 3)), topology) for one in values]
    table = np.concatenate(values).astype(np.float32)
    columns = tuple(Column(f"x{k}", "", (0,)) for k in range(table.shape[1]))
    number = np.repeat(np.arange(len(values)), [len(one) for one in values])
    time = np.concatenate([np.arange(len(one)) * time_step for one in values])
    source = mdnb.load(files, time_step=time_step)
    return Features(table, columns, number, time, ("feature",), ("made",), source)


@pytest.fixture(scope="module")
def chain() -> Features:
    paths = [walk(CHAIN, 5000, seed, seed % 3) for seed in range(12)]
    noise = np.random.default_rng(0)
    return made([np.eye(3)[path][:, :2] + 0.01 * noise.normal(size=(len(path), 2)) for path in paths])


def test_timescales_of_a_markov_chain_are_its_eigenvalues(chain):
    found = mdnb.timescales(None, chain, [0.5, 2.0, 5.0], part="all", functions=chain.values, reversible=False)
    assert found.values.shape == (3, 2)
    assert ((found.low < KNOWN * 0.5) & (found.high > KNOWN * 0.5)).all()  # frames are 0.5 ps apart
    assert found.values[0] == pytest.approx(KNOWN * 0.5, rel=0.1)
    assert (np.isfinite(found.high) & (found.high < 2 * found.values)).all()
    assert found.reliable.all()
    assert found.notes == ("frames of the training are among these",)
    assert (found.n_blocks, found.block_time) == (12, 2500.0)


def test_they_are_those_of_deeptime(chain):
    from deeptime.decomposition import TICA

    own = [chain.values[chain.trajectory == number].astype(float) for number in range(12)]
    for lag in (2, 8):
        model = TICA(lagtime=lag).fit_from_timeseries(own).fetch_model()
        found = mdnb.timescales(None, chain, [0.5 * lag], part="all", functions=chain.values)
        assert found.reversible
        assert found.values[0] == pytest.approx(0.5 * model.timescales(), rel=1e-3)


def test_what_is_gone_is_not_a_number():
    noise = [np.random.default_rng(seed).normal(size=(2000, 2)) for seed in range(6)]
    found = mdnb.timescales(None, made(noise), [1.0, 5.0], part="all", functions=np.concatenate(noise))
    assert np.isnan(found.values).any()
    assert not found.reliable.any()
    assert f"{np.isnan(found.values).sum()} of 4 timescales cannot be resolved: their mode is gone by then" in repr(
        found
    )


def test_a_mode_faster_than_the_lag_is_marked(chain):
    found = mdnb.timescales(None, chain, [0.5, 25.0], part="all", functions=chain.values)
    assert found.reliable[0].all()
    assert not found.reliable[1, 1]


@settings(max_examples=20, deadline=None)
@given(mix=st.lists(st.floats(-2, 2), min_size=4, max_size=4), shift=st.floats(-5, 5))
def test_timescales_do_not_know_the_basis(chain, mix, shift):
    """Of any other basis of the same functions they are the same."""
    turn = np.array(mix).reshape(2, 2)
    if np.linalg.cond(turn) > 100:
        return
    options = {"part": "all", "n_bootstrap": 2}
    one = mdnb.timescales(None, chain, [2.0], functions=chain.values, **options)
    other = mdnb.timescales(None, chain, [2.0], functions=chain.values @ turn + shift, **options)
    assert other.eigenvalues == pytest.approx(one.eigenvalues, rel=1e-6)


def test_pairs_never_span_two_trajectories():
    data = made([np.arange(5.0)[:, None], 100 + np.arange(3.0)[:, None]])
    pairs = make_series(None, data, data.values, "all").pairs(2, reversible=False)
    assert pairs.c00.sum(0)[0, 0] == 3 + 1
    assert pairs.c0t.sum(0)[1, 1] == 0 * 2 + 1 * 3 + 2 * 4 + 100 * 102


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """Of 40 data sets of 8 short trajectories, 95% of the intervals should hold the known timescale."""
    matrix, inside = np.array([[0.9, 0.1], [0.1, 0.9]]), 0
    known = -0.5 / np.log(0.8)
    for number in range(40):
        data = made([walk(matrix, 250, 100 * number + k)[:, None].astype(float) for k in range(8)])
        found = mdnb.timescales(None, data, [0.5], part="all", functions=data.values, n_bootstrap=100)
        inside += bool(found.low[0, 0] < known < found.high[0, 0])
    assert 34 <= inside <= 40


def test_chapman_kolmogorov_passes_for_a_markov_chain_and_not_for_a_shadow_of_one(chain):
    whole = mdnb.chapman_kolmogorov(None, chain, 2.5, part="all", functions=chain.values, reversible=False)
    assert whole.passes, whole
    assert whole.predicted.shape == (6, 2, 2)
    assert whole.lag_times.tolist() == [0, 2.5, 5, 7.5, 10, 12.5]
    assert np.allclose(whole.predicted[:2], whole.estimated[:2])
    assert np.diagonal(whole.estimated[0]) == pytest.approx([1, 1])
    assert "ChapmanKolmogorov: passes" in repr(whole)
    # A function that mixes both processes is not Markovian on its own.
    mixed = (chain.values[:, 0] - 3 * chain.values[:, 1] + np.random.default_rng(1).normal(size=len(chain)))[:, None]
    shadow = mdnb.chapman_kolmogorov(None, chain, 2.5, part="all", functions=mixed)
    assert not shadow.passes
    assert shadow.worst > 5
    assert "FAILS" in repr(shadow)


def test_chapman_kolmogorov_is_that_of_deeptime(chain):
    """deeptime propagates the same covariances."""
    from deeptime.decomposition import VAMP

    own = [chain.values[chain.trajectory == number].astype(float) for number in range(12)]
    models = [VAMP(lagtime=lag, dim=2).fit_from_timeseries(own).fetch_model() for lag in (5, 10, 15)]
    found = mdnb.chapman_kolmogorov(
        None, chain, 2.5, steps=3, part="all", functions=chain.values, reversible=False, n_bootstrap=5
    )
    each = {
        "observables": np.eye(2),
        "statistics": np.eye(2),
        "observables_mean_free": True,
        "statistics_mean_free": True,
    }
    for number, model in enumerate(models, start=1):
        scale = np.sqrt(np.outer(np.diag(model.cov_00), np.diag(model.cov_00)))
        assert found.estimated[number] == pytest.approx(model.expectation(lag_multiple=1, **each).T / scale, abs=1e-4)
        # deeptime carries the drift of the mean between both ends of a pair along, which is small here.
        scale = np.sqrt(np.outer(np.diag(models[0].cov_00), np.diag(models[0].cov_00)))
        ahead = models[0].expectation(lag_multiple=number, **each).T / scale
        assert found.predicted[number] == pytest.approx(ahead, abs=1e-3)


@pytest.fixture(scope="module")
def slow(chain):
    training = mdnb.Training(epochs=8, batch_size=512, threads=1)
    return mdnb.fit(chain, None, "MLP", training, objective=mdnb.SlowModes(lag_time=1.0, modes=2))


def test_of_a_run_the_test_part_is_what_it_has_not_seen(chain, slow):
    held_out = mdnb.timescales(slow, chain, [1.0], n_bootstrap=20)
    everything = mdnb.timescales(slow, chain, [1.0], part="all", n_bootstrap=20)
    n_test = len(slow.split["test"]["trajectories"])
    assert held_out.n_blocks == n_test * (20 // n_test)
    assert everything.n_blocks == 12
    assert held_out.notes == ()
    assert everything.notes == ("frames of the training are among these",)
    assert held_out.low[0, 0] < KNOWN[0] * 0.5 < held_out.high[0, 0]
    own = np.isin(chain.trajectory, slow.split["test"]["trajectories"])
    by_hand = mdnb.timescales(
        None,
        replace(chain, values=chain.values[own], trajectory=chain.trajectory[own], time=chain.time[own]),
        [1.0], part="all", functions=slow.encode(chain)[own], reversible=False, n_bootstrap=20,
    )  # fmt: skip
    assert np.array_equal(by_hand.values, held_out.values)
    assert mdnb.chapman_kolmogorov(slow, chain, n_bootstrap=20).lag_times[1] == 1.0


def test_lag_scan(chain):
    training = mdnb.Training(epochs=3, batch_size=512, threads=1)
    scan = mdnb.lag_scan(chain, mdnb.MLP(hidden=8), [1.0, 5.0], training, objective=mdnb.SlowModes(modes=1))
    rows = scan.table()
    assert [row["lag_time"] for row in rows] == [1.0, 5.0]
    assert rows[0]["VAMP-2"] == scan.runs[0].scores["VAMP-2"].value > rows[1]["VAMP-2"]
    assert scan.timescales.values.shape == (2, 1)
    for row in rows:
        assert row["timescale low"] < KNOWN[0] * 0.5 < row["timescale high"]
    assert "lag 5 ps: VAMP-2" in repr(scan)
    parts = [run.split["test"]["trajectories"] for run in scan.runs]
    assert parts[0] == parts[1]


def test_windows_fit_into_the_lag_times(chain):
    training = mdnb.Training(epochs=1, batch_size=512, threads=1)
    scan = mdnb.lag_scan(chain, mdnb.RNN(hidden=4), [2.0, 1.0], training, objective=mdnb.SlowModes(modes=1))
    assert [run.window.length for run in scan.runs] == [2, 2]
    sentence = "lag_time = 0.5 ps is 1 frame, but a window has 2: .* take a lag_time of at least 1 ps"
    run = scan.runs[0]
    with pytest.raises(SpecError, match=sentence):
        mdnb.timescales(run, chain, [1.0, 0.5])
    with pytest.raises(SpecError, match=sentence):
        mdnb.chapman_kolmogorov(run, chain, 0.5)
    with pytest.raises(SpecError, match=sentence):
        mdnb.metastable_states(run, chain, 3, lag_time=0.5)
    with pytest.raises(DataError, match="got 'int' as features, expected what"):
        mdnb.lag_scan(3, "MLP", [1.0])


def test_metastable_states(chain, slow):
    states = mdnb.metastable_states(slow, chain, 3, n_clusters=30)
    truth = np.where(chain.values[:, 0] > 0.5, 0, np.where(chain.values[:, 1] > 0.5, 1, 2))
    table = np.array([[((truth == a) & (states.assignment == b)).sum() for b in range(3)] for a in range(3)])
    assert table.max(1).sum() > 0.98 * len(chain)
    assert states.populations.sum() == pytest.approx(1)
    values, vectors = np.linalg.eig(CHAIN.T)
    stationary = np.real(vectors[:, np.argmax(np.real(values))])
    stationary /= stationary.sum()
    assert np.sort(states.populations) == pytest.approx(np.sort(stationary), abs=0.08)
    assert states.transition_matrix.sum(1) == pytest.approx(np.ones(3))


def test_refusals(chain, slow):
    values = chain.values
    with pytest.raises(DataError, match="without a run nobody knows the test part; give the run, or part='all'"):
        mdnb.timescales(None, chain, [1.0], functions=values)
    with pytest.raises(DataError, match="neither a run nor functions are given"):
        mdnb.timescales(None, chain, [1.0], part="all")
    with pytest.raises(DataError, match="part = 'validation': expected 'test'"):
        mdnb.timescales(slow, chain, [1.0], part="validation")
    with pytest.raises(DataError, match=r"got functions of shape \(10, 2\) for 60000 samples"):
        mdnb.timescales(None, chain, [1.0], part="all", functions=values[:10])
    with pytest.raises(DataError, match="the functions hold NaN or infinity"):
        mdnb.timescales(None, chain, [1.0], part="all", functions=values * np.nan)
    with pytest.raises(SpecError, match=r"lag_time = 0.7 ps is no whole number of frames.* take 0.5 or 1 ps"):
        mdnb.timescales(None, chain, [0.7], part="all", functions=values)
    with pytest.raises(DataError, match="is 5000 frames, the longest piece of the all part has 5000; the lag must be"):
        mdnb.timescales(None, chain, [2500.0], part="all", functions=values)
    with pytest.raises(DataError, match="expected one or more times in ps"):
        mdnb.timescales(None, chain, [], part="all", functions=values)
    with pytest.raises(SpecError, match="the run has no lag time of its own; give lag_time in ps"):
        mdnb.chapman_kolmogorov(None, chain, part="all", functions=values)
    with pytest.raises(SpecError, match="steps = 1: expected a whole number of at least 2"):
        mdnb.chapman_kolmogorov(slow, chain, steps=1)
    with pytest.raises(DataError, match=r"6 lag times of 500 ps are 6000 frames, .* lower steps or lag_time"):
        mdnb.chapman_kolmogorov(slow, chain, 500.0, steps=6)
    with pytest.raises(DataError, match="lag_times is empty"):
        mdnb.lag_scan(chain, "MLP", [])
    with pytest.raises(SpecError, match="n_states = 1: expected a whole number of at least 2"):
        mdnb.metastable_states(slow, chain, 1)
    with pytest.raises(DataError, match="this CNN has no latents"):
        mdnb.timescales(trained("CNN"), features(), [20.0])

"""mdnb bench explain: the toy systems and planted labels are what they say; the scores are the published ones."""

import re

import numpy as np
import pytest

import mdnb
from mdnb.bench.explanations.planted import Case, planted_label, rank
from mdnb.bench.explanations.speed import agreement
from mdnb.bench.explanations.tables import bench_explain
from mdnb.bench.explanations.toy import (
    _rotated,
    _superposed,
    importance_scores,
    toy_frames,
)
from mdnb.cli import main
from mdnb.errors import DataError, SpecError


@pytest.mark.parametrize("motion", ["linear", "non-linear"])
def test_toy_atoms_move_in_their_state_only(motion):
    positions, states, moved = toy_frames(motion, seed=1)
    assert positions.shape == (1440, 40, 3)
    assert len(set(moved.ravel())) == 12
    means = np.stack([positions[states == state].mean(0) for state in range(3)])
    rest = np.setdiff1d(np.arange(40), moved)
    assert np.abs(means[:, rest] - means[:1, rest]).max() < 0.003
    for state, own in enumerate(moved):
        others = [other for other in range(3) if other != state]
        assert np.linalg.norm(means[state, own] - means[others[0], own], axis=1).min() > 0.03
        assert np.abs(means[others[0], own] - means[others[1], own]).max() < 0.003
    assert np.abs(positions - means[states]).max() < 0.0125


def test_superposition_undoes_rotation():
    positions, _, moved = toy_frames("linear", seed=0)
    values, needs = _superposed(_rotated(positions, np.random.default_rng(0)))
    assert values.shape == (1440, 120)
    assert needs.sum(0).tolist() == [3] * 40
    spread = values.reshape(1440, 40, 3).std(0).mean(1)
    assert spread[moved.ravel()].min() > 2 * np.delete(spread, moved.ravel()).max()


def test_importance_scores():
    relevant = np.array([1, 3])
    assert importance_scores(np.array([0, 1, 0, 1.0]), relevant) == pytest.approx((1, 1))
    assert importance_scores(np.array([2, 4, 2, 4.0]), relevant) == pytest.approx((1, 1))  # stretched to 0 to 1
    finding, ignoring = importance_scores(np.array([0, 1, 1, 0.0]), relevant)
    assert finding == pytest.approx(1 - 2 / 4)
    assert ignoring == pytest.approx(1 / 2)


def test_agreement_where_theory_says_so():
    rows = agreement(others=False)
    assert [row.theory for row in rows] == ["equal"] * 3
    assert min(row.correlation for row in rows) > 0.999
    assert max(row.difference for row in rows) < 0.01


class TestPlanted:
    @pytest.fixture(scope="class")
    def data(self):
        return mdnb.featurize(mdnb.example("chignolin"), "torsions")

    def test_labels(self, data):
        linear = planted_label(data, "linear", ("psi GLU5", "chi1 THR8"))
        columns = [data.column(f"{part} {name}") for name in ("psi GLU5", "chi1 THR8") for part in ("sin", "cos")]
        design = np.stack([*columns, np.ones(len(data))], 1)
        _, rest, *_ = np.linalg.lstsq(design, linear, rcond=None)
        assert rest[0] < 1e-6 * np.square(linear).sum()
        product = planted_label(data, "interaction", ("psi GLU5", "chi1 THR8"))
        _, rest, *_ = np.linalg.lstsq(design, product, rcond=None)
        assert rest[0] > 0.3 * np.square(product - product.mean()).sum()  # no sum of the two makes it
        delayed = planted_label(data, "time-delayed", ("psi GLU5",))
        own = planted_label(data, "linear", ("psi GLU5", "psi GLU5")) / 2
        assert delayed[3:225] == pytest.approx(own[:222])
        assert delayed[225:228] == pytest.approx(own[225:228])  # never of another trajectory

    @pytest.mark.slow
    def test_they_are_found(self, data):
        names = ("psi GLU5", "chi1 THR8")
        label = planted_label(data, "interaction", names)
        training = mdnb.Training(epochs=25, patience=25, batch_size=64, learning_rate=3e-3, weight_decay=1e-2)
        run = mdnb.fit(data, label, mdnb.CNN(channels=8, layers=1, dropout=0.0), training)
        found = rank(Case("interaction", names, run, data), "expected-gradients")
        assert found.accuracy > 0.7
        assert found.first
        assert found.residues
        assert found.margin > 2


def test_the_command_and_the_toy_benchmark(capsys):
    assert main(["bench", "explain", "--parts", "toy", "--systems", "1"]) == 0
    text = capsys.readouterr().out
    assert "Toy benchmark of Fleetwood et al. (2020), rebuilt from its description; means of 1 systems." in text
    assert text.count("published 0.94 / 0.87") == text.count("published 0.62 / 0.83") == 2
    rows = re.findall(r"mdnb ([\d.]+) / ([\d.]+) .*model accuracy ([\d.]+)", text)
    assert len(rows) == 4
    for finding, ignoring, accuracy in rows:
        assert float(finding) > 0.8
        assert float(ignoring) > 0.8
        assert float(accuracy) > 0.99


def test_clear_errors():
    with pytest.raises(SpecError, match="unknown part of the benchmark 'toys': did you mean 'toy'"):
        bench_explain(["toys"])
    with pytest.raises(DataError, match="got 0 systems"):
        bench_explain(["toy"], systems=0)

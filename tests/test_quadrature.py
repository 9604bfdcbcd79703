"""Expected gradients: the rule against integrals known, the result against other implementations and theory."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mdnb.bench.explanations.networks import Additive, Multilinear, grouped, problem_of, trained
from mdnb.bench.explanations.speed import error_of
from mdnb.explanation import METHODS
from mdnb.explanation.quadrature import clenshaw_curtis


@pytest.mark.parametrize("level", range(9))
def test_the_rule_is_exact_for_polynomials_and_nested(level):
    nodes, weights = clenshaw_curtis(level)
    assert len(nodes) == 2**level + 1
    for power in range(min(2**level, 20) + 1):
        assert weights @ nodes**power == pytest.approx(1 / (power + 1), abs=1e-13)
    assert weights.min() > 0
    finer = clenshaw_curtis(level + 1)[0]
    assert finer[::2] == pytest.approx(nodes, abs=1e-15)


def test_the_rule_converges_fast():
    errors = [abs(weights @ np.exp(nodes) - (np.e - 1)) for nodes, weights in map(clenshaw_curtis, range(1, 5))]
    assert errors[0] > 1e-4
    assert errors[2] < 1e-10


def smooth(n_inputs=6, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(n_inputs, 16), nn.SiLU(), nn.Linear(16, 1))


def asked(model, n_inputs=6, n=4, n_background=7, **options):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(n + n_background, 1, n_inputs, generator=generator)
    return problem_of(model, x[:n], x[n:], **options)


def with_tolerance(problem, tolerance):
    from dataclasses import replace

    return replace(problem, tolerance=tolerance)


@settings(max_examples=15, deadline=None)
@given(n_inputs=st.integers(1, 9), n=st.integers(1, 5), n_background=st.integers(1, 8), seed=st.integers(0, 99))
def test_it_adds_up_whatever_the_shape(n_inputs, n, n_background, seed):
    problem = with_tolerance(asked(smooth(n_inputs, seed), n_inputs, n, n_background), 1e-4)
    values = METHODS["expected-gradients"](problem)
    assert values.shape == (n, 1, n_inputs)
    total = values.reshape(n, -1).sum(1)
    assert np.abs(total - (problem.prediction - problem.base_value)).max() <= 1.01e-4 * problem.spread + 2e-6


def test_against_a_dense_midpoint_rule():
    problem = with_tolerance(asked(smooth()), 1e-5)
    values = METHODS["expected-gradients"](problem).reshape(4, 6)
    expected = np.zeros((4, 6))
    places = (torch.arange(2000) + 0.5) / 2000
    for number, x in enumerate(problem.x):
        for behind in problem.background:
            points = (behind + places[:, None, None] * (x - behind)).requires_grad_(True)
            (gradient,) = torch.autograd.grad(problem.module(points).sum(), points)
            expected[number] += (gradient.mean(0) * (x - behind)).detach().numpy().ravel() / 7
    assert np.abs(values - expected).max() < 1e-5


def test_against_captum():
    pytest.importorskip("captum", reason="captum comes with the extra mdnb[explain]")
    problem = with_tolerance(asked(smooth()), 1e-5)
    ours = METHODS["expected-gradients"](problem).reshape(4, 6)
    theirs = METHODS["captum-integrated-gradients"](problem)
    assert np.abs(ours - theirs).max() < 1e-5


@pytest.mark.parametrize(
    ("kinked", "tolerance"),
    [(False, 1e-2), (False, 1e-4), (True, 1e-2), (True, 1e-3)],  # of kinks 1,025 points of a path may not reach 1e-4
)
def test_the_tolerance_is_met(kinked, tolerance):
    with torch.random.fork_rng():
        torch.manual_seed(0)  # whatever ran before
        between = [nn.ReLU()] if kinked else [nn.Tanh(), nn.LayerNorm(32)]
        network = nn.Sequential(nn.Flatten(), nn.Linear(40, 32), *between, nn.Linear(32, 1))
    problem = with_tolerance(trained(network, (2, 20), epochs=5), tolerance)
    assert error_of(problem, METHODS["expected-gradients"](problem)) <= tolerance * 1.01


def test_a_looser_tolerance_takes_fewer_passes():
    class Counted(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.points = smooth(), 0

        def forward(self, x):
            self.points += len(x)
            return self.inner(x)

    seen = []
    for tolerance in (0.5, 1e-4, 1e-7):
        model = Counted()
        problem = with_tolerance(asked(model, n=20, n_background=30), tolerance)
        model.points = 0
        METHODS["expected-gradients"](problem)
        seen.append(model.points)
    assert seen[0] == 20 + 30 + 600  # the ends, and one inner point of each path
    assert seen[0] < seen[1] < seen[2]


def test_weights_of_the_background_count():
    from dataclasses import replace

    problem = asked(smooth(), n_background=3)
    heavy = replace(problem, weights=np.array([0.5, 0.25, 0.25]), tolerance=1e-5)
    twice = replace(problem, background=problem.background[[0, 0, 1, 2]], weights=np.full(4, 0.25), tolerance=1e-5)
    for method in ("expected-gradients", "exact", "permutation"):
        one, other = (METHODS[method](each).reshape(4, -1) for each in (heavy, twice))
        assert np.abs(one - other).max() < 1e-4, method
    assert heavy.base_value == pytest.approx(twice.base_value)


# --- against Shapley values ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [Additive, Multilinear])
def test_equal_to_shapley_values_where_theory_says_so(model):
    torch.manual_seed(0)
    n_inputs = 36 if model is Additive else 12
    problem = asked(model(), n_inputs, 5, 10, groups=np.arange(36) // 3 if model is Additive else None)
    ours = METHODS["expected-gradients"](with_tolerance(problem, 1e-4)).reshape(5, -1) @ problem.players.shares
    exact = METHODS["exact"](problem)
    assert np.corrcoef(ours.ravel(), exact.ravel())[0, 1] > 0.9999
    assert np.abs(ours - exact).max() < 2e-3 * np.abs(exact).max()


def test_not_equal_elsewhere():
    """A network that bends and mixes: Aumann-Shapley along straight paths is another value than Shapley's."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    with torch.no_grad():
        network[1].weight.mul_(4)
    problem = asked(network, 3)
    ours, exact = METHODS["expected-gradients"](problem).reshape(4, 3), METHODS["exact"](problem)
    assert ours.sum(1) == pytest.approx(exact.sum(1), abs=0.02 * problem.spread)
    assert np.abs(ours - exact).max() > 0.05 * np.abs(exact).max()


@pytest.mark.parametrize("method", ["permutation", "kernel"])
def test_samplers_find_the_exact_values_of_groups(method):
    torch.manual_seed(0)
    problem = grouped(asked(smooth(24), 24), 6)
    found, exact = METHODS[method](problem), METHODS["exact"](problem)
    assert found.shape == exact.shape == (4, 6)
    assert np.corrcoef(found.ravel(), exact.ravel())[0, 1] > 0.99

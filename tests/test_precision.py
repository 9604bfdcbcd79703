"""Half precision, as a GPU computes: here on a processor, where it is slow but the same code runs."""

import numpy as np
import pytest
import torch
from learning_fixtures import families, family_features, family_spec, features, fit_family

import mdnb
from mdnb.models.objectives.slow_modes import SlowModesHead
from mdnb.models.precision import full_precision, half_precision
from mdnb.training import loop


@pytest.fixture
def half(monkeypatch):
    """Train in bfloat16 on a processor."""
    monkeypatch.setattr(loop, "half_precision", lambda device: torch.autocast("cpu", torch.bfloat16))


def test_a_processor_computes_in_full_precision():
    hidden = torch.zeros(2, 3)
    with half_precision(hidden.device):
        assert (hidden @ hidden.T).dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        assert (hidden @ hidden.T).dtype == torch.bfloat16
        with full_precision(hidden):
            assert (hidden @ hidden.T).dtype == torch.float32


@pytest.mark.parametrize("family", families())
def test_every_family_trains_in_half_precision(family, half):
    run = fit_family(family, epochs=2)
    assert all(np.isfinite(list(row.values())).all() for row in run.history)
    assert all(one.dtype != torch.bfloat16 for one in run.model.state_dict().values())


OBJECTIVES = {
    "SlowModes": mdnb.SlowModes(lag_time=20.0),
    "Propagate": mdnb.Propagate(components=5),
    "Forecast": mdnb.Forecast(),
    "TimeLagged": mdnb.TimeLagged(),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_learns_about_the_same(name, monkeypatch):
    training = mdnb.Training(epochs=3, batch_size=128, learning_rate=5e-3)

    def fit() -> mdnb.Run:
        return mdnb.fit(features(), None, family_spec("MLP"), training, objective=OBJECTIVES[name])

    full = fit()
    monkeypatch.setattr(loop, "half_precision", lambda device: torch.autocast("cpu", torch.bfloat16))
    half = fit()
    losses = [[row["loss"] for row in run.history] for run in (full, half)]
    assert losses[0] != losses[1]  # it was used
    assert np.allclose(*losses, rtol=0.03, atol=0.03)


def test_a_gaussian_s_width_is_found_in_half_precision(half):
    run = mdnb.fit(
        family_features("MLP"), "end-to-end-distance", family_spec("MLP"), mdnb.Training(epochs=3, batch_size=64),
        objective=mdnb.Labels(uncertainty=True),
    )  # fmt: skip
    assert 0.9 < run.scores["within 95% interval"].value <= 1


def test_covariances_see_no_half_precision():
    head, seen = SlowModesHead(8, 2, False), torch.randn(64, 8)
    with torch.autocast("cpu", torch.bfloat16):
        inside = head._functions(seen.bfloat16(), seen)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, head._functions(seen.bfloat16().float(), seen))

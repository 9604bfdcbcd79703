"""What the figures of slow modes draw is what the results say."""

from dataclasses import replace

import numpy as np
import pytest
from learning_fixtures import FAST, features

import mdnb
from mdnb import figures
from mdnb.errors import DataError, SpecError

LAGS = [20.0, 40.0]


@pytest.fixture(scope="module")
def run():
    training = mdnb.Training(epochs=2, **FAST)
    return mdnb.fit(features(), None, mdnb.MLP(hidden=16), training, objective=mdnb.SlowModes(lag_time=20.0, modes=2))


def test_timescales(run):
    found = mdnb.timescales(run, features(), LAGS, part="all", n_bootstrap=20)
    found = replace(
        found,
        values=np.array([[30.0, 10.0], [35.0, np.nan]]),
        low=np.array([[20.0, 5.0], [25.0, np.nan]]),
        high=np.array([[50.0, 15.0], [np.inf, np.nan]]),
    )
    figure = figures.timescales_figure({"<MLP>": found})
    lines = {trace.name: trace for trace in figure.data if trace.mode == "lines+markers"}
    assert list(lines) == ["&lt;MLP&gt;, mode 1", "&lt;MLP&gt;, mode 2"]
    assert list(lines["&lt;MLP&gt;, mode 1"].y) == [30, 35]
    assert list(lines["&lt;MLP&gt;, mode 2"].x) == [20]  # what is not resolved is not drawn
    bands = [trace for trace in figure.data if trace.mode == "none"]
    assert bands[0].name == "shorter than the lag"
    assert list(bands[1].y[:2]) == [20, 25]
    assert np.isfinite(bands[1].y).all()
    assert "those of the training too" in figure.layout.title.text
    with pytest.raises(DataError, match="there are no timescales to draw"):
        figures.timescales_figure({})


def test_chapman_kolmogorov(run):
    test = mdnb.chapman_kolmogorov(run, features(), steps=3, n_bootstrap=20)
    figure = figures.chapman_kolmogorov_figure(test)
    predicted = [trace for trace in figure.data if trace.name == "predicted"]
    estimated = [trace for trace in figure.data if trace.name == "estimated"]
    assert len(predicted) == len(estimated) == 4
    assert np.array_equal(predicted[1].y, test.predicted[:, 0, 1])
    assert np.array_equal(estimated[2].y, test.estimated[:, 1, 0])
    assert f"{test.worst:.1f}" in figure.layout.title.text
    assert len(figures.chapman_kolmogorov_figure(test, most=1).data) == 3


def test_lag_scan():
    scan = mdnb.lag_scan(features(), mdnb.MLP(hidden=8), LAGS, mdnb.Training(epochs=1, **FAST), n_bootstrap=20)
    figure = figures.lag_scan_figure(scan)
    assert list(figure.data[0].y) == [score.value for score in scan.scores]
    assert list(figure.data[2].x) == [0, *LAGS]


def test_modes_on_the_map(run):
    modes = run.encode(features())
    figure = figures.modes_figure(run, features(), "phi ALA2", "psi ALA2", bins=2)
    assert len(figure.data) == 2
    phi = np.arctan2(features().column("sin phi ALA2"), features().column("cos phi ALA2"))
    psi = np.arctan2(features().column("sin psi ALA2"), features().column("cos psi ALA2"))
    own = (phi < 0) & (psi >= 0)
    assert figure.data[1].customdata[1][0] == pytest.approx(modes[own, 1].mean(), rel=1e-4)
    assert np.nanmax(np.abs(figure.data[0].z)) <= 1.1
    column = figures.modes_figure(run, features(), "sin phi ALA2", "cos psi ALA2", functions=modes[:, :1], name="<T>")
    assert len(column.data) == 1
    assert "&lt;T&gt;" in column.layout.title.text
    with pytest.raises(SpecError, match="unknown column or torsion 'phi ALA3': did you mean 'phi ALA2'"):
        figures.modes_figure(run, features(), "phi ALA3", "psi ALA2")
    with pytest.raises(DataError, match=r"got functions of shape \(3, 1\) for 2400 samples"):
        figures.modes_figure(run, features(), "phi ALA2", "psi ALA2", functions=modes[:3, :1])


def test_modes_in_time(run):
    modes, own = run.encode(features()), features().trajectory == 3
    figure = figures.mode_trace_figure(run, features(), 3)
    assert np.array_equal(figure.data[2].y, modes[own, 1])
    assert np.array_equal(figure.data[2].x, features().time[own])
    with pytest.raises(DataError, match="there is no trajectory 9; there are 8"):
        figures.mode_trace_figure(run, features(), 9)

"""Landscape: known densities, points in polygons against matplotlib, rare bins that stay, names of quantities."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path

import mdnb
from mdnb.errors import DataError, SpecError
from mdnb.figures.landscapes import MARKED, POINTS, landscape_figure
from mdnb.figures.still import still_png
from mdnb.landscapes import Landscape
from mdnb.quantities import Quantities, Quantity


def made(x, y, **options):
    n = len(x)
    return Landscape(
        Quantity("x", "nm", np.asarray(x, float)), Quantity("y", "", np.asarray(y, float)), np.arange(n),
        np.arange(n) // max(n // 3, 1), np.arange(n) * 1.0, ("a", "b", "c", "d"), **options,
    )  # fmt: skip


def normal(n, seed=0):
    rng = np.random.default_rng(seed)
    state = rng.integers(0, 2, n)
    return made(rng.normal(3 * state, 1), rng.normal(0, 1, n))


@pytest.fixture(scope="module")
def torsions():
    return mdnb.featurize(mdnb.example("alanine-dipeptide")[:2], "torsions")


def test_the_free_energy_of_a_known_ratio():
    """Three quarters of the frames here, one quarter there: kT ln 3 between them."""
    flat = made([0.0] * 300 + [1.0] * 100, [0.0] * 300 + [1.0] * 100, temperature=300.0, bins=10)
    assert flat.unit == "kJ/mol"
    assert np.nanmin(flat.free_energy) == 0
    assert np.nanmax(flat.free_energy) == pytest.approx(0.00831446 * 300 * np.log(3), rel=1e-4)
    assert np.count_nonzero(np.isfinite(flat.free_energy)) == 2
    np.testing.assert_array_equal(flat.counts, np.histogram2d(flat.x.values, flat.y.values, flat.edges)[0])


@settings(max_examples=40, deadline=None)
@given(
    corners=st.lists(st.tuples(st.floats(-60, 60), st.floats(-60, 60)), min_size=3, max_size=12),
    bins=st.sampled_from([10, 37, 60]),
)
def test_a_polygon_holds_the_points_that_matplotlib_finds(corners, bins):
    rng = np.random.default_rng(1)
    cloud = made(rng.normal(0, 3, 2000), rng.normal(0, 3, 2000), bins=bins)
    polygon = np.array(corners)
    points = np.stack([cloud.x.values, cloud.y.values], axis=1)
    np.testing.assert_array_equal(cloud.inside(*polygon.T), np.flatnonzero(Path(polygon).contains_points(points)))


@settings(max_examples=25, deadline=None)
@given(n=st.integers(50, 3000), most=st.integers(10, 500), seed=st.integers(0, 5))
def test_points_drawn_are_spread_over_the_bins(n, most, seed):
    cloud = normal(n, seed)
    drawn = cloud.draw(most)
    assert len(drawn) == len(set(drawn.tolist())) == min(n, most)
    assert (np.diff(drawn) > 0).all()
    seen = np.count_nonzero(cloud.counts)
    assert len(np.unique(cloud.cells[drawn])) == min(seen, len(drawn))


def test_a_million_frames_stay_usable():
    cloud = normal(1_000_000)
    angle = np.linspace(0, 2 * np.pi, 150)
    start = time.process_time()
    figure = landscape_figure(cloud, frame=999_999, chosen=np.arange(1000))
    inside = cloud.inside(3 + np.cos(angle), np.sin(angle))
    taken = time.process_time() - start
    points = np.stack([cloud.x.values, cloud.y.values], axis=1)
    around = Path(np.stack([3 + np.cos(angle), np.sin(angle)], axis=1))
    assert len(inside) == around.contains_points(points).sum()
    assert len(figure.data[POINTS].x) == 2000
    assert max(len(trace.x) for trace in figure.data) < 6000  # what goes to the browser
    assert len(figure.to_json()) < 1_000_000
    assert taken < 6  # 0.6 s on an idle machine


def test_a_trace_keeps_every_extreme_and_its_gaps():
    values = np.zeros(30_000)
    values[12_345], values[777] = 5, -4
    flat = made(np.arange(30_000.0), values)
    frames, shown = flat.trace(flat.y, most=500)
    assert len(frames) < 600
    assert (np.nanmin(shown), np.nanmax(shown)) == (-4, 5)
    assert np.isnan(frames).sum() == np.isnan(shown).sum() == 2  # three trajectories
    short = made([1.0, 2, 3, 4, 5, 6], [0.0] * 6)
    np.testing.assert_array_equal(short.trace(short.x)[1], [1, 2, np.nan, 3, 4, np.nan, 5, 6])


def test_frames_along_a_trace():
    flat = made(np.arange(100.0), np.arange(100.0) % 10)
    box = [[19.5, 4.5], [29.5, 4.5], [29.5, 99], [19.5, 99]]
    assert flat.along(flat.y, box).tolist() == [25, 26, 27, 28, 29]
    with pytest.raises(DataError, match="no frame lies in there"):
        flat.along(flat.y, [[19.5, 40], [29.5, 40], [29.5, 99]])


def test_angles_columns_arrays_and_names(torsions):
    found = mdnb.landscape(torsions, "phi ALA2", "cos psi ALA2", colour="time")
    sine, cosine = torsions.column("sin phi ALA2"), torsions.column("cos phi ALA2")
    np.testing.assert_allclose(found.x.values, np.degrees(np.arctan2(sine, cosine)))
    np.testing.assert_array_equal(found.y.values, torsions.column("cos psi ALA2"))
    assert (found.x.label, found.y.label, found.colour.label) == ("phi ALA2 (degrees)", "cos psi ALA2", "time (ns)")
    assert mdnb.landscape(torsions).y.name == "psi ALA2"
    own = mdnb.landscape(torsions, np.arange(len(torsions)), "phi ALA2")
    assert own.x.values[7] == 7
    assert found.where(3001).startswith("frame 3,001 of alanine-dipeptide-500K-1")
    assert np.array_equal(found.of_frames([5, 3]), [3, 5])


def test_a_model_with_windows_knows_the_frames_of_its_samples(torsions):
    run = mdnb.fit(
        torsions, None, mdnb.CNN(), mdnb.Training(epochs=1, seed=0), window=mdnb.Window(length=4),
        objective=mdnb.SlowModes(),
    )  # fmt: skip
    known = Quantities(torsions, run)
    assert known.names[:2] == ("slow mode 0", "slow mode 1")
    found = mdnb.landscape(known)
    assert found.frames[0] == 3
    assert found.sample_of(0) is None
    assert found.frames[found.sample_of(3003)] == 3003
    encoded = run.encode(torsions)
    np.testing.assert_array_equal(np.sort(found.x.values), np.sort(encoded[:, 0]))
    assert "ends no window" in found.where(1)


def test_what_is_refused(torsions):
    with pytest.raises(SpecError, match="unknown quantity 'phi ALA3': did you mean"):
        mdnb.landscape(torsions, "phi ALA3")
    with pytest.raises(SpecError, match="bins = 5: expected a whole number of 10 to 400"):
        mdnb.landscape(torsions, bins=5)
    with pytest.raises(SpecError, match="temperature = -1: expected kelvin above 0"):
        mdnb.landscape(torsions, temperature=-1)
    with pytest.raises(DataError, match=r"x has the shape \(3,\), expected"):
        mdnb.landscape(torsions, np.zeros(3))
    with pytest.raises(DataError, match="holds NaN or infinite numbers in 6000 of 6000"):
        mdnb.landscape(torsions, np.full(len(torsions), np.nan))
    with pytest.raises(DataError, match="encloses nothing"):
        mdnb.landscape(torsions).inside([0, 1], [0, 1])
    with pytest.raises(DataError, match="frame 99999 is not in the landscape"):
        mdnb.landscape(torsions).of_frames([99999])


def test_the_figure_marks_what_is_chosen(torsions):
    found = mdnb.landscape(torsions, temperature=500)
    figure = landscape_figure(found, frame=50, chosen=[10, 20, 30])
    for number, values in zip(MARKED, (found.x, found.x, found.y), strict=True):
        assert len(figure.data[number].x) == 3
        assert values.values[10] in (figure.data[number].x if number == MARKED[0] else figure.data[number].y)
    assert figure.layout.shapes[0].xanchor == found.x.values[50]
    assert figure.layout.shapes[2].x0 == 50
    assert not landscape_figure(found).layout.shapes[0].visible
    assert still_png(figure).startswith(b"\x89PNG")
    assert "NaN" not in figure.to_json()

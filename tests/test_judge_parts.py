"""The parts of a judgement against independent implementations: scipy, mdtraj, naive loops."""

from __future__ import annotations

import mdtraj
import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learning_fixtures import FAST, features, trajectories
from scipy.spatial.distance import jensenshannon
from scipy.stats import linregress, pearsonr, wasserstein_distance

import mdnb
from mdnb.errors import DataError, SpecError
from mdnb.generation.checks import CHECKS
from mdnb.generation.coordinates import Coordinates, radii_of_gyration
from mdnb.generation.draws import block_weights, interval
from mdnb.generation.ensemble import Ensemble
from mdnb.generation.generated import Generated
from mdnb.generation.histograms import block_counts, comparisons
from mdnb.generation.judgement import Judgement, Ladder, Row
from mdnb.generation.ladder import pieces
from mdnb.generation.manifold import Manifolds
from mdnb.generation.measure import measured
from mdnb.generation.nearest import nearest_rmsd
from mdnb.generation.novelty import warning
from mdnb.generation.sample_rows import weighted_medians
from mdnb.generation.space import Space
from mdnb.targets import make_target


@pytest.fixture(scope="module")
def space():
    return Space(Ensemble.dynamics(trajectories()[4:6], "the reference", 10_000))


@pytest.fixture(scope="module")
def described(space):
    real = space.describe(Ensemble.dynamics(trajectories()[4:6], "the reference", 10_000))
    made = space.describe(Ensemble.of(trajectories()[0].frames(slice(0, 250)), "x", 10_000, 0))
    return real, made


@pytest.fixture(scope="module")
def figures(space, described):
    """Every comparison of histograms by its name, and its values for each part."""
    real, made = described
    return {
        one.metric: one.distance(one.counts(real).sum(0), one.counts(made).sum(0)) for one in comparisons(space, real)
    }


# --- histograms ------------------------------------------------------------------------------------------------------


def test_torsions_and_maps_are_mdgens(figures, described):
    """100 bins for a torsion, 50 x 50 for phi and psi, scipy's distance to the base e."""
    real, made = (np.concatenate([mdtraj.compute_phi(one.ensemble.structures, periodic=False)[1],
                                  mdtraj.compute_psi(one.ensemble.structures, periodic=False)[1]], axis=1)
                  for one in described)  # fmt: skip
    turn = (-np.pi, np.pi)
    for column, found in enumerate(figures["torsions, JS"]):
        counts = [np.histogram(one[:, column], bins=100, range=turn)[0] for one in (real, made)]
        assert found == pytest.approx(jensenshannon(*counts), abs=2e-3)
    counts = [np.histogram2d(*one.T, bins=50, range=(turn, turn))[0].ravel() for one in (real, made)]
    assert figures["Ramachandran, JS"][0] == pytest.approx(jensenshannon(*counts), abs=2e-3)


def test_modes_and_size_are_numpys_histograms_where_nothing_lies_outside(space, described):
    real, _ = described
    made = real.take(np.arange(0, len(real), 3))  # of the reference itself, so that nothing lies outside
    found = {
        one.metric: one.distance(one.counts(real).sum(0), one.counts(made).sum(0))[0]
        for one in comparisons(space, real)
    }
    ends = [(real.modes[:, i].min(), real.modes[:, i].max()) for i in range(2)]
    counts = [np.histogram(one.modes[:, 0], bins=100, range=ends[0])[0] for one in (real, made)]
    assert found["TICA-0, JS"] == pytest.approx(jensenshannon(*counts), abs=1e-9)
    counts = [np.histogram2d(*one.modes[:, :2].T, bins=50, range=ends)[0].ravel() for one in (real, made)]
    assert found["TICA-0,1, JS"] == pytest.approx(jensenshannon(*counts), abs=1e-9)
    counts = [np.histogram(one.size, bins=50, range=(real.size.min(), real.size.max()))[0] for one in (real, made)]
    assert found["radius of gyration, JS"] == pytest.approx(jensenshannon(*counts), abs=1e-9)


def test_a_structure_blown_up_does_not_hide_the_others(space, described):
    real, made = described
    blown = mdtraj.Trajectory(made.ensemble.structures.xyz.copy(), made.ensemble.structures.topology)
    blown.xyz[0] *= 1000
    other = space.describe(Ensemble.of(blown, "x", 10_000, 0))
    for one in comparisons(space, real):
        if one.metric in ("radius of gyration, JS", "distances, JS", "sliced Wasserstein"):
            total = one.counts(real).sum(0)
            first, second = (one.distance(total, one.counts(x).sum(0)).mean() for x in (made, other))
            assert second == pytest.approx(first, abs=0.03), one.metric


def test_contacts_are_shares(figures, space, described):
    real, made = described
    shares = [
        [np.mean(one.distances[:, pair] < 0.45) for pair in range(len(space.coordinates.pairs))] for one in described
    ]
    assert figures["contacts, mean absolute difference"] == pytest.approx(np.abs(np.subtract(*shares)))
    assert len(real) == 600
    assert len(made) == 250


def test_sliced_wasserstein_is_scipys(figures, described):
    real, made = described
    directions = np.random.default_rng(0).normal(size=(4, 64))
    directions /= np.linalg.norm(directions, axis=0)
    expected = [wasserstein_distance(real.features @ one, made.features @ one) for one in directions.T]
    assert figures["sliced Wasserstein"] == pytest.approx(np.array(expected), abs=2e-3)


def test_mode_collapse_is_the_mass_of_what_is_missing(space, described):
    real, _ = described
    collapse = next(one for one in comparisons(space, real) if one.metric == "mode collapse")
    missing = np.isin(real.clusters, [0, 1, 2])
    without = real.take(np.flatnonzero(~missing))
    found = collapse.distance(collapse.counts(real).sum(0), collapse.counts(without).sum(0))[0]
    assert found == pytest.approx(missing.mean())


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_counts_are_those_of_a_loop(seed):
    rng = np.random.default_rng(seed)
    codes, blocks = rng.integers(0, 4, (30, 3)), rng.integers(0, 5, 30)
    expected = np.zeros((5, 3, 4), int)
    for row, block in zip(codes, blocks, strict=True):
        for part, code in enumerate(row):
            expected[block, part, code] += 1
    assert np.array_equal(block_counts(codes, blocks, 5, 4), expected)


@given(st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_order_place_and_direction_do_not_matter(space, described, seed):
    rng = np.random.default_rng(seed)
    real, made = described
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    positions = made.ensemble.structures.xyz[rng.permutation(250)] @ turn + rng.normal(size=3)
    moved = mdtraj.Trajectory(positions.astype(np.float32), made.ensemble.structures.topology)
    other = space.describe(Ensemble.of(moved, "x", 10_000, seed))
    for one in comparisons(space, real):
        total = one.counts(real).sum(0)
        first, second = (one.distance(total, one.counts(x).sum(0)).mean() for x in (made, other))
        assert second == pytest.approx(first, abs=0.01), one.metric


# --- intervals -------------------------------------------------------------------------------------------------------


def test_an_interval_holds_what_it_should():
    """Of 20 independent blocks: the 95% interval of a mean holds the truth in about 95 of 100 samples."""
    rng = np.random.default_rng(0)
    inside = 0
    for number in range(300):
        blocks = rng.normal(5, 1, 20)
        draws = block_weights(20, 200, number) @ blocks / 20
        low, high = interval(float(blocks.mean()), draws, 20)
        inside += low <= 5 <= high
    assert 0.91 <= inside / 300 <= 0.985


def test_an_interval_of_a_distance_is_about_the_value():
    """Drawing blocks again adds noise, which makes a distance larger; the interval does not move with it."""
    draws = np.random.default_rng(0).normal(0.5, 0.01, 1000)
    low, high = interval(0.2, draws, 50)
    assert (low, high) == pytest.approx((0.18, 0.22), abs=0.003)
    assert np.isnan(interval(0.2, draws, 1)).all()
    assert interval(0.001, draws, 50)[0] == 0.0
    assert interval(0.999, draws, 50, (0.0, 1.0))[1] == 1.0


def test_blocks_are_drawn_as_often_as_there_are():
    weights = block_weights(7, 100, 3)
    assert (weights.sum(1) == 7).all()
    assert weights.mean(0) == pytest.approx(np.ones(7), abs=0.3)


# --- neighbourhoods --------------------------------------------------------------------------------------------------


def naive_manifolds(real, made, k):
    def reach(points):
        return [sorted(np.linalg.norm(points - one, axis=1))[k] for one in points]

    of_real, of_made = reach(real), reach(made)
    inside = np.array([[np.linalg.norm(a - b) <= r for b, r in zip(real, of_real, strict=True)] for a in made])
    back = np.array([[np.linalg.norm(a - b) <= r for a, r in zip(made, of_made, strict=True)] for b in real])
    return {"precision": inside.any(1).mean(), "recall": back.any(1).mean(), "density": inside.sum() / (k * len(made)),
            "coverage": inside.any(0).mean()}  # fmt: skip


@given(st.integers(0, 10_000), st.floats(0.0, 3.0), st.integers(1, 5))
@settings(max_examples=15, deadline=None)
def test_neighbourhoods_are_those_of_loops(seed, shift, k):
    rng = np.random.default_rng(seed)
    real, made = rng.normal(size=(40, 3)), rng.normal(size=(30, 3)) * 0.7 + shift
    found = Manifolds(real, made, k=k).scores()
    assert found == pytest.approx(naive_manifolds(real, made, k))


def test_draws_of_blocks_are_those_of_repeated_samples():
    rng = np.random.default_rng(0)
    real, made = rng.normal(size=(40, 2)), rng.normal(size=(30, 2)) + 0.5
    blocks = np.arange(40) // 10, np.arange(30) // 10
    manifolds = Manifolds(real, made, *blocks)
    found = manifolds.draws(np.array([[2.0, 0, 1, 1], [1, 1, 1, 1]]), np.array([[0.0, 3, 0], [1, 1, 1]]))
    assert {name: values[1] for name, values in found.items()} == pytest.approx(manifolds.scores())
    rows, columns = np.r_[0:10, 0:10, 20:40], np.r_[10:20, 10:20, 10:20]
    reach = [np.sort(np.linalg.norm(real - one, axis=1))[5] for one in real]
    inside = np.array([[np.linalg.norm(made[i] - real[j]) <= reach[j] for j in rows] for i in columns])
    assert found["precision"][0] == pytest.approx(inside.any(1).mean())
    assert found["coverage"][0] == pytest.approx(inside.any(0).mean())
    assert found["density"][0] == pytest.approx(inside.sum() / 5 / 30)


def test_neighbourhoods_of_equal_and_of_distant_samples():
    rng = np.random.default_rng(0)
    real = rng.normal(size=(500, 2))
    near = Manifolds(real, rng.normal(size=(500, 2))).scores()
    assert min(near["precision"], near["recall"], near["coverage"]) > 0.9
    assert near["density"] == pytest.approx(1, abs=0.15)
    assert Manifolds(real, real + 100).scores() == {"precision": 0, "recall": 0, "density": 0, "coverage": 0}


# --- the nearest training frame --------------------------------------------------------------------------------------


def test_nearest_of_atoms_on_a_line():
    """The best superposition is not the only one; of two atoms the RMSD is half the difference of their distances."""
    rng = np.random.default_rng(2)
    pool, queries = rng.normal(0, 0.3, (200, 2, 3)), rng.normal(0, 0.3, (40, 2, 3))
    lengths = [np.linalg.norm(one[:, 0] - one[:, 1], axis=1) for one in (queries, pool)]
    expected = np.abs(lengths[0][:, None] - lengths[1]).min(1) / 2
    assert nearest_rmsd(queries, pool)[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("n_atoms", [4, 10, 30])
def test_nearest_is_mdtrajs(n_atoms):
    rng = np.random.default_rng(n_atoms)
    topology = mdtraj.Topology()
    residue = topology.add_residue("X", topology.add_chain())
    for _ in range(n_atoms):
        topology.add_atom("C", mdtraj.element.carbon, residue)
    pool, queries = (
        mdtraj.Trajectory(rng.normal(0, 0.3, (n, n_atoms, 3)).astype(np.float32), topology) for n in (200, 40)
    )
    found, which = nearest_rmsd(queries.xyz, pool.xyz)
    for number in range(40):
        every = mdtraj.rmsd(pool, queries, number)
        assert found[number] == pytest.approx(every.min(), abs=2e-4)
        assert every[which[number]] == pytest.approx(every.min(), abs=2e-4)


def test_nearest_on_real_frames_whatever_their_place():
    everything = trajectories().frames(slice(None)).atom_slice(trajectories().topology.select("element != H"))
    pool, queries = everything[:1500], everything[1500::50]
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    found, which = nearest_rmsd(queries.xyz @ turn + 5, pool.xyz)
    for number in range(len(queries)):
        every = mdtraj.rmsd(pool, queries, number)
        assert found[number] == pytest.approx(every.min(), abs=1e-4)
        assert every[which[number]] == pytest.approx(every.min(), abs=1e-4)
    itself, place = nearest_rmsd(pool.xyz[::100], pool.xyz)
    assert itself == pytest.approx(0, abs=1e-4)
    assert np.array_equal(place, np.arange(0, 1500, 100))
    mirrored = nearest_rmsd(pool.xyz[::100] * np.array([1, 1, -1]), pool.xyz)[0]
    assert mirrored.min() > 0.02  # a mirror image is another structure


def test_nearest_of_other_groups():
    positions = np.random.default_rng(0).normal(size=(40, 5, 3))
    groups = np.arange(40) // 10
    found, which = nearest_rmsd(positions, positions, (groups, groups))
    assert (groups[which] != groups).all()
    every = np.array([nearest_rmsd(positions[[i]], positions[groups != groups[i]])[0][0] for i in range(40)])
    assert found == pytest.approx(every)
    assert np.isinf(nearest_rmsd(positions, positions, (groups * 0, groups * 0))[0]).all()


def test_warnings_of_copies():
    assert warning("x", 0.05, 0.04, 0.9, 0.5) == ""
    assert warning("x", 0.5, 0.4, 0.9, 0.5).startswith("x: memorized. 50% of the structures")
    assert warning("x", 1.0, 1.0, 1.0, 0.5, 1.0).startswith("x: 100% of the structures are training frames (to 0.001")
    assert "they are no copies, but keep to where MD is densest" in warning("x", 0.5, 0.4, 0.52, 0.5)


# --- slow modes, states, ladders -------------------------------------------------------------------------------------


def test_the_states_of_alanine_dipeptide_are_its_basins():
    """Every frame, 2 ps apart: beta and PII, alpha-R, alpha-L."""
    ensemble = Ensemble.dynamics(mdnb.example("alanine-dipeptide"), "the reference", 50_000)
    space = Space(ensemble)
    real = space.describe(ensemble)
    assert space.notes == ()
    assert space.n_states == 3
    shares = np.bincount(real.states) / len(real)
    assert shares == pytest.approx([0.75, 0.23, 0.023], abs=0.02)
    middle = [
        np.degrees(np.arctan2(*(turn(real.angles[real.states == state]).mean(0) for turn in (np.sin, np.cos))))
        for state in range(3)
    ]
    assert np.array(middle) == pytest.approx(np.array([[-114, 143], [-96, -52], [53, -100]]), abs=12)
    assert Space(ensemble, n_states=2).n_states == 2
    assert Space(ensemble, lag_time=20.0).lag == 10


def test_coordinates_of_a_peptide():
    coordinates = Coordinates.of(mdnb.example("chignolin").topology)
    assert len(coordinates.residues) == 8
    assert "chi2 TRP9" in coordinates.names
    assert coordinates.cutoff == 0.8
    assert len(coordinates.pairs) == 28  # residues three or more apart
    assert len(coordinates.compared) == len(coordinates.heavy) == 93
    alanine = Coordinates.of(trajectories().topology)
    assert alanine.names == ("phi ALA2", "psi ALA2")
    frames = trajectories().frames(slice(20))
    heavy = frames.atom_slice(alanine.heavy)
    assert alanine.radius_of_gyration(frames) == pytest.approx(mdtraj.compute_rg(heavy, np.ones(10)), abs=1e-6)
    masses = np.array([atom.element.mass for atom in frames.topology.atoms])
    expected = np.asarray(mdnb.featurize(mdnb.load(frames), "radius-of-gyration").values)[:, 0]
    assert radii_of_gyration(frames.xyz, masses) == pytest.approx(expected, abs=1e-6)


def test_pieces_are_contiguous_and_cover():
    replica = np.repeat([0, 1, 2], 100)
    found = dict(pieces(replica, whole=True))
    assert list(found) == [25, 50, 100, 200, 300]
    for length in (25, 50, 100):
        for rows in found[length]:
            assert len(rows) == length
            assert (np.diff(rows) == 1).all()
            assert len(set(replica[rows])) == 1
    assert np.array_equal(found[300][0], np.arange(300))
    assert list(dict(pieces(replica, whole=False))) == [25, 50, 100]


def test_a_ladder_is_read_between_its_rungs():
    ladder = Ladder("x", np.array([100.0, 1000.0, 10_000.0]), np.array([0.6, 0.4, 0.2]))
    assert ladder.read(0.4) == (pytest.approx(1000), "")
    assert ladder.read(0.3) == (pytest.approx(np.sqrt(1000 * 10_000)), "")
    assert ladder.read(0.7) == (100.0, "<")
    assert ladder.read(0.1) == (10_000.0, ">")
    assert np.isnan(ladder.read(float("nan"))[0])


# --- control ---------------------------------------------------------------------------------------------------------


@given(st.integers(0, 10_000), st.floats(0.01, 2.0))
@settings(max_examples=15, deadline=None)
def test_control_is_scipys_line(seed, noise):
    rng = np.random.default_rng(seed)
    requested = rng.uniform(0.4, 0.8, 50)
    obtained = 0.9 * requested + 0.02 + rng.normal(0, noise, 50)
    found = mdnb.control(requested, obtained, [0.4, 0.9])
    line = linregress(requested, obtained)
    assert (found.slope, found.intercept) == pytest.approx((line.slope, line.intercept))
    assert found.correlation == pytest.approx(pearsonr(requested, obtained).statistic)
    assert found.low <= found.correlation <= found.high
    assert found.error == pytest.approx(np.abs(obtained - requested).mean())
    assert found.percent == pytest.approx(100 * found.error / 0.5)


def test_control_of_perfect_obedience_and_of_none():
    asked = np.linspace(0, 1, 100)
    perfect = mdnb.control(asked, asked, [0.0, 0.5])
    assert (perfect.slope, perfect.intercept, perfect.correlation) == pytest.approx((1, 0, 1))
    assert perfect.outside.sum() == 50
    assert len(perfect.inside()) == 50
    assert "50 of 100 requests lie outside the training range, 0 to 0.5: extrapolation" in repr(perfect)
    deaf = mdnb.control(asked, np.random.default_rng(0).normal(size=100))
    assert deaf.low < 0 < deaf.high
    assert np.isnan(deaf.percent)
    same = mdnb.control(np.full(5, 0.3), np.array([0.1, 0.2, 0.3, 0.4, 0.5]))
    assert np.isnan([same.slope, same.correlation, same.low]).all()
    assert same.error == pytest.approx(0.12)


def test_control_of_generated_structures():
    frames = trajectories().frames(slice(0, 300, 10))
    ends = measured(frames, "end-to-end-distance")
    made = Generated(frames, {name: np.ones(30, bool) for name in CHECKS}, "VAE", 0, ends + 0.01)
    found = mdnb.control(made, "end-to-end-distance", ends)
    assert found.error == pytest.approx(0.01)
    assert found.correlation == pytest.approx(1)
    assert found.intercept == pytest.approx(-0.01, abs=1e-6)


def test_control_refuses():
    frames = trajectories().frames(slice(0, 5))
    bare = Generated(frames, {name: np.ones(5, bool) for name in CHECKS}, "VAE", 0)
    with pytest.raises(DataError, match="generated without a condition"):
        mdnb.control(bare, np.zeros(5))
    with pytest.raises(DataError, match=r"a target by its name needs what mdnb\.generate returned"):
        mdnb.control(np.zeros(5), "rmsd")
    with pytest.raises(DataError, match="5 numbers were requested and 4 obtained"):
        mdnb.control(np.zeros(5), np.zeros(4))
    with pytest.raises(DataError, match="obtained: expected a row of finite numbers"):
        mdnb.control(np.zeros(5), np.full(5, np.nan))
    with pytest.raises(DataError, match="known has no range"):
        mdnb.control(np.zeros(5), np.zeros(5), [1.0, 1.0])


# --- figures ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def judgement():
    def rows(name, factor):
        return [
            Row(name, "torsions, JS", "", 0.1 * factor, 0.08 * factor, 0.12 * factor, 0.1, "lower", 500.0 * factor, ""),
            Row(name, "torsions, JS", "phi", 0.1, 0.1, 0.1, 0.1, "lower"),
            Row(name, "precision", "", 0.9, 0.8, 1.0, 0.95, "higher"),
        ]

    populations = [
        Row(name, "population", f"state {state}", value, value - 0.1, value + 0.1, 0.5, "equal")
        for name in ("held-out MD", "<b>VAE", "GAN")
        for state, value in enumerate((0.6, 0.4))
    ]
    ladder = Ladder("torsions, JS", np.array([100.0, 1000.0]), np.array([0.3, 0.1]))
    made = (*rows("<b>VAE", 1.0), *rows("GAN", 2.0))
    return Judgement(made, tuple(populations), {"torsions, JS": ladder}, {"<b>VAE": 100, "GAN": 100})


def test_the_figure_of_a_judgement_shows_values_over_floors(judgement):
    figure = mdnb.figures.judgement_figure(judgement)
    assert isinstance(figure, go.Figure)
    marks = [trace for trace in figure.data if trace.mode == "markers"]
    assert [trace.name for trace in marks] == ["&lt;b&gt;VAE", "&lt;b&gt;VAE", "GAN", "GAN"]
    assert list(marks[0].x) == pytest.approx([1.0])
    assert list(marks[2].x) == pytest.approx([2.0])
    assert list(marks[0].error_x.array) == pytest.approx([0.2])
    assert list(marks[1].x) == [0.9]
    assert figure.layout.yaxis.ticktext == ("torsions, JS",)
    assert figure.layout.yaxis2.ticktext == ("precision",)
    floor = next(trace for trace in figure.data if trace.mode == "lines")
    assert set(floor.x) == {0.95}


def test_the_figure_of_a_ladder_shows_where_each_set_stands(judgement):
    figure = mdnb.figures.ladder_figure(judgement)
    assert list(figure.data[0].x) == [0.1, 1.0]
    assert list(figure.data[1].x) == [0.5]
    assert figure.data[1].name == "&lt;b&gt;VAE: 0.5 ns"
    with pytest.raises(SpecError, match="figure with a ladder of MD 'precision'"):
        mdnb.figures.ladder_figure(judgement, "precision")


def test_the_figure_of_populations_begins_with_the_held_out_md(judgement):
    figure = mdnb.figures.populations_figure(judgement)
    assert [trace.name for trace in figure.data] == ["held-out MD", "&lt;b&gt;VAE", "GAN"]
    assert list(figure.data[0].y) == [0.6, 0.4]
    assert list(figure.data[0].error_y.array) == pytest.approx([0.1, 0.1])


def test_the_figure_of_control_shows_extrapolation():
    asked = np.linspace(0, 1, 10)
    figure = mdnb.figures.control_figure(mdnb.control(asked, asked * 0.5, [0.0, 0.5]), "end-to-end distance", "nm")
    assert [trace.name for trace in figure.data] == [
        "structures",
        "outside the training range",
        "as requested",
        "slope 0.50",
    ]
    assert len(figure.data[0].x) == len(figure.data[1].x) == 5
    assert figure.layout.xaxis.title.text == "requested end-to-end distance (nm)"


def test_measured_from_a_frame_of_the_simulations(chignolin):
    """Not from the first of the structures, which is as good as any other."""
    frames = chignolin.frames(slice(None, None, 500))
    rows = np.arange(3, frames.n_frames)[::-1]
    for name in ("native-contacts", "folded", "rmsd"):
        expected = make_target(mdnb.featurize(mdnb.load(frames), "positions"), name).values
        found = measured(frames[rows], name, chignolin)
        assert found == pytest.approx(expected[rows], abs=1e-6)
        assert measured(frames[rows], name, frames) == pytest.approx(found, abs=1e-6)
        with pytest.raises(DataError, match=f"'{name}' is measured from a frame of the simulations; give them: refere"):
            measured(frames, name)
    later = make_target(mdnb.featurize(mdnb.load(frames), "positions"), "rmsd:1").values
    assert measured(frames[rows], "rmsd:500", chignolin) == pytest.approx(later[rows], abs=1e-6)
    heavy = frames.atom_slice(frames.topology.select("element != H"))
    assert measured(heavy[rows], "native-contacts", chignolin) == pytest.approx(
        measured(frames[rows], "native-contacts", chignolin), abs=1e-6
    )
    with pytest.raises(DataError, match="the classes of 'clusters:3' are found in the frames that they are of"):
        measured(frames, "clusters:3")
    with pytest.raises(DataError, match=r"'rmsd:99999': the reference has \d+ frames"):
        measured(frames, "rmsd:99999", chignolin)


def test_control_of_a_generated_knows_the_range_of_its_run_and_refuses_classes():
    training = mdnb.Training(epochs=1, **FAST)
    run = mdnb.fit(features("internal-coordinates"), "end-to-end-distance", mdnb.VAE(hidden=8), training)
    low, high = mdnb.asked_range(run)
    made = mdnb.generate(run, 20, np.linspace(low, high + (high - low), 20))
    found = mdnb.control(made, "end-to-end-distance")
    assert found.known == pytest.approx([low, high])
    assert np.array_equal(found.outside, made.extrapolated)
    assert not mdnb.control(mdnb.generate(run, 20, np.linspace(low, high, 20)), "end-to-end-distance").outside.any()
    classes = mdnb.fit(features("internal-coordinates"), "basin", mdnb.VAE(hidden=8), training)
    with pytest.raises(DataError, match=r"what was requested are classes \(.*\), which have no correlation; the share"):
        mdnb.control(mdnb.generate(classes, 5, "extended"), "basin")


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_weighted_medians_are_those_of_repeated_values(data):
    values = np.array(data.draw(st.lists(st.floats(-5, 5), min_size=1, max_size=20)))
    weights = np.array(data.draw(st.lists(st.integers(0, 4), min_size=len(values), max_size=len(values))))
    weights[0] += 1
    repeated = np.sort(np.repeat(values, weights))
    assert (
        weighted_medians(values, np.stack([weights, 2 * weights])).tolist() == [repeated[(len(repeated) - 1) // 2]] * 2
    )

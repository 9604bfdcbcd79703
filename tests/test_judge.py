"""judge: what it says of ensembles of which one knows what has to be said."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import pairwise

import mdtraj
import numpy as np
import pytest
from learning_fixtures import fit_family, trajectories

import mdnb
from mdnb.errors import DataError, SpecError
from mdnb.generation.checks import CHECKS, Limits, check_structures
from mdnb.generation.compare import jensen_shannon, ramachandran
from mdnb.generation.generated import Generated

DISTANCES = [
    "torsions, JS", "Ramachandran, JS", "TICA-0, JS", "TICA-0,1, JS", "metastable states, JS", "distances, JS",
    "contacts, mean absolute difference", "radius of gyration, JS", "sliced Wasserstein", "mode collapse",
]  # fmt: skip
SHARES = ["precision", "recall", "density", "coverage", "passes all checks"]
NOVEL = ["below the memorization line", "nearer to training than to held-out", "RMSD to training, median (nm)"]
SETS = ("copies", "one basin", "new MD", "training MD", "PCA mixture", "MD of 2 ns")


def jittered(structures, size=0.001, seed=0):
    noise = np.random.default_rng(seed).normal(0, size, structures.xyz.shape)
    return mdtraj.Trajectory((structures.xyz + noise).astype(np.float32), structures.topology)


@pytest.fixture(scope="module")
def replicas():
    return trajectories()


@pytest.fixture(scope="module")
def sets(replicas):
    train = replicas[:4].frames(slice(None))
    phi, psi = ramachandran(train).T
    return {
        "copies": jittered(train[::2]),
        "one basin": jittered(train[np.flatnonzero((phi < 0) & (psi > 50))], 0.003),
        "new MD": replicas[6:].frames(slice(None)),  # of replicas that are neither training nor held out
    }


@pytest.fixture(scope="module")
def judgement(replicas, sets):
    return mdnb.judge(sets, replicas[4:6], replicas[:4], md_length=2000.0)


judge = partial(mdnb.judge, n_draws=20)


def value(judgement, name, metric):
    return judgement.row(name, metric).value


def test_every_set_has_every_figure_with_its_floor(judgement):
    assert judgement.sets == SETS
    assert judgement.metrics == (*DISTANCES, *SHARES, *NOVEL)
    table = judgement.table()
    wide = judgement.side_by_side()
    assert list(wide.columns) == list(judgement.sets)
    assert list(wide.index) == list(table["metric"].unique())
    for row in table.itertuples():
        assert wide.loc[row.metric, row.structures] == row.value or np.isnan(row.value)
    assert list(table.columns) == [
        "structures", "metric", "value", "low", "high", "floor", "value/floor", "better", "as good as MD of"
    ]  # fmt: skip
    assert np.isfinite(table[["value", "floor"]]).all(axis=None)
    assert len(table) == 6 * (len(DISTANCES) + len(SHARES)) + 4 * len(NOVEL)  # MD of the training set is not "new"
    known = table[(table.floor > 0) & table.low.notna()]
    assert (known["value/floor"] == known.value / known.floor).all()
    assert ((known.low <= known.value) & (known.value <= known.high)).all()
    assert set(table.better) == {"lower", "higher"}


def test_the_training_md_is_its_own_floor(judgement):
    for metric in DISTANCES:
        row = judgement.row("training MD", metric)
        assert row.value == row.floor, metric


def test_the_floor_has_as_many_frames_as_the_set(judgement, replicas, sets):
    n = sets["one basin"].n_frames
    train, real = replicas[:4].frames(slice(None)), ramachandran(replicas[4:6].frames(slice(None)))
    chosen = np.linspace(0, train.n_frames - 1, n).astype(int)
    expected = jensen_shannon(ramachandran(train[chosen]), real)
    assert judgement.row("one basin", "Ramachandran, JS").floor == pytest.approx(expected, abs=1e-9)


def test_values_are_those_of_the_histograms(judgement, replicas, sets):
    real = ramachandran(replicas[4:6].frames(slice(None)))
    for name in sets:
        expected = jensen_shannon(ramachandran(sets[name]), real)
        assert value(judgement, name, "Ramachandran, JS") == pytest.approx(expected, abs=2e-3), name


def test_a_missing_basin_is_seen(judgement):
    for metric in ("metastable states, JS", "sliced Wasserstein", "mode collapse"):
        assert value(judgement, "one basin", metric) > 2 * value(judgement, "new MD", metric), metric
    assert value(judgement, "one basin", "recall") < 0.85 < value(judgement, "new MD", "recall")
    assert value(judgement, "one basin", "precision") > 0.9
    table = judgement.state_table()
    states = table[table.structures == "one basin"]
    missing = states[states.obtained == 0]
    assert missing.expected.sum() > 0.2
    assert not missing.within.any()
    assert states.expected.sum() == pytest.approx(1)


def test_copies_are_called_so_and_new_structures_are_not(judgement):
    assert value(judgement, "copies", "below the memorization line") == 1
    assert value(judgement, "copies", "nearer to training than to held-out") > 0.98
    assert value(judgement, "copies", "RMSD to training, median (nm)") < 0.003
    novelty = judgement.row("new MD", "RMSD to training, median (nm)")
    assert novelty.low < novelty.value < novelty.high
    new = judgement.row("new MD", "below the memorization line")
    assert new.value < 0.12
    assert new.low <= new.floor == 0.05
    fair = judgement.row("new MD", "nearer to training than to held-out")
    assert fair.floor == pytest.approx(4 / 6)
    assert fair.value == pytest.approx(fair.floor, abs=0.06)
    assert [text.split(":")[0] for text in judgement.warnings if "memorized" in text] == ["copies", "one basin"]
    assert judgement.warnings[0].startswith(
        "copies: memorized. 100% of the structures lie below the memorization line, where 5% of real frames do, and"
    )
    assert judgement.row("copies", "below the memorization line").worse
    assert not new.worse


def test_pieces_of_the_training_data_are_called_that_and_not_copies(replicas):
    found = judge(
        {"piece": replicas[:2].frames(slice(None))}, replicas[4:6], replicas[:4], baselines=False, md_length=[1e3, 2e3]
    )
    assert found.sets == ("piece", "MD of 1 ns", "MD of 2 ns")
    (text,) = found.warnings  # what the judge itself took from the training data needs none
    assert text.startswith("piece: 100% of the structures are training frames (to 0.001 nm")


@pytest.mark.parametrize("kept", [0, 3, 6])
def test_new_md_is_not_above_the_line_and_a_fifth_of_near_copies_is(replicas, kept):
    """Whichever replicas train, are held out and are new: the interval holds the noise of the line too."""
    order = np.roll(np.arange(8), kept)
    train, held, new = (mdnb.load([replicas[int(i)].frames(slice(None)) for i in part]) for part in
                        (order[:4], order[4:6], order[6:]))  # fmt: skip
    copies = jittered(train.frames(slice(None, None, 5)), 0.002)
    mixed = mdtraj.join([new.frames(slice(None)), copies[:150]])
    found = judge({"new": new, "mixed": mixed}, held, train, baselines=False)
    rows = {name: found.row(name, "below the memorization line") for name in found.sets}
    assert not rows["new"].worse
    assert rows["mixed"].worse
    assert rows["mixed"].low < rows["mixed"].value < rows["mixed"].high


def test_the_mixture_is_no_chemistry(judgement, replicas, sets):
    assert value(judgement, "PCA mixture", "passes all checks") < 0.2
    assert judgement.row("PCA mixture", "passes all checks").floor > 0.98
    limits = Limits.measure(replicas[:4].frames(slice(None)))
    passed = check_structures(sets["one basin"], limits)
    for check in passed:
        assert judgement.row("one basin", "passes all checks", check).value == pytest.approx(passed[check].mean())
    every = np.logical_and.reduce(list(passed.values())).mean()
    assert value(judgement, "one basin", "passes all checks") == pytest.approx(every)


def test_as_good_as_how_much_md(judgement):
    """2 ns of the training MD is as good as about 2 ns of it; one basin never gets better than less MD."""
    row = judgement.row("MD of 2 ns", "Ramachandran, JS")
    assert 1000 < row.md < 4000
    assert judgement.row("one basin", "Ramachandran, JS").md < judgement.row("new MD", "Ramachandran, JS").md
    ladder = judgement.ladders["Ramachandran, JS"]
    assert ladder.lengths[-1] == pytest.approx(24_000)  # all four replicas, 6 ns each
    assert (np.diff(ladder.lengths) > 0).all()
    assert ladder.values[0] > 1.3 * ladder.values[-1]


def test_parts_have_rows_of_their_own(judgement):
    table = judgement.table(parts=True)
    torsions = table[(table.structures == "copies") & (table.metric == "torsions, JS") & (table.part != "")]
    assert list(torsions.part) == ["phi ALA2", "psi ALA2"]
    assert torsions.value.mean() == pytest.approx(value(judgement, "copies", "torsions, JS"))
    assert judgement.row("copies", "torsions, JS", "phi ALA2").value == torsions.value.iloc[0]


def test_it_says_what_it_is(judgement):
    text = repr(judgement)
    assert text.startswith("Judgement: copies (600), one basin (")
    assert "Ramachandran, JS" in text
    assert "torsions, JS: new MD is as good as MD of" in text
    assert "warning: copies: memorized" in text
    assert "note: TICA at a lag of 20 ps" in text
    assert "note: one frame later the reference remembers nothing" in text  # frames are 20 ps apart here


def test_same_seed_same_judgement(replicas, sets):
    one, same, other = (judge({"x": sets["new MD"]}, replicas[4:6], replicas[:4], seed=seed) for seed in (0, 0, 1))
    assert one.rows[:20] == same.rows[:20]
    assert [row.value for row in one.rows if row.structures == "x"][:2] == [row.value for row in other.rows][:2]
    assert one.row("PCA mixture", "torsions, JS").value != other.row("PCA mixture", "torsions, JS").value


def test_the_order_of_structures_does_not_matter(replicas, sets, judgement):
    shuffled = sets["new MD"][np.random.default_rng(1).permutation(sets["new MD"].n_frames)]
    again = judge({"new MD": shuffled}, replicas[4:6], replicas[:4], baselines=False)
    for metric in (*DISTANCES, "passes all checks", *NOVEL):
        assert value(again, "new MD", metric) == pytest.approx(value(judgement, "new MD", metric), abs=1e-9), metric


def test_place_and_direction_do_not_matter(replicas, sets, judgement):
    rng = np.random.default_rng(2)
    turns = np.linalg.qr(rng.normal(size=(sets["new MD"].n_frames, 3, 3)))[0]
    turns[:, 0] *= np.sign(np.linalg.det(turns))[:, None]
    positions = sets["new MD"].xyz @ turns + rng.normal(size=(len(turns), 1, 3))
    turned = mdtraj.Trajectory(positions.astype(np.float32), sets["new MD"].topology)
    again = judge({"new MD": turned}, replicas[4:6], replicas[:4], baselines=False)
    for metric in (*DISTANCES, *SHARES, *NOVEL):
        assert value(again, "new MD", metric) == pytest.approx(value(judgement, "new MD", metric), abs=5e-3), metric


def test_a_mirrored_ensemble_is_not_taken_for_real(replicas, sets):
    mirrored = mdtraj.Trajectory(sets["new MD"].xyz * np.array([1, 1, -1], np.float32), sets["new MD"].topology)
    found = judge({"mirror": mirrored}, replicas[4:6], replicas[:4], baselines=False)
    assert value(found, "mirror", "passes all checks") == 0
    assert value(found, "mirror", "torsions, JS") > 0.5
    assert value(found, "mirror", "distances, JS") < 0.2  # distances know no hands


def test_without_training_md(replicas, sets):
    found = judge(sets["new MD"], replicas[:6])
    assert found.sets == ("generated",)
    assert found.metrics == (*DISTANCES, *SHARES)
    assert any("one half of the held-out MD against the other" in note for note in found.notes)
    row = found.row("generated", "Ramachandran, JS")
    halves = [
        ramachandran(mdtraj.join([replicas[i].frames(slice(None)) for i in which])) for which in ((0, 2, 4), (1, 3, 5))
    ]
    chosen = np.linspace(0, len(halves[0]) - 1, sets["new MD"].n_frames).astype(int)
    assert row.floor == pytest.approx(jensen_shannon(halves[0][chosen], halves[1]), abs=1e-9)
    assert row.md > 0  # of each replica against the others
    alone = judge(sets["new MD"], replicas[0])
    assert not alone.ladders  # one replica has no others
    assert np.isfinite(alone.row("generated", "Ramachandran, JS").floor)


def test_generated_trajectories_and_lists_are_taken(replicas, sets):
    structures = sets["new MD"][:100]
    made = Generated(structures, {name: np.ones(100, bool) for name in CHECKS}, "VAE", 0)
    found = judge({"made": made, "bare": structures}, [one.frames(slice(None)) for one in replicas[4:6]])
    assert [row.value for row in found.rows if row.structures == "made"] == [
        row.value for row in found.rows if row.structures == "bare"
    ]
    assert judge(made, replicas[4:6]).sets == ("VAE",)
    dynamics = judge({"MD": replicas[6:]}, replicas[4:6])
    assert dynamics.sizes == {"MD": 600}


def test_what_a_network_generates(replicas):
    """A network of a few epochs: it is judged from end to end, and above the floor."""
    run = fit_family("VAE", epochs=3)
    made = mdnb.generate(run, 300, seed=1)
    found = judge({"VAE": made}, replicas[6:], replicas[:6], baselines=False)
    row = found.row("VAE", "torsions, JS")
    assert row.value > row.floor
    assert row.low <= row.value <= row.high
    limits = Limits.measure(replicas[:6].frames(slice(None)))
    expected = np.logical_and.reduce(list(check_structures(made.structures, limits).values())).mean()
    assert value(found, "VAE", "passes all checks") == pytest.approx(expected)


def test_energies(replicas, sets):
    rng = np.random.default_rng(0)
    energies = {"reference": rng.normal(0, 10, 600), "train": rng.normal(0, 10, 1200), "low": rng.normal(0, 10, 600),
                "high": rng.normal(100, 10, 600)}  # fmt: skip
    both = {"low": sets["new MD"], "high": sets["new MD"], "unknown": sets["new MD"]}
    found = judge(both, replicas[4:6], replicas[:4], energies=energies, baselines=False)
    assert value(found, "low", "energy, JS") < 0.25
    assert value(found, "high", "energy, JS") == pytest.approx(np.sqrt(np.log(2)), abs=0.01)
    assert value(found, "high", "energy, shift of the median (kJ/mol)") == pytest.approx(100, abs=3)
    assert found.row("low", "energy, JS").floor < 0.25
    shift = found.row("high", "energy, shift of the median (kJ/mol)")
    assert 90 < shift.low < shift.value < shift.high < 110
    assert not [row for row in found.rows if row.structures == "unknown" and "energy" in row.metric]
    called = judge({"x": sets["new MD"]}, replicas[4:6], energies=lambda one: one.xyz[:, 0, 0].astype(float))
    assert value(called, "x", "energy, JS") > 0
    torn = {**energies, "low": np.full(600, np.nan)}  # no energy can be computed of these
    assert value(judge(both, replicas[4:6], energies=torn), "low", "energy, JS") == pytest.approx(np.sqrt(np.log(2)))
    with pytest.raises(DataError, match="the energies of 'reference' have"):
        judge(both, replicas[4:6], energies={"reference": np.full(600, np.nan)})
    with pytest.raises(DataError, match=r"energies of 'low' have the shape \(3,\).*each of 600 structures"):
        judge(both, replicas[4:6], energies={**energies, "low": np.zeros(3)})


def test_a_peptide_has_rows_by_residue():
    peptide = mdnb.example("chignolin")
    found = judge({"x": peptide[1].frames(slice(None))}, peptide[2:12:2], peptide[3:12:2])
    parts = found.table(parts=True)
    residues = parts[(parts.structures == "x") & (parts.metric == "Ramachandran, JS") & (parts.part != "")]
    assert list(residues.part)[:2] == ["TYR2", "ASP3"]
    assert len(residues) == 8
    assert residues.value.mean() == pytest.approx(value(found, "x", "Ramachandran, JS"))
    torsions = parts[(parts.structures == "x") & (parts.metric == "torsions, JS") & (parts.part != "")]
    assert {"chi1 TRP9", "chi2 TYR2", "phi GLY7"} <= set(torsions.part)
    assert value(found, "x", "coverage") < found.row("x", "coverage").floor + 0.2


def butane(torsion, rng):
    topology = mdtraj.Topology()
    residue = topology.add_residue("BUT", topology.add_chain())
    atoms = [topology.add_atom(f"C{i}", mdtraj.element.carbon, residue) for i in range(4)]
    for first, second in pairwise(atoms):
        topology.add_bond(first, second)
    zero, x, y = np.zeros_like(torsion), 0.153 * np.cos(np.radians(68)), 0.153 * np.sin(np.radians(68))
    positions = np.stack([
        np.stack([zero - x, zero + y, zero], 1),
        np.stack([zero, zero, zero], 1),
        np.stack([zero + 0.153, zero, zero], 1),
        np.stack([zero + 0.153 + x, y * np.cos(torsion), y * np.sin(torsion)], 1),
    ], 1)  # fmt: skip
    return mdtraj.Trajectory((positions + rng.normal(0, 0.003, positions.shape)).astype(np.float32), topology)


def test_a_molecule_without_residues():
    rng = np.random.default_rng(0)

    def draw(n, shares):
        return butane(rng.choice([np.pi, 1.1, -1.1], n, p=shares) + rng.normal(0, 0.2, n), rng)

    real, train = ([draw(600, [0.6, 0.2, 0.2]) for _ in range(2)] for _ in range(2))
    sets = {"right": draw(1000, [0.6, 0.2, 0.2]), "wrong": draw(1000, [0.99, 0.01, 0.0])}
    found = judge(sets, real, train)
    assert "Ramachandran, JS" not in found.metrics
    assert "no residue has phi and psi: there is no Ramachandran row" in found.notes
    assert value(found, "wrong", "torsions, JS") > 2 * value(found, "right", "torsions, JS")
    assert value(found, "wrong", "mode collapse") > 0.3 > value(found, "right", "mode collapse")
    assert found.as_md(found.row("right", "torsions, JS")).endswith("frames")
    assert not [row for row in found.rows if row.structures == "right" and not np.isfinite(row.value)]


def test_no_bond_that_can_turn():
    """Three atoms: distances take the place of torsions."""
    rng = np.random.default_rng(0)
    made = [butane(np.full(200, np.pi), rng).atom_slice([0, 1, 2]) for _ in range(3)]
    found = judge({"x": made[0]}, made[1:])
    assert "no bond can turn: distances take the place of torsions" in found.notes
    assert "torsions, JS" not in found.metrics
    assert np.isfinite(value(found, "x", "sliced Wasserstein"))


class TestSlips:
    def test_other_molecules(self, replicas, sets):
        with pytest.raises(DataError, match=r"atoms, the reference 22, without .* give the trajectories"):
            judge({"x": butane(np.full(200, np.pi), np.random.default_rng(0))}, replicas)
        with pytest.raises(DataError, match="the training data has 3 atoms"):
            judge({"x": sets["new MD"]}, replicas, sets["new MD"].atom_slice([0, 1, 2]))

    def test_not_structures(self, replicas, sets):
        with pytest.raises(DataError, match="got 'str' as the reference, expected Trajectories"):
            judge(sets, "md.xtc")
        with pytest.raises(DataError, match=r"got 'ndarray' as 'x', expected what mdnb\.generate returns"):
            judge({"x": sets["new MD"].xyz}, replicas)
        with pytest.raises(DataError, match="there are no structures to judge"):
            judge({}, replicas)
        with pytest.raises(DataError, match="'x' holds 1 structures, expected at least 2"):
            judge({"x": sets["new MD"][:1]}, replicas)
        broken = mdtraj.Trajectory(np.full((5, 22, 3), np.nan, np.float32), replicas.topology)
        with pytest.raises(DataError, match="'x' holds positions that are not numbers"):
            judge({"x": broken}, replicas)

    def test_names_and_numbers(self, replicas, sets):
        with pytest.raises(SpecError, match="a set of structures is named 'training MD'"):
            judge({"training MD": sets["new MD"]}, replicas)
        with pytest.raises(SpecError, match="n_draws = 3: expected a whole number of at least 10"):
            judge(sets, replicas, n_draws=3)
        with pytest.raises(SpecError, match="n_states = True"):
            judge(sets, replicas, n_states=True)
        with pytest.raises(SpecError, match="md_length takes a piece of the training MD"):
            judge(sets, replicas, md_length=100.0)

    def test_rows_that_are_not_there(self, judgement):
        with pytest.raises(SpecError, match="set of structures 'copy'"):
            judgement.row("copy", "precision")
        with pytest.raises(SpecError, match="figure 'precison'"):
            judgement.row("copies", "precison")
        with pytest.raises(SpecError, match="phi ALA3"):
            judgement.row("copies", "torsions, JS", "phi ALA3")


# --- pieces and the mixture ------------------------------------------------------------------------------------------


def test_md_piece(replicas):
    piece = mdnb.md_piece(replicas, 200.0, replica=1, start=100.0)
    assert piece.n_frames == 10
    assert np.array_equal(piece.xyz, replicas[1].frames(slice(5, 15)).xyz)
    with pytest.raises(DataError, match="replica 0 has 300 frames, 6000 ps in all; 1e\\+06 from 0 on were asked for"):
        mdnb.md_piece(replicas, 1e6)
    assert mdnb.md_piece(replicas[0].frames(slice(None)), 200.0).n_frames == 10


def test_pca_mixture_has_the_moments_of_md_and_not_its_chemistry(replicas):
    train = replicas[:4].frames(slice(None))
    made = mdnb.pca_mixture(train, 2000, 0)
    assert made.n_frames == 2000
    assert made.topology == train.topology
    pairs = np.array([(0, 21), (4, 16), (8, 10)])
    real, own = (mdtraj.compute_distances(one, pairs, periodic=False) for one in (train, made))
    assert own.mean(0) == pytest.approx(real.mean(0), abs=0.02)
    assert own.std(0) == pytest.approx(real.std(0), rel=0.3)
    same, other = mdnb.pca_mixture(train, 2000, 0), mdnb.pca_mixture(train, 2000, 1)
    assert np.array_equal(made.xyz, same.xyz)
    assert not np.array_equal(made.xyz, other.xyz)
    first, last = made.xyz[:1000].mean(0), made.xyz[1000:].mean(0)
    assert np.abs(first - last).max() < 0.05  # not Gaussian by Gaussian
    turned = mdtraj.Trajectory(train.xyz[:, :, [1, 2, 0]] + 3, train.topology)
    again = mdtraj.compute_distances(mdnb.pca_mixture(turned, 2000, 0), pairs, periodic=False)
    assert again.mean(0) == pytest.approx(own.mean(0), abs=0.02)


def test_pca_mixture_refuses(replicas):
    with pytest.raises(SpecError, match="n = 0: expected a whole number"):
        mdnb.pca_mixture(replicas, 0)
    with pytest.raises(SpecError, match="variance = 2"):
        mdnb.pca_mixture(replicas, 5, variance=2)
    with pytest.raises(DataError, match="5 frames for 20 Gaussians"):
        mdnb.pca_mixture(replicas[0].frames(slice(5)), 5)


def test_a_row_without_a_floor_has_no_ratio(judgement):
    row = judgement.row("copies", "precision")
    assert np.isnan(replace(row, floor=0.0).ratio)

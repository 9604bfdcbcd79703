"""Generated structures, the checks that judge them, and the distance to molecular dynamics."""

import copy
from dataclasses import replace

import mdtraj
import numpy as np
import pytest
import torch
from learning_fixtures import FAST, family_spec, features, fit_family, trained, trajectories
from scipy.spatial.distance import jensenshannon

import mdnb
from mdnb.errors import DataError, SpecError
from mdnb.generation import compare
from mdnb.generation.asked import _is_called
from mdnb.generation.checks import CHECKS, Limits, check_structures
from mdnb.generation.compare import jensen_shannon, ramachandran

GENERATORS = ["VAE", "GAN"]


@pytest.fixture(scope="module")
def real():
    """Return frames of six replicas, and of the two others, that the limits have not seen."""
    own = np.arange(trajectories().n_frames)
    held_out = features().trajectory >= 6
    return trajectories().frames(own[~held_out]), trajectories().frames(own[held_out])


@pytest.fixture(scope="module")
def limits(real):
    return Limits.measure(real[0])


def changed(structures, change):
    """Return a copy of the structures with changed positions."""
    return mdtraj.Trajectory(change(structures.xyz.copy()), structures.topology)


def atom(structures, name):
    """Return the index of an atom such as ``ALA2-CB``."""
    return next(one.index for one in structures.topology.atoms if str(one) == name)


# --- the checks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("selection", ["all", "element != H"])
def test_real_structures_pass(real, selection):
    train, held_out = (one.atom_slice(one.topology.select(selection)) for one in real)
    passed = check_structures(held_out, Limits.measure(train))
    assert list(passed) == [name for name in CHECKS if name in passed]
    assert np.logical_and.reduce(list(passed.values())).mean() >= 0.99


def test_real_structures_of_a_peptide_pass():
    """With hydrogen bonds and contacts that the training part does not have."""
    everything = mdnb.example("chignolin")
    limit = sum(everything.lengths[:9])
    train, held_out = (
        everything.frames(slice(low, high, 3)) for low, high in ((0, limit), (limit, everything.n_frames))
    )
    passed = check_structures(held_out, Limits.measure(train))
    assert np.logical_and.reduce(list(passed.values())).mean() >= 0.99


@pytest.mark.parametrize("scale", [0.7, 1.4])
def test_a_broken_bond_is_caught(real, limits, scale):
    a, b = atom(real[1], "ALA2-CA"), atom(real[1], "ALA2-CB")

    def stretch(xyz):
        xyz[:, b] = xyz[:, a] + scale * (xyz[:, b] - xyz[:, a])
        return xyz

    assert not check_structures(changed(real[1], stretch), limits)["bonds"].any()


def test_every_bond_is_checked(real, limits):
    for a, b in limits.bonds:

        def stretch(xyz, a=a, b=b):
            xyz[:, b] = xyz[:, a] + 1.5 * (xyz[:, b] - xyz[:, a])
            return xyz

        assert not check_structures(changed(real[1][:20], stretch), limits)["bonds"].any(), (a, b)


@pytest.mark.parametrize("selection", ["all", "element != H"])
def test_a_mirrored_molecule_is_caught(real, selection):
    """Also without hydrogens, where the chiral centre has but three neighbours."""
    train, held_out = (one.atom_slice(one.topology.select(selection)) for one in real)
    passed = check_structures(changed(held_out, lambda xyz: xyz * np.array([1, 1, -1])), Limits.measure(train))
    assert not passed["chirality"].any()
    assert passed["bonds"].mean() > 0.99
    assert passed["angles"].mean() > 0.99


def test_two_neighbours_exchanged_on_one_centre_are_caught(real, limits):
    n, c = atom(real[1], "ALA2-HA"), atom(real[1], "ALA2-CB")

    def exchange(xyz):
        xyz[:, [n, c]] = xyz[:, [c, n]]
        return xyz

    passed = check_structures(changed(real[1], exchange), limits)
    assert not (passed["chirality"] & passed["bonds"]).any()


def test_a_clash_is_caught(real, limits):
    """The last methyl is laid on the first."""
    first = [one.index for one in real[1].topology.atoms if one.residue.index == 0 and one.name in ("CH3",)]
    last = atom(real[1], "NME3-C")

    def lay(xyz):
        xyz[:, last] = xyz[:, first[0]] + 0.1
        return xyz

    assert not check_structures(changed(real[1], lay), limits)["clashes"].any()


def test_a_bent_angle_is_caught(real, limits):
    """The carbonyl oxygen is turned onto the side of the C-alpha."""
    c, o, ca = (atom(real[1], f"ALA2-{name}") for name in ("C", "O", "CA"))

    def bend(xyz):
        length = np.linalg.norm(xyz[:, o] - xyz[:, c], axis=-1, keepdims=True)
        way = (xyz[:, ca] - xyz[:, c]) + 0.3 * (xyz[:, o] - xyz[:, c])
        xyz[:, o] = xyz[:, c] + length * way / np.linalg.norm(way, axis=-1, keepdims=True)
        return xyz

    passed = check_structures(changed(real[1], bend), limits)
    assert passed["bonds"].all()
    assert not passed["angles"].any()


def test_a_twisted_peptide_bond_is_caught(real, limits):
    topology = real[1].topology
    c, n = atom(real[1], "ALA2-C"), atom(real[1], "NME3-N")
    moved = [one.index for one in topology.atoms if one.residue.index == 2 and one.name != "N"]

    def twist(xyz):
        axis = xyz[:, n] - xyz[:, c]
        axis = (axis / np.linalg.norm(axis, axis=1, keepdims=True))[:, None]
        arms = xyz[:, moved] - xyz[:, [n]]
        xyz[:, moved] = xyz[:, [n]] + (arms * axis).sum(-1, keepdims=True) * axis + np.cross(axis, arms)
        return xyz

    passed = check_structures(changed(real[1], twist), limits)
    assert np.logical_and.reduce(list(passed.values())).mean() < 0.05


def test_positions_that_are_not_numbers_fail(real, limits):
    def spoil(xyz):
        xyz[:, 4] = np.nan
        return xyz

    passed = check_structures(changed(real[1][:5], spoil), limits)
    assert not np.logical_and.reduce(list(passed.values())).any()


def test_checks_do_not_depend_on_place_and_direction(real, limits):
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    turned = changed(real[1], lambda xyz: (xyz @ turn + 3).astype(np.float32))
    one, other = check_structures(real[1], limits), check_structures(turned, limits)
    assert all((one[name] == other[name]).mean() > 0.999 for name in limits.names)


def test_each_structure_is_judged_on_its_own(real, limits):
    mixed = real[1][:10]
    mirrored = changed(mixed, lambda xyz: xyz * np.array([-1, 1, 1]))
    both = mdtraj.join([mixed, mirrored])
    assert check_structures(both, limits)["chirality"].tolist() == [True] * 10 + [False] * 10


# --- generating ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=GENERATORS)
def run(request):
    return fit_family(request.param, epochs=40)


def test_generated_structures_are_chemically_possible(run):
    generated = mdnb.generate(run, 500, seed=1, reference=trajectories())
    assert len(generated) == generated.structures.n_frames == 500
    assert generated.structures.topology.n_atoms == 22
    assert list(generated.checks) == [name for name in CHECKS if name in generated.checks]
    assert {"bonds", "cis/trans", "Ramachandran"} <= generated.checks.keys()
    assert generated.checks["bonds"].mean() > 0.97
    assert generated.checks["chirality"].mean() > 0.97
    assert generated.valid.mean() > 0.6
    assert np.array_equal(generated.valid, np.logical_and.reduce(list(generated.checks.values())))
    kept = generated.only_valid()
    assert len(kept) == generated.valid.sum()
    assert kept.valid.all()
    assert f"bonds {generated.checks['bonds'].mean():.1%}" in repr(generated)


def test_they_are_not_all_the_same_and_lie_where_md_lies(run):
    generated = mdnb.generate(run, 2000, seed=0)
    angles = ramachandran(generated.structures)
    real = ramachandran(trajectories().frames(run.test_frames))
    uniform = np.random.default_rng(0).uniform(-180, 180, angles.shape)
    assert jensen_shannon(angles, real, 20) < 0.75 * jensen_shannon(uniform, real, 20)
    assert generated.structures.xyz.std(0).mean() > 0.01


def test_same_seed_same_structures(run):
    one, same, other = (mdnb.generate(run, 20, seed=seed).structures.xyz for seed in (3, 3, 4))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_saved_and_loaded_it_generates_the_same(run, tmp_path):
    loaded = mdnb.Run.load(run.save(tmp_path / "run"))
    assert np.array_equal(mdnb.generate(loaded, 20).structures.xyz, mdnb.generate(run, 20).structures.xyz)


def test_without_a_reference_the_runs_own_examples_set_the_limits(run):
    generated = mdnb.generate(run, 200)
    by_all = mdnb.generate(run, 200, reference=trajectories())
    assert generated.checks.keys() == by_all.checks.keys()
    assert generated.checks["bonds"].mean() > 0.98
    assert 0 < generated.valid.mean() <= by_all.valid.mean() + 0.05


def test_features_may_be_the_reference(run):
    by_features = mdnb.generate(run, 50, reference=features("internal-coordinates"))
    by_trajectories = mdnb.generate(run, 50, reference=trajectories())
    assert all(np.array_equal(by_features.checks[name], by_trajectories.checks[name]) for name in by_features.checks)


def test_rebuilding_real_structures_loses_nothing():
    """So whatever fails the checks was drawn wrong, not built wrong."""
    from mdnb.features.internal import InternalCoordinates

    source = trajectories()
    coordinates = InternalCoordinates()
    coordinates.prepare(source.topology, source.frames(0).xyz[0])
    rows = np.arange(0, source.n_frames, 40)
    rebuilt = coordinates.rebuild(features("internal-coordinates").values[rows])
    real = source.frames(rows)
    real = changed(real, coordinates.canonical)  # the three hydrogens of a methyl group in one order
    pairs = np.array([(i, j) for i in range(22) for j in range(i)])
    distances = mdtraj.compute_distances(real, pairs, periodic=False)
    again = mdtraj.compute_distances(mdtraj.Trajectory(rebuilt, source.topology), pairs, periodic=False)
    assert np.abs(again - distances).max() < 2e-4


@pytest.mark.parametrize("suffix", ["pdb", "xtc", "dcd"])
def test_save_is_read_by_mdtraj(run, suffix, tmp_path):
    generated = mdnb.generate(run, 7)
    path = generated.save(tmp_path / f"structures.{suffix}")
    top = {} if suffix == "pdb" else {"top": generated.structures.topology}
    loaded = mdtraj.load(str(path), **top)
    assert loaded.xyz == pytest.approx(generated.structures.xyz, abs=2e-3)
    beside = {"pdb": ["json"]}.get(suffix, ["json", "pdb"])
    assert {file.name for file in tmp_path.iterdir()} == {
        path.name, *(f"{path.name}.{ending}" for ending in beside)
    }  # fmt: skip


def test_structures_can_be_loaded_and_featurized_again(run):
    generated = mdnb.generate(run, 30)
    assert mdnb.featurize(mdnb.load(generated.structures), "torsions").values.shape == (30, 4)


def test_none_valid(run):
    generated = mdnb.generate(run, 4, reference=trajectories())
    nothing = replace(generated, checks={name: np.zeros(4, bool) for name in generated.checks})
    with pytest.raises(DataError, match="none of the 4 structures passes every check; train longer"):
        nothing.only_valid()


def test_clear_errors(run):
    with pytest.raises(SpecError, match=r"a CNN generates nothing; train mdnb\.VAE\(\) or mdnb\.GAN\(\)"):
        mdnb.generate(trained("CNN"), 3)
    with pytest.raises(SpecError, match="n = 0"):
        mdnb.generate(run, 0)
    with pytest.raises(DataError, match="the reference has 166 atoms"):
        mdnb.generate(run, 3, reference=mdnb.example("chignolin"))


def test_a_run_on_other_features():
    other = mdnb.fit(features("torsions"), None, mdnb.VAE(hidden=8), mdnb.Training(epochs=1, **FAST))
    with pytest.raises(DataError, match="cannot be rebuilt from torsions; featurize with 'internal-coordinates'"):
        mdnb.generate(other, 3)


# --- comparing -------------------------------------------------------------------------------------------------------


def test_jensen_shannon_by_hand():
    first = np.array([[-90.0, -90.0]] * 3 + [[90.0, 90.0]])
    second = np.array([[-90.0, -90.0], [90.0, -90.0]])
    p, q = np.array([0.75, 0, 0.25, 0]), np.array([0.5, 0, 0, 0.5])
    assert jensen_shannon(first, second, bins=2) == pytest.approx(jensenshannon(p, q))
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        kl = [np.nansum(np.where(one > 0, one * np.log(one / middle), 0)) for one in (p, q)]
    assert jensen_shannon(first, second, bins=2) == pytest.approx(np.sqrt(sum(kl) / 2))


def test_jensen_shannon_of_equal_and_of_disjoint_sets():
    angles = np.random.default_rng(0).uniform(-180, 180, (1000, 2))
    assert jensen_shannon(angles, angles) == pytest.approx(0, abs=1e-7)
    assert jensen_shannon(angles, np.repeat(angles, 2, axis=0)) == pytest.approx(0, abs=1e-7)
    assert jensen_shannon(-np.abs(angles), np.abs(angles)) == pytest.approx(np.sqrt(np.log(2)))
    assert jensen_shannon(angles, angles + 0) == jensen_shannon(angles + 0, angles)


def test_all_angles_are_counted():
    edge = np.array([[-180.0, 180.0], [180.0, -180.0]])
    assert np.isfinite(jensen_shannon(edge, edge))


def test_floor_is_the_mean_of_successive_parts():
    rng = np.random.default_rng(0)
    parts = [rng.uniform(-180, 180, (500, 2)) for _ in range(3)]
    expected = np.mean([jensen_shannon(parts[0], parts[1]), jensen_shannon(parts[1], parts[2])])
    assert compare.floor(parts) == pytest.approx(expected)


def test_ramachandran_is_that_of_the_torsions(real):
    angles = np.radians(ramachandran(trajectories().frames(np.arange(50))))
    values = features().values[:50]
    expected = np.stack(
        [np.sin(angles[:, 0]), np.cos(angles[:, 0]), np.sin(angles[:, 1]), np.cos(angles[:, 1])], axis=1
    )
    assert values == pytest.approx(expected, abs=1e-5)
    with pytest.raises(DataError, match="no residue has both phi and psi"):
        ramachandran(real[0].atom_slice([0, 1, 2, 3]))


class TestSlips:
    @pytest.mark.parametrize("n", [2.5, "5", True, 0, None])
    def test_n(self, n):
        with pytest.raises(SpecError, match=r"n = .*: expected the number of structures"):
            mdnb.generate(trained("VAE"), n)

    def test_not_a_run_or_no_reference(self):
        with pytest.raises(DataError, match="got 'Trajectories' as a run"):
            mdnb.generate(trajectories())
        with pytest.raises(DataError, match="got 'Trajectory' as the reference, expected Trajectories or Features"):
            mdnb.generate(trained("VAE"), 5, reference=trajectories().frames([0]))


# --- conditions ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def conditional():
    data = features("internal-coordinates")
    return mdnb.fit(data, "end-to-end-distance", mdnb.VAE(hidden=64), mdnb.Training(epochs=60, batch_size=128))


def test_structures_have_the_property_that_was_asked_for(conditional):
    ends = trajectories().topology.select("element != H")[[0, -1]]
    obtained = []
    for wanted in (0.55, 0.75):
        generated = mdnb.generate(conditional, 200, {"end_to_end_distance": wanted})
        assert np.allclose(generated.requested, wanted)
        obtained.append(mdtraj.compute_distances(generated.structures, ends[None])[:, 0].mean())
    assert obtained == pytest.approx([0.55, 0.75], abs=0.05)


def test_what_was_asked_for_each_structure_is_kept_with_it(conditional):
    wanted = np.linspace(0.5, 0.8, 50)
    kept = mdnb.generate(conditional, 50, wanted).only_valid()
    assert len(kept.requested) == len(kept)
    assert np.abs(kept.requested[:, None] - wanted).min(1).max() < 1e-6


def test_extrapolation_is_said(conditional):
    generated = mdnb.generate(conditional, 5, 2.5)
    assert "2.5 to 2.5 nm was asked for, the training data have" in repr(generated)


@pytest.mark.parametrize("name", ["basin", "basin:ALA2", "Basin of ALA2", "basin_of_ala2"])
def test_a_class_is_asked_for_by_any_of_its_targets_names(name):
    assert _is_called("basin of ALA2", name)
    assert not _is_called("basin of GLY7", "basin:ALA2")
    assert not _is_called("basin of ALA2", "ala2")
    assert not _is_called("radius of gyration", name)
    assert _is_called("radius of gyration", "radius_of_gyration")
    assert _is_called("radius of gyration", "radius-of-gyration")


@pytest.mark.parametrize(
    ("condition", "sentence"),
    [
        ({"radius_of_gyration": 0.4}, "knows 'end-to-end distance' only"),
        ([0.4, 0.5], r"has the shape \(2,\), expected one value, or one for each of 5 structures"),
        ("long", "expected a number in nm"),
        (float("nan"), "expected a number in nm"),
    ],
)
def test_conditions_that_are_none(conditional, condition, sentence):
    with pytest.raises(SpecError, match=sentence):
        mdnb.generate(conditional, 5, condition)


def test_a_condition_for_a_run_without_one(run):
    with pytest.raises(SpecError, match=r"was trained without a target and takes no condition; train it with one"):
        mdnb.generate(run, 5, 0.4)


# --- drawn again -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", GENERATORS)
def test_refused_structures_are_drawn_again(family):
    once, often = (
        mdnb.generate(trained(family), 200, seed=3, reference=trajectories(), attempts=most) for most in (1, 4)
    )
    kept = once.valid
    assert not kept.all()
    assert np.array_equal(once.structures.xyz[kept], often.structures.xyz[kept])  # those that passed are the same
    assert np.array_equal(often.draws > 1, ~kept)
    assert 2 <= often.draws.max() <= 4
    assert often.valid.sum() > kept.sum()
    assert often.valid[kept].all()
    found = check_structures(often.structures, Limits.measure(trajectories().frames(slice(None))))
    assert all(np.array_equal(found[name], passed) for name, passed in often.checks.items())
    share = f"{kept.mean():.1%} passed the checks as first drawn, {often.valid.mean():.1%} after at most 4 draws each"
    assert share in often.notes[-1]
    assert often.only([5, 2]).draws.tolist() == often.draws[[5, 2]].tolist()
    assert often.table()["draws"].tolist() == often.draws.tolist()


def test_asked_again_they_keep_their_latents():
    """A VAE whose decoder alone decides makes what it made: nothing is gained."""
    run = trained("VAE")
    model = copy.deepcopy(run.model)
    model.residual.factor.zero_()
    quiet = replace(run, model=model)
    once, often = (mdnb.generate(quiet, 100, seed=1, attempts=most) for most in (1, 3))
    assert np.allclose(once.structures.xyz, often.structures.xyz, atol=1e-5)


def test_drawn_again_a_protein_keeps_how_its_residues_lie_to_each_other():
    """Loose structures clash less: were they drawn anew as a whole, the folded share would fall."""
    whole = mdnb.example("chignolin")[:2]
    data = mdnb.featurize(whole, "internal-coordinates")
    run = mdnb.fit(data, None, mdnb.VAE(hidden=32), mdnb.Training(epochs=3, batch_size=64, split="block"))
    once, often = (mdnb.generate(run, 60, seed=2, reference=whole, clean_up=False, attempts=most) for most in (1, 4))
    moved = often.draws > 1
    assert moved.mean() > 0.3
    assert not np.allclose(once.structures.xyz[moved], often.structures.xyz[moved], atol=1e-3)
    turning = np.array(run.task.parts) < 0
    values = [np.asarray(mdnb.featurize(mdnb.load(one.structures), "internal-coordinates").values)[:, turning]
              for one in (once, often)]  # fmt: skip
    assert np.allclose(*values, atol=2e-3)


@pytest.mark.parametrize("attempts", [0, 1.5, True])
def test_attempts_are_counted(attempts):
    with pytest.raises(SpecError, match="expected how often to draw at most, a whole number of at least 1"):
        mdnb.generate(trained("VAE"), 5, attempts=attempts)


def test_what_lies_beyond_the_training_data_is_flagged_one_by_one(conditional, run, tmp_path):
    low, high = mdnb.asked_range(conditional)
    made = mdnb.generate(conditional, 4, np.array([low - 0.1, low, high, high + 0.1]))
    assert made.extrapolated.tolist() == [True, False, False, True]
    assert made.only([3, 1]).table()["extrapolated"].tolist() == [True, False]
    text = made.save(tmp_path / "made.pdb").read_text()
    models = text.split("MODEL ")[1:]
    assert ["extrapolated: the training data have nothing like it" in one for one in models] == [
        True,
        False,
        False,
        True,
    ]
    assert "extrapolated" not in "".join(line for line in text.splitlines() if "passed:" in line or "failed:" in line)
    assert mdnb.generate(run, 4).extrapolated is None


@pytest.mark.parametrize("family", GENERATORS)
def test_a_conditional_run_is_saved_and_makes_the_same_again(family, tmp_path):
    spec = family_spec(family)
    training = mdnb.Training(epochs=1, **FAST)
    run = mdnb.fit(features("internal-coordinates"), "basin", spec, training, out=tmp_path / "run")
    made = mdnb.generate(run, 20, "left-handed", seed=3)
    again = mdnb.generate(mdnb.Run.load(tmp_path / "run"), 20, "left-handed", seed=3)
    assert np.array_equal(made.structures.xyz, again.structures.xyz)


def test_a_gan_keeps_no_training_frames_that_it_does_not_draw_from():
    assert any(name.startswith("residual") for name in trained("VAE").model.state_dict())
    assert not any("residual" in name for name in trained("GAN").model.state_dict())


def test_what_a_gan_adds_to_the_decoded_frames_spreads_as_in_the_training_frames():
    run = trained("GAN")
    x = torch.from_numpy(run.scaler.transform(np.asarray(features("internal-coordinates").values, np.float32)))
    x = x[run.train_frames]
    model = run.model
    with torch.no_grad():
        torch.manual_seed(1)
        z = model.coding.draw(x[:, None])
        decoded, made = model.coding.decode(z), model.frames(z, torch.Generator().manual_seed(1))
    real, made = x - decoded, made - decoded
    error = 5 * np.sqrt(2.0 / len(x))  # of a mean in spreads, or of a spread, not to be seen once in a thousand runs
    moving = real.std(0) > 1e-5
    assert moving.sum() > 50
    assert (((made.mean(0) - real.mean(0)) / real.std(0)).abs() < error)[moving].all()
    assert ((made.std(0) / real.std(0) - 1).abs() < error)[moving].all()


def briefly(family, target):
    """Return a run that has seen a target for one epoch."""
    return mdnb.fit(features("internal-coordinates"), target, family_spec(family), mdnb.Training(epochs=1, **FAST))


@pytest.mark.parametrize("asked", [300, 300.0, "300", {"label": 300}, np.full(5, 300), {"label": "300"}])
def test_whole_numbers_that_are_classes_are_asked_for_by_value(asked):
    temperature = np.where(features("internal-coordinates").trajectory % 2 == 0, 300, 350)
    run = briefly("VAE", temperature)
    made = mdnb.generate(run, 5, asked)
    assert made.requested.tolist() == [0] * 5
    assert not made.extrapolated.any()
    with pytest.raises(SpecError, match=r"unknown class of 'label' '301': did you mean .* known are '300', '350'"):
        mdnb.generate(run, 5, 301)


def test_a_class_that_no_training_frame_has_is_extrapolated():
    own = features("internal-coordinates")
    run = briefly("GAN", np.where(own.trajectory == 0, "a", "b"))
    test = run.split["test"]["trajectories"][0]
    labels = np.where(own.trajectory == test, "rare", np.where(np.arange(len(own)) % 2, "a", "b"))
    run = briefly("GAN", labels)
    assert mdnb.asked_range(run) == ("a", "b")
    made = mdnb.generate(run, 4, ["a", "rare", "b", "rare"])
    assert made.extrapolated.tolist() == [False, True, False, True]
    assert made.notes == ("no training frame is rare: what is made of it is extrapolated",)


def test_a_rare_class_is_remembered():
    from mdnb.models.base import Task
    from mdnb.models.condition import Condition

    condition = Condition(Task((3,), ("feature",), 1, "class", 4))
    condition.remember(torch.tensor([0] * 5000 + [1] + [3] * 5000 + [0]))
    assert condition.known.unique().tolist() == [0, 1, 3]
    assert abs(int((condition.known == 0).sum()) - 500) <= 2


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("end-to-end-distance", ["end_to_end_distance", "end-to-end distance"]),
        ("rmsd:100", ["rmsd", "rmsd:100"]),
        ("torsions:sin phi ALA2", ["torsions", "torsions:sin phi ALA2", "sin phi ALA2"]),
        ("radius-of-gyration", ["radius_of_gyration"]),
        ("clusters:3", ["clusters", "clusters:3"]),
    ],
)
def test_conditions_go_by_the_name_that_fit_was_given(target, names):
    run = briefly("VAE", target)
    value = run.target.classes[0] if run.target.classes else run.target.mean
    for name in names:
        assert len(mdnb.generate(run, 2, {name: value})) == 2
    with pytest.raises(SpecError, match=r"knows '.*' only"):
        mdnb.generate(run, 2, {"temperature": value})


@pytest.mark.parametrize("target", ["end-to-end-distance", "basin"])
def test_what_was_drawn_where_nothing_was_asked_is_kept(target):
    run = briefly("VAE", target)
    made = mdnb.generate(run, 50, seed=1)
    again = mdnb.generate(run, 50, made.requested if target != "basin" else list(made.table()["requested"]), seed=1)
    assert np.allclose(made.requested, again.requested, rtol=1e-6)
    assert len(np.unique(made.requested)) > 1
    assert not made.extrapolated.any()

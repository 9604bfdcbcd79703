"""Structures rebuilt from positions and from the backbone's torsions and distances, and generated from them."""

import mdtraj
import numpy as np
import pytest
from learning_fixtures import FAST, features, trained, trajectories

import mdnb
from mdnb.errors import DataError
from mdnb.features import Backbone, InternalCoordinates, Positions, featurize
from mdnb.features.invertible import restore
from mdnb.generation.checks import Limits, check_structures


@pytest.fixture(scope="module")
def peptide(chignolin):
    return mdnb.load(chignolin.frames(slice(0, None, 30)))


def prepared(maker, trajectories):
    maker.prepare(trajectories.topology, trajectories.frames(0).xyz[0])
    return maker


def rebuilt(maker, trajectories):
    """Return structures rebuilt from the features of real ones, and the real ones, of the same atoms."""
    values = featurize(trajectories, maker).values
    real = trajectories.frames(slice(None)).atom_slice(maker.atoms)
    return mdtraj.Trajectory(maker.rebuild(values).astype(np.float32), real.topology), real


def ca_rmsd(made, real):
    ca = real.topology.select("name CA")
    return np.array([mdtraj.rmsd(made[k], real[k], 0, atom_indices=ca)[0] for k in range(len(real))])


# --- the backbone ----------------------------------------------------------------------------------------------------


def test_the_backbone_of_a_peptide_comes_back(peptide):
    made, real = rebuilt(prepared(Backbone(), peptide), peptide)
    assert {atom.name for atom in made.topology.atoms} == {"N", "CA", "C", "O", "CB"}
    assert ca_rmsd(made, real).max() < 0.1
    checks = check_structures(made, Limits.measure(real))
    assert all(passed.mean() >= 0.95 for name, passed in checks.items() if name not in ("force field", "planarity"))


def test_the_backbone_of_a_large_protein_comes_back():
    """Adenylate kinase, 214 residues, between its closed and its open form."""
    MDAnalysis = pytest.importorskip("MDAnalysis")
    datafiles = pytest.importorskip("MDAnalysisTests.datafiles", reason="MDAnalysisTests has the trajectory")
    protein = mdnb.load(MDAnalysis.Universe(datafiles.PSF, datafiles.DCD))
    protein = mdnb.load(protein.frames(slice(0, None, 14)))
    maker = prepared(Backbone(), protein)
    made, real = rebuilt(maker, protein)
    assert ca_rmsd(made, real).max() < 0.05
    found, expected = (mdtraj.compute_phi(one)[1] for one in (made, real))
    turned = np.abs((found - expected + np.pi) % (2 * np.pi) - np.pi)
    assert np.median(turned) < np.radians(5)
    n_distances = sum(column.unit == "nm" for column in maker.columns)
    assert n_distances < 16 * 214  # not 214 x 213 / 2


def test_torsions_are_those_of_mdtraj_and_distances_too(peptide):
    maker = Backbone(landmarks=4)
    found = featurize(peptide, maker)
    frames = peptide.frames(slice(None))
    for kind in ("phi", "psi", "omega"):
        rows, angles = getattr(mdtraj, f"compute_{kind}")(frames)
        for atoms, angle in zip(rows, angles.T, strict=True):
            number = next(k for k, column in enumerate(found.columns) if column.atom_indices == tuple(atoms))
            assert found.values[:, number : number + 2] == pytest.approx(
                np.stack([np.sin(angle), np.cos(angle)], axis=1), abs=1e-5
            )
    pairs = [(k, column.atom_indices) for k, column in enumerate(found.columns) if column.unit == "nm"]
    expected = mdtraj.compute_distances(frames, [atoms for _, atoms in pairs], periodic=False)
    assert found.values[:, [k for k, _ in pairs]] == pytest.approx(expected, abs=1e-6)
    assert len(pairs) < len(featurize(peptide, Backbone()).columns) - 2 * 28


def test_hands_are_kept_when_distances_contradict_each_other(peptide):
    maker = prepared(Backbone(), peptide)
    values = featurize(peptide, maker).values
    noisy = values + np.random.default_rng(0).normal(0, 0.1, values.shape)
    real = peptide.frames(slice(None)).atom_slice(maker.atoms)
    made = mdtraj.Trajectory(maker.rebuild(noisy).astype(np.float32), real.topology)
    assert check_structures(made, Limits.measure(real))["chirality"].mean() > 0.95
    assert check_structures(made, Limits.measure(real))["bonds"].mean() > 0.9


def test_the_mirror_image_is_told_apart(peptide):
    """Distances are those of the molecule; the torsions say the hand of the fold."""
    maker = prepared(Backbone(), peptide)
    frames = peptide.frames(slice(None))
    made, real = rebuilt(maker, mdnb.load(frames))
    mirrored = mdtraj.Trajectory(made.xyz * np.array([1, 1, -1], np.float32), made.topology)
    assert (ca_rmsd(made, real) < ca_rmsd(mirrored, real)).all()


def test_two_chains_lie_where_they_lay(peptide):
    one = peptide.frames(slice(0, 10)).atom_slice(peptide.topology.select("protein"))
    other = one.xyz[::-1] @ np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]], np.float32) + np.array([2.0, 0.5, 0])
    both = one.topology.join(one.topology)
    pair = mdnb.load(mdtraj.Trajectory(np.concatenate([one.xyz, other.astype(np.float32)], axis=1), both))
    made, real = rebuilt(prepared(Backbone(), pair), pair)
    assert ca_rmsd(made, real).max() < 0.1


def test_what_has_no_chain():
    with pytest.raises(DataError, match=r"needs chains of at least three bonded residues with N, CA and C; .* a chain"):
        featurize(trajectories(), "backbone")
    with pytest.raises(DataError, match="landmarks = 3: expected a whole number of at least 4"):
        Backbone(landmarks=3)


def test_wrong_number_of_columns(peptide):
    with pytest.raises(DataError, match=r"got values of shape \(2, 5\), expected \(n_frames, 92\)"):
        prepared(Backbone(), peptide).rebuild(np.zeros((2, 5)))


# --- which featurizer it was -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "maker", [InternalCoordinates(), Positions(), Positions("name CA CB C N O"), Backbone(), Backbone(landmarks=5)]
)
def test_it_is_told_from_the_columns(maker, peptide):
    data = featurize(peptide, maker)
    found = restore(data.featurizers, data.columns, peptide.topology, peptide.frames(0).xyz[0])
    assert type(found) is type(maker)
    assert found.columns == data.columns
    assert np.array_equal(found.atoms, maker.atoms)
    assert np.allclose(found.rebuild(data.values[:3]), maker.rebuild(data.values[:3]))


def test_what_cannot_be_rebuilt(peptide):
    frame = peptide.frames(0).xyz[0]
    for names in (["torsions"], ["velocities"], ["positions", "torsions"], ["my own"]):
        with pytest.raises(DataError, match=f"cannot be rebuilt from {', '.join(names)}; featurize with 'internal-"):
            restore(names, (), peptide.topology, frame)
    columns = featurize(peptide, "internal-coordinates").columns[1:]
    with pytest.raises(DataError, match="columns are not those that 'internal-coordinates' makes of this molecule"):
        restore(["internal-coordinates"], columns, peptide.topology, frame)


# --- generating ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cartesian():
    return mdnb.fit(features("positions"), None, mdnb.VAE(hidden=64), mdnb.Training(epochs=15, **FAST))


def test_structures_from_positions_are_sound_after_clean_up(cartesian):
    generated = mdnb.generate(cartesian, 300, reference=trajectories())
    assert [atom.element.symbol for atom in generated.structures.topology.atoms].count("H") == 0
    before = np.logical_and.reduce(list(generated.checks_before.values()))
    assert before.mean() < 0.9
    assert generated.valid.mean() >= 0.99
    text = repr(generated)
    assert f"before the clean-up: bonds {generated.checks_before['bonds'].mean():.1%}" in text
    assert f"all checks {generated.valid.mean():.1%}: bonds {generated.checks['bonds'].mean():.1%}" in text
    assert max(map(len, text.splitlines()[:-1])) <= 100
    assert f"note: clean-up moved {1 - before.mean():.1%} of the structures" in text
    kept = generated.only_valid()
    assert len(kept.checks_before["bonds"]) == len(kept)


def test_clean_up_can_be_left_out_or_asked_for(cartesian):
    raw = mdnb.generate(cartesian, 50, clean_up=False)
    assert raw.checks_before is None
    assert "before" not in repr(raw)
    by_default = mdnb.generate(cartesian, 50)
    same = np.logical_and.reduce(list(by_default.checks_before.values()))
    assert np.array_equal(by_default.structures.xyz[same], raw.structures.xyz[same])
    internal = mdnb.generate(trained("VAE"), 50, clean_up=True, reference=trajectories())
    assert internal.valid.mean() >= 0.99
    assert mdnb.generate(trained("VAE"), 5).checks_before is None


def test_a_backbone_is_generated(chignolin):
    data = featurize(mdnb.load(chignolin.frames(slice(None, None, 5))), "backbone")
    run = mdnb.fit(data, None, mdnb.VAE(hidden=64), mdnb.Training(epochs=15, **FAST))
    generated = mdnb.generate(run, 100, reference=chignolin)
    assert generated.structures.n_residues == 10
    assert generated.valid.mean() >= 0.95
    assert generated.checks_before is not None

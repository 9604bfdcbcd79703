"""Runs on some of a molecule's atoms: real structures are measured, shown and judged on the same ones."""

import mdtraj
import numpy as np
import pytest
from learning_fixtures import trajectories

import mdnb
from mdnb.errors import DataError
from mdnb.features import Positions
from mdnb.generation.distributions import distributions
from mdnb.generation.measure import measured
from mdnb.generation.same_atoms import same_atoms

FAST = mdnb.Training(epochs=2, batch_size=256)


@pytest.fixture(scope="module")
def run():
    data = mdnb.featurize(trajectories(), Positions("element != H"))
    return mdnb.fit(data, "radius-of-gyration", mdnb.VAE(latent=3, hidden=32), FAST)


@pytest.fixture(scope="module")
def made(run):
    return mdnb.generate(run, 60, reference=trajectories())


@pytest.fixture(scope="module")
def real():
    return trajectories().frames(slice(None, None, 3))


def gyration(structures):
    centres = mdtraj.compute_center_of_mass(structures)
    masses = np.array([atom.element.mass for atom in structures.topology.atoms])
    return np.sqrt(np.average(((structures.xyz - centres[:, None]) ** 2).sum(-1), axis=1, weights=masses))


def test_the_same_atoms_are_found_in_order(real):
    heavy = real.topology.select("element != H")
    part = real.atom_slice(heavy)
    assert np.array_equal(same_atoms(real, part.topology).xyz, part.xyz)
    assert same_atoms(part, part.topology) is part
    twice = real.topology.join(real.topology)
    both = mdtraj.Trajectory(np.concatenate([real.xyz, real.xyz + 5], 1), twice)
    assert np.array_equal(same_atoms(both, part.topology.join(part.topology)).xyz[:, len(heavy) :], part.xyz + 5)
    with pytest.raises(DataError, match=r"have 166 atoms, the reference 22, without TYR1-N after those before it"):
        same_atoms(real, mdnb.example("chignolin").topology)


def test_real_structures_are_measured_on_the_atoms_that_came(made, real):
    found = {one.name: one for one in distributions(made.structures, real)}
    heavy = real.atom_slice(real.topology.select("element != H"))
    assert found["radius of gyration"].reference == pytest.approx(gyration(heavy))
    assert abs(gyration(heavy) - gyration(real)).mean() > 0.002  # it makes a difference
    assert {"phi ALA2", "psi ALA2"} <= set(found)


def test_targets_are_measured_on_any_atoms(made, real):
    assert measured(made.structures, "radius-of-gyration") == pytest.approx(gyration(made.structures), rel=1e-5)
    ends = made.structures.topology.select("name CA")
    assert ends.size == 1  # a dipeptide: its heavy atoms' ends instead
    assert len(measured(made.structures, "end-to-end-distance")) == 60
    apart = made.structures.atom_slice([0, 4, 9])  # bound to nothing
    assert measured(apart, "radius-of-gyration") == pytest.approx(gyration(apart), rel=1e-5)
    assert set(measured(real, "basin")) <= {0, 1, 2}


def test_the_view_shows_and_measures_the_same_atoms(run, made):
    view = mdnb.GenerationView(run, trajectories(), generated=made, target="radius-of-gyration")
    assert view.real.n_atoms == made.structures.n_atoms == 10
    assert view.structure.n_frames == 60
    assert "measured on the 10 atoms that are rebuilt" in view.describe()
    assert view.frame == 0
    assert "RMSD of heavy atoms" in view.describe()
    html = view.static_html()
    assert "radius of gyration" in html
    view.close()


def test_the_backbone_too(tmp_path):
    chignolin = mdnb.example("chignolin")[:3]
    data = mdnb.featurize(chignolin, "backbone")
    run = mdnb.fit(data, None, mdnb.VAE(latent=3, hidden=16), FAST)
    view = mdnb.GenerationView(run, chignolin, n=8)
    made = view.generate()
    assert view.real.n_atoms == made.structures.n_atoms < chignolin.n_atoms
    assert [one.name for one in view.found][:2] == ["radius of gyration", "distance TYR1-CA to TYR10-CA"]
    assert len(view.found) > 15
    view.close()


def test_all_are_judged_by_the_atoms_that_some_have(made):
    found = mdnb.judge({"VAE": made}, trajectories()[4:6], trajectories()[:4], n_draws=10, baselines=True)
    assert found.sets == ("VAE", "training MD", "PCA mixture")
    heavy = trajectories().topology.select("element != H")
    sliced = [
        mdnb.load([part[n].frames(slice(None)).atom_slice(heavy) for n in range(len(part))], time_step=20.0)
        for part in (trajectories()[4:6], trajectories()[:4])
    ]
    alike = mdnb.judge({"VAE": made.structures}, *sliced, n_draws=10)
    for metric in ("torsions, JS", "radius of gyration, JS", "below the memorization line"):
        assert found.row("VAE", metric).value == pytest.approx(alike.row("VAE", metric).value, abs=1e-6), metric


def test_other_molecules_are_still_refused(made):
    with pytest.raises(DataError, match="give the trajectories that the run was trained on"):
        mdnb.judge({"VAE": mdnb.example("chignolin").frames(slice(0, 10)).atom_slice(range(5))}, trajectories())

"""Energies are those of OpenMM, and weights are those that are known in closed form."""

import sys

import mdtraj
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from learning_fixtures import trained, trajectories

import mdnb
from mdnb.errors import DataError, MissingDependencyError, SpecError
from mdnb.generation.checks import Limits
from mdnb.sources.recipes import BOLTZMANN

TEMPERATURE = 300.0
KT = BOLTZMANN * TEMPERATURE


@pytest.fixture
def real():
    return trajectories().frames(slice(0, 60, 10))


class TestEnergies:
    @pytest.fixture(autouse=True)
    def _needs_openmm(self):
        pytest.importorskip("openmm", reason="energies need openmm; pip install 'mdnb[simulate]'")

    def simulation(self, structures, tmp_path, platform="Reference"):
        """Return a Simulation made from a PDB file, without mdnb."""
        import openmm
        from openmm import app

        structures[0].save_pdb(str(tmp_path / "one.pdb"))
        topology = app.PDBFile(str(tmp_path / "one.pdb")).topology
        system = app.ForceField("amber96.xml", "amber96_obc.xml").createSystem(topology)
        integrator = openmm.VerletIntegrator(0.002)
        return app.Simulation(topology, system, integrator, openmm.Platform.getPlatformByName(platform))

    def test_they_are_those_of_openmm(self, real, tmp_path):
        simulation = self.simulation(real, tmp_path)
        before, after = [], []
        for xyz in real.xyz:
            simulation.context.setPositions(xyz)
            before.append(simulation.context.getState(getEnergy=True).getPotentialEnergy()._value)
            simulation.minimizeEnergy(tolerance=5, maxIterations=40)
            after.append(simulation.context.getState(getEnergy=True).getPotentialEnergy()._value)
        found = mdnb.energies(real, iterations=40, tolerance=5)
        assert found.before == pytest.approx(np.array(before), abs=1e-3)
        assert found.after == pytest.approx(np.array(after), abs=1e-3)
        assert (found.after < found.before - 10).all()

    def test_a_larger_molecule_on_the_cpu_platform(self, tmp_path):
        structures = mdnb.example("chignolin").frames([0, 1000])
        simulation = self.simulation(structures, tmp_path)
        found = mdnb.energies(structures, iterations=0)
        assert found.platform == "CPU"
        for xyz, energy in zip(structures.xyz, found.before, strict=True):
            simulation.context.setPositions(xyz)
            expected = simulation.context.getState(getEnergy=True).getPotentialEnergy()._value
            assert energy == pytest.approx(expected, rel=1e-4)

    def test_the_same_again(self, real):
        one, same = mdnb.energies(real), mdnb.energies(real)
        assert np.array_equal(one.after, same.after)
        assert np.array_equal(one.minimized.xyz, same.minimized.xyz)

    def test_what_a_structure_gets_does_not_depend_on_the_others(self, real):
        alone = mdnb.energies(real[3]).after[0]
        assert alone == pytest.approx(mdnb.energies(real).after[3], abs=1e-6)

    def test_the_energy_of_the_minimized_structures_is_after(self, real):
        found = mdnb.energies(real)
        again = mdnb.energies(found.minimized, iterations=0)
        assert again.before == pytest.approx(found.after, abs=0.05)
        assert np.array_equal(again.after, again.before)
        for row in range(len(real)):
            expected = mdtraj.rmsd(found.minimized[row], real[row])[0]
            assert found.moved[row] == pytest.approx(expected, abs=1e-4)

    def test_a_squeezed_structure_is_relaxed_to_one_without_clashes(self, real):
        tight = mdtraj.Trajectory(0.8 * real.xyz, real.topology)
        limits = Limits.measure(trajectories().frames(slice(0, None, 10)))
        assert (limits.clashes(tight) > 0).any()
        found = mdnb.energies(tight, limits=limits, iterations=200)
        assert (found.clashes == 0).all()
        assert (mdnb.energies(tight, iterations=200).clashes == 0).all()
        assert "100.0% are free of clashes" in repr(found)

    def test_a_short_hydrogen_bond_is_no_clash(self):
        folded = mdnb.example("chignolin").frames(0)
        topology = folded.topology
        name = {str(atom): atom.index for atom in topology.atoms}
        donor, hydrogen, oxygen = (name[one] for one in ("THR6-OG1", "THR6-HG1", "ASP3-OD1"))
        openmm = pytest.importorskip("openmm")
        system = openmm.System()
        for _ in range(3):
            system.addParticle(12)
        counts = []
        for length in (0.155, 0.12):
            xyz = folded.xyz.copy()
            along = xyz[0, hydrogen] - xyz[0, donor]
            xyz[0, oxygen] = xyz[0, hydrogen] + length * along / np.linalg.norm(along)
            far = mdtraj.Trajectory(xyz, topology).atom_slice(sorted([donor, hydrogen, oxygen]))
            counts.append(int(mdnb.energies(far, system=system, iterations=0).clashes[0]))
        assert counts[0] == 0
        assert counts[1] > 0

    def test_of_generated_structures(self):
        generated = mdnb.generate(trained("VAE"), 3)
        found = mdnb.energies(generated, iterations=5)
        assert np.array_equal(found.before, mdnb.energies(generated.structures, iterations=0).before)

    def test_of_trajectories(self, real):
        assert np.array_equal(mdnb.energies(mdnb.load(real), iterations=0).before,
                              mdnb.energies(real, iterations=0).before)  # fmt: skip

    def test_structures_without_an_energy(self, real):
        xyz = real.xyz[:3].copy()
        xyz[0, 4] = np.nan
        xyz[1, 4] = xyz[1, 5]
        found = mdnb.energies(mdtraj.Trajectory(xyz, real.topology), iterations=20)
        assert np.isfinite(found.before).tolist() == [False, False, True]
        assert np.isfinite(found.moved).tolist() == [False, False, True]
        assert "2 structures have no finite energy as drawn" in repr(found)
        assert found.before[2] == mdnb.energies(real[2], iterations=0).before[0]

    def test_none_with_an_energy(self, real):
        found = mdnb.energies(mdtraj.Trajectory(0 * real.xyz, real.topology))
        assert "as drawn none is a number" in repr(found)

    def test_a_system_of_ones_own(self, real, tmp_path):
        import openmm

        system = openmm.System()
        for _ in range(22):
            system.addParticle(12)
        force = openmm.HarmonicBondForce()
        force.addBond(0, 21, 0.5, 100)
        system.addForce(force)
        expected = 50 * (np.linalg.norm(real.xyz[:, 0] - real.xyz[:, 21], axis=1) - 0.5) ** 2
        (tmp_path / "own.xml").write_text(openmm.XmlSerializer.serialize(system))
        for given_system in (system, tmp_path / "own.xml", str(tmp_path / "own.xml")):
            found = mdnb.energies(real, system=given_system, tolerance=0.1)
            assert found.before == pytest.approx(expected, rel=1e-5)
            assert found.after == pytest.approx(0, abs=0.01)
        assert "the system of own.xml" in repr(found)

    def test_clear_errors(self, real, tmp_path):
        import openmm

        (tmp_path / "no.xml").write_text("<a/>")
        (tmp_path / "state.xml").write_text(openmm.XmlSerializer.serialize(openmm.VerletIntegrator(0.001)))
        heavy = real.atom_slice(real.topology.select("element != H"))
        for wrong, sentence in (
            ({"structures": heavy}, "the packaged force field does not know this molecule .* give structures with all"),
            ({"structures": 3}, "got 'int', expected Trajectories"),
            ({"system": openmm.System()}, "the system has 0 particles, the structures 22 atoms"),
            ({"system": tmp_path / "none.xml"}, "there is no file .*XmlSerializer"),
            ({"system": tmp_path / "no.xml"}, "no.xml is no system that OpenMM reads"),
            ({"system": tmp_path / "state.xml"}, "got 'VerletIntegrator' as the system"),
        ):
            with pytest.raises(DataError, match=sentence):
                mdnb.energies(**{"structures": real, **wrong})
        for wrong, sentence in (
            ({"iterations": -1}, "iterations = -1: expected a whole number"),
            ({"iterations": 2.5}, "iterations = 2.5"),
            ({"tolerance": 0}, "tolerance = 0: expected kJ/mol/nm above 0"),
            ({"platform": "Abacus"}, "platform = 'Abacus': this OpenMM has Reference, CPU"),
        ):
            with pytest.raises(SpecError, match=sentence):
                mdnb.energies(real, **wrong)


def test_without_openmm(monkeypatch):
    monkeypatch.setitem(sys.modules, "openmm", None)
    with pytest.raises(MissingDependencyError, match=r"mdnb\.energies needs the package 'openmm', .* 'mdnb\[simul"):
        mdnb.energies(trajectories().frames([0]))


class TestReweight:
    """A Gaussian that is `wide` times as wide as the harmonic well 0.5 k x**2."""

    def drawn(self, n, wide, centre=0.0, stiffness=40.0, seed=0):
        sigma = np.sqrt(KT / stiffness)
        x = centre * sigma + wide * sigma * np.random.default_rng(seed).normal(size=n)
        log_q = -0.5 * ((x / sigma - centre) / wide) ** 2
        return x, 0.5 * stiffness * x**2, log_q, sigma

    def test_moments_of_a_harmonic_well(self):
        x, energy, log_q, sigma = self.drawn(200_000, 1.5, centre=0.7)
        weights = mdnb.reweight(energy, TEMPERATURE, log_q)
        assert abs(x.mean() / sigma) > 0.6
        assert weights.mean(x) / sigma == pytest.approx(0, abs=4 / np.sqrt(weights.ess))
        assert weights.mean(x**2) / sigma**2 == pytest.approx(1, abs=4 * np.sqrt(2 / weights.ess))
        assert weights.mean(energy) == pytest.approx(KT / 2, rel=0.02)

    @pytest.mark.parametrize("wide", [1.0, 1.3, 2.0, 4.0])
    def test_the_effective_sample_size_is_the_known_one(self, wide):
        """Of n drawn, n sqrt(2 a**2 - 1) / a**2 for a Gaussian a times as wide as the well."""
        _, energy, log_q, _ = self.drawn(400_000, wide)
        expected = np.sqrt(2 * wide**2 - 1) / wide**2
        assert mdnb.reweight(energy, TEMPERATURE, log_q).ess / 400_000 == pytest.approx(expected, rel=0.01)

    def test_equal_weights_of_the_target_itself(self):
        weights = mdnb.reweight([1.0, 5.0, 2.0], TEMPERATURE, -np.array([1.0, 5.0, 2.0]) / KT)
        assert weights.weights == pytest.approx(1 / 3)
        assert weights.ess == pytest.approx(3)

    @given(arrays(float, 20, elements=st.floats(-200, 200)), arrays(float, 20, elements=st.floats(-50, 50)),
           st.floats(-1e4, 1e4), st.floats(-1e3, 1e3))  # fmt: skip
    def test_constants_change_nothing(self, energy, log_q, more, other):
        one, same = mdnb.reweight(energy, 300, log_q), mdnb.reweight(energy + more, 300, log_q + other)
        assert one.weights.sum() == pytest.approx(1)
        assert (one.weights >= 0).all()
        assert 1 - 1e-9 <= one.ess <= 20 + 1e-9
        assert same.weights == pytest.approx(one.weights, abs=1e-6)

    def test_a_small_sample_size_is_said(self):
        weights = mdnb.reweight(np.linspace(0, 1000, 1000), TEMPERATURE, np.zeros(1000))
        assert weights.ess < 10
        assert "no average of them is to be trusted" in repr(weights)
        assert f"effective sample size (Kish) {weights.ess:.1f} of 1000" in repr(weights)

    def test_clipped(self):
        _, energy, log_q, _ = self.drawn(10_000, 0.6)
        free, cut = mdnb.reweight(energy, TEMPERATURE, log_q), mdnb.reweight(energy, TEMPERATURE, log_q, clip=3)
        assert cut.ess > free.ess
        bounded = np.minimum(free.weights, 3 * free.weights.mean())
        assert cut.weights == pytest.approx(bounded / bounded.sum())
        assert "weights were clipped to 3 times the mean" in repr(cut)

    def test_structures_without_an_energy_have_no_weight(self):
        weights = mdnb.reweight([1.0, np.nan, np.inf, 1.0], TEMPERATURE, [0.0, np.nan, 0.0, 0.0])
        assert weights.weights.tolist() == [0.5, 0, 0, 0.5]
        assert weights.mean(np.array([1.0, np.nan, np.nan, 3.0])) == pytest.approx(2)
        assert "2 structures have no finite energy" in repr(weights)

    def test_it_takes_the_energies_as_drawn(self):
        pytest.importorskip("openmm", reason="energies need openmm; pip install 'mdnb[simulate]'")
        found = mdnb.energies(trajectories().frames(slice(0, 60, 10)), iterations=20)
        by_object, by_numbers = (mdnb.reweight(one, 500, np.zeros(6)) for one in (found, found.before))
        assert np.array_equal(by_object.weights, by_numbers.weights)

    def test_clear_errors(self):
        with pytest.raises(DataError, match=r"log_q has the shape \(2,\), expected one for each of 3 structures"):
            mdnb.reweight(np.zeros(3), 300, np.zeros(2))
        with pytest.raises(DataError, match="log_q is not a finite number for 1 structures"):
            mdnb.reweight(np.zeros(2), 300, [0, np.nan])
        with pytest.raises(DataError, match="none of the 2 structures has a weight towards the Boltzmann"):
            mdnb.reweight([np.nan, np.inf], 300, [0, 0])
        with pytest.raises(DataError, match=r"the energies have the shape \(\)"):
            mdnb.reweight(3.0, 300, 0.0)
        for kelvin in (0, -3, np.nan):
            with pytest.raises(SpecError, match="expected kelvin above 0"):
                mdnb.reweight(np.zeros(2), kelvin, np.zeros(2))
        with pytest.raises(SpecError, match=r"clip = 0\.5: expected a multiple"):
            mdnb.reweight(np.zeros(2), 300, np.zeros(2), clip=0.5)
        with pytest.raises(DataError, match=r"the values have the shape \(3,\), there are weights of 2"):
            mdnb.reweight(np.zeros(2), 300, np.zeros(2)).mean(np.zeros(3))


class TestDrawing:
    def weights(self, seed=0):
        energy = np.random.default_rng(seed).normal(0, 2 * KT, 500)
        return mdnb.reweight(energy, TEMPERATURE, np.zeros(500))

    @pytest.mark.parametrize("n", [1, 50, 500, 3000])
    def test_each_comes_as_often_as_its_weight_says(self, n):
        weights = self.weights()
        counts = np.bincount(weights.resample(n, seed=3), minlength=500)
        assert counts.sum() == n
        assert np.abs(counts - n * weights.weights).max() < 1

    def test_what_has_no_weight_never_comes(self):
        weights = mdnb.reweight([1.0, 1.0, np.nan], TEMPERATURE, np.zeros(3))
        assert all(2 not in weights.resample(20, seed=seed) for seed in range(20))

    def test_rejection_keeps_by_weight(self):
        weights = self.weights()
        kept = np.mean([weights.accept(seed=seed) for seed in range(3000)], axis=0)
        assert kept == pytest.approx(weights.weights / weights.weights.max(), abs=0.05)
        assert np.array_equal(weights.accept(seed=1), weights.accept(seed=1))


class TestMatch:
    def test_the_weighted_energies_are_distributed_as_the_real_ones(self):
        rng = np.random.default_rng(0)
        own, real = rng.uniform(-10, 10, 50_000), rng.normal(0, 2, 20_000)
        weights = mdnb.match_energies(own, real, bins=200)
        assert weights.mean(own) == pytest.approx(real.mean(), abs=0.1)
        assert weights.mean(own**2) == pytest.approx((real**2).mean(), rel=0.1)
        edges = np.quantile(real, np.linspace(0, 1, 201))
        shares = np.histogram(own, edges, weights=weights.weights)[0]
        assert shares == pytest.approx(1 / 200, abs=1e-4)
        assert "(not Boltzmann's)" in repr(weights)
        assert "have an energy that no real one has, and no weight" in repr(weights)

    def test_equal_distributions_get_equal_weights(self):
        real = np.random.default_rng(0).normal(size=400)
        weights = mdnb.match_energies(real, real)
        assert weights.weights == pytest.approx(1 / 400)

    def test_energies_that_are_missing_are_said(self):
        real = np.concatenate([np.linspace(0, 1, 100), np.linspace(5, 6, 100)])
        weights = mdnb.match_energies(np.linspace(0, 1, 50), real)
        assert "50.0% of the real structures have energies that no generated one has" in repr(weights)

    def test_clear_errors(self):
        real = np.linspace(0, 1, 100)
        for own, theirs, sentence in (
            (real, real[:30], "there are 30 real energies for 20 bins; give at least 40"),
            (real, np.zeros(50), "all real energies are the same"),
            (real + 5, real, "none of the 100 structures has a weight towards the energies of real"),
        ):
            with pytest.raises(DataError, match=sentence):
                mdnb.match_energies(own, theirs)
        with pytest.raises(SpecError, match="bins = 1"):
            mdnb.match_energies(real, real, bins=1)

    def test_energies_that_are_not_comparable(self):
        pytest.importorskip("openmm", reason="energies need openmm; pip install 'mdnb[simulate]'")
        real = trajectories().frames([0, 10])
        with pytest.raises(DataError, match="after 0 iterations, the real ones of amber96"):
            mdnb.match_energies(mdnb.energies(real, iterations=0), mdnb.energies(real, iterations=5))

"""Each check by itself: what it lets pass, what it catches, and on which molecules it is made at all."""

import sys

import mdtraj
import numpy as np
import pytest
from learning_fixtures import trajectories

import mdnb
from mdnb.generation.checks import CHECKS, Limits, check_structures
from mdnb.generation.chemistry import read_molecule
from mdnb.generation.compare import ramachandran
from mdnb.generation.equilibrium import strain_ranges


@pytest.fixture(scope="module")
def peptide():
    return mdnb.example("chignolin")


@pytest.fixture(scope="module")
def peptide_limits(peptide):
    return Limits.measure(peptide.frames(slice(0, None, 2)))


@pytest.fixture(scope="module")
def limits():
    return Limits.measure(trajectories().frames(slice(0, None, 10)))


def changed(structures, change):
    xyz = structures.xyz.copy()
    change(xyz)
    return mdtraj.Trajectory(xyz, structures.topology)


def index(structures, residue, name):
    return next(one.index for one in structures.topology.atoms if one.residue.index == residue and one.name == name)


def turned(structures, a, b, moved, angle):
    """Return a copy with some atoms turned about the axis from a to b."""

    def turn(xyz):
        axis = xyz[:, b] - xyz[:, a]
        axis = (axis / np.linalg.norm(axis, axis=1, keepdims=True))[:, None]
        arms = xyz[:, moved] - xyz[:, [b]]
        along = (arms * axis).sum(-1, keepdims=True) * axis
        rest = arms - along
        xyz[:, moved] = xyz[:, [b]] + along + np.cos(angle) * rest + np.sin(angle) * np.cross(axis, rest)

    return changed(structures, turn)


def failed(passed):
    """Return the checks that some structure fails."""
    return {name for name, values in passed.items() if not values.all()}


class TestHeldOut:
    """Limits of the training replicas let real frames of another replica pass, as they let the training frames."""

    @pytest.mark.parametrize(("name", "held_out"), [("alanine-dipeptide", [3]), ("chignolin", [0, 1, 2, 3])])
    def test_real_frames_of_other_replicas_pass(self, name, held_out):
        everything = mdnb.example(name)
        replica = np.repeat(np.arange(len(everything.lengths)), everything.lengths)
        own = np.isin(replica, held_out)
        train, other = (everything.frames(np.flatnonzero(rows)) for rows in (~own, own))
        found = Limits.measure(train)
        shares = [np.logical_and.reduce(list(check_structures(one, found).values())).mean() for one in (train, other)]
        assert shares[0] >= 0.999
        assert shares[1] >= 0.995 * shares[0]


class TestColumns:
    def test_they_are_those_of_the_molecule(self, limits, peptide_limits):
        assert [name for name in CHECKS if name not in limits.names] == (
            ["disulphides"] if limits.strain else ["force field", "disulphides"]
        )
        assert peptide_limits.names == limits.names

    def test_a_molecule_without_a_backbone(self):
        real = trajectories().frames(slice(0, 50))
        methyl = real.atom_slice([one.index for one in real.topology.atoms if one.residue.index == 0][:4])
        found = Limits.measure(methyl)
        assert found.names == ("bonds", "angles", "clashes")
        assert list(check_structures(methyl, found)) == ["bonds", "angles", "clashes"]

    def test_a_topology_without_bonds(self):
        topology = mdtraj.Topology()
        chain = topology.add_chain()
        for _ in range(3):
            topology.add_atom("CA", mdtraj.element.carbon, topology.add_residue("ALA", chain))
        xyz = np.random.default_rng(0).normal(size=(5, 3, 3))
        assert Limits.measure(mdtraj.Trajectory(xyz, topology)).names == ("clashes",)

    def test_without_openmm_there_is_no_force_field(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "openmm", None)
        monkeypatch.setitem(sys.modules, "openmm.app", None)
        real = trajectories().frames(slice(0, 50))
        found = Limits.measure(real)
        assert found.strain is None
        assert "force field" not in check_structures(real, found)

    def test_a_molecule_that_the_force_field_does_not_know(self):
        heavy = trajectories().frames(slice(0, 50))
        heavy = heavy.atom_slice(heavy.topology.select("element != H"))
        assert "force field" not in Limits.measure(heavy).names


class TestChemistry:
    def test_rings_of_tyrosine_tryptophan_and_proline(self, peptide):
        molecule = read_molecule(peptide.topology)
        sizes = np.bincount(molecule.rings)
        assert sorted(sizes) == [5, 5, 6, 6, 6, 6]
        names = {str(peptide.topology.atom(i).residue)[:3] for i in molecule.ring_torsions.ravel()}
        assert names == {"TYR", "TRP", "PRO"}

    def test_kinds_of_residues(self, peptide):
        """Of YYDPETGTWY, without both ends."""
        kinds = read_molecule(peptide.topology).kinds
        assert kinds == (
            "general", "pre-proline", "proline", "general", "general", "glycine", "general", "general",
        )  # fmt: skip

    def test_the_backbone_is_that_of_mdtraj(self, peptide):
        backbone = read_molecule(peptide.topology).backbone
        frame = peptide.frames([0])
        for own, theirs in (
            (backbone[:, :4], mdtraj.compute_phi(frame)[0][:-1]),
            (backbone[:, 1:], mdtraj.compute_psi(frame)[0][1:]),
        ):
            assert np.array_equal(own, theirs)


class TestCis:
    def test_omega_of_proline_is_that_of_the_c_alpha(self, peptide):
        """Whichever of its two carbons the file lists first."""
        ends = [peptide.topology.atom(row[3]).name for row in read_molecule(peptide.topology).amides]
        assert ends == ["CA"] * 9
        topology = mdtraj.Topology()
        residue = topology.add_residue("PRO", topology.add_chain())
        c, o, before, n, delta, alpha = (
            topology.add_atom(name, mdtraj.element.get_by_symbol(name[0]), residue)
            for name in ("C", "O", "CH3", "N", "CD", "CA")
        )
        for pair in ((c, o), (c, before), (c, n), (n, delta), (n, alpha)):
            topology.add_bond(*pair)
        assert read_molecule(topology).amides.tolist() == [[before.index, c.index, n.index, alpha.index]]

    def test_a_turned_peptide_bond_is_cis_and_flat(self, limits):
        real = trajectories().frames(slice(0, 200, 10))
        c, n = index(real, 1, "C"), index(real, 2, "N")
        moved = [one.index for one in real.topology.atoms if one.residue.index == 2 and one.name != "N"]
        passed = check_structures(turned(real, c, n, moved, np.pi), limits)
        assert passed["peptide bonds"].all()
        assert not passed["cis/trans"].any()

    def test_cis_passes_where_real_frames_were_cis(self, peptide):
        """The bond before proline: trans alone is refused where it was cis alone."""
        real = peptide.frames(slice(0, 60, 2))
        c, n = index(real, 2, "C"), index(real, 3, "N")
        moved = [one.index for one in real.topology.atoms if one.residue.index >= 3 and one.index != n]
        cis = turned(real, c, n, moved, np.pi)
        both = Limits.measure(mdtraj.join([real, cis]))
        assert check_structures(cis, both)["cis/trans"].all()
        assert check_structures(real, both)["cis/trans"].all()
        assert not check_structures(real, Limits.measure(cis))["cis/trans"].any()


class TestPlanarity:
    def test_a_bent_ring_is_caught(self, peptide, peptide_limits):
        real = peptide.frames(slice(0, 40, 4))
        edge, tip = (index(real, 0, name) for name in ("CE1", "CZ"))
        other = index(real, 0, "CD2")

        def bend(xyz):
            across = np.cross(xyz[:, edge] - xyz[:, tip], xyz[:, other] - xyz[:, tip])
            xyz[:, tip] += 0.06 * across / np.linalg.norm(across, axis=1, keepdims=True)

        assert check_structures(real, peptide_limits)["planarity"].all()
        assert not check_structures(changed(real, bend), peptide_limits)["planarity"].any()

    def test_a_pyramid_where_a_plane_was_is_caught(self, limits):
        real = trajectories().frames(slice(0, 200, 10))
        c, o = index(real, 1, "C"), index(real, 1, "O")
        near = [index(real, 1, "CA"), index(real, 2, "N")]

        def lift(xyz):
            across = np.cross(xyz[:, near[0]] - xyz[:, c], xyz[:, near[1]] - xyz[:, c])
            length = np.linalg.norm(xyz[:, o] - xyz[:, c], axis=1, keepdims=True)
            way = xyz[:, o] - xyz[:, c] + 2 * length * across / np.linalg.norm(across, axis=1, keepdims=True)
            xyz[:, o] = xyz[:, c] + length * way / np.linalg.norm(way, axis=1, keepdims=True)

        assert not check_structures(changed(real, lift), limits)["planarity"].any()

    def test_what_is_not_flat_in_real_frames_is_not_asked_to_be(self, peptide, peptide_limits):
        prolines = {one.index for one in peptide.topology.residue(3).atoms if one.name in ("CB", "CG", "CD")}
        assert not prolines & set(peptide_limits.stiff.ravel())
        assert not prolines & set(peptide_limits.flat[:, 0])


class TestRamachandran:
    def test_a_basin_that_no_real_frame_was_in_is_outside(self):
        real = mdnb.example("alanine-dipeptide").frames(slice(0, None, 5))
        phi = ramachandran(real)[:, 0]
        found = Limits.measure(real[(phi < -30) & (phi > -170)])
        there = real[(phi > 45) & (phi < 75)]
        assert len(there) > 20
        assert not check_structures(there, found)["Ramachandran"].any()
        assert check_structures(there, Limits.measure(real))["Ramachandran"].all()

    def test_the_share_of_the_plane_is_said_by_the_kind(self, peptide_limits):
        shares = {kind: allowed.mean() for kind, allowed in peptide_limits.regions.allowed.items()}
        assert shares["proline"] < 0.4 < shares["glycine"]

    def test_one_residue_alone_may_not_be_an_outlier(self, limits):
        assert limits.regions.most == 0
        assert limits.regions.kinds == ("general",)


def bridge(length, n, bonded, noise=0.003, seed=0):
    """Return structures of two CB-SG, with the two S so far apart."""
    topology = mdtraj.Topology()
    chain = topology.add_chain()
    atoms = []
    for _ in range(2):
        residue = topology.add_residue("CYS", chain)
        atoms += [topology.add_atom("CB", mdtraj.element.carbon, residue)]
        atoms += [topology.add_atom("SG", mdtraj.element.sulfur, residue)]
        topology.add_bond(*atoms[-2:])
    if bonded:
        topology.add_bond(atoms[1], atoms[3])
    xyz = np.array([[-0.06, 0.17, 0], [0, 0, 0], [length + 0.06, 0, 0.17], [length, 0, 0]])
    return mdtraj.Trajectory(xyz + noise * np.random.default_rng(seed).normal(size=(n, 4, 3)), topology)


class TestDisulphides:
    @pytest.mark.parametrize("bonded", [True, False])
    def test_a_broken_one_is_caught(self, bonded):
        """Also where the file lists no bond between the two, as many PDB files do not."""
        found = Limits.measure(bridge(0.204, 300, bonded))
        assert found.disulphides.tolist() == [[1, 3]]
        assert check_structures(bridge(0.204, 300, bonded, seed=1), found)["disulphides"].all()
        assert not check_structures(bridge(0.3, 20, bonded), found)["disulphides"].any()

    def test_two_that_are_apart_are_none(self):
        assert not len(Limits.measure(bridge(0.4, 300, bonded=False)).disulphides)


class TestForceField:
    @pytest.fixture(autouse=True)
    def _needs_openmm(self):
        pytest.importorskip("openmm", reason="the force field's values come from openmm; pip install 'mdnb[simulate]'")

    def test_values_of_amber(self):
        """CT-CT 310 kcal/mol/A^2 at 1.526 A, and N-CT-C 63 kcal/mol/rad^2 at 110.1 degrees (AMBER's parm96)."""
        real = trajectories().frames([0])
        ca, cb, n, c = (index(real, 1, name) for name in ("CA", "CB", "N", "C"))
        lengths, angles = strain_ranges(real.topology, np.array([[cb, ca]]), np.array([[n, ca, c], [c, ca, n]]))
        reach = np.sqrt(50 / (310 * 4.184 * 100))
        assert lengths[0] == pytest.approx([0.1526 - reach, 0.1526 + reach], abs=1e-5)
        reach = np.sqrt(50 / (63 * 4.184))
        middle = np.radians(110.1)
        assert angles == pytest.approx(np.array([[middle - reach, middle + reach]] * 2), abs=1e-4)

    def test_training_frames_do_not_widen_it(self):
        """Frames with a bond that nature does not have set a range of their own, but not the force field's."""
        real = trajectories().frames(slice(0, 200, 10))
        ca, cb = index(real, 1, "CA"), index(real, 1, "CB")

        def stretch(xyz):
            xyz[:, cb] = xyz[:, ca] + 1.35 * (xyz[:, cb] - xyz[:, ca])

        wrong = changed(real, stretch)
        passed = check_structures(wrong, Limits.measure(wrong))
        assert passed["bonds"].all()
        assert not passed["force field"].any()

    def test_a_system_of_ones_own(self):
        import openmm

        real = trajectories().frames(slice(0, 20))
        system = openmm.System()
        force = openmm.HarmonicBondForce()
        a, b = (int(i) for i in Limits.measure(real).bonds[0])
        force.addBond(a, b, 0.3, 1e6)
        system.addForce(force)
        found = Limits.measure(real, system)
        assert found.strain[0][0] == pytest.approx([0.29, 0.31])
        assert np.isinf(found.strain[0][1:]).all()
        assert not check_structures(real, found)["force field"].any()


class TestClashes:
    def test_counts_are_those_of_all_distances(self, peptide, peptide_limits):
        tight = changed(peptide.frames(slice(0, 30, 3)), lambda xyz: np.multiply(xyz, 0.75, out=xyz))
        distances = mdtraj.compute_distances(tight, peptide_limits.pairs, periodic=False)
        expected = (distances < peptide_limits.nearest).sum(1)
        assert expected.min() > 5
        assert np.abs(peptide_limits.clashes(tight) - expected).max() <= 1  # at most one lies within rounding

    def test_the_nearest_are_those_of_all_distances(self, peptide):
        real = peptide.frames(slice(0, 300, 3))
        found = Limits.measure(real)
        nearest = 0.9 * mdtraj.compute_distances(real, found.pairs, periodic=False).min(0)
        at_bound = found.nearest < nearest - 1e-6
        assert found.nearest[~at_bound] == pytest.approx(nearest[~at_bound], abs=1e-6)
        assert 0 < (~at_bound).sum() < len(nearest)


@pytest.mark.parametrize("pair", [(0, 1), (1, 4), (4, 5), (0, 21)])
def test_atoms_that_coincide_fail_and_raise_nothing(limits, pair):
    def lay(xyz):
        xyz[:, pair[0]] = xyz[:, pair[1]]

    passed = check_structures(changed(trajectories().frames(slice(0, 5)), lay), limits)
    assert not np.logical_and.reduce(list(passed.values())).any()


def test_all_atoms_in_one_place(peptide, peptide_limits):
    nothing = changed(peptide.frames([0, 1]), lambda xyz: xyz.fill(0))
    assert {"bonds", "angles", "clashes", "chirality"} <= failed(check_structures(nothing, peptide_limits))


def test_a_residue_renamed_in_place_has_no_force_field(alanine):
    """mdtraj's bonds then hold atoms of the old name, which it cannot hand over."""
    topology = alanine.topology.copy()
    topology.residue(1).name = "XYZ"
    assert strain_ranges(topology, np.array([[0, 1]]), np.empty((0, 3), int)) is None

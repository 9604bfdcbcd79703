"""The packaged data are physics: temperature, forces, bonds, hands, crossings and folding."""

import itertools
import json

import h5py
import mdtraj
import numpy as np
import pytest
from packaged import Packaged

import mdnb
from mdnb.sources.packaged import EXAMPLES
from mdnb.sources.recipes import BOLTZMANN
from mdnb.sources.simulate import phi_crossings
from mdnb.targets import native_contacts


def statistical_error(values):
    """Return the standard error of the mean of a correlated series, from the means of blocks.

    The largest over block lengths, so that it holds where the series is correlated over many frames.
    """
    errors = []
    for n_blocks in (10, 15, 25, 45):
        means = np.array([block.mean() for block in np.array_split(values, n_blocks)])
        errors.append(means.std(ddof=1) / np.sqrt(n_blocks))
    return max(errors)


def kinetic_energy(packaged, replica):
    """Return the kinetic energy in kJ/mol of each frame, 1/2 m v^2 of the packaged velocities."""
    velocities = replica["chunk"].velocities.astype(np.float64)
    return 0.5 * (packaged.masses[:, None] * velocities**2).sum((1, 2))


# --- kinetics -------------------------------------------------------------------------------------------------------


def test_kinetic_energy_is_the_temperature(packaged):
    """Each replica's own, within its error, at the degrees of freedom of the sidecar."""
    freedom = packaged.record["degrees_of_freedom"]
    assert freedom == 3 * len(packaged.masses) - packaged.record["n_constraints"] - 3
    scores = []
    for replica in packaged.replicas:
        temperature = 2 * kinetic_energy(packaged, replica) / (freedom * BOLTZMANN)
        error = statistical_error(temperature)
        expected = replica["row"]["temperature"]
        assert error < 0.02 * expected
        scores.append((temperature.mean() - expected) / error)
    # Normally distributed if nothing is wrong: all replicas within 4 errors, and no common trend.
    assert np.abs(scores).max() < 4, scores
    assert abs(np.mean(scores)) < 3 / np.sqrt(len(scores)) + 0.5, scores


def test_kinetic_energy_varies_as_it_must(packaged):
    """A canonical kinetic energy has the variance f/2 (kT)^2: neither a velocity rescaling nor wrong units have."""
    freedom = packaged.record["degrees_of_freedom"]
    for replica in packaged.replicas:
        expected = np.sqrt(freedom / 2) * BOLTZMANN * replica["row"]["temperature"]
        assert np.std(kinetic_energy(packaged, replica)) == pytest.approx(expected, rel=0.25)


def test_kinetic_energy_in_the_file_is_that_of_the_velocities(packaged):
    """OpenMM's LangevinMiddle has velocities and positions at the same time: it reports 1/2 m v^2 as it is."""
    for replica in packaged.replicas:
        ratio = kinetic_energy(packaged, replica) / replica["kinetic"]
        assert np.abs(ratio - 1).max() < 1e-3  # velocities are rounded to 1e-3 nm/ps
        assert abs(ratio.mean() - 1) < 1e-4


def test_no_momentum(packaged):
    """The motion of the centre of mass is removed before each step; what is left is the thermostat's kick of one.

    Langevin at 1/ps for one time step gives it the share 1 - exp(-2 x 1/ps x time step) of its thermal variance, so
    that counting three degrees of freedom less is right to 0.03%.
    """
    share = 1 - np.exp(-2 * packaged.record["time_step_fs"] / 1000)
    for replica in packaged.replicas:
        momentum = (packaged.masses[:, None] * replica["chunk"].velocities.astype(np.float64)).sum(1)
        thermal = packaged.masses.sum() * BOLTZMANN * replica["row"]["temperature"]
        assert (momentum**2).mean() == pytest.approx(share * thermal, rel=0.25)


def test_the_sidecar_says_what_the_files_hold(packaged):
    freedom = packaged.record["degrees_of_freedom"]
    assert len(packaged.replicas) == len(packaged.rows) >= 4
    assert len({row["seed"] for row in packaged.rows.values()}) == len(packaged.rows)
    for replica in packaged.replicas:
        row, chunk = replica["row"], replica["chunk"]
        assert row["n_frames"] == len(chunk.positions)
        mean = 2 * replica["kinetic"].mean() / (freedom * BOLTZMANN)
        assert row["mean_kinetic_temperature"] == pytest.approx(mean, rel=1e-5)
        assert row["mean_potential_energy"] == pytest.approx(replica["potential"].mean(), rel=1e-5)
        assert np.allclose(np.diff(chunk.time), packaged.record["save_interval_ps"])
    assert packaged.trajectories.time_step == packaged.record["save_interval_ps"]
    said = {"force_field", "openmm", "integrator", "time_step_fs", "constraints", "masses_dalton", "units", "licence"}
    assert said <= set(packaged.record)


# --- structure ------------------------------------------------------------------------------------------------------


def test_bond_lengths(packaged):
    """Bonds to hydrogen are constrained: constant; the others vary about the lengths of chemistry."""
    bonds = [(a.index, b.index) for a, b in packaged.trajectories.topology.bonds]
    hydrogen = {atom.index for atom in packaged.trajectories.topology.atoms if atom.element.symbol == "H"}
    constrained = [bool(hydrogen.intersection(bond)) for bond in bonds]
    assert sum(constrained) == packaged.record["n_constraints"]
    first, second = np.array(bonds).T
    for replica in packaged.replicas:
        positions = replica["chunk"].positions.astype(np.float64)
        lengths = np.linalg.norm(positions[:, first] - positions[:, second], axis=-1)
        fixed, free = lengths[:, constrained], lengths[:, np.logical_not(constrained)]
        assert np.ptp(fixed, axis=0).max() < 6e-5  # positions are rounded to 1e-5 nm
        assert 0.095 < fixed.min() < fixed.max() < 0.112
        assert 0.10 < free.min() < free.max() < 0.185
        assert ((free.mean(0) > 0.12) & (free.mean(0) < 0.158)).all()
        assert (free.std(0) < 0.006).all()


def test_nothing_overlaps(packaged):
    for replica in packaged.replicas:
        positions = replica["chunk"].positions[::25].astype(np.float64)
        distances = np.linalg.norm(positions[:, :, None] - positions[:, None], axis=-1)
        distances[:, np.arange(len(packaged.masses)), np.arange(len(packaged.masses))] = 1
        assert distances.min() > 0.09


def volumes(topology, positions):
    """Return (labels, signed volumes (n_frames, n)) at each carbon with four neighbours, by atom name and index."""
    neighbours = {atom.index: [] for atom in topology.atoms}
    for a, b in topology.bonds:
        neighbours[a.index].append(b.index)
        neighbours[b.index].append(a.index)
    labels, found = [], []
    for centre, row in neighbours.items():
        if len(row) == 4:
            edges = (positions[:, sorted(row)[:3]] - positions[:, [centre]]).astype(np.float64)
            labels.append(str(topology.atom(centre)))
            found.append(np.linalg.det(edges))
    return labels, np.stack(found, axis=1)


def test_all_residues_are_left_handed(packaged):
    """L: looking from the hydrogen, CO, R and N are clockwise, the CORN rule; as a triple product, by hand."""
    topology = packaged.trajectories.topology
    for residue in topology.residues:
        names = {atom.name: atom.index for atom in residue.atoms}
        if not {"N", "CA", "C", "CB"} <= set(names):
            continue
        for replica in packaged.replicas:
            positions = replica["chunk"].positions.astype(np.float64)
            n, c, beta = (positions[:, names[name]] - positions[:, names["CA"]] for name in ("N", "C", "CB"))
            volume = np.einsum("fi,fi->f", np.cross(n, c), beta)
            assert (volume > 0).all(), f"{residue} of {replica['row']['file']}"


def test_hands_are_those_of_a_known_protein(extra_data):
    """The sign that the test above takes for L is that of alanine in somebody else's data."""
    frame = mdtraj.load(str(extra_data / "ala2_msmb_data" / "ala2.pdb"))
    names = {atom.name: atom.index for atom in frame.topology.residue(1).atoms}
    n, c, beta = (frame.xyz[0, names[name]] - frame.xyz[0, names["CA"]] for name in ("N", "C", "CB"))
    assert np.dot(np.cross(n, c), beta) > 0


def test_equal_hydrogens_are_labelled_alike_in_all_replicas(packaged):
    """HB2 and HB3 have one hand each, everywhere: no model can tell replicas apart by their labels."""
    signs = []
    for replica in packaged.replicas:
        labels, found = volumes(packaged.trajectories.topology, replica["chunk"].positions)
        sign = np.sign(found)
        changing = [label for label, column in zip(labels, sign.T, strict=True) if len(set(column)) > 1]
        assert not changing, f"{changing} change hands in {replica['row']['file']}"
        signs.append(sign[0])
    differing = [label for label, column in zip(labels, np.array(signs).T, strict=True) if len(set(column)) > 1]
    assert not differing
    names = [label.partition("-")[2] for label in labels]
    assert "CA" in names
    assert "CB" in names


def test_the_topology_file_is_of_the_same_molecule(packaged):
    """Hands of the PDB file are those of the trajectories, or a reference taken from it would be a mirror."""
    pdb = mdtraj.load(str(packaged.folder / f"{packaged.name}.pdb"))
    ours = volumes(packaged.trajectories.topology, packaged.replicas[0]["chunk"].positions[:1])[1]
    assert np.array_equal(np.sign(volumes(pdb.topology, pdb.xyz)[1]), np.sign(ours))


# --- what the examples are for --------------------------------------------------------------------------------------


def test_phi_crossings():
    """At least 100, as counted again from the data, and from an independent count of states."""
    packaged = Packaged("alanine-dipeptide")
    counts = []
    for replica in packaged.replicas:
        positions = replica["chunk"].positions
        count = phi_crossings(positions, packaged.folder / "alanine-dipeptide.pdb")
        assert count == replica["row"]["phi_crossings"] > 0
        counts.append(count)
        phi = mdtraj.compute_phi(mdtraj.Trajectory(positions, packaged.trajectories.topology))[1][:, 0]
        steps = itertools.pairwise(phi)
        assert count == sum(a * b < 0 and abs(a - b) < np.pi for a, b in steps)
    assert sum(counts) == packaged.record["phi_crossings"] >= 100
    basin = mdnb.targets.make_target(mdnb.featurize(packaged.trajectories, "torsions"), "basin")
    by_replica = basin.values.reshape(len(packaged.replicas), -1)
    # Left-handed is entered and left in every replica, so that any of them can be held out.
    assert all(len(set(row)) == 3 for row in by_replica)
    assert all(0.002 < share < 0.2 for share in (by_replica == 2).mean(1))


def test_folding():
    """Folded and unfolded both occur within at least two trajectories, and at more than one temperature."""
    packaged = Packaged("chignolin")
    q = native_contacts(packaged.trajectories).reshape(len(packaged.replicas), -1)
    share = (q > 0.5).mean(1)
    both = [replica["row"] for replica, one in zip(packaged.replicas, share, strict=True) if 0.02 < one < 0.98]
    assert len(both) >= 2, share
    assert 0.1 < share.mean() < 0.9
    assert q[0, 0] > 0.95  # native is the first frame of the first trajectory, which starts folded
    assert packaged.replicas[0]["row"]["start"] == "folded"
    assert {row["start"] for row in packaged.rows.values()} == {"folded", "unfolded"}
    assert len({row["temperature"] for row in packaged.rows.values()}) >= 3
    by_temperature = {row["temperature"]: [] for row in packaged.rows.values()}
    for replica, one in zip(packaged.replicas, share, strict=True):
        by_temperature[replica["row"]["temperature"]].append(one)
    assert np.mean(by_temperature[300.0]) > np.mean(by_temperature[500.0])


def test_sizes():
    sizes = [path.stat().st_size for name in EXAMPLES for path in Packaged(name).folder.iterdir()]
    assert max(sizes) < 5_000_000
    assert sum(sizes) < 20_000_000


def test_files_are_h5md(packaged):
    """Positions, velocities and forces, rounded to what the sidecar's units say, and nothing of this machine."""
    for path in packaged.folder.glob("*.h5md"):
        with h5py.File(path) as file:
            assert list(file["h5md"].attrs["version"]) == [1, 1]
            group = file["particles/trajectory"]
            assert {name: group[name]["value"].attrs["unit"] for name in ("position", "velocity", "force")} == {
                "position": "nm",
                "velocity": "nm ps-1",
                "force": "kJ mol-1 nm-1",
            }
            assert group.attrs["temperature"] == packaged.rows[path.name]["temperature"]
    assert json.loads((packaged.folder / f"{packaged.name}.json").read_text()) == packaged.record


def test_no_replica_starts_with_a_cis_peptide_bond(packaged):
    """Heating can turn a peptide bond; a model would know the replica by it."""
    omega = mdnb.features.Torsions(kinds=("omega",), representation="angle")
    if packaged.name == "alanine-dipeptide":
        pytest.skip("mdtraj knows no omega between the caps")
    angles = mdnb.featurize(packaged.trajectories, omega)
    for number in range(len(packaged.trajectories)):
        first = angles.flat()[angles.trajectory == number][0]
        assert (np.abs(first) > np.pi / 2).all()

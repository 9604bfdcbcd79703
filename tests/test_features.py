"""Features: known values from mdtraj and MDAnalysis, their units and atoms, and what must not change them."""

import itertools

import MDAnalysis.lib.distances
import mdtraj
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mdnb
from mdnb.chunk import Chunk
from mdnb.errors import DataError, SpecError
from mdnb.features import FEATURIZERS, Contacts, Distances, Features, Positions, Torsions, featurize
from mdnb.features.base import Column, Featurizer

#: Features that a rotation and a shift of the molecule leave as they are, with the largest change by rounding.
INVARIANT = {
    "torsions": 2e-5,
    "distances": 2e-6,
    "ca-distances": 2e-6,
    "contacts": 1e-4,  # the steepest switching is 1 / (4 x 0.03 nm)
    "internal-coordinates": 3e-5,
    "positions": 5e-6,
}


@pytest.fixture(scope="module")
def folded(chignolin):
    return mdnb.load(chignolin.frames(range(0, 2700, 90)))


@pytest.fixture(scope="module")
def exact(folded):
    """The same frames in mdtraj."""
    return folded.frames(slice(None))


@pytest.fixture(scope="module")
def tens(alanine):
    """Two trajectories of ten frames."""
    return mdnb.load([alanine.frames(range(0, 1000, 100)), alanine.frames(range(3000, 4000, 100))])


# --- known values ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["phi", "psi", "omega", "chi1", "chi2", "chi3", "chi4"])
def test_torsions_are_those_of_mdtraj(folded, exact, kind):
    indices, expected = getattr(mdtraj, f"compute_{kind}")(exact)
    found = {column.atom_indices: number for number, column in enumerate(featurize(folded).columns)}
    if kind == "chi4":
        assert len(indices) == 0  # no arginine or lysine in chignolin
    values = featurize(folded).values
    for row, angle in zip(indices, expected.T, strict=True):
        number = found[tuple(row)]  # of the cosine, which comes after the sine
        assert np.allclose(values[:, number - 1], np.sin(angle), atol=1e-5)
        assert np.allclose(values[:, number], np.cos(angle), atol=1e-5)


def test_a_torsion_whose_atoms_coincide_is_no_number(folded, exact):
    """It has no value there; the others stay, in a box and without one."""
    together = exact[:3]
    columns = featurize(folded, Torsions()).columns
    a, b = columns[0].atom_indices[1:3]
    together.xyz[1, a] = together.xyz[1, b]
    broken = np.array([{a, b} & set(column.atom_indices) != set() for column in columns])
    lost = np.array([{a, b} <= set(column.atom_indices) for column in columns])
    expected = featurize(folded).values[:3]
    for box in (None, np.tile(np.eye(3, dtype=np.float32) * 9, (3, 1, 1))):
        together.unitcell_vectors = box
        source = mdnb.load(together, make_whole=False)
        values = featurize(source, Torsions()).values
        assert np.isnan(values[1, lost]).all()
        assert np.isfinite(values[1, ~broken]).all()
        assert values[[0, 2]].tobytes() == expected[[0, 2]].tobytes()
        angles = featurize(source, Torsions(representation="angle")).values
        assert np.array_equal(np.isnan(angles), np.isnan(values[:, ::2]))


def test_torsions_are_those_of_mdanalysis(folded, exact):
    """An independent formula, with the sign convention of IUPAC."""
    features = featurize(folded)
    atoms = np.array([column.atom_indices for column in features.columns[::2]])
    places = exact.xyz.astype(np.float64)
    for frame in (0, 11, 29):
        angles = MDAnalysis.lib.distances.calc_dihedrals(*(places[frame, atoms[:, k]] for k in range(4)))
        assert np.allclose(features.values[frame, ::2], np.sin(angles), atol=1e-5)
        assert np.allclose(features.values[frame, 1::2], np.cos(angles), atol=1e-5)


def test_torsions_of_alanine_dipeptide(alanine):
    features = featurize(alanine[0], Torsions(kinds=("phi", "psi"), representation="angle"))
    assert features.names == ("phi ALA2", "psi ALA2")
    assert {column.unit for column in features.columns} == {"rad"}
    labels = [[str(alanine.topology.atom(i)) for i in column.atom_indices] for column in features.columns]
    assert labels == [["ACE1-C", "ALA2-N", "ALA2-CA", "ALA2-C"], ["ALA2-N", "ALA2-CA", "ALA2-C", "NME3-N"]]
    pairs = featurize(alanine[0], Torsions(kinds=("phi", "psi")))
    assert pairs.names == ("sin phi ALA2", "cos phi ALA2", "sin psi ALA2", "cos psi ALA2")
    assert [column.group for column in pairs.columns] == ["phi ALA2"] * 2 + ["psi ALA2"] * 2
    assert np.allclose(np.arctan2(pairs.column("sin phi ALA2"), pairs.column("cos phi ALA2")), features.values[:, 0])


def test_distances(folded, exact):
    ca = exact.topology.select("name CA")
    features = featurize(folded, "ca-distances")
    expected = [(i, j) for a, i in enumerate(ca) for j in ca[a + 2 :]]
    assert [column.atom_indices for column in features.columns] == expected
    assert {column.unit for column in features.columns} == {"nm"}
    assert np.allclose(features.values, mdtraj.compute_distances(exact, expected), atol=2e-6)
    assert features.names[0] == "distance TYR1-CA ASP3-CA"


def test_distances_leave_out_bonded_neighbours(alanine):
    features = featurize(alanine[0], "distances")
    heavy = alanine.topology.select("element != H")
    one = np.eye(22, dtype=int)
    for a, b in alanine.topology.bonds:
        one[a.index, b.index] = one[b.index, a.index] = 1
    expected = {(i, j) for i, j in itertools.combinations(heavy, 2) if not (one @ one)[i, j]}
    assert {column.atom_indices for column in features.columns} == expected
    everything = featurize(alanine[0], Distances(min_bonds=1))
    assert len(everything.columns) == 10 * 9 // 2


def test_contacts(folded, exact):
    features = featurize(folded, "contacts")
    pairs = [(a, b) for a in range(10) for b in range(a + 3, 10)]
    closest = mdtraj.compute_contacts(exact, pairs, scheme="closest-heavy")[0]
    assert np.allclose(features.values, 1 / (1 + np.exp((closest - 0.45) / 0.03)), atol=1e-4)
    assert features.names[0] == "contact TYR1 PRO4"
    hard = featurize(folded, Contacts(width=0))
    assert np.array_equal(hard.values, (closest < 0.45).astype(np.float32))
    with pytest.raises(DataError, match=r"cutoff = -1 nm, width = 0\.03 nm: expected a cutoff above 0"):
        Contacts(cutoff=-1)


def test_closest_distances_of_residues_and_pairs_of_ones_own(folded, exact):
    """Largest difference from mdtraj: 1e-7 nm."""
    features = featurize(folded, "residue-distances")
    pairs = [(a, b) for a in range(10) for b in range(a + 3, 10)]
    closest = mdtraj.compute_contacts(exact, pairs, scheme="closest-heavy")[0]
    assert np.abs(features.values - closest).max() < 2e-6
    assert (features.names[0], features.columns[0].unit) == ("closest distance TYR1 PRO4", "nm")
    chosen = [(100, 3), (7, 150), (0, 1)]
    own = featurize(folded, Distances(pairs=chosen))
    assert np.abs(own.values - mdtraj.compute_distances(exact, chosen)).max() < 2e-6
    assert [column.atom_indices for column in own.columns] == chosen
    with pytest.raises(DataError, match=r"pairs names the atom 166; there are 166 \(0 to 165\)"):
        featurize(folded, Distances(pairs=[(0, 166)]))
    with pytest.raises(DataError, match=r"pairs = \[\(3, 3\)\]: expected two different atom indices each"):
        Distances(pairs=[(3, 3)])


def test_positions(folded, exact):
    """Superposed as mdtraj does it: on the heavy atoms of the first frame."""
    features = featurize(folded, "positions")
    heavy = exact.topology.select("element != H")
    aligned = exact.atom_slice(heavy)
    aligned.center_coordinates()
    aligned.superpose(aligned, 0)
    shifted = aligned.xyz - aligned.xyz.mean(1, keepdims=True)
    assert features.shape == (len(heavy), 3)
    assert features.axes == ("atom", "xyz")
    assert np.abs(features.values - shifted).max() < 2e-5
    assert features.names[:3] == ("position TYR1-N x", "position TYR1-N y", "position TYR1-N z")
    assert [column.atom_indices for column in features.columns[::3]] == [(index,) for index in heavy]


def test_velocities_and_forces(alanine, chunk):
    heavy = alanine.topology.select("element != H")
    joined = featurize(alanine[0], ["positions", "velocities", "forces"], chunk_size=777)
    parts = np.split(joined.values.reshape(3000, -1, 3), 3, axis=1)
    # One rotation turns all three, and keeps their lengths and the angles between them.
    power = np.einsum("fai,fai->fa", chunk.velocities[:, heavy], chunk.forces[:, heavy])
    assert np.allclose(np.einsum("fai,fai->fa", parts[1], parts[2]), power, rtol=1e-4, atol=0.05)
    assert np.allclose(
        np.linalg.norm(parts[1], axis=-1), np.linalg.norm(chunk.velocities[:, heavy], axis=-1), atol=1e-5
    )
    place = chunk.positions[:, heavy] - chunk.positions[:, heavy].mean(1, keepdims=True)
    virial = np.einsum("fai,fai->fa", place, chunk.forces[:, heavy])
    assert np.allclose(np.einsum("fai,fai->fa", parts[0], parts[2]), virial, rtol=1e-4, atol=0.05)
    assert {column.unit for column in joined.columns} == {"nm", "nm/ps", "kJ/mol/nm"}
    assert {name.split()[0] for name in joined.names} == {"position", "velocity", "force"}


# --- what must not change them --------------------------------------------------------------------------------------


def moved(frames, seed):
    """Return the frames, each turned and shifted at random, and the rotations."""
    random = np.random.default_rng(seed)
    turns, _ = np.linalg.qr(random.normal(size=(len(frames), 3, 3)))
    turns *= np.linalg.det(turns)[:, None, None]
    shifted = frames.xyz.astype(np.float64) @ turns + random.normal(scale=0.5, size=(len(frames), 1, 3))
    return mdtraj.Trajectory(shifted.astype(np.float32), frames.topology), turns


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
@pytest.mark.parametrize("name", INVARIANT)
def test_rotation_and_translation(folded, exact, name, seed):
    before = featurize(folded, name)
    turned, _ = moved(exact, seed)
    if name == "positions":  # the reference frame stays as it was
        turned.xyz[0] = exact.xyz[0]
    after = featurize(turned, name)
    difference = np.abs(after.values - before.values)
    if name == "internal-coordinates":  # the phase of a methyl group may pass the border between two labels
        difference = np.quantile(difference, 0.999, axis=0)
    assert difference.max() < INVARIANT[name]


def test_every_feature_of_these_modules_is_named_here():
    assert {*INVARIANT, "velocities", "forces"} <= set(FEATURIZERS)


def test_velocities_and_forces_turn_with_the_molecule(alanine, chunk):
    for name in ("velocities", "forces"):
        maker = FEATURIZERS[name]()
        maker.prepare(alanine.topology, chunk.positions[0])
        frames = mdtraj.Trajectory(chunk.positions[:50], alanine.topology)
        turned, turns = moved(frames, 5)
        arrays = {key: (getattr(chunk, key)[:50] @ turns).astype(np.float32) for key in ("velocities", "forces")}
        after = maker.compute(Chunk(positions=turned.xyz, time=chunk.time[:50], **arrays))
        before = maker.compute(Chunk(chunk.positions[:50], chunk.time[:50], chunk.velocities[:50], chunk.forces[:50]))
        assert np.abs(after - before).max() < 1e-5 * np.abs(before).max()


@settings(max_examples=10, deadline=None)
@given(size=st.integers(1, 40))
def test_chunk_size_does_not_matter(tens, size):
    names = ["torsions", "distances", "positions", "internal-coordinates"]
    whole, part = featurize(tens, names), featurize(tens, names, chunk_size=size)
    assert np.abs(whole.values - part.values).max() < 1e-6  # numpy sums blocks of another size in another order
    assert np.array_equal(whole.trajectory, part.trajectory)
    assert np.array_equal(whole.time, part.time)


def test_files_keep_their_order(tens, alanine):
    both = featurize(tens, "torsions")
    assert both.trajectory.tolist() == [0] * 10 + [1] * 10
    assert both.time.tolist() == list(np.arange(10) * 200.0 + 2) * 2
    for number in (0, 1):
        alone = featurize(alanine[number].frames(range(0, 1000, 100)), "torsions")
        assert np.array_equal(both.of_trajectories([number]).values, alone.values)


def test_torsions_do_not_see_the_box(tens, sample):
    """A molecule cut by the border of its box has the same torsions, distances and contacts as a whole one."""
    whole = mdtraj.Trajectory(sample.positions, sample.topology)
    wrapped = mdtraj.Trajectory(sample.positions % 3.0, sample.topology)
    wrapped.unitcell_vectors = np.tile(3 * np.eye(3), (len(sample), 1, 1))
    for name in ("torsions", "distances", Distances(selection="name CH3 or name CA")):
        assert np.abs(featurize(wrapped, name).values - featurize(whole, name).values).max() < 3e-5


# --- names, refusals ------------------------------------------------------------------------------------------------


def test_two_chains_of_one_sequence_have_columns_of_their_own(tens):
    frames = tens.frames(range(5))
    dimer = frames.stack(mdtraj.Trajectory(frames.xyz + np.float32(1), frames.topology))
    features = featurize(dimer, ["torsions", "distances", "positions"])
    assert len(set(features.names)) == len(features.names)
    assert features.names[:4:2] == ("sin phi ALA2.0", "sin psi ALA2.0")
    assert np.allclose(features.column("sin phi ALA2.0"), features.column("sin phi ALA2.1"), atol=1e-5)


def test_unknown_names(tens):
    with pytest.raises(
        SpecError, match=r"unknown feature 'torsion': did you mean 'torsions'\? known are 'backbone', 'ca-"
    ):
        featurize(tens, "torsion")
    with pytest.raises(SpecError, match="unknown feature 'contact': did you mean 'contacts'"):
        featurize(tens, ["torsions", "contact"])
    with pytest.raises(SpecError, match="unknown kind of torsion 'chi5': did you mean"):
        Torsions(kinds=("chi5",))
    with pytest.raises(SpecError, match="unknown representation 'cos'"):
        Torsions(representation="cos")
    with pytest.raises(SpecError, match=r"unknown column 'sin phi ALA3': did you mean 'sin phi ALA2'\?"):
        featurize(tens).column("sin phi ALA3")


def test_unknown_model(tens):
    with pytest.raises(SpecError, match=r"unknown model 'CNNN': did you mean 'CNN'\? known are .*'CNN', 'CNNRNN', '"):
        mdnb.fit(featurize(tens), "basin", "CNNN")


def test_nothing_to_find(tens):
    with pytest.raises(DataError, match=r"no features were asked for; try 'torsions'"):
        featurize(tens, [])
    with pytest.raises(DataError, match=r"'ca-distances' finds nothing in .*: it needs at least two residues with a"):
        featurize(tens, "ca-distances")
    with pytest.raises(DataError, match=r"'contacts' finds nothing in .*\(for small molecules: 'distances'\)"):
        featurize(tens, "contacts")
    with pytest.raises(DataError, match=r"'positions' needs at least 3 atoms to superpose; 'name CA' holds 1"):
        featurize(tens, Positions("name CA"))
    with pytest.raises(DataError, match="in memory has no velocities; write them to TRR"):
        featurize(tens, "velocities")
    with pytest.raises(DataError, match="the column 'sin phi ALA2' was asked for twice; name each feature once"):
        featurize(tens, ["torsions", "torsions"])
    with pytest.raises(DataError, match="got chunks of -3 frames, expected at least 1"):
        featurize(tens, chunk_size=-3)


def test_features_know_their_size(tens):
    features = featurize(tens)
    assert (len(features), features.shape, features.flat().shape) == (20, (4,), (20, 4))
    assert features.topology is tens.topology
    assert "20 frames x 4 (feature) from torsions" in repr(features)
    with pytest.raises(DataError, match=r"there are no frames of the trajectories \[7\]"):
        features.of_trajectories([7])
    for key in ("trajectory", "time"):
        short = {**vars(features), key: getattr(features, key)[1:]}
        with pytest.raises(DataError, match="20 frames of 4 numbers do not fit 4 columns"):
            Features(**short)


def test_a_featurizer_of_ones_own(tens):
    class Height(Featurizer):
        """The height of an atom."""

        def describe(self, topology, reference):
            return (Column("height", "nm", (0,)),)

        def compute(self, chunk):
            return chunk.positions[:, :1, 2]

    features = featurize(tens, [Height(), "torsions"])
    assert features.featurizers == ("Height", "torsions")
    assert np.array_equal(features.column("height"), tens.frames(slice(None)).xyz[:, 0, 2])
    assert "Height" not in FEATURIZERS


def test_chi_stands_for_all_four_and_one_kind_needs_no_tuple(chignolin):
    every = featurize(chignolin[0], Torsions(kinds="chi"))
    assert every.names == featurize(chignolin[0], Torsions(kinds=("chi1", "chi2", "chi3", "chi4"))).names
    assert (
        featurize(chignolin[0], Torsions(kinds="phi")).names == featurize(chignolin[0], Torsions(kinds=("phi",))).names
    )


def test_the_atom_that_a_pair_must_not_name_is_said(chignolin):
    with pytest.raises(DataError, match="pairs names the atom -1; there are 166"):
        featurize(chignolin[0], Distances(pairs=[(0, -1)]))

"""Features of whole structures: known values from mdtraj and MDAnalysis, and what must not change them."""

import mdtraj
import numpy as np
import pytest
from MDAnalysis.analysis.rms import rmsd as rmsd_of_mdanalysis
from moved import computed, moved, wrapped

import mdnb
from mdnb.chunk import Chunk
from mdnb.errors import DataError
from mdnb.features import (
    FEATURIZERS,
    RMSD,
    SASA,
    ContactMap,
    DistanceMap,
    HydrogenBonds,
    LigandContacts,
    RadiusOfGyration,
    SecondaryStructure,
    Voxels,
    featurize,
)

#: Each new feature, and the largest change when a molecule is turned and shifted by up to 3 nm.
INVARIANT = {
    "rmsd": (RMSD(), 2e-6),
    "radius-of-gyration": (RadiusOfGyration(), 1e-6),
    "contact-map": (ContactMap(), 1e-4),  # the steepest switching is 1 / (4 x 0.03 nm)
    "distance-map": (DistanceMap(), 2e-6),
    "sasa": (SASA(n_sphere_points=480), 0.1),  # the points are fixed in space
    "hydrogen-bonds": (HydrogenBonds(), 1e-3),
    "secondary-structure": (SecondaryStructure(), 0),
    "ligand-contacts": (LigandContacts("resname TRP"), 2e-6),
    "voxels": (Voxels(n_cells=6, spacing=0.4, width=0.3), 1e-3),
}


@pytest.fixture(scope="module")
def folded(chignolin):
    return mdnb.load(chignolin.frames(np.linspace(0, chignolin.n_frames - 1, 30).astype(int)))


@pytest.fixture(scope="module")
def exact(folded):
    """The same frames in mdtraj."""
    return folded.frames(slice(None))


# --- known values ---------------------------------------------------------------------------------------------------


def test_rmsd(folded, exact):
    features = featurize(folded, "rmsd")
    ca = exact.topology.select("name CA")
    places = exact.xyz[:, ca].astype(np.float64)
    expected = [rmsd_of_mdanalysis(frame, places[0], center=True, superposition=True) for frame in places]
    assert np.abs(features.values[:, 0] - expected).max() < 1e-6
    assert np.abs(features.values[:, 0] - mdtraj.rmsd(exact, exact, 0, ca)).max() < 1e-5
    assert features.values[0, 0] < 1e-7
    (column,) = features.columns
    assert (column.name, column.unit, column.atom_indices) == ("rmsd", "nm", tuple(ca))


def test_rmsd_of_a_small_molecule_is_that_of_its_heavy_atoms(alanine):
    features = featurize(alanine[0], "rmsd")
    heavy = alanine.topology.select("element != H")
    assert features.columns[0].atom_indices == tuple(heavy)
    frames = alanine[0].frames(slice(None))
    assert np.abs(features.values[:, 0] - mdtraj.rmsd(frames, frames, 0, heavy)).max() < 1e-5


def test_rmsd_of_what_is_not_a_number_and_of_a_mirror_image(exact):
    positions = exact.xyz[:4].copy()
    positions[1, exact.topology.select("name CA")[3]] = np.nan
    positions[2, :, 0] *= -1
    values = computed(RMSD("element != H"), exact, Chunk(positions=positions, time=np.arange(4.0)))[:, 0]
    assert np.isnan(values).tolist() == [False, True, False, False]
    assert values[0] < 1e-6
    assert values[2] > 0.1


def test_radius_of_gyration(folded, exact):
    import MDAnalysis

    features = featurize(folded, "radius-of-gyration")
    universe = MDAnalysis.Universe.empty(exact.n_atoms, trajectory=True)
    universe.add_TopologyAttr("masses", [atom.element.mass for atom in exact.topology.atoms])
    for frame in (0, 11, 29):
        universe.atoms.positions = exact.xyz[frame]
        assert abs(features.values[frame, 0] - universe.atoms.radius_of_gyration()) < 1e-6
    assert features.columns[0].unit == "nm"
    assert len(features.columns[0].atom_indices) == 166
    rod = computed(RadiusOfGyration("name CA"), exact[:1], Chunk(exact.xyz[:1], np.zeros(1)))
    ca = exact.xyz[0, exact.topology.select("name CA")].astype(np.float64)
    assert rod[0, 0] == pytest.approx(np.sqrt(((ca - ca.mean(0)) ** 2).sum(1).mean()), abs=1e-6)


def test_sasa(folded, exact):
    features = featurize(folded, "sasa")
    # mdtraj by single frames: in later frames of several it adds a thousandth of the frame before.
    expected = np.concatenate([mdtraj.shrake_rupley(frame, mode="residue") for frame in exact])
    assert np.abs(features.values - expected).max() < 0.0027  # two points of 960 on the largest atom
    assert np.abs(features.values - expected).mean() < 3e-4
    assert features.names[:2] == ("sasa TYR1", "sasa TYR2")
    assert {column.unit for column in features.columns} == {"nm^2"}
    assert [i for column in features.columns for i in column.atom_indices] == list(range(166))
    coarse = featurize(folded, SASA(n_sphere_points=240)).values
    assert np.median(np.abs(coarse / features.values - 1)) < 0.015


def test_hydrogen_bonds(folded, exact):
    """Each bond that mdtraj finds has the same energy, to 0.0001 kJ/mol, and we find no other."""
    features = featurize(folded, "hydrogen-bonds")
    label, n_found = [str(residue) for residue in exact.topology.residues], 0
    for values, matrix in zip(features.values, mdtraj.kabsch_sander(exact), strict=True):
        known = dict(zip(features.names, values, strict=True))
        table = matrix.tocoo()
        for acceptor, donor, energy in zip(table.row, table.col, table.data, strict=True):
            if abs(acceptor - donor) > 1:
                n_found += 1
                found = known.pop(f"hydrogen bond {label[donor]}-N {label[acceptor]}-O")
                assert abs(found - 4.184 * energy) < 1e-4
        assert min(known.values()) > -0.5 * 4.184
    assert n_found > 30
    named = dict(zip(features.names, features.columns, strict=True))["hydrogen bond ASP3-N THR8-O"]
    atoms = [str(exact.topology.atom(i)) for i in named.atom_indices]
    assert atoms == ["ASP3-N", "TYR2-C", "TYR2-O", "THR8-C", "THR8-O"]
    assert named.unit == "kJ/mol"
    assert not [name for name in features.names if name.startswith(("hydrogen bond PRO4-N", "hydrogen bond TYR1-N"))]


def test_hydrogen_bonds_do_not_need_hydrogens(folded, exact):
    heavy = exact.atom_slice(exact.topology.select("element != H"))
    assert np.array_equal(featurize(heavy, "hydrogen-bonds").values, featurize(folded, "hydrogen-bonds").values)


def test_secondary_structure(folded, exact):
    features = featurize(folded, "secondary-structure")
    letters = mdtraj.compute_dssp(exact)
    values = features.values.reshape(30, 10, 3)
    assert np.array_equal(values.sum(-1), np.ones((30, 10)))
    assert np.array_equal(np.array(list("HEC"))[values.argmax(-1)], letters)
    assert set(letters.ravel()) >= {"E", "C"}
    assert features.names[:3] == ("helix TYR1", "strand TYR1", "coil TYR1")
    assert {column.group for column in features.columns[:3]} == {"secondary structure TYR1"}


def test_secondary_structure_leaves_caps_out(alanine):
    features = featurize(alanine[0], "secondary-structure")
    assert features.names == ("helix ALA2", "strand ALA2", "coil ALA2")
    assert np.array_equal(features.values, np.tile([0, 0, 1], (3000, 1)))


def test_ligand_contacts(folded, exact):
    """A tryptophan stands in for the ligand."""
    features = featurize(folded, LigandContacts("resname TRP"))
    pairs = [(residue, 8) for residue in range(10) if residue != 8]
    expected = mdtraj.compute_contacts(exact, pairs, scheme="closest-heavy", ignore_nonprotein=False)[0]
    assert np.abs(features.values - expected).max() < 2e-6
    assert features.names[0] == "ligand distance TYR1"
    assert features.names[-1] == "ligand distance TYR10"
    heavy = tuple(exact.topology.select("resname TRP and element != H"))
    assert features.columns[0].atom_indices[-len(heavy) :] == heavy


def test_ligand_is_found_by_itself(folded, exact):
    topology = exact.topology.copy()
    topology.residue(8).name = "LIG"
    renamed = mdtraj.Trajectory(exact.xyz, topology)
    expected = featurize(folded, LigandContacts("resname TRP")).values
    assert np.array_equal(featurize(renamed, "ligand-contacts").values, expected)


# --- what must not change them --------------------------------------------------------------------------------------


def test_every_feature_of_this_file_is_registered():
    assert set(INVARIANT) <= set(FEATURIZERS)
    for name, (maker, _) in INVARIANT.items():
        assert type(maker) is FEATURIZERS[name]


@pytest.mark.parametrize("name", INVARIANT)
def test_rotation_and_translation(folded, exact, name):
    maker, tolerance = INVARIANT[name]
    before = featurize(folded, maker).values
    assert np.abs(featurize(moved(exact, 3), maker).values - before).max() <= tolerance


@pytest.mark.parametrize("name", INVARIANT)
def test_chunk_size_does_not_matter(folded, name):
    maker, _ = INVARIANT[name]
    whole = featurize(folded, maker)
    for size in (1, 7):
        assert np.array_equal(featurize(folded, maker, chunk_size=size).values, whole.values)
    assert all(column.name and column.group and column.atom_indices for column in whole.columns)
    assert len(set(whole.names)) == len(whole.columns)


@pytest.mark.parametrize("name", ["contact-map", "distance-map", "hydrogen-bonds", "ligand-contacts"])
def test_a_molecule_cut_by_the_box(exact, name):
    maker, _ = INVARIANT[name]
    cut = wrapped(exact)
    assert np.abs(cut.positions - exact.xyz + exact.xyz[0].mean(0)).max() > 4
    whole = computed(maker, exact, Chunk(positions=exact.xyz, time=exact.time))
    assert np.abs(computed(maker, exact, cut) - whole).max() < 2e-3  # of 8 nm in single precision


# --- refusals -------------------------------------------------------------------------------------------------------


def test_errors_say_what_is_needed(folded, alanine, exact):
    one = alanine[0].frames(range(3))
    with pytest.raises(DataError, match=r"'rmsd' needs at least 3 atoms; the selection 'name CB' holds 1 of the 22"):
        featurize(one, RMSD("name CB"))
    with pytest.raises(DataError, match=r"'rmsd': the selection 'name ==' is not in mdtraj's language"):
        featurize(one, RMSD("name =="))
    with pytest.raises(DataError, match="'distance-map' needs at least 2 atoms; the selection 'name CA' holds 1"):
        featurize(one, "distance-map")
    with pytest.raises(DataError, match=r"'contact-map' needs at least two residues .* has 1 \(for small molecules"):
        featurize(one.atom_slice(one.topology.select("resid 1")), "contact-map")
    with pytest.raises(DataError, match="expected a cutoff above 0"):
        ContactMap(cutoff=0)
    with pytest.raises(DataError, match=r"'hydrogen-bonds' finds nothing in .* it needs peptide bonds"):
        featurize(one.atom_slice(one.topology.select("resid 1")), "hydrogen-bonds")
    with pytest.raises(DataError, match=r"'secondary-structure' finds nothing in .* named N, CA, C and O"):
        featurize(one.atom_slice(one.topology.select("resid 0")), "secondary-structure")
    with pytest.raises(DataError, match=r"needs one ligand, and 0 residues could be it \(none\); name it"):
        featurize(folded, "ligand-contacts")
    with pytest.raises(DataError, match=r"width = 0\.1 nm: expected at least 2 cells"):
        Voxels(spacing=0.3)
    with pytest.raises(DataError, match="n_sphere_points = 0"):
        SASA(n_sphere_points=0)
    with pytest.raises(DataError, match="min_residues = 0: expected at least 1"):
        HydrogenBonds(min_residues=0)


def test_atoms_without_mass_or_radius(exact):
    topology = exact.topology.copy()
    topology.atom(0).element = None
    frames = mdtraj.Trajectory(exact.xyz[:2], topology)
    with pytest.raises(DataError, match=r"the element of TYR1-N .* is unknown; give a topology with elements"):
        featurize(frames, "radius-of-gyration")
    with pytest.raises(DataError, match=r"'sasa' needs the radius of every selected atom"):
        featurize(frames, "sasa")

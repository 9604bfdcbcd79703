"""RMSD and positions against a reference of one's own, superposed by other atoms than those looked at."""

import mdtraj
import numpy as np
import pytest
from MDAnalysis.analysis.rms import rmsd as rmsd_of_mdanalysis
from scipy.spatial.transform import Rotation

import mdnb
from mdnb.errors import DataError
from mdnb.features import RMSD, Positions, featurize
from mdnb.features.identity import settings_of


@pytest.fixture(scope="module")
def folded(chignolin):
    return mdnb.load([chignolin[k].frames(range(0, 225, 15)) for k in (0, 5)])


@pytest.fixture(scope="module")
def exact(folded):
    return folded.frames(slice(None))


@pytest.fixture(scope="module")
def native(chignolin):
    """A structure that is not among the frames."""
    return chignolin[1].frames([77])


def test_a_structure_a_file_and_a_frame(folded, exact, native, tmp_path):
    ca = exact.topology.select("name CA")
    native.save_pdb(str(tmp_path / "native.pdb"))
    expected = mdtraj.rmsd(exact, native, 0, ca)
    assert np.abs(featurize(folded, RMSD(reference=native)).values[:, 0] - expected).max() < 1e-5
    by_file = featurize(folded, RMSD(reference=tmp_path / "native.pdb")).values[:, 0]
    assert np.abs(by_file - expected).max() < 2e-4  # PDB has three decimals of Angstrom
    assert np.array_equal(featurize(folded, RMSD(reference=str(tmp_path / "native.pdb"))).values[:, 0], by_file)
    for number in (20, -1):
        values = featurize(folded, RMSD(reference=number)).values[:, 0]
        difference = np.abs(values - mdtraj.rmsd(exact, exact, number, ca))
        assert np.delete(difference, number).max() < 1e-5  # mdtraj says 0.0003 nm for a frame and itself
        assert values[number] < 1e-6
    assert np.array_equal(featurize(folded, RMSD(reference=0)).values, featurize(folded, "rmsd").values)


def test_superposed_by_other_atoms(folded, exact, native):
    ring, ca = exact.topology.select("resname TRP and sidechain"), exact.topology.select("name CA")
    target = native.xyz[0].astype(float) - native.xyz[0, ca].astype(float).mean(0)
    moved = exact.xyz.astype(float) - exact.xyz[:, ca].astype(float).mean(1, keepdims=True)
    moved = np.array([Rotation.align_vectors(target[ca], xyz[ca])[0].apply(xyz) for xyz in moved])
    expected = np.sqrt(((moved[:, ring] - target[ring]) ** 2).sum(-1).mean(-1))
    maker = RMSD("resname TRP and sidechain", reference=native, align="name CA")
    features = featurize(folded, maker)
    assert np.abs(features.values[:, 0] - expected).max() < 1e-6
    assert features.columns[0].atom_indices == tuple(ring)
    one = featurize(folded, RMSD("name CA", reference=native, align="name CA")).values[:, 0]
    direct = [rmsd_of_mdanalysis(xyz[ca], native.xyz[0, ca], center=True, superposition=True) for xyz in exact.xyz]
    assert np.abs(one - direct).max() < 1e-6
    places = featurize(folded, Positions("resname TRP and element C", reference=native, align="name CA"))
    carbon = exact.topology.select("resname TRP and element C")
    assert np.abs(places.values - moved[:, carbon]).max() < 2e-6
    assert np.abs(featurize(folded, RMSD("index 5", reference=native, align="name CA")).values).max() < 5


def test_a_reference_of_another_topology(folded, exact, native):
    """Only the selected atoms have to be the same; a reference cut by its box is made whole."""
    part = native.atom_slice(native.topology.select("not element H"))
    values = featurize(folded, RMSD("name CA", reference=part)).values
    assert np.array_equal(values, featurize(folded, RMSD("name CA", reference=native)).values)
    boxed = mdtraj.Trajectory((native.xyz - native.xyz.mean()) % 3, native.topology)
    boxed.unitcell_vectors = 3 * np.eye(3, dtype=np.float32)[None]
    assert np.abs(featurize(folded, RMSD("name CA", reference=boxed)).values - values).max() < 1e-5
    with pytest.raises(
        DataError, match="the reference has 9 of the selected atoms, the trajectories have 10; choose a"
    ):
        featurize(folded, RMSD("name CA", reference=native.atom_slice(native.topology.select("resid 0 to 8"))))
    turned = mdtraj.Topology()
    residue = turned.add_residue("TYR", turned.add_chain())
    for name in ("C", "CA", "N"):
        turned.add_atom(name, mdtraj.element.get_by_symbol(name[0]), residue)
    other = mdtraj.Trajectory(np.eye(3)[None], turned)
    with pytest.raises(DataError, match="the first that differ are C and N; choose a selection that holds the same"):
        featurize(folded, RMSD("resid 0 and (name N or name CA or name C)", reference=other))


def test_what_no_reference_is(folded, tmp_path, native):
    with pytest.raises(DataError, match=r"reference: there is no file '.*none\.pdb'; give a PDB"):
        RMSD(reference=tmp_path / "none.pdb")
    (tmp_path / "bad.pdb").write_text("nothing")
    with pytest.raises(DataError, match=r"'rmsd': the reference .*bad\.pdb cannot be read"):
        featurize(folded, RMSD(reference=tmp_path / "bad.pdb"))
    for wrong in (True, 1.5, [1, 2]):
        with pytest.raises(DataError, match="expected the number of a frame, the path of a structure"):
            RMSD(reference=wrong)
    with pytest.raises(DataError, match="frame 999 does not exist; there are 30"):
        featurize(folded, RMSD(reference=999))
    with pytest.raises(DataError, match="'positions' needs at least 3 atoms to superpose; 'index 1' holds 1"):
        featurize(folded, Positions(align="index 1"))


def test_a_cache_knows_the_reference(folded, native, tmp_path, chignolin):
    native.save_pdb(str(tmp_path / "native.pdb"))
    chignolin.frames(range(20)).save_xtc(str(tmp_path / "a.xtc"))
    opened = mdnb.load(tmp_path / "a.xtc", top=tmp_path / "native.pdb")
    makers = [
        RMSD(),
        RMSD(reference=3),
        RMSD(reference=native),
        RMSD(reference=tmp_path / "native.pdb"),
        RMSD(align="name N"),
    ]
    assert len({str(settings_of(maker)) for maker in makers}) == 5
    for maker in makers:
        first = featurize(opened, maker, cache=tmp_path / "cache").values
        assert np.array_equal(first, featurize(opened, maker, cache=tmp_path / "cache").values)
    assert len(list((tmp_path / "cache").glob("*/header.json"))) == 5

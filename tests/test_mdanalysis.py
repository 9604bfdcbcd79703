"""What MDAnalysis reads: universes in memory, topologies that mdtraj does not read, and its own test files."""

import builtins
import warnings
from pathlib import Path

import MDAnalysis
import mdtraj
import numpy as np
import pytest
from writers import WRITERS, everything, read_mdanalysis

import mdnb
from mdnb.errors import DataError, MissingDependencyError

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning:MDAnalysis", "ignore::DeprecationWarning")
NAMES = ("positions", "velocities", "forces", "time", "box")


@pytest.fixture(scope="module")
def universe(sample, pdb, tmp_path_factory):
    path = tmp_path_factory.mktemp("universe") / "a.trr"
    WRITERS["trr"](path, sample)
    return MDAnalysis.Universe(str(pdb), str(path))


@pytest.fixture(scope="session")
def theirs():
    """The folder of MDAnalysis's own test files."""
    tests = pytest.importorskip("MDAnalysisTests", reason="MDAnalysisTests, real files of others, is not installed")
    return Path(tests.__file__).parent / "data"


class TestUniverse:
    def test_gives_what_was_written(self, universe, sample):
        universe.trajectory[7]
        loaded = mdnb.load(universe)
        found = everything(loaded, 4)
        assert universe.trajectory.frame == 7  # as the user had it
        for name, tolerance in zip(NAMES, (2e-7, 2e-6, 1e-3, 1e-3, 1e-5), strict=True):
            assert np.abs(found[name] - getattr(sample, name)).max() <= tolerance, name
        assert loaded.time_step == pytest.approx(200.0, abs=1e-3)
        assert [str(atom) for atom in loaded.topology.atoms] == [str(atom) for atom in sample.topology.atoms]
        assert [atom.element for atom in loaded.topology.atoms] == [atom.element for atom in sample.topology.atoms]

    def test_some_of_its_atoms(self, universe, sample):
        group = universe.select_atoms("not name H*")
        loaded = mdnb.load(group, stride=3)
        assert loaded.n_atoms == len(group) < 22
        found = everything(loaded, 2)
        assert np.abs(found["positions"] - sample.positions[::3][:, group.indices]).max() < 2e-7
        inner = mdnb.load(group, selection="name CA")
        assert np.array_equal(
            inner.frames([3]).xyz[:, 0], loaded.frames([1]).xyz[:, loaded.topology.select("name CA")[0]]
        )

    def test_as_a_topology(self, universe, folder, sample):
        for top in (universe, universe.atoms):
            assert mdnb.load(folder / "a.xtc", top=top).n_atoms == 22

    def test_features_are_those_of_the_file(self, universe, folder, pdb):
        ours = mdnb.featurize(mdnb.load(folder / "a.trr", top=pdb), ["torsions"], cache=False)
        assert np.allclose(
            mdnb.featurize(mdnb.load(universe), ["torsions"], cache=False).values, ours.values, atol=1e-5
        )

    def test_made_up_times_are_unknown(self, universe, sample, pdb, folder, tmp_path):
        memory = MDAnalysis.Universe(str(pdb), sample.positions * 10)
        assert np.isnan(mdnb.load(memory).time_step)
        assert np.isnan(everything(mdnb.load(memory))["time"]).all()
        memory = MDAnalysis.Universe(str(pdb), sample.positions * 10, dt=0.5)
        assert mdnb.load(memory).time_step == 0.5
        assert np.isnan(mdnb.load(MDAnalysis.Universe(str(pdb), str(folder / "a.dcd"))).time_step)
        assert mdnb.load(memory, time_step=4.0).time_step == 4.0

    def test_what_is_refused(self, universe, tmp_path, sample):
        with pytest.raises(DataError, match="the AtomGroup holds no atoms"):
            mdnb.load(universe.select_atoms("name ZZ"))
        WRITERS["lammpstrj"](tmp_path / "a.lammpstrj", sample, says_units=False)
        dump = MDAnalysis.Universe.empty(22, trajectory=False)
        dump.load_new(str(tmp_path / "a.lammpstrj"), format="LAMMPSDUMP")
        with pytest.raises(DataError, match=r"MDAnalysis does not convert .* load the file itself"):
            mdnb.load(dump)
        path = universe.trajectory.filename
        with pytest.raises(DataError, match="convert_units=False"):
            mdnb.load(MDAnalysis.Universe(str(universe.filename), path, convert_units=False))


class TestInMemoryTimes:
    def test_mdtraj_without_times(self, sample):
        """mdtraj counts the frames then; 1 ps between them was never said."""
        counted = mdtraj.Trajectory(sample.positions, sample.topology)
        for frames in (counted, counted[::3]):
            assert np.isnan(mdnb.load(frames).time_step)
            assert np.isnan(everything(mdnb.load(frames))["time"]).all()
        assert mdnb.load(counted, time_step=2.0).time_step == 2.0

    def test_mdtraj_with_times(self, sample):
        timed = mdtraj.Trajectory(sample.positions, sample.topology, time=sample.time)
        assert mdnb.load(timed).time_step == pytest.approx(200.0)
        assert np.array_equal(everything(mdnb.load(timed))["time"], sample.time)


class TestTopologies:
    @pytest.mark.parametrize(
        ("name", "n_atoms", "file"),
        [("cobrotoxin.tpr", 19385, "cobrotoxin.trr"), ("tprs/2lyz_gmx_2024_4.tpr", 2263, None)],
    )
    def test_tpr(self, theirs, name, n_atoms, file):
        path = theirs / name
        from mdnb.formats.topologies import read_topology

        topology = read_topology(path)
        universe = MDAnalysis.Universe(str(path))
        assert topology.n_atoms == len(universe.atoms) == n_atoms
        assert topology.n_bonds == len(universe.bonds)
        assert [residue.name for residue in topology.residues] == list(universe.residues.resnames)
        assert [residue.resSeq for residue in topology.residues] == list(universe.residues.resids)
        masses = np.array([atom.element.mass if atom.element else 0 for atom in topology.atoms])
        assert np.abs(masses - universe.atoms.masses).max() < 0.1
        if file:
            assert mdnb.load(theirs / file, top=path, selection="protein").n_atoms > 900

    def test_pdb_and_tpr_agree(self, theirs):
        from mdnb.formats.topologies import read_topology

        one, other = (read_topology(theirs / f"cobrotoxin.{suffix}") for suffix in ("pdb", "tpr"))
        assert [residue.resSeq for residue in one.residues] == [residue.resSeq for residue in other.residues]
        assert np.array_equal(one.select("protein and name CA"), other.select("protein and name CA"))

    def test_lammps_data(self, theirs):
        from mdnb.formats.topologies import read_topology

        topology = read_topology(theirs / "lammps" / "hydrogen-class1.data")
        assert (topology.n_atoms, topology.n_bonds) == (2, 1)
        assert {atom.element.symbol for atom in topology.atoms} == {"H"}

    def test_prmtop_and_psf(self, theirs):
        assert mdnb.load(theirs / "Amber/ace_tip3p.nc", top=theirs / "Amber/ace_tip3p.parm7").n_atoms == 1398
        loaded = mdnb.load(theirs / "adk_dims.dcd", top=theirs / "adk.psf", allow_truncated=True)
        assert (loaded.n_frames, loaded.n_atoms) == (98, 3341)

    def test_without_mdanalysis(self, folder, tmp_path, monkeypatch):
        real = builtins.__import__

        def no(name, *rest, **settings):
            if name.split(".")[0] == "MDAnalysis":
                raise ImportError(name)
            return real(name, *rest, **settings)

        (tmp_path / "a.tpr").write_bytes(b"\0" * 50)
        monkeypatch.setattr(builtins, "__import__", no)
        with pytest.raises(
            MissingDependencyError, match=r"reading a.tpr needs .*MDAnalysis.*pip install 'mdnb\[formats\]'"
        ):
            mdnb.load(folder / "a.xtc", top=tmp_path / "a.tpr")

    def test_a_trajectory_as_topology(self, written_h5md, folder, sample, tmp_path):
        WRITERS["h5"](tmp_path / "a.h5", sample)
        assert mdnb.load(folder / "a.xtc", top=tmp_path / "a.h5").n_atoms == 22
        with pytest.raises(DataError, match=r"a.h5md: it holds no topology; give a PDB"):
            mdnb.load(folder / "a.xtc", top=written_h5md)


@pytest.fixture(scope="module")
def written_h5md(sample, tmp_path_factory):
    path = tmp_path_factory.mktemp("h5md") / "a.h5md"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        WRITERS["h5md"](path, sample)
    return path


@pytest.mark.parametrize(
    ("name", "top", "has"),
    [
        ("cobrotoxin.trr", "cobrotoxin.tpr", "vf"),
        ("cobrotoxin.h5md", "cobrotoxin.tpr", "vf"),
        ("cobrotoxin.xtc", "cobrotoxin.tpr", ""),
        ("Amber/ace_tip3p.nc", "Amber/ace_tip3p.parm7", "vf"),
        ("Amber/posfor.ncdf", "Amber/posfor.top", "f"),
        ("adk_oplsaa.trr", "adk_oplsaa.gro", "v"),
        ("adk_oplsaa.xtc", "adk_oplsaa.gro", ""),
        ("adk_dims.dcd", "adk.psf", ""),
    ],
)
def test_real_files_agree_with_mdanalysis(theirs, name, top, has):
    """Files that we did not write, read by a library that we are not. The DCD's header claims 500 frames, it has 98."""
    loaded = mdnb.load(
        theirs / name, top=theirs / top, stride=2, allow_truncated=name == "adk_dims.dcd", make_whole=False
    )
    assert (loaded.has_velocities, loaded.has_forces) == ("v" in has, "f" in has)
    ours, other = everything(loaded), read_mdanalysis(theirs / name, loaded.n_atoms)
    # A box is float32 lengths and angles in MDAnalysis; no box is one of zeros in some of its readers.
    for key in set(other) & set(ours) - ({"time"} if name.endswith("dcd") else set()):
        assert np.allclose(ours[key], other[key][::2], rtol=3e-6, atol=2e-5 if key in ("box", "time") else 2e-6), key
    assert {"positions", "velocities", "forces"} & set(ours) == {"positions", "velocities", "forces"} & set(other)

"""The packaged examples open at once and offline; folders are never left; the recipe is refused sensibly."""

import os
import socket
import subprocess
import sys

import numpy as np
import pytest

import mdnb
from mdnb.errors import DataError, MissingDependencyError, SpecError
from mdnb.sources import EXAMPLES, example
from mdnb.sources.folders import Folder
from mdnb.sources.packaged import example_record
from mdnb.sources.recipes import SYSTEMS, build, create_system, hands_of, one_handed
from mdnb.sources.simulate import simulate


@pytest.mark.parametrize(("name", "n_atoms", "least"), [("alanine-dipeptide", 22, 4), ("chignolin", 166, 4)])
def test_examples(name, n_atoms, least):
    loaded = example(name)
    assert loaded.n_atoms == n_atoms
    assert len(loaded) >= least
    assert loaded.has_velocities
    assert loaded.has_forces
    assert np.isfinite(loaded.time_step)
    assert name in EXAMPLES
    assert loaded.observable("potential_energy").shape == (loaded.n_frames,)
    chunk = next(loaded.chunks(2, velocities=True, forces=True))
    assert chunk.positions.shape == chunk.velocities.shape == chunk.forces.shape == (2, n_atoms, 3)
    # Molecules are whole and centred.
    assert np.abs(chunk.positions.mean(1)).max() < 1e-4
    assert len(example_record(name)["masses_dalton"]) == n_atoms


def test_examples_need_no_network(monkeypatch):
    def refuse(*arguments):
        raise AssertionError("an example opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert next(example().chunks(5)).positions.shape == (5, 22, 3)


def test_unknown_example():
    with pytest.raises(SpecError, match="unknown example 'alanine': did you mean 'alanine-dipeptide'"):
        mdnb.example("alanine")
    with pytest.raises(SpecError, match="unknown example 'villin'"):
        example_record("villin")


def test_simulate_refuses(tmp_path):
    pytest.importorskip("openmm", reason="the recipe needs openmm; pip install 'mdnb[simulate]'")
    with pytest.raises(SpecError, match="unknown system 'alanine': did you mean 'alanine-dipeptide'"):
        simulate("alanine", out=tmp_path / "a")
    for wrong in ({"length": 0}, {"replicas": 0}, {"temperature": (300.0, -1.0)}):
        with pytest.raises(DataError, match="all must be > 0"):
            simulate(out=tmp_path / "a", **wrong)
    with pytest.raises(SpecError, match="unknown start of chignolin 'extended'"):
        build("chignolin", "extended")
    assert not (tmp_path / "a").exists()


def test_simulate_without_openmm(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "openmm", None)
    with pytest.raises(MissingDependencyError, match=r"simulate needs the package 'openmm', .* pip install 'mdnb\[sim"):
        simulate(out=tmp_path)


def test_a_short_simulation(tmp_path):
    """Two replicas of 4 ps: files that load, a sidecar, and a second call that has nothing left to do."""
    pytest.importorskip("openmm", reason="the recipe needs openmm; pip install 'mdnb[simulate]'")
    pytest.importorskip("PeptideBuilder", reason="the recipe needs PeptideBuilder; pip install 'mdnb[simulate]'")
    arguments = {"length": 0.004, "replicas": 2, "seed": 3, "out": tmp_path, "n_jobs": 1, "progress": False}
    folder = simulate("alanine-dipeptide", **arguments)
    assert sorted(path.name for path in folder.iterdir()) == [
        "alanine-dipeptide-500K-0.h5md",
        "alanine-dipeptide-500K-1.h5md",
        "alanine-dipeptide.json",
        "alanine-dipeptide.pdb",
    ]
    loaded = mdnb.load(str(folder / "*.h5md"), top=folder / "alanine-dipeptide.pdb")
    assert (loaded.lengths, loaded.time_step) == ((2, 2), 2.0)
    assert [str(atom) for atom in loaded.topology.atoms] == [str(atom) for atom in mdnb.example().topology.atoms]
    frames = loaded.frames(slice(None)).xyz
    assert np.abs(frames[:2] - frames[2:]).max() > 0.01  # replicas differ
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.h5md")}
    simulate("alanine-dipeptide", **arguments)
    assert {path.name: path.stat().st_mtime_ns for path in folder.glob("*.h5md")} == before
    sidecar = folder / "alanine-dipeptide.json"
    sidecar.write_text(sidecar.read_text().replace('"time_step_fs": 2.0', '"time_step_fs": 3.0'))
    with pytest.raises(DataError, match="holds another recipe's alanine-dipeptide; choose an empty folder for out="):
        simulate("alanine-dipeptide", **arguments)


def test_starting_structures():
    openmm = pytest.importorskip("openmm", reason="the recipe needs openmm; pip install 'mdnb[simulate]'")
    pytest.importorskip("PeptideBuilder", reason="the recipe needs PeptideBuilder; pip install 'mdnb[simulate]'")
    built = {start: build("alanine-dipeptide", start) for start in SYSTEMS["alanine-dipeptide"].starts}
    all_hands = []
    for modeller in built.values():
        positions = np.array(modeller.positions.value_in_unit(openmm.unit.nanometer))
        assert positions.shape == (22, 3)
        all_hands.append(hands_of(modeller.topology, positions))
        # Equal hydrogens are already in one order: it has nothing left to change.
        assert one_handed(modeller.topology, positions) == list(range(22))
    assert all_hands[0] == all_hands[1]
    system = create_system("alanine-dipeptide", modeller.topology)
    assert (system.getNumParticles(), system.getNumConstraints()) == (22, 12)


# --- folders --------------------------------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path, alanine):
    """A root with files and a folder, beside something that lies outside it."""
    root = tmp_path / "root"
    (root / "runs").mkdir(parents=True)
    frames = alanine.frames([0, 1])
    frames.save_xtc(str(root / "runs" / "a.xtc"))
    frames[0].save_pdb(str(root / "alanine.pdb"))
    frames.atom_slice(range(10))[0].save_pdb(str(root / "part.pdb"))
    (root / "notes.txt").write_text("text")
    (root / ".hidden.xtc").write_text("text")
    (tmp_path / "outside").mkdir()
    frames.save_xtc(str(tmp_path / "outside" / "secret.xtc"))
    return root


def test_entries(tree):
    found = {entry.name: (entry.kind, entry.label()) for entry in Folder(tree).entries()}
    assert set(found) == {"runs", "alanine.pdb", "part.pdb"}
    assert found["runs"] == ("folder", "runs/")
    assert found["alanine.pdb"][0] == "topology"
    assert found["alanine.pdb"][1].endswith("kB)")
    assert [entry.kind for entry in Folder(tree).entries("runs")] == ["trajectory"]


def test_folders_are_not_left(tree):
    folder = Folder(tree)
    for parts in (("..",), ("runs", "..", "..", "outside"), (str(tree.parent / "outside"),)):
        with pytest.raises(DataError, match=r"leads outside .*; open another root to reach it"):
            folder.entries(*parts)
    (tree / "link").symlink_to(tree.parent / "outside")
    (tree / "link.xtc").symlink_to(tree.parent / "outside" / "secret.xtc")
    assert not {"link", "link.xtc"} & {entry.name for entry in folder.entries()}
    with pytest.raises(DataError, match="leads outside"):
        folder.path("link", "secret.xtc")
    with pytest.raises(DataError, match=r"is not a folder; give one that exists, such as '\.'"):
        Folder(tree / "nowhere")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may look into every folder")
def test_folder_that_cannot_be_read(tree):
    (tree / "runs").chmod(0)
    with pytest.raises(DataError, match=r"cannot look into .*; check its permissions"):
        Folder(tree).entries("runs")
    (tree / "runs").chmod(0o700)


def test_matching_topologies(tree):
    folder = Folder(tree)
    xtc, whole, part = (folder.path(*name.split("/")) for name in ("runs/a.xtc", "alanine.pdb", "part.pdb"))
    assert folder.matching([xtc], [whole, part]) == [whole]
    assert not folder.header(xtc).own_topology
    assert folder.header(whole).own_topology
    broken = tree / "broken.xtc"
    broken.write_bytes(b"nothing of the kind")
    assert folder.matching([broken], [whole]) == []
    assert not folder.header(broken).own_topology


def test_the_data_layer_needs_no_torch():
    code = (
        "import sys, mdnb; f = mdnb.featurize(mdnb.example()[:1], 'torsions');"
        "assert not {'torch', 'ipywidgets', 'nglview', 'plotly'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)

"""Public databases: layouts, units, options and addresses, against a server on this machine."""

import h5py
import numpy as np
import pytest
from database_files import DOMAIN, md17_bytes, pdb_text, timewarp_bytes, write_mdcath, xtc_bytes
from web import serving

import mdnb
from mdnb.errors import DataError, SpecError
from mdnb.sources import download
from mdnb.sources.databases import mdshare

HUB = "https://huggingface.co/datasets"
MDCATH = f"{HUB}/compsciencelab/mdCATH/resolve/main/data/mdcath_dataset_{DOMAIN}.h5"


@pytest.fixture
def web(monkeypatch, tmp_path):
    monkeypatch.setattr(download, "PAUSES", (0.0, 0.0))
    monkeypatch.setenv("MDNB_CACHE", str(tmp_path / "cache"))
    with serving() as served:
        monkeypatch.setenv("MDNB_MIRROR", served.url)
        yield served


@pytest.fixture
def mdcath(tmp_path, sample):
    return write_mdcath(
        tmp_path / f"mdcath_dataset_{DOMAIN}.h5", sample.topology, sample.positions, sample.forces
    )  # fmt: skip


# --- mdCATH ---------------------------------------------------------------------------------------------------------


def test_a_file_of_mdcath_opens_with_all_its_trajectories(mdcath, sample):
    loaded = mdnb.load(mdcath)
    assert loaded.names == tuple(f"mdcath_dataset_{DOMAIN}-{one}" for one in ("320-0", "320-1", "450-0", "450-1"))
    assert loaded.lengths == (30, 15, 30, 15)
    assert loaded.time_step == 1000  # 1 ns
    assert loaded.has_forces
    assert not loaded.has_velocities
    assert [a.name for a in loaded.topology.atoms] == [a.name for a in sample.topology.atoms]
    assert loaded.topology.n_bonds == sample.topology.n_bonds
    chunk = next(loaded[0].chunks(30, forces=True))
    # Angstrom and kcal/mol/Angstrom in the file; the test put 0.032 nm more on the positions at 320 K.
    np.testing.assert_allclose(chunk.positions, sample.positions + 0.032, atol=1e-5)
    np.testing.assert_allclose(chunk.forces, sample.forces, rtol=1e-5, atol=1e-2)
    np.testing.assert_allclose(chunk.box, np.repeat(np.diag([5.0, 6.0, 7.0])[None], 30, 0))
    np.testing.assert_array_equal(chunk.time, np.arange(30) * 1000.0)
    strided = next(mdnb.load(mdcath, stride=4, selection="element != H")[2].chunks(30))
    heavy = sample.topology.select("element != H")
    np.testing.assert_allclose(strided.positions, sample.positions[::4][:, heavy] + 0.045, atol=1e-5)


def test_known_units_of_mdcath(mdcath):
    with h5py.File(mdcath, "a") as file:
        file[f"{DOMAIN}/320/0/coords"][0, 0] = [10.0, 20.0, 30.0]  # Angstrom
        file[f"{DOMAIN}/320/0/forces"][0, 0] = [1.0, -1.0, 0.5]  # kcal/mol/Angstrom
    chunk = mdnb.load(mdcath, make_whole=False).read(0, 0, 1, forces=True)
    np.testing.assert_allclose(chunk.positions[0, 0], [1.0, 2.0, 3.0])
    np.testing.assert_allclose(chunk.forces[0, 0], [41.84, -41.84, 20.92], rtol=1e-6)


def test_what_mdcath_says_of_each_frame(mdcath, sample):
    loaded = mdnb.load(mdcath)
    assert set(loaded.observable("temperature")) == {320.0, 450.0}
    np.testing.assert_allclose(loaded.observable("rmsd")[:30], np.arange(30) / 10)
    np.testing.assert_allclose(loaded.observable("radius_of_gyration")[30:45], np.arange(15) + 1.0)
    share = 1 / sample.topology.n_residues
    assert loaded.observable("helix")[0] == pytest.approx(share)
    assert loaded.observable("strand")[0] == pytest.approx(1 - share)
    assert loaded.observable("coil")[29] == pytest.approx(1)


@pytest.mark.parametrize("options", [{"old": True}, {"layout": False}])
def test_older_layouts_of_mdcath(tmp_path, sample, options):
    path = write_mdcath(tmp_path / "old.h5", sample.topology, sample.positions, sample.forces, **options)
    assert len(mdnb.load(path)) == 4


def test_damaged_files_of_mdcath(tmp_path, mdcath, sample):
    path = write_mdcath(tmp_path / "u.h5", sample.topology, sample.positions, sample.forces, unit="furlong")
    with pytest.raises(DataError, match="its coords are in 'furlong', expected 'angstrom'"):
        mdnb.load(path)
    with h5py.File(mdcath, "a") as file:
        del file[f"{DOMAIN}/320"], file[f"{DOMAIN}/450"]
    with pytest.raises(DataError, match="it holds no replica with coords and numFrames"):
        mdnb.load(mdcath)


def test_caches_and_health_tell_the_trajectories_of_a_file_apart(mdcath):
    loaded = mdnb.load(mdcath)
    assert loaded[0].lengths == loaded[2].lengths
    assert loaded[0].recipe() != loaded[2].recipe()  # what features in the cache go by
    codes = {finding.kind for finding in loaded.health().findings}
    assert "same-file" not in codes


def test_fetch_mdcath(web, mdcath):
    web.put(MDCATH, mdcath.read_bytes())
    loaded = mdnb.fetch("mdcath", DOMAIN, temperature=320, replica=0)
    assert loaded.lengths == (30,)
    assert loaded.code == f"mdnb.fetch('mdcath', '{DOMAIN}', temperature=320, replica=0)"
    again = eval(loaded.code, {"mdnb": mdnb})  # noqa: S307 - what it shows is what it does
    assert again.names == loaded.names
    assert mdnb.fetch("mdcath", DOMAIN).lengths == (30, 15)  # all replicas at 320 K
    assert mdnb.fetch("mdcath", DOMAIN, temperature=0).lengths == (30, 15, 30, 15)
    assert len(web.asked) == 1
    with pytest.raises(DataError, match=r"has no replica -1 at 413 K; it has \(temperature-replica\) 320-0, 320-1"):
        mdnb.fetch("mdcath", DOMAIN, temperature=413)
    kept = mdnb.load(mdcath)
    by_hand = mdnb.fetch("mdcath", DOMAIN, file=mdcath, temperature=0, stride=2, selection="name CA")
    assert by_hand.n_atoms == kept.topology.select("name CA").size
    assert by_hand.code == (
        f"mdnb.fetch('mdcath', '{DOMAIN}', temperature=0, selection='name CA', stride=2, file={str(mdcath)!r})"
    )


# --- names and options ----------------------------------------------------------------------------------------------


def test_names_and_options_are_checked(web):
    with pytest.raises(SpecError, match="unknown database 'mdcat': did you mean 'mdcath'"):
        mdnb.fetch("mdcat", "x")
    with pytest.raises(DataError, match=r"mdcath has no entry 'x': expected a CATH domain: .*such as '1r9lA02'"):
        mdnb.fetch("mdcath", "x")
    with pytest.raises(SpecError, match="unknown option of mdcath 'temp'"):
        mdnb.fetch("mdcath", DOMAIN, temp=320)
    with pytest.raises(SpecError, match=r"unknown value of MdCATHOptions.temperature 321"):
        mdnb.fetch("mdcath", DOMAIN, temperature=321)
    with pytest.raises(SpecError, match="md17 has no options, got temperature=320"):
        mdnb.fetch("md17", "md17_aspirin", temperature=320)
    with pytest.raises(DataError, match="max_gb = 0: expected"):
        mdnb.fetch("mdcath", DOMAIN, max_gb=0)
    with pytest.raises(DataError, match="does not exist; give the file that was downloaded by hand"):
        mdnb.fetch("mdcath", DOMAIN, file="nowhere.h5")
    with pytest.raises(DataError, match=r"dynamicpdb is not offered: .*pickle"):
        mdnb.fetch("dynamicpdb", "1abc")
    assert web.asked == []


@pytest.mark.parametrize("name", sorted(mdnb.databases()))
def test_what_is_said_of_each_database(name):
    known = mdnb.databases()[name]
    assert known.check_entry(known.example) == known.example
    assert all(known.facts().values())
    assert known.folder(known.example).name == known.example
    for wrong in ("../../etc/passwd", "a/b", "a b", "", ".", "..", "x\ny", "1abc\0", "é", "%2e%2e", "a?b#c"):
        with pytest.raises((DataError, SpecError), match=r"has no entry|unknown entry"):
            known.check_entry(wrong)
    for declared in known.Options.settings():
        assert declared.help


def test_the_table_of_databases():
    known = mdnb.databases()
    assert "mdcath" in known
    assert "1r9lA02" in repr(known)
    assert "https://doi.org/10.1038/s41597-024-04140-z" in known._repr_html_()
    assert len(known) == len(list(known))


def test_offline_says_what_to_do_by_hand(web, tmp_path, monkeypatch):
    monkeypatch.setenv("MDNB_MIRROR", "http://127.0.0.1:9")  # nobody listens there
    named = f"put it at .*{DOMAIN}"
    with pytest.raises(DataError, match=f"cannot reach 127.0.0.1:9 .* download {MDCATH} by hand .* {named}"):
        mdnb.fetch("mdcath", DOMAIN)


def test_the_limit_counts_all_files_of_a_call(web, sample, monkeypatch):
    monkeypatch.setattr(mdshare, "_FILES", {})
    put_mdshare(web, sample)
    size = len(xtc_bytes(sample.topology, sample.positions, np.arange(30.0)))
    with pytest.raises(DataError, match="more than max_gb"):
        mdnb.fetch("mdshare", "alanine-dipeptide", max_gb=2.2 * size / 1e9)


# --- the others -----------------------------------------------------------------------------------------------------


def put_mdshare(web, sample):
    base = "http://ftp.imp.fu-berlin.de/pub/cmb-data/alanine-dipeptide-"
    web.put(f"{base}nowater.pdb", pdb_text(sample.topology, sample.positions).encode())
    for number in range(3):
        content = xtc_bytes(sample.topology, sample.positions + number, np.arange(30.0))
        web.put(f"{base}{number}-250ns-nowater.xtc", content)


def test_fetch_mdshare(web, sample, monkeypatch):
    put_mdshare(web, sample)
    with pytest.raises(DataError, match=r"nowater.pdb has .* bytes, expected 1,813"):
        mdnb.fetch("mdshare", "alanine-dipeptide")
    monkeypatch.setattr(mdshare, "_FILES", {"alanine-dipeptide-0-250ns-nowater.xtc": (0, "0" * 32)})
    with pytest.raises(DataError, match=r"-0-250ns-nowater.xtc has the md5 .* \(published\)"):
        mdnb.fetch("mdshare", "alanine-dipeptide")
    monkeypatch.setattr(mdshare, "_FILES", {})
    loaded = mdnb.fetch("mdshare", "alanine-dipeptide")
    assert len(loaded) == 3
    assert loaded.time_step == 1
    np.testing.assert_allclose(loaded.read(2, 0, 1).positions, sample.positions[:1] + 2, atol=2e-3)
    assert len(mdnb.fetch("mdshare", "alanine-dipeptide", replica=1)) == 1
    with pytest.raises(SpecError, match="has no replica 3: they are 0 to 2"):
        mdnb.fetch("mdshare", "alanine-dipeptide", replica=3)


def test_fetch_timewarp(web, sample):
    base = f"{HUB}/microsoft/timewarp/resolve/main/AD-3/test/AD-traj"
    web.put(f"{base}-arrays.npz", timewarp_bytes(sample))
    web.put(f"{base}-state0.pdb", pdb_text(sample.topology, sample.positions).encode())
    loaded = mdnb.fetch("timewarp", "AD", dataset="AD-3")
    chunk = next(loaded.chunks(30, velocities=True, forces=True))
    np.testing.assert_array_equal(chunk.positions, sample.positions)
    np.testing.assert_array_equal(chunk.velocities, sample.velocities)
    np.testing.assert_array_equal(chunk.forces, sample.forces)
    assert loaded.observable("kinetic_energy")[0] == 1


@pytest.mark.parametrize("revised", [False, True])
def test_files_of_md17(tmp_path, sample, revised):
    (tmp_path / "m.npz").write_bytes(md17_bytes(sample, revised=revised))
    loaded = mdnb.load(tmp_path / "m.npz")
    chunk = next(loaded.chunks(30, forces=True))
    np.testing.assert_allclose(chunk.positions, sample.positions, atol=1e-5)
    np.testing.assert_allclose(chunk.forces, sample.forces, rtol=1e-5, atol=1e-2)
    np.testing.assert_allclose(loaded.observable("potential_energy"), -4.184 * np.arange(30))
    assert np.isnan(loaded.time_step)  # the frames are in no known order of time
    assert loaded.topology.n_bonds == sample.topology.n_bonds
    assert loaded.topology.n_residues == 1


def test_damaged_files_of_md17(tmp_path):
    np.savez(tmp_path / "a.npz", z=np.array([1, 1]), R=np.zeros((3, 2, 3)), F=np.zeros((2, 2, 3)))
    with pytest.raises(DataError, match=r"its array of forces has the shape \(2, 2, 3\)"):
        mdnb.load(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", z=np.array([1, None], object), R=np.zeros((3, 2, 3)))
    with pytest.raises(DataError, match=r"b.npz"):  # a pickle inside
        mdnb.load(tmp_path / "b.npz")


def test_fetch_md17(web, sample):
    web.put("http://www.quantum-machine.org/gdml/data/npz/md17_ethanol.npz", md17_bytes(sample))
    assert mdnb.fetch("md17", "md17_ethanol").n_frames == 30

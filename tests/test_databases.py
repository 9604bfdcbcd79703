"""Public databases: layouts, units, options and addresses, against a server on this machine."""

import io
import json
import tarfile
import zipfile

import h5py
import mdtraj
import numpy as np
import pytest
from database_files import (
    DOMAIN,
    md17_bytes,
    pdb_text,
    timewarp_bytes,
    write_mdcath,
    write_misato,
    write_spice,
    xtc_bytes,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from web import serving

import mdnb
from mdnb.errors import DataError, SpecError
from mdnb.machine import user_cache
from mdnb.sources import web as requests
from mdnb.sources.databases import mdanalysisdata, mdshare
from mdnb.targets import make_target

HUB = "https://huggingface.co/datasets"
MDCATH = f"{HUB}/compsciencelab/mdCATH/resolve/main/data/mdcath_dataset_{DOMAIN}.h5"


@pytest.fixture
def web(monkeypatch, tmp_path):
    monkeypatch.setattr(requests, "PAUSES", (0.0, 0.0))
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


def test_what_mdcath_says_is_a_target(mdcath):
    features = mdnb.featurize(mdnb.load(mdcath), "radius-of-gyration")
    target = make_target(features, "observable:radius_of_gyration")
    assert target.unit == "nm"
    np.testing.assert_allclose(target.values[30:45], np.arange(15) + 1.0)
    assert make_target(features, "observable:temperature").values[-1] == 450
    with pytest.raises(SpecError, match="needs a name after a colon"):
        make_target(features, "observable")
    with pytest.raises(DataError, match=r"holds no pressure \(it has: temperature, rmsd"):
        make_target(features, "observable:pressure")


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
    with pytest.raises(DataError, match=r"but mdposit gives structure and frames as files that mdnb.load opens"):
        mdnb.fetch("mdposit", "MD-A003ZT.2", file="a.xtc")
    with pytest.raises(DataError, match=r"dynamicpdb is not offered: .*pickle"):
        mdnb.fetch("dynamicpdb", "1abc")
    assert web.asked == []


@pytest.mark.parametrize("name", sorted(mdnb.databases()))
def test_what_is_said_of_each_database(name):
    known = mdnb.databases()[name]
    assert known.check_entry(known.example) == known.example
    assert known.doi  # the last check against published pages found one for each
    assert all(known.facts().values())
    assert known.folder(known.example).relative_to(user_cache() / "databases").parts[0] == name
    for wrong in ("../../etc/passwd", "a/b", "a b", "", ".", "..", "x\ny", "1abc\0", "é", "%2e%2e", "a?b#c"):
        with pytest.raises((DataError, SpecError), match=r"has no entry|unknown entry"):
            known.check_entry(wrong)
    for declared in known.Options.settings():
        assert declared.help


@pytest.mark.parametrize("name", sorted(mdnb.databases()))
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_no_entry_leads_outside_the_cache(name, data):
    known = mdnb.databases()[name]
    kinds = [st.from_regex(known.pattern, fullmatch=True), st.text(max_size=12)]
    text = data.draw(st.sampled_from(known.entries) if known.entries else st.one_of(kinds))
    try:
        entry = known.check_entry(text)
    except (DataError, SpecError):
        return
    assert entry.isascii()
    assert not set(entry) & set("/\\?#%&: ")
    base = (user_cache() / "databases" / name).resolve()
    assert known.folder(entry).resolve().is_relative_to(base)


def test_the_table_of_databases():
    known = mdnb.databases()
    assert "mdcath" in known
    assert "1r9lA02" in repr(known)
    assert "https://doi.org/10.1038/s41597-024-04140-z" in known._repr_html_()
    assert len(known) == len(list(known))


def test_the_command_line(web, mdcath, capsys):
    from mdnb.cli import main

    assert main(["fetch"]) == 0
    assert "1r9lA02" in capsys.readouterr().out
    assert main(["fetch", "mdcath"]) == 0
    told = capsys.readouterr().out
    assert "licence: CC-BY-4.0" in told
    assert "-p temperature=320" in told
    web.put(MDCATH, mdcath.read_bytes())
    assert main(["fetch", "mdcath", DOMAIN, "-p", "temperature", "450", "-p", "replica=-1"]) == 0
    told = capsys.readouterr().out
    assert f"mdnb.fetch('mdcath', '{DOMAIN}', temperature=450, replica=-1)" in told
    assert told.count("mdcath_dataset_1abcA00.h5\n") == 1
    assert main(["fetch", "mdcath", DOMAIN, "-p", "temperature=hot"]) == 1
    assert "expected the type int" in capsys.readouterr().err


def test_offline_says_what_to_do_by_hand(web, tmp_path, monkeypatch):
    monkeypatch.setenv("MDNB_MIRROR", "http://127.0.0.1:9")  # nobody listens there
    named = f"put it at .*{DOMAIN}"
    with pytest.raises(DataError, match=f"cannot reach 127.0.0.1:9 .* download {MDCATH} by hand .* {named}"):
        mdnb.fetch("mdcath", DOMAIN)


def test_the_limit_counts_all_files_of_a_call(web, sample, monkeypatch):
    monkeypatch.setattr(mdshare, "_FILES", {})
    put_mdshare(web, sample)
    size = len(xtc_bytes(sample.topology, sample.positions, np.arange(30.0)))
    with pytest.raises(DataError, match=r"nowater.xtc has .* and with what .* before .*, more than max_gb="):
        mdnb.fetch("mdshare", "alanine-dipeptide", max_gb=2.2 * size / 1e9)


# --- the others -----------------------------------------------------------------------------------------------------


def test_mdshare_knows_size_and_checksum_of_every_file():
    for top, pattern, count in mdshare._ENTRIES.values():
        for name in (top, *map(pattern.format, range(count))):
            size, digest = mdshare._FILES[name]
            assert size > 0
            assert len(digest) == 32


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
    loaded = mdnb.fetch("timewarp", "AD", dataset="AD-3", part="test")
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
    name = "md22_double-walled_nanotube"  # MD22 lies in another folder
    web.put(f"http://www.quantum-machine.org/gdml/repo/datasets/{name}.npz", md17_bytes(sample))
    assert mdnb.fetch("md17", name).n_frames == 30


def test_fetch_rmd17(web, sample):
    content = md17_bytes(sample, revised=True)
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:bz2") as archive:
        for name in ("rmd17/npz_data/rmd17_aspirin.npz", "rmd17/npz_data/rmd17_uracil.npz"):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    web.put("https://figshare.com/ndownloader/files/23950376", file.getvalue())
    assert mdnb.fetch("rmd17", "aspirin").n_frames == 30
    assert mdnb.fetch("rmd17", "uracil").has_forces
    assert len(web.asked) == 1  # one archive for all molecules
    with pytest.raises(DataError, match=r"holds no rmd17_toluene.npz"):
        mdnb.fetch("rmd17", "toluene")


def test_fetch_spice(web, sample, tmp_path):
    write_spice(tmp_path / "SPICE-2.0.1.hdf5", sample)
    loaded = mdnb.fetch("spice", "103147721", file=tmp_path / "SPICE-2.0.1.hdf5")
    chunk = next(loaded.chunks(30, forces=True))
    np.testing.assert_allclose(chunk.positions, sample.positions, atol=1e-5)
    np.testing.assert_allclose(chunk.forces, sample.forces, rtol=1e-5, atol=1e-2)
    assert loaded.observable("potential_energy")[0] == pytest.approx(-100 * 2625.4996, rel=1e-7)  # hartree
    assert loaded.topology.n_bonds == sample.topology.n_bonds
    assert np.isnan(loaded.time_step)
    with pytest.raises(DataError, match=r"holds 2 systems, each with atoms of its own; .*mdnb.fetch\('spice'"):
        mdnb.load(tmp_path / "SPICE-2.0.1.hdf5")
    with pytest.raises(DataError, match="it holds no 'nothing'"):
        mdnb.fetch("spice", "nothing", file=tmp_path / "SPICE-2.0.1.hdf5")
    web.put("https://zenodo.org/records/8222043/files/SPICE-1.1.4.hdf5", b"something else")
    with pytest.raises(DataError, match=r"has the md5 .* expected f27d4c81da0e37d6547276bf6b4ae6a1"):
        mdnb.fetch("spice", "103147721", version="1.1.4")


def test_fetch_misato(tmp_path, chignolin):
    frames = chignolin.frames(range(10))
    order = write_misato(tmp_path / "MD.hdf5", frames.topology, frames.xyz)
    loaded = mdnb.fetch("misato", "10GS", file=tmp_path / "MD.hdf5")
    assert loaded.time_step == 80
    np.testing.assert_allclose(loaded.read(0, 0, 10).positions[:, : len(order)], frames.xyz[:, order], atol=1e-5)
    for name, value in (
        ("ligand_rmsd", 0.1), ("ligand_distance", 0.2), ("interaction_energy", 3 * 4.184), ("buried_area", 0.04)
    ):  # fmt: skip
        assert loaded.observable(name)[0] == pytest.approx(value)
    topology = loaded.topology
    residues = [residue.name for residue in topology.residues]
    assert residues == [residue.name for residue in frames.topology.residues] + ["MOL"]
    assert [chain.n_residues for chain in topology.chains] == [10, 1]
    for name in ("N", "CA", "C", "O", "CB"):
        expected = [order.index(i) for i in frames.topology.select(f"name {name}")]
        np.testing.assert_array_equal(np.sort(expected), topology.select(f"name {name} and not resname MOL"))
    for residue in topology.residues:
        names = [atom.name for atom in residue.atoms]
        assert len(names) == len(set(names))
    assert len(mdtraj.compute_phi(loaded.frames([0]))[0]) == 9
    among_protein = [(a, b) for a, b in topology.bonds if "MOL" not in (a.residue.name, b.residue.name)]
    assert len(among_protein) == frames.topology.n_bonds
    with pytest.raises(DataError, match="holds 2 systems"):
        mdnb.load(tmp_path / "MD.hdf5")


def test_amides_do_not_end_residues_of_misato(tmp_path):
    # ASN-ASN in AMBER's order: N H CA HA CB HB2 HB3 CG OD1 ND2 HD21 HD22 C O, types as in MISATO.
    types = [24, 15, 14, 16, 5, 20, 20, 3, 29, 24, 15, 15, 3, 29]
    elements = [3, 1, 2, 1, 2, 1, 1, 2, 4, 3, 1, 1, 2, 4]
    n_atoms = 2 * len(types)
    with h5py.File(tmp_path / "MD.hdf5", "w") as file:
        group = file.create_group("1ABC")
        places = np.random.default_rng(0).uniform(0, 100, (1, n_atoms, 3))
        group["trajectory_coordinates"] = places
        group["atoms_type"], group["atoms_element"] = 2 * types, 2 * elements
        group["atoms_residue"], group["molecules_begin_atom_index"] = n_atoms * [4], [0]
    topology = mdnb.load(tmp_path / "MD.hdf5").topology
    assert [residue.n_atoms for residue in topology.residues] == [14, 14]
    assert [atom.index for atom in topology.atoms if atom.name == "C"] == [12, 26]


def test_fetch_atlas(web, sample):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("README.txt", "about")
        archive.writestr("16pk_A.pdb", pdb_text(sample.topology, sample.positions))
        archive.writestr("16pk_A_RMSF.tsv", "1\t2\t3")
        for replica in (1, 2, 3):
            content = xtc_bytes(sample.topology, sample.positions + replica, np.arange(30) * 100.0)
            archive.writestr(f"16pk_A_R{replica}.xtc", content)
    web.put("https://www.dsimb.inserm.fr/ATLAS/database/ATLAS/16pk_A/16pk_A_analysis.zip", file.getvalue())
    loaded = mdnb.fetch("atlas", "16pk_A")
    assert loaded.names == ("16pk_A_R1", "16pk_A_R2", "16pk_A_R3")
    assert loaded.time_step == 100
    one = mdnb.fetch("atlas", "16pk_A", replica=2)
    assert one.names == ("16pk_A_R2",)
    np.testing.assert_allclose(one.read(0, 0, 1).positions, sample.positions[:1] + 2, atol=2e-3)
    assert len(web.asked) == 1
    with pytest.raises(DataError, match=r"has no /ATLAS/database/ATLAS/16pk_A/16pk_A_protein.zip \(HTTP 404\)"):
        mdnb.fetch("atlas", "16pk_A", frames="protein")


def test_fetch_mdposit(web, sample):
    base = "https://mdposit.mddbr.eu/api/rest/v1/projects/MD-A003ZT.2"
    project = {"accession": "MD-A003ZT.2", "metadata": {"NAME": "x", "LICENSE": "CC-BY-4.0", "FRAMESTEP": 0.1}}
    web.put(base, json.dumps(project).encode())
    heavy = sample.topology.select("element != H")
    top, positions = sample.topology.subset(heavy), sample.positions[::10][:, heavy]
    web.put(f"{base}/structure?selection=not%20hydrogen", pdb_text(top, positions).encode())
    query = "format=xtc&frames=1%3A-1%3A10&selection=not%20hydrogen"
    web.put(f"{base}/trajectory?{query}", xtc_bytes(top, positions, np.arange(3.0)))
    web.length = False  # it is made while it is sent
    loaded = mdnb.fetch("mdposit", "MD-A003ZT.2", atoms="not hydrogen", frames="1:-1:10")
    assert loaded.n_atoms == len(heavy)
    assert loaded.time_step == 1000  # 0.1 ns between frames, every tenth
    np.testing.assert_allclose(loaded.read(0, 0, 3).positions, positions, atol=2e-3)
    again = mdnb.fetch("mdposit", "MD-A003ZT.2", atoms="not hydrogen", frames="1:-1:10")
    assert again.lengths == loaded.lengths
    assert len(web.asked) == 3
    with pytest.raises(DataError, match=r"has no /api/.*HTTP 404.*Another server may hold it.*node= takes global, irb"):
        mdnb.fetch("mdposit", "MD-A003ZT.2", node="mmb")
    for wrong in ("0:10", "1-5", "1:2:0", "a", "1:1000:10&x=y"):
        with pytest.raises(DataError, match="expected first:last:step counted from 1"):
            mdnb.fetch("mdposit", "MD-A003ZT.2", frames=wrong)


def test_fetch_gpcrmd(web, sample):
    home = "https://www.gpcrmd.org"
    links = "".join(f"<a href='/dynadb/files/Dynamics/{one}'>x</a>" for one in ("7_dyn_90.psf", "8_dyn_90.pdb"))
    links += "".join(f'<a href="/dynadb/files/Dynamics/{n}_trj_90.xtc">t</a>' for n in (10, 11, 10))
    links += "<a href='/dynadb/files/Dynamics/../../etc/9_trj_90.xtc'>no</a><a href='/x/12_trj_91.xtc'>other</a>"
    web.put(f"{home}/dynadb/dynamics/id/90/", links.encode())
    web.put(f"{home}/dynadb/files/Dynamics/8_dyn_90.pdb", pdb_text(sample.topology, sample.positions).encode())
    for number in (10, 11):
        content = xtc_bytes(sample.topology, sample.positions + number, np.arange(30.0))
        web.put(f"{home}/dynadb/files/Dynamics/{number}_trj_90.xtc", content)
    assert mdnb.fetch("gpcrmd", "90").names == ("10_trj_90", "11_trj_90")
    assert mdnb.fetch("gpcrmd", "90", replica=1).names == ("11_trj_90",)
    with pytest.raises(DataError, match="has 2 trajectories, 0 to 1"):
        mdnb.fetch("gpcrmd", "90", replica=2)
    later = f"{home}/dynadb/files/Dynamics/dyn2667"  # of later submissions, in a folder with another number
    web.put(f"{home}/dynadb/dynamics/id/2316/", b"".join(
        b"<a href='/dynadb/files/Dynamics/dyn2667/%s'>x</a>" % one
        for one in (b"tmp_dyn_0_2667.pdb", b"25399_dyn_2316.pdb", b"25400_trj_2316.xtc")
    ))  # fmt: skip
    web.put(f"{later}/25399_dyn_2316.pdb", pdb_text(sample.topology, sample.positions).encode())
    web.put(f"{later}/25400_trj_2316.xtc", xtc_bytes(sample.topology, sample.positions, np.arange(30.0)))
    assert mdnb.fetch("gpcrmd", "2316").names == ("25400_trj_2316",)
    web.put(f"{home}/dynadb/dynamics/id/91/", b"<html>log in</html>")
    with pytest.raises(DataError, match="names no trajectory with its structure; look at it"):
        mdnb.fetch("gpcrmd", "91")


def test_fetch_mdrepo(web, sample):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("processed/minimal.pdb", pdb_text(sample.topology, sample.positions))
        archive.writestr("processed/minimal.xtc", xtc_bytes(sample.topology, sample.positions, np.arange(30.0)))
        archive.writestr("processed/sampled.xtc", xtc_bytes(sample.topology, sample.positions[:3], np.arange(3.0)))
        archive.writestr("mdrepo-metadata.toml", "toml_version = 2")
    web.put("https://mdrepo.org/api/v1/get_download_instance/9280.zip", file.getvalue())
    assert mdnb.fetch("mdrepo", "9280").n_frames == 30
    assert mdnb.fetch("mdrepo", "9280", part="sampled").n_frames == 3
    with pytest.raises(DataError, match=r"holds no full.xtc with full.pdb"):
        mdnb.fetch("mdrepo", "9280", part="full")


def test_fetch_mdanalysisdata(web, sample, tmp_path, monkeypatch):
    mdtraj.Trajectory(sample.positions, sample.topology).save_dcd(str(tmp_path / "a.dcd"))
    dcd, pdb = (tmp_path / "a.dcd").read_bytes(), pdb_text(sample.topology, sample.positions).encode()
    web.put("https://ndownloader.figshare.com/files/12980636", pdb)
    with pytest.raises(DataError, match=r"has the sha256 .* expected 8ccf5f75"):
        mdnb.fetch("mdanalysisdata", "ifabp_water")
    web.put("https://ndownloader.figshare.com/files/1", pdb)
    web.put("https://ndownloader.figshare.com/files/2", dcd)
    made = mdanalysisdata._Set(("a.pdb", "1", ""), ("a.dcd", "2", ""), 240.0)
    monkeypatch.setitem(mdanalysisdata._SETS, "adk_equilibrium", made)
    monkeypatch.setattr(mdanalysisdata, "_remote", lambda name, number, digest: mdanalysisdata.Remote(
        f"https://ndownloader.figshare.com/files/{number}", name))  # fmt: skip
    assert mdnb.fetch("mdanalysisdata", "adk_equilibrium").time_step == 240
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in (
            ("FRODA/topologies/1ake.pdb", pdb), ("FRODA/trajectories/pathway1_fit-core.dcd", dcd),
            ("FRODA/trajectories/pathway2_fit-core.dcd", dcd), ("FRODA/trajectories/pathway2_raw.dcd", dcd),
        ):  # fmt: skip
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    web.put("https://ndownloader.figshare.com/files/13182493", file.getvalue())
    assert mdnb.fetch("mdanalysisdata", "adk_transitions_FRODA").names == ("pathway1_fit-core", "pathway2_fit-core")

"""For every format: paths of any characters, folders, nothing, garbage, false claims, flipped bits and cuts."""

import struct
import subprocess
import sys
import warnings

import numpy as np
import pytest
from writers import WRITERS, everything

import mdnb
from mdnb.errors import DataError
from mdnb.formats import open_trajectory
from mdnb.formats.molecules import bonds_by_distance
from mdnb.loading import SUFFIXES

FOREIGN = ("h5", "h5md")


@pytest.fixture(scope="module")
def intact(sample, tmp_path_factory):
    """A folder with a path that is not ASCII, of a file in each format."""
    folder = tmp_path_factory.mktemp("Übung 分子 [1]")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of MDAnalysis, about what an empty universe lacks
        for suffix, write in WRITERS.items():
            plain = folder.parent / f"{folder.name.encode('ascii', 'ignore').decode().replace(' ', '')}.{suffix}"
            write(plain, sample)
            plain.rename(folder / f"λ-é {suffix}.{suffix}")
    return folder


@pytest.mark.parametrize("suffix", WRITERS)
def test_any_characters_in_a_path(intact, pdb, sample, suffix):
    found = everything(mdnb.load(intact / f"λ-é {suffix}.{suffix}", top=pdb), 7)
    assert np.abs(found["positions"] - sample.positions).max() < 1e-3


def test_a_topology_with_any_characters(intact, folder):
    for suffix in ("pdb", "cif", "h5", "xyz"):
        assert mdnb.load(folder / "a.xtc", top=intact / f"λ-é {suffix}.{suffix}").n_atoms == 22


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_folder_with_the_suffix_of_a_file(tmp_path, pdb, suffix):
    (tmp_path / f"a{suffix}").mkdir()
    with pytest.raises(DataError, match=rf"a\{suffix} is a folder; give its files"):
        mdnb.load(tmp_path / f"a{suffix}", top=pdb)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "content", [b"\0" * 5000, b"hello\nworld\n" * 50, b"\xff" * 777, b"\n", b"22\n", bytes(range(256))]
)
def test_garbage(tmp_path, pdb, suffix, content):
    (tmp_path / f"a{suffix}").write_bytes(content)
    with pytest.raises(
        DataError, match=rf"a\{suffix}.*(is it one\?|does not start|complete\?|truncated|damaged|suffix)"
    ):
        mdnb.load(tmp_path / f"a{suffix}", top=pdb)


@pytest.mark.parametrize("name", ["a.xtc.gz", "a.lammpstrj.bz2", "a.pdb.xz"])
def test_compressed(tmp_path, pdb, name):
    (tmp_path / name).write_bytes(b"something")
    with pytest.raises(DataError, match="is compressed, so that no frame in it can be found alone; unpack it first"):
        mdnb.load(tmp_path / name, top=pdb)


class TestFalseClaims:
    """Files that say they hold a thousand million frames or atoms."""

    def refused(self, tmp_path, pdb, name, content, said):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=said):
            mdnb.load(tmp_path / name, top=pdb)

    def test_dcd(self, intact, tmp_path, pdb):
        content = bytearray((intact / "λ-é dcd.dcd").read_bytes())
        frames = content[:8] + struct.pack("<i", 10**9) + content[12:]
        self.refused(tmp_path, pdb, "a.dcd", frames, r"truncated: its header claims 1000000000 frames, 30 are whole")
        at = content.index(struct.pack("<iii", 4, 22, 4))
        content[at + 4 : at + 8] = struct.pack("<i", 10**9)
        self.refused(tmp_path, pdb, "b.dcd", bytes(content), r"truncated: its header claims 30 frames, 0 are whole")

    def test_netcdf(self, intact, tmp_path, pdb):
        content = bytearray((intact / "λ-é nc.nc").read_bytes())
        content[4:8] = struct.pack(">i", 10**9)
        self.refused(
            tmp_path, pdb, "a.nc", bytes(content), r"truncated: its header claims 1000000000 frames, 30 are whole"
        )

    def test_xtc_and_trr(self, intact, tmp_path, pdb):
        content = bytearray((intact / "λ-é xtc.xtc").read_bytes())
        content[4:8] = content[52:56] = struct.pack(">i", 10**9)
        self.refused(tmp_path, pdb, "a.xtc", bytes(content), r"frame 1 has 22 atoms, frame 0 has 1000000000")
        content = (intact / "λ-é trr.trr").read_bytes().replace(struct.pack(">i", 22), struct.pack(">i", 10**9))
        self.refused(tmp_path, pdb, "a.trr", content, r"contradicts itself; the file is damaged")

    @pytest.mark.parametrize("suffix", ["xyz", "lammpstrj"])
    def test_text(self, intact, tmp_path, pdb, suffix):
        content = (intact / f"λ-é {suffix}.{suffix}").read_bytes().replace(b"\n22\n", b"\n1000000000\n")
        content = content.replace(b"22\n", b"1000000000\n", 1) if suffix == "xyz" else content
        self.refused(tmp_path, pdb, f"a.{suffix}", content, r"truncated: \d+ bytes are left")


def test_no_frames(intact, tmp_path, pdb):
    """Headers without frames, as a run that has just begun leaves them."""
    dcd = (intact / "λ-é dcd.dcd").read_bytes()
    head = dcd.index(struct.pack("<iii", 4, 22, 4)) + 12
    (tmp_path / "a.dcd").write_bytes(dcd[:8] + struct.pack("<i", 0) + dcd[12:head])
    (tmp_path / "a.cif").write_text("data_a\nloop_\n_atom_site.Cartn_x\n_atom_site.Cartn_y\n_atom_site.Cartn_z\n#\n")
    np.savez(tmp_path / "a.npz", positions=np.empty((0, 22, 3), np.float32))
    (tmp_path / "a.pdb").write_text("REMARK nothing yet\nEND\n")
    for name in ("a.dcd", "a.cif", "a.npz", "a.pdb"):
        with pytest.raises(DataError, match=r"it holds no whole frame|it holds no atoms|positions have the shape"):
            mdnb.load(tmp_path / name, top=pdb)


def test_dcd_that_says_fewer_frames_than_it_has(intact, tmp_path, pdb):
    """Programs write the number at the end: of a running simulation it is behind, and all whole frames are read."""
    content = bytearray((intact / "λ-é dcd.dcd").read_bytes())
    content[8:12] = struct.pack("<i", 3)
    (tmp_path / "a.dcd").write_bytes(content)
    assert mdnb.load(tmp_path / "a.dcd", top=pdb).n_frames == 30
    (tmp_path / "a.dcd").write_bytes(content[:-100])
    with pytest.raises(DataError, match=r"truncated: its header claims 3 frames, 29 are whole.*while a simulation"):
        mdnb.load(tmp_path / "a.dcd", top=pdb)
    assert mdnb.load(tmp_path / "a.dcd", top=pdb, allow_truncated=True).n_frames == 29


CIF = "data_x\nloop_\n" + "".join(
    f"_atom_site.{name}\n"
    for name in ("group_PDB", "id", "type_symbol", "label_atom_id", "label_comp_id", "Cartn_x", "Cartn_y", "Cartn_z")
)


@pytest.mark.parametrize("numbered", [False, True])
def test_a_line_of_an_mmcif_longer_than_what_is_searched_at_once(tmp_path, numbered, monkeypatch):
    """It once was searched for ever."""
    monkeypatch.setattr("mdnb.formats.mmcif._BLOCK", 1000)
    head = CIF + "_atom_site.pdbx_PDB_model_num\n" * numbered
    rows = [f"ATOM {number} C CA ALA 1.0 2.0 {number}.0{' 1' * numbered}\n" for number in (1, 2)]
    (tmp_path / "a.cif").write_text(head + rows[0] + "\0" * 1100 + "\n" + rows[1] + "#\n")
    with pytest.raises(DataError, match=r"a\.cif.*(damaged|complete)\?"):
        open_trajectory(tmp_path / "a.cif")


def test_a_dump_of_more_atoms_than_memory_holds(tmp_path):
    text = "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n{}\nITEM: BOX BOUNDS pp pp pp\n0 1\n0 1\n0 1\n"
    text += "ITEM: ATOMS id element x y z\n1 C 0.1 0.2 0.1\n2 C 0.1 0.2 0.2\n"
    for count in (10**13, 10**30):
        (tmp_path / "a.lammpstrj").write_text(text.format(count) + text.format(2))
        opened = open_trajectory(tmp_path / "a.lammpstrj", "real")
        with pytest.raises(DataError, match=rf"a\.lammpstrj: its 1 frames of {count} atoms cannot be read .*damaged\?"):
            opened.read(0, 1, 1, None, False, False)


class TestTooManyNeighbours:
    """Bonds are found by distance, of which a wrong unit gives millions."""

    def positions(self, n):
        return np.random.default_rng(0).random((n, 3)) * (n / 100) ** (1 / 3)  # nm, as dense as water

    def test_nm_for_angstrom(self, tmp_path):
        rows = [f"C {x:.5f} {y:.5f} {z:.5f}\n" for x, y, z in self.positions(400)]
        (tmp_path / "a.xyz").write_text("400\n\n" + "".join(rows))
        with pytest.raises(DataError, match=r"\d{3} neighbours within 0\.19 nm .*, expected at most 30; are the units"):
            mdnb.load(tmp_path / "a.xyz")

    def test_a_frame_of_zeros_has_no_bonds(self, tmp_path, monkeypatch):
        monkeypatch.setattr(
            "mdnb.formats.molecules._near", None
        )  # of 3,000 atoms in one place there are 9,000,000 pairs
        (tmp_path / "a.xyz").write_text("3000\n\n" + "C 0 0 0\n" * 3000)
        assert mdnb.load(tmp_path / "a.xyz").topology.n_bonds == 0

    @pytest.mark.parametrize("box", [None, np.eye(3) * 2.0])
    def test_atoms_in_one_place_change_no_other_bonds(self, box):
        atoms = self.positions(500)
        pairs, images = bonds_by_distance(["C"] * 500, atoms, box)
        assert len(pairs) > 300
        with_zeros = np.concatenate([np.full((2000, 3), 0.3), atoms])
        found, found_images = bonds_by_distance(["C"] * 2500, with_zeros, box)
        assert np.array_equal(found - 2000, pairs)
        assert np.array_equal(found_images, images)


FUZZ = """
import resource, sys, numpy as np, mdnb
from pathlib import Path
source, top, work, seed, n = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
content, random = source.read_bytes(), np.random.default_rng(seed)
whole = mdnb.load(source, top=top).frames(slice(None)).xyz
before, refused, right = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0, 0
for number in range(n):
    damaged = bytearray(content)
    if number % 4 == 3:
        del damaged[int(random.integers(1, len(content))):]
    reach = len(content) if number % 2 else min(2000, len(content))  # the headers, or anywhere
    for at in random.integers(0, reach, random.integers(1, 5)):
        if at < len(damaged):
            damaged[at] = random.choice([0, 1, 10, 32, 48, 57, 0x7F, 0x80, 0xFF, int(random.integers(256))])
    work.write_bytes(damaged)
    print(number, flush=True)
    try:
        loaded = mdnb.load(work, top=top, allow_truncated=bool(number % 3))
        n_frames = sum(len(chunk.positions) for chunk in loaded.chunks(7, velocities=loaded.has_velocities))
        assert n_frames == loaded.n_frames
        assert all(np.isfinite(chunk.positions).all() for chunk in loaded.chunks())
        right += 1
    except mdnb.errors.MdnbError:
        refused += 1
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000
print("refused", refused, "read", right, "MB", round(grown))
assert grown < 200, grown
"""


@pytest.mark.parametrize("suffix", [suffix for suffix in WRITERS if suffix not in FOREIGN])
def test_flipped_bytes_and_cuts(intact, pdb, tmp_path, suffix):
    """An error or frames; never a crash, an endless loop, another exception, or memory far beyond the file."""
    arguments = [str(intact / f"λ-é {suffix}.{suffix}"), str(pdb), str(tmp_path / f"a.{suffix}"), "11", "80"]
    command = [sys.executable, "-W", "ignore", "-c", FUZZ, *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert answer.returncode == 0, (answer.returncode, answer.stdout[-100:], answer.stderr[-2000:])
    assert int(answer.stdout.split("refused")[1].split()[0]) > 5

"""What is refused, and with which sentence: bad input, cut files, damaged files."""

import dataclasses
import io
import re
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest
from writers import WRITERS, write_dcd, write_trr

import mdnb
from mdnb.errors import DataError, SpecError
from mdnb.loading import SUFFIXES

# --- what is refused ------------------------------------------------------------------------------------------------


class TestRefusals:
    def test_no_such_file(self, pdb, tmp_path):
        with pytest.raises(DataError, match=r"no such file: .*nowhere\.xtc; give the path of a trajectory, or a patt"):
            mdnb.load(tmp_path / "nowhere.xtc", top=pdb)
        with pytest.raises(DataError, match=r"no such topology file: .*nowhere\.pdb"):
            mdnb.load(mdnb.example().frames([0]), top=tmp_path / "nowhere.pdb")
        with pytest.raises(DataError, match=r"no such file: nowhere\.xtc \(looked for in /.*\); give the path"):
            mdnb.load("nowhere.xtc", top=pdb)

    @pytest.mark.parametrize("address", ["https://a.b/c.pdb", "file:///etc/passwd", "s3://bucket/c.xtc"])
    def test_addresses_are_not_opened(self, folder, pdb, address):
        with pytest.raises(DataError, match=r"\(an address: download it first; public databases open with mdnb.fetch"):
            mdnb.load(address, top=pdb)
        with pytest.raises(DataError, match=r"\(an address: download it first"):
            mdnb.load(folder / "a.xtc", top=address)

    @pytest.mark.parametrize("kind", [str, lambda path: path])
    def test_a_pattern_that_matches_nothing(self, pdb, tmp_path, kind):
        with pytest.raises(DataError, match=r"no file matches '.*run-\*\.xtc' in "):
            mdnb.load(kind(tmp_path / "run-*.xtc"), top=pdb)

    @pytest.mark.parametrize("nothing", [[], None, 5])
    def test_no_files(self, pdb, nothing):
        with pytest.raises(DataError, match=r"path, a pattern such as 'runs/\*\.xtc', or a list of them"):
            mdnb.load(nothing, top=pdb)

    def test_something_else(self, alanine):
        with pytest.raises(DataError, match=r"got 'Trajectories' as a trajectory, expected a path, an mdtraj"):
            mdnb.load(alanine)

    def test_a_folder(self, folder, pdb):
        with pytest.raises(DataError, match=r"is a folder; give its files"):
            mdnb.load(folder, top=pdb)

    @pytest.mark.parametrize(("names", "pattern"), [(["a.dcd", "a.pdb"], "*.dcd"), (["a.pdb"], "*.pdb"), ([], "*.xtc")])
    def test_a_folder_names_what_is_in_it(self, tmp_path, names, pattern):
        for name in names:
            (tmp_path / name).touch()
        with pytest.raises(DataError, match=re.escape(f"{tmp_path}/{pattern}'")):
            mdnb.load(tmp_path)

    def test_unknown_suffix(self, pdb, tmp_path):
        (tmp_path / "a.xtx").write_bytes(b"something")
        with pytest.raises(SpecError, match=r"unknown trajectory format '\.xtx': did you mean '\.xtc'\?"):
            mdnb.load(tmp_path / "a.xtx", top=pdb)

    @pytest.mark.parametrize("suffix", [suffix for suffix in SUFFIXES if suffix != ".ent"])
    def test_empty_file(self, pdb, tmp_path, suffix):
        (tmp_path / f"a{suffix}").touch()
        with pytest.raises(DataError, match=rf"a\{suffix} is empty \(0 bytes\); was it copied completely\?"):
            mdnb.load(tmp_path / f"a{suffix}", top=pdb)

    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_wrong_suffix(self, folder, pdb, tmp_path, suffix):
        source = folder / ("a.xtc" if suffix != ".xtc" else "a.dcd")
        (tmp_path / f"a{suffix}").write_bytes(source.read_bytes())
        said = r"does not start|is it one\?|is the file complete\?|damaged"
        with pytest.raises(DataError, match=rf"a\{suffix}.*({said})"):
            mdnb.load(tmp_path / f"a{suffix}", top=pdb)

    def test_another_number_of_atoms(self, folder, chignolin):
        for suffix in ("xtc", "trr", "dcd", "npz"):
            said = (
                rf"a\.{suffix}: it has 22 atoms, its topology has 166; give the topology of the atoms that were written"
            )
            with pytest.raises(DataError, match=said):
                mdnb.load(folder / f"a.{suffix}", top=chignolin.topology)

    def test_no_topology(self, folder):
        with pytest.raises(DataError, match=r"a\.xtc holds no topology; give top='system\.pdb'"):
            mdnb.load(folder / "a.xtc")

    @pytest.mark.parametrize("suffix", ["pdb", "gro", "psf", "prmtop", "cif", "tpr", "data"])
    @pytest.mark.parametrize("content", [b"hello\nworld\n", bytes(range(256))])
    def test_topology_that_is_none(self, folder, tmp_path, suffix, content):
        (tmp_path / f"top.{suffix}").write_bytes(content)
        with pytest.raises(DataError, match=rf"top\.{suffix} cannot be read as a topology: .*; expected PDB, GRO"):
            mdnb.load(folder / "a.xtc", top=tmp_path / f"top.{suffix}")

    def test_empty_selection(self, folder, pdb):
        for selection in ("name ZZ", []):
            with pytest.raises(DataError, match=r"holds none of the 22 atoms, whose residues are ACE, ALA, NME$"):
                mdnb.load(folder / "a.xtc", top=pdb, selection=selection)

    @pytest.mark.parametrize("selection", ["name CA and", "resid 1-3 :CA", "garbage", "", "(name CA"])
    def test_selection_in_another_language(self, folder, pdb, selection):
        with pytest.raises(DataError, match=r"is not in mdtraj's language .* try 'protein', 'name CA' or"):
            mdnb.load(folder / "a.xtc", top=pdb, selection=selection)

    @pytest.mark.parametrize("selection", [[0, 22], [-1], [0.5], np.ones(21, bool), np.ones((22, 1), bool), None])
    def test_selection_by_wrong_numbers(self, folder, pdb, selection):
        with pytest.raises(DataError, match="the selection must hold atom indices from 0 to 21"):
            mdnb.load(folder / "a.xtc", top=pdb, selection=selection)

    def test_selection_twice(self, folder, pdb):
        with pytest.raises(DataError, match="the selection names an atom twice"):
            mdnb.load(folder / "a.xtc", top=pdb, selection=[1, 2, 1])

    @pytest.mark.parametrize("stride", [0, -1, 1.0, True, "2"])
    def test_stride(self, folder, pdb, stride):
        with pytest.raises(DataError, match=r"stride = .*: expected a whole number of at least 1"):
            mdnb.load(folder / "a.xtc", top=pdb, stride=stride)

    def test_selection_by_a_mask(self, folder, pdb):
        mask = np.arange(22) % 3 == 0
        chosen = mdnb.load(folder / "a.xtc", top=pdb, selection=mask)
        assert np.array_equal(chosen.frames([4]).xyz, mdnb.load(folder / "a.xtc", top=pdb).frames([4]).xyz[:, mask])
        with pytest.raises(DataError, match="holds none of the 22 atoms"):
            mdnb.load(folder / "a.xtc", top=pdb, selection=np.zeros(22, bool))

    @pytest.mark.parametrize("top", [5, [1], True])
    def test_topology_of_another_kind(self, folder, top):
        with pytest.raises(DataError, match=r"got top = .*, expected the path of a PDB file"):
            mdnb.load(folder / "a.xtc", top=top)

    @pytest.mark.parametrize("time_step", [0, -1.0, float("nan"), float("inf"), "1", True, [1.0]])
    def test_time_step(self, folder, pdb, time_step):
        with pytest.raises(DataError, match=r"time_step = .*: expected the time between frames in ps, above 0"):
            mdnb.load(folder / "a.xtc", top=pdb, time_step=time_step)

    def test_chunk_size(self, alanine):
        for size in (0, -1):
            with pytest.raises(DataError, match=rf"got chunks of {size} frames, expected at least 1"):
                list(alanine.chunks(size))

    @pytest.mark.parametrize("what", ["velocities", "forces"])
    def test_missing_velocities_and_forces(self, folder, pdb, what):
        with pytest.raises(DataError, match=rf"a\.xtc has no {what}; write them to TRR, .* or leave {what} out"):
            next(mdnb.load(folder / "a.xtc", top=pdb).chunks(**{what: True}))

    def test_frames(self, alanine):
        for wrong in (6000, -6001):
            with pytest.raises(DataError, match=rf"frame {wrong} does not exist; there are 6,?000 \(0 to 5,?999\)"):
                alanine.frames([5, wrong])
        for wrong in ([], [0.5], slice(10, 5), np.ones(6000, bool)):
            with pytest.raises(DataError, match="expected at least one whole number"):
                alanine.frames(wrong)
        with pytest.raises(DataError, match="holds none of the 2 trajectories"):
            alanine[2:]


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("what", ["positions", "velocities", "forces"])
def test_not_finite(sample, pdb, tmp_path, what, value):
    broken = {name: getattr(sample, name).copy() for name in ("positions", "velocities", "forces", "time")}
    broken[what][17, 3, 1] = value
    np.savez(tmp_path / "a.npz", **broken)
    loaded = mdnb.load(tmp_path / "a.npz", top=pdb)
    with pytest.raises(DataError, match=rf"a\.npz: {what} of frame 17 hold NaN or infinite numbers: the simulation"):
        list(loaded.chunks(4, velocities=True, forces=True))
    list(mdnb.load(tmp_path / "a.npz", top=pdb, stride=2).chunks(4, velocities=True, forces=True))  # 17 is left out
    if what == "positions":
        with pytest.raises(DataError, match="positions of frame 17 hold NaN"):
            mdnb.featurize(loaded, "torsions")


def test_not_finite_in_a_binary_format(sample, pdb, tmp_path):
    positions = sample.positions.copy()
    positions[4, 0, 0] = np.nan
    broken = dataclasses.replace(sample, positions=positions)
    for suffix, write in (("trr", write_trr), ("dcd", write_dcd)):
        write(tmp_path / f"a.{suffix}", broken)
        with pytest.raises(DataError, match="positions of frame 4 hold NaN"):
            list(mdnb.load(tmp_path / f"a.{suffix}", top=pdb).chunks())


# --- cut and damaged files ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["xtc", "trr"])
def test_truncated_anywhere(folder, pdb, tmp_path, suffix):
    """Every cut that is not between two frames is refused, and the whole frames before it can be had."""
    whole = (folder / f"a.{suffix}").read_bytes()
    reference = mdnb.load(folder / f"a.{suffix}", top=pdb)
    positions = reference.frames(slice(None)).xyz
    path, cuts = tmp_path / f"a.{suffix}", np.unique(np.linspace(1, len(whole) - 1, 60, dtype=int))
    n_refused = 0
    for cut in cuts:
        path.write_bytes(whole[:cut])
        try:
            rest = mdnb.load(path, top=pdb)
        except DataError as error:
            said = re.search(
                rf"a\.{suffix}: it is truncated: .* (\d+) whole frames with allow_truncated=True", str(error)
            )
            n_whole = int(said[1])
            n_refused += 1
            if n_whole == 0:
                with pytest.raises(DataError, match="it holds no whole frame"):
                    mdnb.load(path, top=pdb, allow_truncated=True)
                continue
            rest = mdnb.load(path, top=pdb, allow_truncated=True)
            assert rest.n_frames == n_whole
            assert "truncated" in repr(rest)
        assert np.array_equal(rest.frames(slice(None)).xyz, positions[: rest.n_frames])
    assert n_refused >= len(cuts) - 2


def test_truncated_dcd(folder, pdb, tmp_path):
    whole, path = (folder / "a.dcd").read_bytes(), tmp_path / "a.dcd"
    for cut in (len(whole) - 1, len(whole) // 2):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match=r"it is truncated: its header claims 30 frames, \d+ are whole"):
            mdnb.load(path, top=pdb)
        rest = mdnb.load(path, top=pdb, allow_truncated=True)
        expected = mdnb.load(folder / "a.dcd", top=pdb).frames(slice(0, rest.n_frames)).xyz
        assert np.array_equal(rest.frames(slice(None)).xyz, expected)
    for cut in (3, 50, 200):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match=r"a\.dcd.*(is it one|is the file complete)\?"):
            mdnb.load(path, top=pdb)


@pytest.mark.parametrize("cut", [3, 10, 300, 5000, -1])
@pytest.mark.parametrize("suffix", ["npz", "h5md"])
def test_truncated_containers(sample, pdb, tmp_path, suffix, cut):
    WRITERS[suffix](tmp_path / f"whole.{suffix}", sample)
    path = tmp_path / f"a.{suffix}"
    path.write_bytes((tmp_path / f"whole.{suffix}").read_bytes()[:cut])
    with pytest.raises(DataError, match=rf"a\.{suffix} cannot be read as \.{suffix}: .*is the file complete\?"):
        mdnb.load(path, top=pdb)


def test_truncated_netcdf(sample, pdb, tmp_path):
    """Also while AMBER writes it: the number of frames in the header, or -1, is no longer that of the whole ones."""
    WRITERS["nc"](tmp_path / "whole.nc", sample)
    whole, path = (tmp_path / "whole.nc").read_bytes(), tmp_path / "a.nc"
    reference = mdnb.load(tmp_path / "whole.nc", top=pdb).frames(slice(None)).xyz
    for cut in (3, 10, 300):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match=r"a\.nc cannot be read as \.nc: .*is the file complete\?"):
            mdnb.load(path, top=pdb)
    for cut, claims in ((5000, 30), (len(whole) // 2, 30), (len(whole) - 1, 30), (len(whole) // 2, -1)):
        path.write_bytes(whole[:4] + claims.to_bytes(4, "big", signed=True) + whole[8:cut])
        if claims > 0:
            with pytest.raises(DataError, match=r"truncated: its header claims 30 frames, \d+ are whole"):
                mdnb.load(path, top=pdb)
        rest = mdnb.load(path, top=pdb, allow_truncated=True)
        assert 0 < rest.n_frames < 30
        assert np.array_equal(rest.frames(slice(None)).xyz, reference[: rest.n_frames])


def test_hdf5_that_is_being_written(sample, pdb, tmp_path):
    WRITERS["h5md"](tmp_path / "a.h5md", sample)
    code = "import h5py, sys; f = h5py.File(sys.argv[1], 'a'); print('open', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(tmp_path / "a.h5md")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b"open\n"
        with pytest.raises(DataError, match=r"a\.h5md is locked by a program that writes it; wait until"):
            mdnb.load(tmp_path / "a.h5md", top=pdb)
        writer.stdin.close()
        writer.wait()
    assert mdnb.load(tmp_path / "a.h5md", top=pdb).n_frames == 30


def test_damaged_middle(folder, pdb, tmp_path):
    for suffix in ("xtc", "trr"):
        content = bytearray((folder / f"a.{suffix}").read_bytes())
        middle = content.index(content[:8], len(content) // 2)  # the mark and the number of atoms of a frame
        content[middle : middle + 4] = b"\0\0\0\0"
        (tmp_path / f"a.{suffix}").write_bytes(content)
        with pytest.raises(DataError, match=r"does not start .*; the file is damaged"):
            mdnb.load(tmp_path / f"a.{suffix}", top=pdb)


FUZZ = """
import sys, numpy as np, mdnb
from pathlib import Path
source, top, work, seed = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
content, random = source.read_bytes(), np.random.default_rng(seed)
refused = 0
for number in range(300):
    damaged = bytearray(content)
    start = content.index(content[:8], random.integers(0, len(content) - 2000))  # of a frame
    width = 100 if number % 3 else 400  # its header, or what it holds too
    for at in start + random.integers(0, width, random.integers(1, 4)):
        damaged[at] = random.choice([0, 1, 0x7F, 0x80, 0xFF, int(random.integers(256))])
    work.write_bytes(damaged)
    print(number, flush=True)
    try:
        loaded = mdnb.load(work, top=top)
        n_frames = sum(len(chunk.positions) for chunk in loaded.chunks(7))
        assert n_frames == loaded.n_frames
    except mdnb.errors.DataError:
        refused += 1
print("refused", refused)
"""


@pytest.mark.parametrize("suffix", ["xtc", "trr"])
def test_damaged_files_neither_crash_nor_hang(folder, pdb, tmp_path, suffix):
    """In a process of its own, since what is held here is that it survives."""
    arguments = [str(folder / f"a.{suffix}"), str(pdb), str(tmp_path / f"a.{suffix}"), "7"]
    command = [sys.executable, "-W", "ignore", "-c", FUZZ, *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert answer.returncode == 0, (answer.returncode, answer.stdout[-50:], answer.stderr[-2000:])
    assert int(answer.stdout.split()[-1]) > 50


# --- files made to mislead ------------------------------------------------------------------------------------------


def test_hdf5_does_not_lead_to_other_files(sample, pdb, tmp_path):
    WRITERS["h5md"](tmp_path / "other.h5md", sample)
    for name, link in (("a.h5md", "particles"), ("b.h5", "coordinates")):
        with h5py.File(tmp_path / name, "w") as file:
            file[link] = h5py.ExternalLink("other.h5md", "particles")
        with pytest.raises(DataError, match=f"'{link}' is not in the file but a link to another one"):
            mdnb.load(tmp_path / name, top=pdb)
    (tmp_path / "raw").write_bytes(bytes(12 * 22))
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file.create_dataset("coordinates", (1, 22, 3), "f4", external=[(str(tmp_path / "raw"), 0, 12 * 22)])
    with pytest.raises(DataError, match="'coordinates' is not in the file"):
        mdnb.load(tmp_path / "c.h5", top=pdb)


@pytest.mark.parametrize("shape", [(10**13, 22, 3), (30, 22), (30, 22, 2), ()])
def test_hdf5_positions_that_cannot_be(pdb, tmp_path, shape):
    for name, dataset in (("a.h5", "coordinates"), ("a.h5md", "particles/all/position/value")):
        with h5py.File(tmp_path / name, "w") as file:
            file.create_dataset(dataset, shape, "f4", chunks=(1, 22, 3) if shape[:1] == (10**13,) else None)
        with pytest.raises(DataError, match=rf"{re.escape(name)}: it(s positions have the shape| claims 10,000,000,0)"):
            mdnb.load(tmp_path / name, top=pdb)


def test_hdf5_of_groups_where_arrays_are_due(pdb, tmp_path):
    for name, group in (("a.h5", "coordinates"), ("a.h5md", "particles/all/position/value")):
        with h5py.File(tmp_path / name, "w") as file:
            file.create_group(group)
        with pytest.raises(DataError, match=rf"{re.escape(name)} cannot be read as"):
            mdnb.load(tmp_path / name, top=pdb)


@pytest.mark.parametrize("text", ["{", "[]", '{"chains": 3}', "[" * 100_000])
def test_hdf5_with_a_damaged_topology(sample, tmp_path, text):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["coordinates"] = sample.positions
        file["topology"] = np.array([text.encode()], dtype=object if len(text) > 99 else None)
    with pytest.raises(DataError, match=r"a\.h5: its topology cannot be read"):
        mdnb.load(tmp_path / "a.h5")


@pytest.mark.parametrize(
    ("name", "shape", "kind"),
    [
        ("velocities", (30, 21, 3), "f4"),
        ("forces", (30, 22, 2), "f4"),
        ("time", (30, 2), "f4"),
        ("time", (29,), "f4"),
        ("time", (), "f4"),
        ("energies", (30,), "f4"),
        ("positions", (30, 66), "f4"),
        ("velocities", (30, 22, 3), "U3"),
        ("time", (30,), "c8"),
    ],
)
def test_npz_of_arrays_that_do_not_fit(sample, pdb, tmp_path, name, shape, kind):
    arrays = {"positions": sample.positions, name: np.zeros(shape, kind)}
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=r"a\.npz: (its positions have|.* has the shape|time has 29 frames)"):
        mdnb.load(tmp_path / "a.npz", top=pdb)


def test_npz_larger_than_memory(sample, pdb, tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "a.npz", positions=np.zeros((3000, 22, 3), np.float32))
    monkeypatch.setattr("mdnb.formats.arrays._memory", lambda: 700_000.0)
    with pytest.raises(DataError, match=r"its arrays take 0\.0 GB, and 0\.0 GB of memory are there: convert it"):
        mdnb.load(tmp_path / "a.npz", top=pdb)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (10**12, 22, 3)})
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("positions.npy", header.getvalue())
    with pytest.raises(DataError, match=r"claims the shape .*, which it does not hold"):
        mdnb.load(tmp_path / "b.npz", top=pdb)

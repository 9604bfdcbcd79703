"""Health: each fault is made in a real file, found in the right frames, and the advice says what to do."""

import hashlib
import re

import numpy as np
import pytest
from MDAnalysis.lib.formats.libmdaxdr import TRRFile, XTCFile

import mdnb
from mdnb.errors import DataError
from mdnb.health import Health
from mdnb.health.findings import frame_ranges


@pytest.fixture(scope="module")
def peptide(chignolin):
    """Sixty frames in a box of 4 nm, whole."""
    frames = chignolin[0].frames(range(60))
    frames.xyz += 2 - frames.xyz.mean((0, 1))
    frames.unitcell_vectors = np.tile(4 * np.eye(3, dtype=np.float32), (60, 1, 1))
    frames.time = np.arange(60.0)
    return frames


@pytest.fixture
def write(peptide, tmp_path):
    """Write a trajectory in a format and open it."""
    peptide[0].save_pdb(str(tmp_path / "top.pdb"))

    def writer(name, xyz=None, time=None, box=None, **options):
        xyz = peptide.xyz if xyz is None else xyz.astype(np.float32)
        time = np.arange(float(len(xyz))) if time is None else np.asarray(time, float)
        box = np.tile(4 * np.eye(3, dtype=np.float32), (len(xyz), 1, 1)) if box is None else box
        path = tmp_path / name
        with (XTCFile if name.endswith("xtc") else TRRFile)(str(path), "w") as file:
            for number in range(len(xyz)):
                if name.endswith("xtc"):
                    file.write(xyz[number], box[number], number, time[number], 1000.0)
                else:
                    file.write(xyz[number], xyz[number], xyz[number], box[number], number, time[number], 0.0, 166)
        return mdnb.load(path, top=tmp_path / "top.pdb", **options)

    return writer


def kinds(health):
    return [found.kind for found in health.findings]


def only(health, kind):
    (found,) = [one for one in health.findings if one.kind == kind]
    return found


@pytest.mark.parametrize("suffix", ["xtc", "trr"])
def test_a_healthy_file(write, tmp_path, suffix):
    opened = write(f"a.{suffix}")
    health = opened.health()
    assert isinstance(health, Health)
    assert health.ok
    assert health.findings == ()
    digest = hashlib.sha256((tmp_path / f"a.{suffix}").read_bytes()).hexdigest()
    assert health.sha256 == {"a": digest}
    assert health.n_frames == {"a": 60}
    assert repr(health) == "Health: 1 trajectory, 60 frames: nothing found\n  a (60 frames) ok: nothing found"
    assert opened.health(sha256=False).sha256 == {}


def test_the_packaged_examples_are_healthy(alanine, chignolin):
    for example in (alanine, chignolin):
        assert example.health(sha256=False).findings == ()


def test_frames_that_hold_no_numbers(write, peptide):
    xyz = peptide.xyz.copy()
    xyz[7, 3] = np.nan
    xyz[20:23, 100, 1] = np.inf
    xyz[40, 5] = 3e6
    opened = write("a.trr", xyz)
    health = opened.health()
    found = only(health, "not-finite")
    assert found.frames == (7, 20, 21, 22)
    assert found.what == "frames 7, 20 to 22 (4 in all) hold NaN or infinite coordinates"
    assert "gmx trjconv -b/-e" in found.advice
    assert only(health, "far-away").frames == (40,)
    assert not health.ok
    with pytest.raises(DataError, match="positions of frame 7 hold NaN or infinite numbers"):
        mdnb.featurize(opened, "rmsd")


def test_a_tail_that_is_cut_off(write, tmp_path):
    write("a.xtc")
    path = tmp_path / "a.xtc"
    path.write_bytes(path.read_bytes()[:-50])
    opened = mdnb.load(path, top=tmp_path / "top.pdb", allow_truncated=True)
    found = only(opened.health(), "truncated")
    assert re.match(r"truncated: \d+ bytes are left of a frame after 59 whole frames", found.what)
    assert "read the 59 whole frames with allow_truncated=True" in found.advice
    assert "truncated: " in repr(opened)


def test_times_that_go_back_and_leave_gaps(write):
    restart = write("a.xtc", time=[*range(40), *range(30, 50)])
    found = only(restart.health(), "time-order")
    assert found.frames == tuple(range(40, 50))
    assert "frames 40 to 49 repeat or go back behind earlier times (39 ps, then 30)" in found.what
    assert "gmx trjcat" in found.advice
    assert "time does not grow" in repr(restart)
    assert "time does not grow" in restart._repr_html_()
    gap = write("b.xtc", time=[*range(30), *range(35, 65)])
    found = only(gap.health(), "time-gaps")
    assert (found.severity, found.frames) == ("warning", (30,))
    assert "1 ps as a rule, 6 ps before frame 30 (1 such step): frames are missing" in found.what
    assert "frames are missing" in repr(gap)
    uneven = only(write("d.xtc", time=np.cumsum([1.0, 1, 0.5] * 20)).health(), "time-gaps")
    assert uneven.what.endswith("0.5 ps before frame 2 (20 such steps)")
    none = only(write("e.xtc", time=np.zeros(60)).health(), "time-order")
    assert (none.severity, none.what) == ("warning", "all frames have the time 0 ps: the times are not known")
    same = only(write("c.xtc", time=[0, 1, 1, *range(2, 59)]).health(), "time-order")
    assert same.frames == (2,)


def test_frames_appended_twice_are_found_by_content(write, peptide):
    """Whatever their times say."""
    xyz = peptide.xyz.copy()
    xyz[40:50] = xyz[30:40]
    found = only(write("a.xtc", xyz).health(), "duplicates")
    assert found.frames == tuple(range(40, 50))
    assert found.what == "frames 40 to 49 repeat earlier frames exactly"


def test_molecules_cut_by_the_box(write, peptide):
    xyz = peptide.xyz.copy()
    xyz[10:] = (xyz[10:] + 2) % 4
    health = write("a.xtc", xyz).health()
    found = only(health, "cut-molecules")
    assert kinds(health) == ["cut-molecules"]
    assert (found.severity, health.ok) == ("note", True)
    assert min(found.frames) >= 10
    assert len(found.frames) >= 45
    assert "make_whole=True" in found.advice


def test_silent_damage_is_seen_by_its_bonds(write, tmp_path):
    """Bytes in the middle of frames are changed; XTC has no checksum, so other readers return what comes out."""
    write("a.xtc")
    path = tmp_path / "a.xtc"
    intact = path.read_bytes()
    random = np.random.default_rng(0)
    seen = silent = 0
    for _ in range(60):
        data = bytearray(intact)
        place = int(random.integers(3000, len(data) - 100))
        data[place] ^= 1 << int(random.integers(8))
        path.write_bytes(data)
        try:
            opened = mdnb.load(path, top=tmp_path / "top.pdb", allow_truncated=True)
        except DataError:
            continue
        health = opened.health()
        shift = np.abs(shifted(path, tmp_path / "top.pdb", intact) or 0.0)
        if shift > 0.2:  # nm
            silent += 1
            seen += not health.ok
    assert silent > 10
    assert seen > 0.9 * silent


def shifted(path, top, intact):
    """Return how far atoms of a damaged file lie from the intact ones, as mdnb reads them; None if it refuses."""
    other = path.with_name("intact.xtc")
    other.write_bytes(intact)
    try:
        pair = [mdnb.load(one, top=top, make_whole=False, allow_truncated=True) for one in (path, other)]
        n_frames = min(one.n_frames for one in pair)
        return float(np.abs(pair[0].frames(range(n_frames)).xyz - pair[1].frames(range(n_frames)).xyz).max())
    except DataError:
        return None


def test_the_topology_of_another_molecule(write, peptide, tmp_path):
    assert write("a.xtc").health().ok
    found = only(write("b.xtc", peptide.xyz[:, ::-1]).health(), "bonds")
    assert len(found.frames) == 60
    assert re.match(r"implausible bond lengths in frames 0 to 59: \S+ to \S+ is [\d.]+ nm in frame 0", found.what)
    assert "the topology is that of another system, or its atoms stand in another order" in found.advice


def test_a_box_of_zeros(write, peptide):
    box = np.tile(4 * np.eye(3, dtype=np.float32), (60, 1, 1))
    box[5:8] = 0
    found = only(write("a.xtc", box=box).health(), "no-box")
    assert found.frames == (5, 6, 7)
    assert "the box is zero" in found.what


def test_atoms_that_never_move(write, peptide):
    xyz = peptide.xyz.copy()
    xyz[:, 10:13] = xyz[0, 10:13]
    health = write("a.trr", xyz).health()
    found = only(health, "frozen")
    assert found.what == "3 of 166 atoms never move (first: atom 10)"
    assert found.severity == "note"


def test_frames_that_cannot_be_decoded_do_not_end_the_check(write, tmp_path):
    opened = write("a.xtc")
    starts = opened._files[0]._starts
    data = bytearray((tmp_path / "a.xtc").read_bytes())
    data[starts[17] + 84 : starts[17] + 88] = (200).to_bytes(4, "big")  # the index of a table of 73
    (tmp_path / "a.xtc").write_bytes(data)
    health = mdnb.load(tmp_path / "a.xtc", top=tmp_path / "top.pdb").health()
    found = only(health, "unreadable")
    assert found.frames == (17,)
    assert found.what.startswith("frame 17 cannot be read")
    assert health.n_frames == {"a": 59}


def test_frames_shared_by_files_and_copies(write, peptide, tmp_path):
    """They would stand on both sides of a split."""
    write("a.xtc")
    write("b.xtc", peptide.xyz[55:] * 1.0, time=range(55, 60))
    (tmp_path / "c.xtc").write_bytes((tmp_path / "a.xtc").read_bytes())
    opened = mdnb.load([tmp_path / f"{name}.xtc" for name in "abc"], top=tmp_path / "top.pdb")
    health = opened.health()
    found = only(health, "shared-frames")
    assert (found.file, found.frames, found.what) == ("b", (0, 1, 2, 3, 4), "frames 0 to 4 are also in a")
    assert only(health, "same-file").what == "it is the same file, byte for byte, as a"
    threads = opened.health(n_jobs=3)
    assert threads == health
    for wrong in (0, 2.5, True):
        with pytest.raises(DataError, match="expected a whole number of threads of at least 1"):
            opened.health(n_jobs=wrong)


def test_a_selection_and_a_stride_do_not_hide_anything(write, peptide):
    xyz = peptide.xyz.copy()
    xyz[7, 3] = np.nan
    opened = write("a.trr", xyz, selection="name CA", stride=5)
    assert only(opened.health(), "not-finite").frames == (7,)


def test_frames_in_memory(peptide):
    health = mdnb.load(peptide).health()
    assert (health.findings, dict(health.sha256)) == ((), {})


def test_text_of_files_is_escaped(write, tmp_path):
    write("a.xtc")
    path = tmp_path / "<b>x.xtc"
    path.write_bytes((tmp_path / "a.xtc").read_bytes()[:-50])
    html = mdnb.load(path, top=tmp_path / "top.pdb", allow_truncated=True).health()._repr_html_()
    assert "&lt;b&gt;x" in html
    assert "<b>x" not in html


def test_ranges_of_frames():
    assert frame_ranges([4]) == "frame 4"
    assert frame_ranges([4, 5, 6]) == "frames 4 to 6"
    assert frame_ranges([9, 1, 2, 5]) == "frames 1 to 2, 5, 9 (4 in all)"
    assert frame_ranges(range(0, 40, 2)) == "frames 0, 2, 4, 6, 8, 10, ... (20 in all)"


@pytest.mark.parametrize("name", ["trajectory-0.dcd", "trajectory-5.dcd"])
def test_health_of_foreign_files(extra_data, name):
    folder = extra_data / "ala2_msmb_data"
    opened = mdnb.load(folder / name, top=folder / "ala2.pdb")
    health = opened.health()
    assert "bonds" not in kinds(health)
    assert "not-finite" not in kinds(health)


def test_a_bit_of_the_box_that_flipped_does_not_end_the_check(write):
    """A vector of it is 6e-39 nm long: a box that is none."""
    box = np.tile(np.array([[4, 0, 0], [1, 4, 0], [-1, 1, 4]], np.float32), (60, 1, 1))
    box[20, 0] = 6e-39, 0, 0
    opened = write("a.xtc", box=box)
    assert isinstance(opened.health(), Health)
    assert np.isfinite(mdnb.featurize(write("a.xtc", box=box, make_whole=False), "ca-distances").values).all()

"""Loading: what is opened, what is refused and with which sentence, and which frames come out."""

import os
import shutil

import h5py
import mdtraj
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from writers import write_npz, write_xtc

import mdnb
from mdnb.errors import DataError, MdnbError, SpecError

# --- what comes out -------------------------------------------------------------------------------------------------


def test_pattern_in_natural_order(sample, pdb, tmp_path):
    for number in (10, 2, 1):
        write_xtc(tmp_path / f"run-{number}.xtc", sample)
    loaded = mdnb.load(str(tmp_path / "run-*.xtc"), top=pdb)
    assert loaded.names == ("run-1", "run-2", "run-10")
    assert (len(loaded), loaded.n_frames, loaded.lengths) == (3, 90, (30, 30, 30))


def test_names_tell_files_apart(sample, pdb, tmp_path):
    paths = [tmp_path / name / "traj.xtc" for name in ("a", "b")]
    for path in paths:
        path.parent.mkdir()
        write_xtc(path, sample)
    names = mdnb.load(paths, top=pdb).names
    assert [name.replace("\\", "/") for name in names] == ["a/traj", "b/traj"]
    in_memory = mdnb.load([mdnb.example().frames([0, 1])] * 2)
    assert len(set(in_memory.names)) == 2


def test_formats_can_be_mixed(folder, pdb):
    loaded = mdnb.load([folder / "a.dcd", folder / "a.trr"], top=pdb)
    assert loaded.time_step == pytest.approx(200)  # of the first file that says it
    assert not loaded.has_velocities
    assert loaded[1].has_velocities
    assert loaded[-1].names == ("a",)


def test_uneven_frames_have_no_time_step(alanine):
    frames = alanine.frames([0, 1, 2, 500])
    assert np.isnan(mdnb.load(frames).time_step)
    assert mdnb.load(frames[:3]).time_step == 2.0
    assert mdnb.load(frames, time_step=2.0).time_step == 2.0


def test_memory(alanine, chunk):
    frames = alanine.frames(range(20))
    loaded = mdnb.load([frames, frames[:5]])
    assert (len(loaded), loaded.lengths) == (2, (20, 5))
    assert np.array_equal(next(loaded.chunks()).positions, chunk.positions[:20])


def test_selection_keeps_names_and_bonds(folder, pdb, sample):
    loaded = mdnb.load(folder / "a.trr", top=pdb, selection="element != H")
    assert [str(atom) for atom in loaded.topology.atoms] == [
        str(atom) for atom in sample.topology.atoms if atom.element.symbol != "H"
    ]
    assert loaded.topology.n_bonds == 9
    heavy = sample.topology.select("element != H")
    part = next(loaded.chunks(velocities=True, forces=True))
    assert np.array_equal(part.forces, sample.forces[:, heavy])
    # Indices are brought into the order of the file, as mdtraj does, so that atoms and numbers agree.
    assert mdnb.load(folder / "a.trr", top=pdb, selection=[8, 4]).topology.atom(0).name == sample.topology.atom(4).name


@settings(max_examples=30, deadline=None)
@given(indices=st.lists(st.integers(-6000, 5999), min_size=1, max_size=12))
def test_frames_in_the_order_asked(alanine, whole, indices):
    frames = alanine.frames(indices)
    assert isinstance(frames, mdtraj.Trajectory)
    assert np.array_equal(frames.xyz, whole[indices])
    assert np.array_equal(frames.time, [(index % 6000 % 3000 + 1) * 2.0 for index in indices])


@pytest.fixture(scope="module")
def whole(alanine):
    return np.concatenate([part.positions for part in alanine.chunks()])


def test_frames_take_numbers_and_slices(alanine, whole):
    assert np.array_equal(alanine.frames(3001).xyz[0], whole[3001])
    assert np.array_equal(alanine.frames(slice(2998, 3003)).xyz, whole[2998:3003])
    assert alanine.frames(0).unitcell_vectors is None


@settings(max_examples=20, deadline=None)
@given(size=st.integers(1, 40), stride=st.integers(1, 35))
def test_chunks_never_span_trajectories(folder, pdb, size, stride):
    thinned = mdnb.load([folder / "a.xtc", folder / "a.trr", folder / "a.dcd"], top=pdb, stride=stride)
    seen = 0
    for part in thinned.chunks(size):
        assert part.start == seen
        seen += len(part.positions)
        borders = np.concatenate([[0], np.cumsum(thinned.lengths)])
        assert borders[part.trajectory] <= part.start < seen <= borders[part.trajectory + 1]
    assert seen == thinned.n_frames


@settings(max_examples=30, deadline=None)
@given(
    start=st.none() | st.integers(-35, 35),
    stop=st.none() | st.integers(-35, 35),
    stride=st.integers(1, 12),
    size=st.integers(1, 40),
)
def test_a_range_of_frames_is_that_of_a_slice(folder, pdb, start, stop, stride, size):
    files = [folder / f"a.{suffix}" for suffix in ("xtc", "trr", "dcd", "npz")]
    span = slice(start, stop, stride)
    wanted = range(30)[span]
    if not wanted:
        with pytest.raises(DataError, match=r"none of its 30 frames \(0 to 29\) lies from start"):
            mdnb.load(files, top=pdb, start=start, stop=stop, stride=stride)
        return
    some = mdnb.load(files, top=pdb, start=start, stop=stop, stride=stride)
    assert some.lengths == (len(wanted),) * 4
    whole = mdnb.load(files, top=pdb)
    numbers = np.concatenate([np.arange(30)[span] + 30 * file for file in range(4)])
    asked = whole.frames(numbers)
    parts = list(some.chunks(size))
    np.testing.assert_array_equal(np.concatenate([part.positions for part in parts]), asked.xyz)
    np.testing.assert_array_equal(np.concatenate([part.time for part in parts]), asked.time)
    np.testing.assert_array_equal(some[2].frames([-1]).xyz[0], whole[2].frames([wanted[-1]]).xyz[0])


def test_a_range_of_frames_is_told(alanine, folder, pdb):
    some = mdnb.load(folder / "a.dcd", top=pdb, start=-20, stop=25, stride=3, time_step=2.0)
    assert [part.time.tolist() for part in some.chunks()] == [[20.0, 26.0, 32.0, 38.0, 44.0]]
    again = eval(some.code)  # noqa: S307 - the code shown to the user is what is tested
    assert (again.lengths, again.recipe()) == (some.lengths, some.recipe())
    assert some.recipe()["first"] == [10]
    assert "first" not in mdnb.load(folder / "a.dcd", top=pdb, start=0).recipe()
    with pytest.raises(DataError, match=r"start = 1\.5: expected the number of a frame, or None"):
        mdnb.load(folder / "a.dcd", top=pdb, start=1.5)
    energies = alanine.observable("potential_energy")
    path = alanine[0].recipe()["files"][0]
    np.testing.assert_array_equal(
        mdnb.load(path, alanine.topology, start=100, stop=200, stride=7).observable("potential_energy"),
        energies[100:200:7],
    )


def test_table(alanine, folder, pdb, tmp_path):
    text = repr(alanine)
    assert "2 trajectories, 6,000 frames, 22 atoms, 2 ps between frames" in text
    assert "alanine-dipeptide-500K-0   3,000   6  positions, velocities, forces" in text
    assert "time step unknown" in repr(mdnb.load(folder / "a.dcd", top=pdb))
    html = alanine._repr_html_()
    assert html.count("<tr>") == 3
    evil = tmp_path / "<script>alert(1)<.xtc"
    evil.write_bytes((folder / "a.xtc").read_bytes())
    html = mdnb.load(evil, top=pdb)._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)&lt;" in html


def test_a_file_name_that_is_no_utf8_can_be_shown(folder, pdb, tmp_path):
    name = os.fsdecode(bytes(tmp_path) + b"/a\xffb.xtc")
    try:
        shutil.copy(folder / "a.xtc", name)
    except OSError as error:  # macOS takes UTF-8 only
        pytest.skip(f"this file system has no such names: {error}")
    opened = mdnb.load(name, top=pdb)
    for shown in (opened, opened.health()):
        assert "a?b" in repr(shown).encode().decode()
        assert "a?b" in shown._repr_html_().encode().decode()


def test_long_tables_are_cut(alanine):
    many = mdnb.load([alanine.frames([0])] * 60)
    assert "... and 40 more" in repr(many)
    assert "... and 10 more" in many._repr_html_()


def test_errors_are_one_family(tmp_path):
    for error in (DataError, SpecError):
        assert issubclass(error, MdnbError)
        assert issubclass(error, ValueError)
    with h5py.File(tmp_path / "a.h5md", "w") as file:
        file.create_group("particles")
    with pytest.raises(MdnbError, match="it has no particles/\\*/position"):
        mdnb.load(tmp_path / "a.h5md")
    write = tmp_path / "a.npz"
    np.savez(write, xyz=np.zeros((2, 3, 3)))
    with pytest.raises(MdnbError, match="it has no array 'positions', only xyz"):
        mdnb.load(write)
    np.savez(write, positions=np.zeros((2, 3, 3)), forces=np.zeros((1, 3, 3)))
    with pytest.raises(MdnbError, match="forces has 1 frames, positions has 2"):
        mdnb.load(write)


def test_npz_energies_have_two_columns(sample, pdb, tmp_path):
    write_npz(tmp_path / "a.npz", sample)
    loaded = mdnb.load([tmp_path / "a.npz"] * 2, top=pdb, stride=7)
    assert np.array_equal(loaded.observable("kinetic_energy"), np.tile(np.arange(0, 30, 7) + 0.5, 2))


def test_files_of_different_time_steps_have_no_common_one(alanine):
    frames = [alanine.frames([0, 1, 2]), alanine.frames([0, 5, 10])]
    loaded = mdnb.load(frames)
    assert np.isnan(loaded.time_step)
    assert "not the same in all" in repr(loaded)


@pytest.mark.parametrize(("step", "n_frames"), [(1.1, 100), (0.2, 500), (2.0, 3), (0.123, 1000)])
def test_steps_late_in_a_long_simulation_are_not_those_of_rounding(tmp_path, alanine, step, n_frames):
    """Times are kept as float32: at 2 microseconds they are multiples of 0.125 ps."""
    times = (2e6 + step * np.arange(n_frames)).astype(np.float32)
    frames = alanine[0].frames(np.arange(n_frames) % 50)
    with mdtraj.formats.XTCTrajectoryFile(str(tmp_path / "late.xtc"), "w") as file:
        file.write(frames.xyz, time=times, step=np.arange(n_frames))
    opened = mdnb.load(tmp_path / "late.xtc", top=frames.topology)
    assert opened.time_step == pytest.approx(step, rel=1e-3)
    assert not [one for one in opened.health().findings if one.kind == "time-gaps"]


def test_a_step_is_said_as_it_was_set(tmp_path, alanine):
    frames = alanine[0].frames(range(10))
    frames.time = 2000 + 0.1 * np.arange(1, 11)
    frames.save_xtc(str(tmp_path / "a.xtc"))
    assert mdnb.load(tmp_path / "a.xtc", top=frames.topology).time_step == 0.1
    frames.time[5] += 0.09
    frames.save_xtc(str(tmp_path / "b.xtc"))
    health = mdnb.load(tmp_path / "b.xtc", top=frames.topology).health()
    assert [one.kind for one in health.findings if one.kind.startswith("time")] == ["time-gaps"]


def test_a_frame_without_a_box_among_others_has_one_of_zeros(tmp_path, alanine):
    frames = alanine[0].frames(range(6))
    box = np.tile(4 * np.eye(3, dtype=np.float32), (6, 1, 1))
    box[2] = 0
    with mdtraj.formats.XTCTrajectoryFile(str(tmp_path / "a.xtc"), "w") as file:
        file.write(frames.xyz, box=box)
    found = mdnb.load(tmp_path / "a.xtc", top=frames.topology).frames([0, 2, 5]).unitcell_vectors
    assert np.allclose(found, box[[0, 2, 5]], atol=1e-6)


def test_many_files_are_opened_without_reading_a_frame(tmp_path, alanine, monkeypatch):
    alanine[0].frames(range(20)).save_xtc(str(tmp_path / "0.xtc"))
    for number in range(1, 200):
        shutil.copy(tmp_path / "0.xtc", tmp_path / f"{number}.xtc")

    def refuse(*_):
        raise AssertionError("a frame was read")

    monkeypatch.setattr("mdnb.formats.xtc.XTCFile.read", refuse)
    opened = mdnb.load(str(tmp_path / "*.xtc"), top=alanine.topology)
    assert (len(opened), opened.n_frames) == (200, 4000)
    with pytest.raises(AssertionError, match="a frame was read"):
        opened.frames(0)

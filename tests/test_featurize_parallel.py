"""featurize by several threads: the same bits, errors and interruption as by one, and what the bar says."""

import os
import signal
import subprocess
import sys
import threading
import time

import mdtraj
import numpy as np
import pytest

import mdnb
from mdnb.errors import DataError
from mdnb.features import FEATURIZERS, CADistances, Distances, Torsions, featurize
from mdnb.features.base import Column, Featurizer
from mdnb.features.distance_kernels import distance_runs, pair_distances, run_distances
from mdnb.features.passes import in_order
from mdnb.machine import n_workers
from mdnb.periodic import NO_BOXES

#: What every protein has; the rest is made of the same parts.
NAMES = ["torsions", "ca-distances", "contacts", "positions", "internal-coordinates", "rmsd"]


@pytest.fixture(scope="module")
def files(chignolin, tmp_path_factory):
    """Three XTC files of 100, 37 and 1 frames."""
    folder = tmp_path_factory.mktemp("files")
    frames = chignolin.frames(range(138))
    frames[0].save_pdb(str(folder / "top.pdb"))
    for name, rows in (("a", slice(0, 100)), ("b", slice(100, 137)), ("c", slice(137, 138))):
        frames[rows].save_xtc(str(folder / f"{name}.xtc"))
    return folder


@pytest.fixture
def opened(files):
    return mdnb.load(str(files / "*.xtc"), top=files / "top.pdb")


@pytest.mark.parametrize("n_jobs", [2, 3, 5, -1])
def test_the_same_bits_by_any_number_of_threads(opened, n_jobs):
    one = featurize(opened, NAMES, chunk_size=7)
    many = featurize(opened, NAMES, chunk_size=7, n_jobs=n_jobs)
    assert one.values.tobytes() == many.values.tobytes()
    assert np.array_equal(one.trajectory, many.trajectory)
    assert np.array_equal(one.time, many.time)
    assert one.trajectory.tolist() == [0] * 100 + [1] * 37 + [2]


def test_formats_whose_library_must_not_run_twice_are_read_one_at_a_time(alanine):
    """The packaged H5MD files are read by h5py."""
    assert not alanine._files[0].concurrent
    names = ["positions", "velocities", "forces"]
    one, many = (featurize(alanine[0], names, chunk_size=100, n_jobs=n_jobs) for n_jobs in (1, 4))
    assert one.values.tobytes() == many.values.tobytes()


@pytest.mark.parametrize("name", sorted(FEATURIZERS))
def test_each_featurizer_bears_threads(chignolin, alanine, name):
    if name in ("velocities", "forces", "internal-coordinates", "distances"):
        frames = alanine[0]
    else:
        frames = mdnb.load(chignolin.frames(range(60)))
    try:
        one = featurize(frames, name, chunk_size=max(6, len(frames) and frames.n_frames // 10))
    except DataError:
        pytest.skip("these molecules have nothing of it")
    many = featurize(frames, name, chunk_size=max(6, frames.n_frames // 10), n_jobs=4)
    assert one.values.tobytes() == many.values.tobytes()


@pytest.mark.parametrize("maker", [Distances(), CADistances(), Distances("name CA or name CB", min_bonds=1)])
def test_distances_in_runs_are_those_pair_by_pair(chignolin, maker):
    frames = chignolin.frames(range(9))
    maker.prepare(frames.topology, frames.xyz[0])
    expected = np.empty((9, len(maker.columns)), np.float32)
    pair_distances(frames.xyz, maker._indices, expected)
    table = np.full((9, len(maker.columns) + 5), -1, np.float32)
    run_distances(frames.xyz, *distance_runs(maker._indices), NO_BOXES, table, 3)
    assert table[:, 3:-2].tobytes() == expected.tobytes()
    assert (np.delete(table, np.s_[3:-2], axis=1) == -1).all()
    assert np.abs(expected - mdtraj.compute_distances(frames, maker._indices)).max() < 1e-6


def test_distances_in_runs_of_any_pairs():
    random = np.random.default_rng(1)
    xyz = random.normal(size=(4, 30, 3)).astype(np.float32)
    for n_pairs in (1, 2, 50):
        pairs = random.integers(0, 30, (n_pairs, 2))
        expected, found = np.empty((2, 4, n_pairs), np.float32)
        pair_distances(xyz, pairs, expected)
        run_distances(xyz, *distance_runs(pairs), NO_BOXES, found, 0)
        assert expected.tobytes() == found.tobytes()


def test_the_first_damaged_frame_is_told_by_any_number_of_threads(files, tmp_path):
    whole = mdnb.load(files / "a.xtc", top=files / "top.pdb")
    data = bytearray((files / "a.xtc").read_bytes())
    for frame in (31, 80):
        start = int(whole._files[0]._starts[frame])
        data[start + 56 : start + 60] = b"\xff\xff\xff\xff"  # the precision is not a number
    (tmp_path / "bad.xtc").write_bytes(data)
    bad = mdnb.load(tmp_path / "bad.xtc", top=files / "top.pdb")
    for n_jobs in (1, 2, 4):
        with pytest.raises(DataError, match="frame 31 cannot be decoded: its precision is not a number"):
            featurize(bad, chunk_size=5, n_jobs=n_jobs)


@pytest.mark.parametrize("n_jobs", [0, -2, 1.5, True, "2"])
def test_n_jobs_is_refused(opened, n_jobs):
    with pytest.raises(
        DataError, match=r"n_jobs = .*: expected a whole number of threads of at least 1, or -1 for all"
    ):
        featurize(opened, n_jobs=n_jobs)


def test_all_cores():
    assert n_workers(-1) >= 1


def test_no_more_than_a_few_blocks_are_begun_before_they_are_taken():
    begun = []
    results = in_order(lambda item: begun.append(item) or item, range(10_000), 2)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    assert len(begun) <= 5 + 8
    results.close()
    assert len(begun) <= 5 + 8
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("mdnb")]


class Interrupting(Featurizer):
    """Interrupts the main thread at its third chunk, as Ctrl-C does."""

    def __init__(self):
        self.calls = 0

    def describe(self, topology, reference):
        return (Column("zero", "", (0,)),)

    def compute(self, chunk):
        self.calls += 1
        if self.calls == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return np.zeros((len(chunk.positions), 1))


@pytest.mark.skipif(sys.platform == "win32", reason="a signal to oneself is another thing there")
@pytest.mark.parametrize("n_jobs", [1, 3])
def test_ctrl_c_stops_all_threads(opened, n_jobs):
    maker = Interrupting()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background has none
    try:
        with pytest.raises(KeyboardInterrupt):
            featurize(opened, [maker, "torsions"], chunk_size=1, n_jobs=n_jobs)
    finally:
        signal.signal(signal.SIGINT, before)
    assert maker.calls < 100
    deadline = time.monotonic() + 10  # one that was just being started when the signal came ends by itself
    while [thread for thread in threading.enumerate() if thread.name.startswith("mdnb")]:
        assert time.monotonic() < deadline
    assert np.isfinite(featurize(opened, n_jobs=n_jobs).values).all()


def test_the_bar_says_that_it_compiles_and_how_fast_it_is(files, tmp_path):
    """In a fresh process with an empty cache of numba, then with a filled one."""
    code = (
        "import sys, mdnb; t = mdnb.load(sys.argv[1], top=sys.argv[2]); mdnb.featurize(t, 'torsions', chunk_size=9)\n"
        "assert not sys.stdout.tell() if sys.stdout.seekable() else True"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    environment.pop("MDNB_REPORT", None)
    command = [sys.executable, "-c", code, str(files / "a.xtc"), str(files / "top.pdb")]
    runs = [subprocess.run(command, env=environment, capture_output=True, text=True, check=True) for _ in range(2)]
    assert [run.stdout for run in runs] == ["", ""]
    assert "compiling, once on this machine" in runs[0].stderr
    assert "compiling" not in runs[1].stderr
    assert "frames/s" in runs[1].stderr


def test_larger_than_memory_is_refused(opened, monkeypatch):
    monkeypatch.setattr(os, "sysconf", lambda name: 1)
    with pytest.raises(DataError, match=r"the features need .* GB, this machine has .* keep them on disk with cache=T"):
        featurize(opened, Torsions())

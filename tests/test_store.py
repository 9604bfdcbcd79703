"""The store of features: found again only for the same files, settings and code; never half written or damaged."""

import json
import logging
import os
import shutil
import subprocess
import sys
import threading
from functools import partial

import numpy as np
import pytest

import mdnb
from mdnb.errors import DataError
from mdnb.features import FEATURIZERS, CADistances, Contacts, Torsions, featurize
from mdnb.features.base import Column, Featurizer
from mdnb.features.identity import settings_of
from mdnb.features.store import cache_folder
from mdnb.features.work import Work


@pytest.fixture
def files(chignolin, tmp_path):
    """Two XTC files of 60 and 25 frames."""
    frames = chignolin.frames(range(85))
    frames[0].save_pdb(str(tmp_path / "top.pdb"))
    frames[:60].save_xtc(str(tmp_path / "a.xtc"))
    frames[60:].save_xtc(str(tmp_path / "b.xtc"))
    return tmp_path


@pytest.fixture
def opened(files):
    return mdnb.load(str(files / "*.xtc"), top=files / "top.pdb")


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def counted(monkeypatch):
    """The blocks of frames that are computed."""
    blocks = []
    compute = Work.compute

    def counting(self, block, tables, time):
        start = compute(self, block, tables, time)
        blocks.append((start, len(time)))
        return start

    monkeypatch.setattr(Work, "compute", counting)
    return blocks


def stores(cache):
    return sorted(path for path in cache.iterdir() if path.is_dir())


def same(one, other):
    assert one.values.dtype == other.values.dtype == np.float32
    assert one.values.tobytes() == other.values.tobytes()
    assert one.columns == other.columns
    assert (one.axes, one.shape, one.featurizers) == (other.axes, other.shape, other.featurizers)
    assert np.array_equal(one.trajectory, other.trajectory)
    assert np.array_equal(one.time, other.time, equal_nan=True)


@pytest.mark.parametrize("n_jobs", [1, 3])
@pytest.mark.parametrize("names", [["torsions", "ca-distances"], "positions"])
def test_the_second_call_computes_nothing(opened, cache, counted, names, n_jobs):
    plain = featurize(opened, names, chunk_size=8)
    first = featurize(opened, names, chunk_size=8, n_jobs=n_jobs, cache=cache)
    counted.clear()
    second = featurize(opened, names, n_jobs=n_jobs, cache=cache)
    assert counted == []
    same(plain, first)
    same(plain, second)
    assert isinstance(first.values.base, np.memmap)
    header = json.loads((stores(cache)[0] / "header.json").read_text())
    assert header["columns"] == list(plain.names)
    assert header["recipe"]["mdnb"] == mdnb.__version__
    assert {path.name for path in stores(cache)[0].iterdir()} == {
        "header.json", "blocks.jsonl", "values.npy", "time.npy"
    }  # fmt: skip


def test_where_stores_lie(opened, tmp_path, monkeypatch):
    monkeypatch.setenv("MDNB_CACHE", str(tmp_path / "mine"))
    featurize(opened, cache=True)
    assert len(stores(tmp_path / "mine" / "features")) == 1
    monkeypatch.delenv("MDNB_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    if sys.platform == "linux":
        assert cache_folder() == tmp_path / "xdg" / "mdnb" / "features"
    assert cache_folder("here").name == "here"


def test_other_settings_are_other_features(opened, files, cache, counted):
    load = partial(mdnb.load, top=files / "top.pdb")
    asked = [
        (opened, "torsions"),
        (opened, Torsions(kinds=("phi",))),
        (opened, Torsions(representation="angle")),
        (opened, Contacts()),
        (opened, Contacts(cutoff=0.5)),
        (opened[0], "torsions"),
        (load(files / "a.xtc", stride=2), "torsions"),
        (load(files / "a.xtc", time_step=3.0), "torsions"),
        (load(files / "a.xtc", selection="backbone"), "torsions"),
        (load([files / "b.xtc", files / "a.xtc"]), "torsions"),
    ]
    for trajectories, features in asked:
        counted.clear()
        found = featurize(trajectories, features, cache=cache)
        assert counted, features
        same(found, featurize(trajectories, features))
    assert len(stores(cache)) == len(asked)
    counted.clear()
    for trajectories, features in asked:
        featurize(trajectories, features, cache=cache)
    assert counted == []


def test_a_changed_file_is_noticed(files, cache, counted):
    def again():
        counted.clear()
        featurize(mdnb.load(files / "a.xtc", top=files / "top.pdb"), cache=cache)
        return bool(counted)

    assert (again(), again()) == (True, False)
    os.utime(files / "a.xtc", ns=(0, 1))
    assert (again(), again()) == (True, False)
    data = bytearray((files / "a.xtc").read_bytes())
    data[-2] ^= 4  # of the same size and time: the hash tells
    (files / "a.xtc").write_bytes(data)
    os.utime(files / "a.xtc", ns=(0, 1))
    assert (again(), again()) == (True, False)
    shutil.copy(files / "b.xtc", files / "a.xtc")
    assert (again(), again()) == (True, False)


def test_a_file_that_changes_meanwhile_makes_no_store(files, cache):
    class Meddling(CADistances):
        def describe(self, topology, reference):
            self.calls = 0
            return super().describe(topology, reference)

        def fill(self, chunk, out, column):
            super().fill(chunk, out, column)
            os.utime(files / "a.xtc")

    opened = mdnb.load(files / "a.xtc", top=files / "top.pdb")
    os.utime(files / "a.xtc", ns=(0, 0))
    with pytest.raises(
        DataError, match="a trajectory was changed while it was read; open it again when it is complete"
    ):
        featurize(opened, Meddling(), cache=cache)
    assert all(path.suffix == ".partial" for path in stores(cache))


class Stopping(CADistances):
    """Stops at a frame; which one is no setting, so that a second run is of the same features."""

    at = None

    def fill(self, chunk, out, column):
        if chunk.start == type(self).at:
            raise KeyboardInterrupt
        super().fill(chunk, out, column)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_interrupted_run_is_continued(opened, cache, counted, monkeypatch, n_jobs):
    monkeypatch.setattr(Stopping, "at", 40)
    with pytest.raises(KeyboardInterrupt):
        featurize(opened, Stopping(), chunk_size=10, n_jobs=n_jobs, cache=cache)
    (left,) = stores(cache)
    assert left.suffix == ".partial"
    monkeypatch.setattr(Stopping, "at", None)
    counted.clear()
    found = featurize(opened, Stopping(), chunk_size=10, cache=cache)
    assert (0, 10) not in counted
    assert (40, 10) in counted
    assert [path.suffix for path in stores(cache)] == [""]
    same(found, featurize(opened, Stopping()))


def test_what_an_interrupted_run_left_is_checked(opened, cache, counted, monkeypatch):
    monkeypatch.setattr(Stopping, "at", 40)
    with pytest.raises(KeyboardInterrupt):
        featurize(opened, Stopping(), chunk_size=10, cache=cache)
    monkeypatch.setattr(Stopping, "at", None)
    (left,) = stores(cache)
    flip(left / "values.npy", 128 + 4 * 10 * len(CADistances_columns(opened)) + 3)  # in the second block
    with (left / "blocks.jsonl").open("a") as file:
        file.write("[40, 50, ")  # a line that was being written
    counted.clear()
    same(featurize(opened, Stopping(), chunk_size=10, cache=cache), featurize(opened, Stopping()))
    assert counted[:2] == [(10, 10), (40, 10)]
    # Blocks of another size do not fit together, so all is done again.
    monkeypatch.setattr(Stopping, "at", 42)
    shutil.rmtree(cache)
    with pytest.raises(KeyboardInterrupt):
        featurize(opened, Stopping(), chunk_size=6, cache=cache)
    monkeypatch.setattr(Stopping, "at", None)
    same(featurize(opened, Stopping(), chunk_size=10, cache=cache), featurize(opened, Stopping()))


def CADistances_columns(trajectories):
    return featurize(trajectories[0], CADistances()).columns


def flip(path, byte):
    data = bytearray(path.read_bytes())
    data[byte] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("what", ["values", "time", "short", "header", "blocks", "no blocks", "recipe", "dtype"])
def test_a_damaged_store_is_never_used(opened, cache, counted, caplog, what):
    expected = featurize(opened, chunk_size=10, cache=cache)
    expected = mdnb.features.Features(**{**vars(expected), "values": np.array(expected.values)})
    (store,) = stores(cache)
    if what in ("values", "time"):
        flip(store / f"{what}.npy", -3)
    elif what == "short":
        (store / "values.npy").write_bytes((store / "values.npy").read_bytes()[:-40])
    elif what == "header":
        (store / "header.json").write_text("{")
    elif what == "blocks":
        flip(store / "blocks.jsonl", 4)
    elif what == "no blocks":
        (store / "blocks.jsonl").unlink()
    elif what == "recipe":
        header = json.loads((store / "header.json").read_text())
        header["recipe"]["mdnb"] = "0"
        (store / "header.json").write_text(json.dumps(header))
    else:
        np.save(store / "values.npy", np.load(store / "values.npy").astype(np.float64))
    counted.clear()
    with caplog.at_level(logging.WARNING, "mdnb"):
        found = featurize(opened, chunk_size=10, cache=cache)
    assert "is damaged (" in caplog.text
    same(found, expected)
    if what in ("values", "time"):
        assert counted == [(80, 5)]  # the rest is taken over
    counted.clear()
    same(featurize(opened, cache=cache), expected)
    assert counted == []


def test_changing_the_array_changes_no_store(opened, cache):
    first = featurize(opened, cache=cache)
    kept = first.values.copy()
    first.values[:] = 7
    assert np.array_equal(featurize(opened, cache=cache).values, kept)


def test_threads_that_ask_the_same_share_one_run(opened, cache, counted):
    found = [None] * 4

    def ask(number):
        found[number] = featurize(opened, chunk_size=10, cache=cache)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(counted) == 9
    for one in found[1:]:
        same(found[0], one)


def test_a_process_that_was_killed_leaves_no_lock(files, cache):
    code = (
        "import os, sys, mdnb\n"
        "from mdnb.features.work import Work\n"
        "real = Work.compute\n"
        "def compute(self, block, tables, time):\n"
        "    if block[1] >= 30: os._exit(9)\n"
        "    return real(self, block, tables, time)\n"
        "Work.compute = compute\n"
        "t = mdnb.load(sys.argv[1], top=sys.argv[2])\n"
        "mdnb.featurize(t, chunk_size=10, cache=sys.argv[3])"
    )
    command = [sys.executable, "-c", code, str(files / "a.xtc"), str(files / "top.pdb"), str(cache)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 9
    assert [path.suffix for path in stores(cache)] == [".partial"]
    opened = mdnb.load(files / "a.xtc", top=files / "top.pdb")
    same(featurize(opened, chunk_size=10, cache=cache), featurize(opened))


# --- refusals -------------------------------------------------------------------------------------------------------


class Named(Featurizer):
    def describe(self, topology, reference):
        return (Column("zero", "", (0,)),)

    def compute(self, chunk):
        return np.zeros((len(chunk.positions), 1))


class Forgetful(Named):
    def __init__(self, size=3):
        self._size = size


class Loose(Named):
    def __init__(self, **anything):
        pass


class Holding(Named):
    def __init__(self, thing):
        self.thing = thing


@pytest.mark.parametrize(
    ("maker", "message"),
    [
        (Forgetful(), "Forgetful cannot be cached: its setting 'size' is not kept as self.size, so that it cannot be"),
        (Loose(a=1), "Loose cannot be cached: its setting 'anything' stands for any number of arguments"),
        (Holding(object()), "its setting 'thing' holds a object, which cannot be told from another one; leave cache"),
        (Holding(np.array([object()])), "its setting 'thing' holds a ndarray, which cannot be told"),
        (Holding(lambda x, y=Holding: maker_of(x)), None),
    ],
)
def test_settings_that_cannot_be_told_are_refused(opened, cache, maker, message):
    if message is None:
        featurize(opened, maker, cache=cache)
        return
    with pytest.raises(DataError, match=message):
        featurize(opened, maker, cache=cache)
    assert not cache.exists()
    assert len(featurize(opened, maker)) == 85


def maker_of(x):
    return x


def test_settings_are_told_apart(tmp_path):
    (tmp_path / "file").write_text("a")
    things = [1, 2.5, "1", True, None, (1, 2), {"a": 1}, {"a": 2}, {3}, np.arange(3), np.arange(3.0), np.float32(0.1)]
    things += [tmp_path / "file", Column("a", "nm", (1,)), Column("b", "nm", (1,)), maker_of]
    told = [json.dumps(settings_of(Holding(thing))) for thing in things]
    assert len(set(told)) == len(things)
    assert told == [json.dumps(settings_of(Holding(thing))) for thing in things]


@pytest.mark.parametrize("name", sorted(FEATURIZERS))
def test_the_settings_of_every_featurizer_can_be_told(name):
    json.dumps(settings_of(FEATURIZERS[name]()))


def test_code_of_a_notebook_is_refused(opened, cache):
    scope = {"Named": Named, "__name__": "of_a_notebook"}
    exec("class Mine(Named):\n    pass", scope)  # noqa: S102
    with pytest.raises(DataError, match=r"Mine cannot be cached: its class holds code that was not read from a file"):
        featurize(opened, scope["Mine"](), cache=cache)


def test_a_decorated_function_is_known_by_its_code(opened, cache, tmp_path, monkeypatch, counted):
    from mdnb.features import featurizer

    monkeypatch.setattr("mdnb.features.base.FEATURIZERS", FEATURIZERS)
    monkeypatch.setitem(FEATURIZERS, "height", None)
    del FEATURIZERS["height"]
    monkeypatch.syspath_prepend(str(tmp_path))

    def run(factor):
        (tmp_path / "my_height.py").write_text(f"def height(chunk):\n    return chunk.positions[:, 0, 2] * {factor}\n")
        sys.modules.pop("my_height", None)
        shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
        import my_height

        featurizer("height", columns=[("height", "nm", (0,))])(my_height.height)
        counted.clear()
        return featurize(opened, "height", cache=cache).values[0, 0]

    one, two = run(1), run(22)
    assert np.isclose(two, 22 * one)
    assert run(22) == two
    assert counted == []


def test_frames_in_memory_are_refused(opened, cache):
    with pytest.raises(DataError, match=r"features of 'in memory' cannot be cached, because there is no such file"):
        featurize(opened.frames(range(3)), cache=cache)


def test_a_folder_that_cannot_be_written(opened, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        DataError, match=r"cannot be used for a cache of features .*; give another folder as cache, or in"
    ):
        featurize(opened, cache=tmp_path / "file" / "cache")


def test_a_full_disk_is_noticed_before(opened, cache, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(
        DataError, match=r"the features need .* GB, .* has 0\.0 GB free; delete what is in there, or give"
    ):
        featurize(opened, cache=cache)


def test_a_full_disk_is_noticed_while_writing(opened, cache, counted):
    """The system refuses larger files, as it refuses any on a full disk; what was written is taken over."""
    import resource
    import signal

    plain = featurize(opened, "torsions", chunk_size=8)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(
            DataError, match=r"the features cannot be written to .*cache \(.*\); make room there and run it again"
        ):
            featurize(opened, "torsions", cache=cache, chunk_size=8)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    same(featurize(opened, "torsions", cache=cache, chunk_size=8), plain)


@pytest.mark.parametrize("line", ['[[0], 5, "x"]', '["0", "5", "x"]', "[0, 8, 5]", "3", "null", "[" * 100_000])
def test_any_line_may_stand_in_the_list_of_blocks(opened, cache, line):
    plain = featurize(opened, "torsions", cache=cache, chunk_size=8)
    (store,) = stores(cache)
    (store / "header.json").write_text("[" * 100_000)  # it is set aside, and its blocks are looked at
    with (store / "blocks.jsonl").open("a") as file:
        file.write(line + "\n")
    assert [stored.files for stored in mdnb.features.cache.stores(cache)] == [()]
    same(featurize(opened, "torsions", cache=cache, chunk_size=8), plain)
    same(featurize(opened, "torsions", cache=cache, chunk_size=8), plain)

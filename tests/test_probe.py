"""Readers that are not ours meet a file in another process first: what crashes there does not crash here."""

import subprocess
import sys
import time

import numpy as np
import pytest
from writers import WRITERS

import mdnb
from mdnb.errors import DataError
from mdnb.formats import probe as probe_module
from mdnb.formats.probe import probe, probe_trajectories, trust

CRASHING = """
import ctypes, os, time
def read(path):
    content = open(path).read()
    with open(path + ".seen", "a") as log:
        log.write("x")
    if content == "segfault":
        ctypes.string_at(0)
    if content == "abort":
        os.abort()
    if content == "exit":
        os._exit(3)
    if content == "hang":
        while True:
            pass
    if content == "error":
        raise ValueError("this is told by who opens it")
    if content == "print":
        print("what a library prints is no answer\\n\\n", flush=True)
"""


@pytest.fixture
def reader(tmp_path, monkeypatch):
    (tmp_path / "crashing_reader.py").write_text(CRASHING)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return "crashing_reader:read"


def write(folder, *contents):
    paths = []
    for number, content in enumerate(contents):
        paths.append(folder / f"ä{number}-{content}.dat")
        paths[-1].write_text(content)
    return paths


@pytest.mark.parametrize(("content", "how"), [("segfault", "SIGSEGV"), ("abort", "SIGABRT"), ("exit", "exit code 3")])
def test_a_crash_is_an_error(tmp_path, reader, content, how):
    good, bad, after = write(tmp_path, "good", content, "good")
    said = (
        rf"1-{content}\.dat crashed the library that reads it \({how}\), in a process of its own; the file is damaged"
    )
    for _ in range(2):  # it is not remembered as good
        with pytest.raises(DataError, match=said):
            probe((path, reader) for path in (good, bad, after))
    probe([(good, reader), (after, reader)])
    assert good.with_name(good.name + ".seen").read_text() == "x"  # once


def test_what_does_not_come_back(tmp_path, reader, monkeypatch):
    monkeypatch.setattr(probe_module, "_PATIENCE", 1.0)
    (path,) = write(tmp_path, "hang")
    with pytest.raises(DataError, match=r"hang\.dat kept the library that reads it busy for 1 s"):
        probe([(path, reader)])


def test_what_is_no_crash(tmp_path, reader):
    paths = write(tmp_path, "error", "print", "good")
    probe((path, reader) for path in paths)
    probe((path, reader) for path in (*paths, tmp_path / "missing.dat"))
    assert [path.with_name(path.name + ".seen").read_text() for path in paths] == ["x", "x", "x"]
    paths[0].write_text("changed")
    probe((path, reader) for path in paths)
    assert [path.with_name(path.name + ".seen").read_text() for path in paths] == ["xx", "x", "x"]


def test_many_files_share_a_process(tmp_path, reader, monkeypatch):
    started = []
    real = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda *args, **settings: started.append(1) or real(*args, **settings))
    probe((path, reader) for path in write(tmp_path, *["good"] * 50))
    assert len(started) == 1


def test_load_survives_a_library_that_crashes(sample, pdb, tmp_path, monkeypatch):
    """As a damaged HDF5 file might do: h5py is replaced by one that ends the process."""
    WRITERS["h5md"](tmp_path / "a.h5md", sample)
    (tmp_path / "h5py.py").write_text("import os\ndef File(*args, **settings):\n    os.abort()\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(DataError, match=r"a\.h5md crashed the library that reads it \(SIGABRT\)"):
        mdnb.load(tmp_path / "a.h5md", top=pdb)
    with pytest.raises(DataError, match="crashed the library"):
        mdnb.formats.open_trajectory(tmp_path / "a.h5md")


def test_only_readers_that_are_not_ours(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda *args, **settings: pytest.fail("no process is needed"))
    probe_trajectories(folder.glob("a.*"))
    mdnb.example()
    (tmp_path / "a.h5").write_bytes(b"not one")
    trust([tmp_path / "a.h5"])
    probe_trajectories([tmp_path / "a.h5"])


def test_real_damage_is_told_by_the_reader(sample, pdb, tmp_path):
    """Bits of an HDF5 file are flipped; whatever h5py does, we get an error or frames."""
    WRITERS["h5md"](tmp_path / "whole.h5md", sample)
    content, random = (tmp_path / "whole.h5md").read_bytes(), np.random.default_rng(0)
    began, results = time.perf_counter(), []
    for number in range(5):
        damaged = bytearray(content)
        for at in random.integers(0, 3000, 6):
            damaged[at] = random.integers(256)
        path = tmp_path / f"a{number}.h5md"
        path.write_bytes(damaged)
        try:
            chunks = list(mdnb.load(path, top=pdb, time_step=1.0).chunks())
            results.append(sum(len(chunk.positions) for chunk in chunks))
        except DataError as error:
            results.append(str(error))
    assert len(results) == 5
    assert time.perf_counter() - began < 60

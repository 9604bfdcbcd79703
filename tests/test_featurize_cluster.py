"""featurize by the workers of a Dask cluster: the same bits, also when a worker dies."""

import os
import signal
import sys

import numpy as np
import pytest

import mdnb
from mdnb.errors import DataError, MissingDependencyError
from mdnb.features import CAContacts, Torsions, featurize
from mdnb.features.base import Column, Featurizer

distributed = pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")

MIXED = [Torsions(), CAContacts(0.7, 1), "rmsd"]


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """A cluster of two processes."""
    folder = tmp_path_factory.mktemp("dask")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, local_directory=str(folder)
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def files(chignolin, tmp_path_factory):
    """Two XTC files of 150 and 61 frames."""
    folder = tmp_path_factory.mktemp("files")
    frames = chignolin.frames(range(211))
    frames[0].save_pdb(str(folder / "top.pdb"))
    frames[:150].save_xtc(str(folder / "a.xtc"))
    frames[150:].save_xtc(str(folder / "b.xtc"))
    return folder


@pytest.fixture
def opened(files):
    return mdnb.load(str(files / "*.xtc"), top=files / "top.pdb")


def test_the_same_bits(opened, files, client, monkeypatch):
    expected = featurize(opened, MIXED)
    monkeypatch.chdir(files)  # the workers are in another folder
    near = mdnb.load(["a.xtc", "b.xtc"], top="top.pdb")
    made = featurize(near, MIXED, chunk_size=9, client=client)
    assert np.array_equal(made.parts[1].packed, expected.parts[1].packed)
    assert made.values.tobytes() == expected.values.tobytes()
    assert np.array_equal(made.time, expected.time)
    assert np.array_equal(made.trajectory, expected.trajectory)


def test_the_workers_write_one_store(opened, client, tmp_path):
    expected = featurize(opened, MIXED)
    made = featurize(opened, MIXED, chunk_size=9, client=client, cache=tmp_path)
    assert isinstance(made.parts[1].packed, np.memmap)
    assert made.values.tobytes() == expected.values.tobytes()
    assert featurize(opened, MIXED, cache=tmp_path).values.tobytes() == expected.values.tobytes()


class Dying(Featurizer):
    """Ends the first process that is a worker of a cluster, once."""

    def __init__(self, mark: str) -> None:
        self.mark, self.parent = mark, os.getpid()

    def describe(self, topology, reference):
        return (Column("zero", "", (0,)),)

    def compute(self, chunk):
        if os.getpid() != self.parent:
            try:
                os.close(os.open(self.mark, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                pass
            else:
                os.kill(os.getpid(), signal.SIGKILL)
        return chunk.positions[:, 0, :1]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL there")
def test_a_worker_that_dies_is_replaced(opened, client, tmp_path):
    mark = tmp_path / "died"
    made = featurize(opened, [Dying(str(mark)), "torsions"], chunk_size=5, client=client)
    assert mark.exists()
    assert np.array_equal(made.values[:, 0], opened.frames(slice(None)).xyz[:, 0, 0])
    client.wait_for_workers(2, timeout=60)


def test_an_error_of_a_worker_is_told_as_here(files, client, tmp_path):
    whole = mdnb.load(files / "a.xtc", top=files / "top.pdb")
    data = bytearray((files / "a.xtc").read_bytes())
    start = int(whole._files[0]._starts[131])
    data[start + 56 : start + 60] = b"\xff\xff\xff\xff"  # the precision is not a number
    (tmp_path / "bad.xtc").write_bytes(data)
    bad = mdnb.load(tmp_path / "bad.xtc", top=files / "top.pdb")
    with pytest.raises(DataError, match="frame 131 cannot be decoded: its precision is not a number"):
        featurize(bad, chunk_size=5, client=client)


def test_what_is_no_client(opened, client, monkeypatch):
    with pytest.raises(DataError, match=r"client = 'tcp://there': expected a distributed.Client, such as Client\("):
        featurize(opened, client="tcp://there")
    with pytest.raises(DataError, match="n_jobs = 2 with a client: the cluster says how many compute"):
        featurize(opened, client=client, n_jobs=2)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'mdnb\[cluster\]'"):
        featurize(opened, client=client)

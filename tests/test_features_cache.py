"""The folder of feature stores: what it holds, and the limit of its size."""

import errno
import os

import pytest

import mdnb
from mdnb.cli import main
from mdnb.errors import DataError
from mdnb.features import featurize
from mdnb.features.cache import make_room, stores


@pytest.fixture
def opened(chignolin, tmp_path):
    frames = chignolin.frames(range(40))
    frames[0].save_pdb(str(tmp_path / "top.pdb"))
    frames.save_xtc(str(tmp_path / "a.xtc"))
    return mdnb.load(tmp_path / "a.xtc", top=tmp_path / "top.pdb")


@pytest.fixture
def cache(opened, tmp_path):
    """A folder of three stores; the first is the oldest."""
    for age, name in zip((300, 200, 100), ("torsions", "ca-distances", "ca-contacts"), strict=True):
        featurize(opened, name, cache=tmp_path / "cache")
        for one in stores(tmp_path / "cache")[-1].path.iterdir():
            os.utime(one, (one.stat().st_atime, one.stat().st_mtime - age))
    return tmp_path / "cache"


def test_what_the_folder_holds(cache, opened, tmp_path, capsys):
    held = stores(cache)
    assert len(held) == 3
    assert all(one.files == (str((tmp_path / "a.xtc").resolve()),) for one in held)
    assert all(one.n_bytes == sum(file.stat().st_size for file in one.path.iterdir()) for one in held)
    featurize(opened, "torsions", cache=cache)  # which was the oldest
    assert [one.path for one in stores(cache)] == [one.path for one in (*held[1:], held[0])]
    assert main(["cache", "--dir", str(cache)]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"{cache}: 3 stores, 0.00 GB\n")
    assert all(one.path.name in text for one in held)
    assert stores(tmp_path / "nothing") == ()


def test_those_not_used_for_longest_make_room(cache, opened, monkeypatch):
    held = stores(cache)
    monkeypatch.setenv("MDNB_CACHE_LIMIT", str((held[1].n_bytes + held[2].n_bytes + 1e4) / 1e9))
    (cache / "mine.txt").write_text("not a store")
    (cache / ("0" * 32 + ".partial")).mkdir()
    featurize(opened, "rmsd", cache=cache)  # smaller than what it replaces
    left = stores(cache)
    assert [one.path for one in left[:2]] == [held[1].path, held[2].path]
    assert len(left) == 3
    monkeypatch.setenv("MDNB_CACHE_LIMIT", "0")
    assert len(make_room(cache, left[2].path)) == 2
    assert [one.path for one in stores(cache)] == [left[2].path]
    assert (cache / "mine.txt").exists()
    assert (cache / ("0" * 32 + ".partial")).exists()


def test_nothing_is_deleted_without_a_limit(cache, monkeypatch):
    monkeypatch.delenv("MDNB_CACHE_LIMIT", raising=False)
    assert make_room(cache, cache) == []
    assert len(stores(cache)) == 3


@pytest.mark.parametrize("limit", ["much", "-1", "nan"])
def test_a_limit_that_is_none(cache, monkeypatch, limit):
    monkeypatch.setenv("MDNB_CACHE_LIMIT", limit)
    with pytest.raises(DataError, match=r"MDNB_CACHE_LIMIT = .*: expected how many GB the feature stores may take"):
        make_room(cache, cache)


def test_a_finished_store_is_used_in_a_folder_that_is_only_read(opened, tmp_path, monkeypatch):
    expected = featurize(opened, "rmsd", cache=tmp_path / "cache")

    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("mdnb.features.store.locked", refuse)
    assert featurize(opened, "rmsd", cache=tmp_path / "cache").values.tobytes() == expected.values.tobytes()
    with pytest.raises(DataError, match="cannot be used for a cache of features"):
        featurize(opened, "torsions", cache=tmp_path / "cache")


def test_a_file_system_without_locks_is_said(opened, tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    made = featurize(opened, "rmsd", cache=tmp_path / "cache")
    assert "is on a file system without locks: one process at a time" in caplog.text
    assert made.values.tobytes() == featurize(opened, "rmsd", cache=None).values.tobytes()

"""The index of frames on disk: when it is written and where, when it holds, and that a damaged one is made again."""

import json
import os
import shutil
import zlib
from contextlib import nullcontext

import numpy as np
import pytest
from writers import WRITERS, everything

import mdnb
from mdnb.errors import DataError
from mdnb.formats import frame_index, open_trajectory
from mdnb.formats.frame_index import index_paths, load_index, save_index

INDEXED = ("xtc", "trr", "pdb", "xyz", "lammpstrj")


@pytest.fixture(params=INDEXED)
def path(request, sample, tmp_path, monkeypatch):
    """A file that counts as large and slow, in a folder of its own."""
    monkeypatch.setattr(frame_index, "SMALLEST", 0)
    monkeypatch.setattr(frame_index, "SLOW", 0.0)
    monkeypatch.setenv("MDNB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    made = tmp_path / "data" / f"a.{request.param}"
    WRITERS[request.param](made, sample)
    return made


def frames_of(path):
    file = open_trajectory(path)
    return file.read(0, file.n_frames, 1, None, file.has_velocities, file.has_forces)


def same(one, other):
    return all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True)
        for name in ("positions", "velocities", "forces", "time", "box")
        if getattr(one, name) is not None or getattr(other, name) is not None
    )


def count_reads(monkeypatch, path):
    """Return a list that grows with what is searched for frames."""
    seen = []
    cls = type(open_trajectory(path))
    for name in ("_find", "_frame_end", "_header"):
        if hasattr(cls, name):
            original = getattr(cls, name)
            monkeypatch.setattr(
                cls, name, lambda self, data, at, *rest, do=original: seen.append(at) or do(self, data, at, *rest)
            )
    return seen


def test_a_second_opening_does_not_search(path, monkeypatch):
    first = frames_of(path)
    index = index_paths(path)[0]
    assert index.is_file()
    assert not [name for name in os.listdir(path.parent) if name.endswith(".partial")]
    seen = count_reads(monkeypatch, path)
    seen.clear()
    assert same(frames_of(path), first)
    kind = {".xtc": "XTC", ".trr": "TRR"}.get(path.suffix) or type(open_trajectory(path)).__name__
    end = int(load_index(path, kind, ())["starts"][-1])
    assert all(at in (0, end) for at in seen)  # XTC and TRR look at a first header


def test_small_or_fast_files_get_none(sample, tmp_path, monkeypatch):
    monkeypatch.setenv("MDNB_CACHE", str(tmp_path / "cache"))
    for suffix in INDEXED:
        WRITERS[suffix](tmp_path / f"a.{suffix}", sample)
        open_trajectory(tmp_path / f"a.{suffix}")
    assert not [path for path in tmp_path.rglob("*") if "index" in path.name]
    monkeypatch.setattr(frame_index, "SMALLEST", 0)
    assert save_index(tmp_path / "a.xtc", "XTC", {"starts": np.arange(3)}, 0.005) is None


def test_in_the_cache_where_the_folder_is_read_only(path, monkeypatch):
    real = frame_index.write_whole

    def no(place, write):
        if place.parent == path.parent:
            raise PermissionError("read only")
        real(place, write)

    monkeypatch.setattr(frame_index, "write_whole", no)
    first = frames_of(path)
    beside, cached = index_paths(path)
    assert (beside.exists(), cached.exists()) == (False, True)
    assert str(cached).startswith(os.environ["MDNB_CACHE"])
    assert same(frames_of(path), first)


def test_nowhere_to_write(path, monkeypatch):
    def no(*args, **settings):
        raise PermissionError("read only")

    monkeypatch.setattr(frame_index, "write_whole", no)
    assert len(frames_of(path).positions) == 30
    assert not any(place.exists() for place in index_paths(path))


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "text", "json", "numbers", "other kind"])
def test_a_damaged_index_is_made_again(path, damage):
    first = frames_of(path)
    index = index_paths(path)[0]
    content = index.read_bytes()
    line, _, rest = content.partition(b"\n")
    spoiled = {
        "cut": content[:-8],
        "flip": content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
        "empty": b"",
        "text": b"hello\nworld",
        "json": b"[" * 100_000 + b"\n",
        "numbers": line.replace(b'"starts": 31', b'"starts": 10000000000') + b"\n" + rest,
        "other kind": line.replace(b'"kind": "', b'"kind": "X') + b"\n" + rest,
    }[damage]
    assert spoiled != content
    index.write_bytes(spoiled)
    assert same(frames_of(path), first)
    assert index.read_bytes() == content


def test_a_changed_file_is_searched_again(path, sample):
    frames_of(path)
    half = type(sample)(**{**vars(sample), **{n: getattr(sample, n)[:12] for n in vars(sample) if n != "topology"}})
    WRITERS[path.suffix[1:]](path, half)
    assert len(frames_of(path).positions) == 12
    content = path.read_bytes()  # of the same size, but not the same
    start = len(content) // 2
    path.write_bytes(content[:start] + b"\0" * 40 + content[start + 40 :])
    os.utime(path, ns=(1, 1))
    try:
        frames_of(path)
    except DataError:
        pass
    else:
        assert load_index(path, "none", ("starts",)) is None


@pytest.mark.parametrize("count", [-1, 0, 10**12, 2**70, 1.5, "3"])
def test_an_index_of_false_numbers(path, count):
    first = frames_of(path)
    index = index_paths(path)[0]
    head = json.loads(index.read_bytes().partition(b"\n")[0])
    head |= {"checksum": zlib.crc32(b""), "arrays": {"starts": count}}
    index.write_bytes(json.dumps(head).encode() + b"\n")
    assert load_index(path, head["kind"], ("starts",)) is None
    assert same(frames_of(path), first)


def test_an_index_larger_than_its_data_is_not_read(path):
    first = frames_of(path)
    with index_paths(path)[0].open("r+b") as file:
        file.truncate(2**43)
    assert same(frames_of(path), first)


def test_a_growing_file(path, sample, monkeypatch, pdb):
    """A frame that is half there is left out; once it is whole it is read, and only what was added is searched."""
    whole = path.read_bytes()
    reference = frames_of(path)
    starts = open_trajectory(path)._starts if hasattr(open_trajectory(path), "_starts") else None
    starts = open_trajectory(path)._offsets.starts if starts is None else starts
    shutil.rmtree(os.environ["MDNB_CACHE"], ignore_errors=True)
    index_paths(path)[0].unlink()
    grown = path.with_name(f"b{path.suffix}")
    for frame, extra in ((10, 50), (20, 0), (20, 60), (25, 70)):
        grown.write_bytes(whole[: int(starts[frame]) + extra])
        with pytest.raises(DataError, match="it is truncated") if extra else nullcontext():
            mdnb.load(grown, top=pdb)
        loaded = mdnb.load(grown, top=pdb, allow_truncated=True)
        assert loaded.n_frames == frame
        assert np.array_equal(everything(loaded)["positions"], reference.positions[:frame])
    seen = count_reads(monkeypatch, grown)
    seen.clear()
    grown.write_bytes(whole)
    assert same(frames_of(grown), reference)
    assert min(at for at in seen if at) >= int(starts[25])


def test_what_was_opened_stays_while_the_file_grows(path, pdb):
    whole = path.read_bytes()
    file = open_trajectory(path)
    cut = int((file._offsets.starts if path.suffix == ".trr" else file._starts)[15])
    path.write_bytes(whole[:cut])
    loaded = mdnb.load(path, top=pdb)
    first = everything(loaded)
    with path.open("ab") as more:
        more.write(whole[cut : cut + 1000])
    assert all(np.array_equal(values, first[name], equal_nan=True) for name, values in everything(loaded).items())


def test_trr_of_several_layouts(sample, pdb, tmp_path, monkeypatch):
    """Velocities in every other frame: the index knows which frame has them."""
    from test_formats import trr_frame

    monkeypatch.setattr(frame_index, "SMALLEST", 0)
    monkeypatch.setattr(frame_index, "SLOW", 0.0)
    frames = []
    for i in range(30):
        extra = {"v": sample.velocities[i]} if i % 2 else {"f": sample.forces[i], "b": sample.box[i]}
        frames.append(trr_frame(i, sample.time[i], 4, x=sample.positions[i], **extra))
    (tmp_path / "a.trr").write_bytes(b"".join(frames))
    for _ in range(2):
        file = open_trajectory(tmp_path / "a.trr")
        assert (file.n_frames, file.has_velocities, file.has_forces) == (30, False, False)
        assert np.array_equal(file.read(0, 30, 1, None, False, False).positions, sample.positions)
        assert np.array_equal(file.read(0, 30, 2, None, False, False).box, sample.box[::2])
    assert index_paths(tmp_path / "a.trr")[0].is_file()

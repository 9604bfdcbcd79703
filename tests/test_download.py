"""Downloads against a server on this machine: whole or not there, continued, checked, refused in time."""

import hashlib
import io
import json
import os
import tarfile
import threading
import zipfile

import pytest
from web import serving

from mdnb.errors import DataError
from mdnb.files import size_text
from mdnb.progress import watched
from mdnb.sources import download as module
from mdnb.sources import web as requests
from mdnb.sources.archives import unpack
from mdnb.sources.download import download
from mdnb.sources.remote import Remote
from mdnb.sources.web import mirrored

CONTENT = os.urandom(700_000)
SHA = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def web(monkeypatch):
    monkeypatch.setattr(requests, "PAUSES", (0.0, 0.0))
    monkeypatch.delenv("MDNB_MIRROR", raising=False)
    with serving() as served:
        served.files["/a.bin"] = CONTENT
        yield served


def get(web, folder, checksum="", size=0, max_bytes=1e9, path="/a.bin"):
    return download(Remote(web.url + path, "a.bin", checksum, size), folder, max_bytes)


def left(folder):
    return sorted(one.name for one in folder.iterdir())


@pytest.mark.parametrize("checksum", ["", f"sha256:{SHA}", f"md5:{MD5}", f"md5:{MD5.upper()}"])
def test_a_file_comes_whole_and_is_not_asked_for_again(web, tmp_path, checksum):
    path = get(web, tmp_path / "new" / "folder", checksum, len(CONTENT))
    assert path.read_bytes() == CONTENT
    assert left(path.parent) == ["a.bin", "a.bin.json"]
    record = json.loads((path.parent / "a.bin.json").read_text())
    assert record["sha256"] == SHA
    assert record["size"] == len(CONTENT)
    assert get(web, path.parent, checksum) == path
    assert len(web.asked) == 1


def test_what_is_cut_off_is_continued(web, tmp_path):
    web.cuts = [200_000, 100_000]
    assert get(web, tmp_path).read_bytes() == CONTENT
    assert [one for _, one in web.asked] == ["", "bytes=200000-", "bytes=300000-"]
    assert left(tmp_path) == ["a.bin", "a.bin.json"]


def test_a_server_without_ranges_starts_again(web, tmp_path):
    web.ranges, web.cuts = False, [200_000]
    assert get(web, tmp_path).read_bytes() == CONTENT
    assert [one for _, one in web.asked] == ["", ""]


def test_the_next_call_continues_what_the_last_one_left(web, tmp_path):
    web.cuts = [50_000] + 5 * [0]
    with pytest.raises(DataError, match=r"cannot reach 127.0.0.1.*HTTPS_PROXY.*MDNB_MIRROR.*by hand.*put it at"):
        get(web, tmp_path)
    assert left(tmp_path) == [".partial-a.bin", ".partial-a.bin.json"]
    web.cuts, web.asked = [], []
    assert get(web, tmp_path).read_bytes() == CONTENT
    assert web.asked == [("/a.bin", "bytes=50000-")]


def test_what_changed_meanwhile_starts_again(web, tmp_path):
    web.cuts = [50_000] + 5 * [0]
    with pytest.raises(DataError, match="cannot reach"):
        get(web, tmp_path)
    web.cuts, web.files["/a.bin"] = [], CONTENT[::-1]
    assert get(web, tmp_path).read_bytes() == CONTENT[::-1]


def test_what_became_shorter_starts_again(web, tmp_path):
    (tmp_path / ".partial-a.bin").write_bytes(CONTENT + b"more")
    tag = f'"{SHA[:16]}"'
    (tmp_path / ".partial-a.bin.json").write_text(json.dumps({"validator": tag}))
    assert get(web, tmp_path).read_bytes() == CONTENT
    assert [one for _, one in web.asked] == ["bytes=700004-", ""]


def test_a_wrong_checksum_leaves_nothing(web, tmp_path):
    with pytest.raises(DataError, match=r"a.bin has the md5 \w+, expected 0+ \(published\); it was damaged"):
        get(web, tmp_path, "md5:" + "0" * 32)
    assert left(tmp_path) == []


def test_the_checksum_that_a_redirect_tells_is_checked(web, tmp_path):
    web.redirects["/hub"] = ("/a.bin", {"X-Linked-ETag": f'"{SHA}"'})
    assert get(web, tmp_path / "right", path="/hub").read_bytes() == CONTENT
    web.redirects["/hub"] = ("/a.bin", {"X-Linked-ETag": '"' + "0" * 64 + '"'})
    with pytest.raises(DataError, match="told by the server"):
        get(web, tmp_path / "wrong", path="/hub")


def test_the_first_download_is_pinned(web, tmp_path):
    path = get(web, tmp_path)
    path.unlink()
    web.files["/a.bin"] = CONTENT[::-1]
    with pytest.raises(DataError, match=r"of the first download\).*delete a.bin.json beside it to accept the new one"):
        get(web, tmp_path)
    (tmp_path / "a.bin.json").unlink()
    assert get(web, tmp_path).read_bytes() == CONTENT[::-1]


def test_a_wrong_size_is_refused(web, tmp_path):
    with pytest.raises(DataError, match="has 700,000 bytes, expected 1,813"):
        get(web, tmp_path, size=1813)
    assert left(tmp_path) == []


@pytest.mark.parametrize("told", [True, False])
def test_the_limit_is_kept(web, tmp_path, told):
    web.length = told
    with pytest.raises(DataError, match=r"more than max_gb=0.0003; ask for it with max_gb=.* or more; or .*put it at"):
        get(web, tmp_path, max_bytes=3e5)
    assert left(tmp_path) == []


def test_a_full_disk_is_told_before(web, tmp_path, monkeypatch):
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    with pytest.raises(DataError, match=r"has 700 kB, and .* has 1 kB free; make room"):
        get(web, tmp_path)


def test_a_file_put_there_by_hand_is_checked_and_taken(web, tmp_path):
    (tmp_path / "a.bin").write_bytes(CONTENT)
    assert get(web, tmp_path, f"sha256:{SHA}").read_bytes() == CONTENT
    assert web.asked == []
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "a.bin").write_bytes(b"other")
    with pytest.raises(DataError, match="expected"):
        get(web, tmp_path / "b", f"sha256:{SHA}")


def test_errors_of_the_server(web, tmp_path):
    web.failures = [503, 429]
    assert get(web, tmp_path).read_bytes() == CONTENT
    with pytest.raises(DataError, match=r"has no /b.bin \(HTTP 404\); is the entry's name right"):
        get(web, tmp_path / "b", path="/b.bin")
    web.failures = [403]
    with pytest.raises(DataError, match=r"does not give .* to everybody \(HTTP 403\); or download"):
        get(web, tmp_path / "c")
    web.failures = [500, 500, 500]
    with pytest.raises(DataError, match=r"answers HTTP 500 .*try later"):
        get(web, tmp_path / "d")


def test_a_watcher_can_stop_it_and_it_goes_on_later(web, tmp_path):
    seen = []

    def watch(done, total):
        seen.append((done, total))
        if done > 100_000:
            raise KeyboardInterrupt

    web.hold = 150_000
    with watched(watch), pytest.raises(KeyboardInterrupt):
        get(web, tmp_path)
    assert seen[-1][1] == len(CONTENT)
    web.hold, web.asked = None, []
    web.go.set()
    assert get(web, tmp_path).read_bytes() == CONTENT
    assert web.asked[0][1].startswith("bytes=")


def test_two_at_once(web, tmp_path):
    pytest.importorskip("fcntl")
    web.hold = 1000
    done, begun = [], threading.Event()

    def watch():
        with watched(lambda *_: begun.set()):
            done.append(get(web, tmp_path))

    first = threading.Thread(target=watch)
    first.start()
    assert begun.wait(30)
    with pytest.raises(DataError, match="is being downloaded by another process"):
        get(web, tmp_path)
    web.go.set()
    first.join()
    assert done[0].read_bytes() == CONTENT


def test_a_stalled_server_is_given_up(web, tmp_path, monkeypatch):
    monkeypatch.setattr(requests, "TIMEOUT", 0.1)
    web.hold = 0
    with pytest.raises(DataError, match="cannot reach"):
        get(web, tmp_path)


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/a.bin", "file:///etc/passwd"])
def test_redirects_stay_on_the_web(web, tmp_path, target):
    web.redirects["/hub"] = (target, {})
    with pytest.raises(DataError, match=r"which is not followed|HTTP 302"):
        get(web, tmp_path, path="/hub")


def test_what_is_no_address_or_name():
    with pytest.raises(DataError, match="is no address of the web"):
        Remote("file:///etc/passwd", "a")
    for name in ("../a", "a/b", "", ".hidden", "a\n"):
        with pytest.raises(DataError, match="cannot be the name of a file"):
            Remote("https://a.b/c", name)


def test_mirrors(monkeypatch):
    monkeypatch.setenv("MDNB_MIRROR", "https://mirror.example/md/")
    assert mirrored("https://a.b/c?d=e") == "https://mirror.example/md/a.b/c?d=e"
    monkeypatch.setenv("MDNB_MIRROR", "/some/folder")
    with pytest.raises(DataError, match="MDNB_MIRROR='/some/folder' is no address"):
        mirrored("https://a.b/c")


def test_size_text():
    assert [size_text(n) for n in (0, 999, 1500, 2.5e6, 1.33e11, 4e12)] == [
        "0 B", "999 B", "1.5 kB", "2.5 MB", "133 GB", "4 TB"
    ]  # fmt: skip


# --- archives -------------------------------------------------------------------------------------------------------


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def test_members_are_unpacked_without_their_folders(tmp_path):
    archive = zipped(tmp_path / "a.zip", [("x/a_R1.xtc", b"1"), ("x/a_R2.xtc", b"22"), ("README.txt", b"no")])
    found = unpack(archive, r"a_R\d\.xtc", tmp_path / "out")
    assert [(one.name, one.read_bytes()) for one in found] == [("a_R1.xtc", b"1"), ("a_R2.xtc", b"22")]
    assert left(tmp_path / "out") == ["a_R1.xtc", "a_R2.xtc"]
    changed = found[0].stat().st_mtime_ns
    assert unpack(archive, r"a_R1\.xtc", tmp_path / "out")[0].stat().st_mtime_ns == changed
    zipped(archive, [("x/a_R1.xtc", b"3")])  # another one of the same size
    os.utime(archive, ns=(changed + 10**9, changed + 10**9))
    assert unpack(archive, r"a_R1\.xtc", tmp_path / "out")[0].read_bytes() == b"3"


def test_tar_members_and_no_links(tmp_path):
    with tarfile.open(tmp_path / "a.tar.bz2", "w:bz2") as archive:
        for name, kind in (("rmd17/x.npz", tarfile.REGTYPE), ("rmd17/y.npz", tarfile.SYMTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, "/etc/passwd", 3 if kind == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(b"abc"))
    assert [one.name for one in unpack(tmp_path / "a.tar.bz2", r".*\.npz", tmp_path / "out")] == ["x.npz"]


@pytest.mark.parametrize("name", ["../a.xtc", "/etc/a.xtc", "x/../../a.xtc", "..\\a.xtc", "C:\\a.xtc"])
def test_members_that_lead_outside(tmp_path, name):
    archive = zipped(tmp_path / "a.zip", [(name, b"1")])
    with pytest.raises(DataError, match="would be written outside its folder"):
        unpack(archive, ".*", tmp_path / "out")
    assert left(tmp_path / "out") == []


def test_a_bomb(tmp_path):
    archive = zipped(tmp_path / "a.zip", [("a.xtc", bytes(30_000_000))])
    with pytest.raises(DataError, match="more than 100 times its own size"):
        unpack(archive, ".*", tmp_path / "out")
    assert left(tmp_path / "out") == []


def test_a_member_that_lies_about_its_size(tmp_path):
    archive = zipped(tmp_path / "a.zip", [("a.xtc", os.urandom(5000))])
    raw = archive.read_bytes()
    archive.write_bytes(raw.replace((5000).to_bytes(4, "little"), (100).to_bytes(4, "little")))
    with pytest.raises(DataError, match=r"a.zip"):
        unpack(archive, ".*", tmp_path / "out")
    assert left(tmp_path / "out") == []


def test_damaged_archives(tmp_path):
    for name in ("a.zip", "a.tar.bz2"):
        (tmp_path / name).write_bytes(b"no archive at all")
        with pytest.raises(DataError, match="cannot be unpacked"):
            unpack(tmp_path / name, ".*", tmp_path / "out")
    twice = zipped(tmp_path / "b.zip", [("x/a.xtc", b"1"), ("y/a.xtc", b"2")])
    with pytest.raises(DataError, match=r"holds two files called 'a.xtc'"):
        unpack(twice, ".*", tmp_path / "out")

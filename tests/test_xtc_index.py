"""XTC: where its frames are found, and that scattered ones are read alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mdnb
from mdnb.errors import DataError
from mdnb.formats.xtc import XTCFile


@pytest.mark.parametrize("spoil", ["nothing", "tail", "mark", "atoms", "size", "no size"])
def test_the_compiled_search_for_frames_is_the_plain_one(tmp_path, chignolin, monkeypatch, spoil):
    chignolin.frames(range(50)).save_xtc(str(tmp_path / "a.xtc"))
    data = bytearray((tmp_path / "a.xtc").read_bytes())
    start = int(XTCFile(tmp_path / "a.xtc")._starts[30])
    if spoil == "tail":
        del data[-5:]
    elif spoil != "nothing":
        place = {"mark": 0, "atoms": 4, "size": 88, "no size": 88}[spoil]
        data[start + place : start + place + 4] = b"\0\0\0\0" if spoil == "no size" else b"\x7f\xff\xff\xff"
    (tmp_path / "a.xtc").write_bytes(data)

    def opened():
        try:
            file = XTCFile(tmp_path / "a.xtc")
        except DataError as error:
            return str(error)
        return file.n_frames, file.truncated, file._starts.tolist(), file._times.tolist()

    plain = opened()
    monkeypatch.setattr("mdnb.formats.xtc._LARGE", 0)
    assert opened() == plain
    assert (plain[:2] == (50, "")) == (spoil == "nothing")


def test_scattered_frames_are_read_alone(tmp_path, chignolin):
    frames = chignolin.frames(range(50))
    frames.save_xtc(str(tmp_path / "a.xtc"))
    file = XTCFile(tmp_path / "a.xtc")
    whole = file.read(0, 50, 1, None, False, False)
    for stride in (2, 7, 60):
        some = file.read(3, 50, stride, None, False, False)
        assert np.array_equal(some.positions, whole.positions[3:50:stride])
        assert np.array_equal(some.time, whole.time[3:50:stride])
        data, _ = file._compressed(range(3, 50, stride))
        assert len(data) == np.diff(file._starts)[3:50:stride].sum() + 16


def test_compiled_code_lies_in_the_users_folder_where_the_package_cannot_be_written(tmp_path):
    """A file in place of ``__pycache__`` keeps even root from writing there."""
    package = Path(mdnb.__file__).parent
    copy = tmp_path / "site-packages" / "mdnb"
    for source in [*package.glob("*.py"), *(package / "formats").glob("*.py")]:
        target = copy / source.relative_to(package)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    (copy / "formats" / "__pycache__").write_text("")
    code = (
        "import numpy as np\n"
        "from mdnb.formats import xtc_index\n"
        "data, starts, times = np.zeros(200, np.uint8), np.zeros(3, np.int64), np.zeros(3, np.uint32)\n"
        "assert xtc_index.scan_frames(data, 0, 22, starts, times) == (0, 0)\n"
        "print(xtc_index.__file__)"
    )
    home = tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(copy.parent), "HOME": str(home), "USERPROFILE": str(home)}
    environment.update(XDG_CACHE_HOME=str(home), LOCALAPPDATA=str(home))
    environment.pop("NUMBA_CACHE_DIR", None)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(copy)
    assert [path for path in home.rglob("*.nbi") if path.name.startswith("xtc_index")]
    assert not list(copy.rglob("*.nbi"))

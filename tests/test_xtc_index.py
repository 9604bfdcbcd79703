"""XTC: where its frames are found, and that scattered ones are read alone."""

import numpy as np
import pytest

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

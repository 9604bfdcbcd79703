"""Health in the TrajectoryPicker: headers at once, every frame on a click, in a thread that can be stopped."""

import threading
import time

import pytest

import mdnb
from mdnb.errors import DataError


def wait_for(condition):
    """Poll for something that a thread does."""
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        threading.Event().wait(0.02)


@pytest.fixture
def sick(tmp_path):
    """A folder with a file cut off, one that is none, and two that are copies of each other."""
    dipeptide = mdnb.example("alanine-dipeptide").frames(range(0, 300, 10))
    for name in ("one", "two"):
        dipeptide.save_xtc(str(tmp_path / f"{name}.xtc"))
    dipeptide[0].save_pdb(str(tmp_path / "z-dipeptide.pdb"))
    mdnb.example("chignolin").frames([0])[0].save_pdb(str(tmp_path / "a-peptide.pdb"))
    (tmp_path / "cut.xtc").write_bytes((tmp_path / "one.xtc").read_bytes()[:-40])
    (tmp_path / "bad.xtc").write_bytes(b"<script>" * 20)
    return tmp_path


def test_the_headers_of_chosen_files_are_looked_at(sick):
    picker = mdnb.TrajectoryPicker(sick)
    controls = (picker.widget, picker._controls)[1]
    controls.source.value = "files in a folder"
    assert controls.health.value == ""
    controls.files.value = ("one.xtc",)
    assert "headers in order" in controls.health.value
    assert ">30</td>" in controls.health.value
    assert ">22</td>" in controls.health.value
    assert f"{(sick / 'one.xtc').stat().st_size / 1000:.3g} kB" in controls.health.value
    controls.files.value = ("one.xtc", "cut.xtc", "bad.xtc")
    text = controls.health.value
    assert "bytes are left of a frame after" in text
    assert "allow_truncated=True" in text
    assert "cannot be opened" in text
    assert "<script>" not in text
    controls.files.value = ("one.xtc",)
    controls.top.value = str(sick / "a-peptide.pdb")
    assert "it has 22 atoms, a-peptide.pdb has" in controls.health.value
    controls.files.value = ()
    assert controls.health.value == ""


def test_every_frame_is_checked_on_a_click(sick):
    picker = mdnb.TrajectoryPicker(sick)
    controls = (picker.widget, picker._controls)[1]
    assert controls.check.box.layout.display == "none"
    with pytest.raises(DataError, match="nothing is picked yet"):
        picker.check()
    picker.open_files([sick / "one.xtc", sick / "two.xtc"], top=sick / "z-dipeptide.pdb")
    assert controls.check.box.layout.display == "flex"
    controls.check.button.click()
    wait_for(lambda: not controls.check.thread.is_alive())
    assert "it is the same file, byte for byte, as one" in controls.check.result.value
    assert controls.check.button.description == "Check every frame"
    assert "byte for byte" in picker.static_html()
    assert not picker.health.ok
    picker.open_files([sick / "one.xtc"], top=sick / "z-dipeptide.pdb")
    assert picker.health is None
    assert controls.check.result.value == ""


def test_a_check_can_be_stopped(sick, monkeypatch):
    picker = mdnb.TrajectoryPicker(sick, files=sick / "one.xtc", top=sick / "z-dipeptide.pdb")
    controls = (picker.widget, picker._controls)[1]
    begun, go_on = threading.Event(), threading.Event()

    def check(progress):
        begun.set()
        go_on.wait(30)
        progress.update(1)
        raise AssertionError("was not stopped")

    monkeypatch.setattr(picker, "check", check)
    controls.check.button.click()
    assert begun.wait(30)
    assert controls.check.button.description == "Stop"
    controls.check.button.click()
    go_on.set()
    wait_for(lambda: not controls.check.thread.is_alive())
    assert "stopped" in controls.check.result.value
    monkeypatch.setattr(picker, "check", lambda progress: 1 / 0)
    controls.check.button.click()
    wait_for(lambda: not controls.check.thread.is_alive())
    assert "ZeroDivisionError" in controls.message.value

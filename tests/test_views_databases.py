"""Public databases in the TrajectoryPicker, without a browser: what is chosen, fetched, cancelled and told."""

import time

import pytest
import yaml
from database_files import DOMAIN, write_mdcath
from web import serving

import mdnb
from mdnb.errors import DataError
from mdnb.sources import web as requests

ADDRESS = f"https://huggingface.co/datasets/compsciencelab/mdCATH/resolve/main/data/mdcath_dataset_{DOMAIN}.h5"


@pytest.fixture
def web(monkeypatch, tmp_path, sample):
    monkeypatch.setattr(requests, "PAUSES", (0.0,))
    monkeypatch.setenv("MDNB_CACHE", str(tmp_path / "cache"))
    path = write_mdcath(tmp_path / "made.h5", sample.topology, sample.positions, sample.forces)
    with serving() as served:
        monkeypatch.setenv("MDNB_MIRROR", served.url)
        served.put(ADDRESS, path.read_bytes())
        yield served


@pytest.fixture
def picker(tmp_path):
    made = mdnb.TrajectoryPicker(tmp_path)
    yield made
    made.close()


def controls(picker):
    assert picker.widget is not None
    picker._controls.source.value = "a public database"
    return picker._controls.database


def told(picker):
    return picker._controls.message.value


def fetch(picker, entry=DOMAIN, **options):
    part = controls(picker)
    part.entry.value = entry
    part.form.values = {**part.form.values, **options}
    part.fetch.click()
    part.wait(60)
    return part


def test_an_entry_is_fetched_and_becomes_the_value(web, picker):
    part = fetch(picker, temperature=450, replica=1)
    assert told(picker) == ""
    assert picker.value.names == (f"mdcath_dataset_{DOMAIN}-450-1",)
    assert f"trajectories = mdnb.fetch('mdcath', '{DOMAIN}', temperature=450, replica=1)" in picker.code()
    assert yaml.safe_load(picker.parameters_yaml()) == {
        "database": "mdcath", "entry": DOMAIN, "options": {"temperature": 450, "replica": 1}
    }  # fmt: skip
    assert "is open" in part.status.value
    assert not part.fetch.disabled
    assert part.cancel.disabled
    again = mdnb.TrajectoryPicker(picker.folder.root, **picker.parameters())
    assert again.value.names == picker.value.names
    assert again.parameters() == picker.parameters()
    restored = controls(again)
    assert (restored.entry.value, restored.form.values["temperature"]) == (DOMAIN, 450)
    again.close()


def test_atoms_and_stride(web, picker):
    part = controls(picker)
    part.atoms.value, part.stride.value = "name CA", 3
    fetch(picker)
    assert picker.value.lengths == (10, 5)
    assert picker.parameters()["selection"] == "name CA"
    assert picker.parameters()["stride"] == 3


def test_what_is_known_is_shown_before(picker):
    part = controls(picker)
    for name, known in mdnb.databases().items():
        part.database.value = name
        for text in (known.licence, known.size):
            assert text in part.facts.value
        assert f"https://doi.org/{known.doi}" in part.facts.value or not known.doi
        assert known.example in part.entry.placeholder
        assert [field["name"] for field in part.form.fields] == [one.name for one in known.Options.settings()]
        assert part.entry.value == ""


def test_errors_stay_in_the_widget(web, picker):
    part = fetch(picker, entry="<script>alert(1)</script>")
    assert "has no entry" in told(picker)
    assert "<script>" not in told(picker)
    web.files.clear()
    fetch(picker)
    assert "(HTTP 404)" in told(picker)
    assert picker.value is None
    assert part.status.value == ""
    part.max_gb.value = 1e-6
    part.form.values = {**part.form.values, "replica": 7}
    assert "too large" in part.form.problems["replica"]
    fetch(picker)
    assert "too large; the most is 4" in told(picker)


def test_a_download_is_cancelled_and_goes_on_later(web, picker):
    web.hold = 20_000
    part = controls(picker)
    part.entry.value = DOMAIN
    part.fetch.click()
    end = time.monotonic() + 30
    while not part.status.value.startswith("Got"):  # it is told of a few blocks only
        assert time.monotonic() < end, part.status.value
    assert part.running
    assert part.bar.value > 0
    part.fetch.click()
    assert "has not ended yet" in told(picker)
    part.cancel.click()
    assert "Cancelled" in part.status.value
    web.go.set()
    part.wait(60)
    assert picker.value is None
    assert "Cancelled" in part.status.value
    web.hold, web.asked = None, []
    fetch(picker)
    assert picker.value is not None
    assert web.asked[0][1].startswith("bytes=")


def test_a_closed_picker_fetches_nothing_more(web, picker):
    web.hold = 20_000
    part = controls(picker)
    part.entry.value = DOMAIN
    part.fetch.click()
    picker.close()
    web.go.set()
    part.wait(60)
    assert picker.value is None


def test_one_source_only(tmp_path):
    with pytest.raises(DataError, match="got database='mdcath' and example: give one of the two"):
        mdnb.TrajectoryPicker(tmp_path, database="mdcath", entry=DOMAIN, example="chignolin")

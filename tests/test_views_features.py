"""The FeaturePicker without a browser: what applies, its size before it runs, the same as mdnb.featurize."""

import numpy as np
import pytest

import mdnb
from mdnb.errors import DataError, SpecError
from mdnb.features import FEATURIZERS
from mdnb.features.survey import options_of


@pytest.fixture(scope="module")
def trajectories():
    return mdnb.example("alanine-dipeptide")[:2]


@pytest.fixture
def picker(trajectories):
    made = mdnb.FeaturePicker(trajectories)
    yield made
    made.close()


def controls_of(picker):
    controls = (picker.widget, picker._controls)[1]
    assert controls.survey.wait(60)
    return controls


def test_size_is_known_before_it_runs(picker, trajectories):
    for name in ("torsions", "positions", "contact-map", "voxels"):
        picker.choose([name])
        n_columns, n_bytes = picker.size()
        values = mdnb.featurize(trajectories[0], name).values
        assert n_columns == values[0].size
        assert n_bytes == 2 * values.nbytes
    picker.choose(["torsions", "distances"])
    assert picker.size() == (4 + 25, 29 * 6000 * 4)
    assert picker.value is None


def test_what_does_not_apply_says_why(picker):
    controls = controls_of(picker)
    rows = {row["key"]: row for row in controls.table.rows}
    assert set(rows) == set(FEATURIZERS)
    reasons = {name: row["reason"] for name, row in rows.items() if row["reason"]}
    assert set(reasons) >= {
        "ca-distances", "contacts", "distance-map", "ligand-contacts", "radial-distribution", "residue-distances",
    }  # fmt: skip
    assert "CA atom" in reasons["ca-distances"]
    assert "box" in reasons["radial-distribution"]
    applies = [row["key"] for row in controls.table.rows if not row["reason"]]
    assert [row["key"] for row in controls.table.rows][: len(applies)] == applies
    without = mdnb.FeaturePicker(mdnb.example("alanine-dipeptide").frames(range(5)))
    assert "no velocities" in without.offer("velocities").reason


def test_too_many_pairs_are_not_even_named():
    import mdtraj

    topology = mdtraj.Topology()
    chain = topology.add_chain()
    for _ in range(3000):
        topology.add_atom("C", mdtraj.element.carbon, topology.add_residue("X", chain))
    frames = mdtraj.Trajectory(np.zeros((1, 3000, 3), np.float32), topology)
    assert "it would be about 4,500,000 columns" in mdnb.FeaturePicker(frames).offer("distances").reason


def test_compute_is_featurize(trajectories):
    picker = mdnb.FeaturePicker(trajectories, ["torsions", "distances"])
    made = picker.compute()
    expected = mdnb.featurize(trajectories, ["torsions", "distances"])
    assert picker.value is made
    assert np.array_equal(made.values, expected.values)
    assert made.names == expected.names
    names = {}
    exec(picker.code(), names)  # noqa: S102 - the code shown to the user is what is tested
    assert np.array_equal(names["features"].values, made.values)
    assert picker.parameters() == {"features_asked": "torsions,distances"}
    picker.choose(["torsions"])
    assert picker.value is None


def test_settings_reach_the_featurizer_and_the_code(trajectories):
    picker = mdnb.FeaturePicker(trajectories, mdnb.features.Torsions(kinds=("phi",)))
    assert picker.offer("torsions").shape == (2,)
    picker.set("torsions", kinds=("phi", "psi"), representation="angle")
    assert picker.compute().names == ("phi ALA2", "psi ALA2")
    assert "mdnb.features.Torsions(kinds=('phi', 'psi'), representation='angle')" in picker.code()
    assert "unknown kind of torsion 'phy': did you mean 'phi'" in picker.set("torsions", kinds=("phy",)).reason
    assert "torsions does not apply" in picker.problem()


@pytest.mark.parametrize("name", sorted(FEATURIZERS))
def test_every_setting_of_a_form_has_its_help(name):
    assert all(one.help for one in options_of(name)), [one.name for one in options_of(name) if not one.help]


def test_two_that_hold_the_same_columns_are_refused_beforehand():
    picker = mdnb.FeaturePicker(mdnb.example("chignolin")[0], ["ca-distances"])
    picker.set("distances", selection="name CA")
    picker.choose(["ca-distances", "distances"])
    assert "choose one of the two" in picker.problem()


def test_the_controls(picker):
    controls = controls_of(picker)
    controls.button.click()
    assert "nothing is chosen" in controls.message.value
    controls.table.set_state({"checked": ["torsions"]})
    assert controls.message.value == ""
    assert "4 columns of 6,000 frames: 96 kB of memory" in controls.total.value
    controls.table.set_state({"selected": "torsions"})
    assert controls._preview_job.wait(30)
    assert "sin phi ALA2" in controls.preview.value
    assert "<svg" in controls.preview.value
    assert controls.form.values["kinds"].startswith("phi, psi")
    controls.form.set_state({"values": {**controls.form.values, "kinds": "phi"}})
    assert "2 columns" in controls.total.value
    controls.table.set_state({"selected": "rmsd"})
    controls.form.set_state({"values": {**controls.form.values, "selection": "nam CA"}})
    assert "rmsd does not apply" in controls.preview.value
    controls.table.set_state({"selected": "contacts"})
    controls.form.set_state({"values": {**controls.form.values, "min_residues": 1.5}})
    assert "1.5 is not a whole number" in controls.form.problems["min_residues"]
    controls.button.click()
    assert picker.wait(60)
    assert "6,000 frames x 2 columns" in controls.status.value
    assert picker.value.names == ("sin phi ALA2", "cos phi ALA2")
    controls.foot.set_state({"opened": "code"})
    assert controls.foot.text == picker.code()


def test_computing_can_be_stopped_and_its_errors_are_shown(picker, monkeypatch):
    controls = controls_of(picker)
    picker.choose(["torsions"])
    right = type(picker.trajectories).read

    def stops(self, *given, **more):
        picker.job.stop()
        return right(self, *given, **more)

    monkeypatch.setattr(type(picker.trajectories), "read", stops)
    picker.start()
    assert picker.wait(60)
    assert picker.value is None
    assert picker.error == ""

    def fails(self, *given, **more):
        raise DataError("<the file> is gone: copy it again")

    monkeypatch.setattr(type(picker.trajectories), "read", fails)
    picker.start()
    assert picker.wait(60)
    assert "&lt;the file&gt; is gone" in controls.message.value


def test_names_from_files_are_escaped(trajectories):
    frames = trajectories.frames(range(3))
    frames.topology.residue(0).name = "<script>alert('x')</script>\n\U0001f41f\""
    picker = mdnb.FeaturePicker(frames, ["positions"])
    controls = controls_of(picker)
    controls.table.set_state({"selected": "positions"})
    picker.compute()
    for html in (controls.preview.value, picker.static_html()):
        assert "<script>" not in html
    assert "position &lt;script&gt;" in picker.static_html()  # in its preview
    picker.close()


def test_arguments_decide_where_nobody_clicks(trajectories, monkeypatch):
    monkeypatch.setenv("MDNB_REPORT", "1")
    assert "No features are chosen" in mdnb.FeaturePicker(trajectories)._repr_mimebundle_()[0]["text/html"]
    picker = mdnb.FeaturePicker(trajectories, chosen=["torsions"], n_jobs=2)
    picker.compute()
    data, _ = picker._repr_mimebundle_()
    assert set(data) == {"text/plain", "text/html"}
    assert "n_jobs=2" in data["text/html"]
    assert "sin phi ALA2" in data["text/html"]
    assert data["text/html"].count("<polyline") == 4  # the course of each column over a few frames
    picker.choose(["torsions", "rmsd", "radius-of-gyration", "sasa", "contacts"])
    assert "and 1 more features" not in picker.static_html()
    assert "and one more feature" in picker.static_html()
    picker.choose(["torsions"])
    picker.compute()
    assert "6,000 frames x 4" in data["text/html"]
    with pytest.raises(DataError, match="nothing is chosen"):
        mdnb.FeaturePicker(trajectories).compute()
    with pytest.raises(DataError, match="pick some first"):
        mdnb.FeaturePicker(None)
    with pytest.raises(SpecError, match="did you mean 'torsions'"):
        mdnb.FeaturePicker(trajectories, ["torsion"])

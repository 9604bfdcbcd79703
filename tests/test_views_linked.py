"""Explorer, ExplanationView and GenerationView without a browser: values, links, code, reports, nothing left behind."""

import gc
import threading

import ipywidgets
import mdtraj
import numpy as np
import pytest
import yaml
from traitlets import TraitError

import mdnb
from mdnb.errors import DataError, SpecError
from mdnb.figures.attributions import BARS, HEAT, SWARM, attributions_figure
from mdnb.figures.landscapes import POINTS
from mdnb.figures.still import plain
from mdnb.generation.distributions import Neighbours, beside, distributions
from mdnb.generation.measure import measured
from mdnb.views.explorer import read_frames, write_frames


@pytest.fixture(scope="module")
def trajectories():
    return mdnb.example("alanine-dipeptide")[:2]


@pytest.fixture(scope="module")
def torsions(trajectories):
    return mdnb.featurize(trajectories, "torsions")


@pytest.fixture(scope="module")
def explanations(trajectories, torsions):
    run = mdnb.fit(torsions, "basin", mdnb.CNN(), mdnb.Training(epochs=1, seed=0))
    return [mdnb.explain(run, torsions, n=12, output=name) for name in run.target.classes]


@pytest.fixture(scope="module")
def generator(trajectories):
    features = mdnb.featurize(trajectories, "internal-coordinates")
    return mdnb.fit(features, "end-to-end-distance", mdnb.VAE(latent=3, hidden=32), mdnb.Training(epochs=1, seed=0))


def clicked(controls, subplot, x, y):
    """Click as `static/marks.js` tells of it."""
    controls.marks._handle_custom_msg({"kind": "click", "axes": axes_of(subplot), "at": [x, y]}, [])


def drawn_around(controls, subplot, corners):
    controls.marks._handle_custom_msg({"kind": "around", "axes": axes_of(subplot), "corners": corners}, [])


def axes_of(subplot):
    at = subplot.index("y")
    return [subplot[:at], subplot[at:]]


def controls_of(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from controls_of(child)


def same_again(view, names):
    """Run the code that a widget shows, and return the view that it makes."""
    space = dict(names)
    exec(view.code(), space)  # noqa: S102 - the code shown to the user is what is tested
    return next(value for value in space.values() if isinstance(value, type(view)))


# --- Explorer -------------------------------------------------------------------------------------------------------


def test_a_lasso_chooses_among_all_frames(torsions):
    explorer = mdnb.Explorer(torsions, "phi ALA2", "psi ALA2", n_points=100)
    controls = (explorer.widget, explorer._controls)[1]
    drawn_around(controls, "xy", [[0, -180], [120, -180], [120, 180], [0, 180]])
    phi, psi = explorer.landscape.x.values, explorer.landscape.y.values
    wanted = np.flatnonzero((phi > 0) & (phi < 120) & (np.abs(psi) < 180))
    np.testing.assert_array_equal(explorer.value, wanted)
    assert explorer.frame in explorer.value
    stage = explorer._controls.stage.controls
    assert stage.slider.max == len(wanted) - 1
    stage.slider.set_state({"value": 3})
    assert explorer.frame == wanted[3] == stage.number.value
    marks = explorer._controls.marks
    assert marks.shapes[0]["at"] == [phi[wanted[3]], psi[wanted[3]]]
    assert [shape["at"] for shape in marks.shapes[1:]] == [[wanted[3]]] * 2
    points = np.frombuffer(marks.points, np.float32).reshape(-1, 3)
    np.testing.assert_allclose(points, np.stack([phi, psi, np.arange(len(phi))], axis=1)[wanted], rtol=1e-6)
    again = same_again(explorer, {"features": torsions, "trajectories": torsions.source})
    np.testing.assert_array_equal(again.value, explorer.value)
    assert again.frame == explorer.frame
    explorer.close()


def test_clicks_on_map_and_trace(torsions):
    explorer = mdnb.Explorer(torsions, "phi ALA2", "psi ALA2", temperature=500, colour="time")
    controls = (explorer.widget, explorer._controls)[1]
    clicked(controls, "xy", -140.0, 150.0)
    phi, psi = explorer.landscape.x.values, explorer.landscape.y.values
    assert len(explorer.value) > 1
    assert np.ptp(phi[explorer.value]) < 360 / 60 * 1.1
    assert np.hypot(phi[explorer.frame] + 140, psi[explorer.frame] - 150) < 5
    sent = []
    stage = explorer._controls.stage.controls
    for control in (stage.slider, stage.play, stage.number):
        control.send_state = sent.append
    clicked(controls, "xy", -70.0, -40.0)
    assert len(sent) == 3  # one message to each, with bounds and place
    for control in (stage.slider, stage.play, stage.number):
        del control.send_state
    clicked(controls, "x3y3", 4321.3, 0.0)
    assert explorer.frame == explorer.structure.value == 4321
    clicked(controls, "x2y2", 1e9, 0.0)
    assert explorer.frame == 5999
    chosen = explorer.value
    clicked(controls, "xy", 100.0, 170.0)
    assert "no frame lies there" in controls.message.value
    assert explorer.value is chosen
    drawn_around(controls, "x2y2", [[99.5, -400], [200.5, -400], [200.5, 400], [99.5, 400]])
    assert controls.message.value == ""
    assert explorer.value.tolist() == list(range(100, 201))
    assert explorer.parameters()["chosen"] == "100-200"
    assert yaml.safe_load(explorer.parameters_yaml())["temperature"] == 500
    again = same_again(explorer, {"features": torsions, "trajectories": torsions.source})
    assert again.value.tolist() == explorer.value.tolist()
    drawn_around(controls, "xy", [[10, -10], [11, -10], [11, -9]])
    assert "no frame lies in there" in explorer._controls.message.value
    explorer.close()


def test_the_value_from_python_and_the_keyboard(torsions):
    explorer = mdnb.Explorer(torsions, chosen="5-7,100")
    controls = (explorer.widget, explorer._controls)[1]
    assert explorer.value.tolist() == [5, 6, 7, 100]
    seen = []
    explorer.observe(lambda change: seen.append(change["new"].tolist()), "value")
    explorer.value = [9, 8, 8]
    explorer.value = (8, 9)
    assert seen == [[8, 9]]
    assert explorer.frame == 8
    assert "2 frames chosen" in controls.words.value
    with pytest.raises(TraitError, match="no frame 6000: there are 6000"):
        explorer.value = [6000]
    with pytest.raises(TraitError, match="expected whole numbers"):
        explorer.value = [1.5]
    for box, number in zip(controls.ends, (0, 180, -180, 180), strict=True):
        box.value = number
    controls.choose.click()
    assert (explorer.landscape.x.values[explorer.value] > 0).all()
    controls.clear.click()
    assert len(explorer.value) == 0
    assert controls.stage.controls.slider.max == 5999
    explorer.close()


def test_other_axes_in_place(torsions):
    explorer = mdnb.Explorer(torsions, "phi ALA2", "psi ALA2")
    controls = (explorer.widget, explorer._controls)[1]
    figure = controls.figure
    controls.y.value = "cos phi ALA2"
    assert controls.figure is figure
    assert figure.layout.yaxis.title.text == "cos phi ALA2"
    assert explorer.landscape.y.name == "cos phi ALA2"
    controls.colour.value = "trajectory"
    assert set(np.unique(figure.data[POINTS].marker.color)) == {0, 1}
    controls.x.value = "<b>nothing"
    assert "unknown quantity &#x27;&lt;b&gt;nothing" in controls.message.value
    assert explorer.landscape.x.name == "phi ALA2"
    controls.x.value = "phi ALA2"
    assert controls.message.value == ""
    controls.temperature.value = 300
    assert explorer.landscape.unit == "kJ/mol"
    explorer.close()


@pytest.mark.parametrize("frames", [[0], [3, 4, 5], [1, 3, 4, 9], list(range(50))])
def test_frames_in_few_letters(frames):
    assert read_frames(write_frames(np.array(frames))).tolist() == frames


def test_frames_that_are_no_text():
    with pytest.raises(SpecError, match="'9-3' is no range of frames"):
        read_frames("1,9-3")


# --- ExplanationView ------------------------------------------------------------------------------------------------


def test_bar_map_and_atom_choose_a_residue(explanations, trajectories):
    view = mdnb.ExplanationView(explanations, trajectories)
    controls = (view.widget, view._controls)[1]
    clicked(controls, "x2y2", 1.3, 0.5)
    assert view.value["residue"] == controls.residue.value == "ALA2"
    assert view.structure.residue == 1
    assert [(one["kind"], one["at"]) for one in controls.marks.shapes] == [("column", [0.5, 1.5]), ("row", [0.5, 1.5])]
    clicked(controls, "x3y3", 4.2, 1.9)
    assert view.value == {"output": explanations[0].output, "frame": int(explanations[0].frames[4]), "residue": "NME3"}
    assert controls.sample.value == 4
    np.testing.assert_allclose(view.structure.values, explanations[0].painted(by="residue", sample=4))
    limit = view.structure.picture.scale.limit
    assert limit == pytest.approx(np.abs(explanations[0].painted(sample=4)).max())
    controls.stage.controls.canvas.set_state({"picked": {"atom1": {"index": 8}}})
    assert view.value["residue"] == "ALA2"
    controls.stage.controls.canvas.set_state({"picked": {"atom1": {"index": 9}}})
    assert view.value["residue"] is None
    view.close()


def test_the_explanation_is_chosen_and_reproduced(explanations, trajectories):
    view = mdnb.ExplanationView(explanations, trajectories, by="residue")
    controls = (view.widget, view._controls)[1]
    controls.output.value = explanations[1].output
    controls.what.value = "one frame"
    controls.sample.value = 7
    assert view.explanation is explanations[1]
    assert view.sample == 7
    view.value = {"residue": "ACE1"}
    assert controls.residue.value == "ACE1"
    again = same_again(view, {"explanation": explanations, "trajectories": trajectories})
    assert again.value == view.value
    assert yaml.safe_load(view.parameters_yaml()) == view.value
    assert "Additivity error" in controls.words.value
    controls.check.click()
    controls.background.wait(60)
    assert view.explanation.checked is not None
    assert "above a random order" in controls.words.value
    assert threading.active_count() < 30
    for value, sentence in (
        ({"residue": "TRP9"}, "no residue 'TRP9'"),
        ({"frame": 1}, "frame 1 is not explained"),
        ({"output": "?"}, r"no explanation of '\?'"),
        ({"sample": 3}, "'sample' is nothing to choose"),
    ):
        with pytest.raises(TraitError, match=sentence):
            view.value = value
    with pytest.raises(DataError, match=r"expected what mdnb\.explain returns"):
        mdnb.ExplanationView([1])
    view.close()


def test_the_attributions_in_the_figure(explanations):
    made = explanations[0]
    figure = attributions_figure(made, by="feature", sample=3, residue=2)
    names, values = made.grouped("feature")
    rows = np.argsort(-np.abs(values).mean(0), kind="stable")[::-1]
    np.testing.assert_allclose(figure.data[SWARM].x, values[:, rows].T.ravel())
    assert list(figure.layout.yaxis.ticktext) == [names[row] for row in rows]
    np.testing.assert_allclose(figure.data[BARS].y, made.grouped("residue")[1][3])
    heat = figure.data[HEAT]
    assert heat.zmin == -heat.zmax
    np.testing.assert_allclose(heat.z, made.grouped("residue")[1].T)
    assert figure.layout.shapes[1].y0 == 1.5
    with pytest.raises(SpecError, match="sample = 99: there are 0 to 11"):
        attributions_figure(made, sample=99)


def test_in_a_window_the_residues_add_up(torsions):
    run = mdnb.fit(
        torsions, "basin", mdnb.CNN(), mdnb.Training(epochs=1, seed=0), window=mdnb.Window(length=5)
    )  # fmt: skip
    made = mdnb.explain(run, torsions, n=6)
    assert made.in_window(2).shape == (5, 3)
    np.testing.assert_allclose(made.in_window(2).sum(0), made.grouped("residue")[1][2], atol=1e-6)
    assert attributions_figure(made, sample=2).data[HEAT].z.shape == (3, 5)


# --- GenerationView -------------------------------------------------------------------------------------------------


def test_what_is_asked_for_comes_checked(generator, trajectories, tmp_path):
    view = mdnb.GenerationView(generator, trajectories, n=40, target="end-to-end-distance", root=tmp_path)
    controls = (view.widget, view._controls)[1]
    assert view.value is None
    assert "Nothing is generated yet" in controls.words.value
    controls.save.click()
    assert "nothing to save" in controls.message.value
    controls.given.value = True
    controls.number.value = 0.6
    controls.seed.value = 3
    start, said = controls.background.start, []
    controls.background.start = lambda *given: (said.append(controls.button.description), start(*given))
    controls.button.click()
    assert said == ["Generating ..."]  # before there is a thread that could be in the way of saying so
    controls.background.wait(60)
    assert controls.message.value == ""
    same = mdnb.generate(generator, 40, 0.6, seed=3, reference=trajectories)
    np.testing.assert_array_equal(view.value.structures.xyz, same.structures.xyz)
    assert view.rows()[-1] == ("all checks", int(same.valid.sum()), float(same.valid.mean()))
    assert f"{same.valid.sum()}</td>" in controls.table.value
    assert "asked for 0.6 nm; came" in controls.words.value
    assert view.structure.n_frames == 40
    assert view.structure.picture.n_atoms == 44
    again = same_again(view, {"run": generator, "trajectories": trajectories})
    np.testing.assert_array_equal(again.value.structures.xyz, same.structures.xyz)
    controls.stage.controls.slider.set_state({"value": 5})
    assert view.frame == 5
    assert "Structure 5 (right)" in controls.words.value
    figure = controls.figure
    controls.button.click()
    controls.background.wait(60)
    assert controls.figure is figure
    view.close()


def test_saving_never_leaves_the_folder(generator, trajectories, tmp_path):
    (tmp_path / "in").mkdir()
    made = mdnb.generate(generator, 5, reference=trajectories)
    view = mdnb.GenerationView(generator, trajectories, root=tmp_path / "in", generated=made)
    for name, sentence in (
        ("../out.pdb", "leads outside"),
        (str(tmp_path / "out.pdb"), "leads outside"),
        ("made.txt", r"ends with \.pdb"),
        ("no/such.pdb", "there is no folder"),
    ):
        with pytest.raises(DataError, match=sentence):
            view.save(name)
    assert not list(tmp_path.glob("out*"))
    again = mdtraj.load(str(view.save("made.xtc")), top=made.structures.topology)
    np.testing.assert_allclose(again.xyz, made.structures.xyz, atol=2e-3)


def test_only_those_that_fail_play(generator, trajectories):
    made = mdnb.generate(generator, 30, reference=trajectories)
    made.checks["clashes"][[3, 7]] = False
    for name in set(made.checks) - {"clashes"}:
        made.checks[name][[0, 3, 7]] = True
    view = mdnb.GenerationView(generator, trajectories, generated=made)
    view.show("those that fail")
    np.testing.assert_array_equal(view.structure.chosen, np.flatnonzero(~made.valid))
    view.frame = 7
    assert "fails clashes" in view.describe()
    with pytest.raises(TraitError, match=r"expected what mdnb\.generate returns"):
        view.value = 3
    with pytest.raises(SpecError, match="a CNN generates nothing"):
        mdnb.GenerationView(mdnb.fit(mdnb.featurize(trajectories[:1], "torsions"), "basin", mdnb.CNN(),
                                     mdnb.Training(epochs=1, seed=0)), trajectories)  # fmt: skip


def test_distributions_of_the_same_and_of_others(trajectories):
    real = trajectories.frames(slice(0, None, 20))
    for one in distributions(real[::2], real):
        assert one.distance < 0.25
    apart = mdtraj.Trajectory(real.xyz * 1.5, real.topology)
    found = {one.name: one for one in distributions(apart, real)}
    assert found["radius of gyration"].distance > 0.8
    assert found["radius of gyration"].floor < 0.5
    sizes = measured(real, "radius-of-gyration")  # as a run is asked for it, by mass
    np.testing.assert_allclose(found["radius of gyration"].generated, 1.5 * sizes, rtol=1e-5)
    edges, density, _ = found["phi ALA2"].histograms()
    assert (density * np.diff(edges)).sum() == pytest.approx(1)
    with pytest.raises(DataError, match="have 166 atoms, the reference 22"):
        distributions(mdnb.example("chignolin").frames([0]), real)


def test_the_most_similar_structure_and_both_beside_each_other(trajectories):
    real = trajectories.frames(slice(0, None, 50))
    turned = mdtraj.Trajectory(real.xyz[7][:, [1, 2, 0]] + 3, real.topology)
    place, distance = Neighbours(real).of(turned)
    assert place == 7
    assert distance < 1e-3
    both = beside(real[7], turned)
    assert both.n_atoms == 44
    left, right = both.xyz[0, :22], both.xyz[0, 22:]
    assert right[:, 0].min() - left[:, 0].max() == pytest.approx(0.5, abs=1e-4)
    np.testing.assert_allclose(right - right.mean(0), left - left.mean(0), atol=2e-3)


def test_what_came_is_measured_as_the_target_was(trajectories):
    features = mdnb.featurize(trajectories, "internal-coordinates")
    wanted = mdnb.targets.make_target(features, "end-to-end-distance").values
    np.testing.assert_allclose(
        measured(trajectories.frames([5, 99]), "end-to-end-distance"), wanted[[5, 99]], atol=1e-6
    )


# --- all three ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["Explorer", "ExplanationView", "GenerationView"])
def view(request, torsions, explanations, generator, trajectories, monkeypatch):
    def make():
        if request.param == "Explorer":
            return mdnb.Explorer(torsions, chosen=[3, 4])
        if request.param == "ExplanationView":
            return mdnb.ExplanationView(explanations, trajectories)
        return mdnb.GenerationView(
            generator, trajectories, generated=mdnb.generate(generator, 4, reference=trajectories)
        )

    return make


def test_a_report_shows_pictures_and_settings_but_no_widget(view, monkeypatch):
    monkeypatch.setenv("MDNB_REPORT", "1")
    shown = view()
    data, metadata = shown._repr_mimebundle_()
    assert set(data) == {"text/plain", "text/html", "image/png"}
    assert shown._controls is None
    assert data["text/html"].count("data:image/png") >= 2
    assert f"import mdnb\n\n{''}" in data["text/html"]
    assert metadata["image/png"]["alt"]


def test_every_control_has_a_label_and_a_message_place(view):
    shown = view()
    labelled = (
        ipywidgets.Text, ipywidgets.Dropdown, ipywidgets.BoundedIntText, ipywidgets.Button, ipywidgets.Combobox,
        ipywidgets.FloatText, ipywidgets.Checkbox,
    )  # fmt: skip
    controls = [one for one in controls_of(shown.widget) if isinstance(one, labelled)]
    assert len(controls) >= 5
    assert all(one.description for one in controls)
    assert shown._controls.message in list(controls_of(shown.widget))
    shown.close()


def test_opened_and_closed_fifty_times_nothing_is_left(view):
    shown = view()
    for _ in range(3):
        shown.widget  # noqa: B018 - makes it
        shown.close()
    gc.collect()
    known = ipywidgets.widgets.widget._instances
    before, threads = len(known), threading.active_count()
    observers = {name: len(found) for name, found in shown._trait_notifiers.items()}
    for _ in range(50):
        shown.widget  # noqa: B018 - makes it
        shown.close()
    gc.collect()
    assert len(known) <= before
    assert {name: len(found) for name, found in shown._trait_notifiers.items()} == observers
    for thread in threading.enumerate():  # nglview's ends at the next look at its queue
        if hasattr(thread, "ended") and thread.ended.is_set():
            thread.join(10)
    assert threading.active_count() <= threads


def test_names_are_shown_as_text(torsions, explanations, trajectories):
    from dataclasses import replace

    bad = '<script>alert("x")</script>\n🧬'
    columns = tuple(replace(one, name=f"{bad}{i}", group="") for i, one in enumerate(torsions.columns))
    explorer = mdnb.Explorer(replace(torsions, columns=columns))
    for text in (explorer.static_html(), (explorer.widget, explorer._controls.words.value)[1]):
        assert "<script>alert" not in text
    assert "<script>" not in explorer._controls.figure.layout.xaxis.title.text
    assert "<" in plain(explorer._controls.figure.layout.xaxis.title.text)
    explorer.close()
    shown = mdnb.ExplanationView(replace(explanations[0], output=bad), trajectories)
    assert "<script>alert" not in shown.static_html()
    assert "<script>" not in shown.figure().layout.title.text

"""What all widgets share: nothing is left of those that were closed, code that runs, YAML that is YAML."""

import gc
import math
import os
import sys
import threading
from functools import cache

import ipywidgets
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from learning_fixtures import FAST, features

import mdnb
from mdnb.views._figure import new_figure
from mdnb.views._job import Job
from mdnb.views._view import call_text, parameters_yaml


@cache
def source():
    return mdnb.example("alanine-dipeptide")[:2]


def tuner():
    return mdnb.Tuner(features(), "basin", mdnb.CNN(channels=4), training=mdnb.Training(epochs=1, **FAST))


def feature_picker():
    return mdnb.FeaturePicker(source()[0], ["torsions"])


def structure_view():
    return mdnb.StructureView(source())


def trajectory_picker():
    return mdnb.TrajectoryPicker(example="alanine-dipeptide")


VIEWS = [tuner, feature_picker, structure_view, trajectory_picker]


def memory() -> float:
    psutil = pytest.importorskip("psutil", reason="psutil measures the memory")
    gc.collect()
    return psutil.Process().memory_info().rss / 1e6


@pytest.fixture
def only_new_objects():
    """Keep the collector from searching all that earlier tests left, at each of its runs."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize("make", VIEWS)
def test_opened_and_closed_fifty_times_nothing_is_left(make, only_new_objects):
    def once():
        view = make()
        assert view._repr_mimebundle_()
        view.close()
        assert view._controls is None

    def left():
        return len(ipywidgets.widgets.widget._instances)

    def settled():
        for thread in threading.enumerate():  # nglview's ends at the next look at its queue
            if hasattr(thread, "ended"):
                thread.join(1)
        gc.collect()
        return threading.active_count(), sum(issubclass(type(one), ipywidgets.Widget) for one in gc.get_objects())

    for _ in range(5):
        once()
    n_widgets, (n_threads, n_objects) = left(), settled()
    for _ in range(25):
        once()
    halfway = memory()
    for _ in range(25):
        once()
    assert left() == n_widgets
    now = settled()
    assert now[0] <= n_threads
    # On a busy machine the last view's thread may not have ended; a widget kept by each opening would make fifty.
    assert now[1] < n_objects + 50
    assert memory() - halfway < 30


@pytest.mark.parametrize("make", VIEWS)
def test_a_closed_widget_can_be_opened_again(make):
    view = make()
    first = view.widget
    view.close()
    assert view.widget is not first
    view.close()


@pytest.mark.parametrize("make", VIEWS)
def test_code_runs_as_it_is_and_parameters_are_yaml(make):
    view = make()
    names = {}
    exec(view.code(), names)  # noqa: S102 - the code shown to the user is what is tested
    assert yaml.safe_load(view.parameters_yaml()) == view.parameters()


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.from_regex(r"[a-z]{3,8}_", fullmatch=True), values, max_size=3))
def test_any_parameters_are_yaml(parameters):
    found = yaml.safe_load(parameters_yaml(parameters))
    assert found == parameters or any(
        isinstance(one, float) and math.isclose(one, found[name]) for name, one in parameters.items()
    )


def test_long_calls_are_written_over_several_lines():
    assert call_text("f", "a", b=1) == "f(a, b=1)"
    long = call_text("mdnb.fit", "features", "x" * 100, seed=3)
    assert long.splitlines()[1] == "    features,"


def test_code_of_trajectories_and_features():
    whole = mdnb.example("chignolin")
    assert whole.code == "mdnb.example('chignolin')"
    assert whole[1:3].code == "mdnb.example('chignolin')[1:3]"
    assert whole[0].code == "mdnb.example('chignolin')[0]"
    assert mdnb.load(whole.frames([0, 1])).code == ""
    made = mdnb.featurize(whole[0], mdnb.features.Contacts(cutoff=0.5))
    assert made.code == "mdnb.featurize(trajectories, mdnb.features.Contacts(cutoff=0.5))"
    assert made.of_trajectories([0]).code.endswith(".of_trajectories([0])")


def test_a_page_that_comes_late_gets_the_figure_as_it_is():
    figure = new_figure()
    figure.update_layout(height=330, xaxis_title_text="epoch")
    figure.add_scatter(x=[1, 2], y=[3, 4], name="run 1")
    state = figure.get_state()
    assert state["_widget_layout"]["height"] == 330
    assert state["_widget_layout"]["xaxis"]["title"]["text"] == "epoch"
    assert [trace["name"] for trace in state["_widget_data"]] == ["run 1"]
    figure.layout.height = 331
    figure.data[0].name = "run 2"
    state = figure.get_state()
    assert (state["_widget_layout"]["height"], state["_widget_data"][0]["name"]) == (331, "run 2")
    figure.close()


def test_a_page_hears_of_a_figure_with_all_that_is_in_it(monkeypatch):
    comm = pytest.importorskip("comm")
    told = []

    class Told(comm.DummyComm):
        def publish_msg(self, msg_type, data=None, **more):
            if msg_type == "comm_open":
                told.append(data["state"])

    monkeypatch.setattr(comm, "create_comm", Told)
    figure = new_figure({"data": [{"type": "scatter", "x": [1, 2], "y": [3, 4]}], "layout": {"height": 330}})
    [state] = [one for one in told if "_widget_data" in one]
    assert state["_widget_layout"]["height"] == 330
    assert [trace["type"] for trace in state["_widget_data"]] == ["scatter"]
    assert state["_config"]["displaylogo"] is False
    figure.close()


def test_plotlys_code_goes_to_a_page_once(monkeypatch):
    from mdnb.views import _figure

    monkeypatch.setitem(_figure._page, "holds", False)
    first, second = new_figure(), new_figure()
    assert len(first._plotly_code) == len(second._plotly_code) > 1e6
    assert len(first._esm) < 10_000
    first._handle_custom_msg({"kind": "held"}, [])
    third = new_figure()
    assert third._plotly_code == ""
    sent = []
    monkeypatch.setattr(third, "send", lambda content, buffers: sent.append((content, buffers)))
    third._handle_custom_msg({"kind": "wanted"}, [])  # a page that was loaded anew
    [(content, [code])] = sent
    assert (content, code.decode()) == ({"kind": "plotly"}, first._plotly_code)
    for figure in (first, second, third):
        figure.close()


def test_work_in_a_thread_stands_still_while_a_callback_runs():
    from mdnb.views._live import shows_errors

    steps, inside, go_on = [], threading.Event(), threading.Event()

    class Callback:
        @shows_errors
        def run(self):
            until_stands(steps)
            inside.set()
            held = len(steps)
            go_on.wait(0.2)  # far less than it would stand still for
            assert len(steps) <= held + 1

        def show_error(self, text):
            raise AssertionError(text)

    def until_stands(steps):
        before = -1
        while before != len(steps):
            before = len(steps)
            go_on.wait(0.02)

    def work(job):
        while not job.stopped():
            steps.append(1)
            go_on.wait(0.001)

    job = Job(work, "test", lambda: None).start()
    while len(steps) < 5:
        go_on.wait(0.01)
    Callback().run()
    assert inside.is_set()
    after = len(steps)
    while len(steps) < after + 5:  # and goes on when that is over
        go_on.wait(0.01)
    job.stop()
    assert job.wait(5)


def test_no_button_over_a_figure_sends_it_away():
    figure = new_figure()
    assert figure._config["displaylogo"] is False
    [buttons] = figure._config["modeBarButtons"]  # named one by one: what plotly adds of its own is not there
    assert not any("cloud" in one.lower() or "share" in one.lower() for one in buttons)
    figure.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only whole processes are nicer than others")
def test_work_in_a_thread_lets_the_kernel_go_first():
    found = []

    def own() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def work(job):
        found.append(own())
        further = threading.Thread(target=lambda: found.append(own()))
        further.start()
        further.join()

    before = own()
    assert Job(work, "test", lambda: None).start().wait(30)
    assert found == [min(before + 5, 19)] * 2
    Job(lambda job: None, "test", lambda: None).run_here()
    assert own() == before

"""The Tuner without a browser: the same as mdnb.fit, held, stopped, continued, compared; the search."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from time import monotonic

import numpy as np
import pytest
from learning_fixtures import FAST, features, same_weights

import mdnb
from mdnb.errors import DataError, SpecError
from mdnb.training.plan import Plan
from mdnb.training.prepare import prepare
from mdnb.training.reference import reference_loss
from mdnb.views._attempts import best_of

SMALL = mdnb.CNN(channels=4, layers=1, hidden=16)
TRAINING = mdnb.Training(epochs=3, **FAST)
LONG = {"epochs": 100_000, "patience": 100_000}


def tuner(**options):
    return mdnb.Tuner(features(), "basin", SMALL, training=TRAINING, **options)


def until(check, seconds=60):
    end, wait = monotonic() + seconds, threading.Event()
    while not check():
        assert monotonic() < end, f"waited {seconds} s"
        wait.wait(0.005)


@pytest.fixture
def open_tuner(request):
    made = []

    def make(**options):
        made.append(tuner(**options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_train_is_fit_bit_for_bit(open_tuner):
    reference = mdnb.fit(features(), "basin", SMALL, TRAINING)
    made = open_tuner(start=True)
    assert same_weights(made.value, reference)
    assert made.value.history == reference.history
    attempt = made.start()
    assert made.wait(60)
    assert attempt.state == "finished"
    assert same_weights(attempt.run, reference)
    assert len(made.runs) == 2


def test_pause_holds_and_stop_takes_effect_within_a_second(open_tuner):
    made = open_tuner()
    made.set(**LONG)
    attempt = made.start()
    until(lambda: len(attempt.history) >= 2)
    assert attempt.samples_per_second > 0
    assert attempt.seconds_left > 0
    made.pause()
    assert attempt.state == "paused"
    until(lambda: made.job.held)
    seen, spent = attempt.n_seen, attempt.seconds
    features().flat().sum()  # some time passes
    assert (attempt.n_seen, attempt.seconds) == (seen, spent)
    made.resume()
    done = len(attempt.history)
    until(lambda: len(attempt.history) > done)
    begin = monotonic()
    made.stop()
    assert made.wait(5)
    assert monotonic() - begin < 1
    assert attempt.state == "stopped"
    assert made.value is attempt.run
    assert made.value.provenance["interrupted"]


def test_what_was_stopped_goes_on_to_the_same_weights(open_tuner):
    reference = mdnb.fit(features(), "basin", SMALL, mdnb.Training(epochs=8, **FAST))
    made = open_tuner()
    made.set(epochs=8)
    attempt = made.start()
    until(lambda: len(attempt.history) >= 2)
    made.stop()
    made.wait(10)
    if attempt.state == "stopped":  # it may have been faster
        made.resume()
        made.wait(60)
    assert attempt.state == "finished"
    assert attempt.run.history == reference.history
    assert same_weights(attempt.run, reference)
    assert [row["epoch"] for row in attempt.history] == list(range(1, 9))


def test_the_best_of_what_compares_is_kept_until_another_is_chosen(open_tuner):
    made = open_tuner()
    for rate in (1e-5, 5e-3):
        made.set(learning_rate=rate)
        made.train()
    assert made.value is made.runs[1]
    made.set(seed=1, learning_rate=1e-5)  # another split: its losses do not compare
    made.train()
    assert made.value is made.runs[2]
    assert best_of(made.attempts[:2]).number == 2
    made.keep(1)
    assert made.value is made.runs[0]
    made.train()
    assert made.value is made.runs[0]
    with pytest.raises(SpecError, match="no run 9 to keep; there are: 1, 2, 3, 4"):
        made.keep(9)


def test_code_and_parameters_make_the_same_run(open_tuner):
    made = open_tuner(start=True)
    names = {}
    exec(made.code(), names)  # noqa: S102 - the code shown to the user is what is tested
    assert same_weights(names["run"], made.value)
    assert 'family: "CNN"\ntarget: "basin"\nchannels: 4\n' in made.parameters_yaml()
    import yaml

    assert yaml.safe_load(made.parameters_yaml()) == made.parameters()


def test_runs_last_in_a_folder(tmp_path, open_tuner):
    first = open_tuner(out=tmp_path)
    first.train()
    first.set(**LONG)
    attempt = first.start()
    until(lambda: len(attempt.history) >= 1)
    first.stop()
    first.wait(10)
    again = open_tuner(out=tmp_path)
    assert [one.state for one in again.attempts] == ["finished", "stopped"]
    assert same_weights(again.attempts[0].run, first.attempts[0].run)
    again.resume()
    until(lambda: len(again.attempts[1].history) > len(attempt.history))
    again.stop()
    assert again.wait(10)
    other = mdnb.Tuner(features("positions"), "basin", "CNN", out=tmp_path)
    assert other.attempts == []


def test_two_trainings_take_turns(open_tuner):
    first, second = open_tuner(), open_tuner()
    first.set(**LONG)
    one = first.start()
    until(lambda: one.history)
    other = second.start()
    assert other.state == "waiting"
    with pytest.raises(SpecError, match="runs already"):
        first.start()
    first.stop()
    assert second.wait(60)
    assert same_weights(other.run, mdnb.fit(features(), "basin", SMALL, TRAINING))


def test_a_search_can_be_stopped_and_goes_on(tmp_path, open_tuner):
    made = open_tuner(out=tmp_path, search={"channels": (4, 8), "layers": (1, 2), "hidden": (4, 16)})
    made.start_search(1000)
    until(lambda: sum(one["state"] == "finished" for one in made.trials) >= 2)
    begin = monotonic()
    made.stop()
    assert made.wait(5)
    assert monotonic() - begin < 1.5
    assert made.error == ""
    n_done = len(made.study.trials)
    assert made.attempts[-1].run is made.study.run
    study = made.search(n_done + 1)
    assert len(study.trials) + sum(one["state"] == "pruned" for one in made.trials) >= n_done + 1


def test_a_search_on_disk_is_seen_and_continued_by_another_process(tmp_path, open_tuner):
    ranges = {"channels": (4, 8), "hidden": (4, 16)}
    other = f"from test_views_tuner import tuner\ntuner(out={str(tmp_path)!r}, search={ranges!r}).search(2)"
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(mdnb.__file__).parents[1])])
    subprocess.run(
        [sys.executable, "-c", other], check=True, timeout=120, env={**os.environ, "PYTHONPATH": path}
    )  # fmt: skip
    made = open_tuner(out=tmp_path, search=ranges)
    assert [one["state"] for one in made.trials] == ["finished"] * 2
    before = made.trials
    controls = (made.widget, made._controls)[1]
    assert str(tmp_path / "search") in controls.search.note.value
    assert controls.search.table.caption.startswith("2 trials")
    made.start_search(3)
    assert made.wait(120)
    assert made.trials[:2] == before
    assert [one["trial"] for one in made.trials] == [0, 1, 2]
    # And what others add meanwhile is there as soon as the search is unfolded.
    third = open_tuner(out=tmp_path, search=ranges)
    third.trials = ()
    controls = (third.widget, third._controls)[1]
    controls.search.unfold.value = True
    assert controls.search.table.caption.startswith("3 trials")
    assert open_tuner(out=tmp_path).trials == ()  # of other bounds: another search


@pytest.mark.parametrize("family", ["RNN", "CNNRNN", "VAE", "GAN"])
def test_every_family_is_trained(family):
    target = None if family in ("VAE", "GAN") else "basin"
    data = features("internal-coordinates") if target is None else features()
    made = mdnb.Tuner(data, target, family, training=mdnb.Training(epochs=2, **FAST))
    made.set(hidden=8)
    made.start()
    assert made.wait(120)
    assert made.error == ""
    assert made.value.family == family
    assert made.static_html().startswith("<img src='data:image/png;base64,")
    assert (made.current.reference is None) == (family == "GAN")
    made.close()


def test_wrong_settings(open_tuner):
    with pytest.raises(DataError, match=r"expected what mdnb\.featurize returns"):
        mdnb.Tuner([1, 2], "basin")
    with pytest.raises(SpecError, match="unknown model 'XNN'"):
        mdnb.Tuner(features(), "basin", "XNN")
    made = open_tuner()
    with pytest.raises(SpecError, match="did you mean 'epochs'"):
        made.set(epoch=3)
    with pytest.raises(SpecError, match="too small"):
        made.set(channels=1)
    assert made.spec == SMALL
    with pytest.raises(SpecError, match="press Start"):
        made.resume()
    lost = mdnb.Tuner(features(), None, "CNN")
    lost.start()
    lost.wait(10)
    assert "needs a target" in lost.error
    assert lost.attempts[0].state == "failed"


def plan(spec, target, objective=None, data=None) -> Plan:
    return prepare(data or features(), target, spec, mdnb.Training(), None, objective)


def test_the_line_without_learning():
    """Against numbers computed here from the labels."""
    made = plan(mdnb.CNN(), "basin")
    labels = made.samples.labels.astype(int)
    shares = (np.bincount(labels[made.split.train]) + 1) / (len(made.split.train) + made.task.n_outputs)
    expected = -np.log(shares[labels[made.split.validation]]).mean()
    assert reference_loss(made) == ("class frequencies", pytest.approx(expected, rel=1e-5))
    made = plan(mdnb.CNN(), "end-to-end-distance")
    labels = made.samples.labels
    error = (labels[made.split.validation] - labels[made.split.train].mean()) / labels[made.split.train].std()
    assert reference_loss(made) == ("the mean", pytest.approx(np.square(error).mean(), rel=1e-4))
    made = plan(mdnb.CNN(), None, mdnb.Forecast())
    values = made.scaler.transform(made.values)
    own = made.split.validation
    change = values[made.samples.later[own, 0]] - values[made.samples.frames[own, -1]]
    assert reference_loss(made) == ("the last frame again", pytest.approx(np.square(change).mean(), rel=1e-4))
    made = plan(mdnb.VAE(), None, data=features("internal-coordinates"))
    values = made.scaler.transform(made.values).reshape(len(made.values), -1).astype(float)
    train, held_out = (values[made.samples.frames[rows][:, 0]] for rows in (made.split.train, made.split.validation))
    width = np.maximum(train.std(0), np.exp(-4))
    expected = (0.5 * ((held_out - train.mean(0)) / width) ** 2 + np.log(width)).sum(1).mean()
    assert reference_loss(made) == ("independent Gaussians", pytest.approx(expected, rel=1e-4))
    assert reference_loss(plan(mdnb.GAN(), None, data=features("internal-coordinates"))) is None


def test_the_controls(open_tuner):
    made = open_tuner()
    controls = (made.widget, made._controls)[1]
    assert controls.form.values["channels"] == 4
    fields = {one["name"]: one for one in controls.form.fields}
    assert fields["hidden"]["log"]
    assert fields["hidden"]["slider"]
    assert fields["dropout"]["slider"]
    assert not fields["seed"]["slider"]
    assert not fields["weight_decay"]["slider"]
    assert all(one["help"] for one in fields.values())
    controls.form.set_state({"values": {**controls.form.values, "epochs": 2}})
    controls.start.click()
    assert made.wait(60)
    until(lambda: not controls.start.disabled)
    assert "run 1: finished" in controls.status.value
    controls.form.set_state({"values": {**controls.form.values, "hidden": 8}})
    controls.start.click()
    assert made.wait(60)
    until(lambda: not controls.start.disabled and len(controls.runs.rows) == 2)
    assert [one["key"] for one in controls.runs.columns][-1] == "s-hidden"
    kept = controls.runs.selected
    assert made.value is made.runs[int(kept) - 1]
    assert [row["marks"] for row in controls.runs.rows if row["key"] != kept] == [["s-hidden"]]
    lines = [one for one in controls.figure.widget.data if one.name and one.name.startswith("run")]
    assert [len(one.x) for one in lines] == [2] * 4
    controls.runs.set_state({"checked": ["2"]})
    assert [one.visible is False for one in lines] == [True, True, False, False]
    controls.runs.set_state({"selected": "1"})
    assert made.value is made.runs[0]
    controls.form.set_state({"values": {**controls.form.values, "epochs": 0}})
    assert "Training.epochs = 0 is too small" in controls.form.problems["epochs"]
    controls.start.click()
    assert "first mend epochs" in controls.message.value
    assert len(made.attempts) == 2
    controls.form.set_state({"values": {**controls.form.values, "epochs": 1}})
    assert controls.form.problems == {}
    controls.foot.set_state({"opened": "code"})
    assert controls.foot.text == made.code()
    controls.foot.set_state({"opened": "parameters"})
    assert controls.foot.text == made.parameters_yaml()
    controls.foot.set_state({"dark": True})
    assert controls.figure.widget.layout.template.layout.font.color == "#f2f5fa"


def test_the_search_in_the_controls(open_tuner):
    made = open_tuner()
    controls = (made.widget, made._controls)[1]
    search = controls.search
    search.ranges.set_state({"values": {**search.ranges.values, "hidden": [32, 8]}})
    assert "larger than the second" in search.ranges.problems["hidden"]
    search.button.click()
    assert "first mend hidden" in controls.message.value
    narrow = {"channels": [4, 8], "hidden": [4, 16], "layers": [1, 1]}
    search.ranges.set_state({"values": {**search.ranges.values, **narrow}})
    assert made.ranges == {"channels": (4, 8), "hidden": (4, 16), "layers": (1, 1)}
    search.trials.value = 5
    search.button.click()
    assert made.wait(120)
    until(lambda: not search.button.disabled)
    assert controls.message.value == ""
    assert search.table.caption.startswith("5 trials")
    for view in ("Parallel coordinates", "Importances", "Trials", "Learning curves"):
        controls.views.value = view
        assert controls.message.value == "", view
        assert len(controls.figure.widget.data) >= 1
    controls.family.value = "RNN"
    assert {"cell", "bidirectional"} <= {one["name"] for one in controls.form.fields}
    assert made.spec == mdnb.RNN()


def test_a_report_shows_the_settings_and_a_picture(open_tuner, monkeypatch):
    monkeypatch.setenv("MDNB_REPORT", "1")
    empty = open_tuner()
    assert "Nothing was trained" in empty._repr_mimebundle_()[0]["text/html"]
    made = open_tuner(start=True)
    data, metadata = made._repr_mimebundle_()
    assert set(data) == {"text/plain", "text/html", "image/png"}
    assert "mdnb.fit(" in data["text/html"]
    assert "Without learning (class frequencies)" in metadata["image/png"]["alt"]
    assert made._controls is None

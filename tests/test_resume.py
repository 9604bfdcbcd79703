"""Nothing is lost: killed, interrupted or out of room, a training goes on to the weights it would have had."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from learning_fixtures import FAST, families, family_features, family_spec, features, fit_family, same_weights, trained

import mdnb
from mdnb.errors import DataError, TrainingError
from mdnb.training.folder import TrainingFolder

FAMILIES = families()


class Killed(BaseException):
    """What no handler catches: the process is gone."""


@pytest.fixture(autouse=True)
def every_epoch(monkeypatch):
    monkeypatch.setattr("mdnb.training.loop.SAVE_EVERY", 0)


def killed(family: str, out: Path, after: int, **options) -> None:
    """Begin a training that dies in the callback of an epoch, after the state of the epoch was written."""

    def callback(row):
        if row["epoch"] == after:
            raise Killed

    with pytest.raises(Killed):
        fit_family(family, out=out, callback=callback, **options)


@pytest.mark.parametrize("family", FAMILIES)
def test_resumed_it_has_the_same_weights_bit_for_bit(family, tmp_path):
    killed(family, tmp_path / "run", 2)
    run = mdnb.resume(tmp_path / "run")
    assert same_weights(run, trained(family))
    assert run.history == trained(family).history
    assert run.scores == trained(family).scores
    assert same_weights(run, mdnb.Run.load(tmp_path / "run"))
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(
    "objective", [mdnb.SlowModes(lag_time=40.0), mdnb.Forecast(), mdnb.TimeLagged(), mdnb.Propagate(components=4)]
)
def test_every_objective_resumes(objective, tmp_path):
    options = {"target": None, "objective": objective}
    killed("CNN", tmp_path / "run", 2, **options)
    assert same_weights(mdnb.resume(tmp_path / "run"), fit_family("CNN", **options))


def test_the_same_call_goes_on_by_itself(tmp_path):
    killed("CNN", tmp_path / "run", 3)
    epochs = []
    run = fit_family("CNN", out=tmp_path / "run", callback=lambda row: epochs.append(row["epoch"]))
    assert epochs == [4, 5]
    assert same_weights(run, trained("CNN"))


@pytest.mark.parametrize("threads", [0, 2])
def test_it_goes_on_with_the_threads_it_began_with(threads, tmp_path, monkeypatch):
    """With others the last bits may differ."""
    monkeypatch.setattr("mdnb.training.fitting.choose_threads", lambda kind, step: 2)

    def begin(threads: int, callback=None) -> mdnb.Run:
        training = mdnb.Training(epochs=2, threads=threads, **FAST)
        return mdnb.fit(features(), "basin", family_spec("CNN"), training, out=tmp_path / "run", callback=callback)

    def callback(row):
        raise Killed

    with pytest.raises(Killed):
        begin(1, callback)
    assert begin(threads).training.threads == 1
    assert begin(2).training.threads == 2  # nothing is left to go on with


def test_another_unfinished_training_is_not_overwritten(tmp_path):
    killed("CNN", tmp_path / "run", 3)
    with pytest.raises(DataError, match=r"holds another training that is not finished; mdnb\.resume\("):
        fit_family("CNN", seed=1, out=tmp_path / "run")
    assert same_weights(mdnb.resume(tmp_path / "run"), trained("CNN"))


def test_while_it_is_unfinished_the_best_so_far_can_be_loaded(tmp_path):
    killed("CNN", tmp_path / "run", 3)
    assert 1 <= len(mdnb.Run.load(tmp_path / "run").history) <= 3


def test_resuming_a_finished_training_loads_it(tmp_path):
    run = fit_family("CNN", out=tmp_path / "run")
    assert same_weights(mdnb.resume(tmp_path / "run"), run)


def test_nothing_to_resume(tmp_path):
    with pytest.raises(DataError, match=r"there is no training to go on with in .*; give what mdnb\.fit got as out"):
        mdnb.resume(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["plan.safetensors", "state-*.safetensors", "plan.json", "state.json"])
def test_a_damaged_file_is_refused(name, tmp_path):
    killed("CNN", tmp_path / "run", 2)
    (path,) = (tmp_path / "run.training").glob(name)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"resumed .*; delete it and train again"):
        mdnb.resume(tmp_path / "run")


def test_features_that_lie_elsewhere_now(tmp_path):
    """The folder points at them: without them it cannot go on, with the same features given again it does."""
    stored = mdnb.featurize(features().source, "torsions", cache=tmp_path / "cache")
    killed("CNN", tmp_path / "run", 2, data=stored)
    (tmp_path / "cache").rename(tmp_path / "moved")
    with pytest.raises(DataError, match=r"values\.npy is gone.*featurize again, and repeat the same mdnb\.fit"):
        mdnb.resume(tmp_path / "run")
    assert same_weights(fit_family("CNN", out=tmp_path / "run", data=features()), trained("CNN"))


def test_a_folder_of_that_name_with_other_things_is_left_alone(tmp_path):
    mine = tmp_path / "run.training" / "thesis.tex"
    mine.parent.mkdir()
    mine.write_text("do not delete")
    with pytest.raises(DataError, match=r"but it holds other things \(thesis\.tex\); give another out"):
        fit_family("CNN", out=tmp_path / "run", callback=lambda row: pytest.fail("it trained"))
    assert mine.read_text() == "do not delete"


def test_a_state_of_another_training_is_refused(tmp_path):
    killed("CNN", tmp_path / "one", 3)
    killed("CNN", tmp_path / "two", 3, seed=1)
    for path in (tmp_path / "one.training").glob("state*"):
        path.unlink()
    for path in (tmp_path / "two.training").glob("state*"):
        path.rename(tmp_path / "one.training" / path.name)
    with pytest.raises(DataError, match="its state is of another training"):
        mdnb.resume(tmp_path / "one")


def test_two_processes_do_not_train_into_one_folder(tmp_path):
    from mdnb.training.folder import TrainingFolder

    folder = TrainingFolder(tmp_path / "run")
    with folder.locked(), pytest.raises(DataError, match="is being trained by another process"):
        fit_family("CNN", out=tmp_path / "run")


def test_what_is_saved_on_the_way_says_so_and_generates_nothing(tmp_path):
    killed("VAE", tmp_path / "run", 3)
    left = mdnb.Run.load(tmp_path / "run")
    assert "its training was not finished; mdnb.resume(folder) finishes it" in repr(left)
    for use in (lambda: mdnb.generate(left, 3), lambda: left.encode(family_features("VAE"))):
        with pytest.raises(DataError, match=r"of this .* was not finished, and what is fitted at the end is missing"):
            use()
    finished = mdnb.resume(tmp_path / "run")
    assert "saved while" not in repr(finished)
    assert len(mdnb.generate(finished, 3)) == 3


def test_a_full_disk_at_the_very_end(tmp_path, monkeypatch):
    from mdnb.runs import Run

    right = Run.save

    def full(self, folder):
        if "unfinished" not in self.provenance:
            raise OSError(28, "No space left on device")
        return right(self, folder)

    monkeypatch.setattr(Run, "save", full)
    with pytest.raises(TrainingError, match=r"No space left on device\): make room, then mdnb\.resume"):
        fit_family("CNN", out=tmp_path / "run")
    monkeypatch.undo()
    assert same_weights(mdnb.resume(tmp_path / "run"), trained("CNN"))


def test_changed_features_in_a_store_are_refused(tmp_path):
    stored = mdnb.featurize(features().source, "torsions", cache=tmp_path / "cache")
    killed("CNN", tmp_path / "run", 2, data=stored)
    assert (tmp_path / "run.training" / "plan.safetensors").stat().st_size < 2_000_000
    (values,) = (tmp_path / "cache").rglob("values.npy")
    content = bytearray(values.read_bytes())
    content[-7] ^= 1
    values.write_bytes(content)
    with pytest.raises(DataError, match="are not those that training began with"):
        mdnb.resume(tmp_path / "run")


def test_interrupted_by_stop_it_returns_what_was_learned_and_goes_on_later(tmp_path):
    asked = []

    def stop():
        asked.append(None)
        return len(asked) > 70  # in the middle of the second epoch or later

    run = fit_family("CNN", out=tmp_path / "run", stop=stop)
    assert run.provenance["interrupted"]
    assert 1 <= len(run.history) < 5
    assert same_weights(mdnb.resume(tmp_path / "run"), trained("CNN"))


def test_a_full_disk_is_said_and_the_state_before_is_kept(tmp_path, monkeypatch):
    from mdnb.training.state import State

    right, calls = State.save, []

    def full(self, folder, plan, random_states):
        calls.append(None)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        right(self, folder, plan, random_states)

    monkeypatch.setattr(State, "save", full)
    with pytest.raises(
        TrainingError, match=r"No space left on device\): make room, then mdnb\.resume\(.*\) goes on from"
    ):
        fit_family("CNN", out=tmp_path / "run")
    assert same_weights(mdnb.resume(tmp_path / "run"), trained("CNN"))


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of POSIX")
def test_killed_by_the_system_at_any_moment_it_goes_on(tmp_path):
    """kill -9 from outside, at moments that the process does not choose."""
    whole = mdnb.fit(family_features("RNN"), "basin", family_spec("RNN"), mdnb.Training(epochs=12, **FAST))
    code = textwrap.dedent("""
        import sys
        sys.path.insert(0, sys.argv[2])
        import mdnb.training.loop
        from learning_fixtures import FAST, family_features, family_spec
        mdnb.training.loop.SAVE_EVERY = 0
        print("ready", flush=True)
        mdnb.fit(family_features("RNN"), "basin", family_spec("RNN"), mdnb.Training(epochs=12, **FAST), out=sys.argv[1])
    """)
    for attempt in range(3):
        command = [sys.executable, "-c", code, str(tmp_path / "run"), str(Path(__file__).parent)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout.readline() == b"ready\n"
            watched, seen = tmp_path / "run.training" / "state.json", b""
            while process.poll() is None and attempt < 3:
                now = watched.read_bytes() if watched.exists() else b""
                if now and now != seen:
                    seen = now
                    if b'"epoch": ' in now and now.count(b'"validation_loss"') >= 2 + 3 * attempt:
                        os.kill(process.pid, signal.SIGKILL)
                        break
    run = mdnb.resume(tmp_path / "run")
    assert len(run.history) == 12
    assert same_weights(run, whole)


def test_a_file_system_without_locks_is_said(tmp_path, monkeypatch, caplog):
    """Nothing keeps two trainings apart there; other failures are errors."""
    failure = OSError(errno.ENOLCK, "no locks available")

    def refuse(*_):
        raise failure

    monkeypatch.setattr("fcntl.flock", refuse)
    with TrainingFolder(tmp_path / "run").locked():
        assert "file system without locks: train there by one process at a time" in caplog.text
    failure = OSError(errno.EIO, "input/output error")
    with (
        pytest.raises(TrainingError, match="the training cannot be written to"),
        TrainingFolder(tmp_path / "run").locked(),
    ):
        pass

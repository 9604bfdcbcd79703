"""Runs on disk: whole or not at all, checked when they are read, and refusing data that are not theirs."""

import hashlib
import json
import os
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from learning_fixtures import features, fit_family, same_weights, trained, trajectories
from safetensors.torch import load_file, save_file

import mdnb
from mdnb.errors import DataError
from mdnb.runs import check_folder


@pytest.fixture
def saved(tmp_path):
    return trained("CNN").save(tmp_path / "run")


def test_everything_comes_back(saved):
    run, loaded = trained("CNN"), mdnb.Run.load(saved)
    for name in ("spec", "training", "window", "task", "columns", "featurizers", "target", "history", "scores"):
        assert getattr(loaded, name) == getattr(run, name), name
    for name in ("split", "provenance", "topology"):
        assert getattr(loaded, name) == json.loads(json.dumps(getattr(run, name))), name
    for name in ("reference", "train_frames", "test_frames", "examples"):
        assert np.array_equal(getattr(loaded, name), getattr(run, name)), name
    assert np.array_equal(loaded.scaler.mean, run.scaler.mean)
    assert np.array_equal(loaded.predict(features()), run.predict(features()))
    assert repr(loaded) == repr(run)


def test_nothing_in_it_is_a_pickle(saved):
    assert sorted(path.name for path in saved.iterdir()) == ["run.json", "weights.safetensors"]
    json.loads((saved / "run.json").read_text())


def test_provenance_says_what_made_it():
    provenance = trained("CNN").provenance
    assert set(provenance["versions"]) == {"mdnb", "torch", "mdtraj", "numpy"}
    assert provenance["data"]["trajectories"] == list(features().source.names)
    assert provenance["data"]["n_frames"] == len(features())
    assert provenance["seed"] == 0
    other = replace(features(), values=features().values + 1)
    assert (
        fit_family("CNN", epochs=1, data=other).provenance["data"]["sha256_of_values"]
        != provenance["data"]["sha256_of_values"]
    )


@pytest.mark.parametrize("where", [0.01, 0.5, 0.999])
def test_one_flipped_bit_is_refused(saved, where):
    path = saved / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[int(where * len(content))] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="was changed since it was saved"):
        mdnb.Run.load(saved)


@pytest.mark.parametrize("name", ["run.json", "weights.safetensors"])
def test_missing_file(saved, name):
    (saved / name).unlink()
    with pytest.raises(DataError, match=f"has no {name}; give the folder that run.save made"):
        mdnb.Run.load(saved)


def test_missing_folder(tmp_path):
    with pytest.raises(DataError, match=r"has no run\.json"):
        mdnb.Run.load(tmp_path / "nowhere")


@pytest.mark.parametrize("content", ["", "{", '{"format": 1}', "[]", "null", "[" * 100_000, "\\ud800"])
def test_damaged_json(saved, content):
    (saved / "run.json").write_text(content)
    with pytest.raises(DataError, match=r"run\.json is damaged"):
        mdnb.Run.load(saved)


def test_a_newer_format_is_refused(saved):
    content = json.loads((saved / "run.json").read_text())
    (saved / "run.json").write_text(json.dumps({**content, "format": 99}))
    with pytest.raises(DataError, match="format 99, expected 2; update mdnb"):
        mdnb.Run.load(saved)


def test_other_columns_are_refused(saved):
    with pytest.raises(DataError, match=r"trained on frames of shape \(4,\) \(torsions\), got \(10, 3\) \(positions\)"):
        mdnb.Run.load(saved).predict(features("positions"))


def test_columns_of_other_names_are_refused():
    data = features()
    columns = (*data.columns[:2], replace(data.columns[2], name="sin chi1 ALA2"), data.columns[3])
    other = replace(data, columns=columns)
    for use in (trained("CNN").predict, lambda one: mdnb.explain(trained("CNN"), one)):
        with pytest.raises(DataError, match="column 2 is 'sin chi1 ALA2', this CNN was trained on 'sin psi ALA2'"):
            use(other)


def test_saving_again_replaces_the_old_run(saved):
    other = fit_family("CNN", seed=3, epochs=1)
    other.save(saved)
    assert same_weights(mdnb.Run.load(saved), other)
    assert [path.name for path in saved.parent.iterdir()] == ["run"]


@pytest.mark.parametrize("name", ["notes.txt", "data"])
def test_a_folder_with_other_things_is_left_alone(saved, name):
    (saved / name).mkdir() if name == "data" else (saved / name).write_text("mine")
    with pytest.raises(DataError, match=f"holds other things than a run \\({name}\\)"):
        trained("CNN").save(saved)
    assert (saved / name).exists()
    assert same_weights(mdnb.Run.load(saved), trained("CNN"))


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "run").write_text("mine")
    with pytest.raises(DataError, match="is a file"):
        check_folder(tmp_path / "run")


def test_a_tilde_is_the_home_of_the_user(tmp_path, monkeypatch):
    home, here = tmp_path / "home", tmp_path / "here"
    here.mkdir()
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(home))
    monkeypatch.chdir(here)
    run = fit_family("CNN", epochs=1, out="~/fitted")
    run.save("~/saved")
    mdnb.export(trained("CNN"), "~/model.onnx")
    mdnb.tune(features(), "basin", "MLP", trials=1, training=mdnb.Training(epochs=1), out="~/search")
    assert sorted(path.name for path in home.iterdir()) == ["fitted", "model.onnx", "saved", "search"]
    assert list(here.iterdir()) == []
    assert same_weights(mdnb.Run.load("~/saved"), run)
    assert same_weights(mdnb.resume("~/fitted"), run)


def test_a_save_that_fails_leaves_the_old_run_and_no_litter(saved, monkeypatch):
    def full(*args, **options):
        raise OSError("No space left on device")

    monkeypatch.setattr("mdnb.runs.storage.json.dumps", full)
    with pytest.raises(OSError, match="No space left"):
        fit_family("CNN", seed=3, epochs=1, out=None).save(saved)
    monkeypatch.undo()
    assert same_weights(mdnb.Run.load(saved), trained("CNN"))
    assert [path.name for path in saved.parent.iterdir()] == ["run"]


@pytest.mark.parametrize("moment", ["writing", "json", "first rename", "second rename", "cleaning"])
def test_killed_while_saving_leaves_a_whole_run(saved, moment):
    """The process ends as by SIGKILL: no `finally` runs."""
    code = textwrap.dedent(
        """
        import os, shutil, sys
        import mdnb, mdnb.runs.storage, safetensors.torch
        folder, moment = sys.argv[1:]
        run = mdnb.Run.load(folder)
        run.history.append(dict(run.history[-1]))
        calls = []
        right = os.replace
        def replace(source, target):
            calls.append(target)
            if moment == ["first rename", "second rename"][len(calls) - 1]:
                os._exit(9)
            right(source, target)
        def end(*args, **options):
            os._exit(9)
        os.replace = replace
        if moment == "writing":
            safetensors.torch.save_file = lambda tensors, path: (open(path, "wb").write(b"half"), end())
        if moment == "json":
            mdnb.runs.storage.json.dumps = end
        if moment == "cleaning":
            shutil.rmtree = end
        run.save(folder)
        """
    )
    answer = subprocess.run([sys.executable, "-c", code, str(saved), moment], capture_output=True, check=False)
    assert answer.returncode == 9, answer.stderr.decode()
    loaded = mdnb.Run.load(saved)
    assert same_weights(loaded, trained("CNN"))
    assert len(loaded.history) == len(trained("CNN").history) + (moment == "cleaning")
    trained("CNN").save(saved)
    assert len(mdnb.Run.load(saved).history) == len(trained("CNN").history)


def test_folder_may_be_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert trained("CNN").save("run") == Path("run")
    assert same_weights(mdnb.Run.load("run"), trained("CNN"))
    assert os.listdir(tmp_path) == ["run"]


def test_a_folder_named_like_ours_is_left_alone(saved):
    for name in (".run-old", ".run-old-mine"):
        (saved.parent / name).mkdir()
        (saved.parent / name / "notes.txt").write_text("mine")
    trained("CNN").save(saved)
    assert sorted(path.name for path in saved.parent.iterdir()) == [".run-old", ".run-old-mine", "run"]
    assert (saved.parent / ".run-old" / "notes.txt").read_text() == "mine"
    assert not os.path.exists(saved.parent / ".run-old-mine" / "run")


def test_a_link_to_a_folder(saved, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(saved, target_is_directory=True)
    other = fit_family("CNN", seed=3, epochs=1)
    assert other.save(link) == link
    assert link.is_symlink()
    assert same_weights(mdnb.Run.load(link), other)
    assert same_weights(mdnb.Run.load(saved), other)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "run"]


def test_a_rename_that_fails_brings_the_old_run_back(saved, monkeypatch):
    right, calls = os.replace, []

    def replace(source, target):
        calls.append(target)
        if len(calls) == 2:
            raise OSError("No space left on device")
        right(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(OSError, match="No space left"):
        fit_family("CNN", seed=3, epochs=1, out=None).save(saved)
    assert same_weights(mdnb.Run.load(saved), trained("CNN"))
    assert [path.name for path in saved.parent.iterdir()] == ["run"]


# --- folders that somebody has changed, with a checksum to match ----------------------------------------------------


def tamper(saved, path=(), value=None, tensors=None):
    """Change a value of run.json, and arrays; the checksum is made to match."""
    content = json.loads((saved / "run.json").read_text())
    if tensors is not None:
        arrays = load_file(saved / "weights.safetensors")
        tensors(arrays)
        save_file(arrays, saved / "weights.safetensors")
        content["sha256"] = hashlib.sha256((saved / "weights.safetensors").read_bytes()).hexdigest()
    if path:
        *way, last = path
        place = content
        for step in way:
            place = place[step]
        if value is KeyError:
            del place[last]
        else:
            place[last] = value
    (saved / "run.json").write_text(json.dumps(content))


CONTENT = ["spec", "training", "window", "task", "columns", "featurizers", "history", "scores", "split", "provenance"]


@pytest.mark.parametrize("name", [*CONTENT, "target", "topology"])
@pytest.mark.parametrize("value", [KeyError, 5, "text", [1], {"a": 1}, None])
def test_every_entry_of_another_kind_is_refused(saved, name, value):
    tamper(saved, (name,), value)
    with pytest.raises(DataError, match=f"{saved} holds no run that can be used"):
        mdnb.Run.load(saved)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "spec"), "Nothing"),
        (("spec", "channels"), 8),
        (("spec", "channels"), 10**9),
        (("task", "shape"), [10**6, 10**6]),
        (("task", "shape"), [0]),
        (("task", "shape"), ["4"]),
        (("task", "axes"), ["a", "b"]),
        (("task", "window"), 7),
        (("task", "kind"), "guess"),
        (("task", "kind"), "real"),
        (("task", "n_outputs"), 10**12),
        (("task", "n_outputs"), 10**8),
        (("task", "n_outputs"), 4),
        (("task", "class_weights"), [1.0]),
        (("task", "more"), 1),
        (("target", "classes"), ["a", "b"]),
        (("target", "classes"), [1, 2, 3]),
        (("target", "scale"), float("nan")),
        (("columns", 0), ["a", "b"]),
        (("columns", 0), ["a", "", [22], ""]),
        (("columns", 0), ["a", "", [-1], ""]),
        (("columns", 0), ["a", "", [0.5], ""]),
        (("columns", 0), [5, "", [0], ""]),
        (("columns",), []),
        (("featurizers",), [1]),
        (("history",), [{"loss": "low"}]),
        (("scores", "accuracy", "value"), "high"),
        (("split", "test", "trajectories"), "all"),
        (("split", "test", "counts"), [1, 2, 3]),
        (("split", "validation", "counts"), {"nobody": 3}),
        (("split", "train", "counts"), {"extended": 0.5}),
        (("provenance", "data"), KeyError),
        (("topology", "chains"), []),
        (("topology", "bonds"), [[0, 99]]),
    ],
)
def test_content_that_does_not_fit_is_refused(saved, path, value):
    tamper(saved, path, value)
    with pytest.raises(DataError, match=f"{saved} holds no run that can be used"):
        mdnb.Run.load(saved)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("scaler.mean", lambda value: value[:-1]),
        ("scaler.scale", torch.zeros_like),
        ("scaler.scale", lambda value: value * torch.nan),
        ("reference", lambda value: value[:5]),
        ("reference", lambda value: value * torch.inf),
        ("examples", lambda value: value[:, :2].contiguous()),
        ("train_frames", lambda value: value.double()),
        ("test_frames", lambda value: -value - 1),
        ("model.head.linear.weight", lambda value: value * torch.nan),
        ("model.head.linear.weight", lambda value: value.double()),
        ("model.head.linear.weight", lambda value: value[:, :3].contiguous()),
        ("model.head.linear.weight", lambda value: None),
        ("examples", lambda value: None),
        ("model.more", lambda value: torch.zeros(2)),
    ],
)
def test_arrays_that_do_not_fit_are_refused(saved, name, change):
    def tensors(arrays):
        arrays[name] = change(arrays.get(name))
        if arrays[name] is None:
            del arrays[name]

    tamper(saved, tensors=tensors)
    with pytest.raises(DataError, match=f"{saved} holds no run that can be used"):
        mdnb.Run.load(saved)


def test_what_is_not_safetensors_is_refused(saved):
    content = json.loads((saved / "run.json").read_text())
    for data in (b"", b"nothing", b"\xff" * 100):
        (saved / "weights.safetensors").write_bytes(data)
        (saved / "run.json").write_text(json.dumps({**content, "sha256": hashlib.sha256(data).hexdigest()}))
        with pytest.raises(DataError, match="holds no run that can be used"):
            mdnb.Run.load(saved)


def test_a_model_that_is_too_large_is_refused_before_it_is_built(saved, monkeypatch):
    """Sizes in run.json may ask for any amount of memory: only the empty device may see them."""
    devices = []
    right = torch.nn.Linear.__init__

    def linear(self, *args, **options):
        devices.append(str(torch.get_default_device()))
        right(self, *args, **options)

    monkeypatch.setattr(torch.nn.Linear, "__init__", linear)
    tamper(saved, ("spec", "hidden"), 2048)
    with pytest.raises(DataError, match=r"the weights .* have the shape"):
        mdnb.Run.load(saved)
    assert set(devices) == {"meta"}


def test_trajectories_instead_of_features():
    with pytest.raises(DataError, match=r"got 'Trajectories', expected Features: give mdnb\.featurize"):
        trained("CNN").predict(trajectories())


class TestInPart:
    def test_by_trajectory(self):
        run, data = trained("CNN"), features()
        windows = run.samples(data).frames
        inside = {part: run.in_part(data, windows, part) for part in ("train", "test")}
        assert np.array_equal(np.flatnonzero(inside["train"]), run.train_frames)
        assert np.array_equal(np.flatnonzero(inside["test"]), run.test_frames)

    def test_some_trajectories_of_the_same(self):
        run = trained("CNN")
        (first, *_) = run.split["test"]["trajectories"]
        data = features().of_trajectories([first])
        windows = run.samples(data).frames
        assert run.in_part(data, windows, "test").all()
        assert not run.in_part(data, windows, "train").any()

    def test_other_trajectories_have_no_part(self):
        run = trained("CNN")
        data = mdnb.featurize(trajectories()[2:4])
        windows = run.samples(data).frames
        assert not run.in_part(data, windows, "train").any()
        assert not run.in_part(data, windows, "test").any()

"""The search: its space comes from the Spec, it continues where it stopped, and the best is the best."""

from dataclasses import replace

import optuna
import pytest
from learning_fixtures import FAST, features

import mdnb
from mdnb.errors import DataError, SpecError, TrainingError
from mdnb.models.base import Predictor
from mdnb.tuning import search
from mdnb.tuning.space import suggest

TRAINING = mdnb.Training(epochs=2, **FAST)
SEARCH = {"channels": (4, 8), "layers": (1, 2), "hidden": (4, 16)}


def tune(trials, **options):
    options = {"training": TRAINING, "search": SEARCH, **options}
    return mdnb.tune(features(), options.pop("target", "basin"), options.pop("family", "CNN"), trials=trials, **options)


def suggested(kind, bounds=None):
    """Return the optuna distributions that a search of `kind` draws from."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trial = study.ask()
    suggest(kind, TRAINING, trial, bounds or {})
    return study.trials[0].distributions


@pytest.mark.parametrize("kind", [mdnb.CNN, mdnb.RNN])
def test_space_is_that_of_the_spec(kind):
    found = suggested(kind)
    assert set(found) == {*(one.name for one in kind.settings()), "learning_rate"}
    for one in kind.settings():
        own = found[one.name]
        if one.options is not None or one.type is bool:
            assert own.choices == (one.options or (False, True))
        else:
            assert one.low <= own.low <= one.default <= own.high <= one.high
            assert own.log == one.log


def test_narrower_bounds():
    assert (suggested(mdnb.CNN, {"hidden": (8, 16)})["hidden"].low, suggested(mdnb.CNN)["hidden"].low) == (8, 16)
    rate = suggested(mdnb.CNN, {"learning_rate": (1e-3, 2e-3)})["learning_rate"]
    assert (rate.low, rate.high, rate.log) == (1e-3, 2e-3, True)


def test_best_is_best():
    study = tune(4)
    losses = [row["validation_loss"] for row in study.trials]
    assert losses == sorted(losses)
    best = study.trials[0]
    assert {name: getattr(study.spec, name) for name in ("channels", "layers", "hidden", "kernel")} == {
        name: best[name] for name in ("channels", "layers", "hidden", "kernel")
    }
    assert study.training == replace(TRAINING, learning_rate=best["learning_rate"])
    assert study.run.spec == study.spec
    assert min(row["validation_loss"] for row in study.run.history) == pytest.approx(losses[0], rel=1e-9)
    assert study.run.scores["accuracy"].value > 0.3
    assert all(4 <= row["channels"] <= 8 for row in study.trials)


def test_it_continues_from_its_journal(tmp_path, monkeypatch):
    first = tune(2, out=tmp_path)
    trained, right = [], search.fit

    def counted(*args, **options):
        trained.append(args[2])
        return right(*args, **options)

    monkeypatch.setattr("mdnb.tuning.search.fit", counted)
    second = tune(4, out=tmp_path)
    assert 2 <= len(trained) <= 3  # two more, and the best once again where it was one of the first
    assert len(second.trials) == 4
    kept = {row["trial"]: row for row in second.trials}
    assert all(kept[row["trial"]] == row for row in first.trials)
    rates = {row["learning_rate"] for row in second.trials}
    assert len(rates) == 4, "the continued search drew the same settings again"
    trained.clear()
    again = tune(4, out=tmp_path)
    assert again.trials == second.trials
    assert len(trained) == 1


def test_another_target_starts_its_own_search(tmp_path):
    """Losses of two targets cannot be compared; they must not meet in one journal."""
    first = tune(2, out=tmp_path)
    second = tune(2, out=tmp_path, target="end-to-end-distance")
    assert not {row["validation_loss"] for row in first.trials} & {row["validation_loss"] for row in second.trials}
    assert second.run.task.kind == "real"
    assert tune(2, out=tmp_path).trials == first.trials


def test_same_seed_same_search():
    assert tune(2).trials == tune(2).trials
    other = tune(2, training=replace(TRAINING, seed=1))
    assert [row["learning_rate"] for row in other.trials] != [row["learning_rate"] for row in tune(2).trials]


def test_it_never_sees_the_test_part(monkeypatch):
    """Without any test scores it chooses the same."""
    usual = tune(3).trials
    monkeypatch.setattr("mdnb.training.fitting.evaluate", lambda *args: {})
    assert tune(3).trials == usual


def test_an_rnn_with_a_window():
    window = mdnb.Window(length=3)
    study = mdnb.tune(
        features(),
        "basin",
        mdnb.RNN,
        trials=2,
        training=TRAINING,
        window=window,
        search={"layers": (1, 1), "hidden": (4, 8)},
    )
    assert study.run.window == window
    assert {row["cell"] for row in study.trials} <= {"GRU", "LSTM"}


def test_ctrl_c_ends_the_search_and_keeps_the_finished_trials(tmp_path, monkeypatch):
    right, calls = search._pruner, []

    def interrupts(trial):
        report = right(trial)
        calls.append(trial.number)

        def callback(row):
            if len(calls) == 2:
                raise KeyboardInterrupt
            report(row)

        return callback

    monkeypatch.setattr("mdnb.tuning.search._pruner", interrupts)
    with pytest.raises(KeyboardInterrupt):
        tune(5, out=tmp_path)
    assert calls == [0, 1]
    monkeypatch.undo()
    assert sorted(row["trial"] for row in tune(2, out=tmp_path).trials) == [0, 2]


def test_trials_that_fail_are_left_out(monkeypatch):
    monkeypatch.setattr(
        Predictor, "losses", lambda self, batch, group: {"loss": self.score(batch.x).sum() * float("nan")}
    )
    with pytest.raises(TrainingError, match="none of the 2 trials finished"):
        tune(2)


@pytest.mark.parametrize("family", ["GAN", mdnb.GAN])
def test_what_has_no_validation_loss_is_refused(family):
    with pytest.raises(SpecError, match="GAN has no validation loss to search by; tune CNN, RNN, CNNRNN or VAE"):
        tune(1, family=family)


def test_wrong_settings():
    with pytest.raises(SpecError, match="unknown setting of CNN 'chanels': did you mean 'channels'"):
        tune(1, search={"chanels": (1, 2)})
    with pytest.raises(SpecError, match="unknown setting of CNN 'kernel'"):  # a list has no bounds
        tune(1, search={"kernel": (3, 5)})
    with pytest.raises(SpecError, match="trials = 0"):
        tune(0)
    with pytest.raises(SpecError, match="unknown model"):
        tune(1, family="XNN")


@pytest.mark.parametrize(
    ("name", "bounds", "said"),
    [
        ("hidden", [8, 16, 32], r"search\['hidden'\] = \[8, 16, 32\]: expected two numbers \(low, high\), between"),
        ("hidden", 8, r"= 8: expected two numbers"),
        ("hidden", (16, 8), r"= \(16, 8\): the first number is larger than the second; give \(low, high\)"),
        ("hidden", (-5, 8), r"CNN\.hidden = -5 is too small; the least is 4"),
        ("hidden", (8, 10**6), r"CNN\.hidden = 1000000 is too large; the most is 2048"),
        ("hidden", (8.5, 16), r"CNN\.hidden = 8\.5 is not a int"),
        ("dropout", (0, float("nan")), r"CNN\.dropout = nan is not a float"),
        ("dropout", ("0", "1"), r"CNN\.dropout = '0' is not a float"),
        ("learning_rate", (0, 0.1), r"= \(0, 0\.1\): it is searched on a logarithmic scale; give numbers above 0"),
        ("learning_rate", (0.1, 2), r"Training\.learning_rate = 2\.0 is too large; the most is 1\.0"),
    ],
)
def test_wrong_bounds_are_told_before_anything_is_written(name, bounds, said, tmp_path):
    with pytest.raises(SpecError, match=said):
        tune(1, search={name: bounds}, out=tmp_path / "search")
    assert list(tmp_path.iterdir()) == []


def test_bounds_that_are_no_mapping():
    with pytest.raises(SpecError, match=r"search = \['hidden'\]: expected the bounds of each setting, such as"):
        tune(1, search=["hidden"])


def test_a_switch_has_no_bounds():
    with pytest.raises(SpecError, match="unknown setting of RNN 'bidirectional'"):
        tune(1, family="RNN", search={"bidirectional": (0, 1)})


@pytest.mark.parametrize("place", ["suggest", "fit"])
def test_a_trial_that_raises_is_told_as_failed(place, monkeypatch, tmp_path):
    def broken(*args, **options):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(f"mdnb.tuning.search.{place}", broken)
    with pytest.raises(ZeroDivisionError):
        tune(2, out=tmp_path)
    monkeypatch.undo()
    seen = []
    tune(1, out=tmp_path, callback=seen.append)
    assert [row["state"] for row in seen[-1]] == ["failed", "finished"]


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match=r"notes\.txt is a file; give the folder of a search, which is made when it is"):
        tune(1, out=tmp_path / "notes.txt")
    with pytest.raises(DataError, match=r"within is no place for a search \(.*\); give a folder of its own"):
        tune(1, out=tmp_path / "notes.txt" / "within")
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_it_searches_for_slow_modes():
    study = mdnb.tune(
        features(stride=5), None, mdnb.CNN, trials=2, training=mdnb.Training(epochs=2),
        objective=mdnb.SlowModes(lag_time=10.0), search={"channels": (4, 8), "hidden": (8, 16), "layers": (1, 1)},
    )  # fmt: skip
    assert study.run.task.kind == "slow"
    assert study.trials[0]["validation_loss"] <= study.trials[1]["validation_loss"] < -1


def test_a_continued_search_draws_what_one_alone_draws(tmp_path):
    tune(2, out=tmp_path)
    assert tune(4, out=tmp_path).trials == tune(4).trials


def test_it_is_stopped_within_a_batch_and_keeps_what_is_finished(tmp_path):
    seen = []
    study = tune(50, out=tmp_path, callback=seen.append, stop=lambda: len(seen) > 2)
    assert len(study.trials) == 2
    assert [one["state"] for one in seen[-1]] == ["finished", "finished"]
    assert study.run is not None
    assert study.trials == tune(2, out=tmp_path).trials
    gone = tune(50, out=tmp_path, stop=lambda: True)
    assert gone.run is None  # the best was trained by an earlier call
    assert gone.trials == study.trials
    with pytest.raises(TrainingError, match="ended before its first trial"):
        tune(5, stop=lambda: True)


def test_a_time_limit():
    with pytest.raises(TrainingError, match="give it more time"):
        tune(5, timeout=1e-3)
    with pytest.raises(SpecError, match="timeout = 0: expected seconds above 0"):
        tune(5, timeout=0)


def test_a_search_shared_by_two(tmp_path):
    """The second one takes part in what is left, and both see all trials."""
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    others, joined = [], []

    def join(trials):
        if len(trials) == 1 and not joined:
            joined.append(True)
            tune(2, storage=storage, callback=others.append)

    study = tune(4, storage=storage, callback=join)
    assert len(study.trials) == 4
    assert [one["trial"] for one in others[-1]] == [0, 1]
    assert len({row["learning_rate"] for row in study.trials}) == 4


def test_a_vae_is_searched_for_what_does_not_change_its_loss():
    data = features("internal-coordinates")
    start = mdnb.VAE(beta=0.7, components=3)
    bounds = {"hidden": (8, 16), "latent": (2, 4), "layers": (1, 1)}
    study = mdnb.tune(data, None, start, trials=2, training=TRAINING, search=bounds)
    assert (study.spec.beta, study.spec.components) == (0.7, 3)
    assert "beta" not in study.trials[0]
    with pytest.raises(SpecError, match="unknown setting of VAE 'beta'"):
        mdnb.tune(data, None, "VAE", trials=1, search={"beta": (0.1, 1)})


def test_importances_find_what_matters():
    study = tune(5, search={**SEARCH, "learning_rate": (1e-6, 1e-1)})
    assert sum(study.importances.values()) == pytest.approx(1)
    assert next(iter(study.importances)) == "learning_rate"
    assert tune(2).importances == {}

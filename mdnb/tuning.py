"""tune: search the settings of a model family, with its Spec fields as the search space."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna

from mdnb.datasets import Window, digest
from mdnb.errors import SpecError, TrainingError, unknown_name
from mdnb.features.base import Features
from mdnb.models.base import ModelSpec, Objective
from mdnb.progress import progress_bar
from mdnb.runs import Run
from mdnb.specs import Setting, Spec, Training, spec_class
from mdnb.targets import make_target
from mdnb.training import fit

__all__ = ["Study", "tune"]


@dataclass(frozen=True)
class Study:
    """What a search tried.

    Attributes
    ----------
    trials : tuple of dict
        For each finished trial its number, its settings and its ``validation_loss``, best first.
    spec : ModelSpec
        The best choices.
    training : Training
    run : Run
        The best choices, trained; its test part was never seen by the search.
    """

    trials: tuple[dict[str, Any], ...]
    spec: ModelSpec
    training: Training
    run: Run

    def __repr__(self) -> str:
        best = self.trials[0]["validation_loss"]
        return f"Study: {len(self.trials)} trials, best validation loss {best:.4f}\n  {self.spec}\n{self.run!r}"


def tune(
    features: Features,
    target: Any,
    family: type[ModelSpec] | str,
    *,
    trials: int = 20,
    training: Training | None = None,
    window: Window | None = None,
    objective: Objective | str | None = None,
    search: Mapping[str, tuple[float, float]] | None = None,
    out: str | os.PathLike[str] | None = None,
) -> Study:
    """Search the settings of a family for the least validation loss, then train the best.

    Parameters
    ----------
    features, target
        As for `mdnb.fit`; the family must be one that predicts a target.
    family : type or str
        ``mdnb.CNN``, ``"RNN"``, ...
    trials : int
        Number of trials in all, those of an earlier call with the same `out` included.
    training : Training, optional
        Of every trial; its learning rate is searched too.
    window : Window, optional
    objective : Objective or str, optional
        As for `mdnb.fit`.
    search : mapping of str to (low, high), optional
        Narrower bounds for some settings. By default those of the Spec, and of the learning rate from 2e-4
        to 2e-2.
    out : path, optional
        Folder for the journal of trials; a search that was interrupted continues there, where the data,
        the target and the settings are the same.

    Returns
    -------
    Study

    Raises
    ------
    SpecError
        For an unknown family or setting, fewer than one trial, or a family without a target.
    KeyboardInterrupt
        When it is interrupted; the trials that were finished are in the folder.

    References
    ----------
    Akiba et al., Optuna (2019), https://doi.org/10.1145/3292500.3330701
    """
    kind = spec_class(family, kind="model") if isinstance(family, str) else family
    if not issubclass(kind, ModelSpec) or not kind.supervised:
        raise SpecError(f"{getattr(kind, '__name__', kind)} has no validation score to search by; tune CNN or RNN")
    if trials < 1:
        raise SpecError(f"trials = {trials}: expected at least 1")
    training = training or Training()
    bounds = dict(search or {})
    # What is chosen from a list has no bounds to narrow.
    names = [*(one.name for one in kind.settings() if one.options is None), "learning_rate"]
    for name in bounds:
        if name not in names:
            raise unknown_name(f"setting of {kind.__name__}", name, names)
    made = None if target is None else make_target(features, target)
    labels = None if made is None else [made.name, digest(made.values)]
    what = [digest(features.values), labels, training.to_dict(), sorted(bounds.items()), window, objective]
    key = hashlib.sha256(repr(what).encode()).hexdigest()[:16]
    study = _study(kind, training, out, key)
    with progress_bar(total=trials, description=f"tune {kind.__name__}", unit="trial") as bar:
        done = len(_finished(study))
        bar.update(done)
        for _ in range(done, trials):
            trial = study.ask()
            spec, settings = _suggest(kind, training, trial, bounds)
            try:
                run = fit(features, made, spec, settings, window=window, objective=objective, callback=_pruner(trial))
                if run.provenance.get("interrupted"):
                    study.tell(trial, state=optuna.trial.TrialState.FAIL)
                    raise KeyboardInterrupt
                study.tell(trial, min(row["validation_loss"] for row in run.history))
            except (optuna.TrialPruned, TrainingError):
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            bar.update()
    finished = sorted(_finished(study), key=_loss)
    if not finished:
        raise TrainingError(f"none of the {trials} trials finished: each loss was not a number; narrow search=")
    rows = tuple({"trial": one.number, **one.params, "validation_loss": one.value} for one in finished)
    spec, settings = _suggest(kind, training, optuna.trial.FixedTrial(rows[0]), bounds)
    run = fit(features, made, spec, settings, window=window, objective=objective)
    return Study(rows, spec, settings, run)


def _study(kind: type[Spec], training: Training, out: str | os.PathLike[str] | None, key: str) -> optuna.Study:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = None
    if out is not None:
        Path(out).mkdir(parents=True, exist_ok=True)
        storage = JournalStorage(JournalFileBackend(str(Path(out) / "journal.log")))
    study = optuna.create_study(
        storage=storage,
        study_name=f"{kind.__name__}-{key}",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=3),
        load_if_exists=True,
    )
    # A search that continues must not draw again what it has drawn before.
    study.sampler = optuna.samplers.TPESampler(seed=training.seed + len(study.get_trials(deepcopy=False)))
    return study


def _loss(trial: optuna.trial.FrozenTrial) -> float:
    return float("inf") if trial.value is None else trial.value


def _finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    return study.get_trials(states=[optuna.trial.TrialState.COMPLETE])


def _suggest(
    kind: type[ModelSpec], training: Training, trial: Any, bounds: Mapping[str, tuple[float, float]]
) -> tuple[ModelSpec, Training]:
    values = {one.name: _suggest_one(one, trial, bounds.get(one.name)) for one in kind.settings()}
    low, high = bounds.get("learning_rate", (2e-4, 2e-2))
    rate = trial.suggest_float("learning_rate", low, high, log=True)
    return kind(**values), replace(training, learning_rate=rate)


def _suggest_one(setting: Setting, trial: Any, bounds: tuple[float, float] | None) -> Any:
    if setting.options is not None:
        return trial.suggest_categorical(setting.name, list(setting.options))
    if setting.type is bool:
        return trial.suggest_categorical(setting.name, [False, True])
    low, high = bounds or _near(setting)
    if setting.type is int:
        return trial.suggest_int(setting.name, int(low), int(high), log=setting.log)
    return trial.suggest_float(setting.name, low, high, log=setting.log)


def _near(setting: Setting) -> tuple[float, float]:
    """Return bounds worth searching: within a factor of four of the default, and within the declared ones."""
    assert setting.low is not None and setting.high is not None  # noqa: PT018 - every number declares both
    if not setting.log:
        return setting.low, setting.high
    return max(setting.low, setting.default / 4), min(setting.high, setting.default * 4)


def _pruner(trial: optuna.Trial) -> Callable[[dict[str, float]], None]:
    def report(row: dict[str, float]) -> None:
        trial.report(row["validation_loss"], int(row["epoch"]))
        if trial.should_prune():
            raise optuna.TrialPruned

    return report

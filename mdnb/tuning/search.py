"""tune: search the settings of a model family, with its Spec fields as the search space."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

import optuna

from mdnb.datasets import Window, digest
from mdnb.errors import DataError, SpecError, TrainingError
from mdnb.features.base import Features
from mdnb.files import user_path
from mdnb.models.base import ModelSpec, Objective
from mdnb.progress import progress_bar
from mdnb.runs import Run
from mdnb.specs import Training, spec_class
from mdnb.targets import Target, make_target
from mdnb.training import fit
from mdnb.training.loop import Stopped
from mdnb.tuning import trials as known
from mdnb.tuning.space import check_bounds, suggest
from mdnb.tuning.study import Study

__all__ = ["trials_of", "tune"]

_JOURNAL = "journal.log"


def tune(
    features: Features,
    target: Any,
    family: type[ModelSpec] | ModelSpec | str,
    *,
    trials: int = 20,
    training: Training | None = None,
    window: Window | None = None,
    objective: Objective | str | None = None,
    search: Mapping[str, tuple[float, float]] | None = None,
    out: str | os.PathLike[str] | None = None,
    storage: Any = None,
    timeout: float | None = None,
    stop: Callable[[], bool] | None = None,
    callback: Callable[[tuple[dict[str, Any], ...]], None] | None = None,
) -> Study:
    """Search the settings of a family for the least validation loss, then train the best.

    Several processes or machines that call it with the same `out` (on a shared disk) or `storage` search together.

    Parameters
    ----------
    features, target
        As for `mdnb.fit`; the family must be one whose validation loss tells how good it is.
    family : type, str or ModelSpec
        ``mdnb.CNN``, ``"RNN"``, ...; of choices such as ``mdnb.VAE(beta=1)``, those that are not searched are kept.
    trials : int
        Number of trials in all, those of an earlier call with the same `out` or `storage` included, and those of
        other processes.
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
    storage : str or optuna storage, optional
        Where optuna keeps the trials instead, such as ``"sqlite:///study.db"`` or a server's
        ``"postgresql://..."``.
    timeout : float, optional
        Seconds after which the search ends; a trial that runs then is given up.
    stop : function, optional
        Asked after each batch; when it returns True the search ends, and the trial that runs is given up.
    callback : function, optional
        Called after each trial with all trials so far, of every process: dicts as in `Study.trials`, in the order
        they began, with their ``state``: ``"finished"``, ``"pruned"``, ``"running"`` or ``"failed"``.

    Returns
    -------
    Study

    Raises
    ------
    SpecError
        For an unknown family or setting, bounds that are not two numbers which the setting may have, fewer than one
        trial, or a family without a validation loss.
    DataError
        As `mdnb.fit` raises it, or when `out` is no place for a folder.
    TrainingError
        When no trial finished.
    KeyboardInterrupt
        When it is interrupted; the trials that were finished are in the folder.

    References
    ----------
    Akiba et al., Optuna (2019), https://doi.org/10.1145/3292500.3330701
    """
    given = family if isinstance(family, ModelSpec) else None
    found: Any = spec_class(family, kind="model") if isinstance(family, str) else family
    kind: Any = type(found) if given is not None else found
    if not (isinstance(kind, type) and issubclass(kind, ModelSpec) and kind.validated):
        raise SpecError(
            f"{getattr(kind, '__name__', kind)} has no validation loss to search by; tune CNN, RNN, CNNRNN or VAE, or "
            "compare a few trainings by eye with mdnb.Tuner"
        )
    if trials < 1:
        raise SpecError(f"trials = {trials}: expected at least 1")
    if timeout is not None and not timeout > 0:
        raise SpecError(f"timeout = {timeout}: expected seconds above 0, or None for no limit")
    training = training or Training()
    check_bounds(kind, search or {})
    bounds = dict(search or {})
    made = None if target is None else make_target(features, target)
    start: ModelSpec = kind() if given is None else given
    study = _study(_name(features, made, start, training, window, objective, bounds), storage, out)
    ends = None if timeout is None else monotonic() + timeout

    def over() -> bool:
        return (stop is not None and stop()) or (ends is not None and monotonic() >= ends)

    best: tuple[int, Run] | None = None
    ended = False
    with progress_bar(total=trials, description=f"tune {kind.__name__}", unit="trial") as bar:
        shown = 0
        while not ended:
            done = len(known.done(study))
            bar.update(min(done, trials) - shown)
            shown = min(done, trials)
            if callback is not None:
                callback(known.rows(study))
            if done >= trials or over():
                ended = done < trials
                break
            trial = study.ask()
            try:
                # Drawn by its number, so that a search that continues, or is shared, draws what one alone would.
                study.sampler = optuna.samplers.TPESampler(seed=training.seed + trial.number)
                spec, settings = suggest(start, training, trial, bounds)
                run = fit(
                    features, made, spec, settings, window=window, objective=objective, callback=_pruner(trial),
                    stop=over,
                )  # fmt: skip
                if run.provenance.get("interrupted"):
                    raise Stopped if over() else KeyboardInterrupt
                loss = min(row["validation_loss"] for row in run.history)
            except (optuna.TrialPruned, TrainingError):
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            except BaseException as error:  # else the journal would keep it as running for ever
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
                if not isinstance(error, Stopped):
                    raise
            else:
                study.tell(trial, loss)
                if study.best_trial.number == trial.number:
                    best = (trial.number, run)
    finished = sorted(known.finished(study), key=known.loss)
    if not finished:
        if ended:
            raise TrainingError("the search was ended before its first trial was finished; give it more time")
        raise TrainingError(f"none of the {trials} trials finished: each loss was not a number; narrow search=")
    rows = tuple({"trial": one.number, **one.params, "validation_loss": one.value} for one in finished)
    spec, settings = suggest(start, training, optuna.trial.FixedTrial(rows[0]), bounds)
    chosen = best[1] if best is not None and best[0] == finished[0].number else None
    if chosen is None and not ended:
        chosen = fit(features, made, spec, settings, window=window, objective=objective, stop=stop)
    return Study(rows, spec, settings, chosen, known.importances(study))


def trials_of(
    features: Features,
    target: Any,
    family: ModelSpec,
    *,
    training: Training | None = None,
    window: Window | None = None,
    objective: Objective | str | None = None,
    search: Mapping[str, tuple[float, float]] | None = None,
    out: str | os.PathLike[str] | None = None,
    storage: Any = None,
) -> tuple[dict[str, Any], ...]:
    """Return what is known by now of the search that `tune` with the same arguments began, or would join.

    Returns
    -------
    tuple of dict
        All trials of every process, as the callback of `tune` gets them; empty where there is no such search yet.
    """
    if storage is None and (out is None or not (user_path(out) / _JOURNAL).exists()):
        return ()
    made = None if target is None else make_target(features, target)
    name = _name(features, made, family, training or Training(), window, objective, dict(search or {}))
    try:
        return known.rows(optuna.load_study(study_name=name, storage=_storage(storage, out)))
    except KeyError:
        return ()


def _name(
    features: Features, target: Target | None, start: ModelSpec, training: Training, window: Window | None,
    objective: Objective | str | None, bounds: Mapping[str, tuple[float, float]],
) -> str:  # fmt: skip
    """Return what the study of this search is called: trials of other data or settings do not compare."""
    labels = None if target is None else [target.name, digest(target.values)]
    what = [digest(features.values), labels, training.to_dict(), sorted(bounds.items()), window, objective]
    what.append([(one.name, getattr(start, one.name)) for one in start.settings() if not one.searched])
    return f"{type(start).__name__}-{hashlib.sha256(repr(what).encode()).hexdigest()[:16]}"


def _storage(storage: Any, out: str | os.PathLike[str] | None) -> Any:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    if out is None or storage is not None:
        return storage
    return JournalStorage(JournalFileBackend(str(user_path(out) / _JOURNAL)))


def _study(name: str, storage: Any, out: str | os.PathLike[str] | None) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if out is not None and storage is None:
        folder = user_path(out)
        if folder.exists() and not folder.is_dir():
            raise DataError(f"{folder} is a file; give the folder of a search, which is made when it is not there")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{folder} is no place for a search ({error}); give a folder of its own") from error
    return optuna.create_study(
        storage=_storage(storage, out),
        study_name=name,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=3),
        load_if_exists=True,
    )


def _pruner(trial: optuna.Trial) -> Callable[[dict[str, float]], None]:
    def report(row: dict[str, float]) -> None:
        trial.report(row["validation_loss"], int(row["epoch"]))
        if trial.should_prune():
            raise optuna.TrialPruned

    return report

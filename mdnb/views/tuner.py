"""Tune by hand and by search: train in the background, compare, keep the best."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from threading import RLock
from typing import Any

from traitlets import Any as AnyTrait

from mdnb.datasets import Window
from mdnb.errors import DataError, MdnbError, SpecError
from mdnb.features.base import Features
from mdnb.models.base import ModelSpec, Objective
from mdnb.runs import Run
from mdnb.specs import Spec, Training, spec_class
from mdnb.training.fitting import carry_out
from mdnb.training.folder import TrainingFolder
from mdnb.training.loop import Stopped
from mdnb.training.plan import Plan
from mdnb.training.prepare import prepare
from mdnb.training.reference import reference_loss
from mdnb.tuning import Study, tune
from mdnb.views._attempts import Attempt, best_of, load_attempts
from mdnb.views._job import TRAINING, Job
from mdnb.views._source import features_lines, name_of
from mdnb.views._view import View, call_text

__all__ = ["Tuner"]


class Tuner(View):
    """Train with settings chosen in a form, watch, stop, compare, search; or the same by calls.

    Training runs in a thread, so that other cells and the controls stay alive. Of one process only one training
    runs at a time (torch has one state of random numbers): what draws torch's random numbers in a cell meanwhile
    changes the result of a training in the thread, but not that of `train`.

    Parameters
    ----------
    features, target
        As for `mdnb.fit`.
    family : str, type or ModelSpec
        ``"CNN"``, ``mdnb.VAE``, or choices to begin with, such as ``mdnb.CNN(channels=8)``.
    objective, window
        As for `mdnb.fit`.
    training : Training, optional
        What the form begins with.
    search : mapping of str to (low, high), optional
        As for `mdnb.tune`.
    out : path, optional
        Folder that keeps the runs and the trials of the search; a `Tuner` opened there again shows them. Without,
        they last as long as the `Tuner`.
    storage : str or optuna storage, optional
        As for `mdnb.tune`: a search shared by several processes or machines.
    start : bool
        Train once at once, in the foreground, as `train` does: for papermill, where nobody clicks.

    Attributes
    ----------
    value : Run or None
        The run that is kept: that of least validation loss among those whose losses compare, until another is
        chosen with `keep`.
    spec : ModelSpec
    training : Training
        What the form holds.
    attempts : list of Attempt
        All trainings so far.
    trials : tuple of dict
        Of the search, as the callback of `mdnb.tune` gets them.
    study : Study or None
        The result of the latest search.

    Raises
    ------
    DataError, SpecError
        As `mdnb.fit`, where `start` is asked for; or for an unknown family.
    """

    value = AnyTrait(None, allow_none=True, help="The Run that is kept, or None.")

    def __init__(
        self,
        features: Features,
        target: Any = None,
        family: str | type[ModelSpec] | ModelSpec = "CNN",
        objective: Objective | str | None = None,
        *,
        window: Window | None = None,
        training: Training | None = None,
        search: Mapping[str, tuple[float, float]] | None = None,
        out: str | os.PathLike[str] | None = None,
        storage: Any = None,
        start: bool = False,
    ) -> None:
        super().__init__()
        if not isinstance(features, Features):
            raise DataError(f"got {type(features).__name__!r} as features, expected what mdnb.featurize returns")
        self.features, self.target, self.objective, self.window = features, target, objective, window
        self.spec: ModelSpec = _begin(family)
        self.training = training or Training()
        self.ranges: dict[str, tuple[float, float]] = dict(search or {})
        self.storage = storage
        self.attempts: list[Attempt] = []
        self.trials: tuple[dict[str, Any], ...] = ()
        self.study: Study | None = None
        self.job: Job | None = None
        self.searching = False
        self.error = ""
        self._chosen: Attempt | None = None
        self._lock = RLock()
        self._listener: Callable[[bool], None] | None = None
        self._out = None if out is None else Path(out)
        if self._out is None:
            self._folder = Path(tempfile.mkdtemp(prefix="mdnb-tuner-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        else:
            self._folder = self._out.resolve()
            self._folder.mkdir(parents=True, exist_ok=True)
            self.attempts = load_attempts(self._folder, features)
        self._choose()
        if start:
            self.train()

    # --- what a script does --------------------------------------------------------------------------------------

    def set(self, **settings: Any) -> None:
        """Change settings of the family or of the training, as the form does.

        Raises
        ------
        SpecError
            For an unknown setting or a value that is not allowed; nothing is changed then.
        """
        own = {one.name for one in self.spec.settings()}
        spec = replace(self.spec, **{name: value for name, value in settings.items() if name in own})
        rest = {name: value for name, value in settings.items() if name not in own}
        self.training = replace_spec(self.training, rest)
        self.spec = spec
        self._tell(True)

    def choose_family(self, family: str) -> None:
        """Take another family, with its default choices."""
        if family != type(self.spec).__name__:
            self.spec = _begin(family)
            self.ranges = {}
            self._tell(True)

    def train(self) -> Run:
        """Train in the foreground with the present settings; the same as `mdnb.fit`, bit for bit.

        Raises
        ------
        As `mdnb.fit`.
        """
        attempt = self._new()
        job = self._take(lambda job: self._train(attempt, job))
        job.run_here()
        assert attempt.run is not None
        return attempt.run

    def search(self, trials: int = 20, timeout: float | None = None) -> Study:
        """Search in the foreground, as `mdnb.tune` does with the present settings and ranges."""
        job = self._take(lambda job: self._search(job, trials, timeout))
        job.run_here()
        assert self.study is not None
        return self.study

    @property
    def runs(self) -> tuple[Run, ...]:
        """Every run so far, in the order they began."""
        return tuple(one.run for one in self.attempts if one.run is not None)

    def keep(self, number: int) -> None:
        """Make the run of that number the `value`, whichever is the best.

        Raises
        ------
        SpecError
            When there is no run of that number.
        """
        for one in self.attempts:
            if one.number == number and one.run is not None:
                self._chosen = one
                self._choose()
                self._tell(True)
                return
        known = ", ".join(str(one.number) for one in self.attempts if one.run is not None) or "none"
        raise SpecError(f"there is no run {number!r} to keep; there are: {known}")

    # --- what the buttons do -------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether it trains or searches, paused or not."""
        return self.job is not None and self.job.alive

    @property
    def current(self) -> Attempt | None:
        """The attempt that runs, or the latest."""
        return self.attempts[-1] if self.attempts else None

    def start(self) -> Attempt:
        """Train in the background with the present settings.

        Raises
        ------
        SpecError
            When something runs already.
        """
        self._refuse_busy()
        attempt = self._new()
        self._take(lambda job: self._guarded(self._train, attempt, job)).start()
        return attempt

    def start_search(self, trials: int = 20, timeout: float | None = None) -> None:
        """Search in the background; continues an earlier search of the same `out` or `storage`."""
        self._refuse_busy()
        self._take(lambda job: self._guarded(self._search, job, trials, timeout)).start()

    def pause(self) -> None:
        """Hold what runs after its present batch."""
        with self._lock:
            if self.job is not None and self.running and not self.job.paused:
                self.job.pause()
                if not self.searching and self.current is not None:
                    self.current.state = "paused"
                    self.current.clock(False)
        self._tell(True)

    def resume(self) -> None:
        """Let go on what is paused, or what was stopped last: to the weights it would have had, bit for bit."""
        with self._lock:
            if self.job is not None and self.running:
                if not self.searching and self.current is not None and self.job.paused:
                    self.current.state = "running"
                    self.current.clock(True)
                self.job.resume()
                self._tell(True)
                return
            attempt = self.resumable
            if attempt is None:
                raise SpecError("nothing was paused or stopped that could go on; press Start")
            attempt.state, attempt.error = "waiting", ""
            self._take(lambda job: self._guarded(self._train, attempt, job)).start()

    @property
    def resumable(self) -> Attempt | None:
        """The latest attempt that was stopped and can go on."""
        return next((one for one in reversed(self.attempts) if one.state == "stopped"), None)

    def stop(self) -> None:
        """End what runs after its present batch; what was learned is kept."""
        if self.job is not None:
            self.job.stop()
        self._tell(True)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing runs any more, for a script or the next cell; return whether that is so."""
        return self.job is None or self.job.wait(timeout)

    def close(self) -> None:
        """Stop what runs, and take the live widget away; the value and the runs stay."""
        self.stop()
        self.wait(10)
        super().close()

    # --- the work ------------------------------------------------------------------------------------------------

    def _refuse_busy(self) -> None:
        if self.running:
            raise SpecError("a training or a search runs already; stop it first, or wait for it")

    def _take(self, work: Callable[[Job], None]) -> Job:
        with self._lock:
            self._refuse_busy()
            self.job = Job(work, "mdnb-tuner", lambda: self._tell(True))
            return self.job

    def _new(self) -> Attempt:
        with self._lock:
            number = max((one.number for one in self.attempts), default=0) + 1
            attempt = Attempt(number, self.spec, self.training, self._folder / f"run-{number:03}")
            self.attempts.append(attempt)
        return attempt

    def _guarded(self, work: Callable[..., None], *given: Any) -> None:
        try:
            work(*given)
        except MdnbError as error:
            self._failed(str(error))
        except Exception as error:  # noqa: BLE001 - a thread has no caller that could see it
            self._failed(f"{type(error).__name__}: {error}")

    def _failed(self, text: str) -> None:
        self.error = text

    def _train(self, attempt: Attempt, job: Job) -> None:
        self.error = ""
        self._tell(True)
        try:
            if not job.take(TRAINING):
                attempt.state = "stopped"
                return
            try:
                self._carry_out(attempt, job)
            finally:
                TRAINING.release()
        except Stopped:
            attempt.state = "stopped"
        except BaseException as error:
            attempt.state, attempt.error = "failed", str(error) or type(error).__name__
            if attempt.folder.exists():  # a loss that is not a number: the last good state was saved
                attempt.run = Run.load(attempt.folder)
            raise
        finally:
            attempt.clock(False)
            self._choose()

    def _carry_out(self, attempt: Attempt, job: Job) -> None:
        left = TrainingFolder(attempt.folder)
        if left.unfinished:
            plan = Plan.load(left.path)
        else:
            plan = prepare(
                self.features, self.target, attempt.spec, attempt.training, self.window, self.objective
            )  # fmt: skip
        attempt.n_train, attempt.reference = len(plan.split.train), reference_loss(plan)
        attempt.n_seen, attempt.state = 0.0, "running"
        attempt.clock(True)
        each = attempt.n_train / max(1, attempt.n_train // plan.training.batch_size)

        def epoch(row: dict[str, float]) -> None:
            attempt.history = [*(one for one in attempt.history if one["epoch"] < row["epoch"]), row]
            self._tell(False)

        def stopped() -> bool:
            attempt.n_seen += each
            self._tell(False)
            return job.stopped()

        run = carry_out(plan, attempt.folder, epoch, stopped)
        attempt.run, attempt.history = run, run.history
        attempt.state = "stopped" if run.provenance.get("interrupted") else "finished"

    def _search(self, job: Job, trials: int, timeout: float | None) -> None:
        self.error, self.searching = "", True
        self._tell(True)
        try:
            if not job.take(TRAINING):
                return
            try:
                study = tune(
                    self.features, self.target, self.spec, trials=trials, training=self.training, window=self.window,
                    objective=self.objective, search=self.ranges, out=self._folder / "search", storage=self.storage,
                    timeout=timeout, stop=job.stopped, callback=self._on_trials,
                )  # fmt: skip
            finally:
                TRAINING.release()
            self.study = study
            if study.run is not None:
                self._add(study, study.run)
        finally:
            self.searching = False

    def _on_trials(self, trials: tuple[dict[str, Any], ...]) -> None:
        self.trials = trials
        self._tell(False)

    def _add(self, study: Study, run: Run) -> None:
        """Take the best of a search among the attempts, unless it is there already."""
        if any(one.spec == study.spec and one.training == study.training and one.run for one in self.attempts):
            return
        attempt = self._new()
        attempt.spec, attempt.training, attempt.run, attempt.history = study.spec, study.training, run, run.history
        attempt.state = "finished"
        run.save(attempt.folder)
        self._choose()

    def _choose(self) -> None:
        chosen = self._chosen if self._chosen is not None else best_of(self.attempts)
        if chosen is not None and chosen.run is not self.value:
            self.value = chosen.run

    def _tell(self, at_once: bool) -> None:
        listener = self._listener
        if listener is not None:
            listener(at_once)

    # --- what is left of it --------------------------------------------------------------------------------------

    def code(self) -> str:
        """Return the Python that trains the run that is kept, or what Start would train."""
        spec, training = self._asked()
        target = repr(self.target) if isinstance(self.target, str) else name_of(self.target, "target")
        positional = ["features", target, spec_text(spec), spec_text(training)]
        if self.target is None:
            positional[1] = "None"
        given: dict[str, Any] = {}
        if self.window is not None:
            given["window"] = _Text(spec_text(self.window))
        if self.objective is not None:
            own = self.objective
            given["objective"] = _Text(repr(own) if isinstance(own, str) else spec_text(own))
        lines = ["import mdnb", "", *features_lines(self.features)]
        if self.study is not None and self.value is not None and self.value is self.study.run:
            lines.append(f"# the best of a search of {len(self.study.trials)} finished trials with mdnb.tune")
        return "\n".join([*lines, call_text("run = mdnb.fit", *positional, **given)])

    def _asked(self) -> tuple[ModelSpec, Training]:
        """Return what the run that is kept was asked for, or what the form holds."""
        kept = next((one for one in self.attempts if one.run is not None and one.run is self.value), None)
        return (self.spec, self.training) if kept is None else (kept.spec, kept.training)

    def parameters(self) -> dict[str, Any]:
        """Return the family, the target and the settings that are not the defaults, with epochs and seed."""
        spec, training = self._asked()
        found: dict[str, Any] = {"family": type(spec).__name__}
        if isinstance(self.target, str):
            found["target"] = self.target
        found |= changed(spec)
        return {**found, "epochs": training.epochs, "seed": training.seed, **changed(training)}

    def static_html(self) -> str:
        """Return the learning curves, the runs and the settings for a report."""
        from mdnb.views._tuner_static import tuner_html

        return tuner_html(self) + self._settings_html()

    def _picture(self) -> tuple[bytes | None, str]:
        from mdnb.views._tuner_static import curves_png

        return curves_png(self.attempts)

    def _make_controls(self) -> Any:
        from mdnb.views._tuner_controls import TunerControls

        return TunerControls(self)

    def __repr__(self) -> str:
        kept = "nothing trained yet" if self.value is None else f"kept: {self.value.spec}"
        return f"Tuner of a {type(self.spec).__name__}, {len(self.attempts)} runs, {kept}"


class _Text:
    """Code that is its own `repr`."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _begin(family: Any) -> ModelSpec:
    found = spec_class(family, kind="model") if isinstance(family, str) else family
    if isinstance(found, type) and issubclass(found, ModelSpec):
        found = found()
    if not isinstance(found, ModelSpec):
        raise SpecError(f"got {family!r} as the family, expected for example 'CNN', mdnb.CNN or mdnb.CNN(channels=8)")
    return found


def replace_spec(spec: Any, settings: Mapping[str, Any]) -> Any:
    """Return a spec with some settings changed; unknown names are refused with the closest known one."""
    return type(spec).from_dict({**spec.to_dict(), **settings})


def changed(spec: Spec) -> dict[str, Any]:
    """Return the settings that are not the defaults."""
    return {one.name: getattr(spec, one.name) for one in spec.settings() if getattr(spec, one.name) != one.default}


def spec_text(spec: Spec) -> str:
    """Return a spec as it is written: ``mdnb.CNN(channels=8)``."""
    given = ", ".join(f"{name}={value!r}" for name, value in changed(spec).items())
    return f"mdnb.{type(spec).__name__}({given})"

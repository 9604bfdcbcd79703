"""What a `Tuner` does in its thread, or in the foreground: a training or a search at a time, and which run is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import RLock
from typing import Any

from traitlets import Any as AnyTrait

from mdnb.datasets import Window
from mdnb.errors import SpecError
from mdnb.features.base import Features
from mdnb.models.base import ModelSpec, Objective
from mdnb.runs import Run
from mdnb.specs import Training
from mdnb.training.loop import Stopped
from mdnb.training.plan import Plan
from mdnb.training.prepare import prepare
from mdnb.tuning import Study, tune
from mdnb.views._attempts import Attempt, best_of
from mdnb.views._job import TRAINING, Job
from mdnb.views._worker import Worker

__all__ = ["Trainer"]


class Trainer(Worker):
    """Base of `Tuner`, which says what the attributes are."""

    value = AnyTrait(None, allow_none=True, help="The Run that is kept, or None.")

    features: Features
    target: Any
    objective: Objective | str | None
    window: Window | None
    spec: ModelSpec
    training: Training
    ranges: dict[str, tuple[float, float]]
    storage: Any
    attempts: list[Attempt]
    trials: tuple[dict[str, Any], ...] = ()
    study: Study | None = None
    searching = False
    _folder: Path
    _chosen: Attempt | None = None

    def __init__(self) -> None:
        super().__init__()
        self._lock = RLock()

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

    def _plan(self, attempt: Attempt) -> Plan:
        return prepare(self.features, self.target, attempt.spec, attempt.training, self.window, self.objective)

    def _train(self, attempt: Attempt, job: Job) -> None:
        self.error = ""
        self._tell(True)
        try:
            if not job.take(TRAINING):
                attempt.state = "stopped"
                return
            try:
                attempt.carry_out(self._plan, job, self._tell)
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

"""What a `Tuner` has trained or trains: one attempt each, with what is known of it while it runs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from mdnb.errors import DataError
from mdnb.features.base import Features
from mdnb.models.base import ModelSpec
from mdnb.runs import Run
from mdnb.specs import Training
from mdnb.training.fitting import carry_out
from mdnb.training.folder import TrainingFolder
from mdnb.training.plan import Plan
from mdnb.training.reference import reference_loss
from mdnb.views._job import Job

__all__ = ["Attempt", "best_of", "differing", "load_attempts", "settings_of"]


@dataclass
class Attempt:
    """One training.

    Attributes
    ----------
    number : int
        From 1 on.
    spec : ModelSpec
    training : Training
    folder : Path
        Of its run; what it needs to go on lies beside it.
    state : {"waiting", "running", "paused", "stopped", "finished", "failed"}
    history : list of dict
        A row for each epoch so far.
    run : Run or None
        What was learned, once it ended.
    error : str
        Why it failed.
    reference : (str, float) or None
        What a guess without learning is called, and its validation loss.
    n_train : int
        Training samples.
    n_seen : float
        Samples seen in this session, an epoch after the other.
    """

    number: int
    spec: ModelSpec
    training: Training
    folder: Path
    state: str = "waiting"
    history: list[dict[str, float]] = field(default_factory=list)
    run: Run | None = None
    error: str = ""
    reference: tuple[str, float] | None = None
    n_train: int = 0
    n_seen: float = 0.0
    _since: float = 0.0
    _spent: float = 0.0

    def clock(self, runs: bool) -> None:
        """Let the time of training run, or hold it."""
        if self._since:
            self._spent += monotonic() - self._since
        self._since = monotonic() if runs else 0.0

    @property
    def seconds(self) -> float:
        """Seconds of training in this session, pauses left out."""
        return self._spent + (monotonic() - self._since if self._since else 0.0)

    @property
    def samples_per_second(self) -> float:
        """Training samples seen in a second; NaN before the first."""
        return self.n_seen / self.seconds if self.n_seen and self.seconds else math.nan

    @property
    def seconds_left(self) -> float:
        """Seconds until the last epoch at most, as early stopping may end it before; NaN when not known yet."""
        left = (self.training.epochs - len(self.history)) * self.n_train
        return left / self.samples_per_second

    @property
    def loss(self) -> float | None:
        """The least validation loss; None without any."""
        losses = [row["validation_loss"] for row in self.history if "validation_loss" in row]
        return min(losses) if losses else None

    def carry_out(self, prepared: Callable[[Attempt], Plan], job: Job, tell: Callable[[bool], None]) -> None:
        """Train to the end, or until the job is stopped; goes on where a training was left in the folder.

        Parameters
        ----------
        prepared : callable
            Returns the plan of this attempt, where there is none in the folder.
        job : Job
        tell : callable
            Called with False whenever something is new.
        """
        left = TrainingFolder(self.folder)
        plan = Plan.load(left.path) if left.unfinished else prepared(self)
        self.n_train, self.reference = len(plan.split.train), reference_loss(plan)
        self.n_seen, self.state = 0.0, "running"
        self.clock(True)
        each = self.n_train / max(1, self.n_train // plan.training.batch_size)

        def epoch(row: dict[str, float]) -> None:
            self.history = [*(one for one in self.history if one["epoch"] < row["epoch"]), row]
            tell(False)

        def stopped() -> bool:
            self.n_seen += each
            tell(False)
            return job.stopped()

        run = carry_out(plan, self.folder, epoch, stopped)
        self.run, self.history = run, run.history
        self.state = "stopped" if run.provenance.get("interrupted") else "finished"

    @property
    def ended(self) -> bool:
        """Whether nothing of it runs any more."""
        return self.state in ("stopped", "finished", "failed")

    def yardstick(self) -> tuple[Any, ...]:
        """Return what has to be the same for two losses to compare: the samples, and what the loss means."""
        same = {"split", "test", "validation", "folds", "fold", "balanced", "seed"}
        return (
            type(self.spec).__name__ if not self.spec.supervised else "",
            *(getattr(self.spec, one.name) for one in self.spec.settings() if not one.searched),
            *(getattr(self.training, name) for name in sorted(same)),
        )

    def describe(self) -> str:
        """Return in one line how far it is."""
        epochs = f"epoch {len(self.history)} of {self.training.epochs}"
        if self.state in ("running", "paused"):
            words = [self.state, epochs]
            if math.isfinite(self.samples_per_second):
                words += [f"{self.samples_per_second:,.0f} samples/s", f"at most {_span(self.seconds_left)} left"]
            return ", ".join(words)
        if self.state == "failed":
            return f"failed: {self.error}"
        if self.state == "stopped" and self.run is None:
            return "stopped before the end of its first epoch: nothing was learned yet"
        loss = "" if self.loss is None else f", least validation loss {self.loss:.4g}"
        return f"{self.state}, {epochs}{loss}"


def _span(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "?"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def best_of(attempts: Sequence[Attempt]) -> Attempt | None:
    """Return the attempt of least validation loss among those that compare with the latest, or else the latest."""
    known = [one for one in attempts if one.run is not None]
    if not known:
        return None
    alike = [one for one in known if one.yardstick() == known[-1].yardstick() and one.loss is not None]
    return min(alike, key=lambda one: one.loss or 0.0) if alike else known[-1]


def settings_of(attempt: Attempt) -> dict[str, Any]:
    """Return every setting by name, the family first."""
    values: dict[str, Any] = {"family": type(attempt.spec).__name__}
    for spec in (attempt.spec, attempt.training):
        values |= {one.name: getattr(spec, one.name) for one in spec.settings()}
    return values


def differing(attempts: Sequence[Attempt]) -> list[str]:
    """Return the settings that are not the same in all attempts, in their order."""
    tables = [settings_of(one) for one in attempts]
    names = dict.fromkeys(name for table in tables for name in table)
    return [name for name in names if len({json.dumps(table.get(name)) for table in tables}) > 1]


def load_attempts(folder: Path, features: Features) -> list[Attempt]:
    """Return the attempts that an earlier `Tuner` on the same features left in a folder."""
    numbers = {one.name.removesuffix(".training") for one in folder.glob("run-*") if one.is_dir()}
    found = []
    for name in sorted(numbers):
        own = folder / name
        unfinished = TrainingFolder(own).path / "plan.json"
        run = None
        if own.exists():
            run = Run.load(own)
            try:
                run.check(features)
            except DataError:  # of other features; it stays on disk
                continue
            spec, training, history = run.spec, run.training, run.history
        elif unfinished.exists():
            content = json.loads(unfinished.read_text(encoding="utf-8"))
            spec, training = ModelSpec.from_dict(content["spec"]), Training.from_dict(content["training"])
            history = []
        else:
            continue
        state = "stopped" if unfinished.exists() else "finished"
        found.append(Attempt(int(name.removeprefix("run-")), spec, training, own, state, list(history), run))
    return found

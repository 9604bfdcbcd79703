"""Tune by hand and by search: train in the background, compare, keep the best."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mdnb.datasets import Window
from mdnb.errors import DataError, SpecError
from mdnb.features.base import Features
from mdnb.files import user_path
from mdnb.models.base import ModelSpec, Objective
from mdnb.runs import Run
from mdnb.specs import Training, spec_class
from mdnb.tuning import Study, trials_of
from mdnb.views._attempts import Attempt, load_attempts
from mdnb.views._trainer import Trainer
from mdnb.views._tuner_code import tuner_code, tuner_parameters

__all__ = ["Tuner"]


class Tuner(Trainer):
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
        self.spec = _begin(family)
        self.training = training or Training()
        self.ranges = dict(search or {})
        self.storage = storage
        self.attempts = []
        self._out = None if out is None else user_path(out)
        if self._out is None:
            self._folder = Path(tempfile.mkdtemp(prefix="mdnb-tuner-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        else:
            self._folder = self._out.resolve()
            self._folder.mkdir(parents=True, exist_ok=True)
            self.attempts = load_attempts(self._folder, features)
            self.look_up_trials()
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

    def look_up_trials(self) -> tuple[dict[str, Any], ...]:
        """Read and return the trials of the present settings' search, also those of other processes."""
        if self.shared and not self.running and self.spec.validated:
            self.trials = trials_of(
                self.features, self.target, self.spec, training=self.training, window=self.window,
                objective=self.objective, search=self.ranges, out=self._folder / "search", storage=self.storage,
            )  # fmt: skip
            self._tell(True)
        return self.trials

    @property
    def shared(self) -> str:
        """Where the trials of a search are kept for others to join; empty where they end with the `Tuner`."""
        if self.storage is not None:
            return re.sub(r"//[^/@]*@", "//", self.storage) if isinstance(self.storage, str) else "the given storage"
        return "" if self._out is None else str(self._out / "search")

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

    # --- what is left of it --------------------------------------------------------------------------------------

    def code(self) -> str:
        """Return the Python that trains the run that is kept, or what Start would train."""
        return tuner_code(self, *self._asked())

    def _asked(self) -> tuple[ModelSpec, Training]:
        """Return what the run that is kept was asked for, or what the form holds."""
        kept = next((one for one in self.attempts if one.run is not None and one.run is self.value), None)
        return (self.spec, self.training) if kept is None else (kept.spec, kept.training)

    def parameters(self) -> dict[str, Any]:
        """Return the family, the target and the settings that are not the defaults, with epochs and seed."""
        return tuner_parameters(self, *self._asked())

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

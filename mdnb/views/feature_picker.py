"""Pick features: what applies to the trajectories, how large it is, how it looks; then compute."""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape
from math import prod
from typing import Any

from traitlets import Any as AnyTrait

from mdnb.errors import DataError, MdnbError
from mdnb.features.base import FEATURIZERS, Features, Featurizer
from mdnb.features.engine import featurize
from mdnb.features.identity import settings_of
from mdnb.features.survey import Offer, Preview, offer, preview
from mdnb.features.writing import features_code, featurizer_code
from mdnb.files import size_text
from mdnb.loading import load
from mdnb.progress import watched
from mdnb.trajectories import Trajectories
from mdnb.views._feature_preview import preview_html
from mdnb.views._job import Job
from mdnb.views._live import message_html
from mdnb.views._source import trajectories_lines
from mdnb.views._worker import Worker

__all__ = ["FeaturePicker"]

_PREVIEWED = 4  # features, in a report


class FeaturePicker(Worker):
    """Choose features by clicking; a script or papermill chooses them with the arguments and calls `compute`.

    Parameters
    ----------
    trajectories : Trajectories or mdtraj.Trajectory
    chosen : str, Featurizer, or a sequence of them
        What is ticked at the start, as `mdnb.featurize` takes it.
    n_jobs, cache
        As for `mdnb.featurize`.

    Attributes
    ----------
    value : Features or None
        What was computed; None before, and after something else is chosen.
    chosen : list of str
        Names of what is ticked.

    Raises
    ------
    SpecError
        For an unknown feature.
    """

    value = AnyTrait(None, allow_none=True, help="The Features computed, or None.")

    def __init__(
        self,
        trajectories: Any,
        chosen: str | Featurizer | Sequence[str | Featurizer] = (),
        *,
        n_jobs: int = 1,
        cache: bool | str | os.PathLike[str] = False,
    ) -> None:
        super().__init__()
        if trajectories is None:
            raise DataError("there are no trajectories yet: pick some first, or give mdnb.example() or mdnb.load(...)")
        self.trajectories = trajectories if isinstance(trajectories, Trajectories) else load(trajectories)
        self.n_jobs, self.cache = n_jobs, cache
        self.settings: dict[str, dict[str, Any]] = {}
        self.chosen: list[str] = []
        self.done: tuple[int, int] = (0, 0)
        self._offers: dict[str, Offer] = {}
        self._previews: dict[str, str] = {}
        self._made: dict[str, Featurizer] = {}  # given ready-made, with settings that no form holds
        for one in [chosen] if isinstance(chosen, str | Featurizer) else chosen:
            self._take(one)

    def _take(self, one: str | Featurizer) -> None:
        if isinstance(one, Featurizer):
            name = one.name or type(one).__name__
            self._made[name] = one
            if featurizer_code(one):
                self.settings[name] = {key: getattr(one, key) for key in settings_of(one)}
                del self._made[name]
        else:
            name = one
            self.offer(name)  # refuses an unknown one
        if name not in self.chosen:
            self.chosen.append(name)

    # --- before it runs ------------------------------------------------------------------------------------------

    def names(self) -> list[str]:
        """Return every feature that there is."""
        return list(FEATURIZERS)

    def offer(self, name: str) -> Offer:
        """Return what a feature would give with its present settings, or why it would not."""
        if name not in self._offers:
            self._offers[name] = offer(self.trajectories, name, self.settings.get(name))
        return self._offers[name]

    def preview(self, name: str) -> Preview:
        """Return a few frames of a feature.

        Raises
        ------
        DataError
            When it does not apply, or frames cannot be read.
        """
        found = self.offer(name)
        if found.maker is None:
            raise DataError(f"{name}: {found.reason}")
        return preview(self.trajectories, found.maker)

    def preview_html(self, name: str) -> str:
        """Return a few frames of a feature as HTML: unit, range and course of its columns. Errors as for `preview`."""
        if name not in self._previews:
            shown = self.preview(name)
            self._previews[name] = preview_html(self.offer(name).columns, shown, self.trajectories.n_frames)
        return self._previews[name]

    def set(self, name: str, **settings: Any) -> Offer:
        """Change settings of a feature; what it gives then is returned. What was computed is no longer the value."""
        self.settings[name] = {**self.settings.get(name, {}), **settings}
        self._offers.pop(name, None)
        self._previews.pop(name, None)
        self._made.pop(name, None)
        if name in self.chosen:
            self.value = None
        return self.offer(name)

    def choose(self, names: Sequence[str]) -> None:
        """Tick these; what was computed of others is no longer the value."""
        if list(names) != self.chosen:
            self.chosen = list(names)
            self.value = None

    def size(self) -> tuple[int, int]:
        """Return the columns and the bytes of all that is ticked together."""
        found = [one for one in (self.offer(name) for name in self.chosen) if one.maker is not None]
        return sum(prod(one.shape) for one in found), sum(one.n_bytes for one in found)

    def problem(self) -> str:
        """Return what stands in the way of computing what is ticked; empty if nothing does."""
        seen: dict[str, str] = {}
        for name in self.chosen:
            found = self.offer(name)
            if found.maker is None:
                return f"{name} does not apply: {found.reason}"
            for column in found.columns:
                if column.name in seen and seen[column.name] != name:
                    return f"{seen[column.name]} and {name} both hold {column.name!r}: choose one of the two"
                seen[column.name] = name
        return ""

    # --- to compute ----------------------------------------------------------------------------------------------

    def asked(self) -> list[str | Featurizer]:
        """Return what is ticked, as `mdnb.featurize` takes it."""
        found: list[str | Featurizer] = []
        for name in self.chosen:
            settings = self.settings.get(name)
            found.append(self._made.get(name) or (FEATURIZERS[name](**settings) if settings else name))
        return found

    def compute(self) -> Features:
        """Compute what is ticked, as `mdnb.featurize` does, and make it the value.

        Raises
        ------
        DataError
            When nothing is ticked, or as for `mdnb.featurize`.
        """
        if not self.chosen:
            raise DataError("nothing is chosen: tick a feature, or give chosen=['torsions']")
        asked = list(self.chosen)
        made = featurize(self.trajectories, self.asked(), n_jobs=self.n_jobs, cache=self.cache)
        if asked == self.chosen:
            self.value = made
        return made

    def start(self) -> None:
        """Compute in the background."""
        if self.running:
            raise DataError("it computes already; stop it first, or wait for it")
        self.error, self.done = "", (0, self.trajectories.n_frames)
        self.job = Job(lambda job: self._guarded(self._work, job), "mdnb-featurize", lambda: self._tell(True))
        self.job.start()
        self._tell(True)

    def _work(self, job: Job) -> None:
        def progress(done: int, total: int) -> None:
            self.done = (done, total)
            self._tell(False)
            if job.stopped():
                raise _Stopped

        try:
            with watched(progress):
                self.compute()
        except _Stopped:
            self.error = ""

    # --- what is left of it --------------------------------------------------------------------------------------

    def code(self) -> str:
        """Return the Python that computes what is ticked."""
        lines = ["import mdnb", "", *trajectories_lines(self.trajectories)]
        if not self.chosen:
            return "\n".join([*lines, "# nothing is chosen yet"])
        call = features_code(self.asked())
        if not call:
            names = ", ".join(repr(name) for name in self.chosen)
            call = f"mdnb.featurize(trajectories, [{names}])  # with settings that were given as objects"
        more = "".join(f", {name}={value!r}" for name, value in self._more().items())
        if more and call.endswith(")"):
            call = f"{call[:-1]}{more})"
        return "\n".join([*lines, f"features = {call}"])

    def _more(self) -> dict[str, Any]:
        cache = os.fspath(self.cache) if isinstance(self.cache, os.PathLike) else self.cache
        given = {"n_jobs": self.n_jobs, "cache": cache}
        return {name: value for name, value in given.items() if value not in (1, False) or value is True}

    def parameters(self) -> dict[str, Any]:
        """Return what is ticked as the parameter of the notebooks that come with mdnb."""
        return {"features_asked": ",".join(self.chosen)}

    def static_html(self) -> str:
        """Return what is ticked, and what was computed, for a report."""
        if not self.chosen:
            return "<p><em>No features are chosen: give chosen=['torsions'], or tick them in a live notebook.</em></p>"
        rows = ""
        for name in self.chosen:
            found = self.offer(name)
            size = found.reason or f"{' x '.join(map(str, found.shape))} numbers a frame, {size_text(found.n_bytes)}"
            rows += f"<tr><td>{escape(name)}</td><td>{escape(found.about)}</td><td>{escape(size)}</td></tr>"
        shown = "".join(f"<h4>{escape(name)}</h4>{self._shown(name)}" for name in self.chosen[:_PREVIEWED])
        if len(self.chosen) > _PREVIEWED:
            more = len(self.chosen) - _PREVIEWED
            shown += f"<p>and {'one more feature' if more == 1 else f'{more} more features'}</p>"
        told = "not computed" if self.value is None else repr(self.value)
        return f"<table>{rows}</table>{shown}<pre>{escape(told)}</pre>{self._settings_html()}"

    def _shown(self, name: str) -> str:
        try:
            return self.preview_html(name)
        except MdnbError as error:
            return message_html(str(error))

    def _make_controls(self) -> Any:
        from mdnb.views._feature_controls import FeatureControls

        return FeatureControls(self)

    def __repr__(self) -> str:
        what = ", ".join(self.chosen) or "nothing chosen"
        return f"FeaturePicker of {self.trajectories.n_frames:,} frames: {what}; value: {self.value!r}"


class _Stopped(Exception):
    """The user stopped it."""

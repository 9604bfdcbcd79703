"""The folder beside a run that holds what its training needs to go on, until it is finished."""

from __future__ import annotations

import json
import logging
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from mdnb.errors import DataError, TrainingError
from mdnb.files import NO_LOCKS, locked, user_path
from mdnb.specs import Training
from mdnb.training.plan import Plan
from mdnb.training.state import State
from mdnb.training.workers import Workers

__all__ = ["TrainingFolder"]

_LOG = logging.getLogger(__name__)
_OWN = re.compile(r"(\.partial-.*|plan\.(json|safetensors)|state\.json|state-\d+\.safetensors|lock)")


class TrainingFolder:
    """``<out>.training``: the plan and the last state of a training that is not finished.

    Parameters
    ----------
    out : path
        Of the run.

    Raises
    ------
    DataError
        When there is something else of that name, or no place for it.
    """

    def __init__(self, out: str | os.PathLike[str]) -> None:
        self.out = user_path(out)
        try:
            place = self.out.resolve()
            self.path = place.with_name(f"{place.name}.training")
            others = [name for name in os.listdir(self.path) if not _OWN.fullmatch(name)] if self.path.exists() else []
        except (OSError, ValueError, RuntimeError) as error:
            raise DataError(f"{self.out} is no place for a run ({error}); give a folder of its own") from error
        if self.path.is_symlink() or others:
            what = f"holds other things ({sorted(others)[0]})" if others else "is a link"
            raise DataError(
                f"{self.path} is where the training of {self.out.name!r} is kept until it is finished, but it {what}; "
                "give another out"
            )

    @property
    def unfinished(self) -> bool:
        """Whether there is a training to go on with."""
        return (self.path / "plan.json").exists()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from the same training; the system frees it when a process dies.

        Raises
        ------
        DataError
            When another process trains there.
        TrainingError
            When the folder cannot be made.
        """
        with ExitStack() as held:
            try:
                held.enter_context(locked(self.path / "lock", wait=False))
            except BlockingIOError as error:
                raise DataError(
                    f"{self.out} is being trained by another process; wait for it, or give another out"
                ) from error
            except OSError as error:
                if error.errno not in NO_LOCKS:
                    raise TrainingError(
                        f"the training cannot be written to {self.path} ({error}); make room, or give another out"
                    ) from error
                _LOG.warning("%s is on a file system without locks: train there by one process at a time", self.out)
            yield

    def threads(self, plan: Plan) -> int:
        """Return the threads to train with: of a plan that is left there its own, since the last bits depend on them.

        Raises
        ------
        DataError
            When what is there is damaged.
        """
        left = self._left()
        return left["threads"] if left is not None and left["key"] == plan.key else plan.training.threads

    def enter(self, plan: Plan, state: State, together: Workers) -> None:
        """Continue what was left, or write the plan.

        Raises
        ------
        DataError
            When another training is not finished there.
        TrainingError
            When it cannot be written.
        """
        error: TrainingError | None = None
        left = self._left()
        together.wait()  # all have looked before one writes
        if left is not None and left["key"] != plan.key:
            raise DataError(
                f"{self.path} holds another training that is not finished; mdnb.resume({str(self.out)!r}) goes on with "
                "it, or delete that folder to begin anew"
            )
        if together.rank == 0:
            try:
                if left is None:
                    (self.path / "state.json").unlink(missing_ok=True)
                if left is None or left["values"] != plan.stored():  # the features may lie elsewhere now
                    plan.save(self.path)
            except OSError as cause:
                error = TrainingError(
                    f"the training cannot be written to {self.path} ({cause}); make room, or give another out"
                )
                error.__cause__ = cause
        together.agree(error)
        if left is not None:
            state.restore(self.path, plan.key, together.rank)
            together.wait()

    def _left(self) -> dict[str, Any] | None:
        """Return the key of the plan that is there, its threads and the file of its features, or None."""
        if not self.unfinished:
            return None
        try:
            content = json.loads((self.path / "plan.json").read_text(encoding="utf-8"))
            return {
                "key": str(content["key"]),
                "threads": Training.from_dict(content["training"]).threads,
                "values": content["values"],
            }
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise DataError(
                f"{self.path} holds no training that can be resumed ({error!r}); delete it and train again"
            ) from error

    def forget(self) -> None:
        """Remove it: all at once, so that a kill in between leaves nothing that looks unfinished."""
        aside = Path(tempfile.mkdtemp(prefix=f".{self.path.name}-", dir=self.path.parent))
        os.replace(self.path, aside / "done")
        for path in (aside / "done").iterdir():
            path.unlink()
        (aside / "done").rmdir()
        aside.rmdir()

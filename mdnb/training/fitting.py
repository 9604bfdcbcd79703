"""fit and resume: train a model from features, or go on where a training stopped."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import torch

from mdnb.datasets import Window
from mdnb.errors import DataError, MdnbError, SpecError, TrainingError
from mdnb.features.base import Features
from mdnb.files import user_path
from mdnb.models.base import Model, ModelSpec, Objective
from mdnb.runs import Run, check_folder
from mdnb.specs import Training
from mdnb.training.batches import Batches
from mdnb.training.evaluation import evaluate
from mdnb.training.folder import TrainingFolder
from mdnb.training.loop import Callback, NotFiniteError, train, validate
from mdnb.training.plan import Plan
from mdnb.training.prepare import prepare
from mdnb.training.state import State, copy_weights
from mdnb.training.threads import choose_threads, torch_threads
from mdnb.training.workers import Workers, workers

__all__ = ["carry_out", "fit", "resume"]


def fit(
    features: Features,
    target: Any = None,
    spec: ModelSpec | str = "CNN",
    training: Training | None = None,
    *,
    window: Window | None = None,
    objective: Objective | str | None = None,
    out: str | os.PathLike[str] | None = None,
    callback: Callback | None = None,
    stop: Callable[[], bool] | None = None,
) -> Run:
    """Train a model; the test part is never seen before the end.

    Started by ``torchrun`` with several processes, each takes its share of every batch, and all return the same run.

    Parameters
    ----------
    features : Features
    target : str, array, table or None
        See `mdnb.targets.make_target`. For a VAE or a GAN the condition it learns, or None.
    spec : ModelSpec or str
        For example ``mdnb.CNN(channels=16)`` or ``"CNN"``.
    training : Training, optional
    window : Window, optional
        Frames of one sample, and how far ahead the label lies. By default one frame and its own label
        (ten frames for a family that learns time; with a lag time no more than the lag has, since windows that share
        frames foretell each other).
    objective : Objective or str, optional
        What to learn where it is not a target: ``mdnb.SlowModes(lag_time=10)``, ``mdnb.Forecast()``,
        ``mdnb.TimeLagged()``, ``mdnb.Propagate()``; or ``mdnb.Labels(uncertainty=True)`` for a number with its error.
    out : path, optional
        Folder of the run. While it is trained, the folder ``<out>.training`` beside it holds all that is needed to
        go on after a crash: `mdnb.resume`, or the same call again, continues there, to the same weights bit for bit
        (with the threads it began with).
    callback : function, optional
        Called with the row of each epoch; training ends when it returns True.
    stop : function, optional
        Asked after each batch; when it returns True, training is interrupted as by Ctrl-C.

    Returns
    -------
    Run
        With the weights of the epoch of least validation loss. After a keyboard interrupt it holds what
        was learned until then; without scores where that came while it was judged.

    Raises
    ------
    SpecError
        For an unknown family or objective, a target where none belongs, or windows longer than the lag.
    DataError
        When labels do not fit the frames, there are too few samples to part, or `out` holds another unfinished
        training.
    TrainingError
        When the loss is not a number, or the disk is full.
    """
    if out is not None:
        TrainingFolder(out)
        check_folder(user_path(out).resolve())
    return carry_out(prepare(features, target, spec, training, window, objective), out, callback, stop)


def resume(
    folder: str | os.PathLike[str], *, callback: Callback | None = None, stop: Callable[[], bool] | None = None
) -> Run:
    """Go on with a training that was killed or interrupted, to the weights it would have had, bit for bit.

    Parameters
    ----------
    folder : path
        What `mdnb.fit` got as `out`. Of a training that is finished, the run is loaded.
    callback, stop : function, optional
        As for `mdnb.fit`.

    Returns
    -------
    Run

    Raises
    ------
    DataError
        When there is nothing to go on with, or it is damaged.
    """
    training = TrainingFolder(folder)
    if training.unfinished:
        return carry_out(Plan.load(training.path), folder, callback, stop)
    try:
        return Run.load(folder)
    except DataError as error:
        if user_path(folder).exists():
            raise
        raise DataError(f"there is no training to go on with in {folder}; give what mdnb.fit got as out") from error


def carry_out(
    plan: Plan,
    out: str | os.PathLike[str] | None,
    callback: Callback | None,
    stop: Callable[[], bool] | None,
) -> Run:
    """Train what was prepared; see `fit` for the arguments and what is raised."""
    folder = None if out is None else TrainingFolder(out)
    with workers() as together, ExitStack() as held:
        error = None
        if folder is not None and together.rank == 0:
            try:
                held.enter_context(folder.locked())
            except MdnbError as found:
                error = found
        together.agree(error)
        run = _train(plan, folder, callback, stop, together)
        together.wait()
    return run


def _train(
    plan: Plan,
    folder: TrainingFolder | None,
    callback: Callback | None,
    stop: Callable[[], bool] | None,
    together: Workers,
) -> Run:
    device = _device(plan.training, together)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        # A training goes on where it began: a GPU rounds otherwise, and keeps the optimizer's numbers otherwise.
        plan = replace(plan, training=replace(plan.training, device=device.type))
        if folder is not None:
            plan = replace(plan, training=replace(plan.training, threads=folder.threads(plan)))
        plan, model, batches, start_counts = _build(plan, together, device)
        with torch_threads(plan.training.threads):
            torch.manual_seed(plan.training.seed + together.rank)
            state = State.begin(model, plan.training)
            if start_counts:
                state.best_loss = validate(plan, state, batches)["validation_loss"]
            if folder is not None:
                folder.enter(plan, state, together)
            run = plan.run(model)
            save = None if folder is None else _Saver(run, state, folder, plan.key, together)
            diverged = None
            try:
                complete = train(plan, state, batches, together, save, callback, stop)
            except NotFiniteError as error:
                if not state.history:
                    if save is not None:
                        save.forget()
                    raise
                complete, diverged = False, error
            complete &= _finish(run, plan, state, batches)
    if not complete:
        run.provenance["interrupted"] = True
    if save is not None:
        save.last(run, done=complete or diverged is not None)
    if diverged is not None:
        where = f"; the last good state is in {folder.out}" if folder is not None else ""
        raise NotFiniteError(f"{diverged}{where}") from diverged
    return run


class _Saver:
    """Writes what a training needs to go on, and beside it the best run so far."""

    def __init__(self, run: Run, state: State, folder: TrainingFolder, key: str, together: Workers) -> None:
        self._run, self._state, self._folder, self._key, self._together = run, state, folder, key, together

    def __call__(self) -> None:
        random_states = {"random": self._together.all_states(torch.get_rng_state())}
        device = next(self._state.model.parameters()).device
        if device.type == "cuda":
            random_states["cuda"] = self._together.all_states(torch.cuda.get_rng_state(device))
        error = None
        if self._together.rank == 0:
            try:
                self._state.save(self._folder.path, self._key, random_states)
                self._best_so_far()
            except OSError as cause:
                error = self._unwritten(cause)
        self._together.agree(error)

    def _unwritten(self, cause: OSError) -> TrainingError:
        kept = (self._folder.path / "state.json").exists()
        out = self._folder.out
        error = TrainingError(
            f"the training cannot be written to {out} ({cause}): make room, then mdnb.resume({str(out)!r}) goes on "
            f"{'from what was written before' if kept else 'from the start'}"
        )
        error.__cause__ = cause
        return error

    def last(self, run: Run, done: bool) -> None:
        """Save the run, and remove what is needed to go on where nothing is left to do."""
        error = None
        if self._together.rank == 0:
            try:
                run.save(self._folder.out)
                if done:
                    self._folder.forget()
            except OSError as cause:
                error = self._unwritten(cause)
        self._together.agree(error)

    def forget(self) -> None:
        """Remove what is needed to go on."""
        if self._together.rank == 0:
            self._folder.forget()

    def _best_so_far(self) -> None:
        """Save the run with the best weights so far, marked as not finished."""
        model = self._state.model
        current = copy_weights(model)
        model.load_state_dict(self._state.best)
        self._run.history = self._state.history
        self._run.provenance["unfinished"] = True
        try:
            self._run.save(self._folder.out)
        finally:
            del self._run.provenance["unfinished"]
            model.load_state_dict(current)


def _build(plan: Plan, together: Workers, device: torch.device) -> tuple[Plan, Model, Batches, bool]:
    """Return the plan with its threads, the untrained model, the batches, and whether its start counts."""
    batches = Batches(plan, device)
    torch.manual_seed(plan.training.seed)
    model = plan.spec.build(plan.task).to(device)
    start_counts = model.begin(batches.part("train"))
    if plan.training.threads == 0:
        n_threads = 1
        if together.size == 1 and device.type == "cpu":
            kind = f"{plan.spec}, {plan.task}, batches of {plan.training.batch_size}"
            n_threads = choose_threads(kind, _trial(plan, model, batches))
        plan = replace(plan, training=replace(plan.training, threads=n_threads))
    return plan, model, batches, start_counts


def _trial(plan: Plan, model: Model, batches: Batches) -> Callable[[], None]:
    """Return a function that does one step on a copy of the model."""
    trial = copy.deepcopy(model)
    group = next(iter(trial.groups))
    (batch,) = batches.batches([torch.from_numpy(plan.split.train[: plan.training.batch_size])], [0.0])
    parameters = trial.group_parameters(group)

    def step() -> None:
        loss = trial.losses(batch, group)["loss"]
        torch.autograd.grad(loss, parameters, allow_unused=True)

    return step


def _finish(run: Run, plan: Plan, state: State, batches: Batches) -> bool:
    """Give the run the best weights, the history and the scores; return whether it was let to."""
    model = state.model
    model.load_state_dict(state.best)
    model.eval()
    model.zero_grad(set_to_none=True)
    torch.manual_seed(plan.training.seed)  # the same in all processes
    run.history = state.history
    run.provenance["unfinished"] = True
    try:
        notes = model.finish(batches.part("train"), batches.part("validation"))
        run.split = {**plan.parts, "notes": [*plan.parts["notes"], *notes]}
        del run.provenance["unfinished"]
        run.scores = evaluate(plan, model, batches)
    except KeyboardInterrupt:
        if "unfinished" in run.provenance:  # what is fitted at the end may be half done
            model.load_state_dict(state.best)
        return False
    finally:
        model.cpu()
    return True


def _device(training: Training, together: Workers) -> torch.device:
    if training.device == "cpu" or (training.device == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise SpecError("Training.device = 'cuda', but torch finds no GPU here; use 'auto' or 'cpu'")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", together.rank)) if together.size > 1 else 0)

"""The loop: epochs of batches, for every family and objective."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import torch
from torch import Tensor

from mdnb.errors import TrainingError
from mdnb.models.precision import half_precision
from mdnb.progress import progress_bar
from mdnb.training.batches import Batches
from mdnb.training.plan import Plan
from mdnb.training.state import State, copy_weights
from mdnb.training.workers import Workers

__all__ = ["NotFiniteError", "Stopped", "train", "validate"]

#: Seconds between two states on disk: what a power cut costs at most.
SAVE_EVERY = 10.0

Callback = Callable[[dict[str, float]], bool | None]


class NotFiniteError(TrainingError):
    """The loss is not a number."""


class Stopped(Exception):
    """Training was asked to stop between two batches."""


def train(
    plan: Plan,
    state: State,
    batches: Batches,
    together: Workers,
    save: Callable[[], None] | None,
    callback: Callback | None,
    stop: Callable[[], bool] | None,
) -> bool:
    """Train from where `state` stands; return False when it was interrupted.

    Parameters
    ----------
    plan : Plan
    state : State
        Changed in place.
    batches : Batches
    together : Workers
    save : function or None
        Writes the state; called after the first epoch and then at most every `SAVE_EVERY` seconds.
    callback : function or None
        Sees the row of each epoch; training ends when it returns True.
    stop : function or None
        Asked after each batch; training is interrupted when it returns True.
    """
    training, model = plan.training, state.model
    turns = [group for group, times in model.groups.items() for _ in range(times)]
    # At least one batch for each turn, so that every epoch trains every group.
    n_train = len(plan.split.train)
    n_batches = min(n_train // together.size, max(len(turns), n_train // training.batch_size))
    if n_batches < 1:
        raise TrainingError(f"{n_train} training samples do not feed {together.size} processes; start fewer")
    saved = time.monotonic()
    with progress_bar(
        total=training.epochs, description=type(plan.spec).__name__, unit="epoch", initial=state.epoch
    ) as bar:
        try:
            while state.epoch < training.epochs and state.waited < training.patience:
                row = _epoch(plan, state, batches, together, turns, n_batches, stop)
                if not all(math.isfinite(row.get(name, 0.0)) for name in ("loss", "validation_loss")):
                    raise _not_finite(plan, state.epoch)
                _take_best(state, row)
                state.history.append(row)
                state.epoch += 1
                bar.update()
                bar.set_postfix_str(f"loss {row['loss']:.3f}")
                if save is not None and (state.epoch == 1 or together.any(time.monotonic() - saved >= SAVE_EVERY)):
                    save()
                    saved = time.monotonic()
                wish = callback is not None and together.rank == 0 and bool(callback(row))
                if together.any(wish):
                    break
        except (KeyboardInterrupt, Stopped):
            if not state.history:
                raise
            return False
    return True


def _epoch(
    plan: Plan, state: State, batches: Batches, together: Workers, turns: list[str], n_batches: int,
    stop: Callable[[], bool] | None,
) -> dict[str, float]:  # fmt: skip
    """Train one epoch and return its row of the history."""
    training, model = plan.training, state.model
    model.train()
    sums: dict[str, Tensor] = {}
    counts: dict[str, int] = {}
    half = half_precision(next(model.parameters()).device)
    first, n_steps = state.epoch * n_batches, n_batches * training.epochs
    order = batches.order(state.order, n_batches)
    own = [together.share(rows) for rows in order]
    progress = (step / n_steps for step in range(first, first + n_batches))
    for step, (rows, batch) in enumerate(zip(order, batches.batches(own, progress), strict=True), first):
        name = turns[step % len(turns)]
        group = state.groups[name]
        with half:
            losses = model.losses(batch, name)
        group.backward(losses["loss"])
        together.sum_gradients(group.gradients, len(batch.x) / len(rows))
        group.step(training.learning_rate * 0.5 * (1 + math.cos(math.pi * batch.progress)))
        if state.average is not None:
            state.average.update()
        for key, value in losses.items():
            if key in sums:
                sums[key] += value.detach()
            else:
                sums[key] = value.detach().clone()
            counts[key] = counts.get(key, 0) + 1
        if stop is not None and together.any(stop()):
            raise Stopped
    row = {"epoch": state.epoch + 1.0}
    columns = sorted(sums, key=lambda name: (name != "loss", name))  # which group began is no matter
    row |= {name: together.mean(float(sums[name]) / counts[name]) for name in columns}
    return row | validate(plan, state, batches)


@torch.no_grad()
def validate(plan: Plan, state: State, batches: Batches) -> dict[str, float]:
    """Return the validation loss, with the loss as it is at the end of training, and what else the family watches."""
    model = state.model
    model.eval()
    device = next(model.parameters()).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(state.epoch)
        row = {} if model.average else {"validation_loss": model.validate(batches.part("validation"))}
        return row | model.monitor(batches.part("validation"))


def _take_best(state: State, row: dict[str, float]) -> None:
    state.waited += 1
    if state.average is not None:
        own = {name: value.clone() for name, value in state.average.weights.items()}
        state.best, state.best_loss, state.waited = own, row["loss"], 0
    elif row["validation_loss"] < state.best_loss:
        state.best, state.best_loss, state.waited = copy_weights(state.model), row["validation_loss"], 0


def _not_finite(plan: Plan, epoch: int) -> NotFiniteError:
    return NotFiniteError(
        f"the loss of the {type(plan.spec).__name__} is not a number in epoch {epoch + 1}: lower learning_rate "
        f"(it is {plan.training.learning_rate}) or gradient_clip"
    )

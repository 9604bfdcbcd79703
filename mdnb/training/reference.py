"""The validation loss that needs no learning: the line that a learning curve has to get under."""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy

from mdnb.models.objectives import Labels
from mdnb.training.batches import Batches
from mdnb.training.plan import Plan

__all__ = ["reference_loss"]


@torch.no_grad()
def reference_loss(plan: Plan) -> tuple[str, float] | None:
    """Return what the simplest guess is and its loss on the validation samples; None where there is no such guess.

    The guess is the frequency of each class, the mean of the labels, the last frame again for a forecast, and for
    a VAE frames whose numbers are independent Gaussians: all as they are in the training samples.
    """
    task = plan.task
    if task.kind == "forecast":
        return "the last frame again", _persistence(plan)
    if not plan.spec.supervised:
        return ("independent Gaussians", _gaussians(plan)) if plan.spec.validated else None
    labels = plan.labels()
    if labels is None or task.kind not in ("class", "real"):
        return None
    train, held_out = labels[plan.split.train], labels[plan.split.validation]
    if task.kind == "class":
        counts = torch.bincount(train, minlength=task.n_outputs).float() + 1  # a class may be missing in training
        weights = torch.tensor(task.class_weights) if task.class_weights else None
        if weights is not None:
            counts = counts * weights
        logits = torch.log(counts / counts.sum()).expand(len(held_out), -1)
        return "class frequencies", float(cross_entropy(logits, held_out, weights))
    square = float((held_out - train.mean()).square().mean())
    gaussian = isinstance(task.objective, Labels) and task.objective.uncertainty
    return "the mean", 0.5 * square if gaussian else square


def _persistence(plan: Plan) -> float:
    total, count = 0.0, 0
    for batch in Batches(plan, torch.device("cpu")).part("validation"):
        assert batch.later is not None
        error = (batch.later - batch.x[:, -1:]).square()
        total, count = total + float(error.sum()), count + error.numel()
    return total / count


def _gaussians(plan: Plan) -> float:
    batches = Batches(plan, torch.device("cpu"))
    sums, squares, n = torch.zeros(()), torch.zeros(()), 0
    for batch in batches.part("train"):
        flat = batch.x.flatten(1).double()
        sums, squares, n = sums + flat.sum(0), squares + flat.square().sum(0), n + len(flat)
    mean = sums / n
    width = (squares / n - mean.square()).clamp(min=1e-30).sqrt().clamp(min=float(torch.exp(torch.tensor(-4.0))))
    total, count = 0.0, 0
    for batch in batches.part("validation"):
        flat = batch.x.flatten(1).double()
        total += float((0.5 * ((flat - mean) / width).square() + torch.log(width)).sum())
        count += len(flat)
    return total / count

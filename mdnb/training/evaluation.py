"""evaluate: what a trained model is worth on the test part, for every objective."""

from __future__ import annotations

import torch

from mdnb.models.base import Model, Predictor
from mdnb.models.objectives.labels import GaussianHead
from mdnb.models.objectives.propagate import PropagateHead
from mdnb.models.objectives.slow_modes import SlowModesHead
from mdnb.models.objectives.time_lagged import TimeLaggedHead
from mdnb.models.vae import VAEModel
from mdnb.scores import (
    Score,
    class_scores,
    error_scores,
    interval_scores,
    likelihood_scores,
    real_scores,
    vamp_scores,
)
from mdnb.training.batches import Batches
from mdnb.training.plan import Plan

__all__ = ["evaluate"]


@torch.no_grad()
def evaluate(plan: Plan, model: Model, batches: Batches) -> dict[str, Score]:
    """Return the scores of the test part; none for a GAN, whose samples are judged by `mdnb.generate`."""
    where, whole = plan.samples.unit[plan.split.test], plan.samples.whole
    test = batches.part("test")
    if isinstance(model, VAEModel):
        errors = [(model.reconstruct(b.x, b.y) - b.x[:, 0]).flatten(1).square().mean(1) for b in test]
        return error_scores("reconstruction error", torch.cat(errors).cpu().numpy(), where)
    if not isinstance(model, Predictor):
        return {}
    head = model.head
    if isinstance(head, SlowModesHead):
        now = torch.cat([head(model.encoder(b.x), b.x) for b in test])
        later = torch.cat([head.later_modes(model.encoder(b.later), b.later) for b in test if b.later is not None])
        return vamp_scores(now.cpu().numpy(), later.cpu().numpy(), head.singular_values.cpu().numpy(), where)
    if isinstance(head, TimeLaggedHead):
        lagged = [(head.reconstruct(model.encoder, b.x) - b.later.flatten(1)).square().mean(1) for b in test]  # type: ignore[union-attr]
        return error_scores("reconstruction error", torch.cat(lagged).cpu().numpy(), where)
    if isinstance(head, PropagateHead):
        each = [head.log_likelihood(model.encoder(b.x), b.x, b.later.flatten(1)) for b in test]  # type: ignore[union-attr]
        return likelihood_scores(torch.cat(each).cpu().numpy(), where)
    if plan.task.kind == "forecast":
        ahead = [(model.score(b.x) - b.later.flatten(1)).square().mean(1) for b in test]  # type: ignore[union-attr]
        return error_scores("forecast error", torch.cat(ahead).cpu().numpy(), where)
    # In double precision: in the label's unit a large offset, as of total energies, leaves single precision no digits.
    outputs = torch.cat([model.score(batch.x) for batch in test]).double().cpu().numpy()
    assert plan.samples.labels is not None
    assert plan.target is not None
    labels = plan.samples.labels[plan.split.test]
    if plan.task.kind == "class":
        return class_scores(labels.astype(int), outputs.argmax(1), where, whole)
    predicted = outputs[:, 0] * plan.target.scale + plan.target.mean
    if not isinstance(head, GaussianHead):
        return real_scores(labels, predicted, where, whole)
    errors = [head.error(model.encoder(batch.x)) for batch in test]
    return interval_scores(labels, predicted, torch.cat(errors).cpu().numpy() * plan.target.scale, where, whole)

"""fit: the one loop that trains every family."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mdnb.datasets import Samples, Scaler, Split, Window, digest, make_samples, split_samples
from mdnb.errors import DataError, SpecError, TrainingError
from mdnb.features.base import Features
from mdnb.models.base import Batch, Model, ModelSpec, Task
from mdnb.progress import progress_bar
from mdnb.runs import Run, TargetInfo, check_folder, provenance, record_topology
from mdnb.scores import Score, class_scores, real_scores
from mdnb.specs import Training, spec_class
from mdnb.targets import Target, make_target

__all__ = ["Training", "fit", "torch_threads"]


def fit(
    features: Features,
    target: Any = None,
    spec: ModelSpec | str = "CNN",
    training: Training | None = None,
    *,
    window: Window | None = None,
    out: str | os.PathLike[str] | None = None,
    callback: Callable[[dict[str, float]], bool | None] | None = None,
) -> Run:
    """Train a model; the test part is never seen before the end.

    Parameters
    ----------
    features : Features
    target : str, array or None
        See `mdnb.targets.make_target`; None for a VAE or a GAN.
    spec : ModelSpec or str
        For example ``mdnb.CNN(channels=16)`` or ``"CNN"``.
    training : Training, optional
    window : Window, optional
        Frames of one sample, and how far ahead the label lies. By default one frame and its own label
        (ten frames for an RNN).
    out : path, optional
        Folder where the best state so far is saved after each epoch that improves on it.
    callback : function, optional
        Called with the row of each epoch; training stops when it returns True.

    Returns
    -------
    Run
        With the weights of the epoch of least validation loss. After a keyboard interrupt it holds what
        was learned until then.

    Raises
    ------
    SpecError
        For an unknown family, or a target where none belongs.
    DataError
        When labels do not fit the frames, or there are too few samples to part.
    TrainingError
        When the loss is not a number.
    """
    spec = _as_spec(spec)
    training = training or Training()
    window = window or Window(length=10 if type(spec).__name__ == "RNN" else 1)
    if spec.supervised != (target is not None):
        need = "needs a target, such as 'basin'" if spec.supervised else "learns without a target; leave it None"
        raise SpecError(f"{type(spec).__name__} {need}")
    if not spec.supervised and window.length > 1:
        raise SpecError(f"{type(spec).__name__} learns one frame at a time, got a window of {window.length}")
    if not np.isfinite(features.values).all():
        bad = int(np.flatnonzero(~np.isfinite(features.flat()).all(1))[0])
        raise DataError(f"the features of frame {bad} hold NaN or infinity; leave that frame out")
    if out is not None:
        check_folder(Path(out))
    made = make_target(features, target) if target is not None else None
    samples = make_samples(features, made, window)
    split = split_samples(samples, test=training.test, validation=training.validation, seed=training.seed)
    train_frames = np.unique(samples.frames[split.train])
    scaler = Scaler.fit(features.values[train_frames], features.axes)
    info = _target_info(made, samples, split)
    task = _task(features, window, made, samples, split, training)
    data = _Data(
        values=torch.from_numpy(scaler.transform(features.values)),
        frames=torch.from_numpy(samples.frames),
        labels=_labels(samples, made, info),
    )
    topology, reference = record_topology(features)
    with torch_threads(training.threads), torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        model = spec.build(task)
        run = Run(
            spec=spec,
            training=training,
            window=window,
            task=task,
            model=model,
            scaler=scaler,
            columns=features.columns,
            featurizers=features.featurizers,
            target=info,
            history=[],
            scores={},
            split=_describe(split, samples, features, made),
            provenance=provenance(features, training.seed),
            topology=topology,
            reference=reference,
            train_frames=train_frames,
            test_frames=np.unique(samples.frames[split.test]),
            examples=_examples(features, train_frames),
        )
        if made is not None:
            run.provenance["data"]["sha256_of_labels"] = digest(made.values)
        _train(run, data, split, out, callback)
        model.eval()
        model.finish(data.x(split.train))
        if made is not None:
            run.scores = _test(run, features, samples, split, made)
    if out is not None:
        run.save(out)
    return run


def _examples(features: Features, frames: np.ndarray) -> np.ndarray:
    """Return up to 1,000 of the frames, or as many as make a million numbers."""
    n = min(1000, len(frames), max(1, 1_000_000 // len(features.columns)))
    return features.values[frames[np.linspace(0, len(frames) - 1, n).astype(int)]]


@dataclass(frozen=True)
class _Data:
    """All frames as one tensor; samples are gathered from it by index."""

    values: Tensor
    frames: Tensor
    labels: Tensor | None

    def x(self, chosen: np.ndarray | Tensor) -> Tensor:
        return self.values[self.frames[chosen]]

    def batch(self, chosen: np.ndarray | Tensor, progress: float) -> Batch:
        return Batch(self.x(chosen), None if self.labels is None else self.labels[chosen], progress)


def _train(
    run: Run,
    data: _Data,
    split: Split,
    out: str | os.PathLike[str] | None,
    callback: Callable[[dict[str, float]], bool | None] | None,
) -> None:
    """Train `run.model` in place and leave it with its best weights."""
    training, model = run.training, run.model
    assert isinstance(training, Training)
    optimizers = {
        group: torch.optim.AdamW(
            model.group_parameters(group),
            lr=training.learning_rate,
            betas=model.betas,
            weight_decay=training.weight_decay,
            fused=True,
        )
        for group in model.groups
    }
    turns = [group for group, times in model.groups.items() for _ in range(times)]
    order = torch.Generator().manual_seed(training.seed)
    train = torch.from_numpy(split.train)
    # At least one batch for each turn, so that every epoch trains every group.
    n_batches = min(len(train), max(len(turns), len(train) // training.batch_size))
    average = _Average(model) if model.average else None
    best, waited, step = (float("inf"), _copy(model)), 0, 0
    with progress_bar(total=training.epochs, description=run.family, unit="epoch") as bar:
        try:
            for epoch in range(training.epochs):
                model.train()
                terms: dict[str, list[float]] = {}
                for rows in torch.randperm(len(train), generator=order).tensor_split(n_batches):
                    progress = step / (n_batches * training.epochs)
                    group = turns[step % len(turns)]
                    losses = model.losses(data.batch(train[rows], progress), group)
                    _step(model, optimizers[group], group, losses["loss"], training, progress)
                    if average is not None:
                        average.update(model)
                    for name, value in losses.items():
                        terms.setdefault(name, []).append(value.item())
                    step += 1
                row = {"epoch": epoch + 1.0, **{name: float(np.mean(own)) for name, own in terms.items()}}
                row |= _validate(model, data, split, training, epoch)
                if not np.isfinite([row["loss"], row.get("validation_loss", 0.0)]).all():
                    raise _not_finite(run, epoch, out)
                run.history.append(row)
                bar.update()
                bar.set_postfix_str(f"loss {row['loss']:.3f}")
                waited += 1
                if average is not None or row["validation_loss"] < best[0]:
                    loss, state = (row["loss"], average.state) if average else (row["validation_loss"], _copy(model))
                    best, waited = (loss, state), 0
                    if out is not None:
                        _save(run, state, out)
                if (callback is not None and callback(row)) or waited >= training.patience:
                    break
        except KeyboardInterrupt:
            if not run.history:
                raise
            run.provenance["interrupted"] = True
    model.load_state_dict(best[1])


def _save(run: Run, state: dict[str, Tensor], out: str | os.PathLike[str]) -> None:
    """Save the run as it would be if training ended with this state."""
    current = _copy(run.model)
    run.model.load_state_dict(state)
    run.save(out)
    run.model.load_state_dict(current)


def _step(
    model: Model, optimizer: torch.optim.Optimizer, group: str, loss: Tensor, training: Training, progress: float
) -> None:
    for settings in optimizer.param_groups:
        settings["lr"] = training.learning_rate * 0.5 * (1 + np.cos(np.pi * progress))
    parameters = model.group_parameters(group)
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    torch.nn.utils.clip_grad_norm_(parameters, training.gradient_clip)
    optimizer.step()


@torch.no_grad()
def _validate(model: Model, data: _Data, split: Split, training: Training, epoch: int) -> dict[str, float]:
    """Return the validation loss, with the loss as it is at the end of training."""
    if model.average:
        return {}
    model.eval()
    rows = torch.from_numpy(split.validation)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(epoch)
        parts = [
            (model.losses(data.batch(part, 1.0), next(iter(model.groups)))["loss"].item(), len(part))
            for part in rows.split(4096)
        ]
    return {"validation_loss": sum(value * n for value, n in parts) / len(rows)}


class _Average:
    """Running average of the weights, for families whose last weights keep moving."""

    def __init__(self, model: Model) -> None:
        self.decay = model.average
        self.n_updates = 0
        self.state = _copy(model)

    @torch.no_grad()
    def update(self, model: Model) -> None:
        self.n_updates += 1  # the first steps count for less, so that the untrained weights are soon forgotten
        decay = min(self.decay, (1 + self.n_updates) / (10 + self.n_updates))
        for name, value in model.state_dict().items():
            self.state[name].lerp_(value, 1 - decay)


def _copy(model: Model) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def _not_finite(run: Run, epoch: int, out: str | os.PathLike[str] | None) -> TrainingError:
    where = f"; the last good state is in {out}" if out is not None and run.history else ""
    return TrainingError(
        f"the loss of the {run.family} is not a number in epoch {epoch + 1}: lower learning_rate "
        f"(it is {run.training.learning_rate}) or gradient_clip{where}"
    )


def _as_spec(spec: ModelSpec | str) -> ModelSpec:
    if isinstance(spec, str):
        found = spec_class(spec, kind="model")()
        assert isinstance(found, ModelSpec)
        return found
    if isinstance(spec, type) and issubclass(spec, ModelSpec):
        return spec()
    if not isinstance(spec, ModelSpec):
        raise SpecError(f"got {spec!r} as the model, expected for example mdnb.CNN() or 'CNN'")
    return spec


def _task(
    features: Features, window: Window, target: Target | None, samples: Samples, split: Split, training: Training
) -> Task:
    if target is None or samples.labels is None:
        return Task(features.shape, features.axes, window.length)
    if not target.is_class:
        return Task(features.shape, features.axes, window.length, "real", 1)
    counts = np.bincount(samples.labels[split.train].astype(int), minlength=len(target.classes))
    if (counts > 0).sum() < 2:
        only = target.classes[int(counts.argmax())]
        raise TrainingError(
            f"all training samples are {only!r}; another seed, or more trajectories, gives more classes"
        )
    weights: tuple[float, ...] = ()
    if training.balanced:
        weights = tuple(float(counts.sum() / (len(counts) * max(count, 1))) for count in counts)
    return Task(features.shape, features.axes, window.length, "class", len(target.classes), weights)


def _target_info(target: Target | None, samples: Samples, split: Split) -> TargetInfo | None:
    if target is None or samples.labels is None:
        return None
    if target.is_class:
        return TargetInfo(target.name, target.classes)
    own = samples.labels[split.train]
    if own.std() <= 1e-9 * max(abs(own.mean()), 1e-9):
        raise DataError(f"the target {target.name!r} is {own[0]:g} in every training sample; there is nothing to learn")
    return TargetInfo(target.name, (), target.unit, float(own.mean()), float(own.std()))


def _labels(samples: Samples, target: Target | None, info: TargetInfo | None) -> Tensor | None:
    if target is None or samples.labels is None or info is None:
        return None
    if target.is_class:
        return torch.from_numpy(samples.labels.astype(np.int64))
    return torch.from_numpy(((samples.labels - info.mean) / info.scale).astype(np.float32))


def _describe(split: Split, samples: Samples, features: Features, target: Target | None) -> dict[str, Any]:
    content: dict[str, Any] = {"description": split.description, "notes": _notes(split, samples, target)}
    for name in ("train", "validation", "test"):
        own = getattr(split, name)
        numbers = np.unique(samples.trajectory[own])
        content[name] = {
            "n_samples": len(own),
            "trajectories": numbers.tolist(),
            "names": [features.source.names[int(i)] for i in numbers],
        }
    return content


def _notes(split: Split, samples: Samples, target: Target | None) -> list[str]:
    """Return what a reader of the scores has to know about the labels of the test part."""
    if target is None or samples.labels is None or not target.is_class:
        return []
    labels, where = samples.labels[split.test].astype(int), samples.trajectory[split.test]
    counts = np.bincount(labels, minlength=len(target.classes))
    notes = [
        f"class {name!r} has no test sample: it is not judged"
        for name, count in zip(target.classes, counts, strict=True)
        if not count
    ]
    numbers = np.unique(where)
    if all(len(np.unique(labels[where == number])) == 1 for number in numbers):
        notes.append(
            f"each of the {len(numbers)} test trajectories holds one class only: the scores rest on so few "
            "independent cases, and their intervals are too narrow"
        )
    return notes


def _test(run: Run, features: Features, samples: Samples, split: Split, target: Target) -> dict[str, Score]:
    outputs = run.outputs(features, samples.frames[split.test])
    assert samples.labels is not None
    labels, where = samples.labels[split.test], samples.trajectory[split.test]
    if target.is_class:
        return class_scores(labels.astype(int), outputs.argmax(1), where)
    return real_scores(labels, outputs[:, 0], where)


@contextmanager
def torch_threads(n_threads: int) -> Iterator[None]:
    """Let torch use so many threads: on a busy machine two wait for each other longer than one works."""
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)

"""prepare: from features, a target and choices to the plan of a training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mdnb.datasets import Samples, Scaler, Split, Window, digest, make_samples, split_samples
from mdnb.datasets.scaling import row_blocks
from mdnb.errors import DataError, SpecError, TrainingError
from mdnb.features.base import FEATURIZERS, Features
from mdnb.features.invertible import Invertible, restore
from mdnb.models.base import ModelSpec, Objective, Task
from mdnb.models.objectives import Labels, SlowModes
from mdnb.runs import TargetInfo, provenance, record_topology
from mdnb.specs import Spec, Training, spec_class
from mdnb.targets import Target, make_target
from mdnb.training.parts import describe_parts
from mdnb.training.plan import Plan

__all__ = ["prepare", "usual_window"]


def prepare(
    features: Features,
    target: Any,
    spec: ModelSpec | str,
    training: Training | None,
    window: Window | None,
    objective: Objective | str | None,
) -> Plan:
    """Return the plan of a training; see `mdnb.fit` for the arguments and what is raised."""
    spec = _as_spec(spec)
    training = Training() if training is None else _checked(training, Training, "training", "mdnb.Training(epochs=2)")
    if window is not None:
        _checked(window, Window, "window", "mdnb.Window(length=5)")
    aim = _as_objective(spec, target, objective)
    asked, window = window, usual_window(features, spec, aim) if window is None else window
    _refuse_others(features)
    if not spec.supervised and window.length > 1:
        raise SpecError(f"{type(spec).__name__} learns one frame at a time, got a window of {window.length}")
    _refuse_not_finite(features)
    made = None if target is None else make_target(features, target)
    later = None if aim is None else aim.later(window.length, features.source.time_step)
    if later is not None and (window.horizon or window.per != "frame"):
        raise SpecError(
            f"{type(aim).__name__} says itself what follows a window; leave horizon at 0 and per at 'frame'"
        )
    samples = make_samples(features, made, window, None if later is None else np.array(later))
    split = split_samples(samples, training)
    if isinstance(aim, SlowModes):
        _refuse_few_pairs(aim, split)
    info = _target_info(made, samples, split)
    train_frames = np.unique(samples.frames[split.train])
    scaler = Scaler.fit(features.values, features.axes, train_frames)
    task = _task(features, window, made, samples, split, training, aim)
    if not training.batch_size:
        training = replace(training, batch_size=_batch_size(aim, len(split.train)))
    if not training.learning_rate:
        training = replace(training, learning_rate=(Objective if aim is None else aim).learning_rate)
    topology, reference = record_topology(features)
    if not spec.supervised:
        task = _with_structures(task, features, reference, train_frames, scaler)
    where = provenance(features, training.seed)
    if made is not None:
        where["data"]["sha256_of_labels"] = digest(made.values)
    parts = describe_parts(split, samples, features, made, weighted=bool(task.class_weights) or not spec.supervised)
    if asked is None and window.length < spec.window:
        parts["notes"].append(
            f"windows are of {window.length} frame{'s' if window.length > 1 else ''} instead of this family's "
            f"{spec.window}: the lag has no room for longer ones"
        )
    return Plan(
        spec=spec,
        training=training,
        window=window,
        task=task,
        values=features.values,
        samples=samples,
        split=split,
        scaler=scaler,
        target=info,
        columns=features.columns,
        featurizers=features.featurizers,
        parts=parts,
        provenance=where,
        topology=topology,
        reference=reference,
    )


def usual_window(features: Features, spec: ModelSpec | str, aim: Objective | None) -> Window:
    """Return the window that is taken where none is given: the family's, as far as the objective has room for it."""
    _refuse_others(features)
    frames = _as_spec(spec).window
    return Window(length=frames if aim is None else aim.usual_window(frames, features.source.time_step))


def _with_structures(
    task: Task, features: Features, reference: np.ndarray, frames: np.ndarray, scaler: Scaler, n: int = 16
) -> Task:
    """Return the task with what each number does to the atoms, where numbers are exact coordinates."""
    kind = FEATURIZERS.get(features.featurizers[0]) if len(features.featurizers) == 1 else None
    if kind is None or not issubclass(kind, Invertible) or not kind.exact:
        return task
    made = restore(features.featurizers, features.columns, features.topology, reference)
    chosen = frames[np.linspace(0, len(frames) - 1, min(n, len(frames))).astype(int)]
    found = made.influence(np.asarray(features.values[chosen]).reshape(len(chosen), -1))
    influence = tuple((found * np.broadcast_to(scaler.scale, features.shape).ravel()).tolist())
    task = replace(task, influence=influence, parts=made.parts)
    if made.parts or made.skeleton is None:  # of many residues each is rebuilt after others: errors add up
        return task
    means, scales = (np.broadcast_to(one, features.shape).ravel().tolist() for one in (scaler.mean, scaler.scale))
    return replace(task, skeleton=made.skeleton, means=tuple(means), scales=tuple(scales))


def _refuse_others(features: Any) -> None:
    if not isinstance(features, Features):
        raise DataError(f"got {type(features).__name__!r} as features, expected what mdnb.featurize returns")


def _refuse_not_finite(features: Features) -> None:
    for rows in row_blocks(features.values):
        flat = np.asarray(features.values[rows]).reshape(-1, len(features.columns))
        if not np.isfinite(flat).all():
            bad = rows.start + int(np.flatnonzero(~np.isfinite(flat).all(1))[0])
            never = _never_finite(features)
            if never:
                others = f" (and {len(never) - 1} more)" if len(never) > 1 else ""
                raise DataError(
                    f"the feature {never[0]!r}{others} is NaN or infinite in all frames; leave it out of what "
                    "mdnb.featurize is asked for"
                )
            raise DataError(f"the features of frame {bad} hold NaN or infinity; leave that frame out")


def _never_finite(features: Features) -> list[str]:
    """Return the names of the columns that are a number in no frame."""
    ever = np.zeros(len(features.columns), bool)
    for rows in row_blocks(features.values):
        ever |= np.isfinite(np.asarray(features.values[rows]).reshape(-1, len(ever))).any(0)
    return [features.names[column] for column in np.flatnonzero(~ever)]


def _refuse_few_pairs(aim: SlowModes, split: Split) -> None:
    least = min(len(split.train), len(split.validation), len(split.test))
    if least < 10 * (aim.modes + 1):
        raise DataError(
            f"{least} pairs at the lag in the smallest part are too few to tell {aim.modes} slow modes from noise; "
            f"give at least {10 * (aim.modes + 1)}: more or longer trajectories, a shorter lag_time, or fewer modes"
        )


def _batch_size(aim: Objective | None, n_train: int) -> int:
    """Return the samples in a step: what suits the objective, but twenty steps an epoch where that is possible.

    It is not chosen by a clock, as the threads are: what is learned depends on it, and must not on a busy machine.
    """
    wanted = Objective.batch_size if aim is None else aim.batch_size
    return max(1, min(wanted, max(64, n_train // 20)))


def _as_objective(spec: ModelSpec, target: Any, objective: Objective | str | None) -> Objective | None:
    """Return what is learned; None for a family that generates."""
    name = type(spec).__name__
    if not spec.supervised:
        if objective is not None:
            raise SpecError(f"{name} learns the distribution of the frames and takes no objective; leave it None")
        return None
    aim = _named(objective, Objective, "objective", "mdnb.SlowModes()") if objective is not None else None
    if aim is None:
        if target is None:
            raise SpecError(f"{name} needs a target, such as 'basin', or an objective, such as mdnb.SlowModes()")
        aim = Labels()
    if aim.labelled != (target is not None):
        need = "needs a target, such as 'basin'" if aim.labelled else "learns without a target; leave it None"
        raise SpecError(f"the objective {type(aim).__name__} {need}")
    return aim


def _checked(given: Any, base: type[Spec], kind: str, example: str) -> Any:
    """Return a spec, or refuse what is none of that kind."""
    if not isinstance(given, base):
        raise SpecError(f"got {given!r} as the {kind}, expected for example {example}")
    return given


def _named(given: Any, base: type[Spec], kind: str, example: str) -> Any:
    """Return a spec given as itself, as its class or by its name."""
    if isinstance(given, str):
        return spec_class(given, kind=kind)()
    if isinstance(given, type) and issubclass(given, base):
        return given()
    return _checked(given, base, kind, f"{example} or its name")


def _as_spec(spec: ModelSpec | str) -> ModelSpec:
    found: ModelSpec = _named(spec, ModelSpec, "model", "mdnb.CNN()")
    return found


def _task(
    features: Features,
    window: Window,
    target: Target | None,
    samples: Samples,
    split: Split,
    training: Training,
    aim: Objective | None,
) -> Task:
    task = Task(features.shape, features.axes, window.length, objective=aim)
    if target is None or samples.labels is None:
        n_outputs = 0 if aim is None else aim.n_outputs(features.shape)
        return replace(task, kind="none" if aim is None else aim.task_kind, n_outputs=n_outputs)
    if not target.is_class:
        return replace(task, kind="real", n_outputs=1)
    if isinstance(aim, Labels) and aim.uncertainty:
        raise SpecError("a class has its own probabilities; Labels(uncertainty=True) is for a target that is a number")
    counts = np.bincount(samples.labels[split.train].astype(int), minlength=len(target.classes))
    if (counts > 0).sum() < 2:
        only = target.classes[int(counts.argmax())]
        raise TrainingError(
            f"all training samples are {only!r}; another seed, or more trajectories, gives more classes"
        )
    weights: tuple[float, ...] = ()
    if training.balanced:
        n_present = int((counts > 0).sum())
        weights = tuple(float(counts.sum() / (n_present * count)) if count else 1.0 for count in counts)
    return replace(task, kind="class", n_outputs=len(target.classes), class_weights=weights)


def _target_info(target: Target | None, samples: Samples, split: Split) -> TargetInfo | None:
    if target is None or samples.labels is None:
        return None
    if target.is_class:
        return TargetInfo(target.name, target.classes, asked=target.asked)
    own = samples.labels[split.train]
    if own.std() <= 1e-9 * max(abs(own.mean()), 1e-9):
        raise DataError(f"the target {target.name!r} is {own[0]:g} in every training sample; there is nothing to learn")
    return TargetInfo(target.name, (), target.unit, float(own.mean()), float(own.std()), target.asked)

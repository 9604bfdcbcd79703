"""What the two files of a run say, held against each other before anything is made of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from mdnb.formats.topology_json import topology_from_json
from mdnb.models.base import Task

__all__ = ["check_stored", "check_weights"]

_LARGEST = 10**9  # numbers in a frame


def _require(condition: object, what: str) -> None:
    if not condition:
        raise ValueError(what)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _texts(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)


def check_stored(content: Mapping[str, Any], task: Task, target: Any, tensors: Mapping[str, Tensor]) -> None:
    """Hold the content of ``run.json`` against the arrays of ``weights.safetensors``.

    Parameters
    ----------
    content : mapping
    task : Task
    target : TargetInfo or None
        Both as made of the content.
    tensors : mapping of Tensor

    Raises
    ------
    ValueError
        With what contradicts what. What is missing or of another kind may also raise what Python does.
    """
    _check_task(task, content["window"]["length"])
    _check_target(task, target)
    n_atoms = topology_from_json(content["topology"]).n_atoms
    n_numbers = math.prod(task.shape)
    columns = content["columns"]
    _require(len(columns) == n_numbers, f"{len(columns)} columns do not fit frames of shape {task.shape}")
    for name, unit, atoms, group in columns:
        _require(_texts([name, unit, group]), f"the column {name!r} has no name, unit and group in words")
        fits = isinstance(atoms, list) and all(_whole(atom) and 0 <= atom < n_atoms for atom in atoms)
        _require(fits, f"the column {name!r} is of atoms that the topology of {n_atoms} atoms does not have")
    _require(_texts(content["featurizers"]), "the featurizers are not names")
    for row in content["history"]:
        _require(all(map(_number, row.values())), "the history holds something else than numbers")
    for name, score in content["scores"].items():
        numbers = [score["value"], score["low"], score["high"], *score["draws"]]
        _require(isinstance(score["metric"], str) and all(map(_number, numbers)), f"the score {name!r} is no number")
    _check_origin(content["split"], content["provenance"], () if target is None else target.classes)
    expected = {"scaler.mean": task.shape, "scaler.scale": task.shape, "reference": (n_atoms, 3)}
    for name, shape in expected.items():
        found = tuple(tensors[name].shape)
        _require(found == shape, f"{name} has the shape {found}, not {shape}")
    examples = tensors["examples"]
    _require(not examples.numel() or tuple(examples.shape[1:]) == task.shape, "the examples are of another shape")
    for name in ("scaler.mean", "scaler.scale", "reference", "examples"):
        value = tensors[name]
        _require(value.is_floating_point() and bool(value.isfinite().all()), f"{name} holds no finite numbers")
    _require(bool((tensors["scaler.scale"] > 0).all()), "scaler.scale is not above 0")
    for name in ("train_frames", "test_frames"):
        frames = tensors[name]
        whole = frames.ndim == 1 and not frames.is_floating_point() and not frames.is_complex()
        _require(whole and bool((frames >= 0).all()), f"{name} are not the numbers of frames")


def _check_task(task: Task, window: object) -> None:
    shape = task.shape
    _require(isinstance(shape, tuple) and shape and all(map(_whole, shape)), f"the shape {shape!r} is none of a frame")
    _require(min(shape) > 0 and math.prod(shape) < _LARGEST, f"the shape {shape!r} is none of a frame")
    _require(_texts(task.axes) and len(task.axes) == len(shape), f"the axes {task.axes!r} do not fit {shape}")
    _require(_whole(task.window) and task.window == window, f"the window is {task.window!r} and {window!r}")
    known = ("class", "real", "forecast", "slow", "lagged", "propagate", "none")
    _require(task.kind in known, f"the kind of task {task.kind!r} is not known")
    _require(_whole(task.n_outputs) and 0 <= task.n_outputs < _LARGEST, f"{task.n_outputs!r} outputs cannot be")
    weights = task.class_weights
    _require(isinstance(weights, tuple) and all(map(_number, weights)), "the class weights are not numbers")
    _require(len(weights) in (0, task.n_outputs), f"{len(weights)} class weights do not fit {task.n_outputs} outputs")
    if task.skeleton is not None:
        n_numbers = math.prod(shape)
        rows = [task.influence, task.means, task.scales]
        fits = all(len(row) == n_numbers and all(map(_number, row)) for row in rows)
        _require(fits, f"influence, means and scales of the {n_numbers} numbers are not there")
        largest = max(max(columns[0], columns[1], columns[2] + 1, columns[3]) for columns in task.skeleton.columns)
        _require(largest < n_numbers, f"the skeleton has the column {largest} of {n_numbers}")


def _check_target(task: Task, target: Any) -> None:
    labelled = task.kind in ("class", "real")
    _require((target is not None) == labelled, f"a task of the kind {task.kind!r} has the target {target!r}")
    if target is None:
        return
    _require(
        _texts([target.name, target.unit, target.asked]) and _texts(target.classes), "the target is not named in words"
    )
    n_classes = task.n_outputs if task.kind == "class" else 0
    found = len(target.classes)
    _require(
        found == n_classes, f"{found} classes do not fit a task of the kind {task.kind!r} ({task.n_outputs} outputs)"
    )
    fits = _number(target.mean) and _number(target.scale) and math.isfinite(target.mean + target.scale)
    _require(fits, "the target's mean and scale are no finite numbers")


def _check_origin(split: Any, provenance: Any, classes: tuple[str, ...]) -> None:
    _require(isinstance(split["description"], str), "the split is not described")
    for part in ("train", "test"):
        _require(all(map(_whole, split[part]["trajectories"])), "the split names no trajectories by number")
    for part in ("train", "validation", "test"):
        counts = split.get(part, {}).get("counts", {})  # earlier versions did not count
        fits = isinstance(counts, dict) and counts.keys() <= set(classes) and all(map(_whole, counts.values()))
        _require(fits, f"the samples of the {part} part are not counted by class")
    data = provenance["data"]
    _require(_texts(data["trajectories"]) and _whole(data["n_frames"]), "the provenance does not say which data")


def check_weights(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Hold weights against those of a model that was built without memory for them.

    Raises
    ------
    ValueError
        When one is missing, too many, of another shape or type, or not finite.
    """
    for name in sorted(weights.keys() ^ expected.keys()):
        raise ValueError(f"the weights {name!r} are {'missing' if name in expected else 'not of this model'}")
    for name, value in weights.items():
        shape, wanted = tuple(value.shape), tuple(expected[name].shape)
        _require(shape == wanted, f"the weights {name!r} have the shape {shape}, the model needs {wanted}")
        _require(value.dtype == expected[name].dtype, f"the weights {name!r} are {value.dtype}")
        _require(bool(value.isfinite().all()), f"the weights {name!r} hold NaN or infinite numbers")

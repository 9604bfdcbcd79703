"""Plan: all that training needs, made of features and a target once, and kept on disk to resume from."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mdnb.datasets import Samples, Scaler, Split, Window, digest
from mdnb.errors import DataError
from mdnb.features.base import Column
from mdnb.files import sha256_of, write_tensors, write_whole
from mdnb.models.base import Model, ModelSpec, Task
from mdnb.runs import UNUSABLE, Run, TargetInfo
from mdnb.specs import Training

__all__ = ["Plan"]

_ARRAYS = (
    "frames", "labels", "trajectory", "label_frames", "last", "later", "group",
)  # fmt: skip
_PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Plan:
    """What is trained on what.

    Attributes
    ----------
    spec : ModelSpec
    training : Training
        With the batch size, the learning rate and the threads that were chosen.
    window : Window
    task : Task
    values : (n_frames, *shape) array
        Of the features, in their own units; in memory or memory-mapped.
    samples : Samples
    split : Split
    scaler : Scaler
    target : TargetInfo or None
    columns : tuple of Column
    featurizers : tuple of str
    parts : dict
        As `Run.split`.
    provenance : dict
    topology : dict
    reference : (n_atoms, 3) array
    """

    spec: ModelSpec
    training: Training
    window: Window
    task: Task
    values: np.ndarray
    samples: Samples
    split: Split
    scaler: Scaler
    target: TargetInfo | None
    columns: tuple[Column, ...]
    featurizers: tuple[str, ...]
    parts: dict[str, Any]
    provenance: dict[str, Any]
    topology: dict[str, Any]
    reference: np.ndarray

    def labels(self) -> torch.Tensor | None:
        """Return the labels as the losses want them: class numbers, or scaled numbers."""
        if self.samples.labels is None or self.target is None:
            return None
        if self.target.classes:
            return torch.from_numpy(self.samples.labels.astype(np.int64))
        return torch.from_numpy(((self.samples.labels - self.target.mean) / self.target.scale).astype(np.float32))

    def run(self, model: Model) -> Run:
        """Return a run of the plan, without history or scores."""
        train_frames = self.frames_of("train")
        n = min(1000, len(train_frames), max(1, 1_000_000 // len(self.columns)))
        shown = train_frames[np.linspace(0, len(train_frames) - 1, n).astype(int)]
        return Run(
            spec=self.spec,
            training=self.training,
            window=self.window,
            task=self.task,
            model=model,
            scaler=self.scaler,
            columns=self.columns,
            featurizers=self.featurizers,
            target=self.target,
            history=[],
            scores={},
            split=self.parts,
            provenance=dict(self.provenance),
            topology=self.topology,
            reference=self.reference,
            train_frames=train_frames,
            test_frames=self.frames_of("test"),
            examples=np.asarray(self.values[shown], np.float32),
        )

    def frames_of(self, part: str) -> np.ndarray:
        """Return the frames of the samples of a part, each once, in order."""
        return np.unique(self.samples.frames[getattr(self.split, part)])

    def describe(self) -> dict[str, Any]:
        """Return what JSON can hold of it, without the arrays."""
        return {
            "spec": self.spec.to_dict(),
            "training": self.training.to_dict(),
            "window": self.window.to_dict(),
            "task": self.task.to_dict(),
            "target": None if self.target is None else asdict(self.target),
            "columns": [[c.name, c.unit, list(c.atom_indices), c.group] for c in self.columns],
            "featurizers": list(self.featurizers),
            "parts": self.parts,
            "provenance": self.provenance,
            "topology": self.topology,
            "split": self.split.description,
            "grouped": self.samples.grouped,
        }

    def stored(self) -> str | None:
        """Return the file of the features where they lie in a store as a whole, or None."""
        return _stored(self.values)

    @cached_property
    def key(self) -> str:
        """Return a hash by which the same plan is known again."""
        content = self.describe()
        # The number of threads is found anew on each machine and does not make it another training.
        content["training"] = {**content["training"], "threads": 0}
        content["provenance"] = {"data": content["provenance"]["data"]}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def save(self, folder: Path) -> None:
        """Write ``plan.json`` and ``plan.safetensors``, the latter first.

        Features that lie in a store on disk are pointed at, and not copied.
        """
        arrays = {f"samples.{name}": getattr(self.samples, name) for name in _ARRAYS}
        arrays |= {f"split.{name}": getattr(self.split, name) for name in _PARTS}
        arrays |= {"scaler.mean": self.scaler.mean, "scaler.scale": self.scaler.scale, "reference": self.reference}
        where = self.stored()
        if where is None:
            arrays["values"] = self.values
        whole = {name: np.ascontiguousarray(value) for name, value in arrays.items() if value is not None}
        write_whole(folder / "plan.safetensors", lambda path: write_tensors(path, whole))
        content = {
            **self.describe(),
            "key": self.key,
            "values": where,
            "sha256": sha256_of(folder / "plan.safetensors"),
        }
        text = json.dumps(content, indent=1)
        write_whole(folder / "plan.json", lambda path: path.write_text(text, encoding="utf-8"))

    @classmethod
    def load(cls, folder: Path) -> Plan:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            When a file is missing, damaged, or the features in a store were changed.
        """
        from safetensors.numpy import load_file

        try:
            content = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
            if sha256_of(folder / "plan.safetensors") != content["sha256"]:
                raise ValueError("plan.safetensors was changed since it was saved (its sha256 differs)")
            arrays = load_file(folder / "plan.safetensors")
            where = content["values"]
            values = arrays["values"] if where is None else np.load(where, mmap_mode="r", allow_pickle=False)
            if digest(values) != content["provenance"]["data"]["sha256_of_values"]:
                raise ValueError(f"the features in {where or 'it'} are not those that training began with")
            target = content["target"]
            _check(arrays, len(values), len(content["columns"]))
            return cls(
                spec=ModelSpec.from_dict(content["spec"]),
                training=Training.from_dict(content["training"]),
                window=Window.from_dict(content["window"]),
                task=Task.from_dict(content["task"]),
                values=values,
                samples=Samples(
                    **{name: arrays.get(f"samples.{name}") for name in _ARRAYS},  # type: ignore[arg-type]
                    grouped=bool(content["grouped"]),
                ),
                split=Split(**{name: arrays[f"split.{name}"] for name in _PARTS}, description=content["split"]),
                scaler=Scaler(arrays["scaler.mean"], arrays["scaler.scale"]),
                target=None if target is None else TargetInfo(**{**target, "classes": tuple(target["classes"])}),
                columns=tuple(
                    Column(name, unit, tuple(atoms), group) for name, unit, atoms, group in content["columns"]
                ),
                featurizers=tuple(content["featurizers"]),
                parts=content["parts"],
                provenance=content["provenance"],
                topology=content["topology"],
                reference=arrays["reference"],
            )
        except FileNotFoundError as error:
            raise DataError(
                f"{error.filename} is gone, which the training in {folder} needs; featurize again, and repeat the same "
                "mdnb.fit(..., out=...), which goes on from there"
            ) from error
        except UNUSABLE as error:
            raise DataError(
                f"{folder} holds no training that can be resumed ({error!r}); delete it and train again"
            ) from error


def _check(arrays: dict[str, np.ndarray], n_frames: int, n_columns: int) -> None:
    """Refuse numbers of frames and samples that there are not."""
    n_samples = len(arrays["samples.frames"])
    for name in ("frames", "label_frames", "last", "later"):
        numbers = arrays.get(f"samples.{name}")
        if numbers is not None and (
            numbers.dtype.kind != "i" or len(numbers) != n_samples or numbers.min() < 0 or numbers.max() >= n_frames
        ):
            raise ValueError(f"samples.{name} are not the numbers of {n_frames} frames")
    for name in ("labels", "trajectory", "group"):
        found = arrays.get(f"samples.{name}")
        if found is not None and len(found) != n_samples:
            raise ValueError(f"samples.{name} are not of {n_samples} samples")
    for name in _PARTS:
        part = arrays[f"split.{name}"]
        if part.dtype.kind != "i" or part.ndim != 1 or not len(part) or part.min() < 0 or part.max() >= n_samples:
            raise ValueError(f"split.{name} are not the numbers of {n_samples} samples")
    if arrays["scaler.mean"].size != n_columns or arrays["scaler.mean"].shape != arrays["scaler.scale"].shape:
        raise ValueError("the scaler is of other columns")


def _stored(values: np.ndarray) -> str | None:
    """Return the file of a table that is memory-mapped as a whole, or None."""
    base: np.ndarray | None = values
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap) and base.filename is not None and str(base.filename).endswith(".npy"):
            with open(base.filename, "rb") as file:
                np.lib.format.read_magic(file)
                shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
            same = shape == values.shape and not fortran and dtype == values.dtype
            return str(Path(base.filename).absolute()) if same else None
        base = base.base
    return None

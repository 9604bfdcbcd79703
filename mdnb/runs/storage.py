"""The two files of a run, ``run.json`` and ``weights.safetensors``: written whole or not at all, checked when read."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError

from mdnb.datasets import Scaler, Window
from mdnb.errors import DataError
from mdnb.features.base import Column
from mdnb.files import sha256_of, user_path, write_tensors
from mdnb.models.base import ModelSpec, Task
from mdnb.models.stored import check_stored, check_weights
from mdnb.runs.run import Run, TargetInfo
from mdnb.scores import Score
from mdnb.specs import Training

__all__ = ["UNUSABLE", "check_folder", "load_run", "save_run", "weights_sha256"]

_FORMAT = 2
_FILES = ("run.json", "weights.safetensors")
#: What damaged or tampered files lead to.
UNUSABLE = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RuntimeError,
    MemoryError,
    OSError,
    SafetensorError,
    RecursionError,
)


def save_run(run: Run, folder: str | os.PathLike[str]) -> Path:
    """Write a run; see `Run.save`."""
    asked = user_path(folder)
    folder = asked.resolve()  # of a link: the folder that it points to
    check_folder(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    temporary.chmod(0o755)  # mkdtemp makes it for the owner alone
    try:
        write_tensors(temporary / "weights.safetensors", _tensors(run))
        content = {
            "format": _FORMAT,
            "spec": run.spec.to_dict(),
            "training": run.training.to_dict(),
            "window": run.window.to_dict(),
            "task": run.task.to_dict(),
            "columns": [[c.name, c.unit, list(c.atom_indices), c.group] for c in run.columns],
            "featurizers": list(run.featurizers),
            "target": None if run.target is None else asdict(run.target),
            "history": run.history,
            "scores": {name: asdict(score) for name, score in run.scores.items()},
            "split": run.split,
            "provenance": run.provenance,
            "topology": run.topology,
            "sha256": sha256_of(temporary / "weights.safetensors"),
        }
        (temporary / "run.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
        _put(temporary, folder)
    finally:
        if temporary.exists():
            shutil.rmtree(temporary)
    run.folder = folder.name
    return asked


def weights_sha256(run: Run) -> str:
    """Return the hash that ``weights.safetensors`` has, or would have if the run were saved."""
    from safetensors.torch import save

    return hashlib.sha256(save(_tensors(run))).hexdigest()


def _tensors(run: Run) -> dict[str, torch.Tensor]:
    """Return the weights and arrays of a run, by the names they are saved under."""
    tensors = {f"model.{name}": value.contiguous() for name, value in run.model.state_dict().items()}
    arrays = {"scaler.mean": run.scaler.mean, "scaler.scale": run.scaler.scale, "reference": run.reference}
    arrays |= {name: getattr(run, name) for name in ("train_frames", "test_frames", "examples")}
    return tensors | {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in arrays.items()}


def load_run(folder: str | os.PathLike[str]) -> Run:
    """Read a run; see `Run.load`."""
    folder = user_path(folder)
    if not folder.exists():  # it may have been killed while a new run took the old one's place
        folder = _left_aside(folder.resolve()) or folder
    for name in _FILES:
        if not (folder / name).is_file():
            raise DataError(f"{folder} has no {name}; give the folder that run.save made")
    try:
        content = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        known = content["format"], content["sha256"]
    except (ValueError, LookupError, TypeError, RecursionError, OSError) as error:
        raise DataError(f"{folder / 'run.json'} is damaged: {error!r}") from error
    if known[0] != _FORMAT:
        raise DataError(f"{folder} has the format {known[0]}, expected {_FORMAT}; update mdnb")
    if sha256_of(folder / "weights.safetensors") != known[1]:
        raise DataError(f"{folder / 'weights.safetensors'} was changed since it was saved (its sha256 differs)")
    try:
        run = _restored(content, folder / "weights.safetensors")
    except UNUSABLE as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise DataError(
            f"{folder} holds no run that can be used ({kind}{reason}); train it again with this version"
        ) from error
    run.folder = folder.resolve().name
    return run


def _restored(content: dict[str, Any], path: Path) -> Run:
    """Return the run of the two files, or raise one of `UNUSABLE`; nothing larger than they are is made."""
    from safetensors.torch import load_file

    tensors = load_file(path)
    spec = ModelSpec.from_dict(content["spec"])
    task = Task.from_dict(content["task"])
    target = content["target"]
    if target is not None:
        target = TargetInfo(**{**target, "classes": tuple(target["classes"])})
    check_stored(content, task, target, tensors)
    weights = {name.removeprefix("model."): v for name, v in tensors.items() if name.startswith("model.")}
    if type(spec).__module__.startswith("mdnb."):  # other families may not know torch's empty device
        with torch.device("meta"):
            check_weights(weights, spec.build(task).state_dict())
    model = spec.build(task)
    model.load_state_dict(weights)
    model.eval()
    return Run(
        spec=spec,
        training=Training.from_dict(content["training"]),
        window=Window.from_dict(content["window"]),
        task=task,
        model=model,
        scaler=Scaler(tensors["scaler.mean"].numpy(), tensors["scaler.scale"].numpy()),
        columns=tuple(Column(name, unit, tuple(atoms), group) for name, unit, atoms, group in content["columns"]),
        featurizers=tuple(content["featurizers"]),
        target=target,
        history=content["history"],
        scores={name: Score(**{**score, "draws": tuple(score["draws"])}) for name, score in content["scores"].items()},
        split=content["split"],
        provenance=content["provenance"],
        topology=content["topology"],
        reference=tensors["reference"].numpy(),
        train_frames=tensors["train_frames"].numpy(),
        test_frames=tensors["test_frames"].numpy(),
        examples=tensors["examples"].numpy(),
    )


def check_folder(folder: Path) -> None:
    """Refuse a place for a run where saving would overwrite something else.

    Raises
    ------
    DataError
        When it is a file, or a folder with anything else than a run in it.
    """
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file; give the folder of a run, which is made when it is not there")
    others = (
        sorted(path.name for path in folder.iterdir() if path.name not in (*_FILES, ".DS_Store"))
        if folder.exists()
        else []
    )
    if others:
        raise DataError(
            f"{folder} holds other things than a run ({others[0]}{', ...' if others[1:] else ''}), which saving would "
            f"overwrite; give a folder of its own, such as {folder / 'run'}"
        )


def _put(new: Path, folder: Path) -> None:
    """Give a new run the place of the old one, which waits aside until that is done."""
    if not folder.exists():
        os.replace(new, folder)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
    os.replace(folder, aside / "run")
    try:
        os.replace(new, folder)
    except OSError:
        os.replace(aside / "run", folder)
        raise
    finally:
        if folder.exists():
            shutil.rmtree(aside)
            # Those of saves that were killed in between too: `load` would take one for the run when that is deleted.
            for left in folder.parent.glob(f".{glob.escape(folder.name)}-old-*"):
                if os.listdir(left) == ["run"] and set(os.listdir(left / "run")) == set(_FILES):
                    shutil.rmtree(left, ignore_errors=True)


def _left_aside(folder: Path) -> Path | None:
    """Return the newest run that waits aside for a folder that is not there, or None."""
    if not folder.parent.is_dir():
        return None
    waiting = [path for path in folder.parent.iterdir() if path.name.startswith(f".{folder.name}-old-")]
    whole = [path for path in waiting if all((path / "run" / name).is_file() for name in _FILES)]
    return max(whole, key=lambda path: path.stat().st_mtime) / "run" if whole else None

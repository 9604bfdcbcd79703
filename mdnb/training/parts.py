"""What is in the three parts of the samples, and what a reader of the scores has to know about them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mdnb.datasets import Samples, Split
from mdnb.features.base import Features
from mdnb.targets import Target

__all__ = ["describe_parts"]

#: Share of the training samples from which on a class is said to outweigh the others.
_MOST = 0.8


def describe_parts(
    split: Split, samples: Samples, features: Features, target: Target | None, weighted: bool
) -> dict[str, Any]:
    """Return what is kept in `Run.split`.

    Parameters
    ----------
    split : Split
    samples : Samples
    features : Features
    target : Target or None
    weighted : bool
        Whether it is no matter how many samples each class has.
    """
    content: dict[str, Any] = {"description": split.description, "notes": _notes(split, samples, target)}
    for name in ("train", "validation", "test"):
        own = getattr(split, name)
        numbers = np.unique(samples.trajectory[own])
        content[name] = {
            "n_samples": len(own),
            "trajectories": numbers.tolist(),
            "names": [features.source.names[int(i)] for i in numbers],
        }
        if target is not None and target.is_class and samples.labels is not None:
            content[name]["counts"] = replace(target, values=samples.labels[own]).counts()
    counts = content["train"].get("counts", {})
    most, share = max(counts, key=counts.__getitem__, default=""), max(counts.values(), default=0) / len(split.train)
    if not weighted and share > _MOST:
        content["notes"].append(
            f"{share:.0%} of the training samples are {most!r}: the others may hardly be learned; "
            "Training(balanced=True) gives all classes the same weight in the loss, and balanced accuracy judges them "
            "alike"
        )
    return content


def _notes(split: Split, samples: Samples, target: Target | None) -> list[str]:
    """Return what a reader of the scores has to know about the labels of the three parts."""
    if target is None or samples.labels is None:
        return []
    where = samples.trajectory[split.test]
    n_units = len(np.unique(samples.unit[split.test]))
    few = (
        f"the label is one for each trajectory or molecule, and {n_units} of them are in the test part: the scores "
        "rest on so few independent cases"
    )
    if not target.is_class:
        return [few] if samples.whole and n_units < 20 else []
    n_classes = len(target.classes)
    train, validation, labels = (
        samples.labels[part].astype(int) for part in (split.train, split.validation, split.test)
    )
    in_train, in_test = (np.bincount(own, minlength=n_classes) for own in (train, labels))
    notes = [
        f"class {name!r} has no test sample: it is not judged"
        for name, count in zip(target.classes, in_test, strict=True)
        if not count
    ]
    notes += [
        f"class {name!r} is in the test part but not in training: it cannot be found"
        for name, known, count in zip(target.classes, in_train, in_test, strict=True)
        if count and not known
    ]
    if len(np.unique(validation)) == 1:
        only = target.classes[int(validation[0])]
        notes.append(f"all validation samples are {only!r}: which epoch is best is judged by them; try another seed")
    numbers = np.unique(where)
    if samples.whole:
        return [*notes, few] if n_units < 20 else notes
    if all(len(np.unique(labels[where == number])) == 1 for number in numbers):
        notes.append(
            f"each of the {len(numbers)} test trajectories holds one class only: the scores rest on so few "
            "independent cases, and their intervals are too narrow"
        )
    return notes

"""Batches: samples gathered by index from one tensor, or streamed from a table on disk that is too large for it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from mdnb.models.base import Batch
from mdnb.training.plan import Plan

__all__ = ["Batches"]

#: Samples that lie side by side and are read together when they are streamed, and how many such runs are mixed.
_RUN, _MIXED = 256, 64


def _memory_limit() -> float:
    """Return how many bytes of a table on disk are taken into memory at most: a quarter of what there is."""
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 4
    return 4e9


class Batches:
    """The samples of a plan, scaled.

    Parameters
    ----------
    plan : Plan
    device : torch.device
    """

    def __init__(self, plan: Plan, device: torch.device) -> None:
        self._plan, self._device = plan, device
        self._labels = plan.labels()
        self._frames = torch.from_numpy(np.ascontiguousarray(plan.samples.frames, np.int64))
        later = plan.samples.later
        self._later = None if later is None else torch.from_numpy(np.ascontiguousarray(later, np.int64))
        self.streamed = isinstance(plan.values, np.memmap) and plan.values.size * 4 > _memory_limit()
        if not self.streamed:
            self._values = torch.from_numpy(plan.scaler.transform(plan.values)).to(device)
            self._frames = self._frames.to(device)
            self._later = None if self._later is None else self._later.to(device)
            self._labels = None if self._labels is None else self._labels.to(device)

    def batch(self, rows: Tensor, progress: float = 1.0) -> Batch:
        """Return the samples of those numbers, (batch,) on the CPU."""
        if not self.streamed:
            rows = rows.to(self._device)
        labels = None if self._labels is None else self._labels[rows].to(self._device)
        later = None if self._later is None else self._gather(self._later[rows])
        return Batch(self._gather(self._frames[rows]), labels, progress, later)

    def _gather(self, frames: Tensor) -> Tensor:
        """Return the scaled frames (batch, window, *shape) of frame numbers (batch, window)."""
        if not self.streamed:
            found = self._values.index_select(0, frames.flatten())
            return found.reshape(*frames.shape, *found.shape[1:])
        unique, inverse = np.unique(frames.numpy(), return_inverse=True)
        values = torch.from_numpy(self._plan.scaler.transform(np.asarray(self._plan.values[unique], np.float32)))
        return values[torch.from_numpy(inverse.reshape(frames.shape))].to(self._device)

    def order(self, generator: torch.Generator) -> Tensor:
        """Return the training samples in a new random order.

        Of streamed ones, runs of neighbours are dealt out at random and then mixed among many runs, so that
        reading is by run and a batch still comes from all over.
        """
        train = torch.from_numpy(self._plan.split.train)
        if not self.streamed:
            return train[torch.randperm(len(train), generator=generator)]
        runs = train.split(_RUN)
        dealt = [runs[i] for i in torch.randperm(len(runs), generator=generator).tolist()]
        mixed = []
        for start in range(0, len(dealt), _MIXED):
            own = torch.cat(dealt[start : start + _MIXED])
            mixed.append(own[torch.randperm(len(own), generator=generator)])
        return torch.cat(mixed)

    def part(self, name: str, size: int = 4096) -> Iterator[Batch]:
        """Yield the samples of a part of the split in order."""
        # A whole batch of long windows of large frames would not fit: about 64 MB each.
        numbers = self._frames.shape[1] * int(np.prod(self._plan.task.shape))
        size = min(size, max(16, 16_000_000 // max(1, numbers)))
        rows = torch.from_numpy(getattr(self._plan.split, name))
        return (self.batch(chosen) for chosen in rows.split(size))

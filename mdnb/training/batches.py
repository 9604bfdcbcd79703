"""Batches: samples gathered by index from one tensor, or streamed from a table on disk that is too large for it."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mdnb.datasets.scaling import row_blocks
from mdnb.errors import SpecError
from mdnb.machine import memory_bytes
from mdnb.models.base import Batch
from mdnb.training.plan import Plan

__all__ = ["Batches", "PlanPart"]

#: Numbers that are gathered at once: several small batches together, for less to do at each.
_GATHERED = 2**20
#: Of a table on disk: numbers that are read and mixed at once, and samples that lie side by side and are read together.
_READ, _RUN = 2**23, 128
#: Numbers of samples in a batch that is only looked at; what a network makes of them takes many times that memory.
_LOOKED_AT = 2**20


def _memory_limit() -> float:
    """Return how many bytes of a table on disk are taken into memory at most.

    A quarter of what this machine has, or this process may have; or ``MDNB_MEMORY``, in GB.
    """
    asked = os.environ.get("MDNB_MEMORY")
    if asked:
        try:
            limit = float(asked)
        except ValueError:
            limit = math.nan
        if not limit >= 0:
            raise SpecError(f"MDNB_MEMORY = {asked!r}: expected a number of GB, such as 4 or 0.5, without a unit")
        return limit * 1e9
    memory = memory_bytes()
    limits = [memory if math.isfinite(memory) else 16e9]
    group = Path("/sys/fs/cgroup/memory.max")  # of a container, or of a job on a cluster
    if group.is_file() and (text := group.read_text().strip()).isdecimal():
        limits.append(float(text))
    return min(limits) / 4


class Batches:
    """The samples of a plan, scaled.

    Parameters
    ----------
    plan : Plan
    device : torch.device

    Attributes
    ----------
    streamed : bool
        Whether frames are read from disk batch by batch.
    """

    def __init__(self, plan: Plan, device: torch.device) -> None:
        self._plan, self._device = plan, device
        self.streamed = isinstance(plan.values, np.memmap) and plan.values.size * 4 > _memory_limit()
        where = torch.device("cpu") if self.streamed else device
        labels, later = plan.labels(), plan.samples.later
        self._labels = None if labels is None else labels.to(where)
        self._frames = _index(plan.samples.frames).to(where)
        self._later = None if later is None else _index(later).to(where)
        self._train = torch.from_numpy(plan.split.train)
        self._values = None if self.streamed else _scaled(plan).to(device)
        of_frame = int(np.prod(plan.task.shape))
        self._size = of_frame * (self._frames.shape[1] + (0 if self._later is None else self._later.shape[1]))

    def order(self, generator: torch.Generator, n_batches: int) -> list[Tensor]:
        """Return the training samples in a new random order, parted into batches.

        Of streamed ones, runs of neighbours are dealt out at random, and as many as are read at once are mixed, so
        that reading is by run and a batch still comes from all over.
        """
        if not self.streamed:
            return list(self._train[torch.randperm(len(self._train), generator=generator)].tensor_split(n_batches))
        runs = self._train.split(_RUN)
        dealt = torch.cat([runs[i] for i in torch.randperm(len(runs), generator=generator).tolist()])
        mixed: list[Tensor] = []
        for block in self._blocks(dealt.tensor_split(n_batches)):
            rows = torch.cat(list(block))
            mixed += rows[torch.randperm(len(rows), generator=generator)].split([len(one) for one in block])
        return mixed

    def batches(self, rows: Sequence[Tensor], progress: Iterable[float]) -> Iterator[Batch]:
        """Yield batches of the samples of those numbers, each (batch,) on the CPU, of which several are read at once.

        Parameters
        ----------
        rows : sequence of Tensor
        progress : iterable of float
            `Batch.progress` of each.
        """
        found = chain.from_iterable(map(self._gathered, self._blocks(rows)))
        return (Batch(x, y, done, later) for (x, y, later), done in zip(found, progress, strict=False))

    def part(self, name: str, size: int = 4096) -> PlanPart:
        """Return the samples of a part of the split, to go through in order as often as wanted."""
        rows = torch.from_numpy(getattr(self._plan.split, name))
        return PlanPart(self, rows, min(size, max(16, _LOOKED_AT // self._size)))

    def _blocks(self, rows: Sequence[Tensor]) -> Iterator[Sequence[Tensor]]:
        """Yield as many batches together as are read at once."""
        numbers = _READ if self.streamed else _GATHERED
        step = max(1, numbers // (self._size * max(1, len(rows[0])))) if rows else 1
        return (rows[start : start + step] for start in range(0, len(rows), step))

    def _gathered(self, block: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor | None, Tensor | None]]:
        """Yield x, y and later of successive batches."""
        rows = block[0] if len(block) == 1 else torch.cat(list(block))
        rows = rows.to(self._frames.device)
        found = (
            self._frames_of(self._frames.index_select(0, rows)),
            None if self._labels is None else self._labels.index_select(0, rows).to(self._device),
            None if self._later is None else self._frames_of(self._later.index_select(0, rows)),
        )
        sizes = [len(one) for one in block]
        x, y, later = (repeat(None) if one is None else one.split(sizes) for one in found)
        return zip(x, y, later, strict=False)

    def _frames_of(self, numbers: Tensor) -> Tensor:
        """Return the scaled frames (batch, window, *shape) of frame numbers (batch, window)."""
        if self._values is not None:
            return self._values.index_select(0, numbers.flatten()).reshape(*numbers.shape, *self._values.shape[1:])
        unique, places = np.unique(numbers.numpy(), return_inverse=True)
        values = torch.from_numpy(self._plan.scaler.transform(np.asarray(self._plan.values[unique], np.float32)))
        return values[torch.from_numpy(places.reshape(numbers.shape))].to(self._device)


class PlanPart:
    """The samples of one part of a split in order, read anew each time: it holds none of them.

    Parameters
    ----------
    batches : Batches
    rows : (n_samples,) Tensor
    size : int
        Samples in a batch.
    """

    def __init__(self, batches: Batches, rows: Tensor, size: int) -> None:
        self._batches, self._rows, self._size = batches, rows, size

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._rows)

    def __iter__(self) -> Iterator[Batch]:
        return self._batches.batches(self._rows.split(self._size), repeat(1.0))

    def spread(self, n: int) -> Batch:
        """Return up to n of the samples, evenly spaced over all of them, without reading the others."""
        chosen = torch.linspace(0, len(self._rows) - 1, min(n, len(self._rows))).round().long()
        (batch,) = self._batches.batches([self._rows[chosen]], [1.0])
        return batch


def _index(numbers: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(numbers, np.int64))


def _scaled(plan: Plan) -> Tensor:
    """Return the scaled frames, made block by block, so that there is one copy of them and no more."""
    whole = np.empty(plan.values.shape, np.float32)
    for rows in row_blocks(plan.values):
        whole[rows] = plan.scaler.transform(plan.values[rows])
    return torch.from_numpy(whole)

"""Workers: one training by several processes, each with its share of every batch, as ``torchrun`` starts them."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor

from mdnb.errors import MdnbError, TrainingError

__all__ = ["Workers", "workers"]


class Workers:
    """The processes that train together; one alone where nothing was started by ``torchrun``.

    Attributes
    ----------
    rank : int
        Which of them this is; only the first one writes files.
    size : int
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    def share(self, rows: Tensor) -> Tensor:
        """Return this one's rows of a batch."""
        return rows if self.size == 1 else rows.tensor_split(self.size)[self.rank]

    def sum_gradients(self, gradients: Sequence[Tensor], share: float) -> None:
        """Make the gradients those of the whole batch, of which this one has seen a share, in place."""
        if self.size == 1:
            return
        whole = gradients[0] if len(gradients) == 1 else torch.cat([one.flatten() for one in gradients])
        whole.mul_(share)
        dist.all_reduce(whole)
        if len(gradients) > 1:
            for one, part in zip(gradients, whole.split([one.numel() for one in gradients]), strict=True):
                one.copy_(part.view_as(one))

    def mean(self, value: float) -> float:
        """Return the mean of a number over all."""
        if self.size == 1:
            return value
        tensor = torch.tensor(value, dtype=torch.float64)
        dist.all_reduce(tensor)
        return float(tensor) / self.size

    def any(self, flag: bool) -> bool:
        """Return whether it is true of one of them."""
        return self.mean(float(flag)) > 0

    def all_states(self, state: Tensor) -> list[Tensor]:
        """Return everyone's state of the random numbers."""
        if self.size == 1:
            return [state]
        states = [torch.empty_like(state) for _ in range(self.size)]
        dist.all_gather(states, state)
        return states

    def wait(self) -> None:
        """Wait until all are here."""
        self.mean(0.0)

    def agree(self, error: MdnbError | None) -> None:
        """Wait until all are here, and raise in all of them when one has an error, since none can go on alone."""
        if self.any(error is not None):
            raise error or TrainingError("another process of this training has failed; its own message says why")


@contextmanager
def workers() -> Iterator[Workers]:
    """Join the processes that ``torchrun`` has started; alone where it has not.

    Where no group is open yet, one is opened that stays until the program ends: the store of ``torchrun`` outlives a
    group, and a second one would find in it the addresses of the first.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or "RANK" not in os.environ:
        yield Workers()
        return
    if not dist.is_initialized():
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
        atexit.register(_close, dist.group.WORLD)
    yield Workers(dist.get_rank(), dist.get_world_size())


def _close(group: dist.ProcessGroup | None) -> None:
    """Close a group, unless its user has closed it."""
    if dist.is_initialized() and dist.group.WORLD is group:
        dist.destroy_process_group()

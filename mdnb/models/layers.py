"""Layers that several families share."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from mdnb.errors import SpecError

__all__ = ["Convolutions", "LastState", "mlp"]


def mlp(sizes: list[int], dropout: float = 0.0) -> nn.Sequential:
    """Return linear layers of these sizes with SiLU between them, a fresh activation for each."""
    layers: list[nn.Module] = []
    for number, (n_in, n_out) in enumerate(pairwise(sizes)):
        layers.append(nn.Linear(n_in, n_out))
        if number < len(sizes) - 2:
            layers.append(nn.SiLU())
            if dropout:
                layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers)


class Convolutions(nn.Module):
    """Convolutions over the space of frames: (batch, window, *shape) -> (batch, width).

    The axes called ``xyz`` or ``channel`` are channels, all others space (one to three of them); the frames of a
    window are further channels, so that one convolution sees a neighbourhood in space at all times.

    Parameters
    ----------
    shape, axes : tuple
        Of one frame.
    window : int
        Frames in a sample.
    channels, layers, kernel : int
        Channels of the first convolution, doubled by each further one; how many; and how wide.
    width : int
        Numbers that come out.
    dropout : float
    """

    def __init__(
        self, shape: tuple[int, ...], axes: tuple[str, ...], window: int, channels: int, layers: int, kernel: int,
        width: int, dropout: float,
    ) -> None:  # fmt: skip
        super().__init__()
        self._channel_axes = [number for number, axis in enumerate(axes) if axis in ("xyz", "channel")]
        space = [size for number, size in enumerate(shape) if number not in self._channel_axes]
        if not 1 <= len(space) <= 3:
            raise SpecError(
                f"frames of the axes {', '.join(axes)} have {len(space)} axes of space; convolutions take 1 to 3"
            )
        # Channels that lie side by side in memory are convolved 1.1 to 1.2 times as fast; there is no such order of
        # one axis of space, which is taken as a picture of one row.
        self._space = [1, *space] if len(space) == 1 else space
        convolution: type[nn.Conv2d] | type[nn.Conv3d] = nn.Conv3d if len(space) == 3 else nn.Conv2d
        self._order = torch.channels_last_3d if len(space) == 3 else torch.channels_last
        sizes: Any = tuple(1 if size == 1 else kernel for size in self._space)
        padding: Any = tuple(size // 2 for size in sizes)
        n_in, n_out = window * math.prod(shape[number] for number in self._channel_axes), channels
        blocks: list[nn.Module] = []
        for _ in range(layers):
            blocks += [convolution(n_in, n_out, sizes, padding=padding), nn.SiLU()]
            n_in, n_out = n_out, 2 * n_out
        self.convolutions = nn.Sequential(*blocks)
        self.convolutions.to(memory_format=self._order)  # type: ignore[call-overload]  # torch's stub lacks it
        # Positions in a molecule are not exchangeable: what is where matters, so nothing is averaged out.
        self.readout = nn.Sequential(
            nn.Flatten(), nn.Dropout(dropout), nn.Linear(n_in * math.prod(space), width), nn.SiLU()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, width)."""
        ahead = x.movedim([2 + number for number in self._channel_axes], list(range(2, 2 + len(self._channel_axes))))
        image = ahead.reshape(x.shape[0], -1, *self._space).contiguous(memory_format=self._order)
        # With the channels last the readout needs no copy.
        out: Tensor = self.readout(self.convolutions(image).movedim(1, -1))
        return out


class LastState(nn.Module):
    """A recurrent layer over (batch, window, n_in) -> (batch, width): the state after the last frame.

    Of two directions the states after the last and after the first frame are put side by side.
    """

    def __init__(self, cell: str, n_in: int, hidden: int, layers: int, bidirectional: bool, dropout: float) -> None:
        super().__init__()
        kind = nn.GRU if cell == "GRU" else nn.LSTM
        between = dropout if layers > 1 else 0.0
        self.recurrent = kind(n_in, hidden, layers, batch_first=True, dropout=between, bidirectional=bidirectional)
        self.dropout = nn.Dropout(dropout)
        self.hidden, self.bidirectional = hidden, bidirectional

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, width)."""
        states, _ = self.recurrent(x)
        last = states[:, -1]
        if self.bidirectional:
            last = torch.cat([last[:, : self.hidden], states[:, 0, self.hidden :]], dim=1)
        out: Tensor = self.dropout(last)
        return out

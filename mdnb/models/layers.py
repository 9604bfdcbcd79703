"""Layers that several families share."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

__all__ = ["mlp", "to_channels"]


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


def to_channels(x: Tensor, axes: tuple[str, ...]) -> Tensor:
    """Return frames (batch, *shape) as (batch, channels, *space): ``xyz`` is the channel axis."""
    return x.movedim(-1, 1) if axes[-1] == "xyz" else x.unsqueeze(1)

"""Rebuild: heavy atoms placed from internal coordinates, differentiably, and how far they are from others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mdnb.features.skeleton import Skeleton

__all__ = ["Rebuild"]


class Rebuild:
    """Places the heavy atoms of a molecule from the scaled numbers of a frame; gradients flow through it.

    It has no weights, and its numbers are numpy's: a network that is built without memory, to be filled from a file,
    has them all the same.

    References: Parsons et al., J. Comput. Chem. 26, 1063 (2005), https://doi.org/10.1002/jcc.20237.

    Parameters
    ----------
    skeleton : Skeleton
    means, scales : sequence of float
        Of all numbers of a frame: what they are without scaling is ``means + scales * scaled``.
    """

    def __init__(self, skeleton: Skeleton, means: Sequence[float], scales: Sequence[float]) -> None:
        self._references = np.array(skeleton.references, np.int64)
        self._columns = np.array(skeleton.columns, np.int64)
        self._offsets = np.array(skeleton.offsets, np.float64)
        self._means, self._scales = np.array(means, np.float64), np.array(scales, np.float64)

    def __call__(self, scaled: Tensor) -> Tensor:
        """Return the positions in nm, (batch, n_heavy, 3), of scaled frames (batch, n_numbers).

        The first atom is at the origin, the second on the x axis, the third in the xy plane.
        """
        numbers = self._tensor(self._means, scaled) + self._tensor(self._scales, scaled) * scaled
        nothing = torch.zeros_like(numbers[:, 0])
        placed: list[Tensor] = []
        for (origin, back, before), (bond, angle, turn, more), offset in zip(
            self._references.tolist(), self._columns.tolist(), self._offsets.tolist(), strict=True
        ):
            if not placed:
                placed.append(torch.stack([nothing] * 3, dim=1))
                continue
            length = numbers[:, bond]
            if len(placed) == 1:
                placed.append(torch.stack([length, nothing, nothing], dim=1))
                continue
            sine, cosine = torch.sin(numbers[:, angle]), torch.cos(numbers[:, angle])
            if len(placed) == 2:
                along = 1.0 if origin == 0 else -1.0
                step = torch.stack([along * length * cosine, length * sine, nothing], dim=1)
                placed.append(placed[origin] + step)
                continue
            torsion = torch.atan2(numbers[:, turn], numbers[:, turn + 1]) + offset
            torsion = torsion + numbers[:, more] if more >= 0 else torsion
            first = nn.functional.normalize(placed[origin] - placed[back], dim=1)
            third = nn.functional.normalize(torch.linalg.cross(placed[back] - placed[before], first), dim=1)
            second = torch.linalg.cross(third, first)
            across, up = sine * torch.cos(torsion), sine * torch.sin(torsion)
            step = -cosine[:, None] * first + across[:, None] * second + up[:, None] * third
            placed.append(placed[origin] + length[:, None] * step)
        return torch.stack(placed, dim=1)

    def apart(self, scaled: Tensor, others: Tensor) -> Tensor:
        """Return the mean square displacement of heavy atoms between frames, superposed, in nm^2, (batch,).

        Both (batch, n_numbers), scaled; gradients are along the first. On a CPU it is one compiled pass: of a few
        atoms torch takes far longer to call than to compute.
        """
        if scaled.device.type == "cpu":
            arrays = (self._references, self._columns, self._offsets, self._means, self._scales)
            found: Tensor = _Apart.apply(scaled, others, arrays)
            return found
        with torch.autocast(scaled.device.type, enabled=False):
            return self.apart_by_torch(scaled.float(), others.float())

    def apart_by_torch(self, scaled: Tensor, others: Tensor) -> Tensor:
        """Return what `apart` does, by torch's own functions.

        The superposition counts as fixed in the gradients, since it is where theirs are 0.

        Kabsch, Acta Cryst. A 32, 922 (1976), https://doi.org/10.1107/S0567739476001873
        """
        made, real = self(scaled), self(others)
        made, real = made - made.mean(1, keepdim=True), real - real.mean(1, keepdim=True)
        with torch.no_grad():
            left, _, right = torch.linalg.svd(made.mT @ real)
            left[:, :, 2] *= torch.sign(torch.linalg.det(left @ right))[:, None]
            turn = left @ right
        return (made @ turn - real).square().sum(2).mean(1)

    def _tensor(self, values: np.ndarray, like: Tensor) -> Tensor:
        return torch.as_tensor(values, dtype=like.dtype, device=like.device)


class _Apart(torch.autograd.Function):
    """The compiled pass, which finds the gradient as well."""

    @staticmethod
    def forward(ctx: Any, scaled: Tensor, others: Tensor, arrays: tuple[np.ndarray, ...]) -> Tensor:
        """Return the mean square displacement of each frame."""
        from mdnb.models import rebuild_kernels

        kernel: Any = rebuild_kernels.displacements
        apart, slopes = torch.empty(len(scaled)), torch.empty(scaled.shape)
        both = (one.detach().float().contiguous().numpy() for one in (scaled, others))
        kernel(*both, *arrays, apart.numpy(), slopes.numpy())
        ctx.save_for_backward(slopes)
        return apart

    @staticmethod
    def backward(ctx: Any, *pulls: Tensor) -> tuple[Tensor, None, None]:
        """Return the gradient along the first frames."""
        (slopes,) = ctx.saved_tensors
        return pulls[0][:, None] * slopes, None, None

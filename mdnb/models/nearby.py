"""Nearby: what the latents do not hold of a frame, as it was in real frames whose latents are near."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["Nearby"]

#: Training frames that are kept at most, and their numbers.
_FRAMES, _NUMBERS = 2000, 4_000_000
#: Frames whose latents are nearest, of which one is drawn.
_NEAR = 20
#: Chance that a part is that of the frame whose residual is taken: side chains that fit each other.
_TOGETHER = 0.5
#: Latents and values that are compared at once.
_BATCH = 1000


class Nearby(nn.Module):
    """Residuals of training frames, drawn for new latents part by part.

    The numbers that move parts of a molecule against each other follow the network: to its mean goes the residual of
    one real frame, drawn from those whose latents are nearest to the new ones. The numbers of each part for itself
    (the rotamers of a side chain, the pucker of a ring, its bonds and angles) are those of the same frame for every
    other part, which keeps side chains packed, and for the rest those of a frame drawn anew for each, as from a
    rotamer library that knows the latents. So what has several modes keeps them, where noise with one covariance for
    all would fill the gaps between them; and a structure goes together from the parts of many frames, so that it is
    the copy of none.

    References: Dunbrack, Karplus, J. Mol. Biol. 230, 543 (1993), https://doi.org/10.1006/jmbi.1993.1170 (rotamers
    given the backbone); Silverman, Young, Biometrika 74, 469 (1987), https://doi.org/10.1093/biomet/74.3.469 (the
    bootstrap from near values).

    Parameters
    ----------
    parts : sequence of int
        As of a `Task`.
    width : int
        Of latents and condition together.
    """

    own: Tensor
    latents: Tensor
    scale: Tensor
    n_kept: Tensor

    def __init__(self, parts: Sequence[int], width: int) -> None:
        super().__init__()
        self._part, n_numbers = torch.tensor(parts), len(parts)
        most = max(100, min(_FRAMES, _NUMBERS // n_numbers))
        self.register_buffer("own", torch.zeros(most, n_numbers))
        self.register_buffer("latents", torch.zeros(most, width))
        self.register_buffer("scale", torch.ones(width))
        self.register_buffer("n_kept", torch.zeros((), dtype=torch.long))
        self.begin()

    def begin(self) -> None:
        """Forget the frames that were added."""
        self._order = torch.Generator().manual_seed(0)
        self._rows = torch.zeros(0, 1 + self.latents.shape[1] + self.own.shape[1])
        self._widths, self._n = torch.zeros(0), 0

    def add(self, latents: Tensor, widths: Tensor, values: Tensor, decoded: Tensor) -> None:
        """Take frames in; of very many, as many as are kept are chosen at random.

        Parameters
        ----------
        latents : (n, width) Tensor
            With the condition behind them.
        widths : (n, n_latent) Tensor
            How far other latents may be and mean the same: the standard deviations of the posterior.
        values, decoded : (n, n_numbers) Tensor
            The frames, and the network's means of them.
        """
        own = torch.where(self._part.to(values.device) < 0, values - decoded, values)
        turn = torch.rand(len(own), 1, generator=self._order).to(own)
        rows = torch.cat([self._rows.to(own), torch.cat([turn, latents, own], dim=1)])
        self._rows = rows[rows[:, 0].argsort()[: len(self.own)]]
        total = self._n + len(widths)
        before = self._widths.to(widths) if self._n else torch.zeros_like(widths[0])
        self._widths, self._n = before + (widths.mean(0) - before) * len(widths) / total, total

    def fit(self) -> None:
        """Keep what was added."""
        n, width = len(self._rows), self.latents.shape[1]
        self.latents[:n], self.own[:n] = self._rows[:, 1 : 1 + width], self._rows[:, 1 + width :]
        known = self.latents[:n, len(self._widths) :]
        self.scale[: len(self._widths)] = self._widths
        if known.shape[1]:  # latents have a standard deviation of about 1: a condition counts as one of them
            self.scale[len(self._widths) :] = known.std(0, correction=0).clamp(min=1e-3) * self._widths.median()
        self.n_kept.fill_(n)
        self.begin()

    def draw(
        self,
        latents: Tensor,
        decoded: Tensor,
        generator: torch.Generator | None = None,
        which: Tensor | None = None,
    ) -> Tensor:
        """Return frames (n, n_numbers).

        Parameters
        ----------
        latents : (n, width) Tensor
        decoded : (n, n_numbers) Tensor
            The network's means of them.
        generator : torch.Generator, optional
        which : (n,) Tensor, optional
            Numbers from 0 to 1 that choose the frame whose residual moves parts against each other, so that it can be
            kept while the parts for themselves are drawn anew; drawn by default.
        """
        kept = int(self.n_kept)
        if not kept:
            return decoded
        near = min(_NEAR, max(1, kept // 10))
        made = torch.empty_like(decoded)
        for start in range(0, len(latents), _BATCH):
            rows = slice(start, start + _BATCH)
            apart = torch.cdist(latents[rows] / self.scale, self.latents[:kept] / self.scale)
            order = apart.topk(near, largest=False).indices
            first = order[:, 0]
            for part in self._part.unique().tolist():
                pick = torch.randint(near, (len(order), 1), generator=generator).to(order.device)
                if part < 0 and which is not None:
                    pick = (which[rows, None].to(order.device) * near).long().clamp(max=near - 1)
                frames = order.gather(1, pick)[:, 0]
                if part < 0:
                    first = frames
                else:
                    stay = torch.rand(len(order), generator=generator).to(order.device) < _TOGETHER
                    frames = torch.where(stay, first, frames)
                columns = (self._part == part).nonzero()[:, 0].to(order.device)
                found = self.own[frames[:, None], columns]
                made[rows, columns] = found + decoded[rows, columns] if part < 0 else found
        return made

"""The networks of the benchmark, in plain torch; and as specs those that no family of mdnb makes in just that size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn

from mdnb.models.base import Batch, Model, ModelSpec, Predictor, Task

__all__ = ["Autoencoder", "BenchAutoencoder", "BenchVampnet", "GRUClassifier", "convolutions", "layers"]

_ENCODER, _DECODER = (45, 64, 32, 2), (2, 32, 64, 45)


def layers(sizes: Sequence[int]) -> nn.Sequential:
    """Return linear layers with SiLU between them."""
    found: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        found += [nn.Linear(n_in, n_out), nn.SiLU()]
    return nn.Sequential(*found[:-1])


class Autoencoder(nn.Module):
    """45-64-32-2-32-64-45."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = layers(_ENCODER), layers(_DECODER)

    def forward(self, x: Tensor) -> Tensor:
        """Return the reconstruction."""
        out: Tensor = self.decoder(self.encoder(x))
        return out


class GRUClassifier(nn.Module):
    """A GRU over (batch, window, 45), and the classes from its last state."""

    def __init__(self, hidden: int = 64, n_classes: int = 3) -> None:
        super().__init__()
        self.recurrent, self.linear = nn.GRU(45, hidden, batch_first=True), nn.Linear(hidden, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        out: Tensor = self.linear(self.recurrent(x)[0][:, -1])
        return out


def convolutions(space: Sequence[int], channels: int = 8, hidden: int = 64, n_classes: int = 3) -> nn.Sequential:
    """Return two convolutions over two or three axes and the classes, as one would write them down."""
    kind: type[nn.Conv2d] | type[nn.Conv3d] = nn.Conv2d if len(space) == 2 else nn.Conv3d
    n_places = 1
    for size in space:
        n_places *= size
    return nn.Sequential(
        nn.Unflatten(1, (1, space[0])),
        kind(1, channels, 3, padding=1), nn.SiLU(), kind(channels, 2 * channels, 3, padding=1), nn.SiLU(),
        nn.Flatten(), nn.Linear(2 * channels * n_places, hidden), nn.SiLU(), nn.Linear(hidden, n_classes),
    )  # fmt: skip


@dataclass(frozen=True)
class BenchAutoencoder(ModelSpec):
    """`Autoencoder` for mdnb.fit."""

    supervised: ClassVar[bool] = False

    def build(self, task: Task) -> Model:
        """Return the network."""
        return _AutoencoderModel()


class _AutoencoderModel(Model):
    def __init__(self) -> None:
        super().__init__()
        self.network = Autoencoder()

    def score(self, x: Tensor) -> Tensor:
        out: Tensor = self.network.encoder(x.flatten(1))
        return out

    def losses(self, batch: Batch, group: str) -> dict[str, Tensor]:
        x = batch.x.flatten(1)
        return {"loss": nn.functional.mse_loss(self.network(x), x)}


@dataclass(frozen=True)
class BenchVampnet(ModelSpec):
    """45-64-64 and the head of the objective for mdnb.fit."""

    def build(self, task: Task) -> Model:
        """Return the network."""
        return Predictor(nn.Sequential(nn.Flatten(), layers((45, 64, 64)), nn.SiLU()), 64, task)

"""VAE: a variational autoencoder of frames."""

from __future__ import annotations

from dataclasses import dataclass

from mdnb.models.autoencoder import Autoencoder, Coding
from mdnb.models.base import Model, Task

__all__ = ["VAE"]


@dataclass(frozen=True)
class VAE(Coding):
    """Choices of a variational autoencoder."""

    def build(self, task: Task) -> Model:
        """Return the network."""
        return Autoencoder(self, task)

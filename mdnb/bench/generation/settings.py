"""What every contestant is given: the one place to change it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import mdnb
from mdnb.models.base import ModelSpec

__all__ = ["LAGS", "LATENT", "PEER_BATCH", "PEER_EPOCHS", "PEER_HIDDEN", "PIECES", "PROPAGATORS", "ours"]

#: Latent dimensions of ours and of the peers' autoencoders.
LATENT = 4
#: Of the peers; their rates of learning, activations and losses are their own.
PEER_EPOCHS, PEER_BATCH, PEER_HIDDEN = 60, 128, 256
#: Pieces of MD in ps that are judged as if they were generated.
PIECES = (1000.0, 100.0)

#: Lag times in frames at which the slowest timescales of rollouts are compared.
LAGS = (1, 2, 5, 10)
#: What draws trajectories -> the frames that it sees, and what it learns; as in 07_generate_trajectories.
PROPAGATORS: dict[str, tuple[int, mdnb.Propagate]] = {
    "RNN, 8 frames": (8, mdnb.Propagate()),
    "MLP, 1 frame": (1, mdnb.Propagate()),
}

#: For few latents that reconstruct as well as few can: deep, and with narrow posteriors.
_SHARP: dict[str, Any] = {"layers": 4, "beta": 0.1, "resolution": 0.002}

_OURS: dict[str, tuple[ModelSpec, mdnb.Training]] = {
    "VAE": (mdnb.VAE(latent=LATENT, **_SHARP), mdnb.Training(epochs=45, patience=45, batch_size=128)),
    "GAN": (mdnb.GAN(latent=LATENT, **_SHARP), mdnb.Training(epochs=80, batch_size=128)),
    "protein": (mdnb.VAE(), mdnb.Training(epochs=300, patience=300, batch_size=64)),
    "protein, 2 latents": (mdnb.VAE(latent=2), mdnb.Training(epochs=300, patience=300, batch_size=64)),
    "conditional VAE": (mdnb.VAE(), mdnb.Training(epochs=60, patience=60, batch_size=128)),
    "conditional GAN": (mdnb.GAN(), mdnb.Training(epochs=80, batch_size=128)),
    "latents": (mdnb.VAE(latent=10, beta=0.1), mdnb.Training(epochs=30, patience=30, batch_size=128)),
    "RNN, 8 frames": (mdnb.RNN(hidden=128, dropout=0.3), mdnb.Training(epochs=5)),
    "MLP, 1 frame": (mdnb.MLP(hidden=128, dropout=0.3), mdnb.Training(epochs=10)),
}


def ours(what: str, seed: int, epochs: int | None, threads: int) -> tuple[ModelSpec, mdnb.Training]:
    """Return the model and the training of one of ours.

    Parameters
    ----------
    what : {"VAE", "GAN", "protein", "protein, 2 latents", "conditional VAE", "latents", ...} or a propagator
    seed : int
    epochs : int or None
        In place of its own number.
    threads : int
    """
    spec, training = _OURS[what]
    given = epochs or training.epochs
    return spec, replace(
        training,
        epochs=given,
        patience=max(given, training.patience),
        seed=seed,
        split="block",  # the test is other trajectories: as little as can be is held out of these
        test=0.01,
        validation=0.1,
        split_seed=0,
        threads=threads,
        device="cpu",
    )

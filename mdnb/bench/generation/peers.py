"""Autoencoders of other libraries, and molearn's rebuilt, on superposed Cartesian positions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import mdtraj
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from mdnb.bench.generation.contestant import Contestant, Seconds, aligned_rmsd, heavy_atoms
from mdnb.bench.generation.settings import LATENT, PEER_BATCH, PEER_EPOCHS, PEER_HIDDEN
from mdnb.bench.generation.systems import System
from mdnb.bench.training.contenders import fit_cv, quiet
from mdnb.training.threads import torch_threads

__all__ = ["PEERS", "absent", "train_peer"]


@dataclass(frozen=True)
class Coder:
    """A trained autoencoder: between scaled positions (n, 3 * n_atoms) and latents (n, LATENT)."""

    encode: Callable[[Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]
    normal: bool = False  #: whether the standard normal is drawn from, or a Gaussian fitted on the latents


def _mlcolvar(variational: bool) -> Callable[[Tensor, int], Coder]:
    def train(values: Tensor, epochs: int) -> Coder:
        with quiet():
            from mlcolvar.cvs import AutoEncoderCV, VariationalAutoEncoderCV

            width, hidden = values.shape[1], [PEER_HIDDEN, PEER_HIDDEN]
            options = {"norm_in": None}
            cv: Any = (
                VariationalAutoEncoderCV(LATENT, [width, *hidden], options=options)
                if variational
                else AutoEncoderCV([width, *hidden, LATENT], options=options)
            )
            fit_cv(cv, {"data": values}, PEER_BATCH, epochs)
        cv.eval()
        return Coder(cv.forward_cv, cv.decoder, variational)

    return train


def _deeptime(variational: bool) -> Callable[[Tensor, int], Coder]:
    def train(values: Tensor, epochs: int) -> Coder:
        from deeptime.decomposition.deep import TAE, TVAE, TVAEEncoder
        from deeptime.util.data import TimeLaggedDataset
        from deeptime.util.torch import MLP

        width, hidden = values.shape[1], [PEER_HIDDEN, PEER_HIDDEN]
        units = [width, *hidden, LATENT]
        decoder = MLP(units[::-1])
        data = DataLoader(TimeLaggedDataset(values.numpy(), values.numpy()), PEER_BATCH, shuffle=True)
        estimator = TVAE(TVAEEncoder(units), decoder) if variational else TAE(MLP(units), decoder)
        model = estimator.fit(data, n_epochs=epochs).fetch_model()
        encoder, decoder = model.encoder.eval(), model.decoder.eval()
        return Coder(lambda x: encoder(x)[0] if variational else encoder(x), decoder, variational)

    return train


class _Convolutions(nn.Module):
    """One-dimensional convolutions along the atoms, as of Ramaswamy et al. (2021).

    Each halves the length (kernel 4, stride 2) and multiplies the channels, 32 at first, by 1.5; batch
    normalization, ReLU; the decoder mirrors it. Theirs has two latents and lengths of large proteins; here there
    are as many latents as the others have and as many layers, up to five, as the atoms can be halved.

    Ramaswamy, Musson, Willcocks, Degiacomi, Phys. Rev. X 11, 011052 (2021),
    https://doi.org/10.1103/PhysRevX.11.011052
    """

    def __init__(self, n_atoms: int) -> None:
        super().__init__()
        self.n_atoms = n_atoms
        n_layers = int(np.clip(np.log2(n_atoms / 2), 1, 5))
        channels = [3, *(int(32 * 1.5**layer) for layer in range(n_layers))]
        self.start = (channels[-1], -(-n_atoms // 2**n_layers))
        self.padded = self.start[1] * 2**n_layers
        encoder: list[nn.Module] = []
        for before, after in pairwise(channels):
            encoder += [nn.Conv1d(before, after, 4, 2, 1, bias=False), nn.BatchNorm1d(after), nn.ReLU()]
        self.encoder = nn.Sequential(*encoder, nn.Flatten(), nn.Linear(self.start[0] * self.start[1], LATENT))
        self.spread = nn.Linear(LATENT, self.start[0] * self.start[1])
        decoder: list[nn.Module] = []
        for before, after in zip(channels[:1:-1], channels[-2:0:-1], strict=True):
            decoder += [nn.ConvTranspose1d(before, after, 4, 2, 1, bias=False), nn.BatchNorm1d(after), nn.ReLU()]
        self.decoder = nn.Sequential(*decoder, nn.ConvTranspose1d(channels[1], 3, 4, 2, 1))

    def encode(self, x: Tensor) -> Tensor:
        positions = x.reshape(len(x), self.n_atoms, 3).mT
        out: Tensor = self.encoder(nn.functional.pad(positions, (0, self.padded - self.n_atoms)))
        return out

    def decode(self, z: Tensor) -> Tensor:
        out: Tensor = self.decoder(self.spread(z).reshape(len(z), *self.start))
        return out[:, :, : self.n_atoms].mT.flatten(1)


def _molearn(values: Tensor, epochs: int) -> Coder:
    network = _Convolutions(values.shape[1] // 3)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    data = DataLoader(TensorDataset(values), PEER_BATCH, shuffle=True, drop_last=len(values) > PEER_BATCH)
    network.train()
    for _ in range(epochs):
        for (batch,) in data:
            loss = (network.decode(network.encode(batch)) - batch).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    network.eval()
    return Coder(network.encode, network.decode)


#: Name -> the package it needs, and what trains it for so many epochs. deeptime's at lag 0, which rebuild the frame.
PEERS: Mapping[str, tuple[str, Callable[[Tensor, int], Coder]]] = {
    "mlcolvar AutoEncoderCV": ("mlcolvar", _mlcolvar(False)),
    "mlcolvar VariationalAutoEncoderCV": ("mlcolvar", _mlcolvar(True)),
    "deeptime TAE": ("deeptime", _deeptime(False)),
    "deeptime TVAE": ("deeptime", _deeptime(True)),
    "Ramaswamy et al. 2021, rebuilt": ("torch", _molearn),
}


def absent() -> list[str]:
    """Return the packages of peers that are not installed."""
    return sorted({package for package, _ in PEERS.values() if find_spec(package) is None})


def train_peer(system: System, name: str, n: int, seed: int, epochs: int | None, threads: int) -> Contestant:
    """Train a peer on the superposed positions of all atoms of the training trajectories, and draw from it.

    Each coordinate gets mean 0 and variance 1. Variational ones are drawn from the standard normal, of the others
    a Gaussian is fitted on the latents.

    Parameters
    ----------
    system : System
    name : str
        Of `PEERS`.
    n : int
    seed : int
    epochs : int or None
    threads : int
    """
    train, held = system.train.frames(slice(None)), system.held.frames(slice(None))
    heavy = heavy_atoms(train.topology)
    for frames in (train, held):
        frames.superpose(train, 0, atom_indices=heavy)
    mean = train.xyz.reshape(len(train), -1).mean(0)
    scale = train.xyz.reshape(len(train), -1).std(0)
    training, drawing = Seconds(), Seconds()
    with quiet():
        PEERS[name][1](torch.randn(2 * PEER_BATCH, 3 * train.n_atoms), 1)  # what it imports is no training
    torch.manual_seed(seed)
    with torch_threads(threads):
        values = torch.from_numpy((train.xyz.reshape(len(train), -1) - mean) / scale)
        with training.taken():
            coder = PEERS[name][1](values, epochs or PEER_EPOCHS)
        with torch.no_grad():
            latents = coder.encode(values)
            unseen = torch.from_numpy((held.xyz.reshape(len(held), -1) - mean) / scale)
            again = coder.decode(coder.encode(unseen)).numpy() * scale + mean
            with drawing.taken():
                z = torch.randn(n, LATENT)
                if not coder.normal:
                    z = latents.mean(0) + z @ torch.linalg.cholesky(latents.T.cov() + 1e-9 * torch.eye(LATENT)).T
                made = coder.decode(z).numpy() * scale + mean
    shape = (-1, train.n_atoms, 3)
    rmsd = aligned_rmsd(again.reshape(shape)[:, heavy], held.xyz[:, heavy]).mean()
    structures = mdtraj.Trajectory(made.reshape(shape).astype(np.float32), train.topology)
    return Contestant(name, structures, training, drawing, float(rmsd))

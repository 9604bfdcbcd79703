"""What is trained on: numbers made on the spot, a network in plain torch, and the same one as mdnb builds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import mdtraj
import numpy as np
import torch
from torch import Tensor, nn

from mdnb.bench.training.networks import (
    Autoencoder,
    BenchAutoencoder,
    BenchVampnet,
    GRUClassifier,
    convolutions,
    layers,
)
from mdnb.datasets import Scaler, Window, make_samples, split_samples
from mdnb.features.base import Column, Features
from mdnb.loading import load
from mdnb.models import CNN, RNN, ModelSpec, Objective, SlowModes
from mdnb.specs import Training
from mdnb.targets import make_target

__all__ = ["Problem", "problems"]


@dataclass
class Problem:
    """One network and the samples it is trained on.

    Attributes
    ----------
    name : str
    kind : {"reconstruction", "slow modes", "classes"}
    values : (n_trajectories, n_frames, *shape) float32 array
    labels : (n_trajectories, n_frames) int array or None
    axes : tuple of str
    network : function
        Returns the network in plain torch, for (batch, *shape), or (batch, window, n) where there is a window.
    spec : ModelSpec
        The same for `mdnb.fit`.
    batch_sizes : tuple of int
    window : int
    """

    name: str
    kind: str
    values: np.ndarray
    labels: np.ndarray | None
    axes: tuple[str, ...]
    network: Callable[[], nn.Module]
    spec: ModelSpec
    batch_sizes: tuple[int, ...]
    window: int = 1

    @property
    def objective(self) -> Objective | None:
        """What `mdnb.fit` gets as objective."""
        return SlowModes(lag_time=1.0, modes=3) if self.kind == "slow modes" else None

    @property
    def target(self) -> np.ndarray | None:
        """What `mdnb.fit` gets as target, (n_frames,)."""
        return None if self.labels is None else self.labels.ravel()

    def training(self, epochs: int, batch_size: int, threads: int) -> Training:
        """Return how mdnb trains: without early stopping, and with as few frames held out as can be."""
        return Training(
            epochs=epochs, batch_size=batch_size, threads=threads, patience=100_000, test=0.01, validation=0.01
        )

    @cached_property
    def features(self) -> Features:
        """The numbers as features of trajectories of one atom, 1 ps between the frames."""
        n_trajectories, n_frames, *shape = self.values.shape
        topology = mdtraj.Topology()
        topology.add_atom("CA", mdtraj.element.carbon, topology.add_residue("GLY", topology.add_chain()))
        still, time = np.zeros((n_frames, 1, 3), np.float32), np.arange(n_frames, dtype=float)
        return Features(
            values=self.values.reshape(-1, *shape),
            columns=tuple(Column(f"number {i}", "", (0,), "made") for i in range(int(np.prod(shape)))),
            trajectory=np.repeat(np.arange(n_trajectories), n_frames),
            time=np.tile(time, n_trajectories),
            axes=self.axes,
            featurizers=("made",),
            source=load([mdtraj.Trajectory(still, topology, time=time) for _ in range(n_trajectories)]),
        )

    @cached_property
    def samples(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """Scaled frames, numbers of the frames of each training sample, (n_samples, window), and its label."""
        features, target, aim = self.features, self.target, self.objective
        later = None if aim is None else aim.later(1, 1.0)
        made = make_samples(
            features,
            None if target is None else make_target(features, target),
            Window(length=self.window),
            None if later is None else np.array(later),
        )
        train = split_samples(made, self.training(1, 1, 1)).train
        scaler = Scaler.fit(features.values, features.axes, np.unique(made.frames[train]))
        labels = None if made.labels is None else torch.from_numpy(made.labels[train].astype(np.int64))
        return torch.from_numpy(scaler.transform(features.values)), torch.from_numpy(made.frames[train]), labels

    def title(self, batch_size: int) -> str:
        """Return what is trained on what, in words."""
        shape = " x ".join(map(str, self.values.shape[2:]))
        size = f"{self.window} frames of {shape}" if self.window > 1 else f"{shape} numbers"
        n_weights = sum(one.numel() for one in self.network().parameters())
        n_samples = len(self.samples[1])
        return f"{self.name}: {n_weights:,} weights, {n_samples:,} samples of {size}, batches of {batch_size:,}"


def problems(n_frames: int) -> list[Problem]:
    """Return the problems.

    Parameters
    ----------
    n_frames : int
        Training samples of the smallest networks; for the GRU, the 2-D and the 3-D CNN a 20th, 100th and 200th.
    """
    random = np.random.default_rng(0)
    many, _ = _torsions(random, n_frames)
    windows, states = _torsions(random, n_frames // 20, 50)
    maps, folds = _maps(random, n_frames // 100)
    voxels, places = _voxels(random, n_frames // 200)
    vector, cnn = ("feature",), CNN(channels=8, layers=2, hidden=64, dropout=0.0)
    return [
        Problem(
            "Autoencoder 45-64-32-2-32-64-45", "reconstruction", many, None, vector, Autoencoder, BenchAutoencoder(),
            (256, 4096),
        ),
        Problem(
            "VAMPNet 45-64-64-3", "slow modes", many, None, vector, partial(layers, (45, 64, 64, 3)), BenchVampnet(),
            (512, 4096),
        ),
        Problem(
            "2-D CNN over contact maps", "classes", maps, folds, ("residue", "residue"),
            partial(convolutions, maps.shape[2:]), cnn, (128,),
        ),
        Problem(
            "GRU over windows", "classes", windows, states, vector, GRUClassifier, RNN(dropout=0.0), (256,), window=50
        ),
        Problem(
            "3-D CNN over voxels", "classes", voxels, places, ("x", "y", "z"),
            partial(convolutions, voxels.shape[2:]), cnn, (64,),
        ),
    ]  # fmt: skip


def _walks(random: np.random.Generator, n_samples: int, n_walks: int, window: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return slow random walks in [-1, 1], (n_trajectories, frames, n_walks), and three classes of the first.

    A hundred of the trajectories train; two validate and two test.
    """
    shape = (104, max(1, n_samples // 100) + window - 1, n_walks)
    walks = np.sin(0.1 * random.standard_normal(shape).cumsum(1) + 2 * np.pi * random.random((104, 1, n_walks)))
    return walks, np.digitize(walks[..., 0], (-0.5, 0.5))


def _torsions(random: np.random.Generator, n_samples: int, window: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return 45 numbers that follow eight walks, with noise."""
    walks, classes = _walks(random, n_samples, 8, window)
    values = np.tanh(walks @ random.standard_normal((8, 45))) + 0.3 * random.standard_normal((*walks.shape[:2], 45))
    return values.astype(np.float32), classes


def _maps(random: np.random.Generator, n_samples: int, n_residues: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Return contact maps of chains whose shape follows four walks."""
    walks, classes = _walks(random, n_samples, 4)
    modes = random.standard_normal((4, n_residues, 3)).cumsum(1)
    chains = random.standard_normal((n_residues, 3)).cumsum(0) + np.einsum("tfk,kri->tfri", walks, modes)
    distances = np.linalg.norm(chains[:, :, :, None] - chains[:, :, None], axis=-1)
    return (distances < 4).astype(np.float32), classes


def _voxels(random: np.random.Generator, n_samples: int, n_cells: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Return the density of ten Gaussian atoms, whose places follow four walks, on a grid."""
    walks, classes = _walks(random, n_samples, 4)
    places = n_cells / 2 + 2 * walks @ random.standard_normal((4, 30))
    cells = np.arange(n_cells)
    along = np.exp(-0.5 * (places.reshape(*places.shape[:2], 10, 3, 1) - cells) ** 2).astype(np.float32)
    return np.einsum("tfax,tfay,tfaz->tfxyz", *(along[..., axis, :] for axis in range(3))), classes

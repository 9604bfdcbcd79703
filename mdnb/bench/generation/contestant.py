"""Contestant: structures that somebody proposed, and what they cost; ours and how they are timed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter, process_time

import mdtraj
import numpy as np
import torch

import mdnb
from mdnb.bench.generation.settings import ours
from mdnb.bench.generation.systems import System
from mdnb.features.base import Features
from mdnb.generation.generate import structures_of
from mdnb.generation.maker import Maker

__all__ = ["Contestant", "Seconds", "aligned_rmsd", "heavy_atoms", "train_ours"]

_NAN = float("nan")


@dataclass
class Seconds:
    """What something took: of the clock, and of all processors together."""

    wall: float = _NAN
    cpu: float = _NAN

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Time what is done."""
        wall, cpu = perf_counter(), process_time()
        yield
        self.wall, self.cpu = perf_counter() - wall, process_time() - cpu


@dataclass
class Contestant:
    """Who proposed structures.

    Attributes
    ----------
    name : str
    structures : mdnb.Generated or mdtraj.Trajectory
    training, drawing : Seconds
        The latter for all structures, with their checks for ours.
    rmsd : float
        Of the heavy atoms of held-out frames to their reconstruction in nm, the mean over frames; NaN where there is
        none.
    family : str
        ``VAE`` or ``GAN`` for ours; empty for others.
    """

    name: str
    structures: mdnb.Generated | mdtraj.Trajectory
    training: Seconds = field(default_factory=Seconds)
    drawing: Seconds = field(default_factory=Seconds)
    rmsd: float = _NAN
    family: str = ""


def train_ours(
    system: System, features: Features, family: str, seed: int, n: int, epochs: int | None, threads: int
) -> Contestant:
    """Train a VAE or a GAN on internal coordinates, and draw from it.

    Parameters
    ----------
    system : System
    features : Features
        Of its training trajectories.
    family : {"VAE", "GAN"}
    seed : int
    n : int
        Structures.
    epochs : int or None
    threads : int
    """
    training, drawing = Seconds(), Seconds()
    spec, how = ours(family, seed, epochs, threads)
    with training.taken():
        run = mdnb.fit(features, None, spec, how)
    with drawing.taken():
        made = mdnb.generate(run, n, seed=seed)
    return Contestant(f"mdnb {family}, seed {seed}", made, training, drawing, reconstruction(run, system), family)


@torch.no_grad()
def reconstruction(run: mdnb.Run, system: System) -> float:
    """Return the RMSD in nm of the heavy atoms of held-out frames to what their latents stand for."""
    held = mdnb.featurize(system.held, run.featurizers[0])
    inputs = run.inputs(held, np.arange(len(held))[:, None])
    again = structures_of(Maker(run), run.model.reconstruct(inputs)).structures  # type: ignore[operator]
    heavy = heavy_atoms(again.topology)
    real = system.held.frames(slice(None))
    return float(aligned_rmsd(again.xyz[:, heavy], real.xyz[:, heavy]).mean())


def heavy_atoms(topology: mdtraj.Topology) -> np.ndarray:
    """Return the atoms that are no hydrogens."""
    return np.asarray(topology.select("element != H"))


def aligned_rmsd(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the RMSD of each frame of one set to the same frame of another, superposed, (n_frames,).

    Kabsch, Acta Cryst. A 32, 922 (1976), https://doi.org/10.1107/S0567739476001873
    """
    first, second = (one.astype(np.float64) - one.mean(1, keepdims=True) for one in (first, second))
    products = np.einsum("fai,faj->fij", first, second)
    sizes = np.linalg.svd(products, compute_uv=False)
    sizes[:, 2] *= np.sign(np.linalg.det(products))
    squares = (first**2).sum((1, 2)) + (second**2).sum((1, 2)) - 2 * sizes.sum(1)
    return np.asarray(np.sqrt(np.maximum(squares, 0) / first.shape[1]))

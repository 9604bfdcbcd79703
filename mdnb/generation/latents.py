"""Frames as latents of a VAE or a GAN, and whether latents lie where those of real frames do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import mdtraj
import numpy as np
import torch
from scipy.spatial import KDTree
from torch import Tensor

from mdnb.chunk import Chunk
from mdnb.datasets import digest
from mdnb.errors import DataError, SpecError
from mdnb.features.base import Column, Features, make_featurizer
from mdnb.formats.topology_json import topology_from_json
from mdnb.models.autoencoder import Generator
from mdnb.runs import Run

__all__ = ["Region", "latents", "latents_name", "outside_note", "require_generator", "scaled_frame"]


def require_generator(run: Run) -> Generator:
    """Return the network of a VAE or a GAN.

    Raises
    ------
    DataError
        When it is no run, or one that was not trained to its end.
    SpecError
        For another family.
    """
    if not isinstance(run, Run):
        raise DataError(f"got {type(run).__name__!r} as a run, expected what mdnb.fit or mdnb.Run.load returns")
    if not isinstance(run.model, Generator):
        raise SpecError(f"a {run.family} has no latents to walk through; train mdnb.VAE() or mdnb.GAN()")
    run.require_finished()
    return run.model


def scaled_frame(run: Run, frame: Any, features: Features | None) -> Tensor:
    """Return one real frame as the run's network takes it, (1, 1, *shape).

    Parameters
    ----------
    run : Run
        Trained on one featurizer that needs positions only.
    frame : mdtraj.Trajectory or int
        A structure of the molecule, or the number of a frame of the features.
    features : Features or None

    Raises
    ------
    DataError
        When it is no frame of the run's molecule.
    """
    if isinstance(frame, mdtraj.Trajectory):
        topology = topology_from_json(run.topology)
        if frame.n_frames != 1:
            raise DataError(f"got a structure of {frame.n_frames} frames, expected one: give trajectory[number]")
        if [atom.name for atom in frame.topology.atoms] != [atom.name for atom in topology.atoms]:
            raise DataError(
                f"the structure has {frame.n_atoms} atoms, the {run.family} was trained on a molecule of "
                f"{topology.n_atoms} with other names; give a frame of the training's molecule"
            )
        featurizer = make_featurizer(run.featurizers[0])
        featurizer.prepare(topology, run.reference)
        values = featurizer.compute(Chunk(positions=frame.xyz, time=frame.time))
        return torch.from_numpy(run.scaler.transform(values.reshape(1, 1, *run.task.shape)))
    if isinstance(frame, bool) or not isinstance(frame, int | np.integer):
        raise DataError(f"got {type(frame).__name__!r} as a frame, expected an mdtraj.Trajectory or a frame's number")
    if features is None:
        raise DataError(f"frame {frame} of what? give features=, or the structure as an mdtraj.Trajectory")
    run.check(features)
    if not 0 <= frame < len(features):
        raise DataError(f"there is no frame {frame}; the features have the frames 0 to {len(features) - 1}")
    return run.inputs(features, np.array([[int(frame)]]))


def latents(run: Run, features: Features) -> Features:
    """Return the latents of each frame as features, to learn their dynamics or anything else of them.

    Parameters
    ----------
    run : Run
        Of a VAE or a GAN without a condition.
    features : Features
        With the columns of its training.

    Returns
    -------
    Features
        Posterior means, (n_frames, latent); trajectories and times as they were.

    Raises
    ------
    SpecError
        For another family, or one with a condition.
    DataError
        When the features are not those of the training.
    """
    name = latents_name(run)
    values = run.encode(features).astype(np.float32)
    columns = tuple(Column(f"latent {number}", "", ()) for number in range(values.shape[1]))
    return replace(features, values=values, columns=columns, axes=("feature",), featurizers=(name,), code="")


def latents_name(run: Run) -> str:
    """Return a name of the latents of one run, by which they are told from those of another.

    Raises
    ------
    SpecError
        For another family, or a condition, without which latents do not say what a frame is.
    """
    model = require_generator(run)
    if model.coding.conditional:
        raise SpecError(
            f"the latents of a {run.family} with a condition do not say all of a frame; train one without a target"
        )
    weights = [value.flatten().float().numpy() for _, value in sorted(model.state_dict().items())]
    return f"latents of {run.family} {digest(np.concatenate(weights))[:8]}"


@dataclass(frozen=True)
class Region:
    """Where real points lie: within a usual distance from the nearest of them.

    Attributes
    ----------
    points : (n_points, n) array
        Real ones, at most a few thousand, in the units of the scale.
    reach : float
        Distance to the nearest other point that 99% of the real ones do not exceed.
    scale : (n,) array or 1
        What each number counts.
    """

    points: np.ndarray
    reach: float
    scale: np.ndarray | float = 1.0

    @classmethod
    def of(cls, points: np.ndarray, most: int = 5000, scale: np.ndarray | float = 1.0) -> Region:
        """Return the region of (n_points, n) points, of which at most so many, evenly chosen, are kept."""
        chosen = np.linspace(0, len(points) - 1, min(most, len(points))).round().astype(int)
        kept = scale * points[chosen].astype(np.float64)
        if len(kept) < 2:
            raise DataError(f"{len(kept)} points span no region; give more frames")
        distances = KDTree(kept).query(kept, k=2)[0][:, 1]
        return cls(kept, float(np.percentile(distances, 99)), scale)

    @classmethod
    @torch.no_grad()
    def of_run(cls, run: Run) -> Region:
        """Return the region of the latents of the training frames that a run keeps.

        The points are draws from the posteriors of these frames, one each, as the decoder was trained on: the means
        alone fill less room, and the posterior of a real frame would seem to lie outside. A latent counts by the
        share of its variance that is between frames, so that one that holds nothing (posterior collapse) does not.
        A conditional model takes the frames with the mean of its conditions here.
        """
        coding = require_generator(run).coding
        if not len(run.examples):
            raise DataError("the run keeps no training frames; train it again with this version of mdnb")
        mean, log_variance = coding.encode(torch.from_numpy(run.scaler.transform(run.examples))[:, None])
        width = torch.exp(0.5 * log_variance)
        between = mean.var(0)
        share = between / (between + width.square().mean(0))
        drawn = mean + width * torch.randn(mean.shape, generator=torch.Generator().manual_seed(0))
        return cls.of(drawn.numpy(), scale=share.numpy().astype(np.float64))

    def outside(self, points: np.ndarray) -> np.ndarray:
        """Return which of (n, n_numbers) points lie outside, (n,) booleans; what is no number does."""
        finite = np.isfinite(points).all(1)
        far = np.ones(len(points), bool)
        if finite.any():
            far[finite] = KDTree(self.points).query(self.scale * points[finite])[0] > self.reach
        return far


def outside_note(share: float) -> tuple[str, ...]:
    """Return what is to be said where more latents lie outside than the 1% of real ones, by far."""
    if share <= 0.05:
        return ()
    return (f"{share:.0%} of the latents lie farther from the training frames' than 99% of these from each other",)

"""generate: new structures from a trained VAE or GAN."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import mdtraj
import numpy as np
import torch

from mdnb.errors import DataError, SpecError
from mdnb.features.base import Features
from mdnb.features.internal import InternalCoordinates
from mdnb.formats.topology_json import topology_from_json
from mdnb.generation.checks import CHECKS, Limits, check_structures
from mdnb.models.gan import GANModel
from mdnb.models.vae import VAEModel
from mdnb.runs import Run
from mdnb.trajectories import Trajectories

__all__ = ["Generated", "generate"]


@dataclass(frozen=True)
class Generated:
    """Structures proposed by a model, and which checks each of them passes.

    Attributes
    ----------
    structures : mdtraj.Trajectory
        Superposed on the first frame of the training data.
    checks : dict of (n_structures,) bool arrays
        ``bonds, angles, peptide bonds, clashes, chirality``: True where passed.
    family : str
    seed : int
    """

    structures: mdtraj.Trajectory
    checks: dict[str, np.ndarray]
    family: str
    seed: int

    def __len__(self) -> int:
        return int(self.structures.n_frames)

    @property
    def valid(self) -> np.ndarray:
        """Which structures pass every check, (n_structures,)."""
        return np.logical_and.reduce([self.checks[name] for name in CHECKS])

    def only_valid(self) -> Generated:
        """Return the structures that pass every check.

        Raises
        ------
        DataError
            When none does.
        """
        keep = np.flatnonzero(self.valid)
        if not len(keep):
            raise DataError(f"none of the {len(self)} structures passes every check; train longer")
        checks = {name: passed[keep] for name, passed in self.checks.items()}
        return replace(self, structures=self.structures[keep], checks=checks)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write all structures to a PDB, XTC or DCD file (by suffix), whole or not at all."""
        path = Path(path)
        temporary = path.with_name(f".partial-{path.name}")
        self.structures.save(str(temporary))
        os.replace(temporary, path)
        return path

    def __repr__(self) -> str:
        shares = ", ".join(f"{name} {passed.mean():.1%}" for name, passed in self.checks.items())
        total = f"all checks {self.valid.mean():.1%}"
        return f"Generated: {len(self)} structures by the {self.family} (seed {self.seed})\n  {shares}; {total}"


def generate(run: Run, n: int = 1000, *, seed: int = 0, reference: Trajectories | Features | None = None) -> Generated:
    """Draw new structures from a trained VAE or GAN and check each of them.

    Parameters
    ----------
    run : Run
        Trained on ``internal-coordinates``, from which positions are rebuilt exactly.
    n : int
        Number of structures.
    seed : int
    reference : Trajectories or Features, optional
        Real structures that say what bonds, angles and contacts the checks allow. By default the training
        frames that the run keeps, up to 1,000; more frames know the limits better.

    Returns
    -------
    Generated

    Raises
    ------
    SpecError
        For a family that generates nothing, or n below 1.
    DataError
        When structures cannot be rebuilt from the features of the run.
    """
    if not isinstance(run, Run):
        raise DataError(f"got {type(run).__name__!r} as a run, expected what mdnb.fit or mdnb.Run.load returns")
    model = run.model
    if not isinstance(model, VAEModel | GANModel):
        raise SpecError(f"a {run.family} generates nothing; train mdnb.VAE() or mdnb.GAN()")
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise SpecError(f"n = {n!r}: expected the number of structures, a whole number of at least 1")
    if reference is not None and not isinstance(reference, Trajectories | Features):
        raise DataError(f"got {type(reference).__name__!r} as the reference, expected Trajectories or Features")
    if run.featurizers != (InternalCoordinates.name,):
        raise DataError(
            f"structures cannot be rebuilt from {', '.join(run.featurizers)}; featurize with 'internal-coordinates'"
        )
    topology = topology_from_json(run.topology)
    coordinates = InternalCoordinates()
    coordinates.prepare(topology, run.reference)
    generator = torch.Generator().manual_seed(seed)
    values = run.scaler.inverse(model.sample(int(n), generator).numpy())
    structures = mdtraj.Trajectory(coordinates.rebuild(values).astype(np.float32), topology)
    structures.superpose(mdtraj.Trajectory(run.reference[None], topology))
    if reference is None:
        real = mdtraj.Trajectory(coordinates.rebuild(run.examples).astype(np.float32), topology)
    else:
        source = reference.source if isinstance(reference, Features) else reference
        if [atom.name for atom in source.topology.atoms] != [atom.name for atom in topology.atoms]:
            raise DataError(
                f"the reference has {source.n_atoms} atoms, the {run.family} was trained on a molecule of "
                f"{topology.n_atoms}; give the training trajectories"
            )
        stride = max(1, source.n_frames // 5000)
        real = source.frames(slice(None, None, stride))
    checks = check_structures(structures, Limits.measure(real))
    return Generated(structures, checks, run.family, seed)

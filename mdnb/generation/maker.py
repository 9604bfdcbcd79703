"""Maker: structures of a run's scaled frames, and what the checks allow of them."""

from __future__ import annotations

from functools import cached_property

import mdtraj
import numpy as np
from torch import Tensor

from mdnb.errors import DataError
from mdnb.features.base import Features
from mdnb.features.invertible import Invertible, restore
from mdnb.formats.topology_json import topology_from_json
from mdnb.generation.checks import Limits
from mdnb.runs import Run
from mdnb.trajectories import Trajectories

__all__ = ["Maker"]


class Maker:
    """Makes structures from what the network of a run makes.

    Parameters
    ----------
    run : Run
    reference : Trajectories or Features, optional
        Real structures that say what the checks allow; by default the training frames that the run keeps.

    Raises
    ------
    DataError
        When structures cannot be rebuilt from the features of the run, it was not trained to its end, or the reference
        is none, or of another molecule.
    """

    def __init__(self, run: Run, reference: Trajectories | Features | None = None) -> None:
        if reference is not None and not isinstance(reference, Trajectories | Features):
            raise DataError(f"got {type(reference).__name__!r} as the reference, expected Trajectories or Features")
        self.run = run
        self._whole = topology_from_json(run.topology)
        self.featurizer: Invertible = restore(run.featurizers, run.columns, self._whole, run.reference)
        run.require_finished()
        atoms = self.featurizer.atoms
        self._all = len(atoms) == self._whole.n_atoms
        self.topology = self._whole if self._all else self._whole.subset(atoms)
        self._source = reference.source if isinstance(reference, Features) else reference
        if self._source is not None and [a.name for a in self._source.topology.atoms] != [
            a.name for a in self._whole.atoms
        ]:
            raise DataError(
                f"the reference has {self._source.n_atoms} atoms, the {run.family} was trained on a molecule of "
                f"{self._whole.n_atoms}; give the training trajectories"
            )

    def make(self, scaled: Tensor) -> mdtraj.Trajectory:
        """Return the structures of scaled frames (n, *shape), superposed on the first frame of the run's data."""
        values = self.run.scaler.inverse(scaled.numpy())
        made = mdtraj.Trajectory(self.featurizer.rebuild(values).astype(np.float32), self.topology)
        first = self.run.reference[None, self.featurizer.atoms]
        return made.superpose(mdtraj.Trajectory(first, self.topology))

    @cached_property
    def limits(self) -> Limits:
        """What the real structures allow; of very many, up to 10,000 are looked at."""
        if self._source is None:
            examples = self.featurizer.rebuild(self.run.examples)
            return Limits.measure(mdtraj.Trajectory(examples.astype(np.float32), self.topology))
        stride = max(1, self._source.n_frames // 5000)
        frames = self._source.frames(slice(None, None, stride))
        return Limits.measure(frames if self._all else frames.atom_slice(self.featurizer.atoms))

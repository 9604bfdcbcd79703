"""measured: what generated structures are, in the words of what was asked for."""

from __future__ import annotations

from typing import Any

import mdtraj
import numpy as np

from mdnb.errors import DataError
from mdnb.features.engine import featurize
from mdnb.features.positions import Positions
from mdnb.generation.same_atoms import same_atoms
from mdnb.loading import load
from mdnb.targets import make_target
from mdnb.targets.base import option_number
from mdnb.trajectories import Trajectories

__all__ = ["measured"]


#: Targets that are measured from a frame of the simulations.
_FROM_A_FRAME = ("folded", "native-contacts", "rmsd")
#: Targets whose classes are found in the very frames that they are of.
_FOUND = ("clusters", "metastable")


def measured(
    structures: mdtraj.Trajectory, target: str, reference: Trajectories | mdtraj.Trajectory | None = None
) -> np.ndarray:
    """Return the target of each structure, computed from its positions: numbers, or class numbers, (n_structures,).

    Structures of some of a molecule's atoms have the target of these: the radius of gyration of the heavy atoms, say,
    which is not that of the molecule. Train such a run with a target of the same atoms,
    ``measured(same_atoms(trajectories.frames(slice(None)), made.structures.topology), "radius-of-gyration")``.

    Parameters
    ----------
    structures : mdtraj.Trajectory
    target : str
        A name as `mdnb.fit` takes it, such as ``"end-to-end-distance"`` or ``"basin"``.
    reference : Trajectories or mdtraj.Trajectory, optional
        The simulations that the run was trained on: ``native-contacts``, ``folded`` and ``rmsd`` (``rmsd:100``) are
        measured from their first frame (their frame 100).

    Raises
    ------
    SpecError
        For an unknown target.
    DataError
        When it cannot be computed from structures, such as an energy or the clusters of other frames, or is measured
        from a frame of the simulations, and these are not given.
    """
    name, _, option = target.partition(":")
    if name in _FOUND:
        raise DataError(
            f"the classes of {target!r} are found in the frames that they are of, and would be others for these "
            "structures; compare the states of both with mdnb.judge"
        )
    if name not in _FROM_A_FRAME:
        return _values(structures, target)
    if reference is None:
        raise DataError(
            f"{target!r} is measured from a frame of the simulations; give them: reference=trajectories, those that "
            "the run was trained on"
        )
    number = option_number(name, option, 0, default=0)
    if number >= reference.n_frames:
        raise DataError(f"{target!r}: the reference has {reference.n_frames} frames (0 to {reference.n_frames - 1})")
    first = reference[number] if isinstance(reference, mdtraj.Trajectory) else reference.frames(number)
    first = same_atoms(first, structures.topology)
    together = mdtraj.Trajectory(np.concatenate([first.xyz, structures.xyz]), structures.topology)
    return _values(together, name)[1:]


def _values(structures: mdtraj.Trajectory, target: str) -> np.ndarray:
    features: Any = featurize(load(structures), Positions("all"))  # which any atoms have; only the source counts
    return np.asarray(make_target(features, target).values)

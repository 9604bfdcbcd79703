"""measured: what generated structures are, in the words of what was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mdnb.features.engine import featurize
from mdnb.features.positions import Positions
from mdnb.loading import load
from mdnb.targets import make_target

if TYPE_CHECKING:
    import mdtraj

__all__ = ["measured"]


def measured(structures: mdtraj.Trajectory, target: str) -> np.ndarray:
    """Return the target of each structure, computed from its positions: numbers, or class numbers, (n_structures,).

    Structures of some of a molecule's atoms have the target of these: the radius of gyration of the heavy atoms, say,
    which is not that of the molecule. Train such a run with a target of the same atoms,
    ``measured(same_atoms(trajectories.frames(slice(None)), made.structures.topology), "radius-of-gyration")``.

    Parameters
    ----------
    structures : mdtraj.Trajectory
    target : str
        A name as `mdnb.fit` takes it, such as ``"end-to-end-distance"`` or ``"basin"``.

    Raises
    ------
    SpecError
        For an unknown target.
    DataError
        When it cannot be computed from structures, such as an energy.
    """
    features: Any = featurize(load(structures), Positions("all"))  # which any atoms have; only the source counts
    return np.asarray(make_target(features, target).values)

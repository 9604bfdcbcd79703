"""measured: what generated structures are, in the words of what was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mdnb.features.engine import featurize
from mdnb.loading import load
from mdnb.targets import make_target

if TYPE_CHECKING:
    import mdtraj

__all__ = ["measured"]


def measured(structures: mdtraj.Trajectory, target: str, featurizer: str = "internal-coordinates") -> np.ndarray:
    """Return the target of each structure, computed from its positions: numbers, or class numbers, (n_structures,).

    Parameters
    ----------
    structures : mdtraj.Trajectory
    target : str
        A name as `mdnb.fit` takes it, such as ``"end-to-end-distance"`` or ``"basin"``.
    featurizer : str
        What the structures are read with; any that the molecule has.

    Raises
    ------
    SpecError
        For an unknown target.
    DataError
        When it cannot be computed from structures, such as an energy.
    """
    features: Any = featurize(load(structures), featurizer)
    return np.asarray(make_target(features, target).values)

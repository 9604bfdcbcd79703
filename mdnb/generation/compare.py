"""How near generated structures come to molecular dynamics: distances between torsion distributions."""

from __future__ import annotations

from itertools import pairwise

import mdtraj
import numpy as np
from scipy.spatial.distance import jensenshannon

from mdnb.errors import DataError

__all__ = ["DEGREES", "jensen_shannon", "ramachandran"]

#: Both ranges of a histogram of phi and psi.
DEGREES = ((-180, 180), (-180, 180))


def ramachandran(structures: mdtraj.Trajectory) -> np.ndarray:
    """Return phi and psi in degrees of the residue that has both, (n_frames, 2).

    With several such residues, the frames of all are put after each other.

    Raises
    ------
    DataError
        When no residue has both.
    """
    topology = structures.topology
    phi_atoms, phi = mdtraj.compute_phi(structures, periodic=False)
    psi_atoms, psi = mdtraj.compute_psi(structures, periodic=False)
    psi_of = {topology.atom(int(row[1])).residue.index: column for column, row in enumerate(psi_atoms)}
    pairs = [
        np.stack([phi[:, column], psi[:, psi_of[index]]], axis=1)
        for column, row in enumerate(phi_atoms)
        if (index := topology.atom(int(row[2])).residue.index) in psi_of
    ]
    if not pairs:
        raise DataError("no residue has both phi and psi; compare other features")
    return np.degrees(np.concatenate(pairs))


def jensen_shannon(first: np.ndarray, second: np.ndarray, bins: int = 50) -> float:
    """Return the Jensen-Shannon distance (scipy's, base e) of two Ramachandran histograms.

    Parameters
    ----------
    first, second : (n, 2) arrays
        In degrees.
    bins : int
        Along each axis.

    References
    ----------
    Lin, IEEE Trans. Inf. Theory 37, 145 (1991), https://doi.org/10.1109/18.61115
    """
    histograms = [
        np.histogram2d(angles[:, 0], angles[:, 1], bins=bins, range=DEGREES)[0].ravel() for angles in (first, second)
    ]
    return float(jensenshannon(*histograms))


def floor(parts: list[np.ndarray], bins: int = 50) -> float:
    """Return the mean distance of successive parts of real MD: no model can be expected to come nearer."""
    return float(np.mean([jensen_shannon(a, b, bins) for a, b in pairwise(parts)]))

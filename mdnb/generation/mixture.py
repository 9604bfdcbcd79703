"""The baseline that every generator has to beat: principal components and a Gaussian mixture."""

from __future__ import annotations

import warnings
from typing import Any

import mdtraj
import numpy as np
from threadpoolctl import threadpool_limits

from mdnb.errors import DataError, SpecError
from mdnb.generation.ensemble import Ensemble

__all__ = ["pca_mixture"]

_MOST = 5_000


def pca_mixture(
    train: Any, n: int = 1000, seed: int = 0, *, n_components: int = 20, variance: float = 0.999
) -> mdtraj.Trajectory:
    """Draw structures from a Gaussian mixture on the principal components of superposed positions.

    It takes seconds and knows no chemistry: what a trained generator has to be better than.

    Parameters
    ----------
    train : Trajectories, mdtraj.Trajectory or list of them
        Thinned to 5,000 frames. They are superposed on their mean by their heavy atoms.
    n : int
        Number of structures.
    seed : int
        Of the mixture's start, and of what is drawn.
    n_components : int
        Gaussians.
    variance : float
        The principal components that make up this part of the variance are kept.

    Returns
    -------
    mdtraj.Trajectory

    Raises
    ------
    SpecError
        For an n or n_components below 1.
    DataError
        When there are fewer frames than Gaussians.

    References
    ----------
    Amadei, Linssen, Berendsen, Proteins 17, 412 (1993), https://doi.org/10.1002/prot.340170408; scikit-learn:
    Pedregosa et al., J. Mach. Learn. Res. 12, 2825 (2011)
    """
    from sklearn.decomposition import PCA
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    for name, number in (("n", n), ("n_components", n_components)):
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 1:
            raise SpecError(f"{name} = {number!r}: expected a whole number of at least 1")
    if not 0 < variance <= 1:
        raise SpecError(f"variance = {variance!r}: expected a part of the variance, above 0 and at most 1")
    ensemble = train if isinstance(train, Ensemble) else Ensemble.dynamics(train, "the training data", _MOST)
    structures = ensemble.structures
    if len(structures) < max(2, n_components):
        raise DataError(f"{len(structures)} frames for {n_components} Gaussians; give more frames or fewer Gaussians")
    heavy = [a.index for a in structures.topology.atoms if a.element is None or a.element.symbol != "H"]
    aligned = _superposed(structures.xyz.astype(np.float64), np.array(heavy or range(structures.n_atoms)))
    positions = aligned.reshape(len(aligned), -1)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a mixture that still moves a little draws as well
        components = PCA(random_state=seed, svd_solver="full" if positions.shape[1] < 1000 else "auto").fit(positions)
        kept = int(np.searchsorted(np.cumsum(components.explained_variance_ratio_), variance)) + 1
        kept = min(kept, len(components.components_))
        scores = components.transform(positions)[:, :kept]
        mixture = GaussianMixture(n_components, random_state=seed, reg_covar=1e-8).fit(scores)
        drawn = mixture.sample(int(n))[0]
    drawn = drawn[np.random.default_rng(seed).permutation(len(drawn))]  # sklearn returns them Gaussian by Gaussian
    made = drawn @ components.components_[:kept] + components.mean_
    return mdtraj.Trajectory(made.reshape(n, -1, 3).astype(np.float32), structures.topology)


def _superposed(positions: np.ndarray, heavy: np.ndarray) -> np.ndarray:
    """Return structures superposed on the first one, and then on the mean of that.

    Kabsch, Acta Cryst. A 32, 922 (1976), https://doi.org/10.1107/S0567739476001873
    """
    positions = positions - positions[:, heavy].mean(1, keepdims=True)
    target = positions[0, heavy]
    for _ in range(2):
        left, _, right = np.linalg.svd(np.einsum("fai,aj->fij", positions[:, heavy], target))
        left[:, :, 2] *= np.sign(np.linalg.det(left @ right))[:, None]
        positions = positions @ (left @ right)
        target = positions[:, heavy].mean(0)
    return positions

"""Regions: where phi and psi of real residues lie, and which residues lie outside."""

from __future__ import annotations

from dataclasses import dataclass

import mdtraj
import numpy as np

__all__ = ["Regions"]

_BINS = 72  # of 5 degrees
_WIDTH = 10.0  # of the kernel, in degrees, for
_ENOUGH = 10000  # residues or more; fewer are smoothed by more
_RESIDUES = 0.9995  # of the residues of training frames lie inside
_STRUCTURES = 0.999  # of the training frames have no more outliers than allowed
_PARTS = 10  # of the frames, in their order, each judged by the others


@dataclass(frozen=True)
class Regions:
    """The allowed regions of the Ramachandran plane, one for each kind of residue.

    They are measured on real frames: a density of 5-degree bins, smoothed by 10 degrees and cut at the level above
    which 99.95% of the residues lie (the share that Lovell et al. call allowed). Frames that follow each other are
    alike, so each tenth of them is judged by the other nine. A long chain has outliers in real frames too: a structure
    passes with as many as 99.9% of the training frames have, at most one in five residues.

    Attributes
    ----------
    backbone : (n_residues, 5) int array
        C, N, CA, C, N of each residue that has phi and psi.
    kinds : tuple of str
        ``general``, ``glycine``, ``proline`` or ``pre-proline`` for each residue.
    allowed : dict of (72, 72) bool arrays
        By kind; phi, psi from -180 degrees.
    most : int
        Outliers that a structure may have.

    References
    ----------
    Lovell et al., Proteins 50, 437 (2003), https://doi.org/10.1002/prot.10286 (outliers by density and by kind);
    Lei, Robins, Wasserman, J. Am. Stat. Assoc. 108, 278 (2013), https://doi.org/10.1080/01621459.2012.751873
    (the level from densities).
    """

    backbone: np.ndarray
    kinds: tuple[str, ...]
    allowed: dict[str, np.ndarray]
    most: int

    @classmethod
    def measure(cls, structures: mdtraj.Trajectory, backbone: np.ndarray, kinds: tuple[str, ...]) -> Regions:
        """Measure the regions on real structures."""
        from scipy.ndimage import gaussian_filter

        phi, psi = _bins(structures, backbone)
        parts = np.array_split(np.arange(len(phi)), min(_PARTS, len(phi)))
        allowed, outliers = {}, np.zeros(len(phi), int)
        for kind in sorted(set(kinds)):
            own = np.array(kinds) == kind
            counts = np.zeros((len(parts), _BINS, _BINS))
            for count, part in zip(counts, parts, strict=True):
                np.add.at(count, (phi[part][:, own], psi[part][:, own]), 1)
            # Silverman's rule in two dimensions, from 10 degrees where there are enough.
            width = _WIDTH * max(1.0, _ENOUGH / counts.sum()) ** (1 / 6) * _BINS / 360
            density = gaussian_filter(counts, (0, width, width), mode="wrap", truncate=6)
            others = density.sum(0) - density if len(parts) > 1 else density
            by_others = np.concatenate(
                [one[phi[part][:, own], psi[part][:, own]] for one, part in zip(others, parts, strict=True)]
            )
            # Not below what one residue three widths away makes, so that few frames do not allow everything.
            least = np.exp(-4.5) / (2 * np.pi * width**2)
            level = max(float(np.quantile(by_others, 1 - _RESIDUES)), least)
            allowed[kind] = density.sum(0) >= level
            outliers += (by_others < level).sum(1)
        most = int(np.quantile(outliers, _STRUCTURES, method="higher"))
        return cls(backbone, kinds, allowed, min(most, len(kinds) // 5))

    def outliers(self, structures: mdtraj.Trajectory) -> np.ndarray:
        """Return which residues lie outside the region of their kind, (n_structures, n_residues)."""
        phi, psi = _bins(structures, self.backbone)
        outside = np.empty(phi.shape, bool)
        for kind, allowed in self.allowed.items():
            own = np.array(self.kinds) == kind
            outside[:, own] = ~allowed[phi[:, own], psi[:, own]]
        return outside

    def passed(self, structures: mdtraj.Trajectory) -> np.ndarray:
        """Return whether each structure has no more outliers than real ones, (n_structures,)."""
        finite = np.isfinite(structures.xyz[:, np.unique(self.backbone)]).all((1, 2))
        return (self.outliers(structures).sum(1) <= self.most) & finite


def _bins(structures: mdtraj.Trajectory, backbone: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the bins of phi and psi, (n_structures, n_residues) each."""
    quads = np.concatenate([backbone[:, :4], backbone[:, 1:]])
    angles = np.nan_to_num(mdtraj.compute_dihedrals(structures, quads, periodic=False))
    bins = np.floor((angles / (2 * np.pi) + 0.5) * _BINS).astype(int) % _BINS
    return bins[:, : len(backbone)], bins[:, len(backbone) :]

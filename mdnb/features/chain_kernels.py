"""Compiled building of chains: atoms placed one after another by torsions, and moved until distances agree."""

from __future__ import annotations

import numpy as np

from mdnb.compiled import compiled

__all__ = ["place_atoms", "settle"]


@compiled()
def place_atoms(rows, bonds, angles, torsions, positions):  # type: ignore[no-untyped-def]  # compiled
    """Place one atom after another at a bond, an angle and a torsion from three that are placed already.

    Parameters
    ----------
    rows : (n, 4) int64 array
        The three references, the one bonded last, and the atom.
    bonds, angles : (n,) float64 array
    torsions : (n_frames, n) float64 array
    positions : (n_frames, n_atoms, 3) float64 array
        Of the atoms that are referred to first; the others are filled.

    References
    ----------
    Parsons et al., J. Comput. Chem. 26, 1063 (2005), https://doi.org/10.1002/jcc.20237
    """
    along, across, normal = np.empty(3), np.empty(3), np.empty(3)
    for frame in range(len(positions)):
        xyz = positions[frame]
        for row in range(len(rows)):
            a, b, c, atom = rows[row, 0], rows[row, 1], rows[row, 2], rows[row, 3]
            for axis in range(3):
                along[axis] = xyz[c, axis] - xyz[b, axis]
                across[axis] = xyz[b, axis] - xyz[a, axis]
            along /= np.sqrt((along * along).sum())
            for axis in range(3):
                i, j = (axis + 1) % 3, (axis + 2) % 3
                normal[axis] = across[i] * along[j] - across[j] * along[i]
            normal /= np.sqrt((normal * normal).sum())
            for axis in range(3):
                i, j = (axis + 1) % 3, (axis + 2) % 3
                across[axis] = normal[i] * along[j] - normal[j] * along[i]
            turn, sine = torsions[frame, row], np.sin(angles[row])
            for axis in range(3):
                out = sine * (np.cos(turn) * across[axis] + np.sin(turn) * normal[axis])
                xyz[atom, axis] = xyz[c, axis] + bonds[row] * (out - np.cos(angles[row]) * along[axis])


@compiled()
def settle(positions, pairs, lengths, stiffness, n_steps):  # type: ignore[no-untyped-def]
    """Move pairs of atoms, one after another and again, by a part of what their distance is wrong.

    Parameters
    ----------
    positions : (n_frames, n_atoms, 3) float64 array
        Changed in place.
    pairs : (n_pairs, 2) int64 array
        The last ones have the last word.
    lengths : (n_frames, n_pairs) float64 array
        Distances in nm that are aimed at.
    stiffness : (n_pairs,) float64 array
        That part, from 0 to 1.
    n_steps : int
        Passes over all pairs.

    References
    ----------
    Mueller et al., J. Vis. Commun. Image R. 18, 109 (2007), https://doi.org/10.1016/j.jvcir.2007.01.005
    """
    for frame in range(len(positions)):
        xyz = positions[frame]
        for _ in range(n_steps):
            for number in range(len(pairs)):
                i, j = pairs[number, 0], pairs[number, 1]
                x, y, z = xyz[j, 0] - xyz[i, 0], xyz[j, 1] - xyz[i, 1], xyz[j, 2] - xyz[i, 2]
                length = np.sqrt(x * x + y * y + z * z)
                if length < 1e-9:
                    continue
                part = 0.5 * stiffness[number] * (length - lengths[frame, number]) / length
                xyz[i, 0] += part * x
                xyz[i, 1] += part * y
                xyz[i, 2] += part * z
                xyz[j, 0] -= part * x
                xyz[j, 1] -= part * y
                xyz[j, 2] -= part * z

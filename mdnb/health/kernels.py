"""One compiled pass over frames that looks for what is wrong with them."""

from __future__ import annotations

import numpy as np

from mdnb.compiled import compiled
from mdnb.periodic import nearest

__all__ = ["FAR", "inspect"]

#: Further from the origin than this, in nm, no molecule is.
FAR = 10_000.0


@compiled()
def inspect(positions, bits, bonds, limits, boxes, first, still, hashes, counts, worst):  # type: ignore[no-untyped-def]
    """Fill what is known of each frame.

    Parameters
    ----------
    positions : (n_frames, n_atoms, 3) float32 array
    bits : (n_frames, 3 n_atoms) uint32 array
        The same memory.
    bonds : (n_bonds, 2) int64 array
    limits : (n_bonds, 2) float64 array
        Squares of the shortest and the longest plausible length in nm^2.
    boxes : (n_frames, 14, 3) float64 array
        From `periodic.describe_boxes`.
    first : (n_atoms, 3) float32 array
        Positions of the file's first frame.
    still : (n_atoms,) bool array
        Made false where an atom lies elsewhere than in the first frame.
    hashes : (n_frames,) uint64 array
        Of the positions, bit by bit.
    counts : (n_frames, 4) int64 array
        Atoms whose position is no finite number, or far away; bonds cut by the box, and implausible ones.
    worst : (n_frames, 2) float64 array
        Number and length in nm of the bond that is furthest off, or -1.
    """
    for frame in range(len(positions)):
        xyz, box = positions[frame], boxes[frame]
        value = np.uint64(14695981039346656037)
        for word in bits[frame]:
            value = (value ^ np.uint64(word)) * np.uint64(1099511628211)
            value ^= value >> np.uint64(29)
        hashes[frame] = value
        counts[frame] = 0
        for atom in range(xyz.shape[0]):
            x, y, z = xyz[atom, 0], xyz[atom, 1], xyz[atom, 2]
            if not (np.isfinite(x) and np.isfinite(y) and np.isfinite(z)):
                counts[frame, 0] += 1
            elif max(abs(x), abs(y), abs(z)) > FAR:
                counts[frame, 1] += 1
            if still[atom] and (x != first[atom, 0] or y != first[atom, 1] or z != first[atom, 2]):
                still[atom] = False
        worst[frame, 0] = -1.0
        worst[frame, 1] = 0.0
        furthest = 1.0
        for number in range(len(bonds)):
            i, j = bonds[number, 0], bonds[number, 1]
            x = np.float64(xyz[j, 0]) - np.float64(xyz[i, 0])
            y = np.float64(xyz[j, 1]) - np.float64(xyz[i, 1])
            z = np.float64(xyz[j, 2]) - np.float64(xyz[i, 2])
            square = x * x + y * y + z * z
            if square > limits[number, 1]:
                x, y, z = nearest(x, y, z, box)
                image = x * x + y * y + z * z
                if image < square * 0.999:
                    counts[frame, 2] += 1
                square = image
            if square < limits[number, 0] or square > limits[number, 1]:
                counts[frame, 3] += 1
                off = max(limits[number, 0] / max(square, 1e-30), square / limits[number, 1])
                if off > furthest:
                    furthest = off
                    worst[frame, 0], worst[frame, 1] = number, np.sqrt(square)

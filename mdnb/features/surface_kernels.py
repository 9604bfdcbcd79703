"""Compiled Shrake-Rupley surface areas."""

from __future__ import annotations

import numpy as np

from mdnb.compiled import compiled

__all__ = ["exposed_areas"]


@compiled()
def exposed_areas(positions, atoms, radii, groups, points, out):  # type: ignore[no-untyped-def]  # compiled
    """Add to `out` (n_frames, n_groups) the exposed areas of atoms in nm^2.

    Parameters
    ----------
    positions : (n_frames, n_atoms, 3) float32 array
    atoms : (n_chosen,) int64 array
    radii : (n_chosen,) float64 array
        With the radius of the probe, in nm.
    groups : (n_chosen,) int64 array
        The column of each atom.
    points : (3, n_points) float32 array
        On the unit sphere.
    out : (n_frames, n_groups) float64 array
        Zeros at first.
    """
    n_chosen, n_points = len(atoms), points.shape[1]
    xs, ys, zs = points[0], points[1], points[2]
    depth = np.empty(n_points, np.float32)
    largest = radii.max()
    for frame in range(len(positions)):
        xyz = positions[frame]
        for a in range(n_chosen):
            ax, ay, az = xyz[atoms[a], 0], xyz[atoms[a], 1], xyz[atoms[a], 2]
            radius = radii[a]
            reach = np.float32((radius + largest) ** 2)
            depth[:] = -1.0
            for b in range(n_chosen):
                x, y, z = xyz[atoms[b], 0] - ax, xyz[atoms[b], 1] - ay, xyz[atoms[b], 2] - az
                square = x * x + y * y + z * z
                if square >= reach or b == a or square >= (radius + radii[b]) ** 2:
                    continue
                # A point p of the unit sphere lies in b where 2 radius (p . v) > square + radius^2 - radius_b^2.
                cut = np.float32((np.float64(square) + radius * radius - radii[b] * radii[b]) / (2 * radius))
                # All points at once, without a branch: the compiler makes it vector instructions.
                for p in range(n_points):
                    inside = xs[p] * x + ys[p] * y + zs[p] * z - cut
                    depth[p] = inside if inside > depth[p] else depth[p]
            n_free = 0
            for p in range(n_points):
                n_free += depth[p] <= 0
            out[frame, groups[a]] += 4 * np.pi * radius * radius * n_free / n_points

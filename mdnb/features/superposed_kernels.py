"""Compiled superposition without rotations: how well two structures lie on each other at best.

The overlap is the largest eigenvalue of the quaternion matrix, found by Newton's method from above.

References
----------
Theobald, Acta Cryst. A 61, 478 (2005), https://doi.org/10.1107/S0108767305015266
"""

from __future__ import annotations

import numpy as np

from mdnb.compiled import compiled

__all__ = ["best_overlap", "products", "superposed_rmsd"]


@compiled(error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def products(x, y, z, a, b, c):  # type: ignore[no-untyped-def]  # compiled: numba infers the types
    """Return the nine sums of products xa, xb, xc, ya, ... of two structures' coordinates, and that of x, y and z.

    Parameters
    ----------
    x, y, z, a, b, c : (n_atoms,) float arrays

    Returns
    -------
    tuple of nine float64, three float64 and a float64
        The products, the sums of x, y and z, and that of their squares.
    """
    xx = xy = xz = yx = yy = yz = zx = zy = zz = 0.0
    sum_x = sum_y = sum_z = squares = 0.0
    for k in range(len(x)):
        u, v, w = np.float64(x[k]), np.float64(y[k]), np.float64(z[k])
        p, q, r = np.float64(a[k]), np.float64(b[k]), np.float64(c[k])
        sum_x += u
        sum_y += v
        sum_z += w
        squares += u * u + v * v + w * w
        xx += u * p
        xy += u * q
        xz += u * r
        yx += v * p
        yy += v * q
        yz += v * r
        zx += w * p
        zy += w * q
        zz += w * r
    return (xx, xy, xz, yx, yy, yz, zx, zy, zz), (sum_x, sum_y, sum_z), squares


@compiled(error_model="numpy")
def best_overlap(sums, most):  # type: ignore[no-untyped-def]
    """Return the largest sum of products that a rotation of one centred structure can reach; -1 where it is inexact.

    That is where it is (nearly) a double eigenvalue, as of atoms on a line: `numpy.linalg.svd` tells it there.

    Parameters
    ----------
    sums : tuple of nine float64
        From `products`.
    most : float
        Half the sum of both structures' squares: no overlap is above it.
    """
    xx, xy, xz, yx, yy, yz, zx, zy, zz = sums
    # The characteristic polynomial l^4 + c2 l^2 + c1 l + c0.
    norm = xx * xx + xy * xy + xz * xz + yx * yx + yy * yy + yz * yz + zx * zx + zy * zy + zz * zz
    c2 = -2.0 * norm
    c1 = -8.0 * (xx * (yy * zz - yz * zy) - xy * (yx * zz - yz * zx) + xz * (yx * zy - yy * zx))
    a, b, c = xx * xx + yx * yx + zx * zx, xy * xy + yy * yy + zy * zy, xz * xz + yz * yz + zz * zz
    d, e, f = xx * xy + yx * yy + zx * zy, xx * xz + yx * yz + zx * zz, xy * xz + yy * yz + zy * zz
    c0 = norm * norm - 4.0 * (a * b - d * d + a * c - e * e + b * c - f * f)
    largest, slope = most, 0.0
    for _ in range(60):
        square = largest * largest
        slope = 4.0 * square * largest + 2.0 * c2 * largest + c1
        if slope <= 0.0:
            break
        step = ((square + c2) * square + c1 * largest + c0) / slope
        largest -= step
        if abs(step) <= 1e-14 * largest:
            break
    if norm > 0.0 and slope <= 1e-3 * largest * largest * largest:
        return -1.0
    return largest


@compiled(error_model="numpy")
def superposed_rmsd(positions, atoms, reference, out, column):  # type: ignore[no-untyped-def]
    """Fill a column of `out` with the RMSD in nm from a reference, after the best superposition.

    Of a frame that is not finite it is NaN.

    Parameters
    ----------
    positions : (n_frames, n_atoms, 3) float32 array
    atoms : (n_chosen,) int64 array
    reference : (3, n_chosen) float64 array
        Centred: x, y and z.
    out : (n_frames, n_columns) float32 array
    column : int

    Returns
    -------
    int
        Of how many frames `best_overlap` cannot tell: they are left at -1.
    """
    n, left = len(atoms), 0
    size = (reference * reference).sum()
    x, y, z = np.empty(n), np.empty(n), np.empty(n)
    for frame in range(len(positions)):
        xyz = positions[frame]
        x0, y0, z0 = np.float64(xyz[atoms[0], 0]), np.float64(xyz[atoms[0], 1]), np.float64(xyz[atoms[0], 2])
        for k in range(n):
            x[k], y[k], z[k] = xyz[atoms[k], 0] - x0, xyz[atoms[k], 1] - y0, xyz[atoms[k], 2] - z0
        # The reference is centred, so that the frame's own centre matters for its squares alone.
        sums, (mx, my, mz), own = products(x, y, z, reference[0], reference[1], reference[2])
        own -= (mx * mx + my * my + mz * mz) / n
        if not np.isfinite(own):
            out[frame, column] = np.nan
            continue
        overlap = best_overlap(sums, 0.5 * (own + size))
        if overlap < 0.0:
            out[frame, column] = -1.0
            left += 1
        else:
            out[frame, column] = np.sqrt(max(own + size - 2.0 * overlap, 0.0) / n)
    return left

"""Nearest images in a periodic box of any shape, compiled; and molecules put together that the box has cut.

A box is first described by its seven shortest vectors that matter (Selling's reduction); a vector that none of
them shortens is the shortest of all its images. That is exact for every triclinic box, also for one so skewed
that rounding its fractional coordinates, or trying the 27 images around, is not.

References
----------
Conway and Sloane, Proc. R. Soc. A 436, 55 (1992), https://doi.org/10.1098/rspa.1992.0004 (the reduction and the
seven vectors); Sommer, Feder and Shalvi, SIAM J. Discrete Math. 23, 715 (2009), https://doi.org/10.1137/060676362
(the search).
"""

from __future__ import annotations

import numpy as np

from mdnb.compiled import compiled

__all__ = ["KIND", "NO_BOXES", "QUARTER", "bring_together", "describe_boxes", "make_whole", "nearest"]

#: Described boxes of frames that have none.
NO_BOXES = np.empty((0, 14, 3))
#: Row and column of a described box: 0 for no box, 1 for a rectangular one, 2 for any other.
KIND = (13, 0)
#: Row and column of the square of half its shortest vector, in nm^2: a shorter vector is the nearest image.
QUARTER = (13, 1)


@compiled()
def _reduce(base):  # type: ignore[no-untyped-def]  # compiled: numba infers the types
    """Make the four vectors of `base` (4, 3), whose sum is 0, pairwise obtuse: an obtuse superbase."""
    for _ in range(10_000):
        largest = 0.0
        for vector in base:
            largest = max(largest, (vector * vector).sum())
        first = second = -1
        for i in range(4):
            for j in range(i + 1, 4):
                if (base[i] * base[j]).sum() > 1e-10 * largest:
                    first, second = i, j
        if first < 0:
            return
        for k in range(4):
            if k not in (first, second):
                base[k] += base[first]
        base[first] *= -1.0


@compiled()
def describe_boxes(boxes):  # type: ignore[no-untyped-def]
    """Return what `nearest` needs of each box.

    Parameters
    ----------
    boxes : (n_frames, 3, 3) float array
        Box vectors as rows, in nm. All zeros, vectors in one plane, or one a million times as long as another, stand
        for no box.

    Returns
    -------
    (n_frames, 14, 3) float64 array
        Rows 0 to 2: columns of the inverse of the reduced box; 3 to 5: the reduced box; 6 to 12: the vectors that
        may shorten another; 13: `KIND` and `QUARTER`.
    """
    described = np.zeros((len(boxes), 14, 3))
    base = np.empty((4, 3))
    for frame in range(len(boxes)):
        out = described[frame]
        box = boxes[frame].astype(np.float64)
        a, b, c = box[0], box[1], box[2]
        volume = abs((a * np.cross(b, c)).sum())
        u, v, w = np.sqrt((a * a).sum()), np.sqrt((b * b).sum()), np.sqrt((c * c).sum())
        lengths = u * v * w
        flat = not volume > 1e-6 * lengths or not min(u, v, w) > 1e-6 * max(u, v, w)
        if not np.isfinite(lengths) or flat:
            out[13, 1] = np.inf
            continue
        rectangular = True
        for i in range(3):
            for j in range(3):
                rectangular = rectangular and (i == j or box[i, j] == 0)
        base[1:] = box
        base[0] = -(a + b + c)
        _reduce(base)
        out[:3] = np.linalg.inv(np.ascontiguousarray(base[1:])).T
        out[3:6] = base[1:]
        out[6:9] = base[1:]
        out[9], out[10], out[11] = base[1] + base[2], base[1] + base[3], base[2] + base[3]
        out[12] = base[0]
        shortest = np.inf
        for row in range(6, 13):
            shortest = min(shortest, (out[row] * out[row]).sum())
        out[13, 0] = 1.0 if rectangular else 2.0
        out[13, 1] = shortest / 4
    return described


@compiled()
def nearest(x, y, z, box):  # type: ignore[no-untyped-def]
    """Return the shortest image of a vector in nm; `box` is one row of `describe_boxes`."""
    if x * x + y * y + z * z <= box[13, 1] or box[13, 0] == 0:
        return x, y, z
    if box[13, 0] == 1:
        x -= box[3, 0] * np.rint(x * box[0, 0])
        y -= box[4, 1] * np.rint(y * box[1, 1])
        z -= box[5, 2] * np.rint(z * box[2, 2])
        return x, y, z
    i = np.rint(x * box[0, 0] + y * box[0, 1] + z * box[0, 2])
    j = np.rint(x * box[1, 0] + y * box[1, 1] + z * box[1, 2])
    k = np.rint(x * box[2, 0] + y * box[2, 1] + z * box[2, 2])
    x -= i * box[3, 0] + j * box[4, 0] + k * box[5, 0]
    y -= i * box[3, 1] + j * box[4, 1] + k * box[5, 1]
    z -= i * box[3, 2] + j * box[4, 2] + k * box[5, 2]
    for _ in range(100):
        if x * x + y * y + z * z <= box[13, 1]:
            break
        changed = False
        for row in range(6, 13):
            u, v, w = box[row, 0], box[row, 1], box[row, 2]
            times = (x * u + y * v + z * w) / (u * u + v * v + w * w)
            if abs(times) > 0.5 * (1 + 1e-9):
                times = np.rint(times)
                x -= times * u
                y -= times * v
                z -= times * w
                changed = True
        if not changed:
            break
    return x, y, z


@compiled()
def make_whole(positions, steps, boxes):  # type: ignore[no-untyped-def]
    """Move atoms, in place, to the image nearest to the atom they are bonded to.

    Parameters
    ----------
    positions : (n_frames, n_atoms, 3) float32 array
    steps : (n_steps, 2) int64 array
        An atom and the one before it on the way along bonds, in that order from each molecule's first atom on.
    boxes : (n_frames, 14, 3) float64 array
        From `describe_boxes`.
    """
    for frame in range(len(positions)):
        xyz, box = positions[frame], boxes[frame]
        quarter = box[13, 1]
        near = np.float32(0.99 * quarter)
        for number in range(len(steps)):
            atom, before = steps[number, 0], steps[number, 1]
            a, b, c = xyz[atom, 0] - xyz[before, 0], xyz[atom, 1] - xyz[before, 1], xyz[atom, 2] - xyz[before, 2]
            if a * a + b * b + c * c < near:
                continue
            x = np.float64(xyz[atom, 0]) - np.float64(xyz[before, 0])
            y = np.float64(xyz[atom, 1]) - np.float64(xyz[before, 1])
            z = np.float64(xyz[atom, 2]) - np.float64(xyz[before, 2])
            if x * x + y * y + z * z > quarter:
                u, v, w = nearest(x, y, z, box)
                if u != x or v != y or w != z:
                    xyz[atom, 0] += u - x
                    xyz[atom, 1] += v - y
                    xyz[atom, 2] += w - z


@compiled()
def bring_together(positions, looked_at, look_starts, atoms, starts, boxes):  # type: ignore[no-untyped-def]
    """Move whole molecules, in place, to the image nearest to the first one or to one that was moved there before.

    The molecule nearest to those in place, by its nearest two atoms, is the next.

    Parameters
    ----------
    positions : (n_frames, n_atoms, 3) float32 array
    looked_at : int64 array
        Atoms by which nearness is told, molecule by molecule.
    look_starts : (n_molecules + 1,) int64 array
        Where each molecule begins in `looked_at`.
    atoms, starts : int64 arrays
        The same of all atoms, which are moved.
    boxes : (n_frames, 14, 3) float64 array
    """
    n_molecules = len(starts) - 1
    least, shift = np.empty(n_molecules), np.zeros((n_molecules, 3))
    for frame in range(len(positions)):
        xyz, box = positions[frame], boxes[frame]
        if box[13, 0] == 0:
            continue
        least[:] = np.inf
        placed = 0
        waiting = np.ones(n_molecules, np.bool_)
        waiting[0] = False
        for _ in range(n_molecules - 1):
            following = -1
            for other in range(n_molecules):
                if not waiting[other]:
                    continue
                for m in range(look_starts[placed], look_starts[placed + 1]):
                    i = looked_at[m]
                    for n in range(look_starts[other], look_starts[other + 1]):
                        j = looked_at[n]
                        x = np.float64(xyz[j, 0]) - np.float64(xyz[i, 0])
                        y = np.float64(xyz[j, 1]) - np.float64(xyz[i, 1])
                        z = np.float64(xyz[j, 2]) - np.float64(xyz[i, 2])
                        u, v, w = nearest(x, y, z, box)
                        square = u * u + v * v + w * w
                        if square < least[other]:
                            least[other] = square
                            shift[other, 0], shift[other, 1], shift[other, 2] = u - x, v - y, w - z
                if following < 0 or least[other] < least[following]:
                    following = other
            waiting[following] = False
            for m in range(starts[following], starts[following + 1]):
                for axis in range(3):
                    xyz[atoms[m], axis] += shift[following, axis]
            placed = following

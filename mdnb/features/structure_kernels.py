"""Compiled kernels of whole structures: superposition, residue distances, backbone hydrogen bonds, densities.

Sums run in double precision; each frame is computed on its own.
"""

from __future__ import annotations

import numpy as np

from mdnb.compiled import compiled
from mdnb.periodic import nearest

__all__ = ["backbone_energies", "covariances", "gyration", "smeared_density"]


@compiled()
def covariances(positions, atoms, reference, matrices, squares):  # type: ignore[no-untyped-def]  # compiled
    """Fill the covariance of each centred frame with a centred reference, and its sum of squares.

    Parameters
    ----------
    positions : (n_frames, n_atoms, 3) float32 array
    atoms : (n_chosen,) int64 array
    reference : (n_chosen, 3) float64 array
        Centred.
    matrices : (n_frames, 3, 3) float64 array
    squares : (n_frames,) float64 array
    """
    n_chosen = len(atoms)
    centre = np.empty(3)
    for frame in range(len(positions)):
        xyz = positions[frame]
        centre[:] = 0.0
        for index in atoms:
            for axis in range(3):
                centre[axis] += np.float64(xyz[index, axis])
        centre /= n_chosen
        matrices[frame] = 0.0
        squares[frame] = 0.0
        for row in range(n_chosen):
            for i in range(3):
                x = np.float64(xyz[atoms[row], i]) - centre[i]
                squares[frame] += x * x
                for j in range(3):
                    matrices[frame, i, j] += x * reference[row, j]


@compiled()
def gyration(positions, atoms, weights, out):  # type: ignore[no-untyped-def]
    """Fill `out` (n_frames,) with the weighted radius of gyration in nm.

    Parameters
    ----------
    positions : (n_frames, n_atoms, 3) float32 array
    atoms : (n_chosen,) int64 array
    weights : (n_chosen,) float64 array
        Their sum is 1.
    out : (n_frames,) float64 array
    """
    centre = np.empty(3)
    for frame in range(len(positions)):
        xyz = positions[frame]
        centre[:] = 0.0
        for row in range(len(atoms)):
            for axis in range(3):
                centre[axis] += weights[row] * np.float64(xyz[atoms[row], axis])
        total = 0.0
        for row in range(len(atoms)):
            for axis in range(3):
                x = np.float64(xyz[atoms[row], axis]) - centre[axis]
                total += weights[row] * x * x
        out[frame] = np.sqrt(total)


@compiled()
def _towards(xyz, start, stop, boxes, frame, out):  # type: ignore[no-untyped-def]  # compiled: numba infers the types
    """Fill `out` with the vector from one atom to the nearest image of another."""
    for axis in range(3):
        out[axis] = np.float64(xyz[stop, axis]) - np.float64(xyz[start, axis])
    if len(boxes):
        out[0], out[1], out[2] = nearest(out[0], out[1], out[2], boxes[frame])


@compiled()
def backbone_energies(  # type: ignore[no-untyped-def]  # compiled: numba infers the types
    positions, donors, acceptors, pairs, boxes, scale, lowest, out
):
    """Fill `out` (n_frames, n_pairs) with the energy of backbone hydrogen bonds after Kabsch and Sander.

    Parameters
    ----------
    positions : (n_frames, n_atoms, 3) float32 array
    donors : (n_donors, 3) int64 array
        N, and C and O of the residue before.
    acceptors : (n_acceptors, 2) int64 array
        C and O.
    pairs : (n_pairs, 2) int64 array
        Rows of `donors` and of `acceptors`.
    boxes : (n_frames or 0, 14, 3) float64 array
        That of `Chunk.images`.
    scale, lowest : float
        Prefactor in energy x nm, and the lowest energy that is given.
    out : (n_frames, n_pairs) float32 array
    """
    before, oxygen, carbon = np.empty(3), np.empty(3), np.empty(3)
    hydrogens = np.empty((len(donors), 3))
    for frame in range(len(positions)):
        xyz = positions[frame]
        for row in range(len(donors)):
            # H lies 0.1 nm from N, along the C=O of the residue before, turned round.
            _towards(xyz, donors[row, 0], donors[row, 1], boxes, frame, before)
            _towards(xyz, donors[row, 0], donors[row, 2], boxes, frame, oxygen)
            before -= oxygen
            hydrogens[row] = 0.1 * before / np.sqrt((before * before).sum())
        for number in range(len(pairs)):
            donor, acceptor = pairs[number, 0], pairs[number, 1]
            n, c, o = donors[donor, 0], acceptors[acceptor, 0], acceptors[acceptor, 1]
            _towards(xyz, n, c, boxes, frame, carbon)
            _towards(xyz, n, o, boxes, frame, oxygen)
            x, y, z = hydrogens[donor, 0], hydrogens[donor, 1], hydrogens[donor, 2]
            on = oxygen[0] ** 2 + oxygen[1] ** 2 + oxygen[2] ** 2
            cn = carbon[0] ** 2 + carbon[1] ** 2 + carbon[2] ** 2
            oh = (oxygen[0] - x) ** 2 + (oxygen[1] - y) ** 2 + (oxygen[2] - z) ** 2
            ch = (carbon[0] - x) ** 2 + (carbon[1] - y) ** 2 + (carbon[2] - z) ** 2
            energy = lowest
            if min(on, cn, oh, ch) >= 0.05**2:
                energy = scale * (1 / np.sqrt(on) + 1 / np.sqrt(ch) - 1 / np.sqrt(oh) - 1 / np.sqrt(cn))
            out[frame, number] = lowest if energy < lowest else energy


@compiled()
def smeared_density(  # type: ignore[no-untyped-def]  # compiled: numba infers the types
    places, boxes, rotations, spacing, width, out
):
    """Add to `out` (n_frames, nx, ny, nz) the Gaussian density in 1/nm^3 of atoms, at the cells' centres.

    Parameters
    ----------
    places : (n_frames, n_atoms, 3) float64 array
        In nm from the centre of the grid, not yet rotated.
    boxes : (n_frames or 0, 14, 3) float64 array
        That of `Chunk.images`; the image nearest to the centre counts.
    rotations : (n_frames, 3, 3) float64 array
        ``place @ rotation`` lies in the frame of the grid.
    spacing, width : float
        Of the grid and of the Gaussian (standard deviation), in nm; it is cut at five widths.
    out : (n_frames, nx, ny, nz) float32 array
        Zeros at first.
    """
    shape = out.shape[1:]
    longest = max(shape[0], shape[1], shape[2])
    norm = 1.0 / (np.sqrt(2.0 * np.pi) * width)
    weights = np.empty((3, longest))
    first, last = np.empty(3, np.int64), np.empty(3, np.int64)
    vector, turned = np.empty(3), np.empty(3)
    for frame in range(len(places)):
        for atom in range(places.shape[1]):
            vector[:] = places[frame, atom]
            if len(boxes):
                vector[0], vector[1], vector[2] = nearest(vector[0], vector[1], vector[2], boxes[frame])
            inside = True
            for axis in range(3):
                turned[axis] = 0.0
                for k in range(3):
                    turned[axis] += vector[k] * rotations[frame, k, axis]
                origin = -0.5 * (shape[axis] - 1) * spacing
                first[axis] = max(0, int(np.ceil((turned[axis] - 5 * width - origin) / spacing)))
                last[axis] = min(shape[axis] - 1, int(np.floor((turned[axis] + 5 * width - origin) / spacing)))
                inside = inside and first[axis] <= last[axis]
                for cell in range(first[axis], last[axis] + 1):
                    x = (origin + cell * spacing - turned[axis]) / width
                    weights[axis, cell] = norm * np.exp(-0.5 * x * x)
            if not inside:
                continue
            for i in range(first[0], last[0] + 1):
                for j in range(first[1], last[1] + 1):
                    plane = weights[0, i] * weights[1, j]
                    for k in range(first[2], last[2] + 1):
                        out[frame, i, j, k] += plane * weights[2, k]

"""Frames turned, shifted, and put into a box, for the tests of features."""

import mdtraj
import numpy as np

from mdnb.chunk import Chunk

#: A triclinic box larger than twice the molecule.
BOX = np.array([[8, 0, 0], [2.5, 7.5, 0], [-2.5, 3.5, 6.5]])


def moved(frames, seed):
    """Return the frames, all but the first turned and shifted at random."""
    random = np.random.default_rng(seed)
    turns, _ = np.linalg.qr(random.normal(size=(len(frames), 3, 3)))
    turns *= np.linalg.det(turns)[:, None, None]
    shifted = frames.xyz.astype(np.float64) @ turns + random.uniform(-3, 3, size=(len(frames), 1, 3))
    shifted[0] = frames.xyz[0]
    return mdtraj.Trajectory(shifted.astype(np.float32), frames.topology)


def wrapped(frames):
    """Return the frames as a chunk whose atoms are put into a triclinic box one by one, across its border."""
    positions = frames.xyz.astype(np.float64) - frames.xyz[0].mean(0)
    fractions = positions @ np.linalg.inv(BOX)
    inside = (fractions - np.floor(fractions)) @ BOX
    boxes = np.tile(BOX.astype(np.float32), (len(frames), 1, 1))
    return Chunk(positions=inside.astype(np.float32), time=frames.time, box=boxes)


def computed(maker, frames, chunk):
    """Return what a featurizer makes of a chunk."""
    maker.prepare(frames.topology, frames.xyz[0])
    return maker.compute(chunk)

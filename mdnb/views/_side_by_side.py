"""Generated structures beside the real ones that are most like them."""

from __future__ import annotations

from typing import Any

import numpy as np

from mdnb.generation.distributions import Neighbours, beside

__all__ = ["SideBySide"]


class SideBySide:
    """Generated structures, each to the right of the real one that is most like it; read frame by frame.

    Parameters
    ----------
    made, real : mdtraj.Trajectory
    neighbours : Neighbours
        Of the real ones.
    """

    def __init__(self, made: Any, real: Any, neighbours: Neighbours) -> None:
        self.made, self.real, self._neighbours = made, real, neighbours
        self.n_frames = made.n_frames
        self.n_atoms = 2 * made.n_atoms
        self.topology = made.topology.join(made.topology)
        self._known: dict[int, tuple[int, float]] = {}

    def nearest(self, frame: int) -> tuple[int, float]:
        """Return the real structure most like a generated one, and how far it is away in nm."""
        if frame not in self._known:
            self._known[frame] = self._neighbours.of(self.made[frame])
        return self._known[frame]

    def frames(self, indices: Any) -> Any:
        """Return some pairs as an `mdtraj.Trajectory`."""
        import mdtraj

        pairs = [beside(self.real[self.nearest(int(i))[0]], self.made[int(i)]) for i in indices]
        return mdtraj.Trajectory(np.concatenate([pair.xyz for pair in pairs]), self.topology)

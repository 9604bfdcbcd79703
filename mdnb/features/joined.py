"""join: the features of several molecules as one table, so that a property of molecules can be learned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mdnb.errors import DataError
from mdnb.features.base import Features
from mdnb.trajectories import Trajectories

if TYPE_CHECKING:
    import mdtraj

__all__ = ["Molecules", "join"]


class Molecules:
    """Trajectories of different molecules side by side; made by `join`.

    Attributes
    ----------
    sources : tuple of Trajectories
        One for each molecule.
    topology : mdtraj.Topology
        Of the first molecule.
    names : tuple of str
        Of the trajectories of all of them.
    lengths : tuple of int
        Frames of each trajectory.
    time_step : float
        In ps; NaN where it is not the same in all.
    molecule : (n_trajectories,) int array
        Which molecule each trajectory is of.
    """

    def __init__(self, sources: Sequence[Trajectories]) -> None:
        self.sources = tuple(sources)
        self.topology: mdtraj.Topology = self.sources[0].topology
        names = [name for source in self.sources for name in source.names]
        counts = Counter(names)
        self.names = tuple(name if counts[name] == 1 else f"{name} ({i})" for i, name in enumerate(names))
        self.lengths = tuple(length for source in self.sources for length in source.lengths)
        steps = {source.time_step for source in self.sources}
        self.time_step = steps.pop() if len(steps) == 1 else float("nan")
        self._owner = [(source, own) for source in self.sources for own in range(len(source))]
        self.molecule = np.repeat(np.arange(len(self.sources)), [len(source) for source in self.sources])

    def __len__(self) -> int:
        return len(self.names)

    @property
    def n_frames(self) -> int:
        """Number of frames of all together."""
        return sum(self.lengths)

    def __getitem__(self, number: int) -> Trajectories:
        source, own = self._owner[number]
        return source[own]

    def recipe(self) -> dict[str, Any]:
        """Return which files are read, as `Trajectories.recipe`."""
        return {"files": [path for source in self.sources for path in source.recipe()["files"]]}

    def frames(self, indices: int | Sequence[int] | np.ndarray) -> mdtraj.Trajectory:
        """Return frames of one of the molecules.

        Raises
        ------
        DataError
            When they are of several molecules, or do not exist.
        """
        asked = np.atleast_1d(indices)
        ends = np.cumsum([source.n_frames for source in self.sources])
        if not len(asked) or asked.min() < 0 or asked.max() >= ends[-1]:
            raise DataError(f"got the frame indices {indices!r}, expected some of 0 to {ends[-1] - 1}")
        owner = np.unique(np.searchsorted(ends, asked, side="right"))
        if len(owner) > 1:
            raise DataError(f"the frames are of {len(owner)} molecules, which no one trajectory can hold; ask for each")
        source = self.sources[int(owner[0])]
        return source.frames(asked - (ends[owner[0]] - source.n_frames))

    def __repr__(self) -> str:
        return f"Molecules: {len(self.sources)} molecules, {len(self)} trajectories, {self.n_frames:,} frames"


def join(features: Sequence[Features]) -> Features:
    """Put the features of several molecules under each other.

    They must have the same columns, so take features that do not depend on how many atoms there are, such as
    ``radius-of-gyration``, ``voxels``, ``radial-distribution`` or one of your own. The label of a molecule comes
    from a table (`mdnb.targets.table`); trajectories of one molecule stay together when samples are parted.

    Parameters
    ----------
    features : sequence of Features
        One for each molecule.

    Returns
    -------
    Features
        Its columns point at no atoms, which differ from molecule to molecule.

    Raises
    ------
    DataError
        When there are none, or their columns differ.
    """
    parts = list(features)
    if not parts or not all(isinstance(part, Features) for part in parts):
        raise DataError("expected the features of at least one molecule, each as mdnb.featurize returns them")
    first = parts[0]
    for number, part in enumerate(parts[1:], 1):
        if (part.shape, part.names, part.axes) != (first.shape, first.names, first.axes):
            here, there = set(first.names), set(part.names)
            other = sorted(here ^ there)[:3]
            what = f"{', '.join(other)} {'are' if len(other) > 1 else 'is'} of one only" if other else "another order"
            raise DataError(
                f"the features of molecule {number} ({part.source.names[0]!r}) have not the columns of the first "
                f"({what}); join features that do not depend on the number of atoms"
            )
        if part.featurizers != first.featurizers:
            raise DataError(f"molecule {number} has {part.featurizers}, the first one {first.featurizers}")
    offsets = np.cumsum([0, *(len(part.source) for part in parts)])
    trajectory = [part.trajectory + offset for part, offset in zip(parts, offsets, strict=False)]
    return Features(
        values=np.concatenate([part.values for part in parts]),
        columns=tuple(replace(column, atom_indices=()) for column in first.columns),
        trajectory=np.concatenate(trajectory),
        time=np.concatenate([part.time for part in parts]),
        axes=first.axes,
        featurizers=first.featurizers,
        source=Molecules([part.source for part in parts]),  # type: ignore[arg-type]
    )

"""featurize: every file is read once, whatever number of featurizers asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mdnb.errors import DataError
from mdnb.features.base import Column, Features, Featurizer, make_featurizer
from mdnb.loading import load
from mdnb.progress import progress_bar
from mdnb.trajectories import Trajectories

__all__ = ["featurize"]


def featurize(
    trajectories: Any,
    features: str | Featurizer | Sequence[str | Featurizer] = "torsions",
    *,
    chunk_size: int | None = None,
) -> Features:
    """Compute features of every frame in one pass.

    Parameters
    ----------
    trajectories : Trajectories or mdtraj.Trajectory
    features : str, Featurizer, or a sequence of them
        ``torsions, distances, ca-distances, contacts, positions, velocities, forces,
        internal-coordinates``, or a featurizer with settings of its own, such as
        ``mdnb.features.Torsions(kinds=("phi", "psi"))``. One alone keeps its shape (positions are
        (n_atoms, 3)); several are joined to one row of numbers.
    chunk_size : int, optional
        Frames read at a time; it does not change the result.

    Returns
    -------
    Features

    Raises
    ------
    SpecError
        For an unknown name.
    DataError
        When the topology has nothing of what was asked, or the files lack velocities or forces.
    """
    if not isinstance(trajectories, Trajectories):
        trajectories = load(trajectories)
    asked = [features] if isinstance(features, str | Featurizer) else list(features)
    if not asked:
        raise DataError("no features were asked for; try 'torsions'")
    makers = [make_featurizer(one) for one in asked]
    reference = trajectories.frames(0).xyz[0]
    for maker in makers:
        maker.prepare(trajectories.topology, reference)
    columns = tuple(column for maker in makers for column in maker.columns)
    _refuse_duplicates(columns)
    alone = makers[0] if len(makers) == 1 else None
    values = np.empty((trajectories.n_frames, len(columns)), np.float32)
    trajectory = np.empty(trajectories.n_frames, np.int32)
    time = np.empty(trajectories.n_frames)
    needs = frozenset().union(*(maker.needs for maker in makers))
    with progress_bar(total=trajectories.n_frames, description="featurize", unit="frames") as bar:
        for chunk in trajectories.chunks(chunk_size, velocities="velocities" in needs, forces="forces" in needs):
            n_frames = len(chunk.positions)
            rows, start = slice(chunk.start, chunk.start + n_frames), 0
            for maker in makers:
                stop = start + len(maker.columns)
                values[rows, start:stop] = maker.compute(chunk).reshape(n_frames, -1)
                start = stop
            trajectory[rows], time[rows] = chunk.trajectory, chunk.time
            bar.update(n_frames)
    return Features(
        values=values.reshape(-1, *(alone.shape if alone else (len(columns),))),
        columns=columns,
        trajectory=trajectory,
        time=time,
        axes=alone.axes if alone else ("feature",),
        featurizers=tuple(maker.name or type(maker).__name__ for maker in makers),
        source=trajectories,
    )


def _refuse_duplicates(columns: Sequence[Column]) -> None:
    seen: set[str] = set()
    for column in columns:
        if column.name in seen:
            raise DataError(f"the column {column.name!r} was asked for twice; name each feature once")
        seen.add(column.name)

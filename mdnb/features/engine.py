"""featurize: every file is read once, whatever number of featurizers asked."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import numpy as np

from mdnb.errors import DataError
from mdnb.features.base import Column, Features, Featurizer, make_featurizer
from mdnb.features.identity import describe_source
from mdnb.features.passes import announce_compilation, in_order, n_workers
from mdnb.features.store import FeatureStore, cache_folder
from mdnb.loading import load
from mdnb.progress import progress_bar
from mdnb.trajectories import Chunk, Trajectories

__all__ = ["featurize"]

#: The trajectory, start and stop of a block of frames.
_Block = tuple[int, int, int]


def featurize(
    trajectories: Any,
    features: str | Featurizer | Sequence[str | Featurizer] = "torsions",
    *,
    chunk_size: int | None = None,
    n_jobs: int = 1,
    cache: bool | str | os.PathLike[str] = False,
) -> Features:
    """Compute features of every frame in one pass.

    Parameters
    ----------
    trajectories : Trajectories or mdtraj.Trajectory
    features : str, Featurizer, or a sequence of them
        ``torsions, distances, ca-distances, residue-distances, contacts, positions, velocities, forces,
        internal-coordinates, rmsd, radius-of-gyration, contact-map, distance-map, sasa, hydrogen-bonds,
        secondary-structure, ligand-contacts, voxels, radial-distribution, coordination``, one made with
        ``@mdnb.features.featurizer``, or a featurizer with settings of its own, such as
        ``mdnb.features.Torsions(kinds=("phi", "psi"))``. One alone keeps its shape (positions are
        (n_heavy_atoms, 3)); several are joined to one row of numbers.
    chunk_size : int, optional
        Frames read at a time; it does not change the result.
    n_jobs : int
        Threads; -1 for all cores. The result is the same bit for bit.
    cache : bool or path
        Keep the features on disk, memory-mapped, and take them from there when the same is asked again:
        of the same files, unchanged, with the same settings. True for the user's cache folder (or that
        of the environment variable ``MDNB_CACHE``), or a folder. An interrupted run is continued.

    Returns
    -------
    Features

    Raises
    ------
    SpecError
        For an unknown name.
    DataError
        When the topology has nothing of what was asked, the files lack velocities or forces, or the
        features cannot be cached or do not fit into memory.
    """
    if not isinstance(trajectories, Trajectories):
        trajectories = load(trajectories)
    asked = [features] if isinstance(features, str | Featurizer) else list(features)
    if not asked:
        raise DataError("no features were asked for; try 'torsions'")
    n_jobs = n_workers(n_jobs)
    makers = [make_featurizer(one) for one in asked]
    reference = trajectories.frames(0).xyz[0]
    for maker in makers:
        chosen = maker.reference_frame
        maker.prepare(trajectories.topology, trajectories.frames(chosen).xyz[0] if chosen else reference)
    columns = tuple(column for maker in makers for column in maker.columns)
    _refuse_duplicates(columns)
    compute = _Pass(trajectories, makers, len(columns), chunk_size, n_jobs)
    values, time = compute.in_memory() if cache is False else compute.on_disk(cache)
    alone = makers[0] if len(makers) == 1 else None
    return Features(
        values=values.reshape(-1, *(alone.shape if alone else (len(columns),))),
        columns=columns,
        trajectory=np.repeat(np.arange(len(trajectories), dtype=np.int32), trajectories.lengths),
        time=time,
        axes=alone.axes if alone else ("feature",),
        featurizers=tuple(maker.name or type(maker).__name__ for maker in makers),
        source=trajectories,
    )


class _Pass:
    """One pass over the trajectories, into memory or into a store."""

    def __init__(
        self,
        trajectories: Trajectories,
        makers: Sequence[Featurizer],
        n_columns: int,
        chunk_size: int | None,
        n_jobs: int,
    ) -> None:
        self.trajectories, self.makers, self.n_columns, self.n_jobs = trajectories, makers, n_columns, n_jobs
        needs = frozenset().union(*(maker.needs for maker in makers))
        self.wishes = ("velocities" in needs, "forces" in needs)
        trajectories.require(*self.wishes)
        self.blocks = list(trajectories.blocks(chunk_size, 4 * n_columns))

    def compute(self, chunk: Chunk, out: np.ndarray) -> None:
        """Fill `out` (n_frames, n_columns)."""
        column = 0
        for maker in self.makers:
            maker.fill(chunk, out, column)
            column += len(maker.columns)

    def run(self, blocks: Sequence[_Block], work: Callable[[_Block], Any], note: Callable[[Any], None]) -> None:
        """Call `work` on each block, by several threads, and `note` on what it returns, in order."""
        n_frames, left = self.trajectories.n_frames, sum(stop - start for _, start, stop in blocks)
        with (
            progress_bar(total=n_frames, description="featurize", unit=" frames", initial=n_frames - left) as bar,
            announce_compilation(bar),
            closing(in_order(work, blocks, self.n_jobs)) as results,  # on Ctrl-C no further block is begun
        ):
            for (_, start, stop), result in zip(blocks, results, strict=True):
                note(result)
                bar.update(stop - start)

    def in_memory(self) -> tuple[np.ndarray, np.ndarray]:
        """Return values and times."""
        n_frames = self.trajectories.n_frames
        _refuse_too_large(n_frames * self.n_columns * 4)
        values, time = np.empty((n_frames, self.n_columns), np.float32), np.empty(n_frames)

        def work(block: _Block) -> None:
            chunk = self.trajectories.read(*block, *self.wishes)
            rows = slice(chunk.start, chunk.start + len(chunk.time))
            self.compute(chunk, values[rows])
            time[rows] = chunk.time

        self.run(self.blocks, work, lambda _: None)
        return values, time

    def on_disk(self, cache: bool | str | os.PathLike[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return values and times of a store, which is made where there is none."""
        recipe = describe_source(self.trajectories, self.makers)
        names = [column.name for maker in self.makers for column in maker.columns]
        store = FeatureStore(cache_folder(cache), recipe, self.trajectories.n_frames, self.n_columns, names)
        firsts = np.concatenate([[0], np.cumsum(self.trajectories.lengths)]).tolist()
        rows = {block: (firsts[block[0]] + block[1], firsts[block[0]] + block[2]) for block in self.blocks}

        def work(block: _Block) -> tuple[_Block, str]:
            chunk = self.trajectories.read(*block, *self.wishes)
            values = np.empty((len(chunk.time), self.n_columns), np.float32)
            self.compute(chunk, values)
            return block, store.write(chunk.start, values, chunk.time)

        with store.locked():
            found = store.open(self.n_jobs)
            if found is not None:
                return found
            done = store.begin(rows.values(), self.n_jobs)
            left = [block for block in self.blocks if rows[block] not in done]
            self.run(left, work, lambda written: store.done(rows[written[0]], written[1]))
            if describe_source(self.trajectories, self.makers) != recipe:
                raise DataError("a trajectory was changed while it was read; open it again when it is complete")
            store.finish()
            return store.open_unchecked()


def _refuse_too_large(n_bytes: int) -> None:
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if n_bytes > memory:
            raise DataError(
                f"the features need {n_bytes / 1e9:.1f} GB, this machine has {memory / 1e9:.1f} GB of memory; "
                "keep them on disk with cache=True, or ask for fewer"
            )


def _refuse_duplicates(columns: Sequence[Column]) -> None:
    seen: set[str] = set()
    for column in columns:
        if column.name in seen:
            raise DataError(f"the column {column.name!r} was asked for twice; name each feature once")
        seen.add(column.name)

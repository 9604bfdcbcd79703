"""featurize: every file is read once, whatever number of featurizers asked."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import accumulate
from typing import Any

import numpy as np

from mdnb.errors import DataError
from mdnb.features.base import Features, Featurizer, make_featurizer
from mdnb.features.cache import make_room
from mdnb.features.cluster import check_client, on_cluster
from mdnb.features.columns import JoinedColumns, name_given_twice, names_of
from mdnb.features.identity import describe_source
from mdnb.features.parts import refuse_too_large
from mdnb.features.passes import announce_compilation, in_order
from mdnb.features.shared import shared_tables
from mdnb.features.store import FeatureStore, cache_folder
from mdnb.features.work import Block, Work, Writing
from mdnb.features.writing import features_code
from mdnb.loading import load
from mdnb.machine import n_workers
from mdnb.progress import progress_bar
from mdnb.trajectories import Trajectories

__all__ = ["featurize"]

#: Bytes of positions and results of a block: of smaller ones Python's part of the time shows, larger ones leave the
#: processor's cache.
_BLOCK = 8_000_000
#: Blocks that there are at least, where they have 16 frames: for a few threads, and to show how far it is. Their number
#: does not depend on that of the threads, so that an interrupted run can be continued with any.
_BLOCKS = 64


def featurize(
    trajectories: Any,
    features: str | Featurizer | Sequence[str | Featurizer] = "torsions",
    *,
    chunk_size: int | None = None,
    n_jobs: int = 1,
    cache: bool | str | os.PathLike[str] | None = False,
    client: Any = None,
) -> Features:
    """Compute features of every frame in one pass.

    Parameters
    ----------
    trajectories : Trajectories or mdtraj.Trajectory
    features : str, Featurizer, or a sequence of them
        ``torsions, distances, ca-distances, residue-distances, contacts, ca-contacts, positions, velocities,
        forces, internal-coordinates, rmsd, radius-of-gyration, contact-map, distance-map, sasa, hydrogen-bonds,
        secondary-structure, ligand-contacts, voxels, radial-distribution, coordination, backbone``, one made with
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
        of the environment variable ``MDNB_CACHE``), or a folder. An interrupted run is continued. The stores
        that were not used for longest are deleted when together they take more than ``MDNB_CACHE_LIMIT`` GB.
    client : distributed.Client, optional
        The workers of a Dask cluster compute, the same result bit for bit. They have to see the files under
        the same paths, and with `cache` the store's folder, which they then write themselves.

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
    MissingDependencyError
        When a client is given and Dask is not installed.
    """
    if not isinstance(trajectories, Trajectories):
        trajectories = load(trajectories)
    asked = [features] if isinstance(features, str | Featurizer) else list(features)
    if not asked:
        raise DataError("no features were asked for; try 'torsions'")
    n_jobs = n_workers(n_jobs)
    if client is not None:
        check_client(client, n_jobs)
    makers = [make_featurizer(one) for one in asked]
    reference = trajectories.frames(0).xyz[0]
    for maker in makers:
        chosen = maker.reference_frame
        maker.prepare(trajectories.topology, trajectories.frames(chosen).xyz[0] if chosen else reference)
    columns = makers[0].columns if len(makers) == 1 else JoinedColumns([maker.columns for maker in makers])
    if (twice := name_given_twice(columns)) is not None:
        raise DataError(f"the column {twice!r} was asked for twice; name each feature once")
    compute = _Pass(trajectories, makers, chunk_size, n_jobs, client)
    tables, time = compute.in_memory() if cache is False or cache is None else compute.on_disk(cache)
    alone = makers[0] if len(makers) == 1 else None
    values: Any = compute.work.parts(tables)
    if len(values) == 1 and isinstance(values[0], np.ndarray):
        values = values[0].reshape(-1, *(alone.shape if alone else (len(columns),)))
    return Features(
        values=values,
        columns=columns,  # type: ignore[arg-type]  # made to a tuple when somebody looks
        trajectory=np.repeat(np.arange(len(trajectories), dtype=np.int32), trajectories.lengths),
        time=time,
        axes=alone.axes if alone else ("feature",),
        featurizers=tuple(maker.name or type(maker).__name__ for maker in makers),
        source=trajectories,
        code=features_code(asked),
    )


class _Pass:
    """One pass over the trajectories, into memory or into a store."""

    def __init__(
        self,
        trajectories: Trajectories,
        makers: Sequence[Featurizer],
        chunk_size: int | None,
        n_jobs: int,
        client: Any = None,
    ) -> None:
        self.work = Work(trajectories, makers)
        self.trajectories, self.makers, self.n_jobs, self.client = trajectories, makers, n_jobs, client
        trajectories.require(*self.work.wishes)
        most = _BLOCK // (12 * trajectories.n_atoms + self.work.row_bytes)
        size = max(16, min(most, math.ceil(trajectories.n_frames / _BLOCKS)))
        self.blocks = list(trajectories.blocks(size if chunk_size is None else chunk_size))
        self._firsts = [0, *accumulate(trajectories.lengths)]

    def run(self, blocks: Sequence[Block], work: Callable[[Block], Any], note: Callable[[Any], None]) -> None:
        """Call `work` on each block, by several threads, and `note` on what it returns, in order."""
        if self.client is not None and len(blocks) > 1:
            in_turns = on_cluster(self.client, work, blocks)
        else:
            in_turns = in_order(work, blocks, self.n_jobs)
        n_frames, left = self.trajectories.n_frames, sum(stop - start for _, start, stop in blocks)
        with (
            progress_bar(total=n_frames, description="featurize", unit=" frames", initial=n_frames - left) as bar,
            announce_compilation(bar),
            closing(in_turns) as results,  # on Ctrl-C no further block is begun
        ):
            for (_, start, stop), result in zip(blocks, results, strict=True):
                note(result)
                bar.update(stop - start)

    def in_memory(self) -> tuple[list[np.ndarray], np.ndarray]:
        """Return the tables of the values, and times."""
        n_frames = self.trajectories.n_frames
        refuse_too_large(n_frames * self.work.row_bytes, "keep them on disk with cache=True, or ask for fewer")
        if self.client is not None:
            return self._by_cluster(n_frames)
        tables, time = self.work.empty(n_frames), np.empty(n_frames)

        def here(block: Block) -> None:
            rows = slice(*self.rows(block))
            self.work.compute(block, [table[rows] for table in tables], time[rows])

        self.run(self.blocks, here, lambda _: None)
        return tables, time

    def _by_cluster(self, n_frames: int) -> tuple[list[np.ndarray], np.ndarray]:
        """Return the same, of files that the workers fill where they are on this machine, else of what they send."""
        with shared_tables(self.client, self.work, n_frames, self._firsts) as shared:
            tables, time = (self.work.empty(n_frames), np.empty(n_frames)) if shared is None else shared.maps()

            def take(result: tuple[Block, list[np.ndarray], np.ndarray] | None) -> None:
                if result is None:  # it was filled in
                    return
                rows = slice(*self.rows(result[0]))
                for table, values in zip(tables, result[1], strict=True):
                    table[rows] = values
                time[rows] = result[2]

            self.run(self.blocks, self.work if shared is None else shared, take)
        return tables, time

    def rows(self, block: Block) -> tuple[int, int]:
        """Return the first row of a block and the one behind its last, over all trajectories."""
        first = self._firsts[block[0]]
        return first + block[1], first + block[2]

    def on_disk(self, cache: bool | str | os.PathLike[str]) -> tuple[list[np.ndarray], np.ndarray]:
        """Return the tables of the values, and times, of a store, which is made where there is none."""
        recipe = describe_source(self.trajectories, self.makers)
        names = [name for maker in self.makers for name in names_of(maker.columns)]
        store = FeatureStore(cache_folder(cache), recipe, self.trajectories.n_frames, self.work.layout, names)
        rows = {block: self.rows(block) for block in self.blocks}
        with store.locked():
            found = store.open(self.n_jobs)
            if found is not None:
                return found
            done = store.begin(rows.values(), self.n_jobs)
            left = [block for block in self.blocks if rows[block] not in done]
            self.run(left, Writing(self.work, store), lambda written: store.done(*written))
            if describe_source(self.trajectories, self.makers) != recipe:
                raise DataError("a trajectory was changed while it was read; open it again when it is complete")
            store.finish()
            make_room(store.path.parent, keep=store.path)
            return store.open_unchecked()

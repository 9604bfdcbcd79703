"""Features kept on disk: a folder each with the numbers, memory-mapped, and a JSON header; checked when opened.

``<key>/values.npy`` holds (n_frames, n_columns) float32, ``time.npy`` the times; where features are of several
types (hard contacts are bits), ``values-1.npy`` and so on hold the next ones. ``blocks.jsonl`` names the SHA-256 of
each block of rows, and ``header.json`` that of `blocks.jsonl`. While it is written the folder is
called ``<key>.partial``; it is never read as a store, but the next run takes over its finished blocks.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import math
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from mdnb.errors import DataError
from mdnb.features.identity import key_of
from mdnb.features.passes import in_order
from mdnb.files import NO_LOCKS, locked
from mdnb.machine import user_cache

__all__ = ["FeatureStore", "cache_folder"]

_LOG = logging.getLogger(__name__)
#: What the system says of a folder that must not be written to.
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
_FORMAT = 2
_Block = tuple[int, int]


def cache_folder(cache: bool | str | os.PathLike[str] = True) -> Path:
    """Return the folder of the stores: as given, else that of ``MDNB_CACHE``, else in the user's cache folder."""
    if not isinstance(cache, bool):
        return Path(cache)
    return user_cache() / "features"


class FeatureStore:
    """The store of one table of features; `recipe` describes all that the numbers depend on.

    Parameters
    ----------
    folder : Path
        Where stores lie.
    recipe : mapping
        What JSON can hold.
    n_frames : int
    layout : sequence of (str, int)
        The tables: their type as numpy writes it, and how many columns.
    names : sequence of str
        Of the columns, for people who read the header.
    """

    def __init__(
        self,
        folder: Path,
        recipe: Mapping[str, Any],
        n_frames: int,
        layout: Sequence[tuple[str, int]],
        names: Sequence[str] = (),
    ) -> None:
        self.recipe = json.loads(json.dumps({"format": _FORMAT, **recipe}))
        self.path = folder / key_of(self.recipe)
        self._partial = self.path.with_name(self.path.name + ".partial")
        self._n_frames, self._names = n_frames, list(names)
        #: Name of each file -> type and shape of its array; the times are the last.
        self._arrays: dict[str, tuple[str, tuple[int, ...]]] = {
            f"values-{number}" if number else "values": (dtype, (n_frames, width))
            for number, (dtype, width) in enumerate(layout)
        }
        self._arrays["time"] = ("<f8", (n_frames,))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other threads and processes from writing this store; the system frees it when a process dies."""
        with ExitStack() as held:
            try:
                held.enter_context(locked(self.path.with_name(self.path.name + ".lock")))
            except OSError as error:
                if error.errno in NO_LOCKS:
                    _LOG.warning("%s is on a file system without locks: one process at a time", self.path.parent)
                elif not (error.errno in _READ_ONLY and self.path.is_dir()):  # there is nothing to write
                    raise self._unusable(error) from error
            yield

    def open(self, n_jobs: int = 1) -> tuple[list[np.ndarray], np.ndarray] | None:
        """Return the tables of the values, memory-mapped, and times; None where there is no store or it is damaged.

        A damaged one is set aside, so that its intact blocks are taken over by `begin`.
        """
        if not self.path.is_dir():
            return None
        wrong = self._wrong(n_jobs)
        if wrong:
            _LOG.warning("the store %s is damaged (%s); what is damaged is computed again", self.path, wrong)
            shutil.rmtree(self._partial, ignore_errors=True)
            try:
                self.path.rename(self._partial)
            except OSError as error:
                raise self._unusable(error) from error
            return None
        with suppress(OSError):  # of a folder that may be read only
            os.utime(self.path / "header.json")  # used now
        return self.open_unchecked()

    def open_unchecked(self) -> tuple[list[np.ndarray], np.ndarray]:
        """Return the tables of the values, memory-mapped, and times of the store that was just written."""
        # Copy on write: whoever changes the array changes neither the file nor the next reader's numbers.
        *tables, time = self._arrays
        return [np.load(self.path / f"{name}.npy", mmap_mode="c") for name in tables], np.load(
            self.path / f"{time}.npy"
        )

    def _wrong(self, n_jobs: int) -> str:
        """Return what is wrong with the store, or nothing."""
        try:
            header = json.loads((self.path / "header.json").read_text(encoding="utf-8"))
            listed = (self.path / "blocks.jsonl").read_bytes()
        except (OSError, ValueError, RecursionError) as error:
            return f"its header cannot be read: {error}"
        if not isinstance(header, dict) or header.get("recipe") != self.recipe:
            return "its header is of other features"
        if header.get("sha256") != hashlib.sha256(listed).hexdigest():
            return "the list of its blocks was changed"
        blocks = self._listed(self.path)
        if sum(stop - start for start, stop in blocks) != self._n_frames:
            return "blocks are missing"
        bad = sum(1 for block in self._intact(self.path, blocks, n_jobs) if block is None)
        return f"{bad} of {len(blocks)} blocks are not what was written" if bad else ""

    def begin(self, blocks: Iterable[_Block], n_jobs: int = 1) -> set[_Block]:
        """Make the files to write into, and return those of the blocks that an earlier run has left intact."""
        needed = sum(np.dtype(dtype).itemsize * math.prod(shape) for dtype, shape in self._arrays.values())
        wanted, noted = set(blocks), self._listed(self._partial)
        listed = {block: digest for block, digest in noted.items() if block in wanted}
        intact = {block for block in self._intact(self._partial, listed, n_jobs) if block is not None}
        if not intact:
            shutil.rmtree(self._partial, ignore_errors=True)
            free = shutil.disk_usage(self.path.parent).free
            if free < needed:
                raise DataError(
                    f"the features need {needed / 1e9:.1f} GB, {self.path.parent} has {free / 1e9:.1f} GB free; "
                    "delete what is in there, or give another folder as cache or in MDNB_CACHE"
                )
        lines = [self._line(block, listed[block]) for block in sorted(intact)]
        with self._writing():
            if not intact:
                self._partial.mkdir()
                for name, (dtype, shape) in self._arrays.items():
                    np.lib.format.open_memmap(self._partial / f"{name}.npy", "w+", np.dtype(dtype), shape)
            (self._partial / "blocks.jsonl").write_text("".join(lines), encoding="utf-8")
        return intact

    def write(self, start: int, tables: Sequence[np.ndarray], time: np.ndarray) -> str:
        """Write some rows and return their hash; several threads or processes may do so at once."""
        written = []
        for (name, (dtype, _)), given in zip(self._arrays.items(), (*tables, time), strict=True):
            array = np.ascontiguousarray(given, dtype)
            path = self._partial / f"{name}.npy"
            row_bytes = array.nbytes // len(array)
            with self._writing(), path.open("r+b", buffering=0) as file:
                offset = path.stat().st_size - self._n_frames * row_bytes  # behind the array's own header
                file.seek(offset + start * row_bytes)
                left = array.data.cast("B")
                while left:
                    left = left[file.write(left) :]
            written.append(array)
        return _hash(*written)

    def done(self, block: _Block, digest: str) -> None:
        """Note that a block is written."""
        with self._writing(), (self._partial / "blocks.jsonl").open("a", encoding="utf-8") as file:
            file.write(self._line(block, digest))

    def finish(self) -> None:
        """Give the store its name."""
        with self._writing():
            listed = (self._partial / "blocks.jsonl").read_bytes()
            header = {
                "recipe": self.recipe, "arrays": self._arrays, "columns": self._names,
                "sha256": hashlib.sha256(listed).hexdigest(),
            }  # fmt: skip
            (self._partial / "header.json").write_text(json.dumps(header, indent=1), encoding="utf-8")
            self._partial.rename(self.path)

    @staticmethod
    def _line(block: _Block, digest: str) -> str:
        return json.dumps([*block, digest]) + "\n"

    @staticmethod
    def _listed(folder: Path) -> dict[_Block, str]:
        """Return the blocks that are noted as written, with their hashes."""
        blocks: dict[_Block, str] = {}
        try:
            lines = (folder / "blocks.jsonl").read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):
            return blocks
        for line in lines:
            try:
                start, stop, digest = json.loads(line)
                if not (isinstance(start, int) and isinstance(stop, int) and isinstance(digest, str)):
                    continue
            except (ValueError, TypeError, RecursionError):  # the last line of a run that was killed
                continue
            blocks[start, stop] = digest
        return blocks

    def _intact(self, folder: Path, blocks: Mapping[_Block, str], n_jobs: int) -> Iterator[_Block | None]:
        """Yield each block whose rows in `folder` have its hash, None for each of the others."""
        if not blocks:
            return
        offsets, row_bytes = {}, {}
        try:
            for name, (dtype, shape) in self._arrays.items():
                array = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
                if array.dtype != np.dtype(dtype) or array.shape != shape:
                    raise ValueError(f"{name}.npy holds something else")
                row_bytes[name] = array.nbytes // self._n_frames
                offsets[name] = (folder / f"{name}.npy").stat().st_size - array.nbytes
        except (OSError, ValueError):
            yield from (None for _ in blocks)
            return

        def check(block: _Block) -> _Block | None:
            start, stop = block
            if not 0 <= start < stop <= self._n_frames:
                return None
            arrays = []
            for name, offset in offsets.items():
                with (folder / f"{name}.npy").open("rb") as file:
                    file.seek(offset + start * row_bytes[name])
                    arrays.append(np.frombuffer(file.read((stop - start) * row_bytes[name]), np.uint8))
            return block if _hash(*arrays) == blocks[block] else None

        yield from in_order(check, blocks, n_jobs)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn what a full disk leads to into a DataError."""
        try:
            yield
        except OSError as error:
            raise DataError(
                f"the features cannot be written to {self.path.parent} ({error}); make room there and run it again, "
                "which takes over what is done, or give another folder as cache or in MDNB_CACHE"
            ) from error

    def _unusable(self, error: OSError) -> DataError:
        return DataError(
            f"{self.path.parent} cannot be used for a cache of features ({error}); give another folder as cache, or "
            "in the environment variable MDNB_CACHE"
        )


def _hash(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array.data)
    return digest.hexdigest()

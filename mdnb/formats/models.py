"""What PDB and mmCIF have in common: models with one topology, that mdtraj reads from the first of them."""

from __future__ import annotations

import os
import tempfile
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from mdnb.formats.text import Record, TextFile

if TYPE_CHECKING:
    import mdtraj


class ModelFile(TextFile):
    """A file of models. mdtraj gives the topology and the box, from a copy of the first model alone.

    Where our positions of that model are not mdtraj's, as with alternate locations, mdtraj reads the whole file, which
    is then held in memory.
    """

    suffix: ClassVar[str]
    _topology: mdtraj.Topology | None = None
    _whole: mdtraj.Trajectory | None = None

    @abstractmethod
    def _positions(self, raw: bytes) -> np.ndarray:
        """Return the positions of one model in nm, (n_atoms, 3)."""

    @abstractmethod
    def _load(self, path: str) -> mdtraj.Trajectory:
        """Return what mdtraj reads in a file of this format."""

    @abstractmethod
    def _first(self) -> bytes:
        """Return a file of the first model alone."""

    def _box(self, raw: bytes) -> np.ndarray | None:
        """Return the box vectors of a model that has its own."""
        return None

    def _open_models(self) -> None:
        self._index()
        if not self.n_frames:
            self.n_atoms = 0
            if not self.truncated:
                raise self.error("it holds no atoms; is it one?")
            return
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, f"first{self.suffix}")
            copy.write_bytes(self._first())
            first = self._loaded(copy)
        ours = self._positions(self._raw(0))
        if first.n_frames != 1 or ours.shape != first.xyz[0].shape or np.abs(ours - first.xyz[0]).max() > 1e-5:
            self._whole = first = self._loaded(self.path)
            self.n_frames = first.n_frames
        self.n_atoms, self._topology = first.n_atoms, first.topology
        self._cell = None if first.unitcell_vectors is None else first.unitcell_vectors[0].astype(float)
        if not self.n_atoms:
            raise self.error("it holds no atoms; is it one?")

    @property
    def time_step(self) -> float:
        """NaN: models have no time."""
        return float("nan")

    def _loaded(self, path: Path) -> mdtraj.Trajectory:
        try:
            return self._load(os.fspath(path))
        except Exception as error:  # mdtraj's reader of mmCIF has exceptions of its own
            said = " ".join(f"{type(error).__name__}: {error}".split())
            raise self.error(f"mdtraj cannot read it ({said}); is the file complete?") from error

    def topology(self) -> mdtraj.Topology | None:
        """Return the topology of the first model."""
        return self._topology

    def _raw(self, frame: int) -> bytes:
        return b"" if self._whole is not None else super()._raw(frame)

    def _parse(self, raw: bytes, frame: int, atoms: bool, velocities: bool, forces: bool) -> Record:
        if self._whole is not None:
            cells = self._whole.unitcell_vectors
            return Record(self._whole.xyz[frame], box=None if cells is None else cells[frame])
        own = self._box(raw)
        return Record(self._positions(raw) if atoms else None, box=self._cell if own is None else own)

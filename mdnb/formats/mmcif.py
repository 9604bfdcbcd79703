"""Multi-model mmCIF: the first model is parsed by mdtraj, the positions of the others are read when asked for."""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING

import numpy as np

from mdnb.formats.models import ModelFile
from mdnb.formats.registry import register
from mdnb.formats.text import table

if TYPE_CHECKING:
    import mdtraj

_BLOCK = 8_000_000
#: What may follow the rows of a loop.
_ENDS = (b"\n#", b"\nloop_", b"\n_", b"\ndata_")
_COLUMNS = ("Cartn_x", "Cartn_y", "Cartn_z")


@register(".cif", ".mmcif", ".pdbx")
class MMCIFFile(ModelFile):
    """The first ``_atom_site`` loop of an mmCIF (PDBx) file; a frame for each model, no time.

    References
    ----------
    https://mmcif.wwpdb.org
    """

    suffix = ".cif"
    indexed = False  # whether the last model is whole depends on the others

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            self._begin(data)
        self._open_models()

    def _begin(self, data: mmap.mmap) -> None:
        """Read the names of the columns; the rows follow them."""
        start = data.find(b"_atom_site.")
        if start < 0 or not data[max(start - 200, 0) : start].rstrip().endswith(b"loop_"):
            raise self.error("it has no loop of _atom_site, as an mmCIF file of a structure has; is it one?")
        self._names, self._rows = [], start
        while data[self._rows : self._rows + 11] == b"_atom_site.":
            end = data.find(b"\n", self._rows) + 1 or len(data)
            self._names.append(data[self._rows + 11 : end].decode().strip())
            self._rows = end
        missing = [name for name in _COLUMNS if name not in self._names]
        if missing:
            raise self.error(f"its _atom_site has no {missing[0]}, so no positions")
        self._columns = [self._names.index(name) for name in _COLUMNS]

    def _find(self, data: mmap.mmap, position: int) -> tuple[list[int], int, str]:
        at, size = self._rows, len(data)
        ends = [found for mark in _ENDS if (found := data.find(mark, at - 1)) >= 0]
        end = min(ends) + 1 if ends else data.rfind(b"\n") + 1
        if data.find(b"_atom_site.", end) >= 0:
            raise self.error("it holds several structures (loops of _atom_site); write each to a file of its own")
        starts, model = ([], np.nan) if "pdbx_PDB_model_num" in self._names else ([at] if at < end else [], 1.0)
        while at < end:
            stop = data.rfind(b"\n", at, min(at + _BLOCK, end)) + 1
            if stop <= at:  # one line is longer than a block
                stop = data.find(b"\n", at, end) + 1 or end
            lines = data[at:stop].splitlines(keepends=True)
            if "pdbx_PDB_model_num" in self._names:
                models = table([line.decode() for line in lines], [self._names.index("pdbx_PDB_model_num")])[:, 0]
                offsets = np.cumsum([0, *map(len, lines[:-1])]) + at
                starts.extend(offsets[models != np.concatenate([[model], models[:-1]])].tolist())
                model = models[-1]
            at = stop
        if not ends and starts:  # nothing says that this is all: the last model may be cut off
            rows = data[starts[-1] : end].count(b"\n")
            if end < size or rows < data[starts[0] : [*starts, end][1]].count(b"\n"):
                return starts[:-1], starts[-1], f"{size - starts[-1]} bytes are left of a model after the whole ones"
        return starts, end, ""

    def _positions(self, raw: bytes) -> np.ndarray:
        return table(raw.decode().splitlines(), self._columns) / 10

    def _first(self) -> bytes:
        """Return a file of the first model alone."""
        with self.path.open("rb") as file:
            head = file.read(self._rows)
            file.seek(int(self._starts[-1]))  # the box and bonds may follow the atoms
            return head + self._raw(0) + (b"#\n" if self.truncated else file.read())

    def _load(self, path: str) -> mdtraj.Trajectory:
        from mdtraj.formats.pdbx import load_pdbx

        return load_pdbx(path)

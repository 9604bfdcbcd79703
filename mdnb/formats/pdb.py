"""Multi-model PDB: the first model is parsed by mdtraj, the positions of the others are read when asked for."""

from __future__ import annotations

import mmap
import os
import re
from typing import TYPE_CHECKING

import numpy as np

from mdnb.formats.models import ModelFile
from mdnb.formats.registry import register

if TYPE_CHECKING:
    import mdtraj

#: What shows that a model has begun.
_ATOM = re.compile(rb"^(?:ATOM  |HETATM|MODEL)", re.MULTILINE)
_CRYST1 = re.compile(rb"^CRYST1" + 3 * rb"([ \d.+-]{9})" + 3 * rb"([ \d.+-]{7})", re.MULTILINE)
#: Where x, y and z stand in a line of an atom.
_FIRST, _LAST = 30, 54


@register(".pdb", ".ent")
class PDBFile(ModelFile):
    """A PDB file of one model, or of several between ``MODEL`` and ``ENDMDL``; it has no time.

    A box is that of the model's own ``CRYST1``, else that of the first.
    """

    suffix = ".pdb"

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        self._open_models()

    def _find(self, data: mmap.mmap, position: int) -> tuple[list[int], int, str]:
        starts, end, size = [], position, len(data)
        while (at := data.find(b"\nENDMDL", max(end - 1, 0))) >= 0:
            starts.append(end)
            end = data.find(b"\n", at + 1) + 1 or size
        left = _ATOM.search(data, end)
        if left and not starts and position == 0:
            if re.search(rb"^MODEL ", data, re.MULTILINE):
                return [], 0, f"{size} bytes of a model without its ENDMDL"
            return [0], size, ""
        return starts, end, f"{size - end} bytes are left of a model without its ENDMDL" if left else ""

    def _positions(self, raw: bytes) -> np.ndarray:
        lines = [line[_FIRST:_LAST] for line in raw.splitlines() if line.startswith((b"ATOM  ", b"HETATM"))]
        if any(len(line) != _LAST - _FIRST for line in lines):
            raise ValueError("a line of an atom is cut off")
        numbers = np.frombuffer(b"".join(lines), "S8").astype(np.float64)
        return (numbers / 10).reshape(-1, 3)

    def _box(self, raw: bytes) -> np.ndarray | None:
        from mdtraj.utils import lengths_and_angles_to_box_vectors

        found = _CRYST1.search(raw)
        if found is None or self._cell is None:  # mdtraj has left out a box of 1 Angstrom, which stands for none
            return None
        a, b, c, *angles = (float(number) for number in found.groups())
        return np.array(lengths_and_angles_to_box_vectors(a / 10, b / 10, c / 10, *angles))

    def _first(self) -> bytes:
        with self.path.open("rb") as file:
            file.seek(int(self._starts[-1]))  # what follows the models are bonds
            return self._raw(0) + (b"END\n" if self.truncated else file.read())

    def _load(self, path: str) -> mdtraj.Trajectory:
        import mdtraj

        return mdtraj.load_pdb(path)

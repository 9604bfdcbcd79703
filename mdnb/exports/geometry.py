"""Torsions, distances and radii of gyration of positions, in torch: they have gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from mdnb.errors import DataError
from mdnb.features.atoms import masses
from mdnb.formats.topology_json import topology_from_json
from mdnb.runs import Run

__all__ = ["FEATURES", "Geometry", "Term", "terms"]

#: Featurizers whose columns say all that is needed to compute them.
FEATURES = ("torsions", "distances", "ca-distances", "distance-map", "radius-of-gyration")


@dataclass(frozen=True)
class Term:
    """One column: ``sin``, ``cos`` or ``torsion`` of four atoms, ``distance`` of two, ``radius`` of many, ``zero``."""

    kind: str
    atoms: tuple[int, ...]
    name: str


def terms(run: Run) -> list[Term]:
    """Return how each column of a run is computed.

    Raises
    ------
    DataError
        When it was trained on other features than torsions, distances and the radius of gyration.
    """
    unknown = [name for name in run.featurizers if name not in FEATURES]
    if unknown:
        raise DataError(
            f"{unknown[0]!r} cannot be written for PLUMED, which gets {', '.join(FEATURES)}; train on those, or export "
            "to ONNX"
        )
    found = []
    for column in run.columns:
        first, _, rest = column.name.partition(" ")
        n_atoms = len(column.atom_indices)
        if n_atoms == 4 and first in ("sin", "cos"):
            found.append(Term(first, column.atom_indices, rest))
        elif n_atoms == 4 and column.unit == "rad":
            found.append(Term("torsion", column.atom_indices, column.name))
        elif n_atoms == 2 and first in ("distance", "distance-map"):
            found.append(Term("distance", column.atom_indices, f"distance {rest}"))
        elif n_atoms == 1 and first == "distance-map":
            found.append(Term("zero", (), column.name))
        elif column.name == "radius of gyration":
            found.append(Term("radius", column.atom_indices, column.name))
        else:
            raise DataError(f"the column {column.name!r} is not of a kind that PLUMED gets; export to ONNX")
    return found


class Geometry(nn.Module):
    """(batch, 3 n_atoms) positions in nm -> (batch, n_columns), the features of a run.

    Molecules have to be whole. Computed in double precision, returned in single.

    Attributes
    ----------
    atoms : tuple of int
        The atoms whose positions go in, in this order: x, y, z of the first, and so on.
    """

    order: Tensor

    def __init__(self, run: Run) -> None:
        super().__init__()
        found = terms(run)
        self.atoms = tuple(sorted({atom for term in found for atom in term.atoms}))
        place = {atom: number for number, atom in enumerate(self.atoms)}
        pairs = _distinct(found, {"distance"})
        torsions = _distinct(found, {"sin", "cos", "torsion"})
        bodies = _distinct(found, {"radius"})
        topology = topology_from_json(run.topology) if bodies else None
        self.n_bodies = len(bodies)
        for name, rows, size in (("pairs", pairs, 2), ("torsions", torsions, 4)):
            indices = [place[atom] for row in rows for atom in row]
            self.register_buffer(name, torch.tensor(indices, dtype=torch.long).reshape(-1, size))
        for number, body in enumerate(bodies):
            weights = np.asarray(masses(topology, np.array(body), "radius-of-gyration"), np.float64)
            self.register_buffer(f"body{number}", torch.tensor([place[atom] for atom in body]))
            self.register_buffer(f"weights{number}", torch.tensor(weights / weights.sum()))
        starts = np.cumsum([0, len(pairs), len(torsions), len(torsions), len(torsions), len(bodies)])
        blocks = dict(zip(("distance", "sin", "cos", "torsion", "radius"), starts, strict=False))
        rows_of = {"distance": pairs, "radius": bodies, "sin": torsions, "cos": torsions, "torsion": torsions}
        number_of = {kind: {row: n for n, row in enumerate(rows)} for kind, rows in rows_of.items()}
        order = [
            int(starts[-1]) if term.kind == "zero" else int(blocks[term.kind]) + number_of[term.kind][term.atoms]
            for term in found
        ]
        self.register_buffer("order", torch.tensor(order))

    def forward(self, positions: Tensor) -> Tensor:
        """Return (batch, n_columns)."""
        return self.exact(positions, torch.float32).float()

    def exact(self, positions: Tensor, angles: torch.dtype = torch.float64) -> Tensor:
        """Return (batch, n_columns) in double precision; angles in another (ONNX knows the arctangent in single)."""
        x = positions.double().reshape(positions.shape[0], len(self.atoms), 3)
        pairs, torsions = self.get_buffer("pairs"), self.get_buffer("torsions")
        sine, cosine = _torsions(*(x[:, torsions[:, number]] for number in range(4)))
        parts = [
            _norm(x[:, pairs[:, 1]] - x[:, pairs[:, 0]]),
            sine,
            cosine,
            torch.atan2(sine.to(angles), cosine.to(angles)),
        ]
        for number in range(self.n_bodies):
            weights = self.get_buffer(f"weights{number}")[:, None]
            body = x[:, self.get_buffer(f"body{number}")]
            body = body - (weights * body).sum(1, keepdim=True)
            parts.append(torch.sqrt((weights * body.square()).sum((1, 2)))[:, None])
        parts.append(torch.zeros_like(x[:, :1, 0]))
        return torch.cat(parts, dim=1)[:, self.order]


def _distinct(found: Sequence[Term], kinds: set[str]) -> list[tuple[int, ...]]:
    return list(dict.fromkeys(term.atoms for term in found if term.kind in kinds))


def _norm(vectors: Tensor) -> Tensor:
    return vectors.square().sum(-1).sqrt()


def _torsions(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    """Return sine and cosine of torsions; of three atoms in a line, 0 and no number that is none."""
    first, axis, last = b - a, c - b, d - c
    across = torch.linalg.cross(axis, last)
    sine = _norm(axis) * (first * across).sum(-1)
    cosine = (torch.linalg.cross(first, axis) * across).sum(-1)
    length = (sine.square() + cosine.square() + 1e-40).sqrt()
    return sine / length, cosine / length

"""Chains: the residues of each chain of a protein, its torsions, and how its atoms are placed by them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mdnb.errors import DataError
from mdnb.features.atoms import backbone_atoms

if TYPE_CHECKING:
    import mdtraj

__all__ = ["chain_torsions", "placed_rows", "read_chains", "spans", "starts"]


def read_chains(topology: mdtraj.Topology) -> list[list[dict[str, int]]]:
    """Return the atoms by name of each residue of each chain of bonded residues."""
    bonds = {frozenset((a.index, b.index)) for a, b in topology.bonds}
    chains: list[list[dict[str, int]]] = []
    for residue in topology.residues:
        row = backbone_atoms(residue)
        if not {"N", "CA", "C"} <= set(row):
            continue
        row |= {atom.name: atom.index for atom in residue.atoms if atom.name == "CB"}
        if chains and frozenset((chains[-1][-1]["C"], row["N"])) in bonds:
            chains[-1].append(row)
        else:
            chains.append([row])
    short = [chain for chain in chains if len(chain) < 3]
    if short or not chains:
        found = f"a chain of {len(short[0])}" if short else "none"
        raise DataError(
            f"'backbone' needs chains of at least three bonded residues with N, CA and C; {topology} has {found}: "
            "choose chains with selection=, or use 'internal-coordinates' for small molecules"
        )
    return chains


def spans(chains: list[list[dict[str, int]]]) -> list[tuple[int, int]]:
    """Return the first residue of each chain and the one behind its last, counted over all."""
    ends = np.cumsum([len(chain) for chain in chains]).tolist()
    return [(stop - len(chain), stop) for stop, chain in zip(ends, chains, strict=True)]


def chain_torsions(chains: list[list[dict[str, int]]]) -> list[tuple[str, tuple[int, int, int, int]]]:
    """Return phi, psi and omega of each residue; at the end of a chain, the torsion of its oxygen."""
    found = []
    for chain in chains:
        for number, row in enumerate(chain):
            n, ca, c = row["N"], row["CA"], row["C"]
            if number:
                found.append(("phi", (chain[number - 1]["C"], n, ca, c)))
            if number + 1 < len(chain):
                after = chain[number + 1]
                found += [("psi", (n, ca, c, after["N"])), ("omega", (ca, c, after["N"], after["CA"]))]
            elif "O" in row:
                found.append(("oxygen", (n, ca, c, row["O"])))
    return found


def placed_rows(
    chains: list[list[dict[str, int]]], which: dict[tuple[int, ...], int], place: dict[int, int], frame: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return how each atom is placed: its references, its torsion and what is added to it, its bond and angle.

    Bonds and angles are the means over residues in one frame.
    """
    rows, kinds, turns, offsets = [], [], [], []

    def add(kind: str, atoms: tuple[int, int, int, int], turn: int, offset: float = 0.0) -> None:
        rows.append(atoms)
        kinds.append(kind)
        turns.append(turn)
        offsets.append(offset)

    for chain in chains:
        for number, row in enumerate(chain):
            n, ca, c = row["N"], row["CA"], row["C"]
            if number:
                before = chain[number - 1]["C"]
                add("C", (before, n, ca, c), which[before, n, ca, c])
            if number + 1 < len(chain):
                after = chain[number + 1]
                add("N", (n, ca, c, after["N"]), which[n, ca, c, after["N"]])
                add("CA", (ca, c, after["N"], after["CA"]), which[ca, c, after["N"], after["CA"]])
                if "O" in row:
                    add("O", (n, ca, c, row["O"]), which[n, ca, c, after["N"]], np.pi)
            elif "O" in row:
                add("O", (n, ca, c, row["O"]), which[n, ca, c, row["O"]])
            if "CB" in row:
                add("CB", (c, n, ca, row["CB"]), -1)
    atoms, names = np.array(rows, int), np.array(kinds)
    a, b, c, d = (frame[atoms[:, k]] for k in range(4))
    bonds, angles = np.linalg.norm(d - c, axis=1), _angles(b, c, d)
    shift = np.array(offsets)
    beta = names == "CB"
    hand = np.sign(np.einsum("ni,ni->n", np.cross(b - a, c - b), d - c))
    shift[beta] = hand[beta] * np.mean(np.abs(_turns(a, b, c, d)[beta])) if beta.any() else 0.0
    for name in set(kinds):
        bonds[names == name] = bonds[names == name].mean()
        angles[names == name] = angles[names == name].mean()
    return np.vectorize(place.get)(atoms), np.array(turns, int), shift, bonds, angles


def starts(
    chains: list[list[dict[str, int]]], place: dict[int, int], frame: np.ndarray
) -> list[tuple[list[int], np.ndarray]]:
    """Return the first three atoms of each chain, and where they are put."""
    n, ca, c = (frame[[row[name] for chain in chains for row in chain]] for name in ("N", "CA", "C"))
    first, second = np.linalg.norm(ca - n, axis=1).mean(), np.linalg.norm(c - ca, axis=1).mean()
    angle = _angles(n, ca, c).mean()
    places = np.array(
        [[0, 0, 0], [first, 0, 0], [first - second * np.cos(angle), second * np.sin(angle), 0]], np.float64
    )
    return [([place[chain[0][name]] for name in ("N", "CA", "C")], places) for chain in chains]


def _angles(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Return the angle at each b, (n,)."""
    u, v = a - b, c - b
    cosine = np.einsum("ni,ni->n", u, v) / np.linalg.norm(u, axis=1) / np.linalg.norm(v, axis=1)
    return np.asarray(np.arccos(np.clip(cosine, -1, 1)))


def _turns(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Return the torsion of each four points, (n,)."""
    along = c - b
    first, second = np.cross(b - a, along), np.cross(along, d - c)
    sine = np.linalg.norm(along, axis=1) * np.einsum("ni,ni->n", b - a, second)
    return np.asarray(np.arctan2(sine, np.einsum("ni,ni->n", first, second)))

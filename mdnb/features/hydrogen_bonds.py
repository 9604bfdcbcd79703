"""Hydrogen bonds of the backbone, as the energy of each N-H...O=C."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mdnb.chunk import Chunk
from mdnb.errors import DataError
from mdnb.features.atoms import backbone_atoms
from mdnb.features.base import Column, Featurizer, residue_labels

if TYPE_CHECKING:
    import mdtraj

__all__ = ["HydrogenBonds"]

#: 0.42 x 0.20 elementary charges squared, 332 kcal Angstrom / mol, in kJ nm / mol.
SCALE = 0.42 * 0.20 * 33.2 * 4.184
#: The lowest energy, given where atoms lie on each other: -9.9 kcal/mol in kJ/mol.
LOWEST = -9.9 * 4.184


class HydrogenBonds(Featurizer):
    """Energy in kJ/mol of each possible hydrogen bond N-H...O=C between residues of the backbone.

    ``0.42 e x 0.20 e (1/r(ON) + 1/r(CH) - 1/r(OH) - 1/r(CN))``, the electrostatic energy of DSSP; below
    -2.1 kJ/mol (-0.5 kcal/mol) DSSP calls it a bond, a good one has about -12 kJ/mol, far pairs have 0. A
    smooth number, where a criterion of distance and angle would jump. As in DSSP the hydrogen is placed on
    the extension of the C=O before it, so topologies without hydrogens give the same; the first
    residue of a chain and proline give none. Side chains, water and ligands are not looked at. Nearest
    images where there is a box.

    Parameters
    ----------
    min_residues : int
        Smallest separation along the chain.

    References
    ----------
    Kabsch and Sander, Biopolymers 22, 2577 (1983), https://doi.org/10.1002/bip.360221211
    """

    name = "hydrogen-bonds"
    needed = (
        "it needs peptide bonds: residues with backbone atoms named N, C and O, two or more apart "
        "(for small molecules: 'distances')"
    )

    def __init__(self, min_residues: int = 2) -> None:
        if min_residues < 1:
            raise DataError(f"min_residues = {min_residues}: expected at least 1; within a residue there is no bond")
        self.min_residues = min_residues

    def describe(self, topology: mdtraj.Topology, reference: np.ndarray) -> tuple[Column, ...]:
        """Return one column for each donor and acceptor: the N-H of one residue, the C=O of another."""
        label = residue_labels(topology)
        residues = [(residue, backbone_atoms(residue)) for residue in topology.residues if not residue.is_water]
        carbonyl = {residue.index: atoms for residue, atoms in residues if {"C", "O"} <= atoms.keys()}
        bonded = {frozenset((a.index, b.index)) for a, b in topology.bonds}
        donors: list[tuple[int, int, int]] = []
        pairs: list[tuple[int, int]] = []
        columns = []
        acceptors = [(residue, atoms["C"], atoms["O"]) for residue, atoms in residues if residue.index in carbonyl]
        for residue, atoms in residues:
            before = carbonyl.get(residue.index - 1)
            if "N" not in atoms or residue.name == "PRO" or before is None:
                continue
            # By its bond; in a topology without any bonds, by its place in the chain.
            if bonded and frozenset((before["C"], atoms["N"])) not in bonded:
                continue
            if not bonded and topology.atom(before["C"]).residue.chain != residue.chain:
                continue
            donor = (atoms["N"], before["C"], before["O"])
            for number, (other, carbon, oxygen) in enumerate(acceptors):
                if other.chain == residue.chain and abs(other.index - residue.index) < self.min_residues:
                    continue
                pairs.append((len(donors), number))
                name = f"hydrogen bond {label[residue.index]}-N {label[other.index]}-O"
                columns.append(Column(name, "kJ/mol", (*donor, carbon, oxygen), name))
            donors.append(donor)
        self._donors = np.array(donors, int).reshape(-1, 3)
        self._acceptors = np.array([row[1:] for row in acceptors], int).reshape(-1, 2)
        self._pairs = np.array(pairs, int).reshape(-1, 2)
        return tuple(columns)

    def compute(self, chunk: Chunk) -> np.ndarray:
        """Return (n_frames, n_pairs) in kJ/mol."""
        from mdnb.features.structure_kernels import backbone_energies

        values = np.empty((len(chunk.positions), len(self._pairs)), np.float32)
        backbone_energies(
            chunk.positions, self._donors, self._acceptors, self._pairs, chunk.images, SCALE, LOWEST, values
        )
        return values

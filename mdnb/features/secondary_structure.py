"""Secondary structure of each residue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mdnb.chunk import Chunk
from mdnb.features.atoms import backbone_atoms
from mdnb.features.base import Column, Featurizer, residue_labels

if TYPE_CHECKING:
    import mdtraj

__all__ = ["SecondaryStructure"]

#: mdtraj's simplified letters and what they stand for.
LETTERS = {"H": "helix", "E": "strand", "C": "coil"}


class SecondaryStructure(Featurizer):
    """Helix, strand or coil: three numbers for each residue, one of them 1 and the others 0, by DSSP.

    Helix holds alpha, 3-10 and pi, strand also single bridges, coil the rest. By mdtraj's `compute_dssp`
    on the residues that have N, CA, C and O; caps and water are left out. Molecules have to be whole.

    References
    ----------
    Kabsch and Sander, Biopolymers 22, 2577 (1983), https://doi.org/10.1002/bip.360221211
    """

    name = "secondary-structure"
    needed = "it needs residues with backbone atoms named N, CA, C and O"

    def describe(self, topology: mdtraj.Topology, reference: np.ndarray) -> tuple[Column, ...]:
        """Return three columns for each residue."""
        label, columns = residue_labels(topology), []
        chosen: list[int] = []
        for residue in topology.residues:
            atoms = backbone_atoms(residue)
            if len(atoms) == 4:
                indices = tuple(sorted(atoms.values()))
                chosen.extend(indices)
                group = f"secondary structure {label[residue.index]}"
                columns += [Column(f"{what} {label[residue.index]}", "", indices, group) for what in LETTERS.values()]
        self._atoms = np.array(chosen, int)
        self._topology = topology.subset(self._atoms) if chosen else None
        return tuple(columns)

    def compute(self, chunk: Chunk) -> np.ndarray:
        """Return (n_frames, 3 n_residues) of 0 and 1."""
        import mdtraj

        frames = mdtraj.Trajectory(np.ascontiguousarray(chunk.positions[:, self._atoms]), self._topology)
        letters = mdtraj.compute_dssp(frames, simplified=True)
        values = np.stack([letters == letter for letter in LETTERS], axis=-1)
        return values.reshape(len(values), -1).astype(np.float32)

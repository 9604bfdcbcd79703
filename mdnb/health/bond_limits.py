"""How long a bond may be, by the elements it joins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mdnb.molecules import bond_pairs

if TYPE_CHECKING:
    import mdtraj

__all__ = ["bond_limits"]

#: Covalent radii in nm (Cordero et al., Dalton Trans. 2008, 2832, https://doi.org/10.1039/b801115j).
_RADII = {
    "H": 0.031, "B": 0.084, "C": 0.076, "N": 0.071, "O": 0.066, "F": 0.057, "Si": 0.111, "P": 0.107, "S": 0.105,
    "Cl": 0.102, "Se": 0.120, "Br": 0.120, "I": 0.139,
}  # fmt: skip
#: Shortest and longest plausible bond, as parts of the sum of the radii. A triple bond has 0.77 of it, a bond
#: stretched by heat at 500 K 1.15.
_SHORTEST, _LONGEST = 0.65, 1.45


def bond_limits(topology: mdtraj.Topology) -> tuple[np.ndarray, np.ndarray]:
    """Return the bonds whose elements are known, (n, 2), and the squares of their limits in nm^2, (n, 2).

    Bonds to metals and beads of coarse models are left out, and the bond between its hydrogens that AMBER gives to
    rigid water.
    """
    radii = np.array([_RADII.get(atom.element.symbol if atom.element else "", np.nan) for atom in topology.atoms])
    bonds = bond_pairs(topology)
    lengths = radii[bonds].sum(1)
    hydrogen = np.array([atom.element is not None and atom.element.symbol == "H" for atom in topology.atoms])
    known = np.isfinite(lengths) & ~hydrogen[bonds].all(1)
    limits = lengths[known, None] * np.array([_SHORTEST, _LONGEST])
    return bonds[known], limits**2

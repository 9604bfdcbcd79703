"""What a picture of a structure consists of: atoms, bonds, colours, words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdnb.errors import DataError
from mdnb.pictures.colours import Scale, atom_values, element_colours

__all__ = ["Drawing", "drawing", "face_on"]

_COVALENT = {"H": 0.031, "C": 0.076, "N": 0.071, "O": 0.066, "S": 0.105, "P": 0.107, "F": 0.057, "Cl": 0.102}
_CARTOON_FROM = 5  # residues with a CA; shorter chains have no ribbon worth drawing
_BACKBONE = frozenset({"N", "C", "O", "CA", "H", "HA"})


@dataclass(frozen=True)
class Drawing:
    """A structure, or several of one topology, ready to be drawn.

    Attributes
    ----------
    topology : mdtraj.Topology
    positions : ndarray, shape (n_frames, n_atoms, 3)
        Angstrom, centred; every frame superposed on one.
    bonds : ndarray, shape (n_bonds, 2)
    values : ndarray, shape (n_atoms,), or None
    scale : Scale or None
    colours : list of str
        One ``#rrggbb`` per atom.
    cartoon : bool
        Whether a ribbon shows more than the atoms alone.
    secondary : str
        One of ``h``, ``s``, ``c`` per residue.
    """

    topology: Any
    positions: NDArray[np.float32]
    bonds: NDArray[np.int64]
    values: NDArray[np.float64] | None
    scale: Scale | None
    colours: list[str]
    cartoon: bool
    secondary: str

    @property
    def n_atoms(self) -> int:
        """The number of atoms."""
        return int(self.positions.shape[1])

    def describe(self) -> str:
        """Return the picture in words, for those who cannot see it."""
        residues = [residue.name for residue in self.topology.residues]
        names = "-".join(residues[:12]) + ("-..." if len(residues) > 12 else "")
        text = f"Molecule of {self.n_atoms} atoms in {len(residues)} residues ({names})"
        if self.values is None or self.scale is None:
            return text + ", coloured by element."
        low, _, high = self.scale.labels()
        unit = f" {self.scale.unit}" if self.scale.unit else ""
        text += f", coloured by value from {low} (blue) through 0 (grey) to {high}{unit} (orange)."
        sizes = np.nan_to_num(np.abs(self.values))
        if sizes.any():
            strongest = np.argsort(-sizes, kind="stable")[:3]
            shown = ", ".join(f"{self.topology.atom(int(i))} {self.values[i]:+.3g}" for i in strongest if sizes[i])
            text += f" Largest: {shown}."
        return text

    def residue_colours(self) -> list[str]:
        """Return one colour per residue: that of its atom with the largest magnitude, or one plain colour."""
        if self.values is None or self.scale is None:
            return ["#7c9cbf"] * self.topology.n_residues
        sizes = np.nan_to_num(np.abs(self.values))
        strongest = [max((a.index for a in r.atoms), key=lambda i: sizes[i]) for r in self.topology.residues]
        return self.scale.colours(self.values[strongest])


def drawing(
    structures: Any, values: object = None, *, limit: float | None = None, unit: str = "", frame: int = 0
) -> Drawing:
    """Prepare an `mdtraj.Trajectory` (each frame a structure) to be drawn.

    Parameters
    ----------
    structures : mdtraj.Trajectory
    values : array_like, shape (n_atoms,), optional
    limit : float, optional
        The magnitude at both ends of the colour scale; the largest one of `values` if not given.
    unit : str
    frame : int
        The one that bonds and ribbon are derived from and that the others are superposed on.

    Raises
    ------
    DataError
        If there is nothing to draw or `values` does not fit.
    """
    if structures.n_frames == 0 or structures.n_atoms == 0:
        raise DataError(f"nothing to draw: {structures.n_frames} frames of {structures.n_atoms} atoms")
    painted = atom_values(values, structures.n_atoms)
    scale = None if painted is None else Scale(limit, unit) if limit else Scale.of(painted, unit)
    topology = structures.topology
    symbols = [_symbol(atom) for atom in topology.atoms]
    n_alpha = sum(atom.name == "CA" and atom.residue.is_protein for atom in topology.atoms)
    has_oxygen = any(atom.name == "O" for atom in topology.atoms)
    cartoon = n_alpha >= _CARTOON_FROM and has_oxygen
    return Drawing(
        topology=topology,
        positions=_superposed(face_on(structures, frame), frame),
        bonds=_bonds(topology, structures.xyz[frame], symbols),
        values=painted,
        scale=scale,
        colours=element_colours(symbols) if painted is None or scale is None else scale.colours(painted),
        cartoon=cartoon,
        secondary=_secondary(structures[frame]) if cartoon else "c" * topology.n_residues,
    )


def face_on(structures: Any, frame: int = 0) -> Any:
    """Return a copy turned so that one frame shows its two longest axes to the viewer, centred, its first atom left."""
    positions = structures.xyz[frame].astype(float)
    centre = positions.mean(axis=0)
    _, _, axes = np.linalg.svd(positions - centre, full_matrices=False)
    turned = structures[:]
    if len(axes) == 3:
        axes[0] *= -1 if (positions[0] - centre) @ axes[0] > 0 else 1
        axes[2] *= np.sign(np.linalg.det(axes)) or 1.0  # a turn, not a mirror image
        turned.xyz = (structures.xyz - centre) @ axes.T
    return turned


def _symbol(atom: Any) -> str:
    return getattr(atom.element, "symbol", None) or atom.name[:1].upper()


def _superposed(structures: Any, frame: int) -> NDArray[np.float32]:
    """Return positions in Angstrom, every frame fitted on one by its heavy atoms."""
    heavy = [a.index for a in structures.topology.atoms if _symbol(a) != "H"]
    copy = structures[:]
    if copy.n_frames > 1 and len(heavy) >= 3:
        copy = copy.superpose(structures, frame=frame, atom_indices=heavy)
    positions = copy.xyz * 10
    return np.asarray(positions - positions[frame].mean(axis=0), np.float32)


def _bonds(topology: Any, xyz: NDArray[np.floating], symbols: list[str]) -> NDArray[np.int64]:
    """Return the topology's bonds, or where it has none those that the distances show."""
    pairs = [(a.index, b.index) for a, b in topology.bonds]
    if pairs or topology.n_atoms < 2:
        return np.array(pairs, np.int64).reshape(-1, 2)
    from scipy.spatial import cKDTree

    radii = np.array([_COVALENT.get(symbol, 0.12) for symbol in symbols])
    near = cKDTree(xyz).query_pairs(2.5 * radii.max(), output_type="ndarray")
    length = np.linalg.norm(xyz[near[:, 0]] - xyz[near[:, 1]], axis=1)
    return np.asarray(near[length < 1.25 * (radii[near[:, 0]] + radii[near[:, 1]])], np.int64)


def _secondary(structure: Any) -> str:
    import mdtraj

    codes = mdtraj.compute_dssp(structure, simplified=True)[0]
    return "".join({"H": "h", "E": "s"}.get(str(code), "c") for code in codes)

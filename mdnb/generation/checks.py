"""Checks that say of each generated structure whether it is chemically possible."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import mdtraj
import numpy as np

from mdnb.generation.chemistry import Molecule, read_molecule
from mdnb.generation.clash_kernels import count_clashes, lower_squares
from mdnb.generation.equilibrium import strain_ranges
from mdnb.generation.regions import Regions

__all__ = ["CHECKS", "Limits", "check_structures"]

#: All that is checked, in the order of the columns; `Limits.names` are those that a molecule has.
CHECKS = (
    "bonds", "angles", "force field", "peptide bonds", "cis/trans", "planarity", "Ramachandran", "clashes",
    "chirality", "disulphides",
)  # fmt: skip

_TEN = np.radians(10)
_MOST_TWIST = np.radians(60)


@dataclass(frozen=True)
class Limits:
    """What real structures of a molecule look like; measured on training frames by `measure`.

    Attributes
    ----------
    bonds : (n_bonds, 2) int array
    bond_range : (n_bonds, 2) array
        Smallest and largest length in nm, widened by 10%.
    angles : (n_angles, 3) int array
    angle_range : (n_angles, 2) array
        Smallest and largest angle in radian, widened by 10 degrees.
    strain : tuple of (n_bonds, 2) and (n_angles, 2) arrays, or None
        Lengths in nm and angles in radian by which a bond or an angle stores at most 50 kJ/mol in the force field;
        None where OpenMM is not installed or the packaged force field does not know the molecule.
    amides : (n_amides, 4) int array
        The torsion omega of each peptide bond, by its heavy atoms.
    twist : (n_amides,) array
        Largest deviation of omega from the plane, in radian, widened by 10 degrees; at most 60. That of all peptide
        bonds together, which are alike: few frames know it better so.
    cis, trans : (n_amides,) bool arrays
        Whether it was ever cis, and ever trans.
    flat : (n_flat, 4) int array
        Atoms that lie in the plane of their three neighbours, and these.
    flat_volume : (n_flat,) array
        The largest volume that the directions to the neighbours span, widened by 0.15 (0.77 is a tetrahedron).
    stiff : (n_stiff, 4) int array
        Torsions that stay in the plane: of flat rings, and about double bonds.
    stiff_twist : (n_stiff,) array
        Their largest deviation from it, as of the peptide bonds.
    regions : Regions or None
        Where phi and psi of real residues lie.
    pairs : (n_pairs, 2) int array
        Atoms more than three bonds apart.
    nearest : (n_pairs,) array
        A pair nearer than this, in nm, clashes: 90% of the nearest seen, at most what `Molecule.nearest` says.
    centres : (n_centres, 4) int array
        A centre with three or four neighbours, and three of them, heavy ones.
    hands : (n_centres,) array
        Sign of their volume; 0 where training frames have both, or the centre is flat.
    disulphides : (n_disulphides, 2) int array
        Pairs of S that the topology has a bond for, or that are nearer than 0.25 nm in all training frames.
    disulphide_range : (n_disulphides, 2) array
        As `bond_range`.
    """

    bonds: np.ndarray
    bond_range: np.ndarray
    angles: np.ndarray
    angle_range: np.ndarray
    strain: tuple[np.ndarray, np.ndarray] | None
    amides: np.ndarray
    twist: np.ndarray
    cis: np.ndarray
    trans: np.ndarray
    flat: np.ndarray
    flat_volume: np.ndarray
    stiff: np.ndarray
    stiff_twist: np.ndarray
    regions: Regions | None
    pairs: np.ndarray
    nearest: np.ndarray
    centres: np.ndarray
    hands: np.ndarray
    disulphides: np.ndarray
    disulphide_range: np.ndarray

    @classmethod
    def measure(cls, structures: mdtraj.Trajectory, system: Any = None) -> Limits:
        """Measure the limits on real structures.

        Parameters
        ----------
        structures : mdtraj.Trajectory
        system : openmm.System, optional
            The force field that says what a bond and an angle may store; by default that of the packaged data
            (ff96), where OpenMM is installed and the force field knows the molecule.
        """
        molecule = read_molecule(structures.topology)
        lengths = _span(structures, molecule.bonds, mdtraj.compute_distances)
        bends = _span(structures, molecule.angles, mdtraj.compute_angles)
        omega = _torsions(structures, molecule.amides)
        twist, cis = _from_plane(omega), np.abs(omega) < np.pi / 2
        flat, flat_volume = _flat(structures, molecule.threefold)
        stiff, stiff_twist = _stiff(structures, molecule)
        squares = np.full(len(molecule.pairs), np.inf, np.float32)
        lower_squares(structures.xyz, molecule.pairs, squares)
        volumes = _volumes(structures.xyz, molecule.centres)
        handed = (np.abs(np.sign(volumes).mean(0)) == 1) & (np.abs(volumes).mean(0) > 0.4)
        bridges = _span(structures, molecule.sulphurs, mdtraj.compute_distances)
        bridged = (np.arange(len(bridges)) < molecule.n_disulphides) | (bridges[:, 1] < 0.25)
        regions = None
        if molecule.kinds:
            regions = Regions.measure(structures, molecule.backbone, molecule.kinds)
        return cls(
            bonds=molecule.bonds,
            bond_range=lengths * np.array([0.9, 1.1]),
            angles=molecule.angles,
            angle_range=bends + np.array([-_TEN, _TEN]),
            strain=strain_ranges(structures.topology, molecule.bonds, molecule.angles, system),
            amides=molecule.amides,
            twist=np.full(len(molecule.amides), min(twist.max(initial=0) + _TEN, _MOST_TWIST)),
            cis=np.asarray(cis.any(0)),
            trans=np.asarray((~cis).any(0)),
            flat=flat,
            flat_volume=flat_volume,
            stiff=stiff,
            stiff_twist=stiff_twist,
            regions=regions,
            pairs=molecule.pairs,
            nearest=np.minimum(0.9 * np.sqrt(squares), molecule.nearest),
            centres=molecule.centres,
            hands=np.where(handed, np.sign(volumes[0]), 0),
            disulphides=molecule.sulphurs[bridged],
            disulphide_range=bridges[bridged] * np.array([0.9, 1.1]),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The checks that this molecule has, in the order of `CHECKS`."""
        has = {
            "bonds": len(self.bonds),
            "angles": len(self.angles),
            "force field": self.strain is not None and len(self.bonds),
            "peptide bonds": len(self.amides),
            "cis/trans": len(self.amides),
            "planarity": len(self.flat) + len(self.stiff),
            "Ramachandran": self.regions is not None,
            "clashes": True,
            "chirality": self.hands.any(),
            "disulphides": len(self.disulphides),
        }
        return tuple(name for name in CHECKS if has[name])

    def clashes(self, structures: mdtraj.Trajectory) -> np.ndarray:
        """Return how many pairs of atoms of each structure clash, (n_structures,)."""
        return np.asarray(count_clashes(structures.xyz, self.pairs, (self.nearest**2).astype(np.float32)))


def check_structures(structures: mdtraj.Trajectory, limits: Limits) -> dict[str, np.ndarray]:
    """Return for each check whether each structure passes, (n_structures,) booleans.

    Parameters
    ----------
    structures : mdtraj.Trajectory
        Atoms that coincide, or whose positions are not numbers, fail.
    limits : Limits

    Returns
    -------
    dict
        By the names of `Limits.names`: what a molecule does not have is not checked.
    """
    passed: dict[str, list[np.ndarray]] = {name: [] for name in limits.names}
    for part in _parts(structures):
        found = _check_part(part, limits)
        for name, values in passed.items():
            values.append(found[name])
    return {name: np.concatenate(values) for name, values in passed.items()}


def _check_part(part: mdtraj.Trajectory, limits: Limits) -> dict[str, np.ndarray]:
    lengths = _measured(part, limits.bonds, mdtraj.compute_distances)
    angles = _measured(part, limits.angles, mdtraj.compute_angles)
    omega = _torsions(part, limits.amides)
    cis = np.abs(omega) < np.pi / 2
    hands = np.sign(_volumes(part.xyz, limits.centres))
    flat = np.abs(_volumes(part.xyz, limits.flat)) <= limits.flat_volume
    stiff = _from_plane(_torsions(part, limits.stiff)) <= limits.stiff_twist
    bridges = _measured(part, limits.disulphides, mdtraj.compute_distances)
    found = {
        "bonds": _inside(lengths, limits.bond_range),
        "angles": _inside(angles, limits.angle_range),
        "peptide bonds": (_from_plane(omega) <= limits.twist).all(1),
        "cis/trans": np.where(cis, limits.cis, limits.trans).all(1),
        "planarity": flat.all(1) & stiff.all(1),
        "clashes": limits.clashes(part) == 0,
        "chirality": ((limits.hands == 0) | (hands == limits.hands)).all(1),
        "disulphides": _inside(bridges, limits.disulphide_range),
    }
    if limits.strain is not None:
        found["force field"] = _inside(lengths, limits.strain[0]) & _inside(angles, limits.strain[1])
    if limits.regions is not None:
        found["Ramachandran"] = limits.regions.passed(part)
    return found


def _measured(structures: mdtraj.Trajectory, atoms: np.ndarray, compute: Callable[..., Any]) -> np.ndarray:
    """Return distances or angles, (n_frames, n); of none too."""
    if not len(atoms):
        return np.zeros((structures.n_frames, 0), np.float32)
    return np.asarray(compute(structures, atoms, periodic=False))


def _span(structures: mdtraj.Trajectory, atoms: np.ndarray, compute: Callable[..., Any]) -> np.ndarray:
    """Return the smallest and the largest of each over all frames, (n, 2)."""
    parts = [_measured(part, atoms, compute) for part in _parts(structures)]
    least = np.min([part.min(0) for part in parts], axis=0)
    return np.stack([least, np.max([part.max(0) for part in parts], axis=0)], axis=1)


def _inside(values: np.ndarray, limits: np.ndarray) -> np.ndarray:
    return np.asarray(((values >= limits[:, 0]) & (values <= limits[:, 1])).all(1))


def _torsions(structures: mdtraj.Trajectory, atoms: np.ndarray) -> np.ndarray:
    """Return torsions in radian, (n_frames, n)."""
    return _measured(structures, atoms, mdtraj.compute_dihedrals)


def _from_plane(torsions: np.ndarray) -> np.ndarray:
    """Return how far torsions are from 0 or 180 degrees, in radian."""
    return np.minimum(np.abs(torsions), np.pi - np.abs(torsions))


def _flat(structures: mdtraj.Trajectory, threefold: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return those of the atoms with three neighbours that are flat in real structures, and their largest volume."""
    volumes = _volumes(structures.xyz, threefold)
    flat = np.sqrt((volumes**2).mean(0)) < 0.35
    return threefold[flat], np.minimum(np.abs(volumes[:, flat]).max(0) + 0.15, 0.7)


def _stiff(structures: mdtraj.Trajectory, molecule: Molecule) -> tuple[np.ndarray, np.ndarray]:
    """Return the torsions of rings and about bonds that stay in the plane in real structures, and by how much."""
    twist = _from_plane(_torsions(structures, molecule.ring_torsions))
    spread = np.sqrt((twist**2).mean(0))
    in_flat_ring = np.array([spread[molecule.rings == ring].max() < np.radians(15) for ring in molecule.rings], bool)
    about = _from_plane(_torsions(structures, molecule.double))
    kept = about.max(0) < _MOST_TWIST
    stiff = np.concatenate([molecule.ring_torsions[in_flat_ring], molecule.double[kept]])
    largest = np.concatenate([twist[:, in_flat_ring].max(0), about[:, kept].max(0)])
    return stiff, np.minimum(largest + _TEN, _MOST_TWIST)


def _volumes(positions: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return the signed volume that the directions to the three neighbours span, (n_frames, n_centres).

    It is 0 for a flat centre and 0.77 for a tetrahedral one, and not a number where atoms coincide.
    """
    arms = positions[:, centres[:, 1:]] - positions[:, centres[:, :1]]
    with np.errstate(invalid="ignore", divide="ignore"):
        arms = arms / np.linalg.norm(arms, axis=-1, keepdims=True)
        return np.asarray(np.einsum("fci,fci->fc", arms[:, :, 0], np.cross(arms[:, :, 1], arms[:, :, 2])))


def _parts(structures: mdtraj.Trajectory, size: int = 2000) -> Iterator[mdtraj.Trajectory]:
    for start in range(0, structures.n_frames, size):
        yield structures[start : start + size]

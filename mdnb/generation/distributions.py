"""Distributions: what generated and real structures are like, quantity by quantity, and how far apart that is."""

from __future__ import annotations

from dataclasses import dataclass, field

import mdtraj
import numpy as np
from scipy.spatial.distance import jensenshannon

from mdnb.generation.coordinates import radii_of_gyration
from mdnb.generation.same_atoms import same_atoms

__all__ = ["Distribution", "Neighbours", "beside", "distributions"]

_BINS = 50


@dataclass(frozen=True)
class Distribution:
    """One quantity of real and of generated structures.

    Attributes
    ----------
    name : str
    unit : str
    reference, generated : (n,) arrays
    distance : float
        Jensen-Shannon distance (scipy's, base e) of the two histograms: 0 for equal ones, 0.83 where they do not
        overlap. Lin, IEEE Trans. Inf. Theory 37, 145 (1991), https://doi.org/10.1109/18.61115
    floor : float
        That of the second half of the reference to as many structures of its first half as were generated: no model
        can be expected to come nearer.
    """

    name: str
    unit: str
    reference: np.ndarray = field(repr=False)
    generated: np.ndarray = field(repr=False)
    distance: float
    floor: float

    def histograms(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the edges of the bins and both densities, (n_bins + 1,) and twice (n_bins,)."""
        n = min(len(self.reference), len(self.generated))
        edges = _edges(self.reference, self.generated, int(np.clip(2 * n ** (1 / 3), 8, _BINS)))
        both = [np.histogram(values, edges, density=True)[0] for values in (self.reference, self.generated)]
        return edges, both[0], both[1]


def distributions(generated: mdtraj.Trajectory, reference: mdtraj.Trajectory) -> tuple[Distribution, ...]:
    """Return the radius of gyration by mass, the distance between the ends, and each backbone torsion, of both.

    Parameters
    ----------
    generated : mdtraj.Trajectory
        Of a molecule, or of the atoms of it that a run rebuilds.
    reference : mdtraj.Trajectory
        Of the molecule, in order of time; of it the same atoms are measured.

    Raises
    ------
    DataError
        When they are of different molecules.
    """
    real, made = _quantities(same_atoms(reference, generated.topology)), _quantities(generated)
    result = []
    for (name, unit), values in real.items():
        own = made[name, unit]
        half = len(values) // 2
        chosen = np.linspace(0, half - 1, min(len(own), half)).astype(int)
        floor = _distance(values[:half][chosen], values[half:]) if half else float("nan")
        result.append(Distribution(name, unit, values, own, _distance(values, own), floor))
    return tuple(result)


class Neighbours:
    """Finds the real structure that is most like another one of the same molecule.

    Parameters
    ----------
    reference : mdtraj.Trajectory
        Real structures.
    """

    def __init__(self, reference: mdtraj.Trajectory) -> None:
        atoms = [a.index for a in reference.topology.atoms if a.element is None or a.element.symbol != "H"]
        self._heavy = np.array(atoms or range(reference.n_atoms))
        self._reference = reference.atom_slice(self._heavy)
        self._reference.center_coordinates()

    def of(self, structure: mdtraj.Trajectory) -> tuple[int, float]:
        """Return the frame of the reference that is most like a structure, and its RMSD of heavy atoms in nm."""
        own = structure.atom_slice(self._heavy)
        own.center_coordinates()
        distances = mdtraj.rmsd(self._reference, own, 0, precentered=True)
        best = int(np.argmin(distances))
        return best, float(distances[best])


def beside(real: mdtraj.Trajectory, made: mdtraj.Trajectory, gap: float = 0.5) -> mdtraj.Trajectory:
    """Return two structures of one molecule as one: the real one left, the generated one right, turned alike.

    Parameters
    ----------
    real, made : mdtraj.Trajectory
        Of one frame each.
    gap : float
        Between them, in nm.
    """
    left = _lying(real)
    right = made[:].superpose(left)
    shift = float(left.xyz[0, :, 0].max() - right.xyz[0, :, 0].min()) + gap
    positions = np.concatenate([left.xyz, right.xyz + np.array([shift, 0, 0], np.float32)], axis=1)
    return mdtraj.Trajectory(positions, left.topology.join(right.topology))


def _lying(structure: mdtraj.Trajectory) -> mdtraj.Trajectory:
    """Return a structure turned so that its longest axis is upright, y; both then fit beside each other."""
    positions = structure.xyz[0].astype(float)
    centred = positions - positions.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    turn = axes[[1, 0, 2]] if len(axes) == 3 else np.eye(3)
    turn[2] *= np.sign(np.linalg.det(turn)) or 1.0
    return mdtraj.Trajectory((centred @ turn.T)[None].astype(np.float32), structure.topology)


def _quantities(structures: mdtraj.Trajectory) -> dict[tuple[str, str], np.ndarray]:
    topology = structures.topology
    masses = np.array([1.0 if atom.element is None else atom.element.mass for atom in topology.atoms])
    found = {("radius of gyration", "nm"): radii_of_gyration(structures.xyz, masses)}
    ends = [atom.index for atom in topology.atoms if atom.name == "CA"]
    if len(ends) < 2:
        ends = [atom.index for atom in topology.atoms if atom.element is None or atom.element.symbol != "H"]
    if len(ends) > 1:
        pair = f"{topology.atom(ends[0])} to {topology.atom(ends[-1])}"
        found[f"distance {pair}", "nm"] = mdtraj.compute_distances(structures, [(ends[0], ends[-1])], periodic=False)[
            :, 0
        ]
    for kind, compute in (("phi", mdtraj.compute_phi), ("psi", mdtraj.compute_psi)):
        atoms, angles = compute(structures, periodic=False)
        for column, row in enumerate(atoms):
            residue = topology.atom(int(row[2 if kind == "phi" else 1])).residue
            found[f"{kind} {residue}", "degrees"] = np.degrees(angles[:, column])
    return found


def _edges(first: np.ndarray, second: np.ndarray, bins: int = _BINS) -> np.ndarray:
    both = np.concatenate([first, second])
    low, high = float(both.min()), float(both.max())
    return np.linspace(low, high if high > low else low + 1e-6, bins + 1)


def _distance(first: np.ndarray, second: np.ndarray) -> float:
    edges = _edges(first, second)
    return float(jensenshannon(np.histogram(first, edges)[0], np.histogram(second, edges)[0]))

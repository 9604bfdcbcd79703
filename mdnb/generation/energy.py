"""energies: the potential energy of structures, before and after a short minimization with OpenMM."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mdtraj
import numpy as np

from mdnb.errors import DataError, SpecError
from mdnb.generation.checks import Limits
from mdnb.generation.chemistry import read_molecule
from mdnb.generation.clash_kernels import count_clashes
from mdnb.generation.equilibrium import packaged_system
from mdnb.progress import progress_bar
from mdnb.sources.recipes import FORCE_FIELD, import_openmm
from mdnb.trajectories import Trajectories

if TYPE_CHECKING:
    from mdnb.generation.generated import Generated

__all__ = ["Energies", "energies"]

_SMALL = 60  # atoms; below, OpenMM's Reference platform is the faster one


@dataclass(frozen=True)
class Energies:
    """Potential energies of structures in kJ/mol, before and after a short minimization.

    Attributes
    ----------
    before : (n_structures,) array
        As drawn; not a number or infinite where atoms coincide or positions are not numbers.
    after : (n_structures,) array
        Minimized; not a number where that was not possible, equal to `before` where ``iterations`` is 0.
    moved : (n_structures,) array
        How far the atoms went, as the root mean square over all atoms after superposition, in nm; not a number
        where `after` is none.
    clashes : (n_structures,) int array
        Pairs of atoms that clash after the minimization.
    minimized : mdtraj.Trajectory
        The structures after it.
    force_field : str
    platform : str
        Of OpenMM.
    iterations : int
        Most iterations of the minimization.
    notes : tuple of str
    """

    before: np.ndarray
    after: np.ndarray
    moved: np.ndarray
    clashes: np.ndarray
    minimized: mdtraj.Trajectory
    force_field: str
    platform: str
    iterations: int
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.before)

    def only(self, rows: np.ndarray) -> Energies:
        """Return those of some structures, by their numbers."""
        return Energies(
            self.before[rows], self.after[rows], self.moved[rows], self.clashes[rows], self.minimized[rows],
            self.force_field, self.platform, self.iterations, self.notes,
        )  # fmt: skip

    def __repr__(self) -> str:
        lines = [
            f"Energies: {len(self)} structures in {self.force_field} ({self.platform} platform)",
            f"  as drawn {_spread(self.before)}",
        ]
        if self.iterations:
            moved = self.moved[np.isfinite(self.moved)]
            words = f"atoms moved by {np.median(moved):.3f} nm (median); " if len(moved) else ""
            lines += [
                f"  after at most {self.iterations} iterations of minimization {_spread(self.after)}",
                f"  {words}{(self.clashes == 0).mean():.1%} are free of clashes",
            ]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def _spread(values: np.ndarray) -> str:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return "none is a number"
    low, middle, high = np.percentile(finite, [5, 50, 95])
    return f"{middle:.1f} kJ/mol (median; 90% between {low:.1f} and {high:.1f})"


def energies(
    structures: mdtraj.Trajectory | Trajectories | Generated,
    *,
    system: Any = None,
    iterations: int = 100,
    tolerance: float = 10.0,
    limits: Limits | None = None,
    platform: str | None = None,
) -> Energies:
    """Return the potential energy of each structure, before and after a short minimization.

    One system is built for all. Nothing is drawn at random, and the sums are done in one thread, so that the
    same structures get the same energies again.

    Parameters
    ----------
    structures : mdtraj.Trajectory, Trajectories or Generated
        With all hydrogens, as the force field knows the molecule.
    system : openmm.System or path of its XML, optional
        By default ff96 with the OBC solvent, the force field of the packaged data, without constraints.
    iterations : int
        Most iterations of the minimization (L-BFGS); 0 for none.
    tolerance : float
        It ends when the root mean square force is below, in kJ/mol/nm.
    limits : Limits, optional
        Which distances are clashes. By default those below 75% of the sum of the van der Waals radii, and hydrogen
        bonds below 0.14 nm.
    platform : str, optional
        Of OpenMM; by default ``Reference`` up to 60 atoms and ``CPU`` above.

    Returns
    -------
    Energies

    Raises
    ------
    MissingDependencyError
        When OpenMM is not installed.
    DataError
        When the force field does not know the molecule, or the system is of other atoms.
    SpecError
        For iterations below 0, a tolerance that is not above 0, or an unknown platform.

    References
    ----------
    OpenMM: Eastman et al., J. Phys. Chem. B 128, 109 (2024), https://doi.org/10.1021/acs.jpcb.3c06662.
    L-BFGS: Liu, Nocedal, Math. Program. 45, 503 (1989), https://doi.org/10.1007/BF01589116.
    """
    openmm = import_openmm("mdnb.energies")
    real = _structures(structures)
    if isinstance(iterations, bool) or not isinstance(iterations, int | np.integer) or iterations < 0:
        raise SpecError(f"iterations = {iterations!r}: expected a whole number of at least 0")
    if not tolerance > 0:
        raise SpecError(f"tolerance = {tolerance!r}: expected kJ/mol/nm above 0")
    model, force_field = _system(openmm, system, real.topology)
    name = platform or ("Reference" if real.n_atoms <= _SMALL else "CPU")
    known = [openmm.Platform.getPlatform(k).getName() for k in range(openmm.Platform.getNumPlatforms())]
    if name not in known:
        raise SpecError(f"platform = {name!r}: this OpenMM has {', '.join(known)}")
    options = {"Threads": "1", "DeterministicForces": "true"} if name == "CPU" else {}
    context = openmm.Context(
        model, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName(name), options
    )  # fmt: skip
    before, after = np.full((2, real.n_frames), np.nan)
    xyz = real.xyz.copy()
    with progress_bar(total=real.n_frames, description="energies", unit="structure") as bar:
        for row, positions in enumerate(real.xyz):
            box = None if real.unitcell_vectors is None else real.unitcell_vectors[row]
            before[row], after[row], xyz[row] = _relax(openmm, context, positions, box, int(iterations), tolerance)
            bar.update()
    minimized = mdtraj.Trajectory(xyz, real.topology)
    notes = []
    if (lost := int((~np.isfinite(before)).sum())) > 0:
        notes.append(f"{lost} structures have no finite energy as drawn")
    if (lost := int(np.isnan(after).sum())) > 0:
        notes.append(f"{lost} structures could not be minimized")
    return Energies(
        before=before,
        after=after,
        moved=np.where(np.isfinite(after), _moved(real.xyz, xyz), np.nan),
        clashes=limits.clashes(minimized) if limits is not None else _clashes(minimized),
        minimized=minimized,
        force_field=force_field,
        platform=name,
        iterations=int(iterations),
        notes=tuple(notes),
    )


def _structures(structures: Any) -> mdtraj.Trajectory:
    if isinstance(structures, Trajectories):
        return structures.frames(np.arange(structures.n_frames))
    found = getattr(structures, "structures", structures)  # of a Generated, which knows its Energies
    if not isinstance(found, mdtraj.Trajectory):
        raise DataError(
            f"got {type(structures).__name__!r}, expected Trajectories, an mdtraj.Trajectory or what mdnb.generate "
            "returns"
        )
    return found


def _system(openmm: Any, system: Any, topology: mdtraj.Topology) -> tuple[Any, str]:
    """Return the system and the words for it."""
    if system is None:
        try:
            return packaged_system(topology), " + ".join(name.removesuffix(".xml") for name in FORCE_FIELD)
        except ValueError as error:
            reason = " ".join(str(error).split())
            raise DataError(
                f"the packaged force field does not know this molecule ({reason}); give structures with all their "
                "hydrogens, or a system= of your own (an openmm.System, or the path of its XML)"
            ) from error
    words = "the given system"
    if isinstance(system, str | os.PathLike):
        path = Path(system)
        if not path.is_file():
            raise DataError(f"there is no file {str(path)!r}; give the XML that openmm.XmlSerializer wrote")
        try:
            system = openmm.XmlSerializer.deserialize(path.read_text(encoding="utf-8"))
        except (openmm.OpenMMException, ValueError) as error:
            raise DataError(f"{path.name} is no system that OpenMM reads: {error}") from error
        words = f"the system of {path.name}"
    if not isinstance(system, openmm.System):
        raise DataError(f"got {type(system).__name__!r} as the system, expected an openmm.System or a path of its XML")
    if system.getNumParticles() != topology.n_atoms:
        raise DataError(f"the system has {system.getNumParticles()} particles, the structures {topology.n_atoms} atoms")
    return system, words


def _relax(
    openmm: Any, context: Any, positions: np.ndarray, box: np.ndarray | None, iterations: int, tolerance: float
) -> tuple[float, float, np.ndarray]:
    """Return the energies before and after, and the positions after; as they came where it is not possible."""
    if not np.isfinite(positions).all():
        return np.nan, np.nan, positions
    if box is not None:
        context.setPeriodicBoxVectors(*(openmm.Vec3(*map(float, row)) for row in box))
    try:
        context.setPositions(positions.astype(float))
        before = float(context.getState(getEnergy=True).getPotentialEnergy()._value)
    except openmm.OpenMMException:  # such as "Energy is NaN" where atoms coincide
        return np.nan, np.nan, positions
    if not iterations:
        return before, before, positions
    try:
        openmm.LocalEnergyMinimizer.minimize(context, tolerance, iterations)
        state = context.getState(getEnergy=True, getPositions=True)
    except openmm.OpenMMException:
        return before, np.nan, positions
    after = float(state.getPotentialEnergy()._value)
    moved = state.getPositions(asNumpy=True)._value
    if not np.isfinite(after) or not np.isfinite(moved).all():
        return before, np.nan, positions
    return before, after, np.asarray(moved, np.float32)


def _clashes(structures: mdtraj.Trajectory) -> np.ndarray:
    molecule = read_molecule(structures.topology)
    return np.asarray(count_clashes(structures.xyz, molecule.pairs, (molecule.nearest**2).astype(np.float32)))


def _moved(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return the smallest root mean square distance of all atoms over rotations, (n,) in nm (Kabsch)."""
    a, b = (xyz - xyz.mean(1, keepdims=True) for xyz in (before.astype(float), after.astype(float)))
    finite = np.isfinite(a).all((1, 2)) & np.isfinite(b).all((1, 2))
    a, b = a[finite], b[finite]
    covariance = np.einsum("nai,naj->nij", a, b)
    values = np.linalg.svd(covariance, compute_uv=False)
    values[:, 2] *= np.where(np.linalg.det(covariance) < 0, -1, 1)
    square = ((a**2).sum((1, 2)) + (b**2).sum((1, 2)) - 2 * values.sum(1)) / before.shape[1]
    moved = np.full(len(before), np.nan)
    moved[finite] = np.sqrt(np.maximum(square, 0))
    return moved

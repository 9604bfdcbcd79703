"""Forces and energies of the packaged data, recomputed with OpenMM from the recipe."""

import numpy as np
import pytest

from mdnb.sources.recipes import create_system


@pytest.fixture(scope="module")
def context(packaged):
    """An OpenMM context of the recipe's system, in double precision, and the frames to try."""
    openmm = pytest.importorskip("openmm", reason="openmm recomputes the forces; pip install 'mdnb[simulate]'")
    app = pytest.importorskip("openmm.app", reason="openmm recomputes the forces; pip install 'mdnb[simulate]'")
    pdb = app.PDBFile(str(packaged.folder / f"{packaged.name}.pdb"))
    system = create_system(packaged.name, pdb.topology)
    masses = [system.getParticleMass(i)._value for i in range(system.getNumParticles())]
    assert np.allclose(masses, packaged.masses)
    assert system.getNumConstraints() == packaged.record["n_constraints"]
    made = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    n_frames = len(packaged.replicas[0]["chunk"].positions)
    frames = np.linspace(0, n_frames - 1, 6 if len(masses) < 50 else 2, dtype=int)
    return made, frames


def energy_and_forces(context, positions):
    context.setPositions(positions)
    state = context.getState(energy=True, forces=True)
    return state.getPotentialEnergy()._value, np.array(state.getForces(asNumpy=True)._value)


def test_forces_are_those_of_the_force_field(packaged, context):
    """Within the rounding: 1 kJ/mol/nm of the forces, and 1e-5 nm of the positions times stiff bonds.

    A bond of 500,000 kJ/mol/nm^2 turns 0.5e-5 nm of each end into about 5 kJ/mol/nm. Measured: root mean
    square 1.5, largest 8 kJ/mol/nm, where forces are about 850; energies to 0.05 (alanine dipeptide) and
    0.22 kJ/mol (chignolin, simulated in single precision).
    """
    made, frames = context
    for replica in packaged.replicas[:: 1 if len(packaged.masses) < 50 else 4]:
        for frame in frames:
            positions = replica["chunk"].positions[frame].astype(np.float64)
            energy, forces = energy_and_forces(made, positions)
            difference = forces - replica["chunk"].forces[frame]
            assert np.sqrt((difference**2).mean()) < 2.5
            assert np.abs(difference).max() < 15.0
            assert np.sqrt((forces**2).mean()) > 300
            assert abs(energy - replica["potential"][frame]) < 0.5


def test_forces_are_the_gradient_of_the_energy(packaged, context):
    """Along random directions, by central differences, against the packaged forces; measured: to 3 kJ/mol/nm."""
    made, frames = context
    random = np.random.default_rng(0)
    for replica in packaged.replicas[:: 4 if len(packaged.masses) < 50 else 6]:
        for frame in frames[:2]:
            chunk = replica["chunk"]
            positions, forces = chunk.positions[frame].astype(np.float64), chunk.forces[frame].astype(np.float64)
            direction = random.normal(size=positions.shape)
            direction /= np.linalg.norm(direction)
            step = 1e-4
            above, below = (energy_and_forces(made, positions + sign * step * direction)[0] for sign in (1, -1))
            slope = -(above - below) / (2 * step)
            assert slope == pytest.approx((forces * direction).sum(), abs=6)

"""generate: new structures from a trained VAE or GAN."""

from __future__ import annotations

from typing import Any

import mdtraj
import numpy as np
import torch
from torch import Tensor

from mdnb.errors import DataError, SpecError
from mdnb.features.base import Features
from mdnb.features.invertible import Invertible, restore
from mdnb.formats.topology_json import topology_from_json
from mdnb.generation.asked import read_condition
from mdnb.generation.checks import Limits, check_structures
from mdnb.generation.clean_up import clean_up as cleaned
from mdnb.generation.clean_up import displacement
from mdnb.generation.generated import Generated
from mdnb.generation.origin import Origin
from mdnb.models.gan import GANModel
from mdnb.models.vae import VAEModel
from mdnb.runs import Run
from mdnb.trajectories import Trajectories

__all__ = ["generate", "rebuilt_atoms", "require_structures", "structures_of"]


def generate(
    run: Run,
    n: int = 1000,
    condition: Any = None,
    *,
    seed: int = 0,
    reference: Trajectories | Features | None = None,
    clean_up: bool | None = None,
) -> Generated:
    """Draw new structures from a trained VAE or GAN and check each of them.

    Parameters
    ----------
    run : Run
        Trained on ``internal-coordinates``, from which all atoms are rebuilt exactly, on ``positions`` (the
        selected atoms), or for large proteins on ``backbone`` (N, CA, C, O and CB).
    n : int
        Number of structures.
    condition : number, class name, (n,) array or dict, optional
        Of a run that was trained with a target: what the structures shall be, in the target's unit, such as
        ``0.45`` or ``{"radius_of_gyration": 0.45}``. By default as often as it was in training.
    seed : int
    reference : Trajectories or Features, optional
        Real structures that say what bonds, angles and contacts the checks allow. By default the training
        frames that the run keeps, up to 1,000; more frames know the limits better.
    clean_up : bool, optional
        Whether structures that fail are moved, by small steps, to where the checks allow them to be, without a
        force field; what the checks said before is kept as ``checks_before``. By default not for
        ``internal-coordinates``, and for the others.

    Returns
    -------
    Generated

    Raises
    ------
    SpecError
        For a family that generates nothing, n below 1, or a condition that the run does not know.
    DataError
        When structures cannot be rebuilt from the features of the run.
    """
    if not isinstance(run, Run):
        raise DataError(f"got {type(run).__name__!r} as a run, expected what mdnb.fit or mdnb.Run.load returns")
    model = run.model
    if not isinstance(model, VAEModel | GANModel):
        raise SpecError(f"a {run.family} generates nothing; train mdnb.VAE() or mdnb.GAN()")
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise SpecError(f"n = {n!r}: expected the number of structures, a whole number of at least 1")
    require_structures(run, reference)
    generator = torch.Generator().manual_seed(seed)
    wanted, notes = read_condition(run, condition, int(n))
    return structures_of(run, model.sample(int(n), generator, wanted), wanted, seed, reference, notes, clean_up)


def require_structures(run: Run, reference: Trajectories | Features | None) -> None:
    """Refuse a run from whose frames no structures can be made, or what is no reference.

    Raises
    ------
    DataError
        When it is one.
    """
    if reference is not None and not isinstance(reference, Trajectories | Features):
        raise DataError(f"got {type(reference).__name__!r} as the reference, expected Trajectories or Features")
    _featurizer(run)
    run.require_finished()


def rebuilt_atoms(run: Run) -> np.ndarray:
    """Return which atoms of the molecule the structures of a run have, (n_rebuilt,).

    Raises
    ------
    DataError
        When structures cannot be rebuilt from the features of the run.
    """
    return _featurizer(run).atoms


def _featurizer(run: Run) -> Invertible:
    return restore(run.featurizers, run.columns, topology_from_json(run.topology), run.reference)


def structures_of(
    run: Run,
    scaled: Tensor,
    wanted: Tensor | None = None,
    seed: int = 0,
    reference: Trajectories | Features | None = None,
    notes: tuple[str, ...] = (),
    clean_up: bool | None = None,
) -> Generated:
    """Return the structures of scaled frames, as a model makes them, with their checks.

    Parameters
    ----------
    run : Run
        As `require_structures` wants it.
    scaled : (n, *shape) Tensor
    wanted : (n,) Tensor, optional
        What each was asked to be, as `read_condition` returns it.
    seed, reference, clean_up
        As for `generate`.
    notes : tuple of str

    Raises
    ------
    DataError
        When the reference is of another molecule.
    """
    whole = topology_from_json(run.topology)
    featurizer = _featurizer(run)
    atoms = featurizer.atoms
    topology = whole if len(atoms) == whole.n_atoms else whole.subset(atoms)
    values = run.scaler.inverse(scaled.numpy())
    structures = mdtraj.Trajectory(featurizer.rebuild(values).astype(np.float32), topology)
    structures.superpose(mdtraj.Trajectory(run.reference[None, atoms], topology))
    if reference is None:
        real = mdtraj.Trajectory(featurizer.rebuild(run.examples).astype(np.float32), topology)
    else:
        source = reference.source if isinstance(reference, Features) else reference
        if [atom.name for atom in source.topology.atoms] != [atom.name for atom in whole.atoms]:
            raise DataError(
                f"the reference has {source.n_atoms} atoms, the {run.family} was trained on a molecule of "
                f"{whole.n_atoms}; give the training trajectories"
            )
        stride = max(1, source.n_frames // 5000)
        frames = source.frames(slice(None, None, stride))
        real = frames if len(atoms) == whole.n_atoms else frames.atom_slice(atoms)
    limits = Limits.measure(real)
    checks, before = check_structures(structures, limits), None
    if clean_up or (clean_up is None and not featurizer.exact):
        moved = cleaned(structures, limits)
        far = displacement(structures, moved)
        structures, before, checks = moved, checks, check_structures(moved, limits)
        if far.any():
            notes += (
                f"clean-up moved {(far > 0).mean():.1%} of the structures, by {np.median(far[far > 0]):.2g} nm RMSD in "
                "the median",
            )
    requested = None
    if wanted is not None and run.target is not None:
        requested = wanted.numpy() if run.target.classes else wanted.numpy() * run.target.scale + run.target.mean
    return Generated(structures, checks, run.family, seed, requested, notes, Origin.of(run), checks_before=before)

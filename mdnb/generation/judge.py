"""judge: generated ensembles against held-out molecular dynamics, figure by figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import mdtraj
import numpy as np

from mdnb.errors import DataError, SpecError
from mdnb.generation.case import Case
from mdnb.generation.ensemble import Ensemble, piece_rows
from mdnb.generation.generated import Generated
from mdnb.generation.histogram_rows import histogram_rows, population_rows
from mdnb.generation.judgement import Judgement
from mdnb.generation.mixture import pca_mixture
from mdnb.generation.sample_rows import check_rows, energy_rows, neighbour_rows, novelty_rows
from mdnb.generation.space import Space
from mdnb.trajectories import Trajectories

__all__ = ["judge"]

_TRAINING, _MIXTURE = "training MD", "PCA mixture"

Structures: TypeAlias = Generated | mdtraj.Trajectory | Trajectories
Energies: TypeAlias = Mapping[str, Any] | Callable[[mdtraj.Trajectory], Any]


def judge(
    sets: Mapping[str, Structures] | Structures,
    reference: Any,
    train: Any = None,
    *,
    energies: Energies | None = None,
    lag_time: float | None = None,
    n_states: int | None = None,
    baselines: bool = True,
    md_length: float | Sequence[float] | None = None,
    n_draws: int = 100,
    max_frames: int = 50_000,
    seed: int = 0,
) -> Judgement:
    """Compare generated ensembles with held-out molecular dynamics, with intervals, floors and baselines.

    Jensen-Shannon (JS) distances are scipy's, to the base e (0.83 where nothing overlaps), of histograms as MDGen and
    JAMUN define them: 100 bins for a torsion, 50 x 50 for phi and psi of a residue, 100 and 50 x 50 for TICA-0 and
    TICA-0,1. Every figure is the mean over torsions, residues or distances. What a molecule does not have is left
    out, and said in the notes.

    Below the memorization line lie structures that are nearer to a training frame than all but 5% of real frames are.
    Of new structures 5% are expected there, so that half of all good generators show more: only a row that is
    `worse`, with all of its interval above 5%, speaks of copies. See `mdnb.generation.novelty.NoveltyJudge`.

    Parameters
    ----------
    sets : mapping of Generated, mdtraj.Trajectory or Trajectories by name
        Structures of a `Generated` or an `mdtraj.Trajectory` are independent of each other; `Trajectories` are drawn
        in blocks for the intervals.
    reference : Trajectories, mdtraj.Trajectory, or list of them (one for each replica)
        Molecular dynamics that no model has seen. Where some of the sets have only some of the molecule's atoms, all
        are judged by these.
    train : the same, optional
        What the models were trained on: for the floor, novelty, the checks and the baselines.
    energies : mapping of (n,) arrays by the names of the sets, "reference" and "train", or function, optional
        Potential energies in kJ/mol; the function takes an `mdtraj.Trajectory`, such as
        ``lambda one: mdnb.energies(one, iterations=0)``.
    lag_time : float, optional
        Of TICA in ps; see `mdnb.generation.space.Space`.
    n_states : int, optional
        Metastable states (10 in MDGen's and JAMUN's tables); by default as many as there are slow processes.
    baselines : bool
        Also judge as many frames of the training MD, and the mixture of 20 Gaussians on principal components.
    md_length : float or sequence of float, optional
        So much MD, in ps (frames where the time step is not known), would have cost as much as the structures; the
        first piece of the training MD of that length is judged beside them. See `mdnb.md_piece` for others.
    n_draws : int
        Bootstrap draws.
    max_frames : int
        More frames of reference, training or a set are thinned evenly.
    seed : int

    Returns
    -------
    Judgement

    Raises
    ------
    DataError
        When the structures are of different molecules, or not structures.
    SpecError
        For a setting that cannot be.

    References
    ----------
    JS: Lin, IEEE Trans. Inf. Theory 37, 145 (1991), https://doi.org/10.1109/18.61115; MDGen: Jing et al. (2024),
    https://doi.org/10.48550/arXiv.2409.17808; JAMUN: Daigavane et al. (2024),
    https://doi.org/10.48550/arXiv.2410.14621; sliced Wasserstein: Bonneel et al., J. Math. Imaging Vis. 51, 22 (2015),
    https://doi.org/10.1007/s10851-014-0506-3; mode collapse by clusters: Richardson, Weiss, NeurIPS 31 (2018),
    https://doi.org/10.48550/arXiv.1805.12462
    """
    for name, number, least in (("n_draws", n_draws, 10), ("max_frames", max_frames, 100), ("n_states", n_states, 2)):
        if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < least):
            raise SpecError(f"{name} = {number!r}: expected a whole number of at least {least}")
    if not isinstance(sets, Mapping):
        sets = {sets.family if isinstance(sets, Generated) else "generated": sets}
    if not sets:
        raise DataError("there are no structures to judge; give sets = {'VAE': mdnb.generate(run, 10_000)}")
    taken = {"held-out MD", "reference", "train", *([_TRAINING, _MIXTURE] if baselines else [])} & set(sets)
    if taken:
        raise SpecError(f"a set of structures is named {sorted(taken)[0]!r}, which is the name of something else here")
    real = Ensemble.dynamics(reference, "the reference", max_frames)
    seen = None if train is None else Ensemble.dynamics(train, "the training data", max_frames)
    made = {name: Ensemble.of(one, f"{name!r}", max_frames, seed) for name, one in sets.items()}
    fewest = min(made.values(), key=lambda one: one.structures.n_atoms).structures.topology
    if fewest.n_atoms < real.structures.n_atoms:
        real, seen = real.of_atoms(fewest), None if seen is None else seen.of_atoms(fewest)
        made = {name: one.of_atoms(fewest) for name, one in made.items()}
    for name, one in made.items():
        one.require_like(real, repr(name))
    if seen is not None:
        seen.require_like(real, "the training data")
    if seen is not None and baselines:
        n = max(len(one) for one in made.values())
        made[_TRAINING] = seen.take(np.linspace(0, len(seen) - 1, min(n, len(seen))).astype(int))
        made[_MIXTURE] = Ensemble.of(pca_mixture(seen.take(_even(seen, 5000)), n, seed), _MIXTURE, max_frames, seed)
    pieces: dict[str, np.ndarray] = {}
    for length in [md_length] if isinstance(md_length, int | float) else md_length or ():
        if seen is None:
            raise SpecError("md_length takes a piece of the training MD; give train = ... too")
        name = f"MD of {length / 1000:g} ns" if np.isfinite(seen.time_step) else f"{length:g} frames of MD"
        pieces[name] = piece_rows(seen, length)
        made[name] = seen.take(pieces[name]).reblocked()
    space = Space(real, lag_time=lag_time, n_states=n_states, seed=seed)
    described = {
        name: space.describe(one, None if name in {_TRAINING, *pieces} else _energies(energies, name, one))
        for name, one in made.items()
    }
    known = None if seen is None else space.describe(seen, _energies(energies, "train", seen))
    if known is not None and baselines:
        described[_TRAINING] = known.thinned(len(made[_TRAINING]))
    for name, rows in pieces.items():
        assert known is not None
        described[name] = replace(known.take(rows), ensemble=made[name])
    case = Case(
        space=space,
        real=space.describe(real, _energies(energies, "reference", real)),
        seen=known,
        made=described,
        baselines=(*([_TRAINING] if baselines else []), *pieces),
        n_draws=n_draws,
        seed=seed,
    )
    figures, ladders = histogram_rows(case)
    figures += [*energy_rows(case), *neighbour_rows(case), *check_rows(case)]
    novel, warnings = novelty_rows(case)
    order = {name: number for number, name in enumerate(described)}
    return Judgement(
        rows=tuple(sorted([*figures, *novel], key=lambda row: order[row.structures])),
        populations=tuple(population_rows(case)),
        ladders=ladders,
        sizes={name: len(one) for name, one in described.items()},
        notes=(*space.notes, *_notes(case)),
        warnings=tuple(warnings),
        time_known=bool(np.isfinite(real.time_step)),
    )


def _notes(case: Case) -> list[str]:
    """Return what was left out, and how figures were made."""
    coordinates, notes = case.space.coordinates, []
    if not coordinates.residues:
        notes.append("no residue has phi and psi: there is no Ramachandran row")
    if case.seen is not None and len(coordinates.compared) < len(coordinates.heavy):
        notes.append("the RMSD to training frames is that of the C-alpha atoms")
    if not len(coordinates.torsions):
        notes.append("no bond can turn: distances take the place of torsions")
    if case.seen is None:
        notes.append(
            "without train = ... the floor is one half of the held-out MD against the other, and nothing can be said "
            "about novelty or baselines"
        )
    step = case.real.ensemble.time_step
    lag = f"{case.space.lag * step:g} ps" if np.isfinite(step) else f"{case.space.lag} frames"
    return [*notes, f"TICA at a lag of {lag}, {case.space.n_states} metastable states"]


def _even(ensemble: Ensemble, n: int) -> np.ndarray:
    return np.linspace(0, len(ensemble) - 1, min(n, len(ensemble))).astype(int)


def _energies(energies: Energies | None, name: str, ensemble: Ensemble) -> np.ndarray | None:
    """Return the energy of each structure of a set, or None where it is not known."""
    if energies is None:
        return None
    if not isinstance(energies, Mapping):
        found = energies(ensemble.structures)
        values, rows = np.asarray(getattr(found, "before", found), float), np.arange(len(ensemble))
    elif name in energies:
        values, rows = np.asarray(energies[name], float), ensemble.rows
    else:
        return None
    expected = len(ensemble) if not isinstance(energies, Mapping) else ensemble.given
    real = name in ("reference", "train")
    if values.shape != (expected,) or (real and not np.isfinite(values).all()):
        raise DataError(
            f"the energies of {name!r} have the shape {values.shape} or are not all numbers, expected one for "
            f"each of {expected} structures"
        )
    return np.nan_to_num(values[rows], nan=np.inf, posinf=np.inf, neginf=-np.inf)  # of a structure that is torn: none

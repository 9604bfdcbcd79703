"""A small protein: sound structures, the right populations, and two latents that know what is folded."""

from __future__ import annotations

from typing import Any

import mdtraj
import numpy as np

import mdnb
from mdnb.bench.generation.contestant import Seconds
from mdnb.bench.generation.settings import ours
from mdnb.bench.generation.systems import System
from mdnb.errors import MissingDependencyError
from mdnb.generation.draws import block_weights, interval
from mdnb.generation.ensemble import Ensemble
from mdnb.targets import native_contacts
from mdnb.trajectories import Trajectories

__all__ = ["bench_protein"]

_TORSIONS, _CHECKS = "torsions, JS", "passes all checks"
_MINIMIZED = 50
_ATTEMPTS = 4


def bench_protein(
    system: System, seed: int, n: int, epochs: int | None, threads: int, n_minimized: int = _MINIMIZED
) -> list[str]:
    """Train two VAEs on a system, with its own and with two latents, and return what is found.

    Parameters
    ----------
    system : System
        Its first frame is the native one.
    seed : int
    n : int
        Structures.
    epochs : int or None
    threads : int
    n_minimized : int
        Structures to minimize in the force field.
    """
    features = mdnb.featurize(system.train, "internal-coordinates")
    training, drawing = Seconds(), Seconds()
    spec, how = ours("protein", seed, epochs, threads)
    with training.taken():
        run = mdnb.fit(features, None, spec, how)
    with drawing.taken():
        made = mdnb.generate(run, n, seed=seed, reference=system.train, clean_up=True, attempts=_ATTEMPTS)
    judgement = mdnb.judge({"mdnb VAE": made}, system.held, system.train, n_draws=20)
    assert made.checks_before is not None
    before = np.logical_and.reduce(list(made.checks_before.values())).mean()
    lines = [
        f"{system}; seed {seed}",
        f"  trained in {training.wall:.1f} s ({training.cpu:.1f} s CPU), {n:,} structures with their clean-up in "
        f"{drawing.wall:.1f} s",
        *(f"  {note}" for note in made.notes),
        f"  pass all checks: {before:.1%} as drawn, {made.valid.mean():.1%} after the clean-up; "
        f"{_answer(made.valid.mean() >= 0.95)} (at least 95%)",
        *(f"    {name}: {judgement.row(name, _CHECKS).value:.1%}" for name in judgement.sets[1:]),
        *_populations(system, made.structures),
    ]
    parts = [row for row in judgement.rows if (row.structures, row.metric) == ("mdnb VAE", _TORSIONS)]
    ratios = {row.part: row.ratio for row in parts if row.part}
    worst = max(ratios, key=lambda name: ratios[name])
    lines += [
        f"  torsions, JS over the floor: {parts[0].ratio:.2f} in the mean, at most {ratios[worst]:.2f} ({worst}), "
        f"{np.mean([ratio <= 1.5 for ratio in ratios.values()]):.0%} of {len(ratios)} at most 1.5; "
        f"{_answer(max(ratios.values()) <= 1.5)} (all)",
        *(f"    {name}: {judgement.row(name, _TORSIONS).ratio:.2f} in the mean" for name in judgement.sets[1:]),
        *_separation(system, features, seed, epochs, threads),
        *_minimized(made.only(np.arange(min(n_minimized, len(made))))),
    ]
    return [*lines, *(f"  warning: {text}" for text in judgement.warnings)]


def _answer(met: bool | np.bool_) -> str:
    return "yes" if met else "no"


def _folded(system: System, structures: mdtraj.Trajectory) -> np.ndarray:
    """Return whether more than half of the contacts of the system's first frame are there, (n_structures,)."""
    both = mdnb.load([system.train.frames(0), structures])
    return np.asarray(native_contacts(both)[1:] > 0.5)


def _populations(system: System, made: mdtraj.Trajectory) -> list[str]:
    real = Ensemble.dynamics(system.held, "the held-out MD", system.held.n_frames)
    folded = _folded(system, real.structures)
    weights = block_weights(real.n_blocks, 1000, 0)[:, real.blocks]
    share = float(folded.mean())
    low, high = interval(share, weights @ folded / weights.sum(1), real.n_blocks, (0.0, 1.0))
    train = _folded(system, system.train.frames(slice(None))).mean()
    obtained = _folded(system, made).mean()
    return [
        f"  folded: {obtained:.1%} of the structures, {share:.1%} [{low:.1%}, {high:.1%}] of the held-out MD, "
        f"{train:.1%} of the training MD; {_answer(low <= obtained <= high)} (within the interval)"
    ]


def _separation(system: System, features: Any, seed: int, epochs: int | None, threads: int) -> list[str]:
    """Return how well a line in two latents, found on training frames, parts the held-out ones."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    spec, how = ours("protein, 2 latents", seed, epochs, threads)
    run = mdnb.fit(features, None, spec, how)

    def numbers(trajectories: Trajectories) -> tuple[np.ndarray, np.ndarray]:
        table = mdnb.featurize(trajectories, "internal-coordinates")
        return run.encode(table), _folded(system, trajectories.frames(slice(None)))

    (known, labels), (unseen, expected) = numbers(system.train), numbers(system.held)
    if len(np.unique(labels)) < 2 or len(np.unique(expected)) < 2:
        return ["  2 latents, area under the ROC curve of the best line: every frame is alike"]
    line = LogisticRegression().fit(known, labels)
    area = roc_auc_score(expected, line.decision_function(unseen))
    return [f"  2 latents, area under the ROC curve of the best line, folded or not, on held-out MD: {area:.3f}"]


def _minimized(made: mdnb.Generated) -> list[str]:
    try:
        found = mdnb.energies(made)
    except MissingDependencyError as error:
        return [f"  clashes after minimization: not measured; {error}"]
    return [
        f"  clashes after minimization of {len(made)} structures: {int(found.clashes.sum())} pairs in "
        f"{int((found.clashes > 0).sum())} of them, moved by {np.nanmedian(found.moved):.3f} nm in the median; "
        f"{_answer(found.clashes.sum() == 0)} (none)"
    ]

"""Rolled out trajectories beside simulations that no model has seen, and beside those that it was trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import mdnb
from mdnb.bench.generation.contestant import Seconds
from mdnb.bench.generation.settings import LAGS, PROPAGATORS, ours
from mdnb.bench.generation.systems import held_apart
from mdnb.features.base import Features
from mdnb.kinetics.agreement import Agreement
from mdnb.trajectories import Trajectories

__all__ = ["bench_dynamics"]


def bench_dynamics(
    trajectories: Trajectories,
    seed: int,
    n: int,
    epochs: int | None,
    threads: int,
    propagators: Sequence[str] = tuple(PROPAGATORS),
    lags: Sequence[int] = LAGS,
) -> list[str]:
    """Roll out trajectories, and return populations and slowest timescale beside those of held-out simulations.

    Two simulations are held out, other ones by each seed. Of these nothing is known until the rollouts are there: the
    networks stop by the validation part of the others. The floor is the training MD itself against the held-out MD,
    since no model can know of rates that its data do not have.

    Parameters
    ----------
    trajectories : Trajectories
        At least four simulations.
    seed : int
    n : int
        Frames of each of 16 rollouts.
    epochs : int or None
        In place of everybody's own number.
    threads : int
    propagators : sequence of str
        Of `PROPAGATORS`.
    lags : sequence of int
        In frames.
    """
    apart = {number % len(trajectories) for number in (2 * seed, 2 * seed + 1)}
    train, held = held_apart(trajectories, apart)
    real, known = mdnb.featurize(held, "torsions"), mdnb.featurize(train, "torsions")
    times = [lag * trajectories.time_step for lag in lags]
    spec, how = ours("latents", seed, epochs, threads)
    features = mdnb.featurize(train, "internal-coordinates")
    taken = Seconds()
    with taken.taken():
        vae = mdnb.fit(features, None, spec, how)
    latents = mdnb.latents(vae, features)
    floor = _held_against(known, real, times, seed)
    lines = [
        f"{len(train)} simulations to train on, {sorted(apart)} held out, seed {seed}; the VAE of the latents took "
        f"{taken.cpu:.1f} s CPU",
        _line("training MD, the floor", floor, times),
    ]
    for name in propagators:
        spec, how = ours(name, seed, epochs, threads)
        window, objective = PROPAGATORS[name]
        with taken.taken():
            run = mdnb.fit(latents, spec=spec, training=how, window=mdnb.Window(length=window), objective=objective)
        rolled = mdnb.rollout(run, latents, n, 16, decoder=vae, seed=seed, reference=train)
        found = _held_against(mdnb.featurize(rolled.load(), "torsions"), real, times, seed)
        assert rolled.generated is not None
        lines.append(
            f"{_line(name, found, times)}; over that of training MD {_factors(found.factors / floor.factors, times)}; "
            f"{rolled.generated.valid.mean():.1%} pass all checks, {taken.cpu:.1f} s CPU"
        )
    return lines


def _held_against(drawn: Features, real: Features, times: Sequence[float], seed: int) -> Agreement:
    return mdnb.compare_dynamics(drawn, real, times, n_states=3, seed=seed)


def _line(name: str, found: Agreement, times: Sequence[float]) -> str:
    own, real = (found.timescales[what] for what in ("drawn", "simulated"))
    meet = (own.low[:, 0] <= real.high[:, 0]) & (own.high[:, 0] >= real.low[:, 0])
    agree, factors = found.populations_agree, _factors(found.factors, times)
    return (
        f"  {name}: populations {'yes' if agree.all() else 'no'} ({agree.sum()} of {len(agree)} within their "
        f"intervals), JS {found.distance:.3f}; slowest timescale over that of held-out MD {factors}; "
        f"{'yes' if meet.all() else 'no'} ({meet.sum()} of {len(meet)} intervals meet)"
    )


def _factors(factors: np.ndarray, times: Sequence[float]) -> str:
    pairs = zip(factors, times, strict=True)
    return ", ".join(f"{factor:.2f} at {time:g} ps" for factor, time in pairs if np.isfinite(factor))

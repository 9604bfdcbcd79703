"""Whether a conditional VAE or GAN makes what it is asked for."""

from __future__ import annotations

import numpy as np

import mdnb
from mdnb.bench.generation.contestant import Seconds
from mdnb.bench.generation.settings import ours
from mdnb.bench.generation.systems import System
from mdnb.generation.asked import known_range
from mdnb.generation.measure import measured

__all__ = ["CONDITIONS", "bench_condition"]

#: What is asked for.
CONDITIONS = ("radius-of-gyration", "end-to-end-distance")


def bench_condition(
    system: System, target: str, family: str, seed: int, n: int, epochs: int | None, threads: int
) -> list[str]:
    """Train a VAE or a GAN with a target, and return how well what it makes agrees with what was asked for.

    Asked for is once the whole range of the training data evenly, and once what held-out MD has.

    Parameters
    ----------
    system : System
    target : str
    family : {"VAE", "GAN"}
    seed : int
    n : int
        Structures of each.
    epochs : int or None
    threads : int
    """
    features = mdnb.featurize(system.train, "internal-coordinates")
    training = Seconds()
    spec, how = ours(f"conditional {family}", seed, epochs, threads)
    with training.taken():
        run = mdnb.fit(features, target, spec, how)
    known = known_range(run)
    real = measured(system.held.frames(slice(None)), target)
    asked = {
        "evenly over the training range": np.linspace(known[0], known[1], n),
        "as held-out MD": np.random.default_rng(seed).choice(real[(real >= known[0]) & (real <= known[1])], n),
    }
    lines = [f"{system.title}, {family} conditional on {target}, seed {seed}: trained in {training.wall:.1f} s"]
    for name, values in asked.items():
        made = mdnb.generate(run, n, condition=values, seed=seed, reference=system.train)
        found = mdnb.control(made, target)
        good = found.correlation >= 0.95 and found.percent < 5
        lines.append(
            f"  {name}: slope {found.slope:.3f}, correlation {found.correlation:.3f} [{found.low:.3f}, "
            f"{found.high:.3f}], mean absolute error {found.percent:.1f}% of the range, {made.valid.mean():.1%} pass "
            f"all checks; {'yes' if good else 'no'} (correlation at least 0.95, error under 5%)"
        )
    return lines

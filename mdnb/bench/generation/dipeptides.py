"""The table of a dipeptide: each contestant's cost, and what judging says of its structures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import mdnb
from mdnb.bench.generation.contestant import Contestant, train_ours
from mdnb.bench.generation.limit import local_limit
from mdnb.bench.generation.peers import PEERS, absent, train_peer
from mdnb.bench.generation.settings import LATENT, PIECES
from mdnb.bench.generation.systems import System
from mdnb.generation.judgement import Judgement

__all__ = ["bench_dipeptide", "n_contestants"]

_JS, _CHECKS, _COPIED = "Ramachandran, JS", "passes all checks", "below the memorization line"
_RMSD = 0.006  # nm
_HEAD = (
    f"  {'':<36}{'train':>8}{'CPU':>8}{'draw':>7}{'RMSD':>8}{_JS:>18}{'over':>7}{'floor':>7}{'checks':>8}{'hands':>7}"
    f"{'copied':>8}"
)


def n_contestants(families: Sequence[str], seeds: int, peers: bool) -> int:
    """Return how many have to be trained."""
    return len(families) * seeds + (sum(package not in absent() for package, _ in PEERS.values()) if peers else 0)


def bench_dipeptide(
    system: System,
    families: Sequence[str],
    seeds: int,
    n: int,
    epochs: int | None,
    peers: bool,
    threads: int,
    bar: Any,
) -> list[str]:
    """Train everybody on a system, judge everybody's structures at once, and return the lines of a table.

    Parameters
    ----------
    system : System
    families : sequence of {"VAE", "GAN"}
    seeds : int
        Of ours; peers and baselines have one.
    n : int
        Structures of each.
    epochs : int or None
        In place of everybody's own.
    peers : bool
    threads : int
    bar : tqdm
        Moved on by one for each contestant.
    """
    features = mdnb.featurize(system.train, "internal-coordinates")
    everyone = []
    for family in families:
        for seed in range(seeds):
            bar.set_postfix_str(f"{family}, seed {seed}")
            everyone.append(train_ours(system, features, family, seed, n, epochs, threads))
            bar.update()
    for name, (package, _) in PEERS.items() if peers else ():
        if package not in absent():
            bar.set_postfix_str(name)
            everyone.append(train_peer(system, name, n, 0, epochs, threads))
            bar.update()
    longest = system.train.lengths[0] * system.train.time_step
    bar.set_postfix_str("judging")
    judgement = mdnb.judge(
        {one.name: one.structures for one in everyone},
        system.held,
        system.train,
        md_length=[length for length in PIECES if length < longest],
        n_draws=20,
    )
    everyone += [Contestant(name, system.train.frames(0)) for name in judgement.sets[len(everyone) :]]
    own = {family: [one for one in everyone if one.family == family] for family in families}
    lines = [str(system), _HEAD]
    for one in everyone:
        text = f"  {one.name:<36}{_cost(one)}{_figures(judgement, one.name)}"
        if not one.family and np.isfinite(one.training.wall):
            text += "".join(f"   {family} {_verdict(judgement, own[family], one)}" for family in families)
        lines.append(text)
    limit = local_limit(system)
    lines.append(
        f"  RMSD that thermal motion leaves of {LATENT} latents, by PCA of the nearest training frames: "
        f"{limit:.4f} nm, {'below' if limit < _RMSD else 'above'} the {_RMSD} asked"
    )
    if peers and absent():
        lines.append(f"  not installed: {', '.join(absent())}")
    lines += [f"  warning: {text}" for text in judgement.warnings]
    return [*lines, *(f"  {text}" for family in families for text in _asked(judgement, own[family], family))]


def _cost(one: Contestant) -> str:
    return "".join([
        _number(one.training.wall, 8, 1), _number(one.training.cpu, 8, 1), _number(one.drawing.wall, 7, 2),
        _number(one.rmsd, 8, 4),
    ])  # fmt: skip


def _number(value: float, width: int, digits: int) -> str:
    return f"{value:{width}.{digits}f}" if np.isfinite(value) else "-".rjust(width)


def _figures(judgement: Judgement, name: str) -> str:
    js, copied = judgement.row(name, _JS), _copied(judgement, name)
    hands = _share(judgement, name, "chirality")
    return (
        f"{js.value:18.3f}{js.ratio:7.2f}{js.floor:7.3f}{_share(judgement, name):8.1%}{hands:7.1%}"
        f"{'-'.rjust(8) if copied is None else f'{copied:8.1%}'}"
    )


def _share(judgement: Judgement, name: str, part: str = "") -> float:
    return judgement.row(name, _CHECKS, part).value


def _copied(judgement: Judgement, name: str) -> float | None:
    """Return the share nearer to a training frame than held-out frames are; None for training frames."""
    found = [row.value for row in judgement.rows if (row.structures, row.metric) == (name, _COPIED)]
    return found[0] if found else None


def _verdict(judgement: Judgement, own: Sequence[Contestant], peer: Contestant) -> str:
    """Return whether ours, the mean of its seeds, is better than a peer on every row, or on which it is not."""

    def figures(one: Contestant) -> dict[str, float]:
        """Return what is to be small; nothing is behind what is no number."""
        return {
            "CPU seconds of training": one.training.cpu,
            "seconds of drawing": one.drawing.wall,
            "RMSD": one.rmsd,
            "JS": judgement.row(one.name, _JS).value,
            "checks": 1 - _share(judgement, one.name),
            "hands": 1 - _share(judgement, one.name, "chirality"),
            "copies": max((_copied(judgement, one.name) or 0.0) - 0.05, 0.0),
        }

    every, theirs = [figures(one) for one in own], figures(peer)
    behind = [name for name, value in theirs.items() if np.mean([one[name] for one in every]) > value]
    return f"better: no, not in {', '.join(behind)}" if behind else "better: yes"


def _asked(judgement: Judgement, own: Sequence[Contestant], family: str) -> list[str]:
    """Return what is asked of a family, and how many of its seeds are there."""
    names = [one.name for one in own]
    rows = [judgement.row(name, _JS) for name in names]
    minutes = {"VAE": 3, "GAN": 5}[family]
    asked = {
        "Ramachandran JS at most 1.15 x the floor": [row.ratio <= 1.15 for row in rows],
        "at least 99% pass all checks": [_share(judgement, name) >= 0.99 for name in names],
        "all hands right": [_share(judgement, name, "chirality") == 1 for name in names],
        f"RMSD under {_RMSD} nm": [one.rmsd < _RMSD for one in own],
        "below the memorization line not significantly more than the 5% of held-out MD": [
            not judgement.row(name, _COPIED).worse for name in names
        ],
        f"trained in under {minutes} minutes": [one.training.wall < 60 * minutes for one in own],
        f"{len(own[0].structures):,} structures in under 2 s": [one.drawing.wall < 2 for one in own],
    }
    if rows[0].floor < 0.17:
        asked["Ramachandran JS at most 0.17"] = [row.value <= 0.17 for row in rows]
    return [
        f"{family}, {what}: {'yes' if all(met) else 'no'} ({sum(met)} of {len(met)})" for what, met in asked.items()
    ]

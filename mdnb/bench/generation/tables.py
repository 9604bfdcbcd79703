"""The whole comparison, system by system."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import mdnb
from mdnb.bench.generation.conditions import CONDITIONS, bench_condition
from mdnb.bench.generation.dipeptides import bench_dipeptide, n_contestants
from mdnb.bench.generation.systems import DIPEPTIDES, packaged_protein
from mdnb.errors import DataError, unknown_name
from mdnb.progress import progress_bar

__all__ = ["FAMILIES", "SYSTEMS", "bench_generate"]

FAMILIES = ("VAE", "GAN")
SYSTEMS = (*DIPEPTIDES, "chignolin", "condition", "dynamics")


def bench_generate(
    systems: Sequence[str] | None = None,
    families: Sequence[str] = FAMILIES,
    seeds: int = 1,
    n: int = 10_000,
    *,
    epochs: int | None = None,
    peers: bool = True,
    threads: int = 2,
    data: str | None = None,
) -> str:
    """Train generators, ours and others', on the same frames, and return tables of cost and quality.

    Parameters
    ----------
    systems : sequence of {"alanine", "msmb", "chignolin", "condition", "dynamics"}, optional
        By default all whose data are here.
    families : sequence of {"VAE", "GAN"}
    seeds : int
        Of ours.
    n : int
        Structures of each on the dipeptides; a fifth of it on chignolin and of the conditional ones; 3 frames of each
        of 16 rollouts for 10 of it.
    epochs : int, optional
        In place of everybody's own number.
    peers : bool
        Other libraries' autoencoders too.
    threads : int
        Processor threads for everyone.
    data : str, optional
        Folder of ala2_msmb_data, in place of MDNB_EXTRA_DATA.

    Raises
    ------
    DataError
        When there is nothing to do, or data are not here.
    SpecError
        For an unknown system or family.
    """
    if systems is None:
        root = Path(data or os.environ.get("MDNB_EXTRA_DATA") or "/nowhere") / "ala2_msmb_data"
        systems = [name for name in SYSTEMS if name != "msmb" or root.is_dir()]
    for what, given, known in (("system", systems, SYSTEMS), ("family", families, FAMILIES)):
        for name in given:
            if name not in known:
                raise unknown_name(what, name, known)
    if seeds < 1 or n < 100 or not systems or not families or (epochs is not None and epochs < 1) or threads < 1:
        raise DataError(
            f"got {len(systems)} systems, {len(families)} families, {seeds} seeds, {n} structures, {epochs} epochs and "
            f"{threads} threads: expected at least 1 of each and 100 structures"
        )
    made = {name: make(data) for name, make in DIPEPTIDES.items() if name in systems}  # data that lack are told first
    total = len(made) * n_contestants(families, seeds, peers)
    conditional = len(CONDITIONS) * len(families) * ("condition" in systems)
    total += seeds * (("chignolin" in systems) + conditional + ("dynamics" in systems))
    blocks = [
        "Seconds of training, of the clock and of all processors, and of drawing, with their checks for ours; RMSD of "
        "heavy atoms\nof held-out frames to their reconstruction in nm; JS distances to the base e; the floor: "
        "as many frames of training MD;\nhands: chirality; copied: nearer to a training frame than 95% of held-out "
        "frames are; 'better' is the mean of our seeds,\nby CPU seconds of training, and every other column."
    ]
    few = max(100, n // 5)
    with progress_bar(total=total, description="generators", unit="training") as bar:
        for name, system in made.items():
            bar.set_description(name)
            found = bench_dipeptide(system, families, seeds, n, epochs, peers, threads, bar)
            blocks.append("\n".join(found))
        for seed in range(seeds):
            if "chignolin" in systems:
                from mdnb.bench.generation.protein import bench_protein

                bar.set_description("chignolin")
                blocks.append("\n".join(bench_protein(packaged_protein(), seed, few, epochs, threads)))
                bar.update()
            for target, family in product(CONDITIONS, families) if "condition" in systems else ():
                bar.set_description(f"{family}, {target}")
                alanine = DIPEPTIDES["alanine"](None)
                blocks.append("\n".join(bench_condition(alanine, target, family, seed, few, epochs, threads)))
                bar.update()
            if "dynamics" in systems:
                from mdnb.bench.generation.dynamics import bench_dynamics

                bar.set_description("dynamics")
                whole = mdnb.example("alanine-dipeptide")
                blocks.append("\n".join(bench_dynamics(whole, seed, max(50, 3 * n // 10), epochs, threads)))
                bar.update()
    return "\n\n".join(blocks)

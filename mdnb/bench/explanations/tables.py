"""``mdnb bench explain`` as text: four tables, each with what is asked of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from statistics import geometric_mean, mean
from time import perf_counter

from mdnb.bench.explanations.planted import Found, planted_benchmark
from mdnb.bench.explanations.speed import Agreement, Speed, agreement, speed
from mdnb.bench.explanations.toy import PUBLISHED, ToyCell, toy_benchmark
from mdnb.errors import DataError, unknown_name
from mdnb.training import torch_threads

__all__ = ["PARTS", "bench_explain"]

#: Parts of the benchmark.
PARTS = ("speed", "agreement", "toy", "planted")
#: R2 from which a model counts as accurate.
_ACCURATE = 0.5


def bench_explain(parts: Sequence[str] = PARTS, systems: int = 5, threads: int = 1) -> str:
    """Measure and return the tables as text.

    Parameters
    ----------
    parts : sequence of str
        Of `PARTS`.
    systems : int
        Made systems in each cell of the toy benchmark.
    threads : int
        Of torch, the same for all.

    Raises
    ------
    SpecError
        For an unknown part.
    DataError
        For no systems.
    """
    for part in parts:
        if part not in PARTS:
            raise unknown_name("part of the benchmark", part, PARTS)
    if systems < 1:
        raise DataError(f"got {systems} systems for the toy benchmark: expected at least 1")
    start = perf_counter()
    tables = [f"Explanations on {os.cpu_count()} cores, torch on {threads} of them."]
    with torch_threads(threads) if threads else nullcontext():
        if "speed" in parts:
            tables.append(_speed_table(speed()))
        if "agreement" in parts:
            tables.append(_agreement_table(agreement()))
        if "toy" in parts:
            tables.append(_toy_table(toy_benchmark(systems), systems))
        if "planted" in parts:
            tables.append(_planted_table(planted_benchmark()))
    tables.append(f"{perf_counter() - start:.0f} s in all.")
    return "\n\n".join(tables)


def _speed_table(rows: Sequence[Speed]) -> str:
    lines = [
        "Seconds and additivity error (share of the predictions' range); 10 samples, 1,000 inputs, background of 50.",
        "Asked: at least 10x at the same error; error <= 1% by default and <= 0.01% with tolerance=1e-4.",
        f"  {'network':<10} {'shap Gradient, n=1000':>22} {'mdnb, same error':>18} {'faster':>7} {'mdnb, default':>18} "
        f"{'mdnb, 1e-4':>20} {'shap Deep':>18}  met",
    ]
    for row in rows:
        cells = [_cell(pair) for pair in (row.theirs, row.same, row.default, row.fine, row.deep)]
        met = row.ratio >= 10 and row.same[1] <= row.theirs[1] and row.default[1] <= 0.01 and row.fine[1] <= 1e-4
        lines.append(
            f"  {row.name:<10} {cells[0]:>22} {cells[1]:>18} {row.ratio:6.1f}x {cells[2]:>18} {cells[3]:>20} "
            f"{cells[4]:>18}  {_yes(met)}"
        )
    return "\n".join(lines)


def _cell(pair: tuple[float, float]) -> str:
    return f"{pair[0]:.3f} s {pair[1]:.2%}" if pair[1] >= 1e-3 else f"{pair[0]:.3f} s {pair[1]:.4%}"


def _agreement_table(rows: Sequence[Agreement]) -> str:
    lines = [
        "Expected gradients beside exact Shapley values by enumeration of 12 players.",
        "Equal by theory where players do not interact, or where the output is linear in each of them (Owen 1972,",
        "https://doi.org/10.1287/mnsc.18.5.64); elsewhere the two answer different questions, by so much:",
    ]
    for row in rows:
        met = f"  {_yes(row.correlation >= 0.99)}" if row.theory == "equal" else ""
        lines.append(
            f"  {row.name:<36} theory: {row.theory:<8} correlation {row.correlation:.5f}, difference "
            f"{row.difference:.2%}{met}"
        )
    return "\n".join(lines)


def _toy_table(rows: Sequence[ToyCell], systems: int) -> str:
    lines = [
        f"Toy benchmark of Fleetwood et al. (2020), rebuilt from its description; means of {systems} systems.",
        "Scores at finding all relevant atoms / at ignoring irrelevant ones; published: best of all methods there.",
        "Rotated Cartesian inputs are superposed first, as mdnb's positions are; the published methods got them as",
        "they are, so that this row compares pipelines and not explainers. Equal shares: without `culprits`.",
    ]
    for row in rows:
        best = PUBLISHED[row.inputs]
        met = row.finding > best[0] and row.ignoring > best[1]
        lines.append(
            f"  {row.motion:<10} {row.inputs:<18} mdnb {row.finding:.3f} / {row.ignoring:.3f}   equal shares "
            f"{row.equal[0]:.3f} / {row.equal[1]:.3f}   published {best[0]:.2f} / {best[1]:.2f}   model accuracy "
            f"{row.accuracy:.3f}  {_yes(met)}"
        )
    return "\n".join(lines)


def _planted_table(rows: Sequence[Found]) -> str:
    lines = [
        "Planted truth on the packaged chignolin trajectories: labels made of known torsions, 44 torsions to choose",
        "from. First: the true ones rank before all others; margin: their least importance over the others' largest.",
    ]
    for kind, torsions in dict.fromkeys((row.kind, row.torsions) for row in rows):
        own = [row for row in rows if (row.kind, row.torsions) == (kind, torsions)]
        lines.append(f"  {kind}: {' and '.join(torsions)} (R2 of the model {own[0].accuracy:.2f})")
        for row in own:
            when = "" if row.in_time is None else f", time {_yes(row.in_time)}"
            lines.append(
                f"    {row.method:<28} torsions first {_yes(row.first)}, residues first {_yes(row.residues)}{when}, "
                f"margin {row.margin:.1f}, {row.seconds:.2f} s"
            )
    lines.append(f"  Ranking over the cases whose model is accurate (R2 >= {_ACCURATE}):")
    methods = list(dict.fromkeys(row.method for row in rows))
    table = []
    for method in methods:
        own = [row for row in rows if row.method == method and row.accuracy >= _ACCURATE]
        if own:
            share = mean(row.first and row.residues for row in own)
            table.append((share, geometric_mean(row.margin for row in own), len(own), method))
    for share, margin, n, method in sorted(table, reverse=True):
        lines.append(f"    {method:<28} first in {share:.0%} of {n} cases, geometric mean of the margins {margin:.1f}")
    return "\n".join(lines)


def _yes(met: bool) -> str:
    return "yes" if met else "NO"

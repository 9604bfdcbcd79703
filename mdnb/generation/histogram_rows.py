"""The rows of a judgement that follow from histograms, and what molecular dynamics of any length would have there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mdnb.generation.case import Case
from mdnb.generation.draws import block_weights, interval
from mdnb.generation.histograms import Comparison, block_counts, comparisons
from mdnb.generation.judgement import Ladder, Row
from mdnb.generation.ladder import pieces

__all__ = ["histogram_rows", "population_rows"]


def histogram_rows(case: Case) -> tuple[list[Row], dict[str, Ladder]]:
    """Return the rows of every comparison that applies, and the ladders of MD."""
    rows: list[Row] = []
    ladders = {}
    for comparison in comparisons(case.space, case.real, case.seed):
        ladder = _climb(case, comparison)
        if ladder is not None:
            ladders[comparison.metric] = ladder
        rows += _rows(case, comparison, ladder)
    return rows, ladders


def population_rows(case: Case) -> list[Row]:
    """Return how often each metastable state was seen in the held-out MD and in each set."""
    rows = []
    for name, one in {"held-out MD": case.real, **case.made}.items():
        n_blocks = one.ensemble.n_blocks
        counts = block_counts(one.states[:, None], one.ensemble.blocks, n_blocks, case.space.n_states)[:, 0]
        drawn = block_weights(n_blocks, case.n_draws, case.seed) @ counts
        drawn = drawn / drawn.sum(1, keepdims=True)
        floor = np.full(case.space.n_states, np.nan)
        if case.seen is not None:
            floor = np.bincount(case.seen.states, minlength=case.space.n_states) / len(case.seen)
        for state, value in enumerate(counts.sum(0) / len(one)):
            low, high = interval(float(value), drawn[:, state], n_blocks, (0.0, 1.0))
            rows.append(
                Row(name, "population", f"state {state}", float(value), low, high, float(floor[state]), "equal")
            )
    return rows


def _rows(case: Case, comparison: Comparison, ladder: Ladder | None) -> list[Row]:
    counts = comparison.counts(case.real)
    total = counts.sum(0)
    floors: dict[int, np.ndarray] = {}
    rows = []
    for name, one in case.made.items():
        if not comparison.applies(one):
            continue
        if len(one) not in floors:
            floors[len(one)] = _floor(case, comparison, len(one))
        floor = floors[len(one)]
        own = comparison.counts(one)
        values = comparison.distance(total, own.sum(0))
        both = zip(_drawn(counts, case.weights), _drawn(own, case.weights_of(name)), strict=True)
        draws = np.array([comparison.distance(first, second) for first, second in both])
        n_blocks = min(len(counts), len(own))
        value = float(values.mean())
        low, high = interval(value, draws.mean(1), n_blocks)
        md, beyond = (float("nan"), "") if ladder is None else ladder.read(value)
        rows.append(Row(name, comparison.metric, "", value, low, high, float(floor.mean()), "lower", md, beyond))
        if comparison.shown:
            for part, label in enumerate(comparison.parts):
                low, high = interval(float(values[part]), draws[:, part], n_blocks)
                row = Row(name, comparison.metric, label, float(values[part]), low, high, float(floor[part]), "lower")
                rows.append(row)
    return rows


def _drawn(counts: np.ndarray, weights: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the histograms of each draw of blocks, (n_parts, n_bins)."""
    flat = counts.reshape(len(counts), -1).astype(np.float64)
    return ((draw @ flat).reshape(counts.shape[1:]) for draw in weights)


def _floor(case: Case, comparison: Comparison, n: int) -> np.ndarray:
    """Return the figures of n frames of real MD, (n_parts,); NaN where they are not known."""
    source, against = case.control
    if not comparison.applies(source):
        return np.full(len(comparison.parts), np.nan)
    return comparison.distance(comparison.counts(against).sum(0), comparison.counts(source.thinned(n)).sum(0))


def _climb(case: Case, comparison: Comparison) -> Ladder | None:
    """Return the figure of ever longer MD: of the training data, or of each replica against the other ones."""
    source = case.real if case.seen is None else case.seen
    ensemble = source.ensemble
    if not comparison.applies(source) or (case.seen is None and ensemble.n_replicas < 2):
        return None
    codes, counts = comparison.codes(source), comparison.counts(case.real)
    lengths, values = [], []
    for length, rows in pieces(ensemble.replica, whole=case.seen is not None):
        found = []
        for piece in rows:
            own = block_counts(codes[piece], np.zeros(len(piece), int), 1, comparison.n_bins)[0]
            against = counts.sum(0)
            if case.seen is None:
                itself = np.isin(ensemble.replica, ensemble.replica[piece])
                against = against - counts[np.unique(ensemble.blocks[itself])].sum(0)
            found.append(comparison.distance(against, own).mean())
        lengths.append(length)
        values.append(np.mean(found))
    if len(lengths) < 2:
        return None
    step = ensemble.time_step if np.isfinite(ensemble.time_step) else 1.0
    return Ladder(comparison.metric, np.array(lengths) * step, np.array(values))

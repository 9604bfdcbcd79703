"""The rows of a judgement that need the structures themselves: neighbourhoods, checks, novelty, energies."""

from __future__ import annotations

import numpy as np

from mdnb.generation.case import Case
from mdnb.generation.checks import Limits, check_structures
from mdnb.generation.draws import interval
from mdnb.generation.judgement import Row
from mdnb.generation.manifold import Manifolds
from mdnb.generation.novelty import NoveltyJudge, warning

__all__ = ["check_rows", "energy_rows", "neighbour_rows", "novelty_rows", "weighted_medians"]

#: Samples of each kind whose neighbourhoods are compared, and frames that set the limits of the checks.
_NEIGHBOURS, _LIMITS = 2_000, 5_000
_NAN = float("nan")


def neighbour_rows(case: Case) -> list[Row]:
    """Return precision, recall, density and coverage."""
    rows = []
    source, against = case.control
    floors: dict[int, dict[str, float]] = {}
    for name, one in case.made.items():
        n = min(_NEIGHBOURS, len(one), len(case.real))
        real, made = case.real.thinned(n), one.thinned(n)
        if n not in floors:
            floors[n] = Manifolds(against.thinned(n).features, source.thinned(n).features).scores()
        blocks = real.ensemble.blocks, made.ensemble.blocks
        manifolds = Manifolds(real.features, made.features, *blocks)
        draws = manifolds.draws(
            case.weights[:, : real.ensemble.n_blocks], case.weights_of(name)[:, : made.ensemble.n_blocks]
        )
        for metric, value in manifolds.scores().items():
            bounds = (0.0, np.inf if metric == "density" else 1.0)
            low, high = interval(value, draws[metric], min(real.ensemble.n_blocks, made.ensemble.n_blocks), bounds)
            rows.append(Row(name, metric, "", value, low, high, floors[n][metric], "higher"))
    return rows


def check_rows(case: Case) -> list[Row]:
    """Return the shares of structures that are chemically possible, by the limits of real MD.

    The floor is the share of held-out frames that pass.
    """
    source, against = case.control
    limits = Limits.measure(source.thinned(_LIMITS).ensemble.structures)
    expected = _checked(check_structures(against.thinned(_LIMITS).ensemble.structures, limits))
    if case.seen is None:
        limits = Limits.measure(case.real.thinned(_LIMITS).ensemble.structures)
    rows = []
    for name, one in case.made.items():
        weights = case.weights_of(name)[:, one.ensemble.blocks]
        for part, passed in _checked(check_structures(one.ensemble.structures, limits)).items():
            value, draws = float(passed.mean()), weights @ passed / weights.sum(1)
            low, high = interval(value, draws, one.ensemble.n_blocks, (0.0, 1.0))
            rows.append(Row(name, "passes all checks", part, value, low, high, float(expected[part].mean()), "higher"))
    return rows


def energy_rows(case: Case) -> list[Row]:
    """Return how far the median of the energy lies from that of the held-out MD, in kJ/mol."""
    if case.real.energies is None:
        return []
    middle = float(np.median(case.real.energies))
    real = case.real.ensemble
    draws = weighted_medians(case.real.energies, case.weights[:, : real.n_blocks][:, real.blocks])
    known = case.seen is not None and case.seen.energies is not None
    floor = abs(float(np.median(case.seen.energies)) - middle) if known and case.seen is not None else _NAN  # type: ignore[arg-type]
    rows = []
    for name, one in case.made.items():
        if one.energies is not None:
            value = abs(float(np.median(one.energies)) - middle)
            own = weighted_medians(one.energies, case.weights_of(name)[:, one.ensemble.blocks])
            low, high = interval(value, np.abs(own - draws), min(real.n_blocks, one.ensemble.n_blocks))
            rows.append(Row(name, "energy, shift of the median (kJ/mol)", "", value, low, high, floor, "lower"))
    return rows


def novelty_rows(case: Case) -> tuple[list[Row], list[str]]:
    """Return how new the structures are, and warnings about copies of training frames."""
    rows: list[Row] = []
    warnings: list[str] = []
    if case.seen is None:
        return rows, warnings
    novelty = NoveltyJudge(case.seen.ensemble, case.real.ensemble, case.space.coordinates.compared, seed=case.seed)
    for name, one in case.made.items():
        if name in case.baselines:
            continue
        chosen = one.thinned(novelty.most).ensemble
        found = novelty.judge(chosen.structures.xyz)
        n_blocks = min(chosen.n_blocks, case.real.ensemble.n_blocks)
        weights = case.weights_of(name)[:, : chosen.n_blocks][:, chosen.blocks]
        weights = weights / weights.sum(1, keepdims=True)
        share, preference = float(found.below.mean()), float(found.prefers.mean())
        low, high = found.below_interval(chosen.blocks, case.seed)
        rows.append(Row(name, "below the memorization line", "", share, low, high, 0.05, "lower"))
        between = interval(preference, weights @ found.prefers, n_blocks, (0.0, 1.0))
        rows.append(Row(name, "nearer to training than to held-out", "", preference, *between, novelty.fair, "lower"))
        middle, real = float(np.median(found.nearest)), float(np.median(novelty.expected))
        between = interval(middle, weighted_medians(found.nearest, weights), chosen.n_blocks)
        rows.append(Row(name, "RMSD to training, median (nm)", "", middle, *between, real, "higher"))
        text = warning(name, share, low, preference, novelty.fair, float(found.same.mean()))
        if text:
            warnings.append(text)
    return rows, warnings


def weighted_medians(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the median of values (n,) for each row of weights (n_draws, n), (n_draws,)."""
    order = np.argsort(values)
    share = np.cumsum(weights[:, order], axis=1, dtype=float)
    return np.asarray(values)[order][(share >= 0.5 * share[:, -1:]).argmax(1)]


def _checked(passed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the checks by name, and all together under the empty name."""
    every = {"": np.logical_and.reduce(list(passed.values())), **passed}
    return {name: values.astype(float) for name, values in every.items()}

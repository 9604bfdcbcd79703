"""Judgement: every figure of generated ensembles against held-out molecular dynamics, with intervals and floors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mdnb.errors import unknown_name

if TYPE_CHECKING:
    import pandas

__all__ = ["Judgement", "Ladder", "Row"]


@dataclass(frozen=True)
class Row:
    """One figure of one set of structures.

    Attributes
    ----------
    structures : str
        The set's name.
    metric : str
    part : str
        Of what: a torsion, a residue, a check; empty for the whole.
    value : float
    low, high : float
        95% interval by bootstrap of blocks of the held-out MD and of the structures; NaN where there are no blocks.
    floor : float
        The same figure of as many frames of training MD (of one half of the held-out MD against the other half where
        there is no training MD): no model can be expected to be better.
    better : str
        ``lower`` or ``higher``.
    md : float
        So much MD has the same value, in ps (frames where the time step is unknown); at the end of what there is to
        compare with, see `beyond`. NaN where it was not asked.
    beyond : str
        ``<`` where even the shortest MD is better, ``>`` where not even the longest is as good.
    """

    structures: str
    metric: str
    part: str
    value: float
    low: float
    high: float
    floor: float
    better: str
    md: float = float("nan")
    beyond: str = ""

    @property
    def ratio(self) -> float:
        """Value over floor."""
        return self.value / self.floor if self.floor else float("nan")

    @property
    def worse(self) -> bool:
        """Whether it is significantly worse than its floor: all of its interval, or the value where there is none."""
        if self.better == "higher":
            return bool((self.value if np.isnan(self.high) else self.high) < self.floor)
        return bool((self.value if np.isnan(self.low) else self.low) > self.floor)


@dataclass(frozen=True)
class Ladder:
    """One figure of ever longer molecular dynamics against the held-out one.

    Attributes
    ----------
    metric : str
    lengths : (n,) array
        In ps; in frames where the time step is unknown.
    values : (n,) array
        Mean over up to eight contiguous pieces.
    """

    metric: str
    lengths: np.ndarray
    values: np.ndarray

    def read(self, value: float) -> tuple[float, str]:
        """Return how much MD has a value, and whether that is the end of the ladder: ``<``, ``>`` or nothing."""
        best = np.minimum.accumulate(self.values)
        if not np.isfinite(value):
            return float("nan"), ""
        if value >= best[0]:
            return float(self.lengths[0]), "<" if value > best[0] else ""
        if value < best[-1]:
            return float(self.lengths[-1]), ">"
        return float(np.exp(np.interp(-value, -best, np.log(self.lengths)))), ""


@dataclass(frozen=True)
class Judgement:
    """Generated ensembles against held-out molecular dynamics; made by `mdnb.judge`.

    Attributes
    ----------
    rows : tuple of Row
    populations : tuple of Row
        How often each metastable state was seen; the value of the held-out MD is under the name ``held-out MD``.
    ladders : dict of Ladder by metric
    sizes : dict of int by set
        Structures that were judged.
    notes, warnings : tuple of str
        What a reader has to know, and what speaks against a set of structures.
    time_known : bool
        Whether lengths are in ps, and not in frames.
    """

    rows: tuple[Row, ...] = field(repr=False)
    populations: tuple[Row, ...] = field(repr=False)
    ladders: dict[str, Ladder] = field(repr=False)
    sizes: dict[str, int]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    time_known: bool = True

    @property
    def sets(self) -> tuple[str, ...]:
        """Names of the sets of structures, baselines included."""
        return tuple(self.sizes)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the figures."""
        return tuple(dict.fromkeys(row.metric for row in self.rows))

    def row(self, structures: str, metric: str, part: str = "") -> Row:
        """Return one figure of one set.

        Raises
        ------
        SpecError
            When there is no such set, figure or part.
        """
        if structures not in self.sizes:
            raise unknown_name("set of structures", structures, self.sets)
        if metric not in self.metrics:
            raise unknown_name("figure", metric, self.metrics)
        found = {one.part: one for one in self.rows if (one.structures, one.metric) == (structures, metric)}
        if part not in found:
            raise unknown_name(f"part of {metric!r}", part, [name for name in found if name])
        return found[part]

    def table(self, *, parts: bool = False) -> pandas.DataFrame:
        """Return the figures as a table, one line for each set and figure.

        Parameters
        ----------
        parts : bool
            Also each torsion, residue, distance and check on its own.

        Returns
        -------
        pandas.DataFrame
            Its columns: structures, metric, part (with `parts`), value, low, high, floor, value/floor, better, and
            how long MD has to be to be as good, in ns (in frames where the time step is unknown).
        """
        import pandas

        rows = [one for one in self.rows if parts or not one.part]
        table = pandas.DataFrame({
            "structures": [one.structures for one in rows],
            "metric": [one.metric for one in rows],
            "part": [one.part for one in rows],
            "value": [one.value for one in rows],
            "low": [one.low for one in rows],
            "high": [one.high for one in rows],
            "floor": [one.floor for one in rows],
            "value/floor": [one.ratio for one in rows],
            "better": [one.better for one in rows],
            "as good as MD of": [self.as_md(one) for one in rows],
        })  # fmt: skip
        return table if parts else table.drop(columns="part")

    def side_by_side(self) -> pandas.DataFrame:
        """Return the value of each figure, one line for each and one column for each set; `table` has the intervals."""
        table = self.table()
        wide = table.pivot(index="metric", columns="structures", values="value")
        wide = wide.reindex(index=table["metric"].unique(), columns=list(self.sets))
        return wide.rename_axis(index=None, columns=None)

    def state_table(self) -> pandas.DataFrame:
        """Return the population of each metastable state in each set, beside that of the held-out MD.

        Returns
        -------
        pandas.DataFrame
            Its columns: structures, state, obtained, expected, low and high (interval of the expected one), and
            whether what was obtained lies within.
        """
        import pandas

        known = {one.part: one for one in self.populations if one.structures == "held-out MD"}
        rows = [(one, known[one.part]) for one in self.populations if one.structures != "held-out MD"]
        return pandas.DataFrame({
            "structures": [one.structures for one, _ in rows],
            "state": [one.part for one, _ in rows],
            "obtained": [one.value for one, _ in rows],
            "expected": [real.value for _, real in rows],
            "low": [real.low for _, real in rows],
            "high": [real.high for _, real in rows],
            "within": [real.low <= one.value <= real.high for one, real in rows],
        })  # fmt: skip

    def as_md(self, row: Row) -> str:
        """Return how much MD is as good, in words such as ``> 30 ns``; empty where that was not asked."""
        if not np.isfinite(row.md):
            return ""
        length = f"{row.md / 1000:.3g} ns" if self.time_known else f"{row.md:.0f} frames"
        return f"{row.beyond} {length}".strip()

    def __repr__(self) -> str:
        names = self.sets
        width = max(len(metric) for metric in self.metrics)
        columns = [max(len(name), 22) for name in names]
        lines = [
            "Judgement: " + ", ".join(f"{name} ({n:,})" for name, n in self.sizes.items()),
            "  ".join(["".ljust(width), *(name.rjust(w) for name, w in zip(names, columns, strict=True)), "   floor"]),
        ]
        largest = max(names, key=lambda name: self.sizes[name])
        for metric in self.metrics:
            found = {one.structures: one for one in self.rows if one.metric == metric and not one.part}
            cells = [
                _cell(found[name]).rjust(w) if name in found else "".rjust(w)
                for name, w in zip(names, columns, strict=True)
            ]
            floor = found[largest].floor if largest in found else float("nan")
            floor = floor if np.isfinite(floor) else next((one.floor for one in found.values()), floor)
            lines.append(
                "  ".join([metric.ljust(width), *cells, f"{floor:8.3f}" if np.isfinite(floor) else ""]).rstrip()
            )
        first = next((metric for metric in self.metrics if metric in self.ladders), None)
        for name in names:
            row = next((one for one in self.rows if (one.structures, one.metric, one.part) == (name, first, "")), None)
            if row is not None and self.as_md(row):
                lines.append(f"  {first}: {name} is as good as MD of {self.as_md(row)}")
        if len(set(self.sizes.values())) > 1:
            lines.append(f"  the floor is that of {self.sizes[largest]:,} structures; table() has that of each set")
        lines += [f"  warning: {text}" for text in self.warnings] + [f"  note: {text}" for text in self.notes]
        return "\n".join(lines)


def _cell(row: Row) -> str:
    if not np.isfinite(row.low):
        return f"{row.value:.3f}"
    return f"{row.value:.3f} [{row.low:.3f}, {row.high:.3f}]"

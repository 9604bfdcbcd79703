"""control: whether generated structures have the property that was asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mdnb.errors import DataError
from mdnb.generation.asked import beyond
from mdnb.generation.generated import Generated

__all__ = ["Control", "control"]

_DRAWS = 1000


@dataclass(frozen=True)
class Control:
    """What was asked for against what was obtained.

    Attributes
    ----------
    slope, intercept : float
        Of the line of least squares, obtained over requested; 1 and 0 are perfect.
    correlation : float
        Pearson's; NaN where everything that was asked for, or obtained, is the same.
    low, high : float
        Its 95% interval by bootstrap over the structures.
    error : float
        Mean absolute error, in the property's unit.
    known : (2,) array or None
        The range of the training data.
    requested, obtained : (n,) arrays
    """

    slope: float
    intercept: float
    correlation: float
    low: float
    high: float
    error: float
    known: np.ndarray | None
    requested: np.ndarray = field(repr=False)
    obtained: np.ndarray = field(repr=False)

    def __len__(self) -> int:
        return len(self.requested)

    @property
    def percent(self) -> float:
        """Mean absolute error in percent of the range of the training data; NaN where that is not known."""
        if self.known is None:
            return float("nan")
        return 100 * self.error / float(self.known[1] - self.known[0])

    @property
    def outside(self) -> np.ndarray:
        """Which requests lie outside the range of the training data, (n,): extrapolation."""
        if self.known is None:
            return np.zeros(len(self), bool)
        return beyond(self.requested, *self.known)

    def inside(self) -> Control:
        """Return the same of the requests inside the range of the training data.

        Raises
        ------
        DataError
            When there are fewer than three.
        """
        keep = ~self.outside
        return control(self.requested[keep], self.obtained[keep], self.known)

    def __repr__(self) -> str:
        share = "" if self.known is None else f" ({self.percent:.1f}% of the training range)"
        text = (
            f"Control: {len(self):,} structures, correlation {self.correlation:.3f} [{self.low:.3f}, {self.high:.3f}], "
            f"slope {self.slope:.3f}, intercept {self.intercept:.3g}, mean absolute error {self.error:.3g}{share}"
        )
        if self.known is not None and self.outside.any():
            text += (
                f"\n  {int(self.outside.sum()):,} of {len(self):,} requests lie outside the training range, "
                f"{self.known[0]:.4g} to {self.known[1]:.4g}: extrapolation"
            )
        return text


def control(requested: Any, obtained: Any, known: Any = None, *, reference: Any = None, seed: int = 0) -> Control:
    """Compare what was asked for with what was obtained.

    Parameters
    ----------
    requested : Generated or (n,) array
        What `mdnb.generate` returned with a condition, or the numbers that were asked for.
    obtained : (n,) array or str
        What the structures have; the name of a target is computed from the structures of a `Generated`, as
        `mdnb.generation.measure.measured` does it.
    known : (m,) array, optional
        The values of the training data, or both ends of their range; of a `Generated` that of its run by default.
    reference : Trajectories or mdtraj.Trajectory, optional
        As `measured` takes it, for targets such as ``"native-contacts"``.
    seed : int
        Of the bootstrap.

    Returns
    -------
    Control

    Raises
    ------
    DataError
        When there are fewer than three, or they are no numbers but classes, or nothing was asked for.
    """
    if isinstance(requested, Generated):
        if requested.requested is None:
            raise DataError("these structures were generated without a condition; give one: mdnb.generate(run, n, ...)")
        if requested.origin is not None and requested.origin.classes:
            raise DataError(
                f"what was requested are classes ({', '.join(requested.origin.classes)}), which have no correlation; "
                "the share that was obtained is (mdnb.measured(made.structures, target) == made.requested).mean()"
            )
        if isinstance(obtained, str):
            from mdnb.generation.measure import measured

            obtained = measured(requested.structures, obtained, reference)
        if known is None and requested.origin is not None:
            known = requested.origin.target_range or None
        requested = requested.requested
    elif isinstance(obtained, str):
        raise DataError(
            f"obtained = {obtained!r}: a target by its name needs what mdnb.generate returned; give numbers instead"
        )
    asked, found = (_numbers(one, name) for one, name in ((requested, "requested"), (obtained, "obtained")))
    if asked.shape != found.shape or len(asked) < 3:
        raise DataError(
            f"{len(asked)} numbers were requested and {len(found)} obtained; expected as many of both, at least 3"
        )
    ends = None
    if known is not None:
        values = _numbers(known, "known")
        if len(values) < 2 or np.ptp(values) == 0:
            raise DataError("known has no range; give the values of the training data, or both ends of their range")
        ends = np.array([values.min(), values.max()])
    slope = intercept = float("nan")
    if np.ptp(asked) > 0:
        slope = float(np.cov(asked, found)[0, 1] / np.var(asked, ddof=1))
        intercept = float(found.mean() - slope * asked.mean())
    rows = np.random.default_rng(seed).integers(len(asked), size=(_DRAWS, len(asked)))
    draws = np.array([_pearson(asked[own], found[own]) for own in rows])
    draws = draws[np.isfinite(draws)]
    low, high = np.percentile(draws, [2.5, 97.5]) if len(draws) else (np.nan, np.nan)
    return Control(
        slope=slope,
        intercept=intercept,
        correlation=_pearson(asked, found),
        low=float(low),
        high=float(high),
        error=float(np.abs(found - asked).mean()),
        known=ends,
        requested=asked,
        obtained=found,
    )


def _numbers(values: Any, name: str) -> np.ndarray:
    found = np.asarray(values)
    if found.dtype.kind not in "iuf" or found.ndim != 1 or not np.isfinite(found).all():
        raise DataError(
            f"{name}: expected a row of finite numbers, got {found.dtype} of shape {found.shape}, or some that are not"
        )
    return found.astype(float)


def _pearson(first: np.ndarray, second: np.ndarray) -> float:
    a, b = first - first.mean(), second - second.mean()
    norm = float(np.sqrt(np.square(a).sum() * np.square(b).sum()))
    return float(np.clip((a * b).sum() / norm, -1, 1)) if norm > 0 else float("nan")

"""Landscape: two quantities of every frame, how often they occur together, and which frames lie where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from mdnb.errors import DataError, SpecError
from mdnb.features.base import Features
from mdnb.grids import Grid
from mdnb.quantities import Quantities, Quantity
from mdnb.sources.recipes import BOLTZMANN

if TYPE_CHECKING:
    from mdnb.runs import Run

__all__ = ["Landscape", "landscape"]


@dataclass(frozen=True)
class Landscape:
    """Two quantities of every sample, and the density that they span.

    Attributes
    ----------
    x, y : Quantity
    frames : (n_samples,) int array
        The frame of each sample, counted over all trajectories: the last one of a window. In rising order.
    trajectory : (n_samples,) int array
    time : (n_samples,) array
        In ps; NaN where unknown.
    names : tuple of str
        Of the trajectories.
    temperature : float or None
        In kelvin, for free energies in kJ/mol; in kT where it is not known.
    bins : int
        Along each axis.
    colour : Quantity or None
        What the single points are coloured by.
    """

    x: Quantity
    y: Quantity
    frames: np.ndarray
    trajectory: np.ndarray = field(repr=False)
    time: np.ndarray = field(repr=False)
    names: tuple[str, ...] = field(repr=False)
    temperature: float | None = None
    bins: int = 60
    colour: Quantity | None = None

    def __len__(self) -> int:
        return len(self.frames)

    # --- density ------------------------------------------------------------------------------------------------------

    @cached_property
    def grid(self) -> Grid:
        """All samples in their bins."""
        return Grid(self.x.values, self.y.values, self.bins)

    @property
    def edges(self) -> tuple[np.ndarray, np.ndarray]:
        """Edges of the bins along x and y, (bins + 1,) each."""
        return self.grid.edges

    @property
    def cells(self) -> np.ndarray:
        """The bin of each sample, ``column * bins + row``, (n_samples,)."""
        return self.grid.cells

    @property
    def counts(self) -> np.ndarray:
        """Samples in each bin, (bins along x, bins along y)."""
        return self.grid.counts

    @property
    def unit(self) -> str:
        """The unit of the free energy."""
        return "kT" if self.temperature is None else "kJ/mol"

    @cached_property
    def free_energy(self) -> np.ndarray:
        """``-kT ln p`` of each bin above the lowest one, (bins along x, bins along y); NaN where nothing was seen."""
        kt = 1.0 if self.temperature is None else BOLTZMANN * self.temperature
        with np.errstate(divide="ignore"):
            energy = -kt * np.log(self.counts / len(self))
        energy[~np.isfinite(energy)] = np.nan
        return np.asarray(energy - np.nanmin(energy))

    # --- which samples ------------------------------------------------------------------------------------------------

    def draw(self, n: int = 3000, among: np.ndarray | None = None, seed: int = 0) -> np.ndarray:
        """Return the numbers of at most n samples, at least one of every bin as long as n allows, in rising order.

        Each bin gives the same number of samples, or all that it has: what is rare stays to be seen.

        Parameters
        ----------
        n : int
        among : (n_chosen,) int array, optional
            Numbers of samples to draw from; all when left out.
        seed : int
        """
        chosen = np.arange(len(self)) if among is None else np.asarray(among, int)
        if len(chosen) <= n:
            return np.sort(chosen)
        rng = np.random.default_rng(seed)
        chosen = chosen[rng.permutation(len(chosen))]
        cells = self.cells[chosen]
        order = np.argsort(cells, kind="stable")
        ordered = cells[order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        sizes = np.diff(np.r_[starts, len(ordered)])
        rank = np.arange(len(ordered)) - np.repeat(starts, sizes)  # the how manieth of its bin
        # The first of every bin, the rarest bin first, then the second of every bin that has one, and so on.
        wanted = np.flatnonzero(rank < _enough(sizes, n))
        kept = order[wanted[np.lexsort((np.repeat(sizes, sizes)[wanted], rank[wanted]))[:n]]]
        return np.sort(chosen[kept])

    def inside(self, x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> np.ndarray:
        """Return the numbers of all samples inside a polygon, in rising order.

        Parameters
        ----------
        x, y : (n_corners,) arrays
            In the units of the axes; the last corner is joined to the first.

        Raises
        ------
        DataError
            When there are fewer than three corners.
        """
        corners = np.stack([np.asarray(x, float), np.asarray(y, float)], axis=1)
        if len(corners) < 3 or not np.isfinite(corners).all():
            raise DataError(f"a polygon of {len(corners)} corners encloses nothing; give three or more, all finite")
        return self.grid.inside(corners)

    def along(self, of: Quantity, corners: Sequence[Sequence[float]]) -> np.ndarray:
        """Return the frames that lie inside a polygon over frame and quantity, as on a time trace, in rising order.

        Raises
        ------
        DataError
            When there are fewer than three corners, or no frame is inside.
        """
        from matplotlib.path import Path

        polygon = np.asarray(corners, float)
        if polygon.ndim != 2 or len(polygon) < 3:
            raise DataError(f"a polygon of {len(polygon)} corners encloses nothing; give three or more")
        first, last = np.searchsorted(self.frames, [polygon[:, 0].min(), polygon[:, 0].max() + 1e-9])
        points = np.stack([self.frames[first:last].astype(float), of.values[first:last]], axis=1)
        inside = self.frames[first:last][Path(polygon).contains_points(points)]
        if not len(inside):
            raise DataError("no frame lies in there; draw around a part of the trace")
        return np.asarray(inside)

    def trace(self, of: Quantity, most: int = 4000) -> tuple[np.ndarray, np.ndarray]:
        """Return frames and values of a line through a quantity, NaN between trajectories.

        Longer ones are thinned: the lowest and the highest value of each stretch stay, so that no event is lost.

        Parameters
        ----------
        of : Quantity
        most : int
            About how many points.
        """
        n, values = len(self), of.values
        breaks = np.flatnonzero(np.diff(self.trajectory)) + 1
        if n > most:
            starts = np.unique(np.r_[np.linspace(0, n, max(most // 2, 1), endpoint=False).astype(int), breaks])
            ends = np.stack([np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)], axis=1)
            # The line goes up and down in turns, so that it does not jump twice in every stretch.
            ends[1::2] = ends[1::2, ::-1]
            frames, values = np.repeat(self.frames[starts], 2).astype(float), ends.ravel()
            breaks = 2 * np.searchsorted(starts, breaks)
        else:
            frames = self.frames.astype(float)
        return np.insert(frames, breaks, np.nan), np.insert(np.asarray(values, float), breaks, np.nan)

    def nearest(self, x: float, y: float) -> int:
        """Return the number of the sample nearest to a point, distances in shares of the axes' ranges."""
        spans = [edges[-1] - edges[0] for edges in self.edges]
        return int(np.argmin(((self.x.values - x) / spans[0]) ** 2 + ((self.y.values - y) / spans[1]) ** 2))

    def of_frames(self, frames: Any) -> np.ndarray:
        """Return the numbers of the samples of some frames, in rising order.

        Raises
        ------
        DataError
            For a frame that is not one of the samples.
        """
        asked = np.unique(np.asarray(frames))
        if asked.size and asked.dtype.kind not in "iu":
            raise DataError(f"got {frames!r} as frames, expected whole numbers")
        place = np.searchsorted(self.frames, asked)
        missing = asked[(place >= len(self)) | (self.frames[np.minimum(place, len(self) - 1)] != asked)]
        if len(missing):
            raise DataError(
                f"frame {missing[0]} is not in the landscape of {len(self):,} samples, whose frames are "
                f"{self.frames[0]} to {self.frames[-1]}"
            )
        return np.asarray(place, int)

    def sample_of(self, frame: int) -> int | None:
        """Return the number of a frame's sample, or None where the frame has none."""
        place = int(np.searchsorted(self.frames, frame))
        return place if place < len(self) and self.frames[place] == frame else None

    def where(self, frame: int) -> str:
        """Return in words which frame this is and what it is like."""
        number = self.sample_of(frame)
        if number is None:
            return f"frame {frame:,}: it ends no window, so that the model says nothing of it"
        text = f"frame {frame:,} of {self.names[self.trajectory[number]]}"
        if np.isfinite(self.time[number]):
            text += f", {self.time[number] / 1000:.4g} ns"
        return text + "".join(f"; {axis.label} {axis.values[number]:.4g}" for axis in (self.x, self.y))

    def __repr__(self) -> str:
        where = "" if self.temperature is None else f" at {self.temperature:g} K"
        return (
            f"Landscape: {len(self):,} samples over {self.x.label} and {self.y.label}; {(self.counts > 0).sum():,}"
            f" of {self.bins**2:,} bins seen, free energy up to {np.nanmax(self.free_energy):.3g} {self.unit}{where}"
        )


def landscape(
    features: Features | Quantities,
    x: Any = None,
    y: Any = None,
    *,
    run: Run | None = None,
    colour: Any = None,
    temperature: float | None = None,
    bins: int = 60,
) -> Landscape:
    """Return how often two quantities occur together, and which frames lie where.

    Parameters
    ----------
    features : Features
        Or `Quantities`, which know their run and keep what it encodes.
    x, y : str or (n_frames,) array, optional
        A column, an angle by its group (such as ``"phi ALA2"``: in degrees, from sine and cosine), ``"latent 0"``
        or ``"slow mode 0"`` of a run, or any number per frame. By default the two latents that vary most, the two
        slowest modes, or the first two angles or columns.
    run : Run, optional
        A model with latents or slow modes, `Run.encode`.
    colour : str or array, optional
        What the single points are coloured by: as `x`, or ``"time"`` or ``"trajectory"``.
    temperature : float, optional
        In kelvin.
    bins : int
        Along each axis, 10 to 400.

    Raises
    ------
    SpecError
        For an unknown quantity, or a number of bins or a temperature that is none.
    DataError
        When the features are not those of the run, or numbers are missing.
    """
    if isinstance(bins, bool) or not isinstance(bins, int | np.integer) or not 10 <= bins <= 400:
        raise SpecError(f"bins = {bins!r}: expected a whole number of 10 to 400")
    if temperature is not None and not (np.isfinite(temperature) and temperature > 0):
        raise SpecError(f"temperature = {temperature!r}: expected kelvin above 0, or None for free energies in kT")
    known = features if isinstance(features, Quantities) else Quantities(features, run)
    default = known.two() if x is None or y is None else ("", "")
    one, two = (known.read(default[i] if asked is None else asked, "xy"[i]) for i, asked in enumerate((x, y)))
    painted = None if colour is None else known.read(colour, "colour")
    for quantity in (one, two):
        wrong = int(np.count_nonzero(~np.isfinite(quantity.values)))
        if wrong:
            raise DataError(
                f"{quantity.name} holds NaN or infinite numbers in {wrong} of {len(quantity.values)} frames; "
                "leave those frames out"
            )
    source = known.features
    return Landscape(
        one, two, known.frames, source.trajectory[known.frames], source.time[known.frames], tuple(source.source.names),
        None if temperature is None else float(temperature), int(bins), painted,
    )  # fmt: skip


def _enough(sizes: np.ndarray, n: int) -> int:
    """Return how many of each bin give n samples at least, by bisection."""
    low, high = 1, int(sizes.max())
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if np.minimum(sizes, middle).sum() >= n else (middle + 1, high)
    return low

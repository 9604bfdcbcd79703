"""Quantities: what there is to know of each frame, by name: latents and slow modes of a run, angles, columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from mdnb.errors import DataError, unknown_name
from mdnb.features.base import Features

if TYPE_CHECKING:
    from mdnb.runs import Run

__all__ = ["Quantities", "Quantity"]

_OF_COLOUR = ("time", "trajectory")


@dataclass(frozen=True)
class Quantity:
    """One number per sample.

    Attributes
    ----------
    name : str
    unit : str
    values : (n_samples,) array
    """

    name: str
    unit: str
    values: np.ndarray = field(repr=False)

    @property
    def label(self) -> str:
        """The name with its unit."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


class Quantities:
    """The quantities of features, and of what a run makes of them.

    Parameters
    ----------
    features : Features
    run : Run, optional
        A model with latents or slow modes. Its samples are windows, each known by its last frame; what it encodes
        is computed once.

    Attributes
    ----------
    frames : (n_samples,) int array
        The frame of each sample, in rising order.
    """

    def __init__(self, features: Features, run: Run | None = None) -> None:
        self.features, self.run = features, run
        if run is None:
            self.frames = np.arange(len(features))
            self._order = self.frames
        else:
            run.check(features)
            ends = np.asarray(run.samples(features).frames[:, -1])
            self._order = np.argsort(ends, kind="stable")
            self.frames = ends[self._order]

    @cached_property
    def encoded(self) -> np.ndarray:
        """Latents or slow modes of each sample, (n_samples, n_outputs); without columns where there is no run."""
        if self.run is None:
            return np.empty((len(self.frames), 0), np.float32)
        return self.run.encode(self.features)[self._order]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All names that `read` knows: of the run, angles, columns."""
        latents = (f"{self._kind} {number}" for number in range(self.encoded.shape[1]))
        return (*latents, *self._angles, *self.features.names)

    @property
    def _kind(self) -> str:
        return "slow mode" if self.run is not None and self.run.task.kind == "slow" else "latent"

    @cached_property
    def _angles(self) -> tuple[str, ...]:
        """The groups that have a sine and a cosine."""
        known = set(self.features.names)
        groups = dict.fromkeys(column.group for column in self.features.columns if column.group)
        return tuple(group for group in groups if {f"sin {group}", f"cos {group}"} <= known)

    def two(self) -> tuple[str, str]:
        """Return the names of the two that a map is made of unless others are asked for.

        The two latents that vary most, the two slowest modes, or the first two of all.

        Raises
        ------
        DataError
            When there is one only.
        """
        n_outputs = self.encoded.shape[1]
        if n_outputs >= 2:
            spread = (
                np.zeros(n_outputs) if self._kind == "slow mode" else self.encoded.std(0)
            )  # slow ones come in order
            first, second = sorted(np.argsort(-spread, kind="stable")[:2].tolist())
            return f"{self._kind} {first}", f"{self._kind} {second}"
        if len(self.names) < 2:
            raise DataError(f"a map needs two quantities, the features have {len(self.names)}; featurize more")
        return self.names[0], self.names[1]

    def read(self, asked: Any, what: str = "quantity") -> Quantity:
        """Return a quantity of every sample.

        Parameters
        ----------
        asked : str or (n_frames,) array
            One of `names`, ``"time"``, ``"trajectory"``, or any number per frame.
        what : str
            What it is for, which names an array.

        Raises
        ------
        SpecError
            For an unknown name.
        DataError
            For an array of another shape.
        """
        if not isinstance(asked, str):
            values = np.asarray(asked, float)
            if values.shape != (len(self.features),):
                raise DataError(
                    f"{what} has the shape {values.shape}, expected ({len(self.features)},): one number for each "
                    "frame, or a name"
                )
            return Quantity(what, "", values[self.frames])
        if asked in self._angles:
            sine, cosine = (self.features.column(f"{kind} {asked}")[self.frames] for kind in ("sin", "cos"))
            angle = np.degrees(np.arctan2(sine, cosine))
            return Quantity(asked, "degrees", angle)
        if asked in self.features.names:
            number = self.features.names.index(asked)
            values = np.asarray(self.features.column(asked)[self.frames], float)
            return Quantity(asked, self.features.columns[number].unit, values)
        if asked in self.names:
            return Quantity(asked, "", np.asarray(self.encoded[:, self.names.index(asked)], float))
        if asked == "time":
            return Quantity(asked, "ns", self.features.time[self.frames] / 1000)
        if asked == "trajectory":
            return Quantity(asked, "", self.features.trajectory[self.frames].astype(float))
        raise unknown_name("quantity", asked, (*self.names, *_OF_COLOUR))

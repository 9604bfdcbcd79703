"""Colours of atoms: by element, or by a value on a symmetric scale around zero."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mdnb.errors import DataError

__all__ = ["Scale", "element_colours"]

# Blue, grey, vermilion: told apart with every common colour vision deficiency and, by lightness, in grey.
_STOPS = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
_COLOURS = np.array([[14, 66, 129], [92, 151, 205], [225, 225, 225], [236, 141, 72], [166, 60, 6]], float)
_MISSING = "#9b9b9b"
_ELEMENTS = {
    "H": "#d9dde2", "C": "#606a75", "N": "#3366c4", "O": "#d5372c", "S": "#d9a514", "P": "#e07b1a",
    "F": "#4f9e3f", "Cl": "#3f9e4f", "Br": "#8f3a2a", "I": "#6d2c8f", "Na": "#7d5bc4", "K": "#7d5bc4",
    "Mg": "#3f8f5f", "Ca": "#3f8f5f", "Zn": "#7d80b0", "Fe": "#c46a2b",
}  # fmt: skip


def element_colours(symbols: Iterable[str]) -> list[str]:
    """Return one ``#rrggbb`` per element symbol; hydrogens light, unknown elements magenta."""
    return [_ELEMENTS.get(symbol, "#b0508f") for symbol in symbols]


@dataclass(frozen=True)
class Scale:
    """A diverging colour scale from ``-limit`` to ``limit``.

    Attributes
    ----------
    limit : float
        The largest magnitude; 1 where every value is zero.
    unit : str
    """

    limit: float
    unit: str = ""

    @classmethod
    def of(cls, values: NDArray[np.floating], unit: str = "") -> Scale:
        """Return the scale that holds every finite one of `values`."""
        finite = np.abs(values[np.isfinite(values)])
        largest = float(finite.max()) if finite.size else 0.0
        return cls(largest if largest > 0 else 1.0, unit)

    def rgb(self, values: NDArray[np.floating]) -> NDArray[np.uint8]:
        """Return ``(n, 3)`` colours of ``(n,)`` values; those beyond the limit take its colour."""
        place = np.clip(np.nan_to_num(np.asarray(values, float) / self.limit) / 2 + 0.5, 0, 1)
        channels = [np.interp(place, _STOPS, _COLOURS[:, channel]) for channel in range(3)]
        return np.stack(channels, axis=-1).round().astype(np.uint8)

    def colours(self, values: NDArray[np.floating]) -> list[str]:
        """Return one ``#rrggbb`` per value; a value that is not a number is grey."""
        values = np.asarray(values, float)
        return [
            "#{:02x}{:02x}{:02x}".format(*rgb) if np.isfinite(value) else _MISSING
            for value, rgb in zip(values, self.rgb(values), strict=True)
        ]

    def labels(self) -> tuple[str, str, str]:
        """Return the numbers at the low end, the middle and the high end."""
        shown = f"{self.limit:.3g}"
        return f"\N{MINUS SIGN}{shown}", "0", f"+{shown}"

    def css_gradient(self) -> str:
        """Return the scale as a CSS background, low end left."""
        colours = self.colours((_STOPS * 2 - 1) * self.limit)
        stops = ", ".join(f"{colour} {place:.0%}" for colour, place in zip(colours, _STOPS, strict=True))
        return f"linear-gradient(to right, {stops})"


def atom_values(values: object, n_atoms: int) -> NDArray[np.float64] | None:
    """Return per-atom values as an array, or None if there are none.

    Raises
    ------
    DataError
        If they are not one number per atom.
    """
    if values is None:
        return None
    try:
        array = np.array(values, float)
    except (TypeError, ValueError) as error:
        raise DataError(f"values must be numbers, one per atom, got {type(values).__name__}: {error}") from error
    if array.shape != (n_atoms,):
        raise DataError(
            f"values has shape {array.shape}, expected ({n_atoms},): one number per atom of the structure; "
            "sum or average over frames first"
        )
    return array

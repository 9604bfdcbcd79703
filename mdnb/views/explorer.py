"""Explore: a map of two quantities, the traces of both and the structure, linked all ways."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from traitlets import Int, TraitError, TraitType, observe, validate

from mdnb.errors import DataError, SpecError
from mdnb.figures import landscape_figure
from mdnb.figures.still import still_html
from mdnb.landscapes import Landscape, landscape
from mdnb.quantities import Quantities
from mdnb.views import _way
from mdnb.views._source import features_lines, name_of
from mdnb.views._view import View, call_text
from mdnb.views.structure_view import StructureView

__all__ = ["Explorer"]

#: A click further than this share of the map's width from every frame is one beside them.
_NEAR = 0.04


class _Frames(TraitType[Any, Any]):
    """Numbers of frames, sorted, none twice; changed only if another frame is among them."""

    def validate(self, obj: Any, value: Any) -> np.ndarray:
        asked = np.unique(np.atleast_1d(np.asarray(value)))
        if asked.size and asked.dtype.kind not in "iu":
            raise TraitError(f"got {value!r} as frames, expected whole numbers")
        return asked.astype(np.int64)

    def set(self, obj: Any, value: Any) -> None:
        new: Any = self._validate(obj, value)
        old: Any = obj._trait_values.get(self.name)
        if old is None or not np.array_equal(old, new):
            obj._trait_values[self.name] = new
            obj._notify_trait(self.name, old, new)


class Explorer(View):
    """See where the frames lie in two quantities, choose some, and watch them.

    Click into the map and the frames of that place play; draw around points, on the map or on a trace, and those
    play. Move the frame's slider and the mark moves. What is chosen is found among all frames, also where only a
    part of them is drawn.

    Parameters
    ----------
    features : Features
    x, y : str or (n_frames,) array, optional
        As for `mdnb.landscape`: a column, an angle such as ``"phi ALA2"``, ``"latent 0"`` of the run.
    run : Run, optional
        A model with latents or slow modes, which are then the map.
    colour : str or array, optional
        What single points are coloured by: as `x`, or ``"time"`` or ``"trajectory"``.
    temperature : float, optional
        In kelvin, for free energies in kJ/mol; in kT where it is not known.
    bins : int
        Of the map, along each axis.
    inside : sequence of (x, y), optional
        Corners of a polygon: the frames inside are chosen.
    chosen : sequence of int or str, optional
        The frames that are chosen, counted over all trajectories; ``"0-9,15"`` is the first ten and another.
    frame : int
        The one shown first.
    n_points : int
        Points drawn on the map and the traces.

    Attributes
    ----------
    value : (n_chosen,) int array
        The frames chosen, in rising order; set it to choose others.
    frame : int
        The frame shown.
    landscape : Landscape

    Raises
    ------
    SpecError
        For an unknown quantity.
    DataError
        For features that are not those of the run, or frames that are not there.
    """

    value = _Frames(help="The frames chosen, counted over all trajectories.")
    frame = Int(0, help="The frame shown.")

    def __init__(
        self,
        features: Any,
        x: Any = None,
        y: Any = None,
        *,
        run: Any = None,
        colour: Any = None,
        temperature: float | None = None,
        bins: int = 60,
        inside: Sequence[Sequence[float]] | None = None,
        chosen: Sequence[int] | str = (),
        frame: int = 0,
        n_points: int = 2000,
    ) -> None:
        super().__init__()
        self.features, self.run, self.n_points = features, run, n_points
        self.quantities = Quantities(features, run)
        self._inside: list[list[float]] | None = None
        self._held, self._playing = False, None
        self._asked: dict[str, Any] = {}
        self.structure = StructureView(features.source, frame=frame, width=335, height=380)
        self._trait_values["value"] = np.empty(0, np.int64)
        self.show(x, y, colour=colour, temperature=temperature, bins=bins)
        self.frame = frame
        self.structure.observe(self._follow, "value")
        if inside is not None:
            self.choose_inside(inside)
        elif len(chosen):
            self.value = read_frames(chosen) if isinstance(chosen, str) else chosen

    def show(
        self, x: Any = None, y: Any = None, *, colour: Any = None, temperature: float | None = None, bins: int = 60
    ) -> None:
        """Make the map of other quantities; what is chosen stays. Parameters and errors as for the class."""
        made = landscape(self.quantities, x, y, colour=colour, temperature=temperature, bins=bins)
        moved = self._asked and (made.x.name, made.y.name) != (self.landscape.x.name, self.landscape.y.name)
        self.landscape: Landscape = made
        self._asked = {"x": x if x is not None else made.x.name, "y": y if y is not None else made.y.name}
        self._asked |= {"colour": colour, "temperature": made.temperature, "bins": made.bins}
        if moved:
            self._inside = None
        if self._controls is not None:
            self._controls.load()

    def choose_inside(self, corners: Sequence[Sequence[float]]) -> None:
        """Choose all frames inside a polygon on the map.

        Parameters
        ----------
        corners : sequence of (x, y)
            In the units of the axes; six digits count.

        Raises
        ------
        DataError
            When it has fewer than three corners, or no frame is inside.
        """
        rounded = [[float(f"{number:.6g}") for number in corner] for corner in corners]
        numbers = self.landscape.inside(*np.array(rounded, float).reshape(-1, 2).T)
        if not len(numbers):
            raise DataError("no frame lies in there; draw around places of the map that have a colour")
        held, self._held = self._held, True
        try:
            self.value = self.landscape.frames[numbers]
            self._inside = rounded
        finally:
            self._held = held
            self._show()

    def choose_near(self, x: float, y: float) -> None:
        """Choose the frames in the bin of the map at a point, and show the one nearest to the point.

        Raises
        ------
        DataError
            When no frame is there.
        """
        made = self.landscape
        number = made.nearest(x, y)
        away = [
            abs(axis.values[number] - at) / (edges[-1] - edges[0])
            for axis, at, edges in zip((made.x, made.y), (x, y), made.edges, strict=True)
        ]
        if max(away) > _NEAR:
            raise DataError("no frame lies there; click on places of the map that have a colour")
        column, row = divmod(int(made.cells[number]), made.bins)
        (left, right), (low, high) = made.edges[0][column : column + 2], made.edges[1][row : row + 2]
        self._held = True  # so that all is shown at once, and no other frame between
        try:
            self.frame = int(made.frames[number])
            self.choose_inside([[left, low], [right, low], [right, high], [left, high]])
        finally:
            self._held = False
            self._show()

    @validate("value")
    def _check_value(self, proposal: Any) -> np.ndarray:
        chosen: np.ndarray = proposal["value"]
        n_frames = self.structure.n_frames
        if chosen.size and not 0 <= chosen[0] <= chosen[-1] < n_frames:
            wrong = chosen[0] if chosen[0] < 0 else chosen[-1]
            raise TraitError(f"no frame {wrong}: there are {n_frames} (0 to {n_frames - 1})")
        return chosen

    @observe("value")
    def _on_value(self, change: Any) -> None:
        self._inside = None
        self._show()

    @observe("frame")
    def _on_frame(self, change: Any) -> None:
        self._show()

    def _show(self) -> None:
        """Show frame and chosen frames: in words and on the map first, as the structure takes the browser longer."""
        if self._held or not hasattr(self, "structure"):
            return
        if self._controls is not None:
            self._controls.tell()
            _way.let_out()
        if self._playing is not self.value:
            self._playing = self.value
            self.structure.play(self.value, self.frame)
        else:
            self.structure.value = self.frame

    def _follow(self, change: Any) -> None:
        self.frame = change["new"]

    def describe(self) -> str:
        """Return in words what is chosen and which frame is shown."""
        n = len(self.value)
        if n:
            place = np.searchsorted(self.landscape.frames, self.value)
            of = len(np.unique(self.features.trajectory[self.value]))
            words = f"{n:,} {'frame' if n == 1 else 'frames'} chosen ({n / len(self.features):.2%})"
            words += f", of {of:,} {'trajectory' if of == 1 else 'trajectories'}"
            known = place[(place < len(self.landscape))]
            for axis in (self.landscape.x, self.landscape.y):
                inside = axis.values[known]
                words += f"; {axis.label} {inside.min():.4g} to {inside.max():.4g}" if len(inside) else ""
        else:
            words = "No frames are chosen: all play"
        return f"{words}. Shown: {self.landscape.where(self.frame)}."

    def code(self) -> str:
        """Return the Python that makes this map with the same frames chosen."""
        asked = {name: self._asked[name] for name in ("x", "y", "colour")}
        arrays = [f"{name}={name_of(one, name)}" for name, one in asked.items() if not isinstance(one, str | None)]
        run = [] if self.run is None else [f"run={name_of(self.run, 'run')}"]
        given = {name: value for name, value in self.parameters().items() if value not in (None, 0)}
        if given["bins"] == 60:
            del given["bins"]
        made = call_text("mdnb.Explorer", "features", *run, *arrays, **given)
        return "\n".join(["import mdnb", "", *features_lines(self.features), f"explorer = {made}", "explorer"])

    def parameters(self) -> dict[str, Any]:
        """Return axes, frame and what is chosen."""
        chosen: dict[str, Any] = {}
        if self._inside is not None:
            chosen = {"inside": self._inside}
        elif len(self.value):
            chosen = {"chosen": write_frames(self.value)}
        named = {name: one for name, one in self._asked.items() if one is None or isinstance(one, str | int | float)}
        return {**named, "frame": self.frame, **chosen}

    def static_html(self) -> str:
        """Return map and structure as HTML for a report."""
        figure = landscape_figure(self.landscape, frame=self.frame, chosen=self.value, n_points=self.n_points)
        return (
            f"{still_html(figure, self.describe())}<p>{escape(self.describe())}</p>"
            f"{self.structure.static_html()}{self._settings_html()}"
        )

    def _picture(self) -> tuple[bytes | None, str]:
        from mdnb.figures.still import still_png

        figure = landscape_figure(self.landscape, frame=self.frame, chosen=self.value, n_points=self.n_points)
        return still_png(figure), f"{self.landscape!r}. {self.describe()}"

    def close(self) -> None:
        """Take the live widget away with all it holds; what is chosen stays."""
        super().close()
        self.structure.close()

    def _make_controls(self) -> Any:
        from mdnb.views._explorer_controls import ExplorerControls

        return ExplorerControls(self)

    def __repr__(self) -> str:
        return f"Explorer of {self.landscape!r}. {self.describe()}"


def write_frames(frames: np.ndarray) -> str:
    """Return frames in few letters, such as ``0-9,15``."""
    breaks = np.flatnonzero(np.diff(frames) != 1) + 1
    parts = np.split(np.asarray(frames), breaks)
    return ",".join(f"{part[0]}" if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)


def read_frames(text: str) -> np.ndarray:
    """Return the frames that a text such as ``0-9,15`` stands for.

    Raises
    ------
    SpecError
        When it is none.
    """
    found = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if not first.isdigit() or (last and not last.isdigit()) or int(last or first) < int(first):
            raise SpecError(f"{part!r} is no range of frames; write them as in '0-9,15'")
        found.append(np.arange(int(first), int(last or first) + 1))
    return np.unique(np.concatenate(found))

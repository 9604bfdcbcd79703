"""Marks over a live plotly figure, which plotly itself would lay out anew for each of them; and the mouse on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import anywidget
import numpy as np
import traitlets

from mdnb.views._frame import STATIC

__all__ = ["Marks"]


class Marks(anywidget.AnyWidget):
    """A canvas over the figure that stands in the same box of the class ``mdnb-plot`` (see ``static/marks.js``)."""

    _esm = (STATIC / "marks.js").read_text(encoding="utf-8")

    panels: Any = traitlets.List(help="Dicts: axes (x, y) of a subplot, columns of the points, size.").tag(sync=True)
    colour = traitlets.Unicode("#CC79A7", help="Of the points.").tag(sync=True)
    subplots: Any = traitlets.List(help="Axes (x, y) of each subplot that can be clicked on.").tag(sync=True)
    points = traitlets.Bytes(help="(n, 3) float32 numbers.").tag(sync=True)
    shapes: Any = traitlets.List(
        help="Dicts: kind (ring, line, column, row), axes (x, y), at (numbers on them), color."
    ).tag(sync=True)

    def put(self, points: np.ndarray | None = None, shapes: list[dict[str, Any]] | None = None) -> None:
        """Draw other points, (n, 3), or other shapes, in one message."""
        with self.hold_sync():
            if points is not None:
                self.points = np.ascontiguousarray(points, np.float32).tobytes()
            if shapes is not None:
                self.shapes = shapes

    def listen(
        self,
        click: Callable[[str, float, float], None],
        around: Callable[[str, list[list[float]]], None] | None = None,
    ) -> None:
        """Call back with the subplot, such as ``"x2y2"``, and the place in its units that is clicked on.

        Parameters
        ----------
        click : callable
        around : callable, optional
            Called with the subplot and the corners of what is drawn with the lasso or the box.
        """

        def heard(widget: Any, content: Any, buffers: Sequence[Any]) -> None:
            subplot = "".join(content["axes"])
            if content["kind"] == "click":
                click(subplot, *map(float, content["at"]))
            elif around is not None:
                around(subplot, [[float(one) for one in corner] for corner in content["corners"]])

        self.on_msg(heard)

"""Marks over a live plotly figure, which plotly itself would lay out anew for each of them."""

from __future__ import annotations

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

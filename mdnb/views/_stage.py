"""A `StructureView` inside another widget: its canvas and frame controls, without a foot of its own."""

from __future__ import annotations

from typing import Any

import ipywidgets

from mdnb.views._frame import Frame

__all__ = ["Stage"]


class Stage:
    """What is shown of a structure view in a larger widget; closed with it.

    Parameters
    ----------
    frame : Frame
        Of the larger widget.
    structure : StructureView

    Attributes
    ----------
    box : ipywidgets.VBox
    """

    def __init__(self, frame: Frame, structure: Any) -> None:
        self.structure = structure
        structure.widget  # noqa: B018 - makes it
        self.controls = structure._controls
        parts = [self.controls.canvas, self.controls.frame_row, self.controls.note, self.controls.message]
        self.box = ipywidgets.VBox(parts, layout=ipywidgets.Layout(width=f"{structure.width + 4}px"))
        self.box.add_class("mdnb-stage")
        self.controls.frame_row.layout.flex_flow = "row wrap"
        frame.on_theme(self.controls._on_dark)
        frame.on_close(self._close)

    def _close(self) -> None:
        self.box.children = ()
        self.structure.close()

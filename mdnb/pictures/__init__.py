"""Pictures of structures that need no live kernel: a PNG, and HTML that a report makes turn."""

from __future__ import annotations

from mdnb.pictures.colours import Scale, element_colours
from mdnb.pictures.drawing import Drawing, drawing, face_on
from mdnb.pictures.html import structure_html
from mdnb.pictures.png import structure_png

__all__ = ["Drawing", "Scale", "drawing", "element_colours", "face_on", "structure_html", "structure_png"]

"""The live half of `Explorer`: one plotly figure and one structure."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets
import numpy as np

from mdnb.figures.landscapes import DENSITY, LINES, POINTS, TRACES, chosen_points, landscape_figure
from mdnb.figures.style import COLORS
from mdnb.views._figure import drop_outlines, new_figure
from mdnb.views._frame import Frame
from mdnb.views._live import shows_errors
from mdnb.views._marks import Marks
from mdnb.views._stage import Stage

__all__ = ["ExplorerControls"]

_NONE = "(none)"
_STYLE = {"description_width": "initial"}
#: The subplots.
_MAP, *_TRACES = "xy", "x2y2", "x3y3"
#: Where a chosen frame is drawn, from its three numbers: x, y, frame.
_PANELS = [
    {"axes": ["x", "y"], "columns": [0, 1], "size": 5},
    {"axes": ["x2", "y2"], "columns": [2, 0], "size": 4},
    {"axes": ["x3", "y3"], "columns": [2, 1], "size": 4},
]


class ExplorerControls(Frame):
    """The widget of an `Explorer`.

    Parameters
    ----------
    view : Explorer
    """

    def __init__(self, view: Any) -> None:
        super().__init__(view, "Explorer", "mdnb-explorer")
        self._filling, self._drawing, self._outlined = False, False, False
        self.figure = new_figure(self._drawn())
        self.figure.layout.width = 500
        self.follow_theme(self.figure)
        self.marks = Marks(panels=_PANELS, colour=COLORS[4], subplots=[panel["axes"] for panel in _PANELS])
        self._marked: Any = None
        plot = ipywidgets.Box([self.figure, self.marks]).add_class("mdnb-plot")
        wide = ipywidgets.Layout(width="190px")
        names = list(view.quantities.names)
        text = {"continuous_update": False, "style": _STYLE, "layout": wide}
        self.x = ipywidgets.Combobox(description="x", options=names[:500], **text)
        self.y = ipywidgets.Combobox(description="y", options=names[:500], **text)
        colours = [_NONE, "time", "trajectory", *names[:500]]
        self.colour = ipywidgets.Combobox(description="Colour", options=colours, **text)
        self.temperature = ipywidgets.BoundedFloatText(
            description="Temperature (K, 0: unknown)", min=0, max=1e5, style=_STYLE,
            layout=ipywidgets.Layout(width="250px"),
        )  # fmt: skip
        narrow = ipywidgets.Layout(width="125px")
        self.ends = [
            ipywidgets.FloatText(description=name, style=_STYLE, layout=narrow)
            for name in ("x from", "x to", "y from", "y to")
        ]
        self.choose = ipywidgets.Button(description="Choose", tooltip="Choose the frames between these numbers")
        self.clear = ipywidgets.Button(description="Choose none", tooltip="All frames play again")
        self.words = ipywidgets.HTML()
        self.words.add_class("mdnb-words")
        self.stage = Stage(self, view.structure)
        flex = ipywidgets.Layout(flex_flow="row wrap", align_items="center")
        self.compose([
            ipywidgets.HBox([self.x, self.y, self.colour, self.temperature], layout=flex),
            ipywidgets.HBox([plot, self.stage.box], layout=ipywidgets.Layout(flex_flow="row wrap")),
            ipywidgets.HBox([*self.ends, self.choose, self.clear], layout=flex),
            self.words,
        ])  # fmt: skip
        for control in (self.x, self.y, self.colour, self.temperature):
            control.observe(self._on_axes, "value")
        self.choose.on_click(self._on_choose)
        self.clear.on_click(self._on_clear)
        self.marks.listen(self._on_click, self._on_drawn)
        self._fill()

    def _drawn(self) -> Any:
        made = landscape_figure(self.view.landscape, n_points=self.view.n_points)
        made.layout.shapes = ()  # `marks` shows them
        return made

    def _fill(self) -> None:
        """Put the controls where the view is."""
        asked, made = self.view._asked, self.view.landscape
        self._filling = True
        try:
            self.x.value, self.y.value = made.x.name, made.y.name
            self.colour.value = _NONE if made.colour is None else made.colour.name
            self.temperature.value = asked["temperature"] or 0
            for box, end in zip(self.ends, (*made.edges[0][[0, -1]], *made.edges[1][[0, -1]]), strict=True):
                box.value = float(f"{end:.4g}")
        finally:
            self._filling = False
        self.tell()

    @shows_errors
    def tell(self) -> None:
        """Say and mark which frames are chosen, and which is shown."""
        self.words.value = f"<div role='status' class='mdnb-quiet'>{escape(self.view.describe())}</div>"
        made, frame, chosen = self.view.landscape, self.view.frame, self.view.value
        points = None
        if self._marked is None or self._marked[0] is not made or self._marked[1] is not chosen:
            self._marked = (made, chosen)
            if not self._drawing:
                self._drop_outlines()
            points = chosen_points(made, chosen[np.isin(chosen, made.frames)])
        number, shapes = made.sample_of(frame), []
        if number is not None:
            at = [float(made.x.values[number]), float(made.y.values[number])]
            shapes = [{"kind": "ring", "axes": ["x", "y"], "at": at, "color": COLORS[1]}]
            shapes += [{"kind": "line", "axes": [f"x{n}", f"y{n}"], "at": [frame], "color": COLORS[1]} for n in (2, 3)]
        self.marks.put(points, shapes)
        self.refresh()

    @shows_errors
    def load(self) -> None:
        """Draw the view's present landscape into the one figure."""
        new = self._drawn()
        with self.figure.batch_update():
            for number in (DENSITY, POINTS, *LINES, *TRACES):
                now, then = self.figure.data[number], new.data[number]
                now.x, now.y = then.x, then.y
                if number in (DENSITY, POINTS):
                    now.hovertemplate = then.hovertemplate
            heat, then = self.figure.data[DENSITY], new.data[DENSITY]
            heat.z, heat.colorscale, heat.reversescale = then.z, then.colorscale, then.reversescale
            heat.showscale, heat.colorbar = then.showscale, then.colorbar
            self.figure.data[POINTS].customdata = new.data[POINTS].customdata
            self.figure.data[POINTS].marker = new.data[POINTS].marker
            self.figure.layout.title = new.layout.title
            for axis in ("xaxis", "yaxis", "yaxis2", "yaxis3"):
                self.figure.layout[axis].title.text = new.layout[axis].title.text
                self.figure.layout[axis].autorange = True
        self._fill()
        self.show_error("")

    @shows_errors
    def _on_axes(self, change: Any) -> None:
        if self._filling:
            return
        asked, made = dict(self.view._asked), self.view.landscape
        for name, control, now in (("x", self.x, made.x.name), ("y", self.y, made.y.name)):
            if control.value.strip() != now:
                asked[name] = control.value.strip()
        colour = self.colour.value.strip()
        if colour != (_NONE if made.colour is None else made.colour.name):
            asked["colour"] = None if colour in ("", _NONE) else colour
        asked["temperature"] = self.temperature.value or None
        self.view.show(asked.pop("x"), asked.pop("y"), **asked)

    @shows_errors
    def _on_click(self, subplot: str, x: float, y: float) -> None:
        """Choose the frames of that place of the map, or show the frame of that place of a trace."""
        if subplot == _MAP:
            self.view.choose_near(x, y)
        else:
            frames = self.view.landscape.frames
            self.view.frame = int(frames[np.abs(frames - x).argmin()])
        self.show_error("")

    @shows_errors
    def _on_drawn(self, subplot: str, corners: list[list[float]]) -> None:
        """Choose what was drawn around, on the map or on a trace."""
        self._drawing = self._outlined = True  # its outline stays for as long as what it holds is chosen
        try:
            if subplot == _MAP:
                self.view.choose_inside(corners)
            else:
                made = self.view.landscape
                self.view.value = made.along(made.x if subplot == _TRACES[0] else made.y, corners)
        finally:
            self._drawing = False
        self.show_error("")

    def _drop_outlines(self) -> None:
        if self._outlined:
            self._outlined = False
            drop_outlines(self.figure)

    @shows_errors
    def _on_choose(self, button: Any) -> None:
        left, right, low, high = (box.value for box in self.ends)
        self.view.choose_inside([[left, low], [right, low], [right, high], [left, high]])
        self.show_error("")

    @shows_errors
    def _on_clear(self, button: Any) -> None:
        self.view.value = ()
        self._drop_outlines()
        with self.figure.batch_update():
            for trace in (POINTS, *TRACES):
                self.figure.data[trace].selectedpoints = None
        self.show_error("")

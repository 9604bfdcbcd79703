"""The live half of `ExplanationView`: one plotly figure and one structure."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets

from mdnb.figures.attributions import BARS, HEAT, OWN, SWARM
from mdnb.figures.style import COLORS
from mdnb.views._background import Background
from mdnb.views._figure import new_figure
from mdnb.views._frame import Frame
from mdnb.views._live import shows_errors
from mdnb.views._marks import Marks
from mdnb.views._stage import Stage
from mdnb.views.explanation_view import _BY

__all__ = ["ExplanationControls"]

_NONE, _ALL, _ONE = "(none)", "mean over all frames", "one frame"
_STYLE = {"description_width": "initial"}
#: The subplot of the residues' bars.
_BARS = "x2y2"


class ExplanationControls(Frame):
    """The widget of an `ExplanationView`.

    Parameters
    ----------
    view : ExplanationView
    """

    def __init__(self, view: Any) -> None:
        super().__init__(view, "Explanation", "mdnb-explanation-view")
        self._setting = False
        self.figure = new_figure(self._drawn())
        self.figure.layout.width = 500
        self.follow_theme(self.figure)
        self.marks = Marks(subplots=[["x2", "y2"], ["x3", "y3"]])
        plot = ipywidgets.Box([self.figure, self.marks]).add_class("mdnb-plot")
        wide = ipywidgets.Layout(width="auto", max_width="420px")
        self.output = ipywidgets.Dropdown(
            description="Explained", options=list(view.explanations), style=_STYLE, layout=wide
        )
        self.by = ipywidgets.Dropdown(description="Dots by", options=list(_BY), value=view.by, style=_STYLE,
                                      layout=ipywidgets.Layout(width="160px"))  # fmt: skip
        self.what = ipywidgets.Dropdown(description="Show", options=[_ALL, _ONE], style=_STYLE,
                                        layout=ipywidgets.Layout(width="220px"))  # fmt: skip
        self.sample = ipywidgets.IntSlider(description="Sample", min=0, max=0, style=_STYLE, continuous_update=False,
                                           layout=ipywidgets.Layout(width="300px"))  # fmt: skip
        self.residue = ipywidgets.Dropdown(
            description="Residue",
            options=[_NONE, *view.residues],
            style=_STYLE,
            layout=ipywidgets.Layout(width="170px"),
        )
        self.check = ipywidgets.Button(
            description="Check faithfulness", tooltip="Deletion and insertion, shuffled weights, other backgrounds",
            layout=ipywidgets.Layout(width="160px"),
        )  # fmt: skip
        self.words = ipywidgets.HTML()
        self.words.add_class("mdnb-words")
        self.background = Background(self)
        self.stage = Stage(self, view.structure)
        flex = ipywidgets.Layout(flex_flow="row wrap", align_items="center")
        self.compose([
            ipywidgets.HBox([self.output, self.by], layout=flex),
            ipywidgets.HBox([self.what, self.sample, self.residue, self.check], layout=flex),
            ipywidgets.HBox([plot, self.stage.box], layout=ipywidgets.Layout(flex_flow="row wrap")),
            self.words,
        ])  # fmt: skip
        self._fill()
        self._mark()
        for control in (self.output, self.what, self.sample, self.residue):
            control.observe(self._on_control, "value")
        self.by.observe(self._on_by, "value")
        self.check.on_click(self._on_check)
        self.marks.listen(self._on_click)

    def _fill(self) -> None:
        """Put the controls where the view is."""
        view, sample = self.view, self.view.sample
        self._setting = True
        try:
            self.output.value = view.value["output"]
            self.sample.max = len(view.explanation.frames) - 1
            self.what.value = _ALL if sample is None else _ONE
            self.sample.value = self.sample.value if sample is None else sample
            self.sample.layout.display = "none" if sample is None else "flex"
            self.residue.value = view.value["residue"] or _NONE
        finally:
            self._setting = False
        self._tell()

    def _tell(self) -> None:
        lines = "".join(f"<div class='mdnb-quiet'>{escape(line)}</div>" for line in self.view.trust())
        self.words.value = f"<div role='status'>{escape(self.view.describe())}</div>{lines}"
        self.check.layout.display = "none" if self.view.explanation.checked else "flex"
        self.refresh()

    def draw(self) -> None:
        """Draw what the view shows into the one figure."""
        new = self._drawn()
        with self.figure.batch_update():
            for number in (SWARM, OWN, BARS, HEAT):
                now, then = self.figure.data[number], new.data[number]
                now.x, now.y, now.customdata = then.x, then.y, then.customdata
                if number in (SWARM, BARS):
                    now.marker = then.marker
            heat, then = self.figure.data[HEAT], new.data[HEAT]
            heat.z, heat.zmin, heat.zmax = then.z, then.zmin, then.zmax
            for axis in ("xaxis3", "yaxis"):
                now, then = self.figure.layout[axis], new.layout[axis]
                now.title.text, now.tickvals, now.ticktext = then.title.text, then.tickvals, then.ticktext
            self.figure.layout.yaxis.range = new.layout.yaxis.range
            self.figure.layout.title.text = new.layout.title.text
            for now, then in zip(self.figure.layout.annotations, new.layout.annotations, strict=True):
                now.text = then.text

    def _drawn(self) -> Any:
        made = self.view.figure()
        made.layout.shapes = ()  # `marks` shows them
        return made

    def _mark(self) -> None:
        """Frame the residue in the bars and the map, and the sample in the map."""
        residue, sample = self.view.residue, self.view.sample
        shapes = []
        if residue is not None:
            ends = [residue - 0.5, residue + 0.5]
            shapes += [{"kind": "column", "axes": ["x2", "y2"], "at": ends, "color": COLORS[4]}]
            shapes += [{"kind": "row", "axes": ["x3", "y3"], "at": ends, "color": COLORS[4]}]
        if sample is not None and self.view.explanation.window == 1:
            shapes += [{"kind": "line", "axes": ["x3", "y3"], "at": [sample], "color": COLORS[1]}]
        self.marks.put(shapes=shapes)

    @shows_errors
    def _on_control(self, change: Any) -> None:
        if self._setting:
            return
        one = self.what.value == _ONE
        frames = self.view.explanations[self.output.value].frames
        self.view.value = {
            "output": self.output.value,
            "frame": int(frames[min(self.sample.value, len(frames) - 1)]) if one else None,
            "residue": None if self.residue.value == _NONE else self.residue.value,
        }
        self.show_error("")

    @shows_errors
    def _on_by(self, change: Any) -> None:
        self.view.by = change["new"]
        self.draw()
        self.refresh()

    @shows_errors
    def _on_click(self, subplot: str, x: float, y: float) -> None:
        """Choose the residue of a bar, or the residue and the frame of a place of the map."""
        made, residues = self.view.explanation, self.view.residues
        if subplot == _BARS:
            self.view.value = {"residue": residues[_nearest(x, len(residues))]}
            return
        chosen: dict[str, Any] = {"residue": residues[_nearest(y, len(residues))]}
        if made.window == 1 or self.view.sample is None:
            chosen["frame"] = int(made.frames[_nearest(x, len(made.frames))])
        self.view.value = chosen
        self.show_error("")

    @shows_errors
    def _on_check(self, button: Any) -> None:
        made = self.view.explanation
        if self.background.running:
            return
        with self.check.hold_sync():
            self.check.disabled, self.check.description = True, "Checking ..."
        self.background.start(made.faithfulness, lambda _: self._tell(), self._checked)

    def _checked(self) -> None:
        self.check.disabled, self.check.description = False, "Check faithfulness"

    @shows_errors
    def show(self, anew: bool) -> None:
        """Show what the view shows now; `anew` where it is of another output or frame."""
        self._fill()
        self._mark()
        self.show_error("")
        if anew:
            self.draw()


def _nearest(place: float, n: int) -> int:
    """Return the number of the bar or cell at a place of an axis."""
    return min(max(round(place), 0), n - 1)

"""The one figure of a live `Tuner`: learning curves, trials, parallel coordinates or importances, changed in place."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import plotly.graph_objects as go

from mdnb.views._attempts import Attempt
from mdnb.views._curves import COLOURS, curve_keys, thinned, y_title
from mdnb.views._figure import new_figure

__all__ = ["VIEWS", "TunerFigure"]

VIEWS = ("Learning curves", "Trials", "Parallel coordinates", "Importances")


class TunerFigure:
    """A plotly FigureWidget (each carries 5 MB to the browser, so that there is one).

    Attributes
    ----------
    widget : plotly.graph_objects.FigureWidget
    """

    def __init__(self) -> None:
        # With its layout from the start: what is changed before the page has plotly's code does not reach it.
        layout = {
            "height": 330, "margin": {"l": 60, "r": 15, "t": 30, "b": 45}, "uirevision": "keep",
            "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.0, "xanchor": "left", "x": 0.0},
        }  # fmt: skip
        self.widget = new_figure(go.Figure(layout=layout))
        self._curves: dict[tuple[int, str], int] = {}  # attempt and column of its history -> trace
        self._view = ""

    def _begin(self, view: str) -> None:
        if view == self._view:
            return
        self._view = view
        self._curves.clear()
        self.widget.data = []

    def curves(self, attempts: Sequence[Attempt], checked: Sequence[int]) -> None:
        """Draw the learning curves of the checked attempts over each other, and the line of no learning."""
        self._begin("curves")
        latest = attempts[-1] if attempts else None
        keys = curve_keys(latest)
        shown = [one for one in attempts if one.number in checked and curve_keys(one) == keys]
        self._add_missing(shown, keys)
        longest = 1.0
        with self.widget.batch_update():
            for one in shown:
                rows = thinned(one.history)
                longest = max(longest, rows[-1]["epoch"] if rows else 1.0)
                for key in keys:
                    trace = self.widget.data[self._curves[one.number, key]]
                    if len(trace.x or ()) != len(rows) or (rows and trace.x[-1] != rows[-1]["epoch"]):
                        trace.x = [row["epoch"] for row in rows]
                        trace.y = [row.get(key, math.nan) for row in rows]
            visible = {one.number for one in shown}
            for (number, _), index in self._curves.items():
                if number > 0 and self.widget.data[index].visible != (number in visible):
                    self.widget.data[index].visible = number in visible
            self._line(latest, longest)
            self._axes("epoch", y_title(latest))

    def _add_missing(self, shown: Sequence[Attempt], keys: Mapping[str, str]) -> None:
        new = []
        if (0, "") not in self._curves:
            self._curves[0, ""] = 0
            new.append(go.Scatter(x=[], y=[], mode="lines", line={"dash": "dash", "color": "#888888", "width": 1.5}))
        for one in shown:
            for key, words in keys.items():
                if (one.number, key) in self._curves:
                    continue
                self._curves[one.number, key] = len(self.widget.data) + len(new)
                main = key == list(keys)[-1]
                new.append(
                    go.Scatter(
                        x=[], y=[], mode="lines+markers" if main else "lines", marker={"size": 4},
                        name=f"run {one.number}, {words}", legendgroup=str(one.number),
                        line={"color": COLOURS[(one.number - 1) % len(COLOURS)], "width": 2 if main else 1.2,
                              "dash": "solid" if main else "dot"},
                    )
                )  # fmt: skip
        if new:
            self.widget.add_traces(new)

    def _line(self, latest: Attempt | None, longest: float) -> None:
        line = self.widget.data[self._curves[0, ""]]
        reference = None if latest is None else latest.reference
        if reference is None:
            line.x, line.y, line.showlegend = [], [], False
        elif tuple(line.x or ()) != (0.0, longest) or (line.y or (None,))[0] != reference[1]:
            line.name, line.showlegend = f"without learning: {reference[0]}", True
            line.x, line.y = [0.0, longest], [reference[1]] * 2

    def trials(self, trials: Sequence[Mapping[str, Any]]) -> None:
        """Draw the loss of each trial, and the least so far."""
        self._begin("trials")
        rows = {state: [one for one in trials if one["state"] == state and one["validation_loss"] is not None]
                for state in ("finished", "pruned")}  # fmt: skip
        if not self.widget.data:
            self.widget.add_traces([
                go.Scatter(x=[], y=[], mode="markers", name="finished", marker={"color": COLOURS[0], "size": 8}),
                go.Scatter(x=[], y=[], mode="markers", name="pruned (its last loss)",
                           marker={"color": COLOURS[1], "size": 8, "symbol": "x"}),
                go.Scatter(x=[], y=[], mode="lines", name="least so far",
                           line={"color": COLOURS[2], "shape": "hv", "width": 1.5}),
            ])  # fmt: skip
        least, best = math.inf, []
        for one in rows["finished"]:
            least = min(least, one["validation_loss"])
            best.append(least)
        with self.widget.batch_update():
            for trace, own in zip(self.widget.data, rows.values(), strict=False):
                trace.x, trace.y = [one["trial"] for one in own], [one["validation_loss"] for one in own]
            self.widget.data[2].x, self.widget.data[2].y = [one["trial"] for one in rows["finished"]], best
            self._axes("trial", "validation loss")

    def parallel(self, trials: Sequence[Mapping[str, Any]]) -> None:
        """Draw each finished trial as a line through its settings, coloured by its loss."""
        self._begin("")
        finished = [one for one in trials if one["state"] == "finished"]
        if not finished:
            self.widget.data = []
            return
        losses = [one["validation_loss"] for one in finished]
        names = [name for name in finished[0] if name not in ("trial", "state", "validation_loss")]
        dimensions = [_dimension(name, [one[name] for one in finished]) for name in names if name in finished[-1]]
        dimensions.append({"label": "validation loss", "values": losses})
        self.widget.data = []
        self.widget.add_trace(
            go.Parcoords(
                dimensions=dimensions, labelangle=-20, labelside="bottom",
                line={"color": losses, "colorscale": "Cividis", "reversescale": True, "showscale": len(losses) > 1},
                domain={"y": [0.18, 0.95]},
            )
        )  # fmt: skip

    def importances(self, shares: Mapping[str, float]) -> None:
        """Draw the share of each setting in the variance of the loss."""
        self._begin("importances")
        self.widget.data = []
        names = list(shares)[::-1]
        words = [escape(name.replace("_", " ")) for name in names]
        self.widget.add_trace(
            go.Bar(x=[shares[name] for name in names], y=words, orientation="h",
                   marker={"color": COLOURS[0]})
        )  # fmt: skip
        self._axes("share of the variance of the loss", "", "category")

    def _axes(self, x: str, y: str, kind: str = "linear") -> None:
        # plotly keeps the kind of axis that it found for what was drawn before.
        if self.widget.layout.yaxis.type != kind:
            self.widget.layout.yaxis.type, self.widget.layout.yaxis.autorange = kind, True
        for axis, title in ((self.widget.layout.xaxis, x), (self.widget.layout.yaxis, y)):
            if axis.title.text != title:
                axis.title.text = title


def _dimension(name: str, values: Sequence[Any]) -> dict[str, Any]:
    if all(isinstance(one, int | float) and not isinstance(one, bool) for one in values):
        spread = min(values) > 0 and max(values) / min(values) > 20
        if not spread:
            return {"label": name, "values": list(values)}
        return {"label": f"log10 {name}", "values": [math.log10(one) for one in values]}
    kinds = sorted({str(one) for one in values})
    numbers = [kinds.index(str(one)) for one in values]
    return {"label": name, "values": numbers, "tickvals": list(range(len(kinds))), "ticktext": kinds}

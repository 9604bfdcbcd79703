"""Parts of widgets that ipywidgets does not offer: a form made from settings, and a table with ticks."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from functools import cache
from typing import Any

import anywidget
import traitlets

from mdnb.specs import Setting
from mdnb.views._frame import STATIC

__all__ = ["CheckTable", "SettingsForm", "field_of", "new_figure"]

#: More steps than this are not for a slider.
_MOST_STEPS = 1000


class SettingsForm(anywidget.AnyWidget):
    """Controls for settings: a label, a slider and a number (or a list, or a tick), help, and what is wrong."""

    _esm = (STATIC / "form.js").read_text(encoding="utf-8")

    fields: Any = traitlets.List(help="As `field_of` makes them.").tag(sync=True)
    values = traitlets.Dict(help="Name -> value, or [from, to].").tag(sync=True)
    problems = traitlets.Dict(help="Name -> what is wrong with the value.").tag(sync=True)
    mode = traitlets.Unicode("values", help="'values' or 'ranges'.").tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)


class CheckTable(anywidget.AnyWidget):
    """Rows of text that can be ticked, and one of them chosen; those with a reason are grey and cannot."""

    _esm = (STATIC / "table.js").read_text(encoding="utf-8")

    caption = traitlets.Unicode().tag(sync=True)
    empty = traitlets.Unicode(help="Said where there are no rows.").tag(sync=True)
    columns: Any = traitlets.List(help="Dicts of key, label, and right (numbers) and title.").tag(sync=True)
    rows: Any = traitlets.List(help="Dicts of key, label, cells, and marks, reason and color.").tag(sync=True)
    checked: Any = traitlets.List(help="Keys of the ticked rows, in their order.").tag(sync=True)
    selected = traitlets.Unicode(help="Key of the chosen row.").tag(sync=True)
    check_label = traitlets.Unicode(help="What a tick means; empty for no ticks.").tag(sync=True)
    select_label = traitlets.Unicode(help="What choosing means; empty for none.").tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)


@cache
def _figure_class() -> Any:
    import plotly.graph_objects as go

    class Figure(go.FigureWidget):
        # plotly gives the path of its code, so that anywidget keeps every figure, to tell it when the file changes.
        _esm = str(go.FigureWidget._esm)
        _made = False

        def __init__(self, drawn: Any = None) -> None:
            super().__init__(drawn)
            self._config = {"displaylogo": False, "modeBarButtons": [list(_TOOLS)]}
            self.layout.modebar = {"bgcolor": "rgba(0,0,0,0)", "color": "#8a929c", "activecolor": "#1f77c9"}
            self._made = True
            self.open()

        def open(self) -> None:
            # plotly tells the page of an empty figure first and of what is in it later, which the page does not
            # hear where its code is ready before that comes: the figure stays empty.
            if self._made:
                super().open()

        def get_state(self, key: Any = None, drop_defaults: bool = False) -> Any:
            # A page that comes later (Voila's, which opens when all cells have run; one that is loaded anew) asks
            # for the state, in which plotly leaves data and layout as they were when the figure was made.
            if key is None and self._made:
                self._trait_values["_widget_layout"] = deepcopy(self._layout_obj._props)
                self._trait_values["_widget_data"] = deepcopy(self._data)
            return super().get_state(key, drop_defaults)

    return Figure


#: What the bar over a live figure offers. Of plotly's own list one button sends the figure to a server.
_TOOLS = ("toImage", "zoom2d", "pan2d", "select2d", "lasso2d", "resetScale2d")


def new_figure(drawn: Any = None) -> Any:
    """Return a plotly FigureWidget that is gone when it is closed: empty, or of a figure."""
    return _figure_class()(drawn)


def drop_outlines(figure: Any) -> None:
    """Take away what a user drew around points, of which plotly does not tell Python: to set none changes nothing."""
    figure._layout.pop("selections", None)
    figure._send_relayout_msg({"selections": []})


def field_of(setting: Setting, group: str, folded: Iterable[str] = ()) -> dict[str, Any]:
    """Return a setting as the form wants it; those named in `folded` are folded away at the end."""
    kind = "choice" if setting.options is not None else setting.type.__name__
    slider = False
    if kind in ("int", "float") and setting.low is not None and setting.high is not None:
        span = setting.high - setting.low
        # Where the default is within a step of the end, a slider could hardly be set to what is wanted.
        few = setting.default >= 0.005 * span if kind == "float" else span <= _MOST_STEPS
        slider = setting.low > 0 if setting.log else few
    return {
        "name": setting.name,
        "label": setting.name.replace("_", " "),
        "kind": kind,
        "low": setting.low,
        "high": setting.high,
        "log": setting.log,
        "options": list(setting.options or ()),
        "unit": setting.unit,
        "help": setting.help,
        "slider": slider,
        "group": f"+More of {group.lower()}" if setting.name in set(folded) else group,
    }

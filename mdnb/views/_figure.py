"""plotly's live figure, made once more where plotly's own stays empty, forgets, or never goes away."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import Any

import traitlets

from mdnb.views._frame import STATIC

__all__ = ["drop_outlines", "new_figure"]

#: What the bar over a live figure offers. Of plotly's own list one button sends the figure to a server.
_TOOLS = ("toImage", "zoom2d", "pan2d", "select2d", "lasso2d", "resetScale2d")
#: Whether a page has said that it holds plotly's code.
_page: dict[str, bool] = {"holds": False}


@cache
def _figure_class() -> Any:
    import plotly
    import plotly.graph_objects as go

    code = str(go.FigureWidget._esm)

    class Figure(go.FigureWidget):
        # plotly gives the path of its code, so that anywidget keeps every figure, to tell it when the file changes;
        # and the page keeps a copy of the code for every figure (see ``static/figure.js``).
        _esm = (STATIC / "figure.js").read_text(encoding="utf-8")
        _plotly_version = traitlets.Unicode(plotly.__version__).tag(sync=True)
        _plotly_code = traitlets.Unicode(help="Empty where a page holds it already.").tag(sync=True)
        _made = False

        def __init__(self, drawn: Any = None) -> None:
            super().__init__(drawn)
            self._config = {"displaylogo": False, "modeBarButtons": [list(_TOOLS)]}
            self.layout.modebar = {"bgcolor": "rgba(0,0,0,0)", "color": "#8a929c", "activecolor": "#1f77c9"}
            self.on_msg(_on_page)
            self._plotly_code = "" if _page["holds"] else code
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

    def _on_page(figure: Any, content: Any, buffers: Any) -> None:
        if content.get("kind") == "held":
            _page["holds"] = True
        elif content.get("kind") == "wanted":  # by a page that was loaded anew, or a second one
            figure.send({"kind": "plotly"}, [code.encode()])

    return Figure


def new_figure(drawn: Any = None) -> Any:
    """Return a plotly FigureWidget that is gone when it is closed: empty, or of a figure."""
    return _figure_class()(drawn)


def drop_outlines(figure: Any) -> None:
    """Take away what a user drew around points, of which plotly does not tell Python: to set none changes nothing."""
    figure._layout.pop("selections", None)
    figure._send_relayout_msg({"selections": []})

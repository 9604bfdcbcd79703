"""The live half that every widget shares: code and parameters to copy, errors, names for controls, theme, closing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets
import traitlets
from ipywidgets.widgets.widget import _instances
from ipywidgets.widgets.widget_link import Link

from mdnb.views._live import message_html, shows_errors

__all__ = ["STATIC", "Frame", "close_widget"]

STATIC = Path(__file__).parent / "static"


class _Foot(anywidget.AnyWidget):
    """Show code, Show parameters, Copy; and the care for the widget it stands in (see ``static/frame.js``)."""

    # Texts: anywidget would keep every widget whose code is a path, to tell it when the file changes.
    _esm = (STATIC / "frame.js").read_text(encoding="utf-8")
    _css = (STATIC / "frame.css").read_text(encoding="utf-8")

    name = traitlets.Unicode(help="What the widget is called by a screen reader.").tag(sync=True)
    opened = traitlets.Unicode(help="What is shown: 'code', 'parameters' or nothing.").tag(sync=True)
    text = traitlets.Unicode(help="The text of what is shown.").tag(sync=True)
    dark = traitlets.Bool(False, help="Whether the page is dark.").tag(sync=True)


class Frame:
    """Base of the live halves: `box` holds the controls, the message and the foot.

    Parameters
    ----------
    view : View
    name : str
        What the widget is, for a screen reader.
    css_class : str
        Of the box, beside ``mdnb-widget``.

    Attributes
    ----------
    box : ipywidgets.VBox
    dark : bool
        Whether the page is dark, as far as is known.
    """

    def __init__(self, view: Any, name: str, css_class: str) -> None:
        self.view = view
        self.message = ipywidgets.HTML()
        self.foot = _Foot(name=name)
        self.box = ipywidgets.VBox([self.message, self.foot])
        self.box.add_class("mdnb-widget").add_class(css_class)
        self._closing: list[Callable[[], None]] = []
        self._themed: list[Callable[[bool], None]] = []
        self.foot.observe(self._on_opened, "opened")
        self.foot.observe(self._on_theme, "dark")

    @property
    def dark(self) -> bool:
        """Whether the page is dark, as far as is known."""
        return bool(self.foot.dark)

    def compose(self, children: Sequence[Any]) -> None:
        """Put the controls above the foot; the message comes last, unless it is among them."""
        message = () if self.message in children else (self.message,)
        self.box.children = (*children, *message, self.foot)

    def show_error(self, text: str, kind: str = "error") -> None:
        """Show what went wrong and what to do (or, as "info", what to know); an empty text takes it away."""
        self.message.value = message_html(text, kind)

    def refresh(self) -> None:
        """Show the code and the parameters of the present state; to be called whenever it changes."""
        if self.foot.opened == "code":
            self.foot.text = self.view.code()
        elif self.foot.opened == "parameters":
            self.foot.text = self.view.parameters_yaml()
        else:
            self.foot.text = ""

    @shows_errors
    def _on_opened(self, change: Any) -> None:
        self.refresh()

    def on_theme(self, callback: Callable[[bool], None]) -> None:
        """Call back with whether the page is dark, now and at every change."""
        self._themed.append(callback)
        callback(self.dark)

    @shows_errors
    def _on_theme(self, change: Any) -> None:
        for callback in self._themed:
            callback(bool(change["new"]))

    def follow_theme(self, figure: Any) -> None:
        """Draw a plotly `FigureWidget` on the page's own ground, in the theme's colours."""

        def draw(dark: bool) -> None:
            with figure.batch_update():
                figure.layout.template = "plotly_dark" if dark else "plotly_white"
                figure.layout.paper_bgcolor = figure.layout.plot_bgcolor = "rgba(0,0,0,0)"

        self.on_theme(draw)

    def on_close(self, callback: Callable[[], None]) -> None:
        """Call back when the widget is closed, such as to end a thread; the last added is called first."""
        self._closing.append(callback)

    def close(self) -> None:
        """End what runs, and take every widget in the box away, with its comm."""
        self.foot.unobserve_all()
        while self._closing:
            self._closing.pop()()
        self._themed.clear()
        close_widget(self.box)


def close_widget(widget: Any) -> None:
    """Close a widget with all that it refers to, which `Widget.close` leaves open: children, layouts, styles."""
    found: dict[int, Any] = {}
    ahead = [widget]
    while ahead:
        one = ahead.pop()
        if id(one) in found:
            continue
        found[id(one)] = one
        ahead += _parts(one)
    links = [one for one in list(_instances.values()) if isinstance(one, Link)]
    for one in [*found.values(), *(link for link in links if id(link.source[0]) in found)]:
        thread = getattr(one, "_remote_call_thread", None)  # of an nglview that `new_view` made
        if thread is not None:
            thread.ended.set()
            one._event.set()  # it may wait for an answer that no browser will give
        one.unobserve_all()
        one.close()


def _parts(widget: Any) -> Iterator[Any]:
    for key in (*widget.keys, "_widget_image"):  # the last is nglview's, and hidden
        value = getattr(widget, key, None)
        values = value if isinstance(value, list | tuple) else [value]
        yield from (one for one in values if isinstance(one, ipywidgets.Widget))

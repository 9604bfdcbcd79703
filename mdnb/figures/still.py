"""A still picture of a figure, drawn with matplotlib: plotly's own needs a browser."""

from __future__ import annotations

import base64
import io
import re
from functools import cache
from html import escape, unescape
from typing import Any

import numpy as np
import plotly.graph_objects as go

__all__ = ["still_html", "still_png"]

_GREY = "#e3e6ea"


def still_html(figure: go.Figure, words: str, width: int = 760) -> str:
    """Return a figure element with the still picture of a figure, and what it shows in words for those who cannot see.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
    words : str
    width : int
        Pixels.
    """
    picture = base64.b64encode(still_png(figure)).decode("ascii")
    return (
        f'<figure style="margin:0.5em auto;max-width:{width}px"><img src="data:image/png;base64,{picture}" '
        f'alt="{escape(words)}" style="max-width:100%"></figure>'
    )


def still_png(figure: go.Figure, *, width: int = 0, dpi: int = 110) -> bytes:
    """Return a PNG of a figure made of heat maps, scatters and bars.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
    width : int
        Pixels; 760, or 280 for each column, when left out.
    dpi : int
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    layout = figure.layout
    names = sorted({(trace.xaxis or "x", trace.yaxis or "y") for trace in figure.data})
    columns = len({layout[f"xaxis{x[1:]}"].domain for x, _ in names})
    height = int(layout.height or 450)
    drawn = Figure(figsize=((width or max(760, 320 * columns)) / 100, height / 100), dpi=dpi)
    FigureCanvasAgg(drawn)
    top, bottom = 1 - 62 / height, 58 / height
    for x, y in names:
        across, up = layout[f"xaxis{x[1:]}"], layout[f"yaxis{y[1:]}"]
        (left, right), (low, high) = across.domain or (0, 1), up.domain or (0, 1)
        scaled = [trace for trace in figure.data if (trace.xaxis or "x", trace.yaxis or "y") == (x, y)]
        box = (0.1 + 0.8 * left, bottom + (top - bottom) * low, 0.8 * (right - left), (top - bottom) * (high - low))
        axes = drawn.add_axes(box)
        for trace in scaled:
            _draw(trace, axes, drawn, figure)
        _marks(layout.shapes, axes, x, y)
        _axes(axes, across, up, single=columns == 1)
    for note in layout.annotations:
        if note.text and note.xref == "paper":
            place = 0.1 + 0.8 * (note.x or 0), bottom + (top - bottom) * (note.y or 0) + 0.005
            drawn.text(*place, plain(note.text), ha="center", va="bottom", fontsize=9)
    if layout.title.text:
        drawn.text(0.02, 1 - 8 / height, plain(layout.title.text), ha="left", va="top", fontsize=11)
    labels = {one.get_label(): one for axes in drawn.axes for one in axes.get_legend_handles_labels()[0]}
    if labels:
        drawn.legend(
            list(labels.values()), list(map(str, labels)), loc="upper right", ncols=4, fontsize=8, frameon=False
        )
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png", facecolor="white", bbox_inches="tight", pad_inches=0.1)
    return buffer.getvalue()


def plain(text: str) -> str:
    """Return a text of plotly without its markup, and without what matplotlib would take for mathematics."""
    words = unescape(re.sub(r"<[^>]*>", " ", text.replace("<br>", "\n")))
    font = _font()
    shown = "".join(one if one == "\n" or font.get_char_index(ord(one)) else "\N{WHITE SQUARE}" for one in words)
    return shown.replace("$", r"\$")


@cache
def _font() -> Any:
    """Return matplotlib's own font, to know which letters it has; it warns of every other."""
    from matplotlib.font_manager import findfont, get_font

    return get_font(findfont("DejaVu Sans"))


def _draw(trace: Any, axes: Any, drawn: Any, figure: go.Figure) -> None:
    label = plain(trace.name) if trace.name and trace.showlegend is not False else "_"
    if trace.type == "heatmap":
        _heat(trace, axes, drawn, figure)
    elif trace.type == "bar":
        across, up = _texts(trace.x), _texts(trace.y)
        flat = trace.orientation == "h"
        error = trace.error_x if flat else trace.error_y
        whiskers = None if error.array is None else np.stack([_or(error.arrayminus, error.array), error.array])
        colour, width = _colours(trace.marker.color) or "#0072B2", 0.8 if trace.width is None else trace.width
        options = {"color": colour, "label": label, "error_kw": {"ecolor": "#555555", "lw": 1}}
        options["alpha"] = 1.0 if trace.opacity is None else trace.opacity
        if flat:
            axes.barh(up, across, width, xerr=whiskers, **options)
        else:
            axes.bar(across, up, width, yerr=whiskers, **options)
    elif trace.x is not None and len(trace.x):
        mode = trace.mode or "lines"
        if "lines" in mode:
            style = {"dash": "--", "dot": ":", None: "-", "solid": "-"}.get(trace.line.dash, "-")
            steps = {"hvh": "steps-mid", "hv": "steps-post", "vh": "steps-pre"}.get(trace.line.shape, "default")
            look = {"drawstyle": steps, "color": _colours(trace.line.color), "lw": trace.line.width or 1.5}
            axes.plot(trace.x, trace.y, style, label=label, **look)
        if "markers" in mode:
            colour, scale = trace.marker.color, trace.marker.colorscale
            size = np.mean(trace.marker.size) if trace.marker.size is not None else 6
            options = {"s": float(size) ** 2 / 2, "alpha": trace.marker.opacity, "label": label, "lw": 0}
            if str(trace.marker.symbol).endswith("-open"):
                options |= {"facecolors": "none", "edgecolors": _colours(colour), "lw": 1.5, "s": float(size) ** 2}
            if scale is not None and not isinstance(colour, str):
                drawing = axes.scatter(trace.x, trace.y, c=colour, cmap=_map(scale), **_ends(trace.marker), **options)
                if trace.marker.showscale:
                    _bar(drawn, drawing, axes, trace.marker.colorbar)
            else:
                colour = {} if "facecolors" in options else {"c": _colours(colour)}
                axes.scatter(trace.x, trace.y, **colour, **options)


def _heat(trace: Any, axes: Any, drawn: Any, figure: go.Figure) -> None:
    shared = figure.layout[trace.coloraxis] if trace.coloraxis else None
    holder = trace if shared is None else shared
    x, y = _texts(trace.x), _texts(trace.y)
    z = np.ma.masked_invalid(np.asarray(trace.z, float))
    named = [not np.issubdtype(np.asarray(one).dtype, np.number) for one in (x, y)]
    places = [np.arange(len(one)) if text else np.asarray(one) for one, text in zip((x, y), named, strict=True)]
    ends = {"vmin": trace.zmin, "vmax": trace.zmax}
    if shared is not None:  # one scale for all that share it
        own = [np.asarray(one.z, float) for one in figure.data if getattr(one, "coloraxis", None) == trace.coloraxis]
        finite = np.concatenate([z[np.isfinite(z)] for z in own])
        ends = {"vmin": finite.min(), "vmax": finite.max()} if len(finite) else {}
    colours = _map(holder.colorscale or "Viridis", bool(holder.reversescale))
    drawing = axes.pcolormesh(*places, z, cmap=colours, shading="nearest", **ends)
    for text, one, axis in zip(named, (x, y), (axes.xaxis, axes.yaxis), strict=True):
        if text:
            axis.set_ticks(range(len(one)), labels=list(one))
    last = shared is None or trace is [one for one in figure.data if one.type == "heatmap"][-1]
    if holder.showscale is not False and last:
        _bar(drawn, drawing, axes, holder.colorbar)


def _bar(drawn: Any, drawing: Any, axes: Any, asked: Any) -> None:
    place = axes.get_position()
    bar = drawn.colorbar(drawing, cax=drawn.add_axes((place.x1 + 0.008, place.y0, 0.012, place.height)))
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7)
    if asked.tickvals is not None:
        bar.set_ticks(list(asked.tickvals), labels=_texts(asked.ticktext))
    bar.set_label(plain(asked.title.text or ""), fontsize=8)


def _marks(shapes: Any, axes: Any, x: str, y: str) -> None:
    for shape in shapes:
        if shape.visible is False or shape.xref not in (x, "paper") or not str(shape.yref).startswith(y):
            continue
        if str(shape.yref).removesuffix(" domain") != y:
            continue
        colour = shape.line.color or "#D55E00"
        if shape.type == "circle" and shape.xsizemode == "pixel":
            axes.plot([shape.xanchor], [shape.yanchor], "o", ms=10, mfc="none", mec=colour, mew=shape.line.width)
        elif shape.type == "line" and shape.x0 == shape.x1:
            axes.axvline(shape.x0, color=colour, lw=shape.line.width, ls="--" if shape.line.dash else "-")
        elif shape.type == "rect" and str(shape.yref).endswith("domain"):
            axes.axvspan(shape.x0, shape.x1, fill=False, ec=colour, lw=shape.line.width)


def _axes(axes: Any, across: Any, up: Any, single: bool) -> None:
    axes.set_xlabel(plain(across.title.text or ""), fontsize=9)
    axes.set_ylabel(plain(up.title.text or ""), fontsize=9)
    axes.tick_params(labelsize=8, color=_GREY)
    axes.spines[["top", "right"]].set_visible(False)
    for axis, set_limits in ((across, axes.set_xlim), (up, axes.set_ylim)):
        if axis.range is not None:
            set_limits(*axis.range)
    if up.autorange == "reversed":
        axes.invert_yaxis()
    if across.showticklabels is False:
        axes.set_xticklabels([])
    if up.showticklabels is False:
        axes.set_yticklabels([])
    if not single:
        axes.locator_params(axis="x", nbins=6) if not axes.xaxis.get_units() else None
    if across.tickvals is not None:
        axes.set_xticks(list(across.tickvals), labels=_texts(across.ticktext) if across.ticktext is not None else None)
    if up.tickvals is not None:
        axes.set_yticks(list(up.tickvals), labels=_texts(up.ticktext) if up.ticktext is not None else None)
    longest = max((len(label.get_text()) for label in axes.get_xticklabels()), default=0)
    if longest > 6 and len(axes.get_xticks()) > 6:
        axes.tick_params(axis="x", rotation=60)


def _texts(values: Any) -> Any:
    """Return values of an axis: numbers as they are, texts without markup."""
    array = np.asarray(values)
    if np.issubdtype(array.dtype, np.number):
        return array
    return [plain(str(one)) for one in array.tolist()]


def _or(first: Any, other: Any) -> Any:
    return other if first is None else first


def _ends(marker: Any) -> dict[str, Any]:
    return {} if marker.cmin is None else {"vmin": marker.cmin, "vmax": marker.cmax}


def _colours(colour: Any) -> Any:
    """Return a colour, or many, as matplotlib takes them."""
    if colour is None or not isinstance(colour, str):
        return None if colour is None else [_colours(one) for one in colour]
    numbers = re.findall(r"[\d.]+", colour) if colour.startswith("rgb") else []
    if numbers:
        return (*(float(one) / 255 for one in numbers[:3]), *map(float, numbers[3:]))
    return colour


def _map(scale: Any, reverse: bool = False) -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    stops = [(float(place), _colours(colour)) for place, colour in scale]
    if reverse:
        stops = [(1 - place, colour) for place, colour in stops[::-1]]
    return LinearSegmentedColormap.from_list("plotly", stops)

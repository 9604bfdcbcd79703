"""A map of two quantities over the time trace of each, with the frames that are chosen and the one that is shown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mdnb.figures.style import COLORS, finish, gaps, text_of
from mdnb.landscapes import Landscape

__all__ = ["DENSITY", "MARKED", "POINTS", "TRACES", "chosen_points", "landscape_figure"]

#: Numbers of the traces of a figure: the map, its points, the lines of x and y, their points, what is chosen.
DENSITY, POINTS, LINES, TRACES, MARKED = 0, 1, (2, 3), (4, 5), (6, 7, 8)
_CHOSEN = COLORS[4]
_FRAME = COLORS[1]


def landscape_figure(
    landscape: Landscape,
    *,
    frame: int | None = None,
    chosen: Sequence[int] | np.ndarray = (),
    n_points: int = 2000,
    height: int = 620,
) -> go.Figure:
    """Draw the free energy over two quantities with single points in it, and both quantities against the frame.

    Parameters
    ----------
    landscape : Landscape
        As `mdnb.landscape` makes it.
    frame : int, optional
        Marked on the map and both traces.
    chosen : sequence of int
        Frames that are marked.
    n_points : int
        Points drawn; `Landscape.draw` says which.
    height : int
        Pixels.

    Raises
    ------
    DataError
        For a frame that is not in the landscape.
    """
    figure = make_subplots(rows=3, cols=1, row_heights=[0.66, 0.17, 0.17], vertical_spacing=0.075)
    drawn = landscape.draw(n_points)
    middle = [(edges[1:] + edges[:-1]) / 2 for edges in landscape.edges]
    plain = landscape.colour is None
    figure.add_heatmap(
        x=middle[0],
        y=middle[1],
        z=gaps(landscape.free_energy.T.round(4)),
        colorscale="Viridis" if plain else "Greys",
        reversescale=not plain,
        showscale=plain,
        colorbar={"title": {"text": landscape.unit, "side": "right"}, "len": 0.6, "y": 0.72, "thickness": 14},
        hovertemplate="%{x:.4g}, %{y:.4g}: %{z:.3g} " + landscape.unit + "<extra></extra>",
        row=1,
        col=1,
    )
    figure.add_scatter(
        x=landscape.x.values[drawn],
        y=landscape.y.values[drawn],
        customdata=landscape.frames[drawn],
        mode="markers",
        marker=_marker(landscape, drawn),
        hovertemplate="frame %{customdata:,}<extra></extra>",
        row=1,
        col=1,
    )
    for row, axis in ((2, landscape.x), (3, landscape.y)):
        frames, values = landscape.trace(axis)
        figure.add_scatter(
            x=frames,
            y=values,
            mode="lines",
            line={"width": 1, "color": "rgba(0,114,178,0.3)"},
            hoverinfo="skip",
            row=row,
            col=1,
        )
    for row, axis in ((2, landscape.x), (3, landscape.y)):
        figure.add_scatter(
            x=landscape.frames[drawn],
            y=axis.values[drawn],
            mode="markers",
            marker={"size": 3, "color": COLORS[0], "opacity": 0.7},
            hovertemplate="frame %{x:,}: %{y:.4g}<extra></extra>",
            row=row,
            col=1,
        )
    for row in (1, 2, 3):
        figure.add_scatter(
            x=[], y=[], mode="markers", hoverinfo="skip", row=row, col=1,
            marker={"size": 5 if row == 1 else 4, "color": _CHOSEN, "line": {"width": 0.5, "color": "#222222"}},
        )  # fmt: skip
    figure.update_traces(selected_marker_opacity=1, unselected_marker_opacity=0.8, selector={"type": "scatter"})
    figure.update_traces(showlegend=False)
    figure.update_xaxes(title_text=text_of(landscape.x.label), title_standoff=3, row=1, col=1)
    figure.update_yaxes(title_text=text_of(landscape.y.label), row=1, col=1)
    for row, axis in ((2, landscape.x), (3, landscape.y)):
        figure.update_yaxes(title_text=text_of(_short(axis.name)), nticks=4, row=row, col=1)
    figure.update_xaxes(showticklabels=False, row=2, col=1)
    figure.update_xaxes(matches="x2", title_text="frame, all trajectories", row=3, col=1)
    where = "" if landscape.temperature is None else f" at {landscape.temperature:g} K"
    colour = "" if plain or landscape.colour is None else f", points by {landscape.colour.label}"
    finish(figure, text_of(f"Free energy{where}, {len(landscape):,} frames{colour}"), height=height)
    figure.update_layout(hovermode="closest", dragmode="lasso", margin={"t": 45, "b": 50}, shapes=_marks())
    _mark_chosen(figure, landscape, np.asarray(chosen, int))
    _mark_frame(figure, landscape, frame)
    return figure


def _mark_frame(figure: go.Figure, landscape: Landscape, frame: int | None) -> None:
    """Mark a frame on the map and both traces, in place; none where it has no sample."""
    number = None if frame is None else landscape.sample_of(frame)
    shapes = figure.layout.shapes
    for shape in shapes:
        shape.visible = number is not None
    if number is None or frame is None:
        return
    place = float(landscape.x.values[number]), float(landscape.y.values[number])
    for ring in shapes[:2]:
        ring.xanchor, ring.yanchor = place
    for line in shapes[2:]:
        line.x0 = line.x1 = frame


def chosen_points(landscape: Landscape, chosen: np.ndarray, most: int = 1500) -> np.ndarray:
    """Return x, y and number of chosen frames, (n, 3): of all, or of as many as `most` of them."""
    numbers = landscape.of_frames(chosen)
    numbers = landscape.draw(most, numbers) if len(numbers) else numbers
    return np.stack([landscape.x.values[numbers], landscape.y.values[numbers], landscape.frames[numbers]], axis=1)


def _mark_chosen(figure: go.Figure, landscape: Landscape, chosen: np.ndarray) -> None:
    """Mark chosen frames on the map and both traces, in place."""
    x, y, frames = chosen_points(landscape, chosen).T
    for trace, across, up in zip(MARKED, (x, frames, frames), (y, x, y), strict=True):
        figure.data[trace].x, figure.data[trace].y = across, up


def _marks() -> list[dict[str, object]]:
    """Return the marks of a frame: a ring in two colours, seen on dark and light, and two lines."""
    ring = {
        "type": "circle", "xref": "x", "yref": "y", "xsizemode": "pixel", "ysizemode": "pixel",
        "xanchor": 0, "yanchor": 0,
    }  # fmt: skip
    outer = {"x0": -8, "x1": 8, "y0": -8, "y1": 8, "line": {"color": "#ffffff", "width": 5}}
    inner = {"x0": -8, "x1": 8, "y0": -8, "y1": 8, "line": {"color": _FRAME, "width": 3}}
    line = {"type": "line", "y0": 0, "y1": 1, "x0": 0, "x1": 0, "line": {"color": _FRAME, "width": 2}}
    return [
        {**ring, **outer},
        {**ring, **inner},
        {**line, "xref": "x2", "yref": "y2 domain"},
        {**line, "xref": "x3", "yref": "y3 domain"},
    ]


def _marker(landscape: Landscape, drawn: np.ndarray) -> dict[str, object]:
    if landscape.colour is None:
        return {"size": 3, "color": "#ffffff", "opacity": 0.5}
    return {
        "size": 5,
        "color": landscape.colour.values[drawn],
        "colorscale": "Cividis",
        "showscale": True,
        "colorbar": {
            "title": {"text": text_of(landscape.colour.label), "side": "right"},
            "len": 0.6,
            "y": 0.72,
            "thickness": 14,
        },
    }


def _short(name: str, most: int = 16) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"

"""Attributions sample by sample: a beeswarm of features, bars of residues, a map of residues over the frames."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mdnb.errors import SpecError
from mdnb.explanation.result import Explanation
from mdnb.figures.style import COLORS, finish, text_of
from mdnb.pictures.colours import Scale

__all__ = ["BARS", "HEAT", "SWARM", "attributions_figure", "mark_residue"]

#: Numbers of the traces: the swarm, the chosen sample in it, the bars, the map.
SWARM, OWN, BARS, HEAT = 0, 1, 2, 3
_DIVERGING = [[0, "#0e4281"], [0.25, "#5c97cd"], [0.5, "#e1e1e1"], [0.75, "#ec8d48"], [1, "#a63c06"]]


def attributions_figure(
    explanation: Explanation,
    *,
    by: str = "feature",
    sample: int | None = None,
    residue: int | None = None,
    most: int = 10,
    height: int = 640,
) -> go.Figure:
    """Draw a beeswarm of the most important features, bars of the residues, and residues over the frames.

    Each dot of the swarm is one sample: how far right it is says how much the feature raised the output there, its
    colour how large the feature was. The map is over the explained frames; for one sample of a model with a window
    it is over the frames of the window.

    Parameters
    ----------
    explanation : Explanation
    by : {"feature", "residue", "atom"}
        What the swarm is of.
    sample : int, optional
        One sample: signed bars, and its dots are marked. Means over all samples when left out.
    residue : int, optional
        Number of the residue that is marked.
    most : int
        Rows of the swarm.
    height : int
        Pixels.

    Raises
    ------
    SpecError
        For a sample or residue that is not there.
    """
    if sample is not None and not 0 <= sample < len(explanation.values):
        raise SpecError(f"sample = {sample}: there are 0 to {len(explanation.values) - 1}")
    names, per_residue = explanation.grouped("residue")
    labels = [text_of(name) for name in names]
    figure = make_subplots(
        rows=2,
        cols=2,
        specs=[[{}, {}], [{"colspan": 2}, None]],
        row_heights=[0.52, 0.48],
        column_widths=[0.55, 0.45],
        horizontal_spacing=0.3,
        vertical_spacing=0.16,
        subplot_titles=_titles(by, sample),
    )
    _swarm(figure, explanation, by, sample, most)
    shown = np.abs(per_residue).mean(0) if sample is None else per_residue[sample]
    scale = Scale.of(shown)
    figure.add_bar(
        x=np.arange(len(labels)),
        y=shown,
        customdata=labels,
        marker={"color": scale.colours(shown), "line": {"color": "#777777", "width": 0.5}},
        hovertemplate="%{customdata}: %{y:.3g}<extra></extra>",
        row=1,
        col=2,
    )
    _heat(figure, explanation, per_residue, labels, sample)
    _axes(figure, explanation, labels, sample)
    finish(figure, text_of(_title(explanation, sample)), height=height)
    figure.update_traces(showlegend=False)
    figure.update_annotations(font_size=13, yshift=7)  # off the topmost tick
    figure.update_layout(hovermode="closest", margin={"t": 75, "b": 45, "l": 60}, shapes=_marks())
    mark_residue(figure, explanation, residue, sample)
    return figure


def mark_residue(figure: go.Figure, explanation: Explanation, residue: int | None, sample: int | None) -> None:
    """Frame a residue in the bars and the map, and the sample in the map, in place."""
    if residue is not None and not 0 <= residue < explanation.topology.n_residues:
        raise SpecError(f"residue = {residue}: there are 0 to {explanation.topology.n_residues - 1}")
    bar, row, line = figure.layout.shapes
    for shape in (bar, row):
        shape.visible = residue is not None
    line.visible = sample is not None and explanation.window == 1
    if residue is not None:
        bar.x0, bar.x1 = row.y0, row.y1 = residue - 0.5, residue + 0.5
    if sample is not None:
        line.x0 = line.x1 = sample


def _titles(by: str, sample: int | None) -> list[str]:
    what = "mean |attribution|" if sample is None else "attribution"
    return [f"each {by}", f"each residue: {what}", "residues over time"]


def _title(explanation: Explanation, sample: int | None) -> str:
    which = f"{len(explanation.values)} frames" if sample is None else f"frame {explanation.frames[sample]:,}"
    return f"{explanation.output}: {which}, additivity error {explanation.additivity_error():.2%}"


def _swarm(figure: go.Figure, explanation: Explanation, by: str, sample: int | None, most: int) -> None:
    names, values = explanation.grouped(by)
    order = np.argsort(-np.abs(values).mean(0), kind="stable")[:most][::-1]
    across, up, colour, words = [], [], [], []
    sizes = _sizes(explanation, by, names)
    for row, number in enumerate(order):
        across.append(values[:, number])
        up.append(row + _spread(values[:, number]))
        colour.append(sizes[number])
        words += [text_of(names[number])] * len(values)
    flat = [np.concatenate(one) if one else np.empty(0) for one in (across, up, colour)]
    known = np.isfinite(flat[2]).any()
    figure.add_scatter(
        x=flat[0],
        y=flat[1],
        customdata=words,
        mode="markers",
        marker={
            "size": 4,
            "color": flat[2] if known else COLORS[0],
            "colorscale": "Cividis",
            "cmin": 0,
            "cmax": 1,
            "opacity": 0.8,
            "showscale": bool(known),
            "colorbar": {
                "title": {"text": "value", "side": "top"},
                "tickvals": [0, 1],
                "ticktext": ["low", "high"],
                "thickness": 8,
                "len": 0.45,
                "y": 0.77,
                "x": 0.385,
                "xpad": 4,
            },
        },
        hovertemplate="%{customdata}: %{x:.3g}<extra></extra>",
        row=1,
        col=1,
    )
    own = [] if sample is None else [row * len(values) + sample for row in range(len(order))]
    figure.add_scatter(
        x=flat[0][own],
        y=flat[1][own],
        mode="markers",
        marker={"size": 9, "symbol": "circle-open", "color": COLORS[1], "line": {"width": 2}},
        hoverinfo="skip",
        row=1,
        col=1,
    )
    figure.update_yaxes(
        tickvals=list(range(len(order))),
        ticktext=[_short(text_of(names[number])) for number in order],
        range=[-0.6, len(order) - 0.4],
        row=1,
        col=1,
    )


def _sizes(explanation: Explanation, by: str, names: tuple[str, ...]) -> list[np.ndarray]:
    """Return how large each group was in each sample, as its rank from 0 to 1; NaN where it is of several numbers."""
    data = explanation.data.reshape(len(explanation.data), -1, len(explanation.columns))[:, -1]
    columns = {name: [] for name in names}  # type: dict[str, list[int]]
    if by == "feature":
        for number, column in enumerate(explanation.columns):
            columns.get(column.group or column.name, []).append(number)
    result = []
    for name in names:
        own = columns[name]
        values = np.full(len(data), np.nan)
        if len(own) == 1:
            values = data[:, own[0]]
        elif len(own) == 2 and explanation.columns[own[0]].name == f"sin {name}":
            values = np.arctan2(data[:, own[0]], data[:, own[1]])
        ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable") / max(len(values) - 1, 1)
        result.append(np.where(np.isfinite(values), ranks, np.nan))
    return result


def _spread(values: np.ndarray, width: float = 0.38, bins: int = 40) -> np.ndarray:
    """Return how far each of many dots moves aside so that those at one place lie beside each other."""
    span = np.ptp(values) or 1.0
    place = np.minimum(((values - values.min()) / span * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    rank = np.empty(len(values), int)
    for own in range(bins):
        inside = np.flatnonzero(place == own)
        rank[inside] = np.arange(len(inside))
    side = np.where(rank % 2, -1, 1) * ((rank + 1) // 2)
    return np.asarray(side / max(counts.max() / 2, 4) * width)


def _heat(
    figure: go.Figure, explanation: Explanation, per_residue: np.ndarray, labels: list[str], sample: int | None
) -> None:
    values = per_residue
    if sample is not None and explanation.window > 1:
        values = explanation.in_window(sample)
    limit = float(np.abs(values).max()) or 1.0
    figure.add_heatmap(
        x=np.arange(len(values)),
        y=np.arange(len(labels)),
        z=values.T,
        zmin=-limit,
        zmax=limit,
        colorscale=_DIVERGING,
        customdata=np.repeat(np.array(labels, object)[:, None], len(values), 1),
        hovertemplate="%{customdata}: %{z:.3g}<extra></extra>",
        colorbar={"title": {"text": "attribution", "side": "right"}, "thickness": 12, "len": 0.45, "y": 0.2},
        row=2,
        col=1,
    )


def _axes(figure: go.Figure, explanation: Explanation, labels: list[str], sample: int | None) -> None:
    figure.update_xaxes(title_text="attribution", zeroline=True, zerolinecolor="#888888", row=1, col=1)
    every = max(1, -(-len(labels) // 12))
    ticks = list(range(0, len(labels), every))
    names = [_short(labels[number], 9) for number in ticks]
    figure.update_xaxes(tickvals=ticks, ticktext=names, tickangle=-90, tickfont_size=9, row=1, col=2)
    figure.update_yaxes(tickvals=ticks, ticktext=names, autorange="reversed", row=2, col=1)
    window = sample is not None and explanation.window > 1
    n = explanation.window if window else len(explanation.values)
    places = np.unique(np.linspace(0, n - 1, min(n, 7)).astype(int))
    words = [str(place - n + 1) for place in places] if window else [f"{explanation.frames[p]:,}" for p in places]
    title = "frames before the end of the window" if window else "explained frame"
    figure.update_xaxes(title_text=title, tickvals=places.tolist(), ticktext=words, tickangle=0, row=2, col=1)


def _marks() -> list[dict[str, object]]:
    line = {"color": "#E69F00", "width": 3}
    return [
        {"type": "rect", "xref": "x2", "yref": "y2 domain", "x0": 0, "x1": 1, "y0": 0, "y1": 1, "line": line},
        {"type": "rect", "xref": "x3 domain", "yref": "y3", "x0": 0, "x1": 1, "y0": 0, "y1": 1, "line": line},
        {"type": "line", "xref": "x3", "yref": "y3 domain", "x0": 0, "x1": 0, "y0": 0, "y1": 1,
         "line": {"color": COLORS[1], "width": 2}},
    ]  # fmt: skip


def _short(name: str, most: int = 20) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"

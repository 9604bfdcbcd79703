"""What a judgement says, drawn: values against floors, ladders of MD, requested against obtained."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mdnb.errors import unknown_name
from mdnb.figures.style import COLORS, finish, text_of
from mdnb.generation.controlled import Control
from mdnb.generation.judgement import Judgement, Row

__all__ = ["control_figure", "judgement_figure", "ladder_figure", "populations_figure"]


def judgement_figure(judgement: Judgement) -> go.Figure:
    """Draw each distance over its floor, and each share, of every set of structures, with intervals.

    Parameters
    ----------
    judgement : Judgement
        From `mdnb.judge`.
    """
    rows = [one for one in judgement.rows if not one.part]
    shares = [metric for metric in judgement.metrics if _is_share(rows, metric)]
    distances = [metric for metric in judgement.metrics if metric not in shares and _is_distance(rows, metric)]
    figure = make_subplots(
        rows=1,
        cols=2,
        column_widths=[0.55, 0.45],
        horizontal_spacing=0.24,
        subplot_titles=["over the floor (lower is better)", "shares (the floor as a line)"],
    )
    for number, name in enumerate(judgement.sets):
        color = COLORS[number % len(COLORS)]
        for column, metrics in ((1, distances), (2, shares)):
            found = {one.metric: one for one in rows if one.structures == name and one.metric in metrics}
            scale = {metric: row.floor if column == 1 else 1.0 for metric, row in found.items()}
            values = [row.value / scale[metric] for metric, row in found.items()]
            figure.add_scatter(
                x=values,
                y=[_place(metrics, metric, number, len(judgement.sets)) for metric in found],
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [_reach(row, row.high) / scale[metric] for metric, row in found.items()],
                    "arrayminus": [-_reach(row, row.low) / scale[metric] for metric, row in found.items()],
                    "thickness": 1.2,
                },
                customdata=[[text_of(row.metric), f"{row.value:.3g}", judgement.as_md(row)] for row in found.values()],
                hovertemplate="%{customdata[0]}: %{customdata[1]}<br>as good as MD of: %{customdata[2]}",
                mode="markers",
                marker={"color": color, "size": 8},
                name=text_of(name),
                legendgroup=name,
                showlegend=column == 1,
                row=1,
                col=column,
            )
    figure.add_vline(x=1, line={"color": "#888", "dash": "dash"}, row=1, col=1)
    for metric in shares:
        floor = next(row.floor for row in rows if row.metric == metric)
        middle = _place(shares, metric, 0, 1)
        figure.add_scatter(
            x=[floor, floor],
            y=[middle - 0.4, middle + 0.4],
            mode="lines",
            line={"color": "#888", "dash": "dash"},
            hoverinfo="skip",
            showlegend=False,
            row=1,
            col=2,
        )
    for column, metrics in ((1, distances), (2, shares)):
        figure.update_yaxes(
            tickvals=list(range(len(metrics))),
            ticktext=[text_of(metric) for metric in reversed(metrics)],
            range=[-0.6, len(metrics) - 0.4],
            row=1,
            col=column,
        )
    figure.update_xaxes(title_text="value / floor", rangemode="tozero", row=1, col=1)
    figure.update_xaxes(title_text="share of structures", range=[-0.03, 1.08], tickformat=".0%", row=1, col=2)
    figure = finish(figure, "Against held-out MD", height=120 + 44 * max(len(distances), len(shares), 4))
    figure.update_layout(margin={"l": 210, "t": 85}, legend={"y": 1.06})
    return figure


def ladder_figure(judgement: Judgement, metric: str = "") -> go.Figure:
    """Draw one figure of ever longer MD, and where each set of structures stands on it.

    Parameters
    ----------
    judgement : Judgement
    metric : str
        By default the first one.

    Raises
    ------
    SpecError
        When the figure has no ladder.
    """
    metric = metric or next(iter(judgement.ladders), "")
    if metric not in judgement.ladders:
        raise unknown_name("figure with a ladder of MD", metric, list(judgement.ladders))
    ladder = judgement.ladders[metric]
    scale, unit = (1000.0, "ns") if judgement.time_known else (1.0, "frames")
    figure = go.Figure()
    figure.add_scatter(
        x=ladder.lengths / scale, y=ladder.values, mode="lines+markers", name="MD", line={"color": "#888"}
    )
    for number, name in enumerate(judgement.sets):
        found = [one for one in judgement.rows if (one.structures, one.metric, one.part) == (name, metric, "")]
        for row in found:
            figure.add_scatter(
                x=[row.md / scale],
                y=[row.value],
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "array": [_reach(row, row.high)],
                    "arrayminus": [-_reach(row, row.low)],
                },
                mode="markers",
                marker={"color": COLORS[number % len(COLORS)], "size": 11},
                name=text_of(f"{name}: {judgement.as_md(row)}"),
            )
    figure.update_xaxes(title_text=f"length of MD ({unit})", type="log")
    figure.update_yaxes(title_text=text_of(metric), rangemode="tozero")
    return finish(figure, "As good as how much MD")


def populations_figure(judgement: Judgement) -> go.Figure:
    """Draw how often each metastable state was seen in the held-out MD and in each set of structures."""
    figure = go.Figure()
    names = list(dict.fromkeys(one.structures for one in judgement.populations))
    for number, name in enumerate(names):
        found = [one for one in judgement.populations if one.structures == name]
        figure.add_bar(
            x=[one.part for one in found],
            y=[one.value for one in found],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [_reach(one, one.high) for one in found],
                "arrayminus": [-_reach(one, one.low) for one in found],
                "thickness": 1.2,
            },
            name=text_of(name),
            marker_color="#888" if number == 0 else COLORS[(number - 1) % len(COLORS)],
        )
    figure.update_yaxes(title_text="population", tickformat=".0%", rangemode="tozero")
    return finish(figure, "Metastable states", height=360)


def control_figure(control: Control, name: str = "property", unit: str = "") -> go.Figure:
    """Draw what was obtained over what was requested.

    Parameters
    ----------
    control : Control
        From `mdnb.control`.
    name, unit : str
        Of the property.
    """
    label = text_of(f"{name} ({unit})" if unit else name)
    figure = go.Figure()
    for outside, color, title in ((False, COLORS[0], "structures"), (True, COLORS[1], "outside the training range")):
        rows = control.outside == outside
        if rows.any():
            figure.add_scatter(
                x=control.requested[rows],
                y=control.obtained[rows],
                mode="markers",
                marker={"color": color, "size": 5, "opacity": 0.5},
                name=title,
            )
    ends = np.array([control.requested.min(), control.requested.max()])
    figure.add_scatter(x=ends, y=ends, mode="lines", line={"color": "#888", "dash": "dash"}, name="as requested")
    if np.isfinite(control.slope):
        figure.add_scatter(
            x=ends,
            y=control.slope * ends + control.intercept,
            mode="lines",
            line={"color": COLORS[2]},
            name=f"slope {control.slope:.2f}",
        )
    if control.known is not None:
        figure.add_vrect(x0=control.known[0], x1=control.known[1], fillcolor="#888", opacity=0.1, line_width=0)
    figure.update_xaxes(title_text=f"requested {label}")
    figure.update_yaxes(title_text=f"obtained {label}")
    return finish(figure, f"Correlation {control.correlation:.3f} [{control.low:.3f}, {control.high:.3f}]", height=420)


def _is_share(rows: list[Row], metric: str) -> bool:
    """Return whether a figure is a share, 0 to 1, which one reads as it is."""
    return metric in _SHARES and any(row.metric == metric for row in rows)


_SHARES = (
    "mode collapse", "precision", "recall", "density", "coverage", "passes all checks", "below the memorization line",
    "nearer to training than to held-out",
)  # fmt: skip


def _is_distance(rows: list[Row], metric: str) -> bool:
    """Return whether a figure is the better the lower, and has a floor to be divided by."""
    found = [row for row in rows if row.metric == metric]
    return all(row.better == "lower" and np.isfinite(row.floor) and row.floor > 0 for row in found)


def _place(metrics: list[str], metric: str, number: int, count: int) -> float:
    """Return the height of a mark: figures from top to bottom, sets beside each other."""
    return len(metrics) - 1 - metrics.index(metric) + 0.3 * ((count - 1) / 2 - number) / max(1, (count - 1) / 2)


def _reach(row: Row, end: float) -> float:
    return end - row.value if np.isfinite(end) else 0.0

"""What moves a prediction, and when."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mdnb.explanation.result import Explanation
from mdnb.explanation.summary import Summary
from mdnb.features.base import residue_labels
from mdnb.figures.style import COLORS, finish, text_of

__all__ = ["contact_map_figure", "explanation_figure", "window_figure"]

#: Letters of a feature beside its bar; the whole name is shown where the mouse is.
_LONGEST = 22


def explanation_figure(explanation: Explanation, most: int = 12, check: bool = True) -> go.Figure:
    """Draw the mean absolute attribution by residue and of the most important features, and whether to trust it.

    Parameters
    ----------
    explanation : Explanation
    most : int
        Features drawn.
    check : bool
        Draw the deletion and insertion curves of `Explanation.faithfulness` beside it; takes seconds.
    """
    residues, features = explanation.summary("residue"), explanation.summary("feature")
    titles = ["by residue", "most important features", *(["is it faithful?"] if check else [])]
    widths = [0.32, 0.3, 0.38] if check else None
    figure = make_subplots(
        rows=1, cols=len(titles), subplot_titles=titles, horizontal_spacing=0.17, column_widths=widths
    )
    figure.add_bar(
        x=[text_of(name) for name in residues.names],
        y=residues.importance,
        error_y=_interval(residues, np.arange(len(residues.names))),
        marker_color=COLORS[0],
        showlegend=False,
        row=1,
        col=1,
    )
    order = np.argsort(-features.importance, kind="stable")[:most][::-1]
    figure.add_bar(
        y=[text_of(features.names[number]) for number in order],
        x=features.importance[order],
        error_x=_interval(features, order),
        orientation="h",
        marker_color=COLORS[1],
        showlegend=False,
        row=1,
        col=2,
    )
    figure.update_yaxes(title_text="mean |attribution|", rangemode="tozero", row=1, col=1)
    labels = [
        text_of(name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…")
        for name in map(features.names.__getitem__, order)
    ]
    figure.update_yaxes(tickvals=list(range(len(order))), ticktext=labels, tickfont={"size": 10}, row=1, col=2)
    figure.update_xaxes(title_text="mean |attribution|", rangemode="tozero", row=1, col=2)
    title = f"What moves the {explanation.output}; additivity error {explanation.additivity_error():.2%}"
    if check:
        warnings = _draw_faithfulness(figure, explanation)
        if warnings:
            title += f"<br><span style='color:{COLORS[1]};font-size:13px'>{text_of(warnings[0])}</span>"
    finish(figure, "", height=max(400, 140 + 24 * len(order)))
    head, _, warning = title.partition("<br>")
    figure.update_layout(
        title_text=text_of(head) + (f"<br>{warning}" if warning else ""),
        margin={"t": 110 if warning else 80, "b": 90},
        legend={"y": -0.2, "yanchor": "top"},
    )
    return figure


def _interval(summary: Summary, rows: np.ndarray) -> dict[str, object]:
    """Return the error bars of some groups; none where there is one block only."""
    return {
        "array": np.nan_to_num(summary.high - summary.importance)[rows],
        "arrayminus": np.nan_to_num(summary.importance - summary.low)[rows],
        "color": "#555555",
        "thickness": 1,
        "width": 3,
    }


def _draw_faithfulness(figure: go.Figure, explanation: Explanation) -> tuple[str, ...]:
    """Draw insertion (full) and deletion (dotted) in each order into the third panel, and return the warnings."""
    checked = explanation.faithfulness()
    colours = {"explanation": COLORS[0], "one ranking": COLORS[2], "random order": "#888888"}
    for name, curve in checked.curves.items():
        for kind, values, dash in (("in", curve.insertion, "solid"), ("out", curve.deletion, "dot")):
            figure.add_scatter(
                x=curve.share,
                y=values,
                name=f"{name}, {kind}",
                mode="lines",
                line={"color": colours[name], "dash": dash},
                row=1,
                col=3,
            )
    figure.update_xaxes(title_text="share of inputs put in, or taken out", tickformat=".0%", row=1, col=3)
    figure.update_yaxes(title_text="output: 0 average, 1 predicted", row=1, col=3)
    return checked.warnings


def contact_map_figure(explanation: Explanation, sample: int | None = None) -> go.Figure:
    """Draw the signed attribution of each pair of residues: orange raises the output, blue lowers it.

    Parameters
    ----------
    explanation : Explanation
        Of a model of contacts or distances.
    sample : int, optional
        One sample; the mean over all when left out.

    Raises
    ------
    DataError
        When no column is of two residues.
    """
    values = explanation.contact_map(sample)
    names = [text_of(name) for name in residue_labels(explanation.topology)]
    limit = float(np.nanmax(np.abs(values))) or 1.0
    what = "mean attribution" if sample is None else "attribution"
    figure = go.Figure(
        go.Heatmap(
            z=values,
            x=names,
            y=names,
            zmin=-limit,
            zmax=limit,
            colorscale=[[0, "#0e4281"], [0.25, "#5c97cd"], [0.5, "#e1e1e1"], [0.75, "#ec8d48"], [1, "#a63c06"]],
            colorbar={"title": what},
            hovertemplate="%{x} and %{y}: %{z:.3g}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed", scaleanchor="x", constrain="domain")
    figure.update_xaxes(constrain="domain")
    finish(figure, text_of(f"Which contacts move the {explanation.output}"), height=560)
    figure.update_layout(width=720, margin={"l": 90})
    return figure


def window_figure(explanation: Explanation, time_step: float = float("nan")) -> go.Figure:
    """Draw how the attribution is spread over the frames of the window.

    Parameters
    ----------
    explanation : Explanation
        Of a model with a window of more than one frame.
    time_step : float
        In ps; frames are counted where it is unknown.
    """
    values = explanation.over_time()
    known = np.isfinite(time_step)
    x = np.arange(1 - len(values), 1) * (time_step if known else 1)
    figure = go.Figure(go.Bar(x=x, y=values, marker_color=COLORS[0]))
    figure.update_xaxes(
        title_text="time before the end of the window (ps)" if known else "frames before the end of the window"
    )
    figure.update_yaxes(title_text="mean |attribution|")
    return finish(figure, "When in the window the evidence lies", height=320)

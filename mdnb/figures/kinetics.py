"""Kinetics: timescales by lag time, the Chapman-Kolmogorov test, and the choice of a lag time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mdnb.errors import DataError
from mdnb.figures.style import COLORS, finish, text_of
from mdnb.kinetics import ChapmanKolmogorov, LagScan, Timescales

__all__ = ["chapman_kolmogorov_figure", "lag_scan_figure", "timescales_figure"]

_DASHES = ("solid", "dot", "dash", "dashdot")
_SYMBOLS = ("circle", "diamond-open", "square", "cross")


def timescales_figure(sets: Mapping[str, Timescales]) -> go.Figure:
    """Draw implied timescales against the lag time, with 95% intervals; grey where they are not reliable.

    Parameters
    ----------
    sets : mapping of str to Timescales
        Such as ``{"MLP": ..., "TICA": ...}``; a colour for each mode, a line style for each set.

    Raises
    ------
    DataError
        When there is nothing to draw.
    """
    if not sets:
        raise DataError("there are no timescales to draw; give a mapping such as {'MLP': mdnb.timescales(...)}")
    figure = go.Figure()
    lags = np.unique(np.concatenate([one.lag_times for one in sets.values()]))
    known = [values[np.isfinite(values) & (values > 0)] for one in sets.values() for values in (one.values, one.low)]
    everything = np.concatenate([lags, *known])
    bottom, top = 0.7 * everything.min(), 2 * max(everything.max(), lags.max())
    left, right = 0.8 * lags.min(), 1.25 * lags.max()
    figure.add_scatter(
        x=[left, right, right, left], y=[left, right, bottom / 10, bottom / 10], fill="toself", mode="none",
        fillcolor="rgba(128,128,128,0.25)", name="shorter than the lag", hoverinfo="skip",
    )  # fmt: skip
    for number, (name, found) in enumerate(sets.items()):
        for mode in range(found.values.shape[1]):
            color = COLORS[mode % len(COLORS)]
            low, high = found.low[:, mode], np.where(np.isinf(found.high[:, mode]), top, found.high[:, mode])
            own = np.isfinite(found.values[:, mode])
            x = found.lag_times[own]
            figure.add_scatter(
                x=np.concatenate([x, x[::-1]]),
                y=np.concatenate([np.maximum(low[own], bottom / 10), high[own][::-1]]),
                fill="toself", mode="none", fillcolor=_faint(color), showlegend=False, hoverinfo="skip",
            )  # fmt: skip
            figure.add_scatter(
                x=x,
                y=found.values[own, mode],
                mode="lines+markers",
                line={"color": color, "dash": _DASHES[number % len(_DASHES)]},
                marker={"symbol": _SYMBOLS[number % len(_SYMBOLS)]},
                name=text_of(f"{name}, mode {mode + 1}"),
            )
    figure.update_xaxes(title_text="lag time (ps)", type="log", range=[np.log10(left), np.log10(right)])
    figure.update_yaxes(title_text="implied timescale (ps)", type="log", range=[np.log10(bottom), np.log10(top)])
    _ticks(figure, lags)
    parts = sorted({one.part for one in sets.values()})
    what = {"test": "held-out trajectories", "all": "all trajectories, those of the training too"}
    figure = finish(figure, f"Implied timescales: {' and '.join(what[part] for part in parts)}", height=460)
    return _legend_below(figure)


def chapman_kolmogorov_figure(test: ChapmanKolmogorov, most: int = 3) -> go.Figure:
    """Draw the correlations predicted from one lag time (lines) and those estimated (points), with standard errors.

    Parameters
    ----------
    test : ChapmanKolmogorov
    most : int
        Modes drawn, the slowest first.
    """
    n = min(most, test.predicted.shape[1])
    titles = [f"mode {i + 1} → {j + 1}" if i != j else f"mode {i + 1}" for i in range(n) for j in range(n)]
    figure = make_subplots(rows=n, cols=n, subplot_titles=titles, shared_xaxes=True, vertical_spacing=0.12)
    x = test.lag_times
    for i in range(n):
        for j in range(n):
            where = {"row": i + 1, "col": j + 1}
            first = i == j == 0
            center, error = test.predicted[:, i, j], 1.96 * test.predicted_error[:, i, j]
            figure.add_scatter(
                x=np.concatenate([x, x[::-1]]), y=np.concatenate([center - error, (center + error)[::-1]]),
                fill="toself", mode="none", fillcolor=_faint(COLORS[0]), showlegend=False, hoverinfo="skip", **where,
            )  # fmt: skip
            figure.add_scatter(
                x=x, y=center, mode="lines", line={"color": COLORS[0]}, name="predicted", showlegend=first, **where
            )
            figure.add_scatter(
                x=x,
                y=test.estimated[:, i, j],
                error_y={"array": 1.96 * test.estimated_error[:, i, j], "thickness": 1},
                mode="markers",
                marker={"color": COLORS[1]},
                name="estimated",
                showlegend=first,
                **where,
            )
            spread = [0, 1.05] if i == j else [-0.55, 0.55]
            shown = np.concatenate([center, test.estimated[:, i, j]])
            figure.update_yaxes(range=[min(spread[0], shown.min() - 0.05), max(spread[1], shown.max())], **where)
    figure.update_xaxes(title_text="lag time (ps)", row=n)
    figure.update_yaxes(title_text="correlation", col=1)
    verdict = "passed" if test.passes else "FAILED"
    title = f"Chapman-Kolmogorov test {verdict}: worst deviation {test.worst:.1f} σ (chance: up to {test.limit:.1f})"
    figure = finish(figure, title, height=190 + 190 * n)
    figure.update_layout(margin={"t": 90})
    return _legend_below(figure)


def lag_scan_figure(scan: LagScan) -> go.Figure:
    """Draw the score and the slowest timescale of the networks trained at each lag time, with 95% intervals."""
    figure = make_subplots(rows=1, cols=2, subplot_titles=("VAMP-2, test part", "slowest timescale (ps)"))
    lags, found = scan.lag_times, scan.timescales
    scores = np.array([[score.value, score.low, score.high] for score in scan.scores]).T
    times = np.array([found.values[:, 0], found.low[:, 0], found.high[:, 0]])
    times[2] = np.where(np.isinf(times[2]), np.nan, times[2])
    for column, (values, low, high) in enumerate((scores, times), 1):
        figure.add_scatter(
            x=lags,
            y=values,
            error_y={"array": high - values, "arrayminus": values - low, "thickness": 1},
            mode="lines+markers",
            line={"color": COLORS[column - 1]},
            showlegend=False,
            row=1,
            col=column,
        )
    figure.add_scatter(
        x=np.append(0.0, lags),
        y=np.append(0.0, lags),
        mode="lines",
        line={"color": "grey", "dash": "dash"},
        name="t = lag",
        row=1,
        col=2,
    )
    figure.update_xaxes(title_text="lag time (ps)", rangemode="tozero")
    figure.update_yaxes(rangemode="tozero", row=1, col=2)
    return finish(figure, f"Lag times: {text_of(scan.runs[0].family)} trained at each")


def _faint(color: str) -> str:
    red, green, blue = (int(color[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.15)"


def _ticks(figure: go.Figure, lags: np.ndarray) -> None:
    figure.update_xaxes(tickvals=lags, ticktext=[f"{lag:g}" for lag in lags])


def _legend_below(figure: go.Figure) -> go.Figure:
    """Put the legend where the title cannot meet it."""
    figure.update_layout(
        legend={"yanchor": "top", "y": -0.18, "xanchor": "left", "x": 0.0}, margin={"b": 100, "l": 70, "r": 20}
    )
    return figure

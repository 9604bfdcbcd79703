"""Slow modes: their timescales, their test, and what they look like on the map of the molecule and in time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mdnb.errors import DataError, SpecError, unknown_name
from mdnb.features.base import Features
from mdnb.figures.style import COLORS, finish, text_of
from mdnb.kinetics import ChapmanKolmogorov, LagScan, Timescales
from mdnb.runs import Run

__all__ = [
    "chapman_kolmogorov_figure",
    "lag_scan_figure",
    "mode_trace_figure",
    "modes_figure",
    "timescales_figure",
]

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


def modes_figure(
    run: Run,
    features: Features,
    x: str,
    y: str,
    *,
    functions: np.ndarray | None = None,
    name: str = "",
    bins: int = 60,
    most: int = 3,
) -> go.Figure:
    """Draw the slow modes as colours over two quantities, such as the torsions of the Ramachandran map.

    Where a mode changes its sign, the dynamics crosses its barrier.

    Parameters
    ----------
    run : Run
        Trained with ``mdnb.SlowModes()``.
    features : Features
    x, y : str
        Names of columns, or of torsions whose sine and cosine are columns, such as ``"phi ALA2"``.
    functions : (n_samples, n_functions) array, optional
        Other functions of the same samples, such as `mdnb.linear_modes`.
    name : str
        What made the functions, for the title; by default the run's family.
    bins : int
    most : int
        Modes drawn.

    Raises
    ------
    SpecError
        When the features have no such column or torsion.
    DataError
        When the functions do not fit the samples.
    """
    frames = run.samples(features).frames[:, -1]
    modes = _modes(run, features, functions, len(frames))
    n = min(most, modes.shape[1])
    quantities = [_quantity(features, name) for name in (x, y)]
    a, b = (values[frames] for values, *_ in quantities)
    counts, x_edges, y_edges = np.histogram2d(a, b, bins=bins, range=[bounds for _, bounds, _ in quantities])
    figure = make_subplots(rows=1, cols=n, subplot_titles=[f"mode {k + 1}" for k in range(n)], shared_yaxes=True,
                           horizontal_spacing=0.03)  # fmt: skip
    for k in range(n):
        total, *_ = np.histogram2d(a, b, bins=[x_edges, y_edges], weights=modes[:, k])
        mean = np.divide(total, counts, out=np.full_like(total, np.nan), where=counts > 0)
        limit = max(float(np.nanpercentile(np.abs(mean), 98)), 1e-12)  # a rare state must not hide the other modes
        figure.add_heatmap(
            x=(x_edges[1:] + x_edges[:-1]) / 2, y=(y_edges[1:] + y_edges[:-1]) / 2, z=mean.T / limit,
            coloraxis="coloraxis", customdata=mean.T,
            row=1, col=k + 1, hovertemplate="%{x:.0f}, %{y:.0f}: %{customdata:.2f}<extra></extra>",
        )  # fmt: skip
        figure.update_xaxes(title_text=text_of(quantities[0][2]), row=1, col=k + 1)
    figure.update_yaxes(title_text=text_of(quantities[1][2]), row=1, col=1)
    figure.update_layout(
        coloraxis={"colorscale": "RdBu", "cmin": -1, "cmax": 1, "colorbar": {"title": "mode, of<br>its largest"}}
    )
    return finish(figure, f"Slow modes of {text_of(name or run.family)}, mean in each cell", height=430)


def mode_trace_figure(
    run: Run, features: Features, trajectory: int = 0, *, functions: np.ndarray | None = None, most: int = 3000
) -> go.Figure:
    """Draw the slow modes of one trajectory against time, and their distribution over all.

    Parameters
    ----------
    run : Run
    features : Features
    trajectory : int
    functions : (n_samples, n_functions) array, optional
    most : int
        Points drawn; longer traces are thinned evenly.

    Raises
    ------
    DataError
        For a trajectory that is not there.
    """
    frames = run.samples(features).frames[:, -1]
    modes = _modes(run, features, functions, len(frames))
    own = np.flatnonzero(features.trajectory[frames] == trajectory)
    if not len(own):
        raise DataError(f"there is no trajectory {trajectory}; there are {len(np.unique(features.trajectory))}")
    own = own[:: -(-len(own) // most)]
    n = modes.shape[1]
    known = np.isfinite(features.time[frames[own]]).all()
    time = features.time[frames[own]] if known else frames[own] - frames[own[0]]
    figure = make_subplots(rows=n, cols=2, column_widths=[0.75, 0.25], horizontal_spacing=0.08, shared_yaxes=True)
    for k in range(n):
        line = {"width": 1, "color": COLORS[k % len(COLORS)]}
        figure.add_scatter(x=time, y=modes[own, k], mode="lines", line=line, showlegend=False, row=k + 1, col=1)
        counts, edges = np.histogram(modes[:, k], bins=60, density=True)
        middle = (edges[1:] + edges[:-1]) / 2
        figure.add_scatter(
            x=counts, y=middle, fill="tozerox", line={**line, "shape": "hvh"}, showlegend=False, row=k + 1, col=2
        )
        figure.update_yaxes(title_text=f"mode {k + 1}", row=k + 1, col=1)
        figure.update_xaxes(matches="x", showticklabels=k == n - 1, row=k + 1, col=1)
    figure.update_xaxes(title_text="time (ps)" if known else "frame", row=n, col=1)
    figure.update_xaxes(title_text="density, all frames", row=n, col=2)
    return finish(figure, text_of(features.source.names[trajectory]), height=140 + 170 * n)


def _modes(run: Run, features: Features, functions: np.ndarray | None, n_samples: int) -> np.ndarray:
    modes = np.asarray(run.encode(features) if functions is None else functions, float)
    if modes.ndim != 2 or len(modes) != n_samples:
        raise DataError(f"got functions of shape {modes.shape} for {n_samples} samples; expected one row for each")
    return modes


def _quantity(features: Features, name: str) -> tuple[np.ndarray, tuple[float, float], str]:
    """Return a column, or a torsion in degrees from its sine and cosine; its bounds; and the title of its axis."""
    if name in features.names:
        values = features.column(name)
        unit = next(column.unit for column in features.columns if column.name == name)
        return values, (float(values.min()), float(values.max())), f"{name} ({unit})" if unit else name
    if f"sin {name}" in features.names and f"cos {name}" in features.names:
        angle = np.degrees(np.arctan2(features.column(f"sin {name}"), features.column(f"cos {name}")))
        return angle, (-180.0, 180.0), f"{name} (degrees)"
    torsions = [one.removeprefix("sin ") for one in features.names if one.startswith("sin ")]
    if not isinstance(name, str):
        raise SpecError(f"got {name!r}, expected the name of a column or of a torsion")
    raise unknown_name("column or torsion", name, [*torsions, *features.names])


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

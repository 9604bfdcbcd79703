"""Drawn and simulated dynamics beside each other: populations and timescales with their intervals."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mdnb.figures.style import COLORS, finish
from mdnb.kinetics.agreement import Agreement

__all__ = ["agreement_figure"]


def agreement_figure(found: Agreement) -> go.Figure:
    """Draw the populations of the metastable states and the slowest timescale by lag time, with 95% intervals.

    Parameters
    ----------
    found : Agreement
        As `mdnb.compare_dynamics` returns it.
    """
    figure = make_subplots(
        rows=1,
        cols=2,
        horizontal_spacing=0.14,
        subplot_titles=["population of each state", "slowest timescale (ps)"],
    )
    for color, name in zip(COLORS, ("simulated", "drawn"), strict=False):
        share, low, high = found.populations[name]
        figure.add_bar(
            x=[f"state {number}" for number in range(len(share))],
            y=share,
            error_y={"type": "data", "symmetric": False, "array": high - share, "arrayminus": share - low},
            name=name,
            legendgroup=name,
            marker_color=color,
            row=1,
            col=1,
        )
        times = found.timescales[name]
        known = np.isfinite(times.values[:, 0])
        value, below, above = (one[known, 0] for one in (times.values, times.low, times.high))
        up = np.where(np.isfinite(above), above - value, 0)
        figure.add_scatter(
            x=times.lag_times[known],
            y=value,
            error_y={"type": "data", "symmetric": False, "array": up, "arrayminus": value - below},
            name=name,
            legendgroup=name,
            showlegend=False,
            mode="lines+markers",
            marker_color=color,
            row=1,
            col=2,
        )
    figure.update_yaxes(tickformat=".0%", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(rangemode="tozero", row=1, col=2)
    figure.update_xaxes(title_text="lag time (ps)", row=1, col=2)
    return finish(figure, "Drawn and simulated dynamics", height=400)

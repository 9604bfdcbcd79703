"""What moves a prediction, and when."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mdnb.explanation import Explanation
from mdnb.figures.style import COLORS, finish, text_of

__all__ = ["explanation_figure", "window_figure"]


def explanation_figure(explanation: Explanation, most: int = 12) -> go.Figure:
    """Draw the mean absolute attribution by residue and of the most important features."""
    residues = explanation.by_residue()
    features = dict(list(explanation.by_feature().items())[:most])
    figure = make_subplots(
        rows=1, cols=2, subplot_titles=["by residue", "most important features"], horizontal_spacing=0.25
    )
    names = [text_of(name) for name in residues]
    figure.add_bar(x=names, y=list(residues.values()), marker_color=COLORS[0], showlegend=False, row=1, col=1)
    figure.add_bar(
        y=[text_of(name) for name in features][::-1],
        x=list(features.values())[::-1],
        orientation="h",
        marker_color=COLORS[1],
        showlegend=False,
        row=1,
        col=2,
    )
    figure.update_yaxes(title_text="mean |attribution|", row=1, col=1)
    figure.update_xaxes(title_text="mean |attribution|", row=1, col=2)
    error = f"additivity error {explanation.additivity_error():.2%}"
    return finish(
        figure, text_of(f"What moves the {explanation.output} ({error})"), height=max(380, 120 + 24 * len(features))
    )


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

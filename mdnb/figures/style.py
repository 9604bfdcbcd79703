"""What every figure shares: colours, the look of a figure, text from files made safe."""

from __future__ import annotations

from html import escape

import numpy as np
import plotly.graph_objects as go

__all__ = ["COLORS", "finish", "gaps", "text_of"]

#: Okabe and Ito's colours, told apart by colour-blind readers (https://jfly.uni-koeln.de/color/).
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def text_of(name: object) -> str:
    """Return a name from a file as plotly shows it, which takes ``<`` for the start of its own markup."""
    return escape(str(name), quote=False)


def finish(figure: go.Figure, title: str, height: int = 380) -> go.Figure:
    """Give a figure its title, height, colours and margins, and return it."""
    figure.update_layout(
        template="plotly_white",
        title={"text": title, "x": 0.01, "font": {"size": 16}},
        height=height,
        margin={"l": 70, "r": 20, "t": 60, "b": 55},
        colorway=list(COLORS),
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "xanchor": "right", "x": 1.0},
    )
    return figure


def gaps(values: np.ndarray) -> np.ndarray:
    """Return values with None where there is no number: NaN in a map is no JSON, of which a live figure warns."""
    result = np.asarray(values).astype(object)
    result[~np.isfinite(values)] = None
    return result

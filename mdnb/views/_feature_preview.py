"""A few frames of a feature as HTML: each column with its unit, its range and its course."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from mdnb.features.survey import Preview

__all__ = ["preview_html"]

_SHOWN = 8  # columns


def preview_html(columns: Any, shown: Preview, n_frames: int) -> str:
    """Return the first columns with their unit, range and course over the first frames."""
    values = shown.values
    rows = ""
    cell = "padding:2px 12px 2px 0;text-align:left"
    right = "padding:2px 12px 2px 0;text-align:right;font-variant-numeric:tabular-nums"
    for number, column in enumerate(columns[:_SHOWN]):
        own = values[:, number]
        rows += (
            f"<tr><td style='{cell}'>{escape(column.name)}</td><td style='{cell}'>{escape(column.unit) or '1'}</td>"
            f"<td style='{right}'>{own.mean():.3g}</td><td style='{right}'>{own.min():.3g}</td>"
            f"<td style='{right}'>{own.max():.3g}</td><td>{_course(own)}</td></tr>"
        )
    more = f"<div class='mdnb-quiet'>and {len(columns) - _SHOWN:,} more columns</div>" if len(columns) > _SHOWN else ""
    head = "".join(
        f"<th style='{style}'>{words}</th>"
        for words, style in (("column", cell), ("unit", cell), ("mean", right), ("least", right), ("largest", right),
                             ("over the frames", cell))
    )  # fmt: skip
    about = f"first {len(values)} frames; all {n_frames:,} take about {_seconds(shown.seconds)}"
    return f"<div class='mdnb-quiet'>{about}</div><table><tr>{head}</tr>{rows}</table>{more}"


def _seconds(seconds: float) -> str:
    if seconds < 1:
        return "a second or less"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _course(values: np.ndarray, width: int = 120, height: int = 20) -> str:
    """Return a line of the values as an SVG."""
    low, high = float(values.min()), float(values.max())
    x = np.linspace(2, width - 2, len(values))
    y = height - 3 - (values - low) / ((high - low) or 1.0) * (height - 6)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    return (
        f"<svg width='{width}' height='{height}' role='img' aria-label='from {low:.3g} to {high:.3g}'>"
        f"<polyline points='{points}' fill='none' stroke='#0072B2' stroke-width='1.3'/></svg>"
    )

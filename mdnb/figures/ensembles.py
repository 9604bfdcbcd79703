"""Generated and real structures: Ramachandran maps beside each other, distributions over each other."""

from __future__ import annotations

from collections.abc import Sequence

import mdtraj
import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mdnb.errors import DataError
from mdnb.figures.style import COLORS, finish, gaps, text_of
from mdnb.generation.compare import DEGREES, ramachandran
from mdnb.generation.distributions import Distribution
from mdnb.generation.generated import Generated

__all__ = ["ensemble_figure"]

_REAL, _MADE = COLORS[0], COLORS[1]


def ensemble_figure(
    generated: Generated,
    reference: mdtraj.Trajectory,
    found: Sequence[Distribution],
    *,
    asked: Sequence[float] = (),
    bins: int = 45,
    height: int = 640,
) -> go.Figure:
    """Draw phi and psi of real and generated structures beside each other, and four distributions over each other.

    Parameters
    ----------
    generated : Generated
    reference : mdtraj.Trajectory
        Real structures.
    found : sequence of Distribution
        As `mdnb.generation.distributions` makes them; the first four are drawn.
    asked : sequence of float
        What was asked for in the unit of the first distribution, if it is that; drawn as a line.
    bins : int
        Of the Ramachandran maps, along each axis.
    height : int
        Pixels.
    """
    shown = found[:4]
    figure = make_subplots(
        rows=3,
        cols=2,
        row_heights=[0.46, 0.27, 0.27],
        horizontal_spacing=0.16,
        vertical_spacing=0.12,
        subplot_titles=["simulated", "generated", *(_title(one) for one in shown)],
    )
    for column, structures in enumerate((reference, generated.structures), 1):
        middle, density = _torsions(structures, bins)
        figure.add_heatmap(
            x=middle,
            y=middle,
            z=gaps(density.round(4)),
            coloraxis="coloraxis",
            hovertemplate="phi %{x:.0f}, psi %{y:.0f}<extra></extra>",
            row=1,
            col=column,
        )
        figure.update_xaxes(
            title_text="phi (degrees)", title_standoff=4, range=[-180, 180], tickvals=[-90, 0, 90], row=1, col=column
        )
        figure.update_yaxes(range=[-180, 180], tickvals=[-90, 0, 90], row=1, col=column)
    figure.update_yaxes(title_text="psi (degrees)", row=1, col=1)
    for number in range(4):
        row, column = divmod(number, 2)
        one = shown[number] if number < len(shown) else None
        edges, real, made = one.histograms() if one else (np.empty(0), np.empty(0), np.empty(0))
        for name, density, colour in (("simulated", real, _REAL), ("generated", made, _MADE)):
            figure.add_scatter(
                x=(edges[1:] + edges[:-1]) / 2,
                y=density,
                name=name,
                mode="lines",
                line={"color": colour, "shape": "hvh", "width": 2, "dash": None if name == "simulated" else "dot"},
                legendgroup=name,
                showlegend=number == 0,
                row=row + 2,
                col=column + 1,
            )
        figure.update_xaxes(title_text=_name(one) if one else "", title_standoff=4, row=row + 2, col=column + 1)
        figure.update_yaxes(showticklabels=False, rangemode="tozero", row=row + 2, col=column + 1)
    figure.update_layout(coloraxis={
        "colorscale": "Viridis",
        "colorbar": {"title": {"text": "log10 density", "side": "right"}, "thickness": 12, "len": 0.4, "y": 0.82},
    })  # fmt: skip
    finish(figure, text_of(f"{len(generated):,} structures by the {generated.family}"), height=height)
    figure.update_annotations(font_size=12)
    figure.update_layout(
        margin={"t": 85, "b": 45, "l": 55}, shapes=[_line(value) for value in asked],
        legend={"y": 1.06, "x": 1.0},
    )  # fmt: skip
    return figure


def _name(one: Distribution) -> str:
    name = one.name.removeprefix("distance ") if len(one.name) > 26 else one.name
    return text_of(f"{name} ({one.unit})")


def _title(one: Distribution) -> str:
    return f"JS {one.distance:.3f}, floor {one.floor:.3f}"


def _torsions(structures: mdtraj.Trajectory, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the middles of the bins and the logarithm of the density of phi and psi; NaN where there are none."""
    edges = np.linspace(*DEGREES[0], bins + 1)
    middle = (edges[1:] + edges[:-1]) / 2
    try:
        angles = ramachandran(structures)
    except DataError:  # a molecule without them: the maps stay empty
        return middle, np.full((bins, bins), np.nan)
    density = np.histogram2d(angles[:, 0], angles[:, 1], bins=(edges, edges), density=True)[0]
    with np.errstate(divide="ignore"):
        return middle, np.where(density > 0, np.log10(density), np.nan).T


def _line(value: float) -> dict[str, object]:
    return {
        "type": "line", "xref": "x3", "yref": "y3 domain", "x0": value, "x1": value, "y0": 0, "y1": 1,
        "line": {"color": COLORS[2], "width": 2, "dash": "dash"},
    }  # fmt: skip

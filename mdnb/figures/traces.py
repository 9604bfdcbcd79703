"""Numbers of frames against time, and their free energy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mdnb.errors import DataError
from mdnb.features.base import Features
from mdnb.figures.style import COLORS, finish, text_of
from mdnb.sources.recipes import BOLTZMANN

__all__ = ["free_energy_figure", "trace_figure"]


def trace_figure(features: Features, columns: Sequence[str], trajectory: int = 0, most: int = 2000) -> go.Figure:
    """Draw columns against time for one trajectory, and their distribution over all.

    Parameters
    ----------
    features : Features
    columns : sequence of str
        Names of columns.
    trajectory : int
    most : int
        Points drawn of the trace; longer ones are thinned evenly.

    Raises
    ------
    SpecError
        For an unknown column.
    DataError
        For a trajectory that is not there.
    """
    own = np.flatnonzero(features.trajectory == trajectory)
    if not len(own):
        raise DataError(f"there is no trajectory {trajectory}; there are {len(np.unique(features.trajectory))}")
    own = own[:: -(-len(own) // most)]
    known = np.isfinite(features.time[own]).all()
    x = features.time[own] / 1000 if known else own - own[0]
    figure = make_subplots(rows=len(columns), cols=2, column_widths=[0.75, 0.25], horizontal_spacing=0.08)
    for row, name in enumerate(columns, 1):
        column = next(one for one in features.columns if one.name == name) if name in features.names else None
        values = features.column(name)
        color = COLORS[(row - 1) % len(COLORS)]
        unit = f" ({column.unit})" if column and column.unit else ""
        figure.add_scatter(
            x=x,
            y=values[own],
            mode="lines",
            line={"width": 1, "color": color},
            showlegend=False,
            name=text_of(name),
            row=row,
            col=1,
        )
        counts, edges = np.histogram(values, bins=60, density=True)
        figure.add_scatter(
            x=counts,
            y=(edges[1:] + edges[:-1]) / 2,
            fill="tozerox",
            line={"color": color, "shape": "hvh"},
            showlegend=False,
            name=text_of(name),
            row=row,
            col=2,
        )
        figure.update_yaxes(title_text=text_of(f"{name}{unit}"), row=row, col=1)
        figure.update_xaxes(matches="x", showticklabels=row == len(columns), row=row, col=1)  # the time is one for all
    figure.update_xaxes(title_text="time (ns)" if known else "frame", row=len(columns), col=1)
    figure.update_xaxes(title_text="density, all frames", row=len(columns), col=2)
    name = features.source.names[trajectory]
    return finish(figure, text_of(name), height=140 + 170 * len(columns))


def free_energy_figure(
    x: np.ndarray, y: np.ndarray, names: tuple[str, str], temperature: float | None = None, bins: int = 60
) -> go.Figure:
    """Draw the free energy -kT ln p of two quantities in kJ/mol, or in kT where the temperature is not known.

    Parameters
    ----------
    x, y : (n_frames,) arrays
    names : tuple of str
        Of the axes, with units.
    temperature : float, optional
        In kelvin, of the simulation.
    bins : int

    Raises
    ------
    DataError
        When the quantities do not fit each other or hold NaN, or the temperature is none.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    if x.ndim != 1 or x.shape != y.shape or not len(x):
        raise DataError(f"x and y have the shapes {x.shape} and {y.shape}, expected one number each for every frame")
    for name, values in zip(names, (x, y), strict=True):
        if not np.isfinite(values).all():
            raise DataError(
                f"{name} holds NaN or infinite numbers in {np.count_nonzero(~np.isfinite(values))} of {len(x)} frames; "
                "leave those frames out"
            )
    if temperature is not None and not (np.isfinite(temperature) and temperature > 0):
        raise DataError(f"temperature = {temperature!r}: expected kelvin above 0, or None for free energies in kT")
    unit, kt = ("kT", 1.0) if temperature is None else ("kJ/mol", BOLTZMANN * temperature)
    density, x_edges, y_edges = np.histogram2d(x, y, bins=bins, density=True)
    with np.errstate(divide="ignore"):
        energy = np.where(density > 0, -kt * np.log(density), np.nan)
    figure = go.Figure(
        go.Heatmap(
            x=(x_edges[1:] + x_edges[:-1]) / 2,
            y=(y_edges[1:] + y_edges[:-1]) / 2,
            z=(energy - np.nanmin(energy)).T,
            colorscale="Viridis",
            colorbar={"title": unit},
        )
    )
    figure.update_xaxes(title_text=text_of(names[0]))
    figure.update_yaxes(title_text=text_of(names[1]))
    where = "" if temperature is None else f" at {temperature:g} K"
    return finish(figure, f"Free energy{where}", height=430)

"""Slow modes: what they look like on the map of the molecule, and in time."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mdnb.errors import DataError, SpecError, unknown_name
from mdnb.features.base import Features
from mdnb.figures.style import COLORS, finish, text_of
from mdnb.runs import Run

__all__ = ["mode_trace_figure", "modes_figure"]


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

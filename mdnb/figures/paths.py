"""A path of structures on the Ramachandran map of the real ones."""

from __future__ import annotations

import mdtraj
import numpy as np
import plotly.graph_objects as go

from mdnb.errors import DataError
from mdnb.figures.style import COLORS, finish, gaps, text_of
from mdnb.generation.compare import DEGREES, ramachandran
from mdnb.generation.generated import Generated

__all__ = ["path_figure"]


def path_figure(path: Generated, reference: mdtraj.Trajectory, residue: int = 0, bins: int = 60) -> go.Figure:
    """Draw the phi and psi of generated structures in their order, over the density of real ones.

    Parameters
    ----------
    path : Generated
        As `mdnb.interpolate` returns it; or structures around one, whose order means nothing.
    reference : mdtraj.Trajectory
        Real structures of the same molecule.
    residue : int
        Which one of the residues that have both angles, from 0.
    bins : int
        Of the density, along each axis.

    Raises
    ------
    DataError
        When there are not so many residues with both angles.
    """
    each = [ramachandran(one).reshape(-1, one.n_frames, 2) for one in (path.structures, reference)]
    if not 0 <= residue < len(each[0]):
        raise DataError(f"residue = {residue}: {len(each[0])} residues have phi and psi; take 0 to {len(each[0]) - 1}")
    own, real = each[0][residue], each[1][residue]
    density, edges, _ = np.histogram2d(real[:, 0], real[:, 1], bins=bins, range=DEGREES, density=True)
    middle = (edges[1:] + edges[:-1]) / 2
    with np.errstate(divide="ignore"):
        z = np.where(density > 0, np.log10(density), np.nan).T
    figure = go.Figure()
    figure.add_heatmap(
        x=middle,
        y=middle,
        z=gaps(z.round(3)),
        colorscale="Greys",
        colorbar={"title": "log10 density<br>of real ones<br>(1/degree²)"},
        hovertemplate="phi %{x:.0f}, psi %{y:.0f}<extra></extra>",
    )
    steps = np.abs(np.diff(own, axis=0)).max(1) > 180  # over the edge of the map: no line across it
    x, y = (np.insert(own[:, k], np.flatnonzero(steps) + 1, np.nan) for k in (0, 1))
    figure.add_scatter(
        x=x, y=y, mode="lines", line={"color": COLORS[1], "width": 1}, hoverinfo="skip", showlegend=False
    )
    numbers = np.arange(len(own))
    for name, chosen, symbol in (("valid", path.valid, "circle"), ("fails a check", ~path.valid, "x")):
        figure.add_scatter(
            x=own[chosen, 0],
            y=own[chosen, 1],
            mode="markers",
            name=name,
            marker={"color": COLORS[1], "symbol": symbol, "size": 8},
            customdata=numbers[chosen],
            hovertemplate="structure %{customdata}: phi %{x:.0f}, psi %{y:.0f}<extra></extra>",
        )
    figure.update_xaxes(title_text="phi (degrees)", range=[-180, 180], tickvals=[-180, -90, 0, 90, 180])
    figure.update_yaxes(title_text="psi (degrees)", range=[-180, 180], tickvals=[-180, -90, 0, 90, 180])
    return finish(figure, f"{text_of(path.family)}: {len(own)} structures", height=480)

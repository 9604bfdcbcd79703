"""Generated structures beside the simulated ones."""

from __future__ import annotations

from collections.abc import Mapping

import mdtraj
import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mdnb.figures.style import COLORS, finish, text_of
from mdnb.generation.compare import DEGREES, ramachandran
from mdnb.generation.generated import Generated

__all__ = ["checks_figure", "ramachandran_figure"]


def ramachandran_figure(sets: Mapping[str, mdtraj.Trajectory | Generated], bins: int = 60) -> go.Figure:
    """Draw the Ramachandran density of several sets of structures side by side, on one colour scale."""
    figure = make_subplots(
        rows=1,
        cols=len(sets),
        subplot_titles=[text_of(name) for name in sets],
        shared_yaxes=True,
        horizontal_spacing=0.03,
    )
    for column, structures in enumerate(sets.values(), 1):
        angles = ramachandran(structures.structures if isinstance(structures, Generated) else structures)
        density, edges, _ = np.histogram2d(angles[:, 0], angles[:, 1], bins=bins, range=DEGREES, density=True)
        middle = (edges[1:] + edges[:-1]) / 2
        with np.errstate(divide="ignore"):
            z = np.where(density > 0, np.log10(density), np.nan).T
        figure.add_heatmap(
            x=middle,
            y=middle,
            z=z,
            coloraxis="coloraxis",
            row=1,
            col=column,
            hovertemplate="phi %{x:.0f}, psi %{y:.0f}<extra></extra>",
        )
        figure.update_xaxes(title_text="phi (degrees)", range=[-180, 180], tickvals=[-90, 0, 90], row=1, col=column)
    figure.update_yaxes(range=[-180, 180], tickvals=[-90, 0, 90])
    figure.update_yaxes(title_text="psi (degrees)", row=1, col=1)
    figure.update_layout(coloraxis={"colorscale": "Viridis", "colorbar": {"title": "log10 density<br>(1/degree²)"}})
    return finish(figure, "Ramachandran density", height=430)


def checks_figure(sets: Mapping[str, Generated]) -> go.Figure:
    """Draw the share of generated structures that passes each check."""
    figure = go.Figure()
    for color, (name, generated) in zip(COLORS, sets.items(), strict=False):
        shares = {check: float(passed.mean()) for check, passed in generated.checks.items()}
        shares["all"] = float(generated.valid.mean())
        text = [f"{share:.1%}" for share in shares.values()]
        figure.add_bar(
            x=list(shares),
            y=list(shares.values()),
            name=text_of(name),
            marker_color=color,
            text=text,
            textposition="auto",
        )
    figure.update_yaxes(title_text="share of structures", range=[0, 1.02], tickformat=".0%")
    cleaned = any(generated.checks_before is not None for generated in sets.values())
    how = "after the clean-up" if cleaned else "nothing minimized"
    sizes = list(dict.fromkeys(f"{len(one):,}" for one in sets.values()))
    of = f"{sizes[0]} structures each" if len(sizes) == 1 else f"{' and '.join(sizes)} structures"
    return finish(figure, f"Geometry checks, {of}, {how}", height=340)

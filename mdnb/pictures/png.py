"""A still picture of a structure, drawn without a display and without pyplot."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from mdnb.pictures.drawing import Drawing

__all__ = ["structure_png"]

_TRACE_FROM = 400  # atoms: beyond this a picture of every bond is a scribble, the CA trace is not


def structure_png(
    picture: Drawing, *, frame: int = 0, width: float = 6.4, height: float = 4.2, dpi: int = 110
) -> bytes:
    """Return a PNG of one frame: sticks, or the CA trace of a large protein, seen along its shortest axis.

    Parameters
    ----------
    picture : Drawing
    frame : int
    width, height : float
        Inches.
    dpi : int
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure

    bonds, thick = _segments(picture)
    points = _flat(picture.positions[frame], np.unique(bonds) if bonds.size else np.arange(picture.n_atoms))
    figure = Figure(figsize=(width, height), dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    colours = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in picture.colours])
    halves, paint, depth = [], [], []
    for a, b in bonds:
        middle = (points[a] + points[b]) / 2
        for end in (a, b):
            halves.append([points[end, :2], middle[:2]])
            paint.append(colours[end])
            depth.append((points[end, 2] + middle[2]) / 2)
    order = np.argsort(depth)
    fade = _fade(np.array(depth))
    lines = list(np.array(halves)[order]) if halves else []
    shades = (1 - fade[:, None] * (1 - np.array(paint)))[order] if halves else np.empty((0, 3))
    outline = [(*shade * 0.55,) for shade in shades]
    for colour, extra in ((outline, 1.6), (shades, 0.0)):
        axes.add_collection(LineCollection(lines, colors=colour, linewidths=thick + extra, capstyle="round"))
    if not len(bonds):
        axes.scatter(points[:, 0], points[:, 1], c=colours, s=30, edgecolors="#555", linewidths=0.5)
    axes.set_aspect("equal", adjustable="datalim")
    axes.autoscale_view()
    axes.margins(0.05)
    axes.set_axis_off()
    if picture.scale is not None:
        _colour_bar(figure, axes, picture)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white")
    return buffer.getvalue()


def _segments(picture: Drawing) -> tuple[NDArray[np.int64], float]:
    topology = picture.topology
    if picture.n_atoms <= _TRACE_FROM or not picture.cartoon:
        return picture.bonds, 4.0 if picture.n_atoms <= 60 else 2.6
    trace = [
        (chain[i].index, chain[i + 1].index)
        for chain in ([a for a in c.atoms if a.name == "CA"] for c in topology.chains)
        for i in range(len(chain) - 1)
    ]
    return np.array(trace, np.int64).reshape(-1, 2), 4.0


def _flat(positions: NDArray[np.floating], used: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return positions turned so that the view shows the two longest axes; the third is the depth."""
    centred = positions.astype(float) - positions[used].mean(axis=0)
    _, _, axes = np.linalg.svd(centred[used], full_matrices=False)
    if len(axes) < 3:
        return centred
    axes[0] *= -1 if centred[0] @ axes[0] > 0 else 1  # the first atom left, as in `face_on`
    axes[2] *= np.sign(np.linalg.det(axes)) or 1.0  # a turn, not a mirror image
    return np.asarray(centred @ axes.T)


def _fade(depth: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the share of colour left: all of it in front, less behind."""
    span = np.ptp(depth) if depth.size else 0.0
    return np.ones(len(depth)) if span == 0 else 0.55 + 0.45 * (depth - depth.min()) / span


def _colour_bar(figure: object, axes: object, picture: Drawing) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    scale = picture.scale
    assert scale is not None
    colours = LinearSegmentedColormap.from_list("mdnb", scale.colours(np.linspace(-scale.limit, scale.limit, 65)))
    mappable = ScalarMappable(Normalize(-scale.limit, scale.limit), colours)
    bar = figure.colorbar(mappable, ax=axes, shrink=0.7, aspect=25)  # type: ignore[attr-defined]
    bar.outline.set_visible(False)
    bar.set_ticks([-scale.limit, 0, scale.limit], labels=list(scale.labels()))
    if scale.unit:
        bar.set_label(scale.unit)

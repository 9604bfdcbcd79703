"""Results drawn as plotly figures; nothing is computed here that a result object does not offer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import mdtraj
import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mdnb.errors import DataError
from mdnb.explanation import Explanation
from mdnb.features.base import Features
from mdnb.generation.compare import DEGREES, ramachandran
from mdnb.generation.generate import Generated
from mdnb.runs import Run
from mdnb.scores import Score
from mdnb.sources.recipes import BOLTZMANN

__all__ = [
    "checks_figure",
    "confusion_figure",
    "explanation_figure",
    "free_energy_figure",
    "learning_figure",
    "ramachandran_figure",
    "scores_figure",
    "trace_figure",
    "window_figure",
]

#: Okabe and Ito's colours, told apart by colour-blind readers (https://jfly.uni-koeln.de/color/).
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def _text(name: object) -> str:
    """Return a name from a file as plotly shows it, which takes ``<`` for the start of its own markup."""
    return escape(str(name), quote=False)


def _finish(figure: go.Figure, title: str, height: int = 380) -> go.Figure:
    figure.update_layout(
        template="plotly_white",
        title={"text": title, "x": 0.01, "font": {"size": 16}},
        height=height,
        margin={"l": 70, "r": 20, "t": 60, "b": 55},
        colorway=list(COLORS),
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "xanchor": "right", "x": 1.0},
    )
    return figure


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
            name=_text(name),
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
            name=_text(name),
            row=row,
            col=2,
        )
        figure.update_yaxes(title_text=_text(f"{name}{unit}"), row=row, col=1)
        figure.update_xaxes(matches="x", showticklabels=row == len(columns), row=row, col=1)  # the time is one for all
    figure.update_xaxes(title_text="time (ns)" if known else "frame", row=len(columns), col=1)
    figure.update_xaxes(title_text="density, all frames", row=len(columns), col=2)
    name = features.source.names[trajectory]
    return _finish(figure, _text(name), height=140 + 170 * len(columns))


def learning_figure(*runs: Run) -> go.Figure:
    """Draw the training and the validation loss of each run against the epoch; the axis says which loss it is."""
    if not runs:
        raise DataError("there is no run to draw; give one or more, as mdnb.fit returns them")
    titles = [_text(run.family) for run in runs]
    figure = make_subplots(rows=1, cols=len(runs), subplot_titles=titles, horizontal_spacing=min(0.12, 0.5 / len(runs)))
    for number, run in enumerate(runs, 1):
        epochs = [row["epoch"] for row in run.history]
        critic = run.family == "GAN"
        wanted = (
            {"distance": "critic: real - generated"}
            if critic
            else {"loss": "training", "validation_loss": "validation"}
        )
        for color, (key, name) in zip(COLORS, wanted.items(), strict=False):
            values = [row[key] for row in run.history]
            figure.add_scatter(
                x=epochs,
                y=values,
                name=name,
                mode="lines",
                line={"color": color},
                legendgroup=name,
                showlegend=number == 1 or critic,
                row=1,
                col=number,
            )
        figure.update_xaxes(title_text="epoch", row=1, col=number)
        figure.update_yaxes(title_text=_loss(run), row=1, col=number)
    _finish(figure, "Learning: each epoch is one pass over the training samples", height=420)
    figure.update_layout(legend={"y": -0.2, "yanchor": "top"}, margin={"t": 90, "b": 80})
    return figure


def _loss(run: Run) -> str:
    """Return what the loss of a run is."""
    if run.family == "GAN":
        return "Wasserstein distance"
    if run.family == "VAE":
        return "-log likelihood + beta KL (nats)"
    return {"class": "cross entropy", "real": "squared error, scaled target"}.get(run.task.kind, "loss")


def scores_figure(models: Mapping[str, Mapping[str, Score]], unit: str = "") -> go.Figure:
    """Draw the held-out scores of models side by side, with their 95% intervals.

    Parameters
    ----------
    models : mapping of mapping of Score
        As `mdnb.baselines` returns them; the last is drawn as the one to judge.
    unit : str
        Of the target, which an error is given in; such as ``run.target.unit``.

    Raises
    ------
    DataError
        When there are no models, or they have not the same scores.
    """
    metrics = list(next(iter(models.values()), {}))
    if not metrics or any(set(scores) != set(metrics) for scores in models.values()):
        raise DataError(
            f"{len(models)} models without the same scores cannot be drawn; give what mdnb.baselines returns"
        )
    titles = [_text(f"{metric} ({unit})" if unit and "error" in metric else metric) for metric in metrics]
    figure = make_subplots(rows=1, cols=len(metrics), subplot_titles=titles, shared_yaxes=True)
    names = list(models)
    shown = [_text(name) for name in names]
    colors = ["#999999"] * (len(names) - 1) + [COLORS[0]]
    for column, metric in enumerate(metrics, 1):
        scores = [models[name][metric] for name in names]
        figure.add_bar(
            y=shown,
            x=[score.value for score in scores],
            orientation="h",
            marker_color=colors,
            error_x={
                "array": [score.high - score.value for score in scores],
                "arrayminus": [score.value - score.low for score in scores],
            },
            showlegend=False,
            row=1,
            col=column,
        )
        ends = [max(score.value, score.high, 0.0) for score in scores]
        low = min(0.0, *(min(score.value, score.low) for score in scores))
        figure.add_scatter(  # beside the bar and its interval, so that nothing lies over the numbers
            y=shown,
            x=ends,
            mode="text",
            text=[f"  {score.value:.3f}" for score in scores],
            textposition="middle right",
            textfont={"color": "#1d2530"},
            hoverinfo="skip",
            showlegend=False,
            row=1,
            col=column,
        )
        span = (max(ends) - low) or 1.0
        figure.update_xaxes(range=[low - (0.03 * span if low else 0), max(ends) + 0.3 * span], row=1, col=column)
    figure.update_yaxes(ticks="outside", ticklen=8, tickcolor="rgba(0,0,0,0)", automargin=True)
    return _finish(figure, "Held-out test trajectories (95% intervals)", height=150 + 45 * len(names))


def confusion_figure(run: Run, features: Features, labels: np.ndarray) -> go.Figure:
    """Draw which class was predicted for which, on the run's test samples.

    Parameters
    ----------
    run : Run
    features : Features
    labels : (n_frames,) int array
        Class numbers of every frame.

    Raises
    ------
    DataError
        When the run predicts no class, the features are not those of the training, or the labels are not one
        class number for each frame.
    """
    if run.task.kind != "class":
        raise DataError(f"this {run.family} predicts no class; see run.scores, or mdnb.figures.scores_figure")
    samples = run.samples(features)
    held_out = run.in_part(features, samples.frames, "test")
    if not held_out.any():
        raise DataError(f"these features do not hold the trajectories that the {run.family} is tested on")
    classes = tuple(_text(name) for name in run.target.classes) if run.target else ()
    labels = np.asarray(labels)
    if labels.shape != (len(features),) or labels.dtype.kind not in "fiu":
        raise DataError(
            f"labels of the shape {labels.shape} do not fit {len(features)} frames: give one class number for each "
            "frame of the features, such as mdnb.make_target(features, 'basin').values"
        )
    if not np.isin(labels[samples.label_frames][held_out], np.arange(len(classes))).all():
        raise DataError(
            f"the labels hold other numbers than those of the {len(classes)} classes: 0 to {len(classes) - 1}"
        )
    truth, guess = labels[samples.label_frames][held_out].astype(int), run.predict(features)[held_out]
    counts = np.zeros((len(classes), len(classes)), int)
    np.add.at(counts, (truth, guess), 1)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    figure = go.Figure(
        go.Heatmap(
            z=shares,
            x=list(classes),
            y=list(classes),
            zmin=0,
            zmax=1,
            colorscale="Blues",
            text=[
                [f"{share:.1%}<br>{count:,}" for share, count in zip(*rows, strict=True)]
                for rows in zip(shares, counts, strict=True)
            ],
            texttemplate="%{text}",
            colorbar={"title": "share"},
        )
    )
    figure.update_xaxes(title_text="predicted")
    figure.update_yaxes(title_text="true", autorange="reversed")
    return _finish(figure, _text(f"{run.family}: {run.target.name if run.target else ''}, test trajectories"))


def explanation_figure(explanation: Explanation, most: int = 12) -> go.Figure:
    """Draw the mean absolute attribution by residue and of the most important features."""
    residues = explanation.by_residue()
    features = dict(list(explanation.by_feature().items())[:most])
    figure = make_subplots(
        rows=1, cols=2, subplot_titles=["by residue", "most important features"], horizontal_spacing=0.25
    )
    names = [_text(name) for name in residues]
    figure.add_bar(x=names, y=list(residues.values()), marker_color=COLORS[0], showlegend=False, row=1, col=1)
    figure.add_bar(
        y=[_text(name) for name in features][::-1],
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
    return _finish(
        figure, _text(f"What moves the {explanation.output} ({error})"), height=max(380, 120 + 24 * len(features))
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
    return _finish(figure, "When in the window the evidence lies", height=320)


def ramachandran_figure(sets: Mapping[str, mdtraj.Trajectory | Generated], bins: int = 60) -> go.Figure:
    """Draw the Ramachandran density of several sets of structures side by side, on one colour scale."""
    figure = make_subplots(
        rows=1,
        cols=len(sets),
        subplot_titles=[_text(name) for name in sets],
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
    return _finish(figure, "Ramachandran density", height=430)


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
    figure.update_xaxes(title_text=_text(names[0]))
    figure.update_yaxes(title_text=_text(names[1]))
    where = "" if temperature is None else f" at {temperature:g} K"
    return _finish(figure, f"Free energy{where}", height=430)


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
            name=_text(name),
            marker_color=color,
            text=text,
            textposition="auto",
        )
    figure.update_yaxes(title_text="share of structures", range=[0, 1.02], tickformat=".0%")
    return _finish(figure, f"Geometry checks, {len(generated):,} structures each, nothing minimized", height=340)

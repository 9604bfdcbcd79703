"""How a run learned, and how good it is on what was held out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mdnb.errors import DataError
from mdnb.features.base import Features
from mdnb.figures.style import COLORS, finish, text_of
from mdnb.runs import Run
from mdnb.scores import Score

__all__ = ["confusion_figure", "learning_figure", "scores_figure"]


def learning_figure(*runs: Run) -> go.Figure:
    """Draw the training and the validation loss of each run against the epoch; the axis says which loss it is."""
    if not runs:
        raise DataError("there is no run to draw; give one or more, as mdnb.fit returns them")
    titles = [text_of(run.family) for run in runs]
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
    finish(figure, "Learning: each epoch is one pass over the training samples", height=420)
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
    titles = [text_of(f"{metric} ({unit})" if unit and "error" in metric else metric) for metric in metrics]
    figure = make_subplots(rows=1, cols=len(metrics), subplot_titles=titles, shared_yaxes=True)
    names = list(models)
    shown = [text_of(name) for name in names]
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
    return finish(figure, "Held-out test trajectories (95% intervals)", height=150 + 45 * len(names))


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
    classes = tuple(text_of(name) for name in run.target.classes) if run.target else ()
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
    return finish(figure, text_of(f"{run.family}: {run.target.name if run.target else ''}, test trajectories"))

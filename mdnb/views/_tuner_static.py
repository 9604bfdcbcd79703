"""What is left of a `Tuner` in a report: its learning curves as a picture, and its runs as a table."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import Any

from mdnb.views._attempts import Attempt, differing, settings_of
from mdnb.views._curves import COLOURS, curve_keys, thinned, y_title

__all__ = ["curves_png", "run_rows", "tuner_html"]


def curves_png(attempts: Sequence[Attempt]) -> tuple[bytes | None, str]:
    """Return the learning curves as a PNG and their description; None where nothing was trained."""
    shown = [one for one in attempts if one.history]
    if not shown:
        return None, ""
    from matplotlib.figure import Figure

    keys = curve_keys(shown[-1])
    shown = [one for one in shown if curve_keys(one) == keys]
    figure = Figure(figsize=(7.0, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for one in shown:
        rows = thinned(one.history)
        colour = COLOURS[(one.number - 1) % len(COLOURS)]
        for key, words in keys.items():
            main = key == list(keys)[-1]
            own = [row for row in rows if key in row]
            axes.plot(
                [row["epoch"] for row in own], [row[key] for row in own], color=colour, lw=1.8 if main else 1.0,
                ls="-" if main else ":", marker="o" if main and len(own) < 30 else None, ms=3,
                label=f"run {one.number}, {words}" if len(shown) < 8 else None,
            )  # fmt: skip
    reference = shown[-1].reference
    if reference is not None:
        axes.axhline(reference[1], color="#888888", ls="--", lw=1.2, label=f"without learning: {reference[0]}")
    axes.set_xlabel("epoch")
    axes.set_ylabel(y_title(shown[-1]))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=130)
    words = "; ".join(f"run {one.number}: {one.describe()}" for one in shown[-7:])
    line = "" if reference is None else f" Without learning ({reference[0]}) it is {reference[1]:.3g}."
    return file.getvalue(), f"Learning curves against the epoch. {words}.{line}"


def run_rows(attempts: Sequence[Attempt]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the columns and the rows of the table of runs: their state, and the settings that are not all the same."""
    names = differing(attempts)
    columns: list[dict[str, Any]] = [
        {"key": "run", "label": "run"},
        {"key": "state", "label": "state"},
        {"key": "epochs", "label": "epochs done", "right": True},
        {"key": "loss", "label": "validation loss", "right": True,
         "title": "the least of all epochs; the test part is not looked at while settings are chosen"},
        *({"key": f"s-{name}", "label": name.replace("_", " "), "right": True} for name in names),
    ]  # fmt: skip
    rows: list[dict[str, Any]] = []
    for one in attempts:
        values = settings_of(one)
        cells = {
            "run": str(one.number),
            "state": one.state,
            "epochs": str(len(one.history)),
            "loss": "" if one.loss is None else f"{one.loss:.4g}",
            **{f"s-{name}": _short(values[name]) if name in values else "–" for name in names},
        }
        rows.append({"key": str(one.number), "label": f"run {one.number}", "cells": cells})
    return columns, rows


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def tuner_html(tuner: Any) -> str:
    """Return curves and runs as HTML."""
    png, alt = curves_png(tuner.attempts)
    if png is None:
        return (
            "<p><em>Nothing was trained: press Start in a live notebook, or call tuner.train(), or give "
            "start=True.</em></p>"
        )
    picture = base64.b64encode(png).decode("ascii")
    columns, rows = run_rows(tuner.attempts)
    kept = next((str(one.number) for one in tuner.attempts if one.run is not None and one.run is tuner.value), "")
    head = "".join(f"<th>{escape(one['label'])}</th>" for one in columns)
    lines = "".join(
        f"<tr{' style=font-weight:bold' if row['key'] == kept else ''}>"
        + "".join(f"<td>{escape(row['cells'][one['key']])}</td>" for one in columns)
        + "</tr>"
        for row in rows
    )
    scores = "" if tuner.value is None else f"<pre>{escape(repr(tuner.value))}</pre>"
    return (
        f"<img src='data:image/png;base64,{picture}' alt='{escape(alt)}' style='max-width:100%;width:720px'>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"
        f"<p>Kept: run {escape(kept) or 'none'}.</p>{scores}"
    )

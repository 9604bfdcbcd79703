"""What a `GenerationView` says of what came: the checks as a table, and the answer to what was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

__all__ = ["answer", "checks_html"]


def answer(target: Any, asked: Any, came: np.ndarray, of: str = "") -> str:
    """Say what was asked for and what came.

    Parameters
    ----------
    target : Target
        Of the run.
    asked : number, str or None
    came : (n,) array
        The target of each structure; the numbers of their classes where it has classes.
    of : str
        What it was measured on, where that is not the whole molecule.
    """
    if target.classes:
        shares = np.bincount(came.astype(int), minlength=len(target.classes)) / len(came)
        parts = ", ".join(f"{name} {share:.0%}" for name, share in zip(target.classes, shares, strict=True))
        return f"Asked for {asked or 'no class'}; came: {parts}."
    unit = f" {target.unit}" if target.unit else ""
    what = f"{asked:g}{unit}" if isinstance(asked, int | float) else "nothing in particular"
    return f"{target.name}: asked for {what}; came {came.mean():.4g} ± {came.std():.2g}{unit}{of}."


def checks_html(rows: Sequence[tuple[str, int, float]]) -> str:
    """Return a table of checks: the name of each, how many pass it, and their share."""
    lines = "".join(
        f"<tr><td>{escape(name)}</td><td style='text-align:right'>{n:,}</td><td style='text-align:right'>"
        f"{share:.1%}</td><td><span aria-hidden='true' style='display:inline-block;height:9px;background:#0072B2;"
        f"width:{round(90 * share)}px'></span></td></tr>"
        for name, n, share in rows
    )
    return (
        "<table class='mdnb-checks' style='border-collapse:collapse;line-height:1.5'><thead><tr>"
        "<th style='text-align:left'>check</th><th style='text-align:right'>pass</th>"
        "<th style='text-align:right;padding-left:1em'>share</th><th></th></tr></thead>"
        f"<tbody>{lines}</tbody></table>"
    )

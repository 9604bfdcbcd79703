"""The table that `Trajectories` shows, and what it says of their periodic box."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from html import escape

import numpy as np

from mdnb.formats.base import ONE_READER, TrajectoryFile
from mdnb.health import quick_findings
from mdnb.health.findings import encodable
from mdnb.molecules import Molecules

__all__ = ["as_html", "as_text", "headline", "rows_of"]

#: Trajectory, frames, length in ns, content.
_Row = tuple[str, str, str, str]
_NO_STEP = "time step unknown, uneven or not the same in all"


def headline(
    n: int, n_frames: int, n_atoms: int, time_step: float, first: TrajectoryFile, molecules: Molecules | None
) -> str:
    """Return what n trajectories hold together; of the box, what the first file says."""
    step = f"{time_step:g} ps between frames" if np.isfinite(time_step) else _NO_STEP
    count = f"{n} {'trajectory' if n == 1 else 'trajectories'}"
    return f"{count}, {n_frames:,} frames, {n_atoms:,} atoms, {step}{_box_note(first, molecules)}"


def rows_of(
    names: Sequence[str], lengths: Sequence[int], files: Sequence[TrajectoryFile], time_step: float
) -> list[_Row]:
    """Return a row for each of the names: frames, length and content of its file, and what its header shows wrong."""
    rows = []
    for name, length, file in zip(names, lengths, files, strict=False):
        content = ["positions", *(["velocities"] * file.has_velocities), *(["forces"] * file.has_forces)]
        span = length * time_step / 1000
        note = "".join(f"; {found.what}" for found in quick_findings(file, name))
        rows.append((name, f"{length:,}", f"{span:.3g}" if np.isfinite(span) else "?", ", ".join(content) + note))
    return rows


def _box_note(file: TrajectoryFile, molecules: Molecules | None) -> str:
    """Return whether there is a box, by the first frame of a file, and whether molecules are made whole.

    Parameters
    ----------
    file : TrajectoryFile
    molecules : Molecules or None
        None where they stay as in the file.
    """
    try:
        with nullcontext() if file.concurrent else ONE_READER:
            box = file.read(0, 1, 1, np.zeros(1, int), False, False).box
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        return f"; the first frame cannot be read ({error}): see health()"
    if box is None or not box.any():
        return ""
    if molecules is None:
        return "; periodic box, molecules as in the file"
    if len(molecules.bonds) == 0:
        return f"; periodic box, molecules not made whole: {molecules.problem}"
    together = " and brought together" if molecules.mode == "together" else ""
    return f"; periodic box, molecules made whole{together}" + (f", but {molecules.problem}" * bool(molecules.problem))


def as_text(headline: str, rows: Sequence[_Row], n_more: int) -> str:
    """Return the table as text."""
    table = [("trajectory", "frames", "ns", "content"), *rows]
    widths = [max(len(row[column]) for row in table) for column in range(4)]
    lines = [f"  {row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]}" for row in table]
    if n_more > 0:
        lines.append(f"  ... and {n_more} more")
    return encodable("\n".join([f"Trajectories: {headline}", *lines]))


def as_html(headline: str, rows: Sequence[_Row], n_more: int) -> str:
    """Return the table as HTML, its text escaped."""
    cell = "text-align:left;padding:2px 14px 2px 0"
    number = "text-align:right;padding:2px 14px 2px 0"
    styles = (cell, number, number, cell)

    def line(tag: str, texts: Sequence[str]) -> str:
        pairs = zip(styles, texts, strict=True)
        return "<tr>" + "".join(f"<{tag} style='{style}'>{escape(text)}</{tag}>" for style, text in pairs) + "</tr>"

    body = "".join(line("td", row) for row in rows)
    more = f"<p>... and {n_more} more</p>" if n_more > 0 else ""
    head = line("th", ("trajectory", "frames", "length (ns)", "content"))
    return encodable(
        f"<div><p><b>Trajectories</b>: {escape(headline)}</p>"
        f"<table><thead>{head}</thead><tbody>{body}</tbody></table>{more}</div>"
    )

"""Findings: what is wrong, where, and what to do about it; and the result of a check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np

__all__ = ["SEVERITIES", "Finding", "Health", "encodable", "frame_ranges"]

#: From bad to harmless: frames cannot be used; look before use; worth knowing.
SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One thing that was found in a file.

    Attributes
    ----------
    file : str
        Name of the trajectory.
    kind : str
        ``truncated, unreadable, not-finite, far-away, atom-count, bonds, cut-molecules, time-order, time-gaps,
        duplicates, no-box, frozen, shared-frames, same-file``.
    severity : {"error", "warning", "note"}
    what : str
        A sentence with the frames.
    advice : str
        What to do.
    frames : tuple of int
        The frames in the file, counted from 0 without stride; empty when it is about the file.
    """

    file: str
    kind: str
    severity: str
    what: str
    advice: str
    frames: tuple[int, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return f"{self.file}: {self.what}; {self.advice}"


@dataclass(frozen=True)
class Health:
    """Result of a check of every frame, made by ``trajectories.health()``.

    Attributes
    ----------
    findings : tuple of Finding
        File by file, bad ones first.
    n_frames : mapping of str to int
        Frames that were looked at, by trajectory.
    sha256 : mapping of str to str
        Hash of the whole file, by trajectory; empty for frames in memory.
    """

    findings: tuple[Finding, ...]
    n_frames: Mapping[str, int]
    sha256: Mapping[str, str]

    @property
    def ok(self) -> bool:
        """Whether there is no error and no warning; notes do not count."""
        return all(found.severity == "note" for found in self.findings)

    def of(self, file: str) -> tuple[Finding, ...]:
        """Return the findings of one trajectory."""
        return tuple(found for found in self.findings if found.file == file)

    def rows(self) -> list[tuple[str, str, str, str, str]]:
        """Return a row for each finding, and one for each file without any.

        Returns
        -------
        list of (trajectory, frames, severity, what, advice)
        """
        rows = []
        for name, n_frames in self.n_frames.items():
            found = self.of(name)
            rows += [(name, f"{n_frames:,}", one.severity, one.what, one.advice) for one in found]
            if not found:
                rows.append((name, f"{n_frames:,}", "ok", "nothing found", ""))
        return rows

    def _headline(self) -> str:
        counts = {one: sum(found.severity == one for found in self.findings) for one in SEVERITIES}
        told = [f"{count} {one}{'s' * (count > 1)}" for one, count in counts.items() if count]
        frames = sum(self.n_frames.values())
        files = f"{len(self.n_frames)} {'trajectory' if len(self.n_frames) == 1 else 'trajectories'}"
        return f"{files}, {frames:,} frames: {', '.join(told) or 'nothing found'}"

    def __repr__(self) -> str:
        lines = [f"Health: {self._headline()}"]
        for name, frames, severity, what, advice in self.rows()[:30]:
            lines.append(f"  {name} ({frames} frames) {severity}: {what}" + (f"\n    -> {advice}" if advice else ""))
        if len(self.rows()) > 30:
            lines.append(f"  ... and {len(self.rows()) - 30} more")
        return encodable("\n".join(lines))

    def _repr_html_(self) -> str:
        colours = {"error": "#b3261e", "warning": "#8a5a00", "note": "inherit", "ok": "inherit"}
        head = "".join(
            f"<th style='text-align:left;padding:2px 14px 2px 0'>{text}</th>"
            for text in ("trajectory", "frames", "", "found", "what to do")
        )
        body = ""
        for row in self.rows()[:200]:
            cells = [
                f"<td style='text-align:left;vertical-align:top;padding:2px 14px 2px 0"
                f"{';color:' + colours[row[2]] if number == 2 else ''}'>{escape(text)}</td>"
                for number, text in enumerate(row)
            ]
            body += f"<tr>{''.join(cells)}</tr>"
        more = f"<p>... and {len(self.rows()) - 200} more</p>" if len(self.rows()) > 200 else ""
        return encodable(
            f"<div><p><b>Health</b>: {escape(self._headline())}</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}</div>"
        )


def encodable(text: str) -> str:
    """Return text without the surrogates by which Python holds a file name that is no UTF-8."""
    return text.encode("utf-8", "replace").decode()


def frame_ranges(frames: Sequence[int] | np.ndarray, most: int = 6) -> str:
    """Return frames as text: ``frame 7``, ``frames 3 to 9, 12 (8 in all)``."""
    numbers = np.unique(np.asarray(frames, int))
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) != 1) + 1)
    parts = [str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs[:most]]
    text = ", ".join(parts) + (", ..." if len(runs) > most else "")
    if len(numbers) == 1:
        return f"frame {text}"
    return f"frames {text}" + (f" ({len(numbers):,} in all)" if len(runs) > 1 else "")

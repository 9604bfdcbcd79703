"""What is known of a file without reading its positions: a cut-off tail, and times that go wrong."""

from __future__ import annotations

import numpy as np

from mdnb.errors import DataError
from mdnb.formats.base import UNREADABLE, TrajectoryFile, time_rounding
from mdnb.health.findings import Finding, frame_ranges

__all__ = ["quick_findings", "time_findings"]


def quick_findings(file: TrajectoryFile, name: str) -> list[Finding]:
    """Return what is wrong with a file as far as its headers tell; no positions are read.

    Parameters
    ----------
    file : TrajectoryFile
    name : str
        What the findings call it.
    """
    found = []
    if file.truncated:
        found.append(
            Finding(
                name,
                "truncated",
                "error",
                f"truncated: {file.truncated}",
                f"copy it again, or read the {file.n_frames:,} whole frames with allow_truncated=True "
                "(gmx trjconv writes them to a new file)",
            )
        )
    try:
        times = file.times()
    except (*UNREADABLE, DataError) as error:
        what = f"its times cannot be read ({type(error).__name__}: {error})"
        return [*found, Finding(name, "unreadable", "error", what, "was it moved or changed since it was opened?")]
    return found if times is None else found + time_findings(times, name)


def time_findings(times: np.ndarray, name: str) -> list[Finding]:
    """Return what is wrong with the times of a file's frames.

    Parameters
    ----------
    times : (n_frames,) array
        In ps; not looked at where the format has none (NaN).
    name : str
    """
    if len(times) < 2 or not np.isfinite(times).any():
        return []
    found = []
    steps = np.diff(times)
    if not steps.any():
        what = f"all frames have the time {times[0]:g} ps: the times are not known"
        return [Finding(name, "time-order", "warning", what, "give the time between frames to mdnb.load as time_step=")]
    back = np.flatnonzero(~(steps > 0)) + 1
    if len(back):
        # Frames after a step back repeat a stretch of time until the time is larger than ever before.
        repeated = np.flatnonzero(times[1:] <= np.maximum.accumulate(times)[:-1]) + 1
        where = repeated if len(repeated) else back
        found.append(
            Finding(
                name,
                "time-order",
                "error",
                f"time does not grow: {frame_ranges(where)} repeat or go back behind earlier times "
                f"({times[back[0] - 1]:g} ps, then {times[back[0]]:g}), as after a restart that appended frames",
                "cut it there with gmx trjconv -b/-e and join the parts with gmx trjcat, which drops the overlap",
                tuple(where.tolist()),
            )
        )
    step = float(np.median(steps))
    allowed = 0.05 * abs(step) + 2 * time_rounding(float(np.nanmax(np.abs(times))))
    uneven = np.flatnonzero((steps > 0) & (np.abs(steps - step) > allowed)) + 1
    if step > 0 and len(uneven):
        lost = (steps[uneven - 1] > step).all()
        found.append(
            Finding(
                name,
                "time-gaps",
                "warning",
                f"time step not even: {step:g} ps as a rule, {steps[uneven[0] - 1]:g} ps before frame {uneven[0]}"
                f" ({len(uneven):,} such {'step' if len(uneven) == 1 else 'steps'})"
                + (": frames are missing" if lost else ""),
                "see gmx check -f; read the even parts as trajectories of their own (gmx trjconv -b/-e), or give "
                "time_step= if only the times are wrong",
                tuple(uneven.tolist()),
            )
        )
    return found

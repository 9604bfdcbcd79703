"""Lag times in ps as whole numbers of frames."""

from __future__ import annotations

import math

from mdnb.errors import SpecError

__all__ = ["lag_frames"]


def lag_frames(lag_time: float, time_step: float, window: int = 1) -> int:
    """Return how many frames a lag time is.

    Parameters
    ----------
    lag_time : float
        In ps.
    time_step : float
        Between frames in ps; NaN when unknown.
    window : int
        Frames of each of the two windows that lie the lag apart.

    Raises
    ------
    SpecError
        When the time step is unknown, the lag time is no whole number of frames, at least one, or the two windows
        share frames.
    """
    if not math.isfinite(time_step):
        raise SpecError(
            f"lag_time = {lag_time:g} ps, but the time between frames is not known; give it: mdnb.load(..., time_step=)"
        )
    frames = round(lag_time / time_step)
    if frames < 1 or abs(frames * time_step - lag_time) > 1e-3 * time_step:
        low = max(1, math.floor(lag_time / time_step)) * time_step
        raise SpecError(
            f"lag_time = {lag_time:g} ps is no whole number of frames, which are {time_step:g} ps apart; take "
            f"{low:g} or {low + time_step:g} ps"
        )
    if frames < window:
        raise SpecError(
            f"lag_time = {lag_time:g} ps is {frames} frame{'s' if frames > 1 else ''}, but a window has {window}: "
            "windows that share frames foretell each other by those alone, whatever is learned; take a lag_time of at "
            f"least {window * time_step:g} ps, or train with Window(length={frames}) or less"
        )
    return frames

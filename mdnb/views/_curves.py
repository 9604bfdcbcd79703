"""What a learning curve shows of an attempt: which columns of its history, in which colour, under which name."""

from __future__ import annotations

from collections.abc import Sequence

from mdnb.views._attempts import Attempt

__all__ = ["COLOURS", "curve_keys", "thinned", "y_title"]

#: Okabe and Ito's colours that are seen on white and on black, told apart by colour-blind readers.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999")
_MOST = 1000


def curve_keys(attempt: Attempt | None) -> dict[str, str]:
    """Return the columns of the history that are drawn, the main one last, and what they are called."""
    if attempt is not None and not attempt.spec.validated:
        return {"diversity": "diversity", "coverage": "coverage"}
    return {"loss": "training", "validation_loss": "validation"}


def y_title(attempt: Attempt | None) -> str:
    """Return the title of the axis."""
    if attempt is not None and not attempt.spec.validated:
        return "share; 1 for the same distribution"
    return "loss"


def thinned(history: Sequence[dict[str, float]]) -> list[dict[str, float]]:
    """Return at most about a thousand rows, the last among them."""
    step = -(-len(history) // _MOST) if history else 1
    rows = list(history[::step])
    if history and rows[-1] is not history[-1]:
        rows.append(history[-1])
    return rows

"""What an explanation says, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mdnb.explanation.result import Explanation

__all__ = ["in_words"]


def in_words(explanation: Explanation, by: str, most: int) -> str:
    """Return what the explanation says, and the checks that support it or do not."""
    summary = explanation.summary(by)
    rows, everything = summary._rows(most), max(float(summary.importance.sum()), 1e-12)
    named = [
        f"{name} ({value / everything:.0%} of all: {value:.3g} [{low:.3g}, {high:.3g}], on average it "
        f"{'raises' if mean > 0 else 'lowers'} the output)"
        for name, value, low, high, mean in rows
    ]
    sentences = [f"Of {len(summary.names)} {by} groups, the {explanation.output} depends most on {'; '.join(named)}."]
    if len(rows) > 1:
        sentences.append(
            "The first is ahead of the second beyond their intervals."
            if rows[0][2] > rows[1][3]
            else "The intervals of the first two overlap, so that their order is not sure."
        )
    checked = explanation.faithfulness()
    gain, low, high = checked.gain
    sentences += [
        *(f"{warning}." for warning in checked.warnings),
        f"Check: put in and taken out in this order, the inputs move the output by {gain:.2f} [{low:.2f}, {high:.2f}] "
        "of the way from the average to the prediction more than in a random order"
        + ("." if checked.better_than_chance else ": no more than chance."),
        f"The same network with shuffled weights is explained {_otherwise(checked.random_weights)} (rank correlation "
        f"{checked.random_weights:.2f}), another background gives {checked.seeds:.2f}; the parts add up within "
        f"{explanation.additivity_error():.2%}.",
    ]
    return " ".join(sentences)


def _otherwise(correlation: float) -> str:
    return "otherwise" if correlation < 0.3 else "partly alike" if correlation < 0.7 else "nearly alike"

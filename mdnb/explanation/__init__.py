"""Explanations: how much each input moves a prediction away from the average one, and whether that can be trusted."""

from mdnb.explanation.explain import explain, faithfulness
from mdnb.explanation.faithfulness import Curve, Faithfulness
from mdnb.explanation.methods import METHODS
from mdnb.explanation.players import GROUPINGS, Players
from mdnb.explanation.result import Explanation
from mdnb.explanation.summary import Summary

__all__ = [
    "GROUPINGS",
    "METHODS",
    "Curve",
    "Explanation",
    "Faithfulness",
    "Players",
    "Summary",
    "explain",
    "faithfulness",
]

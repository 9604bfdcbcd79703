"""What a network has to beat: the simplest models of each objective, and other networks, on the same samples."""

from mdnb.baseline.dynamics import linear_modes
from mdnb.baseline.paired import compare
from mdnb.baseline.simplest import baselines

__all__ = ["baselines", "compare", "linear_modes"]

"""What a network has to beat: the simplest models of each objective, on the same samples."""

from mdnb.baseline.compare import baselines
from mdnb.baseline.dynamics import linear_modes

__all__ = ["baselines", "linear_modes"]

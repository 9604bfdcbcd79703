"""Where trajectories come from: packaged examples and the recipe that made them."""

from mdnb.sources.packaged import EXAMPLES, example

__all__ = ["EXAMPLES", "example"]

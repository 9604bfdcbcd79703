"""Tuning: search the settings of a model family, with its Spec fields as the search space."""

from mdnb.tuning.search import trials_of, tune
from mdnb.tuning.space import searched_ranges
from mdnb.tuning.study import Study

__all__ = ["Study", "searched_ranges", "trials_of", "tune"]

"""``mdnb bench explain``: explanations against other explainers, against exact values and against known causes."""

from mdnb.bench.explanations.tables import bench_explain

__all__ = ["bench_explain"]

"""``mdnb bench train``: epochs beside other libraries and loops, on data made on the spot."""

from mdnb.bench.training.measure import bench_training

__all__ = ["bench_training"]

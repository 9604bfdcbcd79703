"""``mdnb bench generate``: generated structures beside MD, baselines and other libraries, on the same frames."""

from mdnb.bench.generation.tables import bench_generate

__all__ = ["bench_generate"]

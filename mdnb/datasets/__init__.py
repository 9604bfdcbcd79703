"""Samples: windows of frames with a label, leak-safe splits, and the scaling of the inputs."""

from mdnb.datasets.samples import Samples, Window, make_samples
from mdnb.datasets.scaling import Scaler, digest
from mdnb.datasets.splits import Split, split_samples

__all__ = ["Samples", "Scaler", "Split", "Window", "digest", "make_samples", "split_samples"]

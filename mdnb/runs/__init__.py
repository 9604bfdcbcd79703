"""Runs: trained models with all that is needed to use, explain, save and repeat them."""

from mdnb.runs.run import Run, TargetInfo, provenance, record_topology
from mdnb.runs.storage import UNUSABLE, check_folder, weights_sha256

__all__ = ["UNUSABLE", "Run", "TargetInfo", "check_folder", "provenance", "record_topology", "weights_sha256"]

"""Runs: trained models with all that is needed to use, explain, save and repeat them."""

from mdnb.runs.origin import provenance, record_topology
from mdnb.runs.run import Run, TargetInfo
from mdnb.runs.storage import UNUSABLE, check_folder, weights_sha256

__all__ = ["UNUSABLE", "Run", "TargetInfo", "check_folder", "provenance", "record_topology", "weights_sha256"]

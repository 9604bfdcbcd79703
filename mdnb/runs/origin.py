"""Where a run comes from: versions, machine, seed, a hash of the data, and what rebuilds its features' columns."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Any

import numpy as np

import mdnb
from mdnb.datasets import digest
from mdnb.features.base import Features
from mdnb.formats.topology_json import topology_to_json

__all__ = ["provenance", "record_topology"]


def provenance(features: Features, seed: int) -> dict[str, Any]:
    """Return versions, machine, seed and a hash of the data."""
    packages = ("mdnb", "torch", "mdtraj", "numpy")
    return {
        "seed": seed,
        "versions": {name: version(name) if name != "mdnb" else mdnb.__version__ for name in packages},
        "python": platform.python_version(),
        "data": {
            "trajectories": list(features.source.names),
            "n_frames": len(features),
            "sha256_of_values": digest(features.values),
        },
    }


def record_topology(features: Features) -> tuple[dict[str, Any], np.ndarray]:
    """Return the topology as JSON and the first frame, which together rebuild the features' columns."""
    return topology_to_json(features.topology), features.source.frames(0).xyz[0]

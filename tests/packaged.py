"""The packaged examples with all their arrays."""

from importlib.resources import files
from pathlib import Path

import numpy as np

import mdnb
from mdnb.sources.packaged import example_record


class Packaged:
    """One example with all its arrays, by replica."""

    def __init__(self, name):
        self.name = name
        self.folder = Path(str(files("mdnb.sources"))) / "data" / name
        self.trajectories = mdnb.example(name)
        self.record = example_record(name)
        self.masses = np.array(self.record["masses_dalton"])
        self.rows = {row["file"]: row for row in self.record["replicas"]}
        chunks = [next(one.chunks(10_000, velocities=True, forces=True)) for one in self.trajectories]
        self.replicas = [
            {
                "row": self.rows[f"{name}.h5md"],
                "chunk": chunk,
                "potential": one.observable("potential_energy"),
                "kinetic": one.observable("kinetic_energy"),
            }
            for name, one, chunk in zip(self.trajectories.names, self.trajectories, chunks, strict=True)
        ]

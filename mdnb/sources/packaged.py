"""The example data that come with mdnb: simulated by `mdnb.simulate`, available offline."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from mdnb.errors import unknown_name
from mdnb.formats.probe import trust
from mdnb.loading import load
from mdnb.trajectories import Trajectories

__all__ = ["EXAMPLES", "example", "example_record"]

#: Name -> one line about it.
EXAMPLES = {
    "alanine-dipeptide": "alanine dipeptide (22 atoms), implicit solvent, 500 K: 8 replicas of 6 ns",
    "chignolin": "chignolin CLN025 (166 atoms), implicit solvent, 300, 400 and 500 K, from folded and unfolded starts",
}


def _folder(name: str) -> Path:
    if name not in EXAMPLES:
        raise unknown_name("example", name, EXAMPLES)
    return Path(str(files("mdnb.sources"))) / "data" / name


def example(name: str = "alanine-dipeptide") -> Trajectories:
    """Open one of the packaged examples, with positions, velocities, forces and energies.

    Parameters
    ----------
    name : {"alanine-dipeptide", "chignolin"}

    Returns
    -------
    Trajectories
        One for each replica.

    Raises
    ------
    SpecError
        For an unknown name.
    """
    folder = _folder(name)
    files = sorted(folder.glob("*.h5md"))
    trust(files)
    opened = load(files, top=folder / f"{name}.pdb")
    opened.code = f"mdnb.example({name!r})"
    return opened


def example_record(name: str = "alanine-dipeptide") -> dict[str, Any]:
    """Return the sidecar of an example: force field, time step, masses, constraints, degrees of freedom.

    Raises
    ------
    SpecError
        For an unknown name.
    """
    content: dict[str, Any] = json.loads((_folder(name) / f"{name}.json").read_text())
    return content

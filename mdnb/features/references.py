"""Reference structures: a frame of the trajectories, a file, or an `mdtraj.Trajectory`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mdnb.errors import DataError
from mdnb.molecules import Molecules

if TYPE_CHECKING:
    import mdtraj

__all__ = ["checked_reference", "frame_of", "reference_places"]


def checked_reference(given: Any) -> Any:
    """Return a reference as a featurizer keeps it: None, the number of a frame, a Path, or an mdtraj.Trajectory.

    Raises
    ------
    DataError
        When it is anything else, or a file that does not exist.
    """
    if isinstance(given, str | os.PathLike):
        path = Path(given)
        if not path.is_file():
            raise DataError(f"reference: there is no file {str(path)!r}; give a PDB, GRO or mmCIF file of a structure")
        return path
    if given is None or (isinstance(given, int | np.integer) and not isinstance(given, bool)):
        return None if given is None else int(given)
    if hasattr(given, "xyz") and hasattr(given, "topology") and len(given.xyz):
        return given
    raise DataError(
        f"reference = {given!r}: expected the number of a frame, the path of a structure, an mdtraj.Trajectory (whose "
        "first frame counts), or None for the first frame"
    )


def frame_of(reference: Any) -> int:
    """Return the number of the frame that is the reference; 0 where it is another structure."""
    return reference if isinstance(reference, int) else 0


def reference_places(
    reference: Any,
    topology: mdtraj.Topology,
    frame: np.ndarray,
    atoms: np.ndarray,
    choose: Callable[[mdtraj.Topology], np.ndarray],
    feature: str,
) -> np.ndarray:
    """Return the positions in nm of the chosen atoms in the reference, (n_chosen, 3) float64.

    Parameters
    ----------
    reference
        From `checked_reference`.
    topology : mdtraj.Topology
        Of the trajectories.
    frame : (n_atoms, 3) array
        Positions of the frame that is the reference, where it is a frame.
    atoms : (n_chosen,) int array
        Those of `topology`.
    choose : callable
        Returns the same atoms of another topology.
    feature : str

    Raises
    ------
    DataError
        When the reference cannot be read, or its atoms are not those of the trajectories.
    """
    if reference is None or isinstance(reference, int):
        return np.asarray(frame[atoms], np.float64)
    import mdtraj

    structure = reference
    if isinstance(reference, Path):
        try:
            structure = mdtraj.load(str(reference))
        except Exception as error:  # mdtraj's readers have exceptions of their own
            raise DataError(
                f"{feature!r}: the reference {reference} cannot be read: {type(error).__name__}: {error}; expected "
                "PDB, GRO or mmCIF"
            ) from error
    found = choose(structure.topology)
    ours = [topology.atom(int(index)).name for index in atoms]
    theirs = [structure.topology.atom(int(index)).name for index in found]
    if ours != theirs:
        differ = next((k for k, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]), -1)
        where = f"; the first that differ are {theirs[differ]} and {ours[differ]}" if differ >= 0 else ""
        raise DataError(
            f"{feature!r}: the reference has {len(theirs)} of the selected atoms, the trajectories have "
            f"{len(ours)}{where}; choose a selection that holds the same atoms, in the same order, in both"
        )
    positions = np.array(structure.xyz[:1], np.float32)
    if structure.unitcell_vectors is not None:
        Molecules(structure.topology, None).mend(positions, structure.unitcell_vectors[:1])
    return np.asarray(positions[0][found], np.float64)

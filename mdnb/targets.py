"""What a model is trained to predict: an array per frame, or a named property of the structure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mdnb.errors import DataError, unknown_name
from mdnb.features.base import Features, as_mdtraj, residue_labels
from mdnb.features.torsions import torsion_indices
from mdnb.trajectories import Trajectories

__all__ = ["TARGETS", "Target", "make_target"]


@dataclass(frozen=True)
class Target:
    """One label per frame.

    Attributes
    ----------
    name : str
    values : (n_frames,) array
        Class numbers from 0 on, or real numbers.
    classes : tuple of str
        Names of the classes; empty for a real-valued target (regression).
    unit : str
    groups : (n_frames,) int array, optional
        Frames that must stay together when samples are parted, such as those of one molecule.
    """

    name: str
    values: np.ndarray
    classes: tuple[str, ...] = ()
    unit: str = ""
    groups: np.ndarray | None = None

    @property
    def is_class(self) -> bool:
        """Whether the target is a class and not a number."""
        return bool(self.classes)

    def counts(self) -> dict[str, int]:
        """Return how many frames each class has."""
        numbers = np.bincount(self.values.astype(int), minlength=len(self.classes))
        return dict(zip(self.classes, numbers.tolist(), strict=True))


def make_target(features: Features, target: Any) -> Target:
    """Return the target of some features.

    Parameters
    ----------
    features : Features
    target : str, Target or (n_frames,) array
        A name in `TARGETS`, where ``"basin:GLY7"`` asks for the basin of that residue; or one label per
        frame: whole numbers, booleans and text are classes, real numbers are a quantity.

    Raises
    ------
    SpecError
        For an unknown name.
    DataError
        When the number of labels is not that of the frames, or a label is NaN.
    """
    if isinstance(target, Target):
        made = target
    elif isinstance(target, str):
        name, _, option = target.partition(":")
        if name not in TARGETS:
            raise unknown_name("target", name, TARGETS)
        made = _of_frames(features, TARGETS[name](features.source, option))
    else:
        made = _from_array(np.asarray(target))
    if made.values.shape != (len(features),):
        raise DataError(
            f"the target {made.name!r} has the shape {made.values.shape}, expected one label for each of the "
            f"{len(features)} frames"
        )
    if not np.isfinite(made.values).all():
        raise DataError(f"the target {made.name!r} holds NaN or infinity; leave those frames out")
    return made


def _of_frames(features: Features, target: Target) -> Target:
    """Return the labels of those trajectories of the source that the features hold."""
    origin = np.repeat(np.arange(len(features.source)), features.source.lengths)
    return replace(target, values=target.values[np.isin(origin, features.trajectory)])


def _from_array(values: np.ndarray) -> Target:
    if values.dtype.kind in "iubUS":
        classes, numbers = np.unique(values, return_inverse=True)
        return Target("label", numbers.reshape(values.shape), tuple(map(str, classes)))
    if values.dtype.kind != "f":
        raise DataError(f"the target is an array of {values.dtype}, expected numbers or text")
    return Target("label", values)


def basin(trajectories: Trajectories, residue: str = "") -> Target:
    """Return the Ramachandran basin of one residue.

    ``left-handed`` is phi > 0; of the rest ``right-handed`` is -120 < psi < 50 degrees and ``extended`` is
    what remains (after Ramachandran, Ramakrishnan, Sasisekharan, J. Mol. Biol. 7, 95 (1963),
    https://doi.org/10.1016/S0022-2836(63)80023-6).

    Parameters
    ----------
    trajectories : Trajectories
    residue : str
        As mdtraj writes it, such as ``ALA2``; may be left out where only one has both torsions.
    """
    import mdtraj

    topology = trajectories.topology
    rows, label = {}, residue_labels(topology)
    psi_of = {topology.atom(int(row[1])).residue.index: row for row in torsion_indices(topology, "psi")}
    for row in torsion_indices(topology, "phi"):
        owner = topology.atom(int(row[2])).residue
        if owner.index in psi_of:
            rows[label[owner.index]] = np.array([row, psi_of[owner.index]])
    if not rows:
        raise DataError("the target 'basin' needs a residue with phi and psi; this topology has none")
    if not residue and len(rows) > 1:
        raise DataError(f"the target 'basin' needs a residue: 'basin:{next(iter(rows))}', or one of {', '.join(rows)}")
    residue = residue or next(iter(rows))
    if residue not in rows:
        raise unknown_name("residue with phi and psi", residue, rows)
    angles = np.concatenate(
        [
            np.degrees(mdtraj.compute_dihedrals(as_mdtraj(chunk, topology), rows[residue]))
            for chunk in trajectories.chunks()
        ]
    )
    phi, psi = angles.T
    values = np.where(phi > 0, 2, np.where((psi > -120) & (psi < 50), 1, 0))
    return Target(f"basin of {residue}", values, ("extended", "right-handed", "left-handed"))


def end_to_end_distance(trajectories: Trajectories, option: str = "") -> Target:
    """Return the distance in nm between the first and the last C-alpha (or heavy) atom."""
    chosen = trajectories.topology.select("name CA")
    if len(chosen) < 2:
        chosen = trajectories.topology.select("element != H")
    first, last = chosen[0], chosen[-1]
    distances = [
        np.linalg.norm(chunk.positions[:, first] - chunk.positions[:, last], axis=1) for chunk in trajectories.chunks()
    ]
    return Target("end-to-end distance", np.concatenate(distances), unit="nm")


def potential_energy(trajectories: Trajectories, option: str = "") -> Target:
    """Return the potential energy in kJ/mol that the files hold."""
    return Target("potential energy", trajectories.observable("potential_energy"), unit="kJ/mol")


def folded(trajectories: Trajectories, option: str = "") -> Target:
    """Return whether the fraction of native contacts Q is above one half.

    Native is the first frame of the first trajectory; Q after Best, Hummer, Eaton, PNAS 110, 17874 (2013),
    https://doi.org/10.1073/pnas.1311599110 (heavy atoms of residues more than 3 apart within 0.45 nm,
    beta = 50/nm, lambda = 1.8).
    """
    return Target("folded", (native_contacts(trajectories) > 0.5).astype(int), ("unfolded", "folded"))


def fraction_of_native_contacts(trajectories: Trajectories, option: str = "") -> Target:
    """Return Q, between 0 and 1; see `folded`."""
    return Target("fraction of native contacts", native_contacts(trajectories))


def native_contacts(trajectories: Trajectories) -> np.ndarray:
    """Return the fraction of native contacts Q of each frame, (n_frames,)."""
    import mdtraj

    native = trajectories.frames(0)
    heavy = native.topology.select("element != H")
    residue = {int(i): native.topology.atom(int(i)).residue.index for i in heavy}
    pairs = np.array([(i, j) for i in heavy for j in heavy if residue[int(j)] - residue[int(i)] > 3])
    if not len(pairs):
        raise DataError("native contacts need residues more than 3 apart; this molecule is too short")
    start = mdtraj.compute_distances(native, pairs)[0]
    pairs, start = pairs[start < 0.45], start[start < 0.45]
    if not len(pairs):
        raise DataError("the first frame has no contacts to call native; put a folded structure first")
    values = []
    for chunk in trajectories.chunks():
        distances = mdtraj.compute_distances(as_mdtraj(chunk, native.topology), pairs)
        values.append((1 / (1 + np.exp(np.clip(50 * (distances - 1.8 * start), -50, 50)))).mean(1))
    return np.concatenate(values)


#: Name -> function of the trajectories and of what follows a colon in the name.
TARGETS: dict[str, Callable[[Trajectories, str], Target]] = {
    "basin": basin,
    "end-to-end-distance": end_to_end_distance,
    "potential-energy": potential_energy,
    "folded": folded,
    "native-contacts": fraction_of_native_contacts,
}

"""Targets that follow from the structure: basins, contacts, RMSD, distances, and any single feature."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from mdnb.chunk import Chunk
from mdnb.errors import DataError, SpecError, unknown_name
from mdnb.features.base import Features, Featurizer, as_mdtraj, make_featurizer, residue_labels
from mdnb.features.overall import RMSD
from mdnb.features.torsions import torsion_indices
from mdnb.targets.base import Target, option_number, refuse_option
from mdnb.trajectories import Trajectories

__all__ = [
    "basin",
    "end_to_end_distance",
    "feature",
    "folded",
    "fraction_of_native_contacts",
    "native_contacts",
    "observable",
    "potential_energy",
    "rmsd",
]


def _chunks(features: Features, velocities: bool = False, forces: bool = False) -> Iterator[Chunk]:
    """Read those trajectories of the source that the features hold."""
    held = set(np.unique(features.trajectory).tolist())
    blocks = (block for block in features.source.blocks() if block[0] in held)
    return (features.source.read(*block, velocities, forces) for block in blocks)


def basin(features: Features, residue: str = "") -> Target:
    """Return the Ramachandran basin of one residue.

    ``left-handed`` is phi > 0; of the rest ``right-handed`` is -120 < psi < 50 degrees and ``extended`` is
    what remains (after Ramachandran, Ramakrishnan, Sasisekharan, J. Mol. Biol. 7, 95 (1963),
    https://doi.org/10.1016/S0022-2836(63)80023-6).

    Parameters
    ----------
    features : Features
    residue : str
        As mdtraj writes it, such as ``ALA2``; may be left out where only one has both torsions.
    """
    import mdtraj

    topology = features.topology
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
        [np.degrees(mdtraj.compute_dihedrals(as_mdtraj(chunk, topology), rows[residue])) for chunk in _chunks(features)]
    )
    phi, psi = angles.T
    values = np.where(phi > 0, 2, np.where((psi > -120) & (psi < 50), 1, 0))
    return Target(f"basin of {residue}", values, ("extended", "right-handed", "left-handed"))


def end_to_end_distance(features: Features, option: str = "") -> Target:
    """Return the distance in nm between the first and the last C-alpha (or heavy) atom."""
    refuse_option("end-to-end-distance", option)
    chosen = features.topology.select("name CA")
    if len(chosen) < 2:
        chosen = features.topology.select("element != H")
    first, last = chosen[0], chosen[-1]
    distances = [
        np.linalg.norm(chunk.positions[:, first] - chunk.positions[:, last], axis=1) for chunk in _chunks(features)
    ]
    return Target("end-to-end distance", np.concatenate(distances), unit="nm")


def potential_energy(features: Features, option: str = "") -> Target:
    """Return the potential energy in kJ/mol that the files hold."""
    refuse_option("potential-energy", option)
    return observable(features, "potential_energy")


#: Unit of what files are known to hold per frame; shares and what is not known have none.
_UNITS = {
    "formation_energy": "kJ/mol", "interaction_energy": "kJ/mol", "kinetic_energy": "kJ/mol",
    "potential_energy": "kJ/mol", "ligand_distance": "nm", "ligand_rmsd": "nm", "radius_of_gyration": "nm",
    "rmsd": "nm", "buried_area": "nm2", "temperature": "K",
}  # fmt: skip


def observable(features: Features, name: str = "") -> Target:
    """Return a number that the files hold per frame, such as ``rmsd`` or ``helix`` of mdCATH.

    Parameters
    ----------
    features : Features
    name : str
        As `Trajectories.observable` takes it.

    Raises
    ------
    SpecError
        Without a name.
    DataError
        When a file does not hold it, which says what it holds.
    """
    if not name:
        raise SpecError("the target 'observable' needs a name after a colon, such as 'observable:potential_energy'")
    origin = np.repeat(np.arange(len(features.source)), features.source.lengths)
    values = np.asarray(features.source.observable(name), np.float64)
    return Target(name.replace("_", " "), values[np.isin(origin, features.trajectory)], unit=_UNITS.get(name, ""))


def rmsd(features: Features, frame: str = "") -> Target:
    """Return the RMSD in nm from a frame after the best superposition; see `mdnb.features.RMSD`.

    Parameters
    ----------
    features : Features
    frame : str
        Number of the frame, counted over all trajectories; the first by default.
    """
    number = option_number("rmsd", frame, 0, default=0)
    name = f"RMSD from frame {number}" if number else "RMSD"
    return Target(name, _of_featurizer(features, RMSD(), number)[:, 0].astype(np.float64), unit="nm")


def feature(features: Features, name: str, column: str = "") -> Target:
    """Return one column of a registered featurizer.

    Parameters
    ----------
    features : Features
    name : str
        Such as ``radius-of-gyration``.
    column : str
        Which column, where the featurizer has more than one: ``torsions:sin phi ALA2``.
    """
    maker = make_featurizer(name)
    values = _of_featurizer(features, maker, 0)
    names = [one.name for one in maker.columns]
    if not column and len(names) > 1:
        raise DataError(
            f"{name!r} has {len(names)} columns, a target is one: give its name, such as '{name}:{names[0]}'"
        )
    column = column or names[0]
    if column not in names:
        raise unknown_name(f"column of {name!r}", column, names)
    number = names.index(column)
    return Target(column, values[:, number].astype(np.float64), unit=maker.columns[number].unit)


def _of_featurizer(features: Features, maker: Featurizer, reference: int) -> np.ndarray:
    """Return (n_frames, n_columns) of the frames that the features hold."""
    maker.prepare(features.topology, features.source.frames(reference).xyz[0])
    wishes = "velocities" in maker.needs, "forces" in maker.needs
    features.source.require(*wishes)
    chunks = _chunks(features, *wishes)
    return np.concatenate([maker.compute(chunk).reshape(len(chunk.time), -1) for chunk in chunks])


def folded(features: Features, frame: str = "") -> Target:
    """Return whether the fraction of native contacts Q is above one half.

    Native is the first frame of the first trajectory, or the frame of that number; Q after Best, Hummer,
    Eaton, PNAS 110, 17874 (2013), https://doi.org/10.1073/pnas.1311599110 (heavy atoms of residues more
    than 3 apart within 0.45 nm, beta = 50/nm, lambda = 1.8).
    """
    number = option_number("folded", frame, 0, default=0)
    values = _native_contacts(features.source, number, _chunks(features))
    return Target("folded", (values > 0.5).astype(int), ("unfolded", "folded"))


def fraction_of_native_contacts(features: Features, frame: str = "") -> Target:
    """Return Q, between 0 and 1; see `folded`."""
    number = option_number("native-contacts", frame, 0, default=0)
    return Target("fraction of native contacts", _native_contacts(features.source, number, _chunks(features)))


def native_contacts(trajectories: Trajectories, frame: int = 0) -> np.ndarray:
    """Return the fraction of native contacts Q of each frame, (n_frames,); see `folded`."""
    return _native_contacts(trajectories, frame, trajectories.chunks())


def _native_contacts(trajectories: Trajectories, frame: int, chunks: Iterable[Chunk]) -> np.ndarray:
    import mdtraj

    native = trajectories.frames(frame)
    heavy = native.topology.select("element != H")
    residue = {int(i): native.topology.atom(int(i)).residue.index for i in heavy}
    pairs = np.array([(i, j) for i in heavy for j in heavy if residue[int(j)] - residue[int(i)] > 3])
    if not len(pairs):
        raise DataError("native contacts need residues more than 3 apart; this molecule is too short")
    start = mdtraj.compute_distances(native, pairs)[0]
    pairs, start = pairs[start < 0.45], start[start < 0.45]
    if not len(pairs):
        which = "first frame" if frame == 0 else f"frame {frame}"
        raise DataError(f"the {which} has no contacts to call native; put a folded structure first")
    values = []
    for chunk in chunks:
        distances = mdtraj.compute_distances(as_mdtraj(chunk, native.topology), pairs)
        values.append((1 / (1 + np.exp(np.clip(50 * (distances - 1.8 * start), -50, 50)))).mean(1))
    return np.concatenate(values)

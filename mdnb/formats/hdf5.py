"""HDF5 layouts, read with h5py: mdtraj's own ``.h5`` and H5MD."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from mdnb.formats.base import ArrayFile, TrajectoryFile
from mdnb.formats.registry import register
from mdnb.formats.topology_json import topology_from_json

if TYPE_CHECKING:
    import mdtraj

__all__ = ["H5MDFile", "MDTrajHDF5File", "held", "refuse_links"]

_LENGTH = {"nm": 1.0, "nanometers": 1.0, "nanometer": 1.0, "angstrom": 0.1, "Angstrom": 0.1, "A": 0.1}
_TIME = {"ps": 1.0, "picoseconds": 1.0, "picosecond": 1.0, "fs": 1e-3, "ns": 1e3}
_KCAL = 4.184
#: H5MD unit string -> factor to nm, nm/ps, kJ/mol/nm, kJ/mol or ps.
_UNITS = {
    **_LENGTH,
    **_TIME,
    "nm ps-1": 1.0,
    "Angstrom ps-1": 0.1,
    "Angstrom fs-1": 100.0,
    "kJ mol-1 nm-1": 1.0,
    "kJ mol-1 Angstrom-1": 10.0,
    "kcal mol-1 Angstrom-1": 10.0 * _KCAL,
    "kJ mol-1": 1.0,
    "kcal mol-1": _KCAL,
}


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _scaled(values: np.ndarray, factor: float) -> np.ndarray:
    """Return the values times the factor, in their own precision (whole numbers as float64)."""
    if factor == 1:
        return values
    return np.asarray(values * (values.dtype.type(factor) if values.dtype.kind == "f" else factor))


#: A file that claims this many times what it holds of positions does not hold them.
_LARGEST_COMPRESSION = 2000


def refuse_links(trajectory: TrajectoryFile, file: Any) -> None:
    """Refuse a file that leads to other files, which whoever made it may have chosen."""
    import h5py

    groups, seen = [file], set()
    while groups:
        group = groups.pop()
        for name in group:
            link = group.get(name, getlink=True)
            outside = isinstance(link, h5py.ExternalLink)
            if isinstance(link, h5py.HardLink):  # what a soft link points to is met where it is
                child = group[name]
                outside = isinstance(child, h5py.Dataset) and bool(child.external or child.is_virtual)
                if isinstance(child, h5py.Group) and (address := h5py.h5o.get_info(child.id).addr) not in seen:
                    seen.add(address)
                    groups.append(child)
            if outside:
                raise trajectory.error(
                    f"{name!r} is not in the file but a link to another one, which is not followed; copy the data into "
                    "one file"
                )


def held(trajectory: TrajectoryFile, dataset: Any) -> tuple[int, int]:
    """Return the numbers of frames and atoms of a dataset of positions, if the file can hold as many."""
    n_frames, n_atoms = trajectory.size(dataset.shape)
    stored, claimed = dataset.id.get_storage_size(), n_frames * n_atoms * 3 * dataset.dtype.itemsize
    if claimed > _LARGEST_COMPRESSION * max(stored, 1):
        raise trajectory.error(
            f"it claims {n_frames:,} frames of {n_atoms:,} atoms but holds {stored:,} bytes of positions; is it "
            "damaged?"
        )
    return n_frames, n_atoms


@register(".h5", ".hdf5")
class MDTrajHDF5File(ArrayFile):
    """The HDF5 layout of mdtraj (http://mdtraj.org, "MDTraj HDF5 Format Specification")."""

    foreign = True
    _names = {"positions": "coordinates", "velocities": "velocities", "time": "time"}  # noqa: RUF012 - constant

    def __init__(self, path: str | os.PathLike[str]) -> None:
        import h5py

        super().__init__(path)
        with h5py.File(self.path) as file:
            if "coordinates" not in file:
                raise self.error("it has no dataset 'coordinates'; an H5MD file has the suffix .h5md")
            refuse_links(self, file)
            self.n_frames, self.n_atoms = held(self, file["coordinates"])
            self.has_velocities = "velocities" in file

    def slice(self, name: str, frames: slice) -> np.ndarray | None:
        """Return one array of those frames in mdnb's units, or None."""
        import h5py
        from mdtraj.utils import lengths_and_angles_to_box_vectors

        with h5py.File(self.path) as file:
            if name == "box":
                if "cell_lengths" not in file:
                    return None
                vectors = lengths_and_angles_to_box_vectors(
                    *file["cell_lengths"][frames].T, *file["cell_angles"][frames].T
                )
                return np.stack(vectors, axis=1)
            dataset = file.get(self._names.get(name, name))
            if dataset is None:
                return None
            unit = _text(dataset.attrs.get("units", ""))
            length, _, time = unit.partition("/")
            factor = _LENGTH.get(length, 1.0) / _TIME.get(time, 1.0) if name != "time" else _TIME.get(unit, 1.0)
            return _scaled(dataset[frames], factor)

    def topology(self) -> mdtraj.Topology | None:
        """Return the topology that mdtraj stored as JSON."""
        import h5py

        with self.reading("topology"), h5py.File(self.path) as file:
            return topology_from_json(json.loads(file["topology"][0])) if "topology" in file else None

    def observables(self) -> dict[str, np.ndarray]:
        """Return the energies in kJ/mol that the file holds."""
        import h5py

        names = {"potentialEnergy": "potential_energy", "kineticEnergy": "kinetic_energy"}
        with self.reading("energies"), h5py.File(self.path) as file:
            return {ours: np.asarray(file[theirs][:]) for theirs, ours in names.items() if theirs in file}


@register(".h5md")
class H5MDFile(ArrayFile):
    """H5MD 1.1: positions, velocities, forces and observables with their units.

    References
    ----------
    de Buyl, Colberg, Hoefling, Comput. Phys. Commun. 185, 1546 (2014),
    https://doi.org/10.1016/j.cpc.2014.01.018
    """

    foreign = True
    _names = {"positions": "position", "velocities": "velocity", "forces": "force"}  # noqa: RUF012 - constant

    def __init__(self, path: str | os.PathLike[str]) -> None:
        import h5py

        super().__init__(path)
        with h5py.File(self.path) as file:
            refuse_links(self, file)
            groups = [name for name, group in file.get("particles", {}).items() if "position" in group]
            if not groups:
                raise self.error("it has no particles/*/position; is it an H5MD file with positions?")
            self._group = f"particles/{groups[0]}"
            group = file[self._group]
            self.n_frames, self.n_atoms = held(self, group["position/value"])
            same = {name: "value" in group.get(name, {}) for name in ("velocity", "force")}
            lengths = {name: len(group[name]["value"]) for name, there in same.items() if there}
            self.has_velocities = lengths.get("velocity") == self.n_frames
            self.has_forces = lengths.get("force") == self.n_frames

    def _factor(self, attributes: object, what: str) -> float:
        unit = _text(getattr(attributes, "get")("unit", ""))  # noqa: B009 - h5py attributes are untyped
        if unit and unit not in _UNITS:
            raise self.error(f"{what} have the unit {unit!r}; known are {', '.join(map(repr, _UNITS))}")
        return _UNITS.get(unit, 1.0)

    def slice(self, name: str, frames: slice) -> np.ndarray | None:
        """Return one array of those frames in mdnb's units, or None."""
        import h5py

        with h5py.File(self.path) as file:
            group = file[self._group]
            if name == "time":
                if "time" not in group["position"]:
                    return None
                dataset = group["position/time"]
                if dataset.shape == ():  # equidistant frames: only the step is stored
                    numbers = np.arange(*frames.indices(self.n_frames))
                    times = dataset.attrs.get("offset", 0.0) + dataset[()] * numbers
                    return np.asarray(times * self._factor(dataset.attrs, "times"))
            elif name == "box":
                edges = group.get("box/edges")
                if edges is None:
                    return None
                if isinstance(edges, h5py.Group):
                    dataset = edges["value"]
                    values = dataset[frames] * self._factor(dataset.attrs, "box edges")
                else:
                    n_frames = len(range(*frames.indices(self.n_frames)))
                    values = np.repeat(edges[()][None] * self._factor(edges.attrs, "box edges"), n_frames, axis=0)
                return values if values.ndim == 3 else values[:, :, None] * np.eye(3)
            elif self._names[name] not in group or not getattr(self, f"has_{name}", True):
                return None
            else:
                dataset = group[self._names[name]]["value"]
            return _scaled(dataset[frames], self._factor(dataset.attrs, name))

    def observables(self) -> dict[str, np.ndarray]:
        """Return the observables with one number for each frame, in mdnb's units."""
        import h5py

        found = {}
        with self.reading("observables"), h5py.File(self.path) as file:
            for name, group in file.get("observables", {}).items():
                value = group.get("value") if isinstance(group, h5py.Group) else None
                if value is not None and value.shape == (self.n_frames,):
                    found[name] = value[:] * self._factor(value.attrs, name)
        return found

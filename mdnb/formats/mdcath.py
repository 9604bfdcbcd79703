"""The HDF5 layout of mdCATH: one protein domain, simulated at several temperatures in several replicas."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from mdnb.formats.base import ArrayFile, TrajectoryFile
from mdnb.formats.hdf5 import held, refuse_links
from mdnb.formats.registry import register_layout

if TYPE_CHECKING:
    import mdtraj

__all__ = ["MdCATHFile"]

_KCAL_PER_ANGSTROM = 41.84
"""kcal/mol/Angstrom in kJ/mol/nm."""
_SPACING = 1000.0
"""Time between frames in ps."""
#: What DSSP's letters are counted as.
_STRUCTURES = {"helix": (b"H", b"G", b"I"), "strand": (b"E", b"B")}


@register_layout(".h5", ".hdf5")
class MdCATHFile(ArrayFile):
    """One replica at one temperature of an mdCATH file; `members` are all of them.

    Positions and forces are of the protein only. Angstrom and kcal/mol/Angstrom become nm and kJ/mol/nm. The frames
    are 1 ns apart. The box is that of the first frame, as only that is stored. Written to the published layout
    (``mdcath-only-protein-v1.0``, and the older one with ``sims320K``); tested on files made in it.

    Parameters
    ----------
    path : path
    member : str
        ``"temperature-replica"`` such as ``"320-0"``; the first one by default.

    References
    ----------
    Mirarchi, Giorgino, De Fabritiis, Sci. Data 11, 1299 (2024), https://doi.org/10.1038/s41597-024-04140-z
    """

    foreign = True

    def __init__(self, path: str | os.PathLike[str], member: str = "") -> None:
        import h5py

        super().__init__(path)
        with h5py.File(self.path) as file:
            refuse_links(self, file)
            self.domain = _domain(file)
            self._runs = _runs(file[self.domain])
            if not self._runs:
                raise self.error("it holds no replica with coords and numFrames; was it copied completely?")
            self.member = member or next(iter(self._runs))
            if self.member not in self._runs:
                raise self.error(f"it holds no {self.member!r} (temperature-replica), only {', '.join(self._runs)}")
            self._group = f"{self.domain}/{self._runs[self.member]}"
            group = file[self._group]
            self.n_frames, self.n_atoms = held(self, group["coords"])
            _expect_unit(self, group["coords"], "angstrom")
            self.has_forces = "forces" in group
            if self.has_forces:
                _expect_unit(self, group["forces"], "kcal/mol/angstrom")
                if group["forces"].shape != group["coords"].shape:
                    raise self.error(
                        f"forces of {self.member} have the shape {group['forces'].shape}, coords "
                        f"{group['coords'].shape}; is it damaged?"
                    )

    @classmethod
    def claims(cls, path: Path) -> bool:
        """Return whether the file says that it is in this layout, or is built like it."""
        import h5py

        with h5py.File(path) as file:
            layout = file.attrs.get("layout", "")
            text = layout.decode(errors="replace") if isinstance(layout, bytes) else str(layout)
            only = next(iter(file.values())) if len(file) == 1 else None
            return text.startswith("mdcath") or (isinstance(only, h5py.Group) and "pdbProteinAtoms" in only)

    def members(self) -> Sequence[TrajectoryFile]:
        """Return every replica at every temperature, in order."""
        return [self if run == self.member else MdCATHFile(self.path, run) for run in self._runs]

    @property
    def runs(self) -> tuple[str, ...]:
        """Names of the members."""
        return tuple(self._runs)

    @property
    def temperature(self) -> float:
        """Temperature in kelvin."""
        return float(self.member.partition("-")[0])

    def times(self) -> np.ndarray:
        """Return the times of all frames in ps, counted from the first one."""
        return np.arange(self.n_frames) * _SPACING

    @property
    def time_step(self) -> float:
        """Time between the frames in ps."""
        return _SPACING

    def slice(self, name: str, frames: slice) -> np.ndarray | None:
        """Return positions, forces, times or the box of those frames in mdnb's units, or None."""
        import h5py

        if name == "time":
            return self.times()[frames]
        if name == "velocities":
            return None
        with h5py.File(self.path) as file:
            group = file[self._group]
            if name == "box":
                return _box(group, len(range(*frames.indices(self.n_frames))))
            if name == "forces":
                return group["forces"][frames] * np.float32(_KCAL_PER_ANGSTROM) if self.has_forces else None
            return group["coords"][frames] * np.float32(0.1)

    def topology(self) -> mdtraj.Topology:
        """Return the topology of the protein, from the PDB that the file holds."""
        import h5py
        import mdtraj

        with self.reading("topology"):
            with h5py.File(self.path) as file:
                content = bytes(file[f"{self.domain}/pdbProteinAtoms"][()])
            atoms = b"\n".join(line for line in content.splitlines() if line.startswith((b"ATOM  ", b"HETATM")))
            with TemporaryDirectory() as folder:
                written = Path(folder, "protein.pdb")
                written.write_bytes(atoms + b"\nEND\n")
                topology = mdtraj.load_topology(str(written)).copy()
        if topology.n_atoms != self.n_atoms:
            raise self.error(f"its PDB has {topology.n_atoms} atoms, its coords have {self.n_atoms}; is it damaged?")
        return topology

    def observables(self) -> dict[str, np.ndarray]:
        """Return what the builders of mdCATH computed of each frame, and the temperature.

        ``temperature`` in kelvin; ``rmsd`` (of the heavy atoms, from the first frame) and ``radius_of_gyration`` in
        nm; ``helix``, ``strand`` and ``coil``: shares of the residues, of DSSP's letters H, G, I and E, B and others.
        """
        import h5py

        found = {"temperature": np.full(self.n_frames, self.temperature)}
        with self.reading("observables"), h5py.File(self.path) as file:
            group = file[self._group]
            for theirs, ours in (("rmsd", "rmsd"), ("gyrationRadius", "radius_of_gyration")):
                if theirs in group and group[theirs].shape == (self.n_frames,):
                    found[ours] = np.asarray(group[theirs][:], np.float64)
            if "dssp" in group and group["dssp"].ndim == 2 and len(group["dssp"]) == self.n_frames:
                letters = np.array(group["dssp"][:].astype("S2"))
                for kind, counted in _STRUCTURES.items():
                    found[kind] = np.isin(letters, counted).mean(axis=1)
                found["coil"] = 1 - found["helix"] - found["strand"]
        return found


def _domain(file: Any) -> str:
    return str(next(iter(file)))


def _runs(group: Any) -> dict[str, str]:
    """Return ``"320-0"`` -> the group of that replica, those left out that are empty."""
    found = {}
    for name, child in group.items():
        temperature = name.removeprefix("sims").removesuffix("K")
        if not temperature.isdigit() or not hasattr(child, "items"):
            continue
        for replica, run in child.items():
            if replica.isdigit() and "coords" in run and "numFrames" in run.attrs and len(run["coords"]):
                found[int(temperature), int(replica)] = f"{name}/{replica}"
    return {f"{temperature}-{replica}": found[temperature, replica] for temperature, replica in sorted(found)}


def _box(group: Any, n_frames: int) -> np.ndarray | None:
    box = np.asarray(group["box"][()], np.float32) if "box" in group else np.zeros(0, np.float32)
    return np.repeat(box[None], n_frames, axis=0) if box.shape == (3, 3) and box.any() else None


def _expect_unit(trajectory: TrajectoryFile, dataset: Any, expected: str) -> None:
    unit = dataset.attrs.get("unit", "")
    text = unit.decode(errors="replace") if isinstance(unit, bytes) else str(unit)
    if text and text.lower() != expected:
        raise trajectory.error(
            f"its {dataset.name.rpartition('/')[2]} are in {text!r}, expected {expected!r} in mdCATH"
        )

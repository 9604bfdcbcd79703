"""load: find files, match them with a topology and select atoms."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from glob import glob, has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mdnb.errors import DataError
from mdnb.formats import FORMATS, TrajectoryFile, open_trajectory
from mdnb.formats.arrays import MemoryFile
from mdnb.formats.mdanalysis import UniverseFile, is_universe, topology_of
from mdnb.formats.probe import probe_trajectories
from mdnb.formats.topologies import read_topology
from mdnb.molecules import Molecules
from mdnb.trajectories import Trajectories

if TYPE_CHECKING:
    import mdtraj

__all__ = ["SUFFIXES", "load"]

#: Suffixes that `load` reads; a picker lists these files.
SUFFIXES = tuple(sorted(FORMATS))


def load(
    files: Any,
    top: Any = None,
    selection: str | Sequence[int] | np.ndarray = "all",
    stride: int = 1,
    *,
    start: int | None = None,
    stop: int | None = None,
    time_step: float | None = None,
    allow_truncated: bool = False,
    make_whole: bool | str = True,
    units: str | Mapping[str, Any] | None = None,
) -> Trajectories:
    """Open trajectories; frames are read later, in chunks.

    Parameters
    ----------
    files : path, pattern, mdtraj.Trajectory, MDAnalysis.Universe or AtomGroup, or a sequence of them
        XTC, TRR, DCD, NetCDF (AMBER), HDF5 (mdtraj, mdCATH with all its temperatures and replicas), H5MD, NPZ
        (timewarp, MD17), multi-model PDB and mmCIF, LAMMPS dumps (text) and XYZ or extended XYZ. A pattern such as
        ``"runs/*.xtc"`` is expanded in natural order (2 before 10). Opening finds frames, and reads none; of a large
        file that was slow to search, where its frames begin is kept in a hidden file beside it, or in the user's
        cache folder.
        HDF5 and H5MD files are tried in another process first, so that a damaged one that makes the HDF5 library
        crash is refused. What is in memory is not copied. Times that mdtraj and MDAnalysis made up, counting
        frames as 1 ps because they knew none, count as unknown.
    top : path, mdtraj.Topology, mdtraj.Trajectory, MDAnalysis.Universe or AtomGroup, optional
        PDB, mmCIF, GRO, PSF, PRMTOP, MOL2; with MDAnalysis (``pip install 'mdnb[formats]'``) TPR, LAMMPS data and
        whatever else it reads. Not needed where the files have their own: PDB, mmCIF, HDF5, what is in memory,
        XYZ, and LAMMPS dumps with the column ``element`` or ``mass``; in the last two, molecules are found by
        distances (or by the column ``mol``) and become residues.
    selection : str or sequence of int or bool
        Atoms to keep, in mdtraj's selection language, by index, or one true or false for each atom.
    stride : int
        Keep every stride-th frame, from `start` on.
    start, stop : int, optional
        Which frames of each file are read, as in a slice of Python: from `start` on (the first is 0), up to but not
        with `stop`; negative ones count from the end, and the end of a shorter file is its own.
    time_step : float, optional
        Time between the frames in the files in ps, for formats that do not say it (DCD, PDB), or to
        overrule them.
    allow_truncated : bool
        Read the whole frames of a file whose tail is cut off, such as that of a running simulation; load it again
        for what was added since.
    make_whole : {True, False, "together"}
        Where there is a periodic box, put molecules together that its border cuts, along their bonds (also
        those through atoms that are not selected). ``"together"`` also brings all molecules but water and
        single atoms to the image beside the first one, for a complex of several chains or with a ligand;
        by default each molecule stays where its first atom is. False leaves atoms where the file has them.
    units : str or mapping, optional
        Of LAMMPS dumps and XYZ files, which do not say them: LAMMPS's ``"real"``, ``"metal"``, ``"si"``, ``"cgs"``,
        ``"electron"``, ``"micro"`` or ``"nano"``, or ``{"length": nm, "time": ps, "energy": kJ/mol}`` with what the
        file's units are in those (for reduced units). A dump written with ``dump_modify units yes time yes`` says
        its units and times. Without it, XYZ is in Angstrom and eV/Angstrom.

    Returns
    -------
    Trajectories

    Raises
    ------
    DataError
        When a file is missing, damaged, truncated or does not fit the topology, the selection is empty or wrong,
        no frame lies between start and stop, or units are needed.
    SpecError
        When the format, or the name of the units, is not known.
    MissingDependencyError
        When MDAnalysis is needed and not installed.
    """
    if isinstance(stride, bool) or not isinstance(stride, int | np.integer) or stride < 1:
        raise DataError(f"stride = {stride!r}: expected a whole number of at least 1")
    for name, end in (("start", start), ("stop", stop)):
        if end is not None and (isinstance(end, bool) or not isinstance(end, int | np.integer)):
            raise DataError(f"{name} = {end!r}: expected the number of a frame, or None")
    span = (None if start in (None, 0) else int(start), None if stop is None else int(stop))
    number = isinstance(time_step, int | float | np.integer | np.floating) and not isinstance(time_step, bool)
    if time_step is not None and not (number and np.isfinite(time_step) and time_step > 0):
        raise DataError(f"time_step = {time_step!r}: expected the time between frames in ps, above 0")
    items = _expand(files)
    probe_trajectories(Path(item) for item in items if isinstance(item, str | os.PathLike))
    opened = [file for item in items for file in _open(item, units)]
    for file in opened:
        if file.truncated and not allow_truncated:
            raise file.error(
                f"it is truncated: {file.truncated}; copy it again, or read the {file.n_frames} whole frames with "
                "allow_truncated=True (also while a simulation still writes it; load it again later for more)"
            )
        if file.n_frames == 0:
            raise file.error("it holds no whole frame")
        if not range(file.n_frames)[slice(*span)]:
            raise file.error(
                f"none of its {file.n_frames} frames (0 to {file.n_frames - 1}) lies from start = {start} on and "
                f"before stop = {stop}; ask for others, or leave this file out"
            )
    topology = _topology(top, opened, units)
    for file in opened:
        if file.n_atoms != topology.n_atoms:
            raise file.error(
                f"it has {file.n_atoms} atoms, its topology has {topology.n_atoms}; give the topology of the atoms "
                "that were written (for GROMACS: gmx trjconv -dump 0 with the same group)"
            )
    indices = _select(topology, selection)
    molecules = Molecules(topology, indices, make_whole)
    if indices is not None:
        topology = topology.subset(indices)
    options: dict[str, Any] = {"allow_truncated": allow_truncated, "make_whole": make_whole}
    options |= {"start": span[0], "stop": span[1]}
    code = _code(files, top, selection, int(stride), time_step, options)
    return Trajectories(opened, topology, indices, int(stride), time_step, molecules, code, span)


def _code(files: Any, top: Any, selection: Any, stride: int, time_step: Any, options: dict[str, Any]) -> str:
    """Return the call that was made, or nothing where it cannot be written."""
    single = isinstance(files, str | os.PathLike)
    in_memory = hasattr(files, "topology") or hasattr(files, "universe")
    names = [files] if single or in_memory else list(files)
    if not all(isinstance(one, str | os.PathLike) for one in (*names, *(() if top is None else (top,)))):
        return ""
    texts = [os.fspath(one) for one in names]
    chosen = selection if isinstance(selection, str) else np.asarray(selection).tolist()
    given = {
        "top": None if top is None else os.fspath(top), "selection": chosen, "stride": stride,
        "time_step": None if time_step is None else float(time_step), **options,
    }  # fmt: skip
    usual = {
        "top": None, "selection": "all", "stride": 1, "time_step": None, "allow_truncated": False,
        "make_whole": True, "start": None, "stop": None,
    }  # fmt: skip
    more = "".join(f", {name}={value!r}" for name, value in given.items() if value != usual[name])
    return f"mdnb.load({(texts[0] if single else texts)!r}{more})"


def _expand(files: Any) -> list[Any]:
    alone = isinstance(files, str | os.PathLike) or hasattr(files, "topology") or is_universe(files)
    if not alone and not isinstance(files, Iterable):
        raise DataError(f"got {files!r} as files, expected a path, a pattern such as 'runs/*.xtc', or a list of them")
    items = [files] if alone else list(files)
    expanded: list[Any] = []
    for item in items:
        if isinstance(item, str | os.PathLike) and has_magic(os.fspath(item)) and not os.path.exists(item):
            found = sorted(glob(os.fspath(item), recursive=True), key=_natural)
            if not found:
                raise DataError(f"no file matches {os.fspath(item)!r} in {Path.cwd()}; check the folder and the suffix")
            expanded.extend(found)
        else:
            expanded.append(item)
    if not expanded:
        raise DataError("no files were given; give a path, a pattern such as 'runs/*.xtc', or a list of them")
    return expanded


def _natural(path: str) -> list[tuple[int, int, str]]:
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", path) if part]


def _open(item: Any, units: str | Mapping[str, Any] | None) -> Sequence[TrajectoryFile]:
    if isinstance(item, TrajectoryFile):  # of a source that chose among the trajectories in a file
        return [item]
    if isinstance(item, str | os.PathLike):
        return open_trajectory(item, units).members()
    if is_universe(item):
        return [UniverseFile(item)]
    if hasattr(item, "topology") and hasattr(item, "xyz"):
        return [MemoryFile(item)]
    raise DataError(
        f"got {type(item).__name__!r} as a trajectory, expected a path, an mdtraj.Trajectory or an MDAnalysis.Universe"
    )


def _topology(top: Any, files: Iterable[TrajectoryFile], units: str | Mapping[str, Any] | None) -> mdtraj.Topology:
    if top is None:
        own = next((topology for file in files if (topology := file.topology()) is not None), None)
        if own is None:
            raise DataError(
                f"{next(iter(files)).path} holds no topology; give top='system.pdb' (or GRO, PSF, PRMTOP, mmCIF, TPR)"
            )
        return own
    if is_universe(top):
        return topology_of(top)
    if hasattr(top, "topology"):
        return top.topology
    if hasattr(top, "n_atoms"):
        return top
    if not isinstance(top, str | os.PathLike):
        raise DataError(f"got top = {top!r}, expected the path of a PDB file or the like, or an mdtraj.Topology")
    return read_topology(top, units)


def _select(topology: mdtraj.Topology, selection: str | Sequence[int] | np.ndarray) -> np.ndarray | None:
    if isinstance(selection, str):
        if selection == "all":
            return None
        try:
            indices = topology.select(selection)
        except Exception as error:
            reason = " ".join(str(error).split())
            reason = "a condition is not complete" if reason.startswith("Expected {") else reason
            reason = reason if len(reason) < 100 else reason[:97] + "..."
            raise DataError(
                f"the selection {selection!r} is not in mdtraj's language ({reason}); try 'protein', 'name CA' or "
                "'element != H'"
            ) from error
    else:
        indices = np.atleast_1d(np.asarray(selection))
        if indices.dtype == bool and indices.shape == (topology.n_atoms,):
            indices = np.flatnonzero(indices)
    if len(indices) == 0:
        kinds = list(dict.fromkeys(residue.name for residue in topology.residues))
        shown = ", ".join(kinds[:12]) + (" and others" if len(kinds) > 12 else "")
        raise DataError(
            f"the selection {selection!r} holds none of the {topology.n_atoms} atoms, whose residues are {shown}"
        )
    if not np.issubdtype(indices.dtype, np.integer) or indices.min() < 0 or indices.max() >= topology.n_atoms:
        raise DataError(f"the selection must hold atom indices from 0 to {topology.n_atoms - 1}")
    if len(np.unique(indices)) != len(indices):
        raise DataError("the selection names an atom twice")
    return np.sort(indices)

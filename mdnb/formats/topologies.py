"""Topology files: by mdtraj, of our own trajectory formats, or by MDAnalysis."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mdnb.errors import DataError, MdnbError
from mdnb.files import absent
from mdnb.formats.registry import FORMATS, open_trajectory

if TYPE_CHECKING:
    import mdtraj

__all__ = ["TOPOLOGIES", "read_topology"]

#: Suffixes of files that hold a topology and usually no trajectory; the last line needs MDAnalysis.
TOPOLOGIES = (
    *(".pdb", ".gro", ".psf", ".prmtop", ".parm7", ".top", ".cif", ".mmcif", ".pdbx", ".mol2"),
    *(".tpr", ".data", ".pqr", ".crd", ".itp"),
)
#: What mdtraj reads best.
_MDTRAJ = (
    ".pdb",
    ".ent",
    ".gro",
    ".psf",
    ".prmtop",
    ".parm7",
    ".prm7",
    ".cif",
    ".mmcif",
    ".pdbx",
    ".mol2",
    ".hoomdxml",
)


def read_topology(path: str | os.PathLike[str], units: str | Mapping[str, Any] | None = None) -> mdtraj.Topology:
    """Return the topology in a file.

    mdtraj reads PDB, mmCIF, GRO, PSF, PRMTOP, MOL2 and HOOMD XML. HDF5, XYZ and LAMMPS dumps give what they hold or
    what follows from elements and distances. Anything else is read by MDAnalysis, if it is installed: TPR, LAMMPS data,
    PQR, CRD, ITP and more.

    Parameters
    ----------
    path : path
    units : str or mapping, optional
        Of XYZ and LAMMPS dumps.

    Returns
    -------
    mdtraj.Topology

    Raises
    ------
    DataError
        When the file is missing or cannot be read.
    MissingDependencyError
        When MDAnalysis would be needed and is not there.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if not path.is_file():
        raise DataError(f"no such topology file: {absent(path)}; give that of a PDB, GRO, PSF, PRMTOP or mmCIF file")
    try:
        topology = _read(path, suffix, units)
    except MdnbError:
        raise
    except Exception as error:  # the readers have exceptions of their own, such as PSFError
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise DataError(
            f"{path} cannot be read as a topology: {said}; expected PDB, GRO, PSF, PRMTOP "
            "or mmCIF, or with MDAnalysis TPR, LAMMPS data and others"
        ) from error
    if suffix in (".prmtop", ".parm7", ".prm7"):  # AMBER counts residues from 1, mdtraj makes it 0
        for residue in topology.residues:
            residue.resSeq = residue.index + 1
    return topology


def _read(path: Path, suffix: str, units: str | Mapping[str, Any] | None) -> mdtraj.Topology:
    if suffix in _MDTRAJ:
        import mdtraj

        return mdtraj.load_topology(str(path)).copy()
    if suffix in FORMATS:
        file = open_trajectory(path, units if FORMATS[suffix].takes_units else None)
        topology = file.topology()
        if topology is None:
            raise file.error("it holds no topology; give a PDB, GRO, PSF, PRMTOP or mmCIF file")
        return topology
    from mdnb.formats.mdanalysis import load_universe, topology_of
    from mdnb.formats.probe import probe

    probe([(path, "mdnb.formats.mdanalysis:load_universe")])
    return topology_of(load_universe(str(path)))

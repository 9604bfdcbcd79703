"""Trajectory formats: one file a format, each read in chunks and converted to nm, ps, nm/ps and kJ/mol/nm."""

from mdnb.formats import arrays, dcd, grouped, hdf5, lammps, md17, mdcath, mmcif, netcdf, pdb, trr, xtc, xyz
from mdnb.formats.base import Frames, TrajectoryFile
from mdnb.formats.registry import FORMATS, open_trajectory

__all__ = [
    "FORMATS",
    "Frames",
    "TrajectoryFile",
    "arrays",
    "dcd",
    "grouped",
    "hdf5",
    "lammps",
    "md17",
    "mdcath",
    "mmcif",
    "netcdf",
    "open_trajectory",
    "pdb",
    "trr",
    "xtc",
    "xyz",
]

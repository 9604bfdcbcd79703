"""MISATO and SPICE: one large HDF5 file with a group for each system, of which one is opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mdnb.formats.grouped import MisatoFile, SpiceFile
from mdnb.formats.probe import probe_trajectories
from mdnb.sources.database import Database, Opened, Store
from mdnb.sources.remote import Remote
from mdnb.specs import Spec, setting

__all__ = ["Misato", "Spice", "SpiceOptions"]


class Misato(Database):
    """MISATO: 16,972 protein-ligand complexes, 8 ns in 100 frames each, all in one file of 133 GB.

    Give the file that was downloaded by hand as ``file="MD.hdf5"``; MDRepo offers the complexes one by one. In some of
    them molecules jump across the box, which cannot be mended, as no box is stored. Nor is the time: 80 ps are 8 ns by
    100 frames. Written to the published layout; tested on files made in it.

    References
    ----------
    Siebenmorgen et al., Nat. Comput. Sci. 4, 367 (2024), https://doi.org/10.1038/s43588-024-00627-2
    """

    name = "misato"
    title = "MISATO: 16,972 protein-ligand complexes"
    home = "https://zenodo.org/records/7711953"
    content = "positions every 80 ps for 8 ns, interaction energies, ligand RMSD; no box, no names of side chains"
    licence = "see its page on Zenodo"
    citation = "Siebenmorgen et al., Nat. Comput. Sci. 4, 367 (2024)"
    doi = "10.1038/s43588-024-00627-2"
    size = "133 GB, one file for all: download it by hand and give it as file="
    example = "10GS"
    entry_help = "the PDB's four characters, in capitals"
    pattern = "[0-9][A-Z0-9]{3}"

    def open(self, entry: str, options: object, store: Store) -> Opened:
        """Return one complex."""
        path = store.get(Remote("https://zenodo.org/records/7711953/files/MD.hdf5", "MD.hdf5"))
        probe_trajectories([path])
        return Opened([MisatoFile(path, entry)])

    def folder(self, entry: str) -> Path:
        """Return the one folder of all entries."""
        return super().folder(entry).parent


@dataclass(frozen=True)
class SpiceOptions(Spec):
    """Which version."""

    version: str = setting("2.0.1", "release of the data set", options=("2.0.1", "1.1.4"))


#: Version -> record of Zenodo, md5 and bytes (0 where not known exactly).
_SPICE = {
    "2.0.1": ("10975225", "bfba2224b6540e1390a579569b475510", 37_479_271_148),
    "1.1.4": ("8222043", "f27d4c81da0e37d6547276bf6b4ae6a1", 0),
}


class Spice(Database):
    """SPICE: conformations of drug-like molecules and peptides, with energies and forces of density functional theory.

    All in one file. Written to the published layout; tested on files made in it.

    References
    ----------
    Eastman et al., Sci. Data 10, 11 (2023), https://doi.org/10.1038/s41597-022-01882-6
    """

    name = "spice"
    title = "SPICE: quantum energies and forces of molecules"
    home = "https://github.com/openmm/spice-dataset"
    content = "conformations in no order of time, quantum energies and forces (wB97M-D3BJ/def2-TZVPPD)"
    licence = "CC0-1.0"
    citation = "Eastman et al., Sci. Data 10, 11 (2023)"
    doi = "10.1038/s41597-022-01882-6"
    size = "37.5 GB (2.0.1), one file for all: raise max_gb, or give it as file="
    example = "103147721"
    entry_help = "the name of a group in the file"
    pattern = r"[A-Za-z0-9][A-Za-z0-9_+.-]{0,80}"
    Options = SpiceOptions

    def open(self, entry: str, options: SpiceOptions, store: Store) -> Opened:
        """Return the conformations of one molecule."""
        record, digest, size = _SPICE[options.version]
        name = f"SPICE-{options.version}.hdf5"
        path = store.get(Remote(f"https://zenodo.org/records/{record}/files/{name}", name, f"md5:{digest}", size))
        probe_trajectories([path])
        return Opened([SpiceFile(path, entry)])

    def folder(self, entry: str) -> Path:
        """Return the one folder of all entries."""
        return super().folder(entry).parent

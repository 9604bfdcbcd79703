"""NPZ files of MD17, MD22 and rMD17: one molecule, quantum energies and forces."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import numpy as np

from mdnb.formats.arrays import check_sizes
from mdnb.formats.base import ArrayFile
from mdnb.formats.molecules import molecular_topology, symbol_of
from mdnb.formats.registry import register_layout

if TYPE_CHECKING:
    import mdtraj

__all__ = ["MD17File"]

_KCAL = 4.184
#: Ours -> what it is called in MD17 and MD22, and in rMD17.
_NAMES = {
    "numbers": ("z", "nuclear_charges"),
    "positions": ("R", "coords"),
    "forces": ("F", "forces"),
    "energies": ("E", "energies"),
}


@register_layout(".npz")
class MD17File(ArrayFile):
    """Positions and quantum forces of one molecule; Angstrom and kcal/mol become nm and kJ/mol.

    The frames of MD17 were drawn from an ab initio trajectory without their times, and those of rMD17 are in no
    order: the time is unknown. Bonds are found by distances in the first frame. Written to the published layout;
    tested on files made in it.

    References
    ----------
    Chmiela et al., Sci. Adv. 3, e1603015 (2017), https://doi.org/10.1126/sciadv.1603015 (MD17);
    Chmiela et al., Sci. Adv. 9, eadf0873 (2023), https://doi.org/10.1126/sciadv.adf0873 (MD22);
    Christensen, von Lilienfeld, Mach. Learn. Sci. Technol. 1, 045018 (2020),
    https://doi.org/10.1088/2632-2153/abba6f (rMD17)
    """

    concurrent = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        check_sizes(self, [name for names in _NAMES.values() for name in names])
        with np.load(self.path, allow_pickle=False) as arrays:
            found = {ours: one for ours, names in _NAMES.items() for one in names if one in arrays.files}
            self._arrays = {ours: arrays[theirs] for ours, theirs in found.items()}
        for name in ("numbers", "positions"):
            if name not in self._arrays:
                raise self.error(f"it has no array of {name} ({' or '.join(_NAMES[name])}); is it of MD17 or rMD17?")
        shape = self._arrays["positions"].shape
        self.n_frames, self.n_atoms = self.size(shape)
        expected = {"numbers": ((self.n_atoms,),), "energies": ((self.n_frames, 1), (self.n_frames,))}
        for name, array in self._arrays.items():
            if array.shape not in expected.get(name, (shape,)) or array.dtype.kind not in "fiu":
                raise self.error(
                    f"its array of {name} has the shape {array.shape} of {array.dtype}, which does not go with the "
                    f"positions of the shape {shape}"
                )
        self.has_forces = "forces" in self._arrays

    @classmethod
    def claims(cls, path: Path) -> bool:
        """Return whether the file holds the arrays of MD17 or of rMD17."""
        with ZipFile(path) as archive:
            names = {name.removesuffix(".npy") for name in archive.namelist()}
        return "positions" not in names and ({"z", "R"} <= names or {"nuclear_charges", "coords"} <= names)

    def slice(self, name: str, frames: slice) -> np.ndarray | None:
        """Return positions in nm or forces in kJ/mol/nm of those frames, or None."""
        factor = {"positions": 0.1, "forces": 10 * _KCAL}.get(name)
        return None if factor is None or name not in self._arrays else self._arrays[name][frames] * factor

    def topology(self) -> mdtraj.Topology:
        """Return a residue for each molecule, found by the distances in the first frame."""
        symbols = [symbol_of(int(number)) for number in self._arrays["numbers"]]
        return molecular_topology(symbols, self._arrays["positions"][0] * 0.1)

    def observables(self) -> dict[str, np.ndarray]:
        """Return the ``potential_energy`` in kJ/mol."""
        if "energies" not in self._arrays:
            return {}
        return {"potential_energy": self._arrays["energies"].reshape(-1).astype(np.float64) * _KCAL}

"""Write one trajectory with positions, velocities, forces and energies as H5MD."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mdnb.errors import DataError

#: What H5MD calls the three per-atom quantities: (group, unit, decimal digits kept in the file).
#: The digits are far below the thermal noise: 1e-5 nm, 1e-3 nm/ps and 1 kJ/mol/nm.
ATOM_DATA = {
    "positions": ("position", "nm", 5),
    "velocities": ("velocity", "nm ps-1", 3),
    "forces": ("force", "kJ mol-1 nm-1", 0),
}


def write_h5md(
    path: str | os.PathLike[str],
    *,
    time: np.ndarray,
    positions: np.ndarray,
    velocities: np.ndarray | None = None,
    forces: np.ndarray | None = None,
    observables: Mapping[str, np.ndarray] | None = None,
    author: str = "mdnb",
    attributes: Mapping[str, Any] | None = None,
) -> Path:
    """Write one trajectory, rounded to the digits in `ATOM_DATA`, in the H5MD 1.1 layout.

    The file is written under a temporary name and renamed, so that an interruption leaves none.

    Parameters
    ----------
    path : path
        The `.h5md` file to make; its folder must exist.
    time : (n_frames,) array
        Time of each frame in ps.
    positions, velocities, forces : (n_frames, n_atoms, 3) array
        In nm, nm/ps and kJ/mol/nm; the last two may be left out.
    observables : mapping of name to (n_frames,) array, optional
        For example ``{"potential_energy": ...}`` in kJ/mol.
    attributes : mapping, optional
        Attributes of the particle group, such as a temperature.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    DataError
        When the arrays differ in their number of frames or of atoms, or hold NaN or infinity.

    References
    ----------
    de Buyl, Colberg, Hoefling, Comput. Phys. Commun. 185, 1546 (2014),
    https://doi.org/10.1016/j.cpc.2014.01.018
    """
    import h5py

    path = Path(path)
    arrays = {"positions": positions, "velocities": velocities, "forces": forces}
    for name, array in arrays.items():
        if array is None:
            continue
        if array.shape != positions.shape or array.ndim != 3 or len(array) != len(time):
            raise DataError(
                f"{name} have the shape {array.shape}, expected (n_frames, n_atoms, 3) = "
                f"({len(time)}, {positions.shape[1]}, 3)"
            )
        if not np.isfinite(array).all():
            raise DataError(f"{name} hold NaN or infinite values; write only finished frames")
    temporary = path.with_name(path.name + ".partial")
    with h5py.File(temporary, "w") as file:
        head = file.create_group("h5md")
        head.attrs["version"] = np.array([1, 1])
        head.create_group("author").attrs["name"] = author
        creator = head.create_group("creator")
        creator.attrs["name"], creator.attrs["version"] = "mdnb", "1"
        group = file.create_group("particles/trajectory")
        group.attrs.update(attributes or {})
        box = group.create_group("box")
        box.attrs["dimension"] = 3
        box.attrs["boundary"] = np.array([b"none"] * 3)
        step = np.arange(len(time), dtype=np.int32)
        for name, array in arrays.items():
            if array is None:
                continue
            h5md_name, unit, digits = ATOM_DATA[name]
            element = group.create_group(h5md_name)
            chunk = (min(len(time), max(1, 30_000 // (3 * array.shape[1]))), array.shape[1], 3)
            value = element.create_dataset(
                "value",
                data=array.astype(np.float32),
                chunks=chunk,
                scaleoffset=digits,
                compression="gzip",
                compression_opts=4,
            )
            value.attrs["unit"] = unit
            element["step"] = step
            element["time"] = np.asarray(time, dtype=np.float64)
            element["time"].attrs["unit"] = "ps"
        for name, values in (observables or {}).items():
            element = file.create_group(f"observables/{name}")
            element.create_dataset("value", data=np.asarray(values, np.float32)).attrs["unit"] = "kJ mol-1"
            element["step"] = step
            element["time"] = np.asarray(time, dtype=np.float64)
    os.replace(temporary, path)
    return path

"""Units that a text format leaves open: LAMMPS's unit styles, or the user's own, as factors to mdnb's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mdnb.errors import DataError, unknown_name

__all__ = ["STYLES", "Factors", "factors"]

_AVOGADRO = 6.02214076e23
_NEWTON = _AVOGADRO * 1e-12  # N -> kJ/mol/nm
_KCAL = 4.184
_EV = 1.602176634e-19 * _AVOGADRO * 1e-3  # eV -> kJ/mol
_BOHR = 5.29177210903e-2  # nm
_HARTREE = 27.211386245988 * _EV  # kJ/mol


@dataclass(frozen=True)
class Factors:
    """What a number in a file is multiplied with to be in nm, ps, nm/ps and kJ/mol/nm."""

    positions: float
    time: float
    velocities: float
    forces: float


#: LAMMPS's unit style -> factors (https://docs.lammps.org/units.html; constants of CODATA 2018).
STYLES = {
    "real": Factors(0.1, 1e-3, 100.0, 10 * _KCAL),
    "metal": Factors(0.1, 1.0, 0.1, 10 * _EV),
    "si": Factors(1e9, 1e12, 1e-3, _NEWTON),
    "cgs": Factors(1e7, 1e12, 1e-5, 1e-5 * _NEWTON),
    # Its page says Bohr per atomic unit of time, but what LAMMPS integrates and writes is Bohr/fs (its kinetic energy
    # has a factor for that); a run started at 300 K has 300 K so, and 281 K otherwise.
    "electron": Factors(_BOHR, 1e-3, 1e3 * _BOHR, _HARTREE / _BOHR),
    "micro": Factors(1e3, 1e6, 1e-3, 1e-9 * _NEWTON),
    "nano": Factors(1.0, 1e3, 1e-3, 1e-12 * _NEWTON),
}

_KEYS = ("length", "time", "energy")


def factors(units: str | Mapping[str, Any]) -> Factors:
    """Return the factors of a unit style, or of units given one by one.

    Parameters
    ----------
    units : str or mapping
        The name of one of LAMMPS's unit styles, or ``{"length": nm, "time": ps, "energy": kJ/mol}``: what one of the
        file's units is in mdnb's. Then velocities are in length/time and forces in energy/length.

    Raises
    ------
    SpecError
        For an unknown style.
    DataError
        For a mapping that is not as above, and for ``"lj"``, whose units are whatever one chooses.
    """
    if isinstance(units, str):
        if units == "lj":
            raise DataError(
                "units = 'lj' are reduced units, which only you can turn into nm: give what sigma, the unit of time "
                "and epsilon are, for argon units={'length': 0.3405, 'time': 2.156, 'energy': 0.9961} (nm, ps, kJ/mol)"
            )
        if units not in STYLES:
            raise unknown_name("units", units, STYLES)
        return STYLES[units]
    numbers = isinstance(units, Mapping) and sorted(units) == sorted(_KEYS)
    if not numbers or not all(_positive(units[key]) for key in _KEYS):
        raise DataError(
            f"units = {units!r}: expected one of {', '.join(map(repr, STYLES))}, or "
            "{'length': nm, 'time': ps, 'energy': kJ/mol} with what the file's units are in those"
        )
    length, time, energy = (float(units[key]) for key in _KEYS)
    return Factors(length, time, length / time, energy / length)


def _positive(value: object) -> bool:
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    return number and bool(0 < float(value) < np.inf)  # type: ignore[arg-type]  # a number, as was just seen

"""The PLUMED input that goes with an exported model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import mdnb
from mdnb.errors import DataError
from mdnb.exports.geometry import Term
from mdnb.runs import Run

__all__ = ["atom_numbers", "is_plumed_input", "plumed_input"]

_NAME = "cv"


def atom_numbers(run: Run, atoms: Sequence[int] | None) -> list[int]:
    """Return the number, from 1 on, that each atom of a run has in the simulation.

    Raises
    ------
    DataError
        When they are not as many as the run's atoms, not whole numbers above 0, or not different.
    """
    n_atoms = len(run.reference)
    if atoms is None:
        return list(range(1, n_atoms + 1))
    numbers = [int(atom) for atom in atoms]
    if len(numbers) != n_atoms or min(numbers) < 1 or len(set(numbers)) != n_atoms or numbers != list(atoms):
        raise DataError(
            f"atoms must hold the number in the simulation, from 1 on, of each of the {n_atoms} atoms that the run was "
            f"trained on, got {len(numbers)} numbers from {min(numbers, default=0)} to {max(numbers, default=0)}"
        )
    return numbers


def is_plumed_input(path: Path) -> bool:
    """Return whether a file starts as what `plumed_input` returns."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return re.match(rb"# A \w+ of mdnb \S+, for PLUMED ", file.read(200)) is not None


def plumed_input(
    run: Run, model: str, found: Sequence[Term], outputs: Sequence[str], numbers: Sequence[int], positions: bool
) -> str:
    """Return the text of a PLUMED input file.

    Parameters
    ----------
    run : Run
    model : str
        Name of the model's file.
    found : sequence of Term
        How each column is computed.
    outputs : sequence of str
        What each output is.
    numbers : sequence of int
        Number of each atom in the simulation, from 1 on.
    positions : bool
        Whether the model takes positions; else it takes the features, which PLUMED computes.
    """
    nodes = [f"{_NAME}.node-{number}" for number in range(len(outputs))]
    lines = [
        f"# A {run.family} of mdnb {mdnb.__version__}, for PLUMED 2.9 or later with its pytorch module.",
        "# Units are PLUMED's own: nm, radian, ps. ATOMS are numbers in the simulation, from 1 on; they have to be the",
        f"# {len(numbers)} atoms that the model was trained on, in their order (mdnb.export(..., atoms=) says which).",
        *(f"#   {node}: {_one_line(what)}" for node, what in zip(nodes, outputs, strict=True)),
    ]
    body, arguments = _from_positions(found, numbers) if positions else _from_features(found, numbers)
    lines += [
        *body,
        f"{_NAME}: PYTORCH_MODEL ...",
        f"  FILE={_file(model)}",
        f"  ARG={','.join(arguments)}",
        "...",
        f"PRINT ARG={','.join(nodes)} STRIDE=500 FILE=COLVAR",
    ]
    return "\n".join(lines) + "\n"


def _from_positions(found: Sequence[Term], numbers: Sequence[int]) -> tuple[list[str], list[str]]:
    atoms = [numbers[atom] for atom in sorted({atom for term in found for atom in term.atoms})]
    lines = [
        "# Molecules have to be whole: each of these atoms is moved next to the one before it.",
        f"WHOLEMOLECULES ENTITY0={_ranges(numbers)}",
        *(f"a{atom}: POSITION ATOM={atom} NOPBC" for atom in atoms),
    ]
    return lines, [f"a{atom}.{axis}" for atom in atoms for axis in "xyz"]


def _from_features(found: Sequence[Term], numbers: Sequence[int]) -> tuple[list[str], list[str]]:
    lines: list[str] = []
    labels: dict[tuple[str, tuple[int, ...]], str] = {}

    def once(kind: str, atoms: tuple[int, ...], name: str, action: str) -> str:
        """Return the label of an action, which is written the first time."""
        key = (kind, tuple(sorted(atoms)) if kind == "distance" else atoms)
        if key not in labels:
            label = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
            label = label if label not in (_NAME, *labels.values()) else f"{label}_{len(labels)}"
            labels[key] = label
            lines.append(f"{label}: {action}")
        return labels[key]

    if any(term.kind == "radius" for term in found):
        lines.append(
            "# With repartitioned hydrogen masses the radius of gyration differs: export with inputs='positions'."
        )
    arguments = []
    for term in found:
        listed = ",".join(str(numbers[atom]) for atom in term.atoms)
        if term.kind == "zero":
            label = once("zero", (), "zero", "CONSTANT VALUES=0")
        elif term.kind == "radius":
            label = once("radius", term.atoms, term.name, f"GYRATION TYPE=RADIUS MASS_WEIGHTED ATOMS={listed}")
        elif term.kind == "distance":
            label = once("distance", term.atoms, term.name, f"DISTANCE ATOMS={listed}")
        else:
            label = once("torsion", term.atoms, term.name, f"TORSION ATOMS={listed}")
            if term.kind != "torsion":
                action = f"CUSTOM ARG={label} FUNC={term.kind}(x) PERIODIC=NO"
                label = once(term.kind, term.atoms, f"{term.kind} {term.name}", action)
        arguments.append(label)
    return lines, arguments


def _ranges(numbers: Sequence[int]) -> str:
    """Return numbers as PLUMED lists them: 1-22,30."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def _file(name: str) -> str:
    """Return a file name as PLUMED reads it."""
    if re.search(r"[{}#\x00-\x1f]", name) or name.endswith("..."):
        raise DataError(f"PLUMED cannot read a file called {name!r}; use letters, numbers, dots and dashes")
    return f"{{{name}}}" if " " in name else name


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)

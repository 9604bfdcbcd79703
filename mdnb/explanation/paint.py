"""Attributions painted on the molecule: B-factors, colours, a map of contacts, a table."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mdnb.errors import DataError, unknown_name
from mdnb.explanation.summary import Summary
from mdnb.files import write_whole

if TYPE_CHECKING:
    import mdtraj

    from mdnb.explanation.result import Explanation

__all__ = ["colours", "contact_map", "nglview_scheme", "painted", "save_csv", "save_structure"]


def painted(explanation: Explanation, by: str, sample: int | None) -> np.ndarray:
    """Return one number for each atom: its own, or that of its residue."""
    if by not in ("residue", "atom"):
        raise unknown_name("way to paint", by, ("residue", "atom"))
    _, values = explanation.grouped(by)
    shown = np.abs(values).mean(0) if sample is None else values[sample]
    if by == "atom":
        return np.asarray(shown)
    return np.array([shown[atom.residue.index] for atom in explanation.topology.atoms])


def colours(explanation: Explanation, by: str, sample: int | None) -> list[str]:
    """Return one ``#rrggbb`` for each atom."""
    from mdnb.pictures.colours import Scale

    values = painted(explanation, by, sample)
    return Scale.of(values).colours(values)


def nglview_scheme(colours: Sequence[str]) -> list[list[str]]:
    """Return the atoms of each colour as NGL selects them."""
    atoms: dict[str, list[str]] = {}
    for number, colour in enumerate(colours):
        atoms.setdefault(colour, []).append(str(number))
    return [[colour, "@" + ",".join(own)] for colour, own in atoms.items()]


def contact_map(explanation: Explanation, sample: int | None) -> np.ndarray:
    """Return the attribution of each pair of residues, (n_residues, n_residues)."""
    residue_of = [atom.residue.index for atom in explanation.topology.atoms]
    pairs = [tuple(sorted({residue_of[atom] for atom in column.atom_indices})) for column in explanation.columns]
    chosen = [number for number, pair in enumerate(pairs) if len(pair) == 2]
    if not chosen:
        raise DataError(
            "no column is of two residues, so that there is no map of contacts; explain a model of contacts or "
            "distances, such as mdnb.featurize(trajectories, 'ca-distances')"
        )
    by_column = explanation._by_column
    shown = by_column.mean(0) if sample is None else by_column[sample]
    result = np.full((explanation.topology.n_residues,) * 2, np.nan)
    for number in chosen:
        one, other = pairs[number]
        total = np.nan_to_num(result[one, other]) + shown[number]
        result[one, other] = result[other, one] = total
    return result


def save_csv(summary: Summary, output: str, path: Path) -> Path:
    """Write a summary as a table."""

    def write(temporary: Path) -> None:
        with temporary.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow([summary.kind, "mean_absolute_attribution", "low", "high", "mean_attribution", "output"])
            rows = zip(summary.names, summary.importance, summary.low, summary.high, summary.mean, strict=True)
            table.writerows([name, *(f"{value:.6g}" for value in rest), output] for name, *rest in rows)

    return _written(path, write)


def save_structure(
    explanation: Explanation, path: Path, structure: mdtraj.Trajectory | None, by: str, sample: int | None
) -> Path:
    """Write a PDB or mmCIF file with B-factors."""
    values = painted(explanation, by, sample)
    topology = explanation.topology
    if structure is not None and structure.n_atoms != topology.n_atoms:
        raise DataError(f"the structure has {structure.n_atoms} atoms, the explanation is of {topology.n_atoms}")
    positions = explanation.reference if structure is None else structure.xyz[0]
    if positions is None:
        raise DataError("this explanation has no structure of its own; give structure= as an mdtraj.Trajectory")
    output = " ".join(explanation.output.split())  # the name of a target may hold line ends
    what = f"B-factor: {'mean absolute ' if sample is None else ''}attribution by {by} to {output}"
    suffix = path.suffix.lower()
    if suffix == ".pdb":
        lines = _pdb(topology, positions, values, what)
    elif suffix in (".cif", ".mmcif"):
        lines = _mmcif(topology, positions, values, what)
    else:
        raise DataError(f"{path.name}: a structure is written as .pdb, .cif or .mmcif, got {path.suffix!r}")

    def write(temporary: Path) -> None:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")

    return _written(path, write)


def _pdb(topology: mdtraj.Topology, positions: np.ndarray, values: np.ndarray, what: str) -> list[str]:
    """Return the lines of a PDB file; its B-factors have six columns, so that the largest becomes 99.99."""
    largest = float(np.abs(values).max())
    scale = 99.99 / largest if largest else 1.0
    words = _ascii(f"{what}, times {scale:.6g}")
    lines = [f"REMARK  99 {words[start : start + 68]}" for start in range(0, len(words), 68)]
    for atom, (x, y, z), value in zip(topology.atoms, positions * 10, values * scale, strict=True):
        symbol = atom.element.symbol if atom.element is not None else ""
        name = _word(atom.name)
        name = name[:4] if len(name) >= 4 or len(symbol) == 2 else f" {name}"
        record = "ATOM  " if atom.residue.is_protein or atom.residue.is_nucleic else "HETATM"
        chain = chr(ord("A") + atom.residue.chain.index % 26)
        lines.append(
            f"{record}{(atom.index + 1) % 100000:5d} {name:<4} {_word(atom.residue.name)[:3]:>3} {chain}"
            f"{atom.residue.resSeq % 10000:4d}    {x:8.3f}{y:8.3f}{z:8.3f}{1.0:6.2f}{value:6.2f}          {symbol:>2}"
        )
    return [*lines, "END"]


def _mmcif(topology: mdtraj.Topology, positions: np.ndarray, values: np.ndarray, what: str) -> list[str]:
    """Return the lines of an mmCIF file; its B-factors are the attributions themselves."""
    names = (
        *("group_PDB", "id", "type_symbol", "label_atom_id", "label_alt_id", "label_comp_id", "label_asym_id"),
        *("label_entity_id", "label_seq_id", "Cartn_x", "Cartn_y", "Cartn_z", "occupancy", "B_iso_or_equiv"),
        *("auth_seq_id", "auth_asym_id", "pdbx_PDB_model_num"),
    )
    lines = ["data_mdnb", f"# {_ascii(what)}", "loop_", *(f"_atom_site.{name}" for name in names)]
    for atom, (x, y, z), value in zip(topology.atoms, positions * 10, values, strict=True):
        residue = atom.residue
        chain = chr(ord("A") + residue.chain.index % 26)
        record = "ATOM" if residue.is_protein or residue.is_nucleic else "HETATM"
        symbol = atom.element.symbol if atom.element is not None else "?"
        lines.append(
            f"{record} {atom.index + 1} {symbol} {_quoted(atom.name)} . {_quoted(residue.name)} {chain} 1 "
            f"{residue.resSeq} "
            f"{x:.3f} {y:.3f} {z:.3f} 1.00 {value:.6g} {residue.resSeq} {chain} 1"
        )
    return [*lines, "#"]


def _ascii(text: str) -> str:
    """Return text in ASCII that can be printed, with ``?`` for anything else."""
    return re.sub(r"[^\x20-\x7e]", "?", text)


def _word(name: str) -> str:
    """Return a name as one word of ASCII, with ``_`` for anything else."""
    return re.sub(r"[^\x21-\x7e]", "_", name)


def _quoted(name: str) -> str:
    """Return a name as a value of mmCIF, whose quotation marks end at the next one."""
    return '"' + (_word(name).replace('"', "''") or "?") + '"'


def _written(path: Path, write: Callable[[Path], None]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, write)
    return path

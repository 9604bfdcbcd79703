"""The same work by mdnb and by the libraries that do the same: decoding, and features in one pass."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Table", "decoders", "featurizers", "has_mdanalysis", "our_features"]

#: Frames that mdtraj reads at a time; of 100 to 1000 there is little difference.
_CHUNK = 500
#: Of contacts between CA atoms, in nm.
_CUTOFF = 0.8
#: What all make: sines and cosines and the RMSD as float32, contacts as bits, eight to a byte.
Table = tuple[np.ndarray, np.ndarray, np.ndarray]


def has_mdanalysis() -> bool:
    """Return whether MDAnalysis is installed."""
    return find_spec("MDAnalysis") is not None


def decoders(file: Path, pdb: Path, mdanalysis: bool = True) -> dict[str, Callable[[], Any]]:
    """Return functions that decode all frames of a file, one after another, and keep none."""
    import mdtraj

    import mdnb

    topology = mdtraj.load_topology(str(pdb))

    def ours() -> None:
        for _ in mdnb.load(file, top=topology).chunks():
            pass

    def mdtrajs() -> None:
        for _ in mdtraj.iterload(str(file), top=topology, chunk=_CHUNK):
            pass

    found: dict[str, Callable[[], Any]] = {"mdnb": ours, "mdtraj iterload": mdtrajs}
    if mdanalysis and has_mdanalysis():
        universe = _universe(file, pdb)

        def theirs() -> None:
            for frame in universe.trajectory:
                frame.positions  # noqa: B018  # as a user would ask for them

        found["MDAnalysis"] = theirs
    return found


def our_features() -> list[Any]:
    """Return backbone torsions as sine and cosine, all contacts between CA atoms, and their RMSD."""
    from mdnb.features import RMSD, CAContacts, Torsions

    return [Torsions(kinds=("phi", "psi")), CAContacts(_CUTOFF, min_residues=1), RMSD(selection="name CA")]


def ours(xtc: Path, top: Any, **settings: Any) -> Table:
    """Return what `mdnb.featurize` makes of a file."""
    import mdnb
    from mdnb.features.parts import Bits

    torsions, contacts, rmsd = mdnb.featurize(mdnb.load(xtc, top=top), our_features(), **settings).parts
    assert isinstance(contacts, Bits)
    return np.asarray(torsions), contacts.packed, np.asarray(rmsd)


def featurizers(xtc: Path, pdb: Path, threads: int = 2) -> dict[str, Callable[[], Table]]:
    """Return functions that go from the file to the numbers of `our_features`, in the same order.

    Those of nearest images where the file has a box, as all three do by default.
    """
    import mdtraj

    import mdnb

    topology = mdtraj.load_topology(str(pdb))
    opened = mdnb.load(xtc, top=topology)
    reference = opened.frames(0)
    periodic = reference.unitcell_vectors is not None
    torsions, contacts, _ = makers = our_features()
    for maker in makers:
        maker.prepare(topology, reference.xyz[0])
    quads = np.array([column.atom_indices for column in torsions.columns[::2]])
    pairs = np.array([column.atom_indices for column in contacts.columns])
    atoms = topology.select("name CA")
    n_frames, n_angles, n_bytes = opened.n_frames, len(quads), -(-len(pairs) // 8)

    def empty() -> Table:
        return (
            np.empty((n_frames, 2 * n_angles), np.float32),
            np.empty((n_frames, n_bytes), np.uint8),
            np.empty((n_frames, 1), np.float32),
        )

    def mdtrajs() -> Table:
        table, start = empty(), 0
        for chunk in mdtraj.iterload(str(xtc), top=topology, chunk=_CHUNK):
            sines, bits, rmsds = (part[start : start + len(chunk)] for part in table)
            angles = mdtraj.compute_dihedrals(chunk, quads, periodic=periodic)
            sines[:, 0::2], sines[:, 1::2] = np.sin(angles), np.cos(angles)
            bits[:] = np.packbits(mdtraj.compute_distances(chunk, pairs, periodic=periodic) < _CUTOFF, axis=1)
            rmsds[:, 0] = mdtraj.rmsd(chunk, reference, atom_indices=atoms)
            start += len(chunk)
        return table

    found: dict[str, Callable[[], Table]] = {
        "mdnb, 1 thread": lambda: ours(xtc, topology),
        f"mdnb, {threads} threads": lambda: ours(xtc, topology, n_jobs=threads),
        "mdtraj iterload": mdtrajs,
    }
    if has_mdanalysis():
        from MDAnalysis.analysis.rms import rmsd
        from MDAnalysis.lib.distances import calc_dihedrals, self_distance_array

        universe = _universe(xtc, pdb)
        first, row = reference.xyz[0, atoms].astype(np.float64), np.empty(len(pairs))

        def mdanalysis() -> Table:
            sines, bits, rmsds = table = empty()
            for number, frame in enumerate(universe.trajectory):
                positions, box = frame.positions, frame.dimensions if periodic else None
                angles = calc_dihedrals(*(positions[quads[:, k]] for k in range(4)), box=box)
                sines[number, 0::2], sines[number, 1::2] = np.sin(angles), np.cos(angles)
                chosen = positions[atoms]
                self_distance_array(chosen, box=box, result=row)
                bits[number] = np.packbits(row < 10 * _CUTOFF)
                rmsds[number] = rmsd(chosen / 10, first, center=True, superposition=True)
            return table

        found["MDAnalysis"] = mdanalysis
    return found


def _universe(file: Path, pdb: Path) -> Any:
    import MDAnalysis

    return MDAnalysis.Universe(str(pdb), str(file))

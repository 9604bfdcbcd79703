"""The same work by mdnb and by the libraries that do the same: decoding, and features in one table."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["decoders", "featurizers", "has_mdanalysis"]

#: Frames that mdtraj reads at a time; of 100 to 1000 there is little difference.
_CHUNK = 500


def has_mdanalysis() -> bool:
    """Return whether MDAnalysis is installed."""
    return find_spec("MDAnalysis") is not None


def decoders(xtc: Path, pdb: Path) -> dict[str, Callable[[], Any]]:
    """Return functions that decode all frames of a file, one after another, and keep none."""
    import mdtraj

    import mdnb

    topology = mdtraj.load_topology(str(pdb))

    def ours() -> None:
        for _ in mdnb.load(xtc, top=topology).chunks():
            pass

    def mdtrajs() -> None:
        for _ in mdtraj.iterload(str(xtc), top=topology, chunk=_CHUNK):
            pass

    found: dict[str, Callable[[], Any]] = {"mdnb": ours, "mdtraj iterload": mdtrajs}
    if has_mdanalysis():
        universe = _universe(xtc, pdb)

        def mdanalysis() -> None:
            for frame in universe.trajectory:
                frame.positions  # noqa: B018  # as a user would ask for them

        found["MDAnalysis"] = mdanalysis
    return found


def our_features() -> list[Any]:
    """Return backbone torsions as sine and cosine, all distances between CA atoms, and their RMSD."""
    from mdnb.features import RMSD, CADistances, Torsions

    return [Torsions(kinds=("phi", "psi")), CADistances(min_residues=1), RMSD(selection="name CA")]


def featurizers(xtc: Path, pdb: Path, threads: int = 2) -> dict[str, Callable[[], np.ndarray]]:
    """Return functions that go from the file to one float32 table of `our_features`, in the same order."""
    import mdtraj

    import mdnb

    topology = mdtraj.load_topology(str(pdb))
    opened = mdnb.load(xtc, top=topology)
    reference = opened.frames(0)
    torsions, distances, _ = makers = our_features()
    for maker in makers:
        maker.prepare(topology, reference.xyz[0])
    quads = np.array([column.atom_indices for column in torsions.columns[::2]])
    pairs = np.array([column.atom_indices for column in distances.columns])
    atoms = topology.select("name CA")
    shape = (opened.n_frames, 2 * len(quads) + len(pairs) + 1)
    last = 2 * len(quads)

    def ours(n_jobs: int) -> np.ndarray:
        return mdnb.featurize(mdnb.load(xtc, top=topology), our_features(), n_jobs=n_jobs).values

    def mdtrajs() -> np.ndarray:
        table, start = np.empty(shape, np.float32), 0
        for chunk in mdtraj.iterload(str(xtc), top=topology, chunk=_CHUNK):
            rows = table[start : start + len(chunk)]
            angles = mdtraj.compute_dihedrals(chunk, quads, periodic=False)
            rows[:, 0:last:2], rows[:, 1:last:2] = np.sin(angles), np.cos(angles)
            rows[:, last:-1] = mdtraj.compute_distances(chunk, pairs, periodic=False)
            rows[:, -1] = mdtraj.rmsd(chunk, reference, atom_indices=atoms)
            start += len(chunk)
        return table

    found: dict[str, Callable[[], np.ndarray]] = {
        "mdnb, 1 thread": lambda: ours(1),
        f"mdnb, {threads} threads": lambda: ours(threads),
        "mdtraj iterload": mdtrajs,
    }
    if has_mdanalysis():
        from MDAnalysis.analysis.rms import rmsd
        from MDAnalysis.lib.distances import calc_dihedrals, self_distance_array

        universe = _universe(xtc, pdb)
        first, row = reference.xyz[0, atoms].astype(np.float64), np.empty(len(pairs))

        def mdanalysis() -> np.ndarray:
            table = np.empty(shape, np.float32)
            for number, frame in enumerate(universe.trajectory):
                positions = frame.positions
                angles = calc_dihedrals(*(positions[quads[:, k]] for k in range(4)))
                table[number, 0:last:2], table[number, 1:last:2] = np.sin(angles), np.cos(angles)
                chosen = positions[atoms]
                self_distance_array(chosen, result=row)
                table[number, last:-1] = row / 10
                table[number, -1] = rmsd(chosen / 10, first, center=True, superposition=True)
            return table

        found["MDAnalysis"] = mdanalysis
    return found


def _universe(xtc: Path, pdb: Path) -> Any:
    import MDAnalysis

    return MDAnalysis.Universe(str(pdb), str(xtc))

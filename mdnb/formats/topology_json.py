"""A topology as JSON, in the layout of mdtraj's HDF5 files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import mdtraj

__all__ = ["topology_from_json", "topology_to_json"]


def topology_to_json(topology: mdtraj.Topology) -> dict[str, Any]:
    """Return chains, residues, atoms and bonds as plain lists and dictionaries."""
    chains = []
    for chain in topology.chains:
        residues = [
            {
                "index": residue.index,
                "name": residue.name,
                "resSeq": residue.resSeq,
                "segmentID": residue.segment_id,
                "atoms": [
                    {"index": atom.index, "name": atom.name, "element": atom.element.symbol if atom.element else ""}
                    for atom in residue.atoms
                ],
            }
            for residue in chain.residues
        ]
        chains.append({"index": chain.index, "residues": residues})
    return {"chains": chains, "bonds": [[a.index, b.index] for a, b in topology.bonds]}


def topology_from_json(content: Mapping[str, Any]) -> mdtraj.Topology:
    """Return the topology that `topology_to_json`, or mdtraj, described."""
    import mdtraj

    topology = mdtraj.Topology()
    atoms = {}
    for chain_row in content["chains"]:
        chain = topology.add_chain()
        for residue_row in chain_row["residues"]:
            residue = topology.add_residue(
                residue_row["name"],
                chain,
                resSeq=residue_row.get("resSeq"),
                segment_id=residue_row.get("segmentID", ""),
            )
            for row in residue_row["atoms"]:
                element = mdtraj.element.get_by_symbol(row["element"]) if row["element"] else None
                atoms[row["index"]] = topology.add_atom(row["name"], element, residue)
    for first, second, *_ in content["bonds"]:
        topology.add_bond(atoms[first], atoms[second])
    return topology

"""XTC is decoded by mdnb itself: bit for bit as GROMACS' own library does it."""

import struct

import mdtraj
import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from MDAnalysis.lib.formats.libmdaxdr import XTCFile
from writers import everything

import mdnb


@settings(max_examples=60, deadline=None)
@given(
    n_atoms=st.integers(1, 80),
    spread=st.sampled_from([0.0, 0.003, 0.3, 3.0, 50.0]),
    offset=st.sampled_from([0.0, -7.0, 900.0]),
    precision=st.sampled_from([10.0, 1000.0, 12345.0]),
    walk=st.booleans(),
    outlier=st.sampled_from([0.0, 20_000.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_xtc_is_decoded_as_others_do_bit_for_bit(
    tmp_path_factory, n_atoms, spread, offset, precision, walk, outlier, seed
):
    """Chains of near atoms (small differences) and scattered ones, near and far; an outlier makes wide fields."""
    steps = np.random.default_rng(seed).normal(scale=spread, size=(3, n_atoms, 3))
    positions = ((steps.cumsum(1) if walk else steps) + offset).astype(np.float32)
    positions[:, 0] += outlier
    assume(np.abs(positions).max() * precision < 2**30)
    path = tmp_path_factory.mktemp("xtc") / "a.xtc"
    with XTCFile(str(path), "w") as file:
        for number, frame in enumerate(positions):
            file.write(frame, np.eye(3, dtype=np.float32), number, number, precision)
    with XTCFile(str(path)) as file:
        theirs = np.array([frame.x for frame in file])
    ours = everything(mdnb.load(path, top=blank(n_atoms)), 2)["positions"]
    assert np.array_equal(ours, theirs)
    assert np.abs(ours - positions).max() <= 0.5 / precision + 1e-6 * np.abs(positions).max()


def blank(n_atoms):
    """Return a topology of so many carbon atoms."""
    topology = mdtraj.Topology()
    residue = topology.add_residue("UNL", topology.add_chain())
    for number in range(n_atoms):
        topology.add_atom(f"C{number}", mdtraj.element.carbon, residue)
    return topology


def test_xtc_of_a_molecule_in_water(extra_data, tmp_path):
    folder = extra_data / "trpzip2_cpptraj_velfrc"
    source = mdtraj.load(str(folder / "systemVF.nc"), top=str(folder / "systemVF.parm7"))
    source.save_xtc(str(tmp_path / "a.xtc"))
    theirs = mdtraj.load(str(tmp_path / "a.xtc"), top=source.topology)
    ours = everything(mdnb.load(tmp_path / "a.xtc", top=source.topology), 3)
    assert np.array_equal(ours["positions"], theirs.xyz)
    assert np.allclose(ours["box"], theirs.unitcell_vectors, atol=1e-6)
    part = everything(mdnb.load(tmp_path / "a.xtc", top=source.topology, selection="index < 100"), 3)
    assert np.array_equal(part["positions"], theirs.xyz[:, :100])


def test_the_layout_for_very_many_atoms(sample, pdb, folder, tmp_path):
    """GROMACS 2023 writes the size of a frame in eight bytes, under another mark; here made from the older layout."""
    content, new = (folder / "a.xtc").read_bytes(), b""
    while content:
        (n_bytes,) = struct.unpack_from(">i", content, 88)
        end = 92 + (n_bytes + 3) // 4 * 4
        new += struct.pack(">i", 2023) + content[4:88] + struct.pack(">q", n_bytes) + content[92:end]
        content = content[end:]
    (tmp_path / "b.xtc").write_bytes(new)
    old, found = (everything(mdnb.load(path, top=pdb), 4) for path in (folder / "a.xtc", tmp_path / "b.xtc"))
    assert all(np.array_equal(found[name], old[name]) for name in old)
    assert len(found["time"]) == len(sample)

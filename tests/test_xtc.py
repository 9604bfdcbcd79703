"""XTC is decoded by mdnb itself: bit for bit as GROMACS' own library does it."""

import struct

import mdtraj
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from MDAnalysis.lib.formats.libmdaxdr import XTCFile
from writers import everything

import mdnb
from mdnb.formats.xtc_decoder import WRONG, decode_frames
from mdnb.formats.xtc_fields import decode_any


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


def decoded_twice(data, n_atoms, n_wanted):
    """Return what the fast decoder and the one for any widths make of one frame, and what they find wrong."""
    padded = np.frombuffer(bytes(data) + bytes(16), np.uint8)
    fast, slow = np.empty((2, 1, n_wanted, 3), np.float32)
    begins = np.array([0, len(data)])
    _, wrong = decode_frames(padded, begins, n_atoms, n_wanted, fast, np.empty((1, 9), np.float32), None, None)
    (precision, *integers, n_bytes) = struct.unpack_from(">f8i", data, 56)
    if not 0 < n_bytes <= len(data) - 92 or wrong == 5:
        return fast, slow, wrong, 3
    inverse = np.float32(1 / precision)
    numbers = np.array(integers)
    other = decode_any(padded, 92, n_bytes, numbers, numbers[6], inverse, n_atoms, n_wanted, slow[0])
    return fast, slow, wrong, other


@pytest.mark.parametrize("n_wanted", [1, 2, 3, 10, 50, 165, 166])
def test_narrow_fields_are_decoded_as_any(chignolin, tmp_path, n_wanted):
    """However many atoms are wanted: a group of atoms may go on beyond the last of them."""
    chignolin.frames(range(20)).save_xtc(str(tmp_path / "a.xtc"))
    content = (tmp_path / "a.xtc").read_bytes()
    while content:
        (n_bytes,) = struct.unpack_from(">i", content, 88)
        end = 92 + (n_bytes + 3) // 4 * 4
        fast, slow, *wrong = decoded_twice(content[:end], 166, n_wanted)
        assert wrong == [0, 0]
        assert fast.tobytes() == slow.tobytes()
        content = content[end:]


@settings(max_examples=400, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), header=st.booleans())
def test_damaged_frames_are_refused_or_decoded_to_finite_numbers(folder, seed, header):
    """Bit flips: within the header's numbers or the fields."""
    random = np.random.default_rng(seed)
    content = bytearray((folder / "a.xtc").read_bytes())
    (n_bytes,) = struct.unpack_from(">i", content, 88)
    frame = content[: 92 + (n_bytes + 3) // 4 * 4]
    first, last = (56, 92) if header else (92, len(frame))
    for place in random.integers(first, last, random.integers(1, 4)):
        frame[place] ^= 1 << int(random.integers(8))
    fast, slow, wrong, other = decoded_twice(frame, 22, 22)
    assert wrong in (0, *WRONG)
    if not wrong:
        assert np.isfinite(fast).all()
        step = 1 / struct.unpack_from(">f", frame, 56)[0]
        if other == 0 and np.abs(slow).max() < 2**30 * step:  # beyond, the numbers of the file do not fit its format
            assert fast.tobytes() == slow.tobytes()

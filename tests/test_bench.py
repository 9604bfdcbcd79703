"""mdnb bench: the contenders do the same work, and the tables name them."""

import re
from importlib.util import find_spec

import mdtraj
import numpy as np
import pytest

from mdnb.bench.contenders import decoders, featurizers
from mdnb.bench.features import bench_features
from mdnb.bench.systems import boxed, repeated, write_protein, write_small
from mdnb.cli import main
from mdnb.errors import DataError


def test_the_made_systems(tmp_path):
    xtc, pdb = write_protein(tmp_path, 30)
    frames = mdtraj.load(str(xtc), top=str(pdb))
    assert (frames.n_frames, frames.n_atoms, frames.n_residues, frames.n_chains) == (30, 3341, 214, 1)
    assert frames.unitcell_lengths is None
    assert (len(mdtraj.compute_phi(frames)[0]), len(mdtraj.compute_psi(frames)[0])) == (213, 213)
    centres = np.stack([frames.xyz[0, [a.index for a in r.atoms]].mean(0) for r in frames.topology.residues])
    apart = np.linalg.norm(centres[:, None] - centres[None], axis=-1)[np.triu_indices(214, 1)]
    assert apart.min() > 0.25
    assert 0.005 < np.abs(np.diff(frames.xyz, axis=0)).mean() < 1
    assert mdtraj.load(str(repeated(xtc, 3)), top=str(pdb)).n_frames == 90
    small = mdtraj.load(*map(str, write_small(tmp_path, 12)[:1]), top=str(tmp_path / "small.pdb"))
    assert (small.n_frames, small.n_atoms) == (12, 22)


@pytest.mark.parametrize("in_box", [False, True])
def test_all_contenders_make_the_same_table(tmp_path, in_box):
    files = write_protein(tmp_path, 12, n_copies=4)
    if in_box:
        files = boxed(*files, 12), files[1]
        assert np.isclose(mdtraj.load(str(files[0]), top=str(files[1])).unitcell_angles[0], [60, 60, 90]).all()
    tables = {name: run() for name, run in featurizers(*files).items()}
    assert set(tables) == {"mdnb, 1 thread", "mdnb, 2 threads", "mdtraj iterload", "MDAnalysis"}
    sines, bits, rmsds = tables["mdnb, 1 thread"]
    n_residues = 4 * 8 + 3
    assert sines.shape == (12, 2 * 2 * (n_residues - 1))
    assert bits.shape == (12, -(-n_residues * (n_residues - 1) // 2 // 8))
    assert rmsds.shape == (12, 1)
    assert 0.05 < np.unpackbits(bits, axis=1).mean() < 0.95
    for table in tables.values():
        assert np.abs(table[0] - sines).max() < 2e-4
        assert np.abs(table[2] - rmsds).max() < 2e-5
        assert np.bitwise_count(table[1] ^ bits).sum() <= 1
    assert all(np.array_equal(*both) for both in zip(tables["mdnb, 2 threads"], (sines, bits, rmsds), strict=True))
    for run in () if in_box else decoders(*files).values():
        run()


def test_the_tables(capsys):
    assert main(["bench", "features", "--frames", "24", "--small-frames", "40", "--rounds", "1"]) == 0
    text = capsys.readouterr().out
    for title in (
        "XTC decoding, 24 frames x 3,341 atoms",
        "XTC decoding, 40 frames x 22 atoms",
        "TRR decoding, 8 frames",
        "DCD decoding, 8 frames",
        "NC decoding, 8 frames",
        "File to features, 24",
        "The same in a rhombic dodecahedron, 8 frames",
        "First call in a fresh process",
    ):
        assert title in text
    assert "852 sines and cosines, 22,791 CA contacts, RMSD" in text
    rows = re.findall(r"^  (\S.*?) +[\d.]+ s +\[ *[\d.]+ s\] +[\d,]+ frames/s +[\d.]+ +\[ *[\d.]+\]$", text, re.M)
    decoding, both = ["mdnb", "mdtraj iterload", "MDAnalysis"] * 2, ["mdnb", "mdtraj iterload"] * 3
    features = ["mdnb, 1 thread", "mdnb, 2 threads", "mdtraj iterload", "MDAnalysis"]
    assert rows[:20] == [*decoding, *both, *features, *features]
    if find_spec("distributed"):
        assert "the same bits" in text
    for name in features[1:]:
        assert re.search(rf"^  {name} .* of a sine or cosine, .* nm of an RMSD, \d+ contacts$", text, re.M)
    for row in ("6 frames", "12 frames", "24 frames", "2,080 columns", "22,791 columns"):
        assert re.search(rf"^ +{row} +[\d.]+ s +[\d.]+ s$", text, re.M)
    assert re.search(r"^ +24 frames .* (MB|unknown here)$", text, re.M)
    assert re.search(r"^ +240 frames .* (MB|unknown here)$", text, re.M)
    assert re.search(r"^  nothing compiled yet +[\d.]+ s +\(imports .*, says that it compiles\)$", text, re.M)
    assert re.search(r"^  compiled before +-?[\d.]+ s +\(imports [\d.]+ s\)$", text, re.M)


def test_too_little_to_measure():
    with pytest.raises(DataError, match="got 2 and 250000 frames in 3 rounds: expected at least 8 frames and 1 round"):
        bench_features(2)

"""mdnb bench: the contenders do the same work, and the tables name them."""

import re

import mdtraj
import numpy as np
import pytest

from mdnb.bench.contenders import decoders, featurizers
from mdnb.bench.features import bench_features
from mdnb.bench.systems import write_protein, write_small
from mdnb.cli import main
from mdnb.errors import DataError


def test_the_made_systems(tmp_path):
    xtc, pdb = write_protein(tmp_path, 30)
    frames = mdtraj.load(str(xtc), top=str(pdb))
    assert (frames.n_frames, frames.n_atoms, frames.n_chains, frames.unitcell_lengths) == (30, 3320, 20, None)
    centres = np.stack([frames.xyz[0, chain * 166 : (chain + 1) * 166].mean(0) for chain in range(20)])
    apart = np.linalg.norm(centres[:, None] - centres[None], axis=-1)[np.triu_indices(20, 1)]
    assert apart.min() > 1.5
    assert 0.005 < np.abs(np.diff(frames.xyz, axis=0)).mean() < 1
    small = mdtraj.load(*map(str, write_small(tmp_path, 12)[:1]), top=str(tmp_path / "small.pdb"))
    assert (small.n_frames, small.n_atoms) == (12, 22)


def test_all_contenders_make_the_same_table(tmp_path):
    files = write_protein(tmp_path, 12, n_atoms=500)
    tables = {name: run() for name, run in featurizers(*files).items()}
    assert set(tables) == {"mdnb, 1 thread", "mdnb, 2 threads", "mdtraj iterload", "MDAnalysis"}
    ours = tables["mdnb, 1 thread"]
    assert ours.shape == (12, 2 * 54 + 30 * 29 // 2 + 1)
    for table in tables.values():
        assert np.abs(table - ours).max() < 2e-4
    assert np.array_equal(tables["mdnb, 2 threads"], ours)
    for run in decoders(*files).values():
        run()


def test_the_tables(capsys):
    assert main(["bench", "features", "--frames", "24", "--small-frames", "40", "--rounds", "1"]) == 0
    text = capsys.readouterr().out
    for title in (
        "XTC decoding, 24 frames x 3,320 atoms",
        "XTC decoding, 40 frames x 22 atoms",
        "File to features, 24",
    ):
        assert title in text
    assert "720 sines and cosines" in text
    rows = re.findall(r"^  (\S.*?) +([\d.]+) s +([\d,]+) frames/s +([\d.]+)  \(", text, re.M)
    assert [row[0] for row in rows] == [
        *["mdnb", "mdtraj iterload", "MDAnalysis"] * 2,
        *["mdnb, 1 thread", "mdnb, 2 threads", "mdtraj iterload", "MDAnalysis"],
    ]
    assert rows[0][3] == rows[3][3] == rows[6][3] == "1.00"
    assert re.search(r"^ +6 frames .* (MB|unknown here)$", text, re.M)
    assert re.search(r"^ +24 frames .* (MB|unknown here)$", text, re.M)


def test_too_little_to_measure():
    with pytest.raises(DataError, match="got 2 and 250000 frames in 3 rounds: expected at least 8 frames and 1 round"):
        bench_features(2)

"""mdnb bench reconstruct: of two dimensions the VAE keeps more than principal components on trajectories never seen."""

import re

import pytest

from mdnb.bench.reconstruction import bench_reconstruct
from mdnb.cli import main
from mdnb.errors import DataError


def test_below_pca_beyond_chance(capsys):
    assert main(["bench", "reconstruct", "--seeds", "1", "--epochs", "3"]) == 0
    text = capsys.readouterr().out
    found = re.findall(r"^  (\w+) +0 +([\d.]+) +([\d.]+) +([+-][\d.]+) \[([+-][\d.]+), ([+-][\d.]+)\]$", text, re.M)
    assert [name for name, *_ in found] == ["torsions", "distances"]
    for _, pca, vae, gap, low, high in found:
        assert float(gap) == pytest.approx(float(vae) - float(pca), abs=2e-4)
        assert float(low) < float(gap) < float(high) < 0


def test_refusal():
    with pytest.raises(DataError, match="got 0 seeds and 10 epochs"):
        bench_reconstruct(seeds=0)

"""Generated ensembles against held-out molecular dynamics."""

from __future__ import annotations

import mdtraj
import numpy as np
import pytest

import mdnb


@pytest.fixture(scope="module")
def replicas():
    return mdnb.example("alanine-dipeptide")


@pytest.fixture(scope="module")
def judgement(replicas):
    """Copies of training frames with a little noise."""
    frames = replicas[0].frames(slice(None, None, 3))
    noise = np.random.default_rng(0).normal(0, 0.002, frames.xyz.shape).astype(np.float32)
    noisy = mdtraj.Trajectory(frames.xyz + noise, frames.topology)
    return mdnb.judge({"noisy": noisy}, replicas[5:], replicas[:5])


def test_every_set_has_every_figure_with_its_floor(judgement):
    table = judgement.table()
    assert judgement.sets == ("noisy", "training MD", "PCA mixture")
    assert {"torsions, JS", "Ramachandran, JS", "TICA-0, JS", "TICA-0,1, JS", "precision"} <= set(judgement.metrics)
    assert np.isfinite(table[["value", "floor"]]).all(axis=None)
    training = table[table.structures == "training MD"]
    assert np.allclose(training.value, training.floor, atol=0.02)


def test_copies_are_called_so(judgement):
    assert "noisy: memorized. 100% of the structures" in judgement.warnings[0]
    assert len(judgement.warnings) == 1

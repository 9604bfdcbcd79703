"""How far atoms move with each internal coordinate, and what a VAE makes of it."""

from dataclasses import replace

import mdtraj
import numpy as np
import pytest
import torch

import mdnb
from mdnb.features.invertible import restore
from mdnb.models.base import Batch, Task


@pytest.fixture(scope="module")
def dipeptide():
    features = mdnb.featurize(
        mdnb.load(mdnb.example("alanine-dipeptide").frames(slice(0, 800, 50))), "internal-coordinates"
    )
    reference = features.source.frames(0).xyz[0]
    return features, restore(features.featurizers, features.columns, features.topology, reference)


def test_influence_is_the_rmsd_after_superposition(dipeptide):
    features, made = dipeptide
    values = np.asarray(features.values[:1], float)
    found = made.influence(np.concatenate([values, values]))
    step = 1e-3  # large enough for single precision, small enough to be linear
    for column in range(0, values.shape[1], 7):
        changed = values.copy()
        changed[0, column] += step
        both = [mdtraj.Trajectory(made.rebuild(one), features.topology) for one in (values, changed)]
        moved = both[1].superpose(both[0]).xyz[0].astype(float) - both[0].xyz[0]
        assert np.sqrt((moved**2).sum(-1).mean()) / step == pytest.approx(found[column], rel=0.05, abs=2e-3)


def test_a_torsion_of_the_backbone_moves_more_than_a_bond(dipeptide):
    features, made = dipeptide
    found = made.influence(np.asarray(features.values, float)) * features.values.std(0)
    names = [column.name for column in features.columns]
    largest = names[int(found.argmax())]
    assert "torsion" in largest
    assert max(found[i] for i, name in enumerate(names) if name.startswith("bond")) < 0.2 * found.max()


def test_a_vae_holds_what_moves_the_atoms():
    task = Task((8,), ("feature",))
    torch.manual_seed(0)
    x = torch.randn(64, 1, 8)
    weighed = mdnb.VAE(latent=2, hidden=16).build(replace(task, influence=(0.03,) * 2 + (0.001,) * 6))
    base = weighed.losses(Batch(x, None), "main")["reconstruction"]
    far, near = x.clone(), x.clone()
    far[:, :, 0] += 1.0
    near[:, :, 7] += 1.0
    with torch.no_grad():
        weighed.encoder[-1].weight.zero_()  # the same latents whatever is read
        weighed.encoder[-1].bias.copy_(torch.tensor([0.0, 0.0, -12.0, -12.0]))
        losses = [float(weighed.losses(Batch(one, None), "main")["reconstruction"]) for one in (x, far, near)]
    assert base.requires_grad
    assert losses[1] - losses[0] > 100 * abs(losses[2] - losses[0])


def test_the_noise_has_the_covariance_of_what_is_lost():
    torch.manual_seed(0)
    model = mdnb.VAE(latent=1, hidden=8, components=2).build(Task((3,), ("feature",)))
    with torch.no_grad():
        for one in model.decoder.parameters():
            one.zero_()  # everything is lost
    truth = torch.tensor([[1.0, 0.8, 0.0], [0.8, 1.0, 0.0], [0.0, 0.0, 0.25]])
    rows = torch.randn(5000, 1, 3) @ torch.linalg.cholesky(truth).T
    model.finish([Batch(rows, None)], [])
    drawn = model.residual.draw(20_000, torch.Generator().manual_seed(1))
    assert torch.cov(drawn.T) == pytest.approx(truth, abs=0.05)

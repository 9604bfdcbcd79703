"""Heavy atoms placed within a network's loss: where they are, how far apart, and which way is less."""

from functools import cache

import numpy as np
import pytest
import torch

import mdnb
from mdnb.features import InternalCoordinates
from mdnb.features.atoms import is_heavy
from mdnb.features.skeleton import Skeleton
from mdnb.features.superposition import rotations
from mdnb.models.rebuild import Rebuild


@cache
def placed(name: str, step: int) -> tuple[Rebuild, torch.Tensor, np.ndarray]:
    """Return what rebuilds an example, some of its frames scaled, and where the heavy atoms of these are."""
    trajectories = mdnb.example(name)
    maker = InternalCoordinates()
    maker.prepare(trajectories.topology, trajectories.frames(0).xyz[0])
    values = np.asarray(mdnb.featurize(trajectories, "internal-coordinates").values[::step], np.float64)
    mean, scale = values.mean(0), values.std(0) + 1e-3
    heavy = [atom.index for atom in trajectories.topology.atoms if is_heavy(atom)]
    assert maker.skeleton is not None
    rebuild = Rebuild(maker.skeleton, mean.tolist(), scale.tolist())
    return rebuild, torch.from_numpy((values - mean) / scale).float(), maker.rebuild(values)[:, heavy]


def distances(positions: np.ndarray) -> np.ndarray:
    """Return all distances of each frame in ascending order: atoms may come in another order."""
    apart = np.linalg.norm(positions[:, :, None] - positions[:, None], axis=-1)
    return np.sort(apart.reshape(len(positions), -1), axis=1)


@pytest.mark.parametrize(("name", "step"), [("alanine-dipeptide", 97), ("chignolin", 97)])
def test_heavy_atoms_are_where_all_atoms_are_rebuilt(name, step):
    rebuild, scaled, positions = placed(name, step)
    assert np.abs(distances(rebuild(scaled).numpy()) - distances(positions)).max() < 2e-5


def test_apart_is_the_superposed_displacement():
    rebuild, scaled, positions = placed("alanine-dipeptide", 97)
    found = rebuild.apart(scaled[:-1], scaled[1:]).numpy()
    positions = positions - positions.mean(1, keepdims=True)
    for number in range(len(found)):
        turned = positions[number] @ rotations(positions[[number]], positions[number + 1])[0]
        expected = np.square(turned - positions[number + 1]).sum(1).mean()
        assert found[number] == pytest.approx(expected, rel=1e-4)
    assert rebuild.apart(scaled, scaled).max() < 1e-12


@pytest.mark.parametrize("noise", [0.01, 1.0])
def test_the_compiled_pass_agrees_with_torch(noise):
    """Forwards and backwards, of small and of large displacements."""
    rebuild, scaled, _ = placed("alanine-dipeptide", 97)
    moved = scaled + noise * torch.randn(scaled.shape, generator=torch.Generator().manual_seed(0))
    slopes = []
    for apart in (rebuild.apart, rebuild.apart_by_torch):
        own = moved.clone().requires_grad_(True)
        values = apart(own, scaled)
        (values * torch.linspace(0.5, 2, len(values))).sum().backward()
        slopes.append((values.detach(), own.grad))
    (found, slope), (expected, reference) = slopes
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-9)
    assert float((slope - reference).abs().max() / reference.abs().max()) < 1e-3


def test_gradients_are_those_of_finite_differences():
    rebuild, scaled, _ = placed("alanine-dipeptide", 997)
    others = scaled.double()
    moved = (others + 0.3).requires_grad_(True)
    (slope,) = torch.autograd.grad(rebuild.apart_by_torch(moved, others).sum(), moved)
    for column in range(0, others.shape[1], 7):
        step = torch.zeros_like(others)
        step[:, column] = 1e-5
        ends = [rebuild.apart_by_torch((moved + sign * step).detach(), others) for sign in (1, -1)]
        assert torch.allclose((ends[0] - ends[1]) / 2e-5, slope[:, column], rtol=1e-4, atol=1e-9)


def test_a_run_with_a_skeleton_is_saved_and_loaded(tmp_path):
    data = mdnb.featurize(mdnb.example("alanine-dipeptide")[:1], "internal-coordinates")
    run = mdnb.fit(data, None, mdnb.VAE(latent=2, hidden=16), mdnb.Training(epochs=1, split="block"))
    run.save(tmp_path / "run")
    again = mdnb.Run.load(tmp_path / "run")
    assert again.task == run.task
    assert len(again.task.skeleton) == 10
    assert np.array_equal(again.encode(data), run.encode(data))


@pytest.mark.parametrize(
    ("references", "columns"),
    [
        (((-1,) * 3, (0, -1, -1), (0, 1, -1), (0, 1, 3)), None),  # from itself
        (((-1,) * 3, (0, -1, -1), (0, 1, -1), (0, 1, 1)), None),  # twice from one
        (None, ((-1,) * 4, (0, -1, -1, -1), (1, -1, -1, -1), (2, 3, 4, -1))),  # without its angle
    ],
)
def test_a_skeleton_that_cannot_stand_is_refused(references, columns):
    content = {
        "references": references or ((-1, -1, -1), (0, -1, -1), (0, 1, -1), (0, 1, 2)),
        "columns": columns or ((-1, -1, -1, -1), (0, -1, -1, -1), (1, 2, -1, -1), (3, 4, 5, -1)),
        "offsets": (0.0,) * 4,
    }
    with pytest.raises(ValueError, match=r"atom \d of the skeleton is placed from none that is there"):
        Skeleton.from_dict(content)

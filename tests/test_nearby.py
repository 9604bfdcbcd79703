"""What latents do not hold comes from real frames near by, part by part: several modes stay several, rings closed."""

import numpy as np
import pytest
import torch

import mdnb
from mdnb.chunk import Chunk
from mdnb.features import InternalCoordinates
from mdnb.models.base import Batch, Task
from mdnb.models.nearby import Nearby

PARTS = (-1, 0, 0, 1)


@pytest.fixture(scope="module")
def kept():
    """Frames of which the first number follows the network, two belong together, and one is in another part."""
    generator = torch.Generator().manual_seed(0)
    latents = torch.rand(400, 1, generator=generator)
    decoded = latents.repeat(1, 4)
    side = torch.randint(2, (400, 2), generator=generator) * 2.0 - 1.0
    values = torch.stack([latents[:, 0] + 0.1 * side[:, 0], side[:, 0], 3 * side[:, 0], side[:, 1]], dim=1)
    one = Nearby(PARTS, 1)
    for rows in torch.arange(400).split(64):
        one.add(latents[rows], torch.full((len(rows), 1), 0.1), values[rows], decoded[rows])
    one.fit()
    return one


def test_modes_stay_apart_and_parts_are_mixed(kept):
    z = torch.linspace(0.05, 0.95, 3000)[:, None]
    made = kept.draw(z, z.repeat(1, 4), torch.Generator().manual_seed(1))
    assert made[:, 1:].abs().unique().tolist() == [1.0, 3.0]  # nothing between the modes
    assert (made[:, 2] == 3 * made[:, 1]).all()  # one part comes from one frame
    assert (made[:, 0] - z[:, 0]).abs().numpy() == pytest.approx(0.1, abs=1e-6)  # the network's mean, and a residual
    both = torch.stack([torch.sign(made[:, 0] - z[:, 0]), made[:, 1], made[:, 3]], dim=1)
    found = torch.corrcoef(both.T)[~torch.eye(3, dtype=bool)].abs().max()
    assert 0.2 < found < 0.75  # half of them from the same frame, others from others
    assert made[:, 3].mean().abs() < 0.25


def test_near_frames_only():
    latents = torch.arange(200.0)[:, None]
    one = Nearby((-1, 0), 1)
    one.add(latents, torch.ones(200, 1), latents.repeat(1, 2), torch.zeros(200, 2))
    one.fit()
    made = one.draw(latents[50:150], torch.zeros(100, 2), torch.Generator().manual_seed(0))
    assert (made - latents[50:150]).abs().max() <= 10  # of the 20 nearest


def test_how_parts_lie_to_each_other_can_be_kept(kept):
    z = torch.linspace(0.05, 0.95, 400)[:, None]
    which = torch.linspace(0, 1, 400)  # both ends are numbers that can be drawn
    first, second = (kept.draw(z, z.repeat(1, 4), torch.Generator().manual_seed(seed), which=which) for seed in (1, 2))
    assert torch.equal(first[:, 0], second[:, 0])
    assert not torch.equal(first[:, 1:], second[:, 1:])
    drawn = [kept.draw(z, z.repeat(1, 4), torch.Generator().manual_seed(seed))[:, 0] for seed in (1, 2)]
    assert not torch.equal(*drawn)


def test_of_many_frames_some_are_kept_evenly():
    one = Nearby((0,) * 4000, 1)
    most = len(one.own)
    assert most == 1000
    for start in range(0, 3000, 500):
        rows = torch.arange(start, start + 500.0)[:, None]
        one.add(rows, torch.ones(500, 1), rows.expand(-1, 4000), torch.zeros(500, 4000))
    one.fit()
    kept = one.own[:, 0]
    assert int(one.n_kept) == most
    assert len(kept.unique()) == most
    assert float(kept.mean()) == pytest.approx(1500, abs=120)


def test_it_is_saved_with_the_weights(kept):
    again = Nearby(PARTS, 1)
    again.load_state_dict(kept.state_dict())
    z = torch.rand(50, 1)
    first, second = (one.draw(z, z.repeat(1, 4), torch.Generator().manual_seed(3)) for one in (kept, again))
    assert torch.equal(first, second)


def test_conditions_count():
    """The same latents with other conditions are other frames."""
    latents = torch.cat([torch.zeros(200, 1), torch.arange(200)[:, None] % 2], dim=1)
    one = Nearby((0,), 2)
    one.add(latents, torch.full((200, 1), 0.05), latents[:, 1:], torch.zeros(200, 1))
    one.fit()
    made = one.draw(latents, torch.zeros(200, 1), torch.Generator().manual_seed(0))
    assert torch.equal(made, latents[:, 1:])


def test_a_vae_of_parts_learns_them():
    """Frames of a latent torsion and of a rotamer that no latent holds."""
    torch.manual_seed(0)
    task = Task((3,), ("feature",), influence=(1.0, 1e-3, 1e-3), parts=(-1, 0, 1))
    model = mdnb.VAE(latent=1, hidden=8, components=2).build(task)
    x = torch.randn(500, 1, 3)
    x[:, 0, 1:] = torch.sign(x[:, 0, 1:])
    model.finish([Batch(x[:250], None), Batch(x[250:], None)], [])
    made = model.sample(300, torch.Generator().manual_seed(0))
    assert made.shape == (300, 3)
    assert made[:, 1:].abs().unique().tolist() == [1.0]
    assert len(made[:, 0].unique()) == 300


@pytest.fixture(scope="module")
def chignolin():
    trajectories = mdnb.example("chignolin")
    maker = InternalCoordinates()
    maker.prepare(trajectories.topology, trajectories.frames(0).xyz[0])
    positions = trajectories.frames(slice(0, 2700, 90)).xyz
    return maker, trajectories.topology, positions, maker.compute(Chunk(positions, np.zeros(len(positions))))


def test_what_turns_residues_against_each_other(chignolin):
    """Phi, psi and omega between residues, but for phi of a proline, whose bond is one of a ring."""
    maker, topology, _, _ = chignolin
    turning = {column.group for column, part in zip(maker.columns, maker.parts, strict=True) if part < 0}
    bonds = set()
    for column, part in zip(maker.columns, maker.parts, strict=True):
        if part < 0:
            b, c = (topology.atom(i) for i in column.atom_indices[1:3])
            bonds.add(tuple(sorted((str(b), str(c)))))
    expected = set()
    for first, second in zip(range(9), range(1, 10), strict=True):
        one, other = topology.residue(first), topology.residue(second)
        expected.add(tuple(sorted((f"{one}-C", f"{other}-N"))))  # omega
        if first:
            expected.add(tuple(sorted((f"{one}-CA", f"{one}-C"))))  # psi
        if other.name != "PRO":
            expected.add(tuple(sorted((f"{other}-CA", f"{other}-N"))))  # phi
    assert bonds == expected
    assert len(turning) == len(expected)


def test_rings_stay_closed_when_parts_are_mixed(chignolin):
    maker, topology, positions, values = chignolin
    parts = np.array(maker.parts)
    rng = np.random.default_rng(0)
    mixed = values.copy()
    for part in np.unique(parts):
        mixed[:, parts == part] = values[rng.permutation(len(values))][:, parts == part]
    made = maker.rebuild(mixed)
    pairs = np.array([(a.index, b.index) for a, b in topology.bonds])
    lengths, real = (np.linalg.norm(xyz[:, pairs[:, 0]] - xyz[:, pairs[:, 1]], axis=-1) for xyz in (made, positions))
    assert (lengths > real.min(0) - 1e-4).all()
    assert (lengths < real.max(0) + 1e-4).all()


def test_small_molecules_are_one_part():
    trajectories = mdnb.example("alanine-dipeptide")
    maker = InternalCoordinates()
    maker.prepare(trajectories.topology, trajectories.frames(0).xyz[0])
    assert maker.parts == ()

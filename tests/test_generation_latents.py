"""Structures between two frames and around one, in the latents of a VAE and of a GAN."""

from dataclasses import replace
from functools import cache

import mdtraj
import numpy as np
import pytest
import torch
from learning_fixtures import features, trained, trajectories

import mdnb
from mdnb.errors import DataError, SpecError
from mdnb.features.internal import InternalCoordinates
from mdnb.generation.compare import ramachandran
from mdnb.generation.latents import Region


@cache
def vae(target=None):
    data = features("internal-coordinates")
    training = mdnb.Training(epochs=120, patience=120, batch_size=64)
    return mdnb.fit(data, target, mdnb.VAE(latent=10, hidden=128, beta=0.1), training)


@cache
def two() -> tuple[int, int]:
    """Return a frame with phi below zero and one with phi above, both held out where there is one."""
    phi = ramachandran(trajectories().frames(slice(None)))[:, 0]
    return int(np.flatnonzero(np.abs(phi + 80) < 5)[3]), int(np.flatnonzero(np.abs(phi - 60) < 10)[3])


def canonical(frame: int) -> mdtraj.Trajectory:
    """Return a frame with the hydrogens of each methyl group in the one order of the internal coordinates."""
    real = trajectories().frames(frame)
    coordinates = InternalCoordinates()
    coordinates.prepare(real.topology, vae().reference)
    return mdtraj.Trajectory(coordinates.canonical(real.xyz), real.topology)


def rmsd(one: mdtraj.Trajectory, other: mdtraj.Trajectory) -> float:
    return float(mdtraj.rmsd(one, other)[0])


@pytest.mark.parametrize("path", ["line", "sphere"])
def test_the_path_begins_and_ends_with_the_structures_given(path):
    first, last = two()
    made = mdnb.interpolate(vae(), first, last, 15, path=path, features=features("internal-coordinates"))
    assert len(made) == 15
    assert rmsd(made.structures[0], canonical(first)) < 2e-4
    assert rmsd(made.structures[-1], canonical(last)) < 2e-4
    assert made.valid[[0, -1]].all()


@pytest.mark.parametrize("path", ["line", "sphere"])
def test_each_structure_is_near_the_next_and_between_the_ends(path):
    first, last = two()
    made = mdnb.interpolate(vae(), first, last, 200, path=path, features=features("internal-coordinates"))
    steps = np.array([rmsd(made.structures[i], made.structures[i + 1]) for i in range(199)])
    whole = rmsd(made.structures[0], made.structures[-1])
    # Small steps, but where the path crosses from one state to another, where no frames are.
    assert np.quantile(steps, 0.98) < 0.1 * whole
    assert steps.max() < 0.75 * whole
    assert made.checks["bonds"].all()
    assert made.checks["chirality"].all()


def test_structures_may_be_given_as_such():
    first, last = two()
    data = features("internal-coordinates")
    by_number = mdnb.interpolate(vae(), first, last, 5, features=data)
    given = mdnb.interpolate(vae(), trajectories().frames(first), trajectories().frames(last), 5)
    assert given.structures.xyz == pytest.approx(by_number.structures.xyz, abs=1e-4)


def test_without_exactness_the_ends_are_reconstructions():
    run, data = vae(), features("internal-coordinates")
    first, last = two()
    made = mdnb.interpolate(run, first, last, 3, exact=False, features=data)
    assert 1e-3 < rmsd(made.structures[0], canonical(first)) < 0.1
    at_rest = mdnb.around(run, first, 2, width=0.0, features=data)
    assert rmsd(made.structures[0], at_rest.structures[0]) < 1e-4
    assert rmsd(at_rest.structures[0], at_rest.structures[1]) < 1e-4


def test_an_arc_keeps_the_length_that_both_ends_have():
    from mdnb.generation.interpolate import _arc

    ends = torch.nn.functional.normalize(torch.randn(2, 6, generator=torch.Generator().manual_seed(0)), dim=1) * 2.5
    points = _arc(ends, torch.linspace(0, 1, 9)[:, None])
    assert np.allclose(points.norm(dim=1).numpy(), 2.5, atol=1e-5)
    angles = torch.arccos((points[1:] * points[:-1]).sum(1) / 2.5**2)
    assert np.allclose(angles.numpy(), float(angles[0]), atol=1e-3)
    opposite = torch.stack([ends[0], -ends[0]])
    assert _arc(opposite, torch.linspace(0, 1, 9)[:, None]).isfinite().all()


def test_structures_around_a_frame_stay_near_it_and_spread_with_the_width():
    run, data, frame = vae(), features("internal-coordinates"), two()[0]
    drawn = [mdnb.around(run, frame, 100, width=width, features=data).structures for width in (0.0, 1.0, 3.0)]
    within = [one.xyz.std(0).mean() for one in drawn]
    assert within[0] < 1e-6 < within[1] < within[2]
    wide = mdnb.around(run, frame, 100, spread=0.3, features=data).structures
    assert wide.xyz.std(0).mean() > within[1]
    heavy = trajectories().topology.select("element != H")
    own = mdtraj.rmsd(drawn[1], canonical(frame), atom_indices=heavy).mean()
    others = mdtraj.rmsd(trajectories().frames(slice(None, None, 50)), canonical(frame), atom_indices=heavy).mean()
    assert own < 0.5 * others


def test_around_is_repeated_by_its_seed():
    one, same, other = (
        mdnb.around(vae(), 5, 10, seed=seed, features=features("internal-coordinates")).structures.xyz
        for seed in (1, 1, 2)
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_latents_far_from_the_data_are_said():
    wide = mdnb.around(vae(), 5, 200, spread=20.0, features=features("internal-coordinates"))
    assert "of the latents lie farther from the training frames'" in repr(wide)
    assert wide.extrapolated.mean() > 0.9
    assert not mdnb.around(vae(), 5, 200, features=features("internal-coordinates")).notes


@pytest.mark.parametrize("run", [vae, lambda: trained("VAE")], ids=["sharp posterior", "broad posterior"])
def test_the_posterior_of_a_real_frame_lies_where_real_frames_do(run):
    """Also of a VAE that was hardly trained, whose posteriors are broad: its means fill much less room than draws."""
    run, data = run(), features("internal-coordinates")
    region = Region.of_run(run)
    frames = np.linspace(0, len(data) - 1, 400).astype(int)
    with torch.no_grad():
        mean, log_variance = run.model.encode(run.inputs(data, frames[:, None]))
    noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(3))
    assert region.outside((mean + torch.exp(0.5 * log_variance) * noise).numpy()).mean() < 0.04
    assert region.outside(mean.numpy()).mean() < 0.04
    assert region.outside(mean.numpy() + 20.0).all()
    assert not mdnb.around(run, 5, 200, features=data).notes


def test_a_latent_that_holds_nothing_is_not_counted():
    run = trained("VAE")
    region = Region.of_run(run)
    assert region.scale.shape == (4,)
    assert (region.scale >= 0).all()
    assert (region.scale <= 1).all()
    idle = replace(region, points=region.points * [1, 1, 1, 0], scale=region.scale * [1, 1, 1, 0])
    far = np.zeros((1, 4))
    far[0, 3] = 1e6
    assert idle.outside(far).tolist() == idle.outside(np.zeros((1, 4))).tolist()


@pytest.mark.parametrize("call", ["interpolate", "around", "rollout"])
def test_structures_are_cleaned_up_where_that_is_asked_for(call):
    """As those of `mdnb.generate` are: of internal coordinates only then, of positions by default."""
    data = features("positions")
    run = mdnb.fit(data, None, mdnb.VAE(latent=3, hidden=16), mdnb.Training(epochs=1, batch_size=256))
    if call == "rollout":
        latents = mdnb.latents(run, data)
        moves = mdnb.fit(
            latents, spec=mdnb.MLP(hidden=8), training=mdnb.Training(epochs=1), objective=mdnb.Propagate(components=2)
        )
    made = {
        "interpolate": lambda **more: mdnb.interpolate(run, 0, 900, 6, exact=False, features=data, **more),
        "around": lambda **more: mdnb.around(run, 0, 6, features=data, **more),
        "rollout": lambda **more: mdnb.rollout(moves, latents, 3, 2, decoder=run, **more).generated,
    }[call]
    by_default, left, asked = made(), made(clean_up=False), made(clean_up=True)
    assert left.checks_before is None
    assert asked.checks_before is not None
    assert by_default.checks_before is not None  # positions are no internal coordinates
    assert asked.valid.mean() > left.valid.mean()


def test_a_region_holds_its_own_kind():
    rng = np.random.default_rng(0)
    region = Region.of(rng.normal(size=(4000, 2)))
    assert region.outside(rng.normal(size=(4000, 2))).mean() < 0.03
    assert region.outside(np.array([[9.0, 0.0], [np.nan, 0.0], [0.0, 0.0]])).tolist() == [True, True, False]


def test_a_conditional_vae_takes_the_condition_along_the_path():
    run, data = vae("end-to-end-distance"), features("internal-coordinates")
    first, last = two()
    with pytest.raises(SpecError, match=r"trained with a target; say with condition="):
        mdnb.interpolate(run, first, last, features=data)
    with pytest.raises(SpecError, match=r"trained with a target; say with condition="):
        mdnb.around(run, first, features=data)
    made = mdnb.interpolate(run, first, last, 4, condition=[0.6, 0.62, 0.64, 0.66], features=data)
    assert np.allclose(made.requested, [0.6, 0.62, 0.64, 0.66])
    assert rmsd(made.structures[0], canonical(first)) < 2e-4
    near, far = (mdnb.around(run, first, 50, condition=wanted, features=data).structures for wanted in (0.5, 0.8))
    ends = trajectories().topology.select("element != H")[[0, -1]][None]
    assert mdtraj.compute_distances(near, ends).mean() < mdtraj.compute_distances(far, ends).mean()


@pytest.mark.parametrize(
    ("error", "sentence", "call"),
    [
        (SpecError, r"unknown path 'arc'", lambda run, data: mdnb.interpolate(run, 0, 1, path="arc", features=data)),
        (SpecError, r"n = 1: .* at least 2 for both ends", lambda run, data: mdnb.interpolate(run, 0, 1, 1)),
        (DataError, r"frame 0 of what\? give features=", lambda run, data: mdnb.interpolate(run, 0, 1)),
        (DataError, r"there is no frame 10000000;", lambda run, data: mdnb.around(run, 10**7, features=data)),
        (DataError, r"got 'str' as a frame", lambda run, data: mdnb.around(run, "0", features=data)),
        (DataError, r"2 frames, expected one", lambda run, data: mdnb.around(run, trajectories().frames([0, 1]))),
        (
            DataError,
            r"the structure has 166 atoms",
            lambda run, data: mdnb.around(run, mdnb.example("chignolin").frames(0)),
        ),
        (SpecError, r"width = -1: expected", lambda run, data: mdnb.around(run, 0, width=-1, features=data)),
        (SpecError, r"n = 0: expected", lambda run, data: mdnb.around(run, 0, 0, features=data)),
        (SpecError, r"a CNN has no latents", lambda run, data: mdnb.around(trained("CNN"), 0, features=data)),
        (DataError, r"got 'int' as a run", lambda run, data: mdnb.interpolate(3, 0, 1)),
    ],
)
def test_what_is_refused(error, sentence, call):
    with pytest.raises(error, match=sentence):
        call(vae(), features("internal-coordinates"))


def test_a_path_is_drawn_in_order_and_not_across_the_edge_of_the_map():
    first, last = two()
    made = mdnb.interpolate(vae(), first, last, 30, features=features("internal-coordinates"))
    checks = {name: passed.copy() for name, passed in made.checks.items()}
    checks["clashes"][3] = False
    figure = mdnb.figures.path_figure(replace(made, checks=checks), trajectories().frames(slice(None, None, 20)))
    density, line, valid, failing = figure.data
    own = ramachandran(made.structures)
    assert len(valid.x) + len(failing.x) == 30
    assert 3 in failing.customdata
    drawn = np.column_stack([np.asarray(line.x, float), np.asarray(line.y, float)])
    inner = np.abs(np.diff(drawn, axis=0))
    assert np.nanmax(inner) <= 180
    assert np.allclose(drawn[np.isfinite(drawn[:, 0])], own)
    assert density.type == "heatmap"
    with pytest.raises(DataError, match="residue = 1: 1 residues have phi and psi"):
        mdnb.figures.path_figure(made, trajectories().frames([0, 1]), residue=1)


@cache
def gan():
    training = mdnb.Training(epochs=20, batch_size=64)
    return mdnb.fit(features("internal-coordinates"), None, mdnb.GAN(latent=6, hidden=64, beta=0.1), training)


def test_a_gan_has_the_same_walks():
    run, data = gan(), features("internal-coordinates")
    first, last = two()
    made = mdnb.interpolate(run, first, last, 9, features=data)
    assert made.family == "GAN, interpolated"
    assert rmsd(made.structures[0], canonical(first)) < 2e-4
    assert rmsd(made.structures[-1], canonical(last)) < 2e-4
    drawn = [mdnb.around(run, first, 60, width=width, features=data).structures for width in (0.0, 1.0)]
    assert drawn[0].xyz.std(0).mean() < 1e-6 < drawn[1].xyz.std(0).mean()
    heavy = trajectories().topology.select("element != H")
    own = mdtraj.rmsd(drawn[1], canonical(first), atom_indices=heavy).mean()
    others = mdtraj.rmsd(trajectories().frames(slice(None, None, 50)), canonical(first), atom_indices=heavy).mean()
    assert own < 0.5 * others


def test_latents_of_a_gan_are_features_and_no_scores_of_its_critic():
    run, data = gan(), features("internal-coordinates")
    found = mdnb.latents(run, data)
    assert found.values.shape == (len(data), 6)
    assert found.featurizers[0].startswith("latents of GAN ")
    assert np.array_equal(found.values, run.encode(data))
    assert run.outputs(data, np.arange(4)[:, None]).shape == (4, 1)  # what is explained of it: its critic
    with torch.no_grad():
        expected = run.model.autoencoder.encode(run.inputs(data, np.arange(5)[:, None]))[0]
    assert np.allclose(found.values[:5], expected.numpy(), atol=1e-6)

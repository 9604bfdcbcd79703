"""mdnb bench generate: everybody is judged on the same frames, and what is printed is what was found."""

import re

import mdtraj
import numpy as np
import pytest
import torch

import mdnb
from mdnb.bench.generation import bench_generate, conditions, dipeptides, dynamics, limit, peers, protein, systems
from mdnb.bench.generation.contestant import aligned_rmsd
from mdnb.cli import main
from mdnb.errors import DataError, SpecError
from mdnb.generation.judgement import Row


@pytest.fixture
def small(monkeypatch):
    """Every eighth frame of the dipeptide."""
    whole = mdnb.example("alanine-dipeptide")
    parts = [mdnb.load([one.frames(slice(None, None, 8)) for one in half], time_step=16.0)
             for half in (whole[:6], whole[6:])]  # fmt: skip
    system = systems.System("a few frames", *parts)
    monkeypatch.setitem(systems.DIPEPTIDES, "alanine", lambda data: system)
    return system


def test_rmsd_of_what_is_only_turned_is_nothing(alanine):
    frames = alanine.frames(slice(None, None, 500))
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    assert aligned_rmsd(frames.xyz, frames.xyz @ turn + 1).max() < 1e-5
    expected = mdtraj.rmsd(frames, frames, 0)
    found = aligned_rmsd(np.repeat(frames.xyz[:1], len(frames), 0), frames.xyz)
    assert np.allclose(found, expected, atol=1e-4)
    mirrored = frames.xyz * np.array([1, 1, -1])
    assert aligned_rmsd(frames.xyz, mirrored).min() > 0.02


def test_the_command(small, capsys):
    known = ["mlcolvar AutoEncoderCV", "deeptime TVAE", "Ramaswamy et al. 2021, rebuilt"]
    command = ["bench", "generate", "--systems", "alanine", "--seeds", "1", "--structures", "200", "--epochs", "2"]
    assert main([*command, "--threads", "1"]) == 0
    text = capsys.readouterr().out
    rows = re.findall(
        r"^  (\S.*?\S) {2,}(?:[\d.]+|-) +.* ([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+)% +([\d.]+)%", text, re.M
    )
    found = {name: tuple(map(float, numbers)) for name, *numbers in rows}
    missing = set(peers.absent())
    expected = {name for name in known if peers.PEERS[name][0] not in missing}
    assert {"mdnb VAE, seed 0", "mdnb GAN, seed 0", "PCA mixture", "training MD", "MD of 1 ns", *expected} <= set(found)
    for js, ratio, floor, passed, hands in found.values():
        assert js == pytest.approx(ratio * floor, abs=0.01)
        assert 0 <= passed <= hands <= 100
    assert found["training MD"][1] == 1
    assert found["mdnb VAE, seed 0"][3] > found["PCA mixture"][3]
    assert len(re.findall(r"VAE better: (?:yes|no, not in \w)", text)) == len(peers.PEERS) - sum(
        package in missing for package, _ in peers.PEERS.values()
    )
    assert re.search(r"RMSD that thermal motion leaves of 4 latents, .*: 0.0\d+ nm, above the 0.006 asked", text)
    assert re.search(r"VAE, Ramachandran JS at most 1.15 x the floor: (yes|no) \([01] of 1\)", text)


def test_the_limit_is_what_a_plane_leaves(small):
    """More latents leave less; and never nothing, since the frames are held out."""
    found = [limit.local_limit(small, latent, 60, 100) for latent in (1, 4, 12)]
    assert found[0] > found[1] > found[2] > 1e-3
    assert 0.006 < found[1] < 0.011


def test_the_limit_of_frames_that_lie_in_a_plane_is_nothing(small):
    """Two directions in which all frames differ: two latents hold them, one does not."""
    rng = np.random.default_rng(0)
    frame = small.train.frames(0)
    axes = np.linalg.qr(rng.normal(size=(frame.n_atoms * 3, 2)))[0]
    parts = []
    for n in (400, 50):
        moved = (0.02 * rng.normal(size=(n, 2)) @ axes.T).reshape(n, -1, 3)
        parts.append(mdnb.load(mdtraj.Trajectory(frame.xyz + moved, frame.topology)))
    flat = systems.System("flat", *parts)
    assert limit.local_limit(flat, 2, 50, 200) < 0.15 * limit.local_limit(flat, 1, 50, 200)


def test_verdict_counts_every_row():
    values = {
        "ours": {"Ramachandran, JS": 0.2, "passes all checks": 0.9, "chirality": 1.0},
        "theirs": {"Ramachandran, JS": 0.3, "passes all checks": 0.95, "chirality": 1.0},
    }
    copied = {"ours": 0.0502, "theirs": 0.02}

    class Judged:
        def __init__(self):
            line = "below the memorization line"
            self.rows = [Row(name, line, "", share, share, share, 0.05, "lower") for name, share in copied.items()]

        def row(self, name, metric, part=""):
            return Row(name, metric, part, values[name][part or metric], 0, 1, 0.2, "lower")

    def one(name, cpu, rmsd, drawing=1.0):
        made = dipeptides.Contestant(name, mdnb.example("alanine-dipeptide").frames(0))
        made.training.cpu, made.rmsd, made.drawing.wall = cpu, rmsd, drawing
        return made

    say = dipeptides._verdict
    ours = [one("ours", 5, 0.01)]
    assert say(Judged(), ours, one("theirs", 4, 0.02)) == ("better: no, not in CPU seconds of training, checks, copies")
    assert say(Judged(), ours, one("ours", 6, 0.02)) == "better: yes"
    assert say(Judged(), ours, one("ours", 6, 0.02, 0.5)) == "better: no, not in seconds of drawing"
    gan = [one("ours", 5, float("nan"))]
    assert say(Judged(), gan, one("ours", 6, 0.02)) == "better: yes"


@pytest.mark.parametrize("n_atoms", [5, 22, 166])
def test_rebuilt_network_gives_back_what_it_was_given(n_atoms):
    torch.manual_seed(0)
    network = peers._Convolutions(n_atoms)
    x = torch.randn(4, 3 * n_atoms)
    assert network.encode(x).shape == (4, peers.LATENT)
    assert network.decode(network.encode(x)).shape == x.shape


@pytest.mark.parametrize("family", ["VAE", "GAN"])
def test_condition(small, family):
    lines = conditions.bench_condition(small, "radius-of-gyration", family, 0, 200, 3, 1)
    assert f"{family} conditional on radius-of-gyration" in lines[0]
    slopes = [float(number) for line in lines for number in re.findall(r"slope (-?[\d.]+)", line)]
    assert len(slopes) == 2
    assert all("yes (" in line or "no (" in line for line in lines[1:])


def test_dynamics():
    """Populations and slowest timescale of a rollout and of the training MD, each against the held-out MD."""
    whole = mdnb.example("alanine-dipeptide")
    few = mdnb.load([one.frames(slice(None, None, 3)) for one in whole], time_step=6.0)
    head, floor, row = dynamics.bench_dynamics(few, 1, 60, 1, 1, ["MLP, 1 frame"], [1, 2])
    assert head.startswith("6 simulations to train on, [2, 3] held out, seed 1")
    for line in (floor, row):
        populations, timescales = re.search(r"populations (yes|no) \((\d) of 3.*; (yes|no) \(\d of 2", line).group(1, 3)
        assert {populations, timescales} <= {"yes", "no"}
        assert re.search(r"slowest timescale over that of held-out MD [\d.]+ at 6 ps, [\d.]+ at 12 ps", line)
    assert "training MD, the floor: populations yes" in floor
    assert "MLP, 1 frame" in row
    of_held, of_train = (list(map(float, re.findall(r"([\d.]+) at \d+ ps", text))) for text in
                         row.partition("over that of training MD")[::2])  # fmt: skip
    known = list(map(float, re.findall(r"([\d.]+) at \d+ ps", floor)))
    assert of_train == pytest.approx(np.array(of_held) / known, rel=0.1)
    assert "pass all checks" in row


@pytest.mark.slow
def test_protein():
    system = systems.packaged_protein()
    assert (len(system.train), len(system.held)) == (6, 6)
    text = "\n".join(protein.bench_protein(system, 0, 100, 2, 1, 2))
    for pattern in (
        r"pass all checks: [\d.]+% as drawn, [\d.]+% after the clean-up",
        r"folded: [\d.]+% of the structures, [\d.]+% \[[\d.]+%, [\d.]+%\] of the held-out MD",
        r"torsions, JS over the floor: [\d.]+ in the mean",
        r"on held-out MD: 0\.\d+",
        r"clashes after minimization",
    ):
        assert re.search(pattern, text), pattern


def test_refusals(monkeypatch):
    with pytest.raises(SpecError, match="unknown system 'alanin': did you mean 'alanine'"):
        bench_generate(["alanin"])
    with pytest.raises(SpecError, match="unknown family 'VEA'"):
        bench_generate(["alanine"], ["VEA"])
    with pytest.raises(DataError, match="0 seeds"):
        bench_generate(["alanine"], seeds=0)
    monkeypatch.delenv("MDNB_EXTRA_DATA", raising=False)
    with pytest.raises(DataError, match=r"ala2_msmb_data .* is not here; put its folder where --data"):
        bench_generate(["msmb"])

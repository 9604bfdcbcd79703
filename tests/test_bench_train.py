"""mdnb bench train: everyone trains the same network on the same samples, and the tables name them."""

import re

import pytest
import torch

import mdnb
from mdnb.bench.training import contenders as module
from mdnb.bench.training.contenders import OURS, contenders
from mdnb.bench.training.measure import bench_training
from mdnb.bench.training.problems import problems
from mdnb.cli import main
from mdnb.errors import DataError
from mdnb.training.prepare import prepare


@pytest.fixture(scope="module")
def small():
    return problems(20_000)


def test_the_networks_are_the_same_and_so_are_the_samples(small):
    for problem in small:
        window, training = mdnb.Window(length=problem.window), problem.training(1, 64, 1)
        plan = prepare(problem.features, problem.target, problem.spec, training, window, problem.objective)
        ours, theirs = plan.spec.build(plan.task), problem.network()
        sizes = [sorted(one.numel() for one in network.parameters()) for network in (ours, theirs)]
        assert sizes[0] == sizes[1], problem.name
        frames = torch.from_numpy(plan.samples.frames[plan.split.train])
        assert torch.equal(frames, problem.samples[1])
        out = theirs(problem.samples[0][frames[:5]] if problem.window > 1 else problem.samples[0][frames[:5, 0]])
        assert out.shape[0] == 5
    assert [len(problem.samples[1]) for problem in small] == [20_400, 20_298, 204, 1020, 102]


@pytest.mark.slow  # lightning alone takes ten seconds to import
def test_everyone_trains(small):
    for problem in small[:1] + small[3:4]:
        for name, train in contenders(problem, 1024, 1).items():
            assert train(1) is not None, name


def test_peers_that_are_not_installed_are_left_out(monkeypatch, small):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert [*contenders(small[0], 256, 1)] == [OURS, "hand-written loop", "torch DataLoader"]
    assert module.missing() == ["lightning", "mlcolvar", "deeptime"]


@pytest.mark.slow
def test_the_tables(capsys):
    assert main(["bench", "train", "--frames", "20000", "--rounds", "1"]) == 0
    text = capsys.readouterr().out
    rows = re.findall(r"^  (\S.*?) +(-?[\d.]+) s wall +(-?[\d.]+) s processor +(-?[\d.]+) +(-?[\d.]+)$", text, re.M)
    assert [row[0] for row in rows].count(OURS) == 7
    assert {"hand-written loop", "torch DataLoader", "in memory", "streamed from disk"} <= {row[0] for row in rows}
    assert "VAMPNet 45-64-64-3: 7,299 weights, 20,298 samples of 45 numbers, batches of 512" in text


def test_too_little_to_measure():
    with pytest.raises(DataError, match="got 100 frames, 3 rounds, 1 threads: expected at least 20,000 frames"):
        bench_training(100)

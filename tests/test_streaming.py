"""Features on disk that are larger than what may be taken into memory are read while training."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from learning_fixtures import FAST, family_spec, features, fit_family, same_weights

import mdnb
from mdnb.errors import SpecError
from mdnb.models.base import Objective
from mdnb.training.batches import Batches, _memory_limit
from mdnb.training.prepare import prepare

HERE = Path(__file__).parent


@pytest.fixture
def stored(tmp_path, monkeypatch) -> mdnb.Features:
    """Torsions in a store on disk, of which nothing may be taken into memory."""
    monkeypatch.setattr("mdnb.training.batches._memory_limit", lambda: 0)
    return mdnb.featurize(features().source, "torsions", cache=tmp_path / "cache")


def both(family: str, data: mdnb.Features, objective: Objective | None = None, **options) -> tuple[Batches, Batches]:
    """Return the batches of the same training, streamed and from memory."""
    found = []
    for one in (data, features()):
        target = None if objective else "basin"
        plan = prepare(one, target, family_spec(family), mdnb.Training(**FAST), options.get("window"), objective)
        found.append(Batches(plan, torch.device("cpu")))
    assert [one.streamed for one in found] == [True, False]
    return found[0], found[1]


@pytest.mark.parametrize(
    ("family", "options"),
    [
        ("CNN", {}),
        ("RNN", {"window": mdnb.Window(length=4)}),
        ("CNN", {"objective": mdnb.SlowModes(lag_time=40.0)}),
    ],
)
def test_samples_are_those_of_memory(stored, family, options):
    streamed, memory = both(family, stored, **options)
    for part in ("train", "validation", "test"):
        for one, other in zip(streamed.part(part), memory.part(part), strict=True):
            assert torch.equal(one.x, other.x)
            assert (one.y is None) == (other.y is None)
            assert one.y is None or torch.equal(one.y, other.y)
            assert (one.later is None) == (other.later is None)
            assert one.later is None or torch.equal(one.later, other.later)


def test_every_sample_comes_once_in_an_epoch_and_from_all_over(stored, monkeypatch):
    streamed, memory = both("CNN", stored)
    for batches in (streamed, memory):
        orders = [batches.order(torch.Generator().manual_seed(seed), 20) for seed in (0, 0, 1)]
        flat = [torch.cat(order) for order in orders]
        assert torch.equal(flat[0], flat[1])
        assert not torch.equal(flat[0], flat[2])
        assert torch.equal(flat[0].sort().values, flat[2].sort().values)
        assert len({len(rows) for rows in orders[0]}) <= 2
    # With little read at once: a block is of a few runs, in another order each time.
    monkeypatch.setattr("mdnb.training.batches._RUN", 16)
    monkeypatch.setattr("mdnb.training.batches._READ", 200 * 4)
    order = streamed.order(torch.Generator().manual_seed(0), 20)
    train = set(torch.cat(order).tolist())
    assert len(train) == len(torch.cat(order)) == len(flat[0])
    first = torch.cat(list(order[:3])).sort().values
    assert (first.diff() > 1).any()
    assert (first.diff() == 1).sum() > len(first) / 2, "neighbours are read together"
    assert (torch.cat(list(order[:3])).diff() < 0).any()


@pytest.mark.parametrize(("family", "epochs", "near"), [("CNN", 12, 0.05), ("VAE", 30, 0.04)])
def test_it_learns_as_well_and_the_same_each_time(stored, family, epochs, near):
    target = "basin" if family == "CNN" else None
    run = fit_family(family, data=stored, target=target, epochs=epochs)
    assert same_weights(run, fit_family(family, data=stored, target=target, epochs=epochs))
    memory = fit_family(family, data=features(), target=target, epochs=epochs)
    (name,) = {"balanced accuracy", "reconstruction error"} & run.scores.keys()
    assert run.scores[name].value == pytest.approx(memory.scores[name].value, abs=near)


def test_killed_it_goes_on_bit_for_bit(stored, tmp_path, monkeypatch):
    monkeypatch.setattr("mdnb.training.loop.SAVE_EVERY", 0)

    class Killed(BaseException):
        pass

    def callback(row):
        if row["epoch"] == 2:
            raise Killed

    with pytest.raises(Killed):
        fit_family("CNN", data=stored, out=tmp_path / "run", callback=callback)
    resumed = mdnb.resume(tmp_path / "run")
    assert same_weights(resumed, fit_family("CNN", data=stored))


def test_how_much_may_be_taken_into_memory(monkeypatch):
    assert 1e8 < _memory_limit() < 1e13
    monkeypatch.setenv("MDNB_MEMORY", "0.5")
    assert _memory_limit() == 5e8


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA counts what is taken into memory on Linux only")
@pytest.mark.parametrize(("gigabytes", "fits"), [("0.1", True), ("10", False)])
def test_a_table_larger_than_the_memory(tmp_path, gigabytes, fits):
    """600 MB with 500 MB to spare: streamed it is trained on, and taken into memory it is too large."""
    values = np.lib.format.open_memmap(tmp_path / "values.npy", "w+", np.float32, (150_000, 1000))
    values[::100] = np.random.default_rng(0).standard_normal((1500, 1000), np.float32)  # the rest takes no disk
    values.flush()
    del values
    code = textwrap.dedent("""
        import resource, sys
        import mdtraj, numpy as np
        import mdnb
        from learning_fixtures import fit_family
        from mdnb.features.base import Column, Features

        fit_family("VAE", epochs=1)  # what is loaded once
        topology = mdtraj.Topology()
        topology.add_atom("CA", mdtraj.element.carbon, topology.add_residue("GLY", topology.add_chain()))
        n = 37_500
        still = mdtraj.Trajectory(np.zeros((n, 1, 3), np.float32), topology, time=np.arange(n))
        made = Features(
            np.load(sys.argv[1], mmap_mode="r"), tuple(Column(f"x{i}", "", (0,), "made") for i in range(1000)),
            np.repeat(np.arange(4), n), np.tile(np.arange(float(n)), 4), ("feature",), ("made",),
            mdnb.load([still] * 4),
        )
        used = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmData"))
        resource.setrlimit(resource.RLIMIT_DATA, (1024 * used + 500_000_000, resource.RLIM_INFINITY))
        training = mdnb.Training(epochs=2, batch_size=512, threads=1)
        try:
            run = mdnb.fit(made, None, mdnb.VAE(hidden=8, latent=2, components=2), training)
        except (MemoryError, RuntimeError) as error:
            print("no memory" if isinstance(error, MemoryError) or "memory" in str(error) else error)
        else:
            print(len(run.history), "epochs")
    """)
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "values.npy")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MDNB_MEMORY": gigabytes, "PYTHONPATH": os.pathsep.join([*sys.path, str(HERE)])},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip() == ("2 epochs" if fits else "no memory")


@pytest.mark.parametrize("asked", ["4GB", "-1", "nan"])
def test_a_limit_that_is_no_number_is_refused(monkeypatch, asked):
    monkeypatch.setenv("MDNB_MEMORY", asked)
    with pytest.raises(SpecError, match=rf"MDNB_MEMORY = '{asked}': expected a number of GB, such as 4 or 0.5"):
        _memory_limit()


def test_a_spread_of_a_part_is_every_so_many_of_its_samples_and_reads_no_more(stored, monkeypatch):
    batches, _ = both("CNN", stored)
    part = batches.part("validation")
    whole = torch.cat([batch.x for batch in part])
    assert len(part) == len(whole)
    assert torch.equal(torch.cat([batch.x for batch in part]), whole)  # a second time
    read = []
    gather = batches._frames_of
    monkeypatch.setattr(batches, "_frames_of", lambda numbers: (read.append(numbers.numel()), gather(numbers))[1])
    some = part.spread(7)
    assert torch.equal(some.x, whole[torch.linspace(0, len(whole) - 1, 7).round().long()])
    assert read == [7]
    assert torch.equal(part.spread(10**6).x, whole)

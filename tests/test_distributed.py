"""Two processes train as one: torchrun starts them once, and they do all cases one after another."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from distributed_cases import CASES, EPOCHS, KILLED_AFTER, fit_case
from safetensors.numpy import load_file

import mdnb

#: Seconds after which two processes that wait for each other are ended.
_ENOUGH = 120


def _torchrun(folder: Path, what: str) -> subprocess.CompletedProcess[str]:
    """Start two processes on this machine; one that waits for ever is an error."""
    script = Path(__file__).parent / "distributed_cases.py"
    command = [
        *[sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"],
        *[str(script), str(folder), what],
    ]  # fmt: skip
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:
        try:
            out, err = process.communicate(timeout=_ENOUGH)
        except subprocess.TimeoutExpired:
            process.terminate()  # then torchrun ends those that it has started, each in a session of its own
            out, err = process.communicate()
            pytest.fail(f"they wait for each other: {err[-4000:]}")
    return subprocess.CompletedProcess(command, process.returncode, out, err)


@pytest.fixture(scope="module")
def together(tmp_path_factory) -> Path:
    """What two processes have written, the first two of which are killed after an epoch."""
    folder = tmp_path_factory.mktemp("together")
    assert _torchrun(folder, "killed").returncode != 0
    state = json.loads((folder / "killed" / "run.training" / "state.json").read_text())
    assert state["epoch"] == KILLED_AFTER
    done = _torchrun(folder, "all")
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def read(folder: Path, case: str) -> list[tuple[dict, dict]]:
    """Return what each process says of a case, and the weights it has."""
    return [
        (
            json.loads((folder / f"{case}-{rank}.json").read_text()),
            load_file(folder / f"{case}-{rank}.safetensors"),
        )
        for rank in range(2)
    ]


@pytest.mark.parametrize("case", CASES)
class TestEveryCase:
    def test_both_have_the_same_weights_and_history(self, together, case):
        (first, weights), (second, others) = read(together, case)
        assert first == second
        assert len(first["history"]) == EPOCHS
        assert weights.keys() == others.keys()
        assert all(np.array_equal(weights[name], others[name]) for name in weights)

    def test_they_learn_what_one_alone_learns(self, together, case):
        (content, _), _ = read(together, case)
        alone = fit_case(case)
        if alone.model.average:  # a GAN's losses need not fall; both see the same data
            assert content["history"][-1]["coverage"] == pytest.approx(alone.history[-1]["coverage"], abs=0.35)
            return
        own = [row["validation_loss"] for row in content["history"]]
        one = [row["validation_loss"] for row in alone.history]
        assert min(own) < own[0]
        assert min(own) == pytest.approx(min(one), abs=0.25 * abs(one[0] - min(one)) + 0.05 * abs(min(one)))


def test_only_one_writes_and_the_run_is_whole(together):
    assert sorted(path.name for path in (together / "saved").iterdir()) == ["run"]
    loaded = mdnb.Run.load(together / "saved" / "run")
    (_, weights), _ = read(together, "saved")
    assert all(np.array_equal(value.numpy(), weights[name]) for name, value in loaded.model.state_dict().items())


def test_killed_they_go_on_to_the_same_weights(together):
    (uninterrupted, whole), _ = read(together, "saved")
    for content, weights in read(together, "resumed"):
        assert content == uninterrupted
        assert all(np.array_equal(weights[name], whole[name]) for name in whole)
    assert sorted(path.name for path in (together / "killed").iterdir()) == ["run"]


def test_a_script_that_opens_no_group_trains_as_often_as_it_likes(tmp_path):
    done = _torchrun(tmp_path, "one after another")
    assert done.returncode == 0, done.stderr[-4000:]
    assert "destroy_process_group" not in done.stderr, "torch complains of a group that was left open"
    (_, first), (_, others) = read(tmp_path, "fit-0")
    assert all(np.array_equal(first[name], others[name]) for name in first)
    for content, weights in read(tmp_path, "fit-4"):
        assert len(content["history"]) == EPOCHS
        assert all(np.array_equal(weights[name], first[name]) for name in first)


def test_errors_are_told_by_both(together):
    for rank in range(2):
        told = json.loads((together / f"errors-{rank}.json").read_text())
        assert "1 training samples do not feed 2 processes; start fewer" in told["too few"]
        assert "is not a number in epoch 1" in told["not finite"]
        assert ("cannot be written", "another process of this training has failed")[rank] in told["unwritable"]
        assert told["unwritable afterwards"] == "still together"

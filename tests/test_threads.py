"""The number of threads: tried out where it matters, with a clock that the tests turn, and remembered."""

import json
import os
from types import SimpleNamespace

import pytest
import torch

from mdnb.training import threads
from mdnb.training.threads import choose_threads, torch_threads


class Machine:
    """Two cores, and a clock that only the steps move on."""

    def __init__(self, seconds: dict[int, list[float]]) -> None:
        self.now, self.steps, self._seconds = 0.0, 0, seconds

    def perf_counter(self) -> float:
        return self.now

    def step(self) -> None:
        """Take as long as the next entry for the number of threads says, over and over."""
        mine = self._seconds[torch.get_num_threads()]
        self.now += mine[self.steps // 4 % len(mine)]
        self.steps += 1


@pytest.fixture(autouse=True)
def two_cores(monkeypatch, tmp_path):
    monkeypatch.setenv("MDNB_CACHE", str(tmp_path))
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    monkeypatch.setattr(threads, "_flops", lambda step: 1e9)


def chosen(monkeypatch, one: list[float], two: list[float], kind: str = "a CNN") -> tuple[int, Machine]:
    machine = Machine({1: one, 2: two})
    monkeypatch.setattr(threads, "time", SimpleNamespace(perf_counter=machine.perf_counter))
    before = torch.get_num_threads()
    found = choose_threads(kind, machine.step)
    assert torch.get_num_threads() == before
    return found, machine


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ([0.10], [0.06], 2),
        ([0.10], [0.08], 2),
        ([0.10], [0.09], 1),  # gains less than 15%
        ([0.10], [0.50], 1),
        ([0.10], [0.06, 0.6, 0.6], 1),  # a busy machine: quick now and then
        ([5.0], [3.0], 2),  # one try of each is enough
    ],
)
def test_more_threads_where_they_gain(monkeypatch, one, two, expected):
    found, machine = chosen(monkeypatch, one, two)
    assert found == expected
    assert machine.now < max(3.0, 2 * (one[0] + two[0]) + 0.1)


def test_it_is_remembered_for_this_machine(monkeypatch, tmp_path):
    assert chosen(monkeypatch, [0.1], [0.06])[0] == 2
    (key,) = json.loads((tmp_path / "threads.json").read_text())
    assert key.startswith("a CNN, 2 cores, torch 2.")
    found, machine = chosen(monkeypatch, [0.1], [0.5])
    assert (found, machine.steps) == (2, 0)
    assert chosen(monkeypatch, [0.1], [0.5], kind="an RNN")[0] == 1
    assert chosen(monkeypatch, [0.1], [0.06])[0] == 2


@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b'{"a": "two"}', b"\xff\xfe", b'{"a": null}'])
def test_a_damaged_file_is_made_anew(monkeypatch, tmp_path, content):
    (tmp_path / "threads.json").write_bytes(content)
    assert chosen(monkeypatch, [0.1], [0.06])[0] == 2
    assert list(json.loads((tmp_path / "threads.json").read_text()).values()) == [2]


def test_what_was_remembered_beyond_the_cores_is_not_believed(monkeypatch, tmp_path):
    chosen(monkeypatch, [0.1], [0.06])
    path = tmp_path / "threads.json"
    path.write_text(json.dumps(dict.fromkeys(json.loads(path.read_text()), 4000)))
    assert chosen(monkeypatch, [0.1], [0.06])[0] == 2


def test_where_nothing_can_be_kept_it_is_tried_each_time(monkeypatch, tmp_path):
    file = tmp_path / "a file"
    file.touch()
    monkeypatch.setenv("MDNB_CACHE", str(file))
    assert chosen(monkeypatch, [0.1], [0.06])[0] == 2
    assert chosen(monkeypatch, [0.1], [0.5])[0] == 1


def test_the_oldest_is_forgotten(monkeypatch, tmp_path):
    monkeypatch.setattr(threads, "_REMEMBERED", 3)
    for number in range(5):
        chosen(monkeypatch, [0.1], [0.06], kind=f"network {number}")
    known = json.loads((tmp_path / "threads.json").read_text())
    assert [key.split(",")[0] for key in known] == ["network 2", "network 3", "network 4"]


def test_a_small_step_is_not_tried(monkeypatch, tmp_path):
    monkeypatch.undo()
    monkeypatch.setenv("MDNB_CACHE", str(tmp_path))
    layer, x = torch.nn.Linear(45, 64), torch.ones(256, 45)
    steps = []

    def step():
        steps.append(None)
        layer(x).sum().backward()

    assert choose_threads("small", step) == 1
    assert len(steps) <= 1
    assert not list(tmp_path.iterdir())


def test_one_core_has_no_choice(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3}, raising=False)
    assert choose_threads("a CNN", lambda: pytest.fail("was tried")) == 1


def test_the_number_is_set_back_after_an_error():
    before = torch.get_num_threads()

    def fail():
        with torch_threads(before + 1):
            assert torch.get_num_threads() == before + 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert torch.get_num_threads() == before

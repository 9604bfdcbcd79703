"""mdnb bench slow: all contenders are scored on the same pairs, and ours is at the ceiling where it is known."""

import re

import pytest

from mdnb.bench import slow
from mdnb.bench.slow import bench_slow, sqrt_model
from mdnb.cli import main
from mdnb.errors import DataError, SpecError


def rows(text):
    """Return the scores (mean, least, most) of each contender."""
    found = re.findall(r"^  (\S.*?) +([\d.]+) +([\d.]+) +([\d.]+)", text, re.M)
    return {name: tuple(map(float, numbers)) for name, *numbers in found}


def test_sqrt_model():
    text = bench_slow([sqrt_model(6, 2500)], seeds=1, epochs=20)
    found = rows(text)
    assert list(found) == [
        "mdnb MLP", "deeptime VAMPNet", "deeptime VAMPNet (0.01)", "linear VAMP", "the hidden states",
    ]  # fmt: skip
    ceiling = found["the hidden states"][0]
    assert 1.75 < ceiling < 1.86  # 1.81 in the limit of many frames
    assert found["linear VAMP"][0] < 1.4
    assert found["mdnb MLP"][1] > ceiling - 0.03  # the least of the seeds
    assert found["mdnb MLP"][2] < ceiling + 0.01
    assert "by trajectory: 3 train, 1 validate, 2 test" in text


def test_the_command(capsys, monkeypatch):
    monkeypatch.setattr(slow, "SYSTEMS", {"sqrt": lambda: sqrt_model(4, 300)})
    assert main(["bench", "slow", "--systems", "sqrt", "--seeds", "1", "--epochs", "1", "--cnn"]) == 0
    assert {"mdnb MLP", "mdnb CNN", "deeptime VAMPNet"} <= set(rows(capsys.readouterr().out))


@pytest.mark.slow
def test_real_data_at_least_deeptime(extra_data):
    """Two folds, one seed: the whole comparison is `mdnb bench slow --systems msmb`."""
    system = slow.SYSTEMS["msmb"]()
    text = bench_slow([slow.System(system.title, system.features, 10.0, 3)], seeds=1, epochs=10)
    found = rows(text)
    assert found["mdnb MLP"][0] > found["deeptime VAMPNet"][0] - 0.002
    assert found["mdnb MLP"][0] > found["linear VAMP"][0] + 0.01


def test_refusals(monkeypatch):
    with pytest.raises(SpecError, match="unknown system 'sqr': did you mean 'sqrt'"):
        bench_slow(["sqr"])
    with pytest.raises(DataError, match="got 0 seeds and 30 epochs"):
        bench_slow(["sqrt"], seeds=0)
    monkeypatch.delenv("MDNB_EXTRA_DATA", raising=False)
    with pytest.raises(DataError, match=r"ala2_msmb_data .* is not here; put its folder where MDNB_EXTRA_DATA"):
        bench_slow(["msmb"], seeds=1, epochs=1)

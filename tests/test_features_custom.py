"""A user's own featurizer, in ten lines."""

import copy

import numpy as np
import pytest

import mdnb
from mdnb.errors import DataError, SpecError
from mdnb.features import FEATURIZERS, Column, featurize, featurizer
from mdnb.features.custom import _restore


@pytest.fixture(autouse=True)
def registry():
    """Names made in a test are gone after it."""
    before = dict(FEATURIZERS)
    yield
    FEATURIZERS.clear()
    FEATURIZERS.update(before)


@pytest.fixture(scope="module")
def tens(alanine):
    return mdnb.load([alanine.frames(range(0, 1000, 100)), alanine.frames(range(3000, 4000, 100))])


def ends(topology):
    first, last = topology.select("name C")[[0, -1]]
    return [("end to end", "nm", (first, last))]


def end_to_end(chunk, columns):
    first, last = columns[0].atom_indices
    return np.linalg.norm(chunk.positions[:, first] - chunk.positions[:, last], axis=1)


def test_ten_lines(tens):
    assert featurizer("end-to-end", columns=ends)(end_to_end) is end_to_end
    features = featurize(tens, ["torsions", "end-to-end"], chunk_size=3)
    assert features.featurizers == ("torsions", "end-to-end")
    places = tens.frames(slice(None)).xyz
    first, last = tens.topology.select("name C")[[0, -1]]
    expected = np.linalg.norm(places[:, first] - places[:, last], axis=1)
    assert np.array_equal(features.column("end to end"), expected)
    assert features.columns[-1] == Column("end to end", "nm", (first, last), "end to end")
    assert np.array_equal(featurize(tens, "end-to-end").values, features.values[:, -1:])


def test_given_columns_and_velocities(alanine, chunk):
    @featurizer("speed", columns=[Column("speed a", "nm/ps", (0,)), ("speed b", "nm/ps", [1])], velocities=True)
    def speed(chunk):
        return np.linalg.norm(chunk.velocities[:, :2], axis=-1)

    features = featurize(alanine[0], "speed")
    assert np.allclose(features.values, np.linalg.norm(chunk.velocities[:, :2], axis=-1))
    assert features.names == ("speed a", "speed b")
    with pytest.raises(DataError, match="in memory has no velocities"):
        featurize(alanine[0].frames([0, 1]), "speed")


def test_a_definition_is_replaced_by_running_it_again(tens):
    for value in (1, 2):
        featurizer("constant", columns=[("constant", "", (0,))])(lambda chunk, value=value: _constant(chunk, value))
    assert set(featurize(tens, "constant").values.ravel()) == {2}


def _constant(chunk, value):
    return np.full(len(chunk.positions), value)


def test_it_travels_to_another_process(tens):
    """As pickle takes it apart: the function, its columns and what has been prepared."""
    featurizer("end-to-end", columns=ends)(end_to_end)
    maker = FEATURIZERS["end-to-end"]()
    reference = tens.frames(0).xyz[0]
    maker.prepare(tens.topology, reference)
    restore, arguments = maker.__reduce__()
    assert restore is _restore
    FEATURIZERS.pop("end-to-end")
    there = restore(*arguments)
    chunk = next(tens.chunks())
    assert np.array_equal(there.compute(chunk), maker.compute(chunk))
    assert copy.copy(there).name == "end-to-end"
    assert "end-to-end" not in FEATURIZERS


def test_refusals(tens):
    with pytest.raises(SpecError, match=r"the name 'torsions' cannot be given .* that of a feature of mdnb; choose"):
        featurizer("torsions", columns=ends)
    with pytest.raises(SpecError, match=r"@featurizer\('new'\) got 3, expected a function of a chunk of frames"):
        featurizer("new", columns=ends)(3)
    columns = [("height", "nm", (0,))]
    featurizer("whole", columns=columns)(lambda chunk: chunk.positions)
    with pytest.raises(
        DataError, match=r"'whole' returned an array of float32 and shape \(10, 22, 3\) for a chunk of "
    ):
        featurize(tens, "whole")
    featurizer("words", columns=columns)(lambda chunk: np.array(["a"] * len(chunk.positions)))
    with pytest.raises(DataError, match=r"'words' returned an array of <U1 .*, expected numbers of shape \(10, 1\)"):
        featurize(tens, "words")
    featurizer("far", columns=[("far", "nm", (99,))])(end_to_end)
    with pytest.raises(DataError, match=r"'far': the column 'far' names the atom 99; there are 22 \(0 to 21\)"):
        featurize(tens, "far")
    with pytest.raises(DataError, match=r"'short': got the column 'height', expected \(name, unit, atom indices\)"):
        featurizer("short", columns=["height"])
    featurizer("none", columns=[])(end_to_end)
    with pytest.raises(DataError, match=r"'none' finds nothing in .*: its list of columns is empty"):
        featurize(tens, "none")

"""Pictures of structures: colours, bonds, and HTML in which every text is text."""

import base64
import json
import re

import mdtraj
import numpy as np
import pytest

import mdnb
from mdnb.errors import DataError
from mdnb.pictures import Scale, drawing, structure_html, structure_png


@pytest.fixture(scope="module")
def dipeptide():
    return mdnb.example("alanine-dipeptide").frames(range(0, 300, 10))


@pytest.fixture(scope="module")
def peptide():
    return mdnb.example("chignolin").frames([0, 1, 2])


def model(html):
    return json.loads(re.search(r'class="mdnb-model">(.*?)</script>', html, re.DOTALL)[1])


def test_the_scale_is_symmetric_with_grey_at_zero():
    scale = Scale.of(np.array([-1.0, 3.0, np.nan]))
    low, zero, high, missing = scale.colours(np.array([-3.0, 0.0, 3.0, np.nan]))
    assert scale.limit == 3
    assert zero == "#e1e1e1"
    assert int(low[5:], 16) > int(low[1:3], 16)  # blue
    assert int(high[1:3], 16) > int(high[5:], 16)  # orange
    assert missing == "#9b9b9b"
    assert Scale.of(np.zeros(3)).limit == 1


def test_a_drawing_has_the_bonds_of_the_molecule(dipeptide, peptide):
    assert len(drawing(dipeptide).bonds) == 21
    assert not drawing(dipeptide).cartoon
    assert drawing(peptide).cartoon
    bare = mdtraj.Trajectory(dipeptide.xyz, dipeptide.topology.copy())
    bare.topology._bonds = []
    assert len(drawing(bare).bonds) == 21


def test_structures_are_superposed_and_the_input_is_left_alone(dipeptide):
    before = dipeptide.xyz.copy()
    shifted = dipeptide[:2]
    shifted.xyz[1] = shifted.xyz[0] @ np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]]) + 5
    positions = drawing(shifted).positions
    np.testing.assert_allclose(positions[0], positions[1], atol=0.01)
    distances = [np.linalg.norm(x[0] - x[5]) for x in (positions[0], shifted.xyz[0] * 10)]
    assert distances[0] == pytest.approx(distances[1], rel=1e-4)
    drawing(dipeptide)
    np.testing.assert_array_equal(before, dipeptide.xyz)


def test_values_must_be_one_per_atom(dipeptide):
    with pytest.raises(DataError, match=r"shape \(3,\), expected \(22,\)"):
        mdnb.StructureView(dipeptide, [1, 2, 3])
    with pytest.raises(DataError, match="must be numbers"):
        mdnb.StructureView(dipeptide, ["a"] * 22)


def test_html_escapes_and_holds_a_still_picture(dipeptide):
    topology = dipeptide.topology.copy()
    topology.atom(0).name = "</script><b>"
    odd = mdtraj.Trajectory(dipeptide.xyz[:2], topology)
    html = structure_html(drawing(odd, np.linspace(-1, 1, 22), unit="<u>"), caption="<img src=x>", names=["<i>", "b"])
    assert not re.search(r"<img src=x>|<u>|<i>|<b>", html)
    assert html.count("</script>") == 1
    assert model(html)["name"][0] == "</script><b>"
    png = base64.b64decode(re.search(r"base64,([^\"]+)", html)[1])
    assert png.startswith(b"\x89PNG")
    assert "alt=" in html


def test_a_large_protein_is_drawn_as_its_trace(peptide):
    picture = drawing(peptide)
    assert structure_png(picture, frame=2).startswith(b"\x89PNG")
    topology = peptide.topology
    for _ in range(2):
        topology = topology.join(peptide.topology)
    large = mdtraj.Trajectory(np.concatenate([peptide.xyz[0] + shift for shift in (0, 2, 4)])[None], topology)
    assert structure_png(drawing(large)).startswith(b"\x89PNG")

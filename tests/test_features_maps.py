"""Two- and three-dimensional features: known values from mdtraj and MDAnalysis, and the CNN that takes them."""

import mdtraj
import numpy as np
import pytest
from MDAnalysis.analysis.distances import distance_array
from moved import BOX, computed, moved

import mdnb
from mdnb.chunk import Chunk
from mdnb.errors import DataError
from mdnb.features import ContactMap, DistanceMap, Voxels, featurize


@pytest.fixture(scope="module")
def folded(chignolin):
    return mdnb.load(chignolin.frames(np.linspace(0, chignolin.n_frames - 1, 30).astype(int)))


@pytest.fixture(scope="module")
def exact(folded):
    """The same frames in mdtraj."""
    return folded.frames(slice(None))


def test_maps(folded, exact):
    distances = featurize(folded, "distance-map")
    ca = exact.topology.select("name CA")
    expected = np.stack([distance_array(frame[ca], frame[ca]) for frame in exact.xyz])
    assert (distances.shape, distances.axes) == ((10, 10), ("residue", "residue"))
    assert np.abs(distances.values - expected).max() < 2e-6
    assert np.array_equal(distances.values, distances.values.swapaxes(1, 2))
    assert distances.columns[13].name == "distance-map TYR2-CA PRO4-CA"
    assert distances.columns[13].atom_indices == (ca[1], ca[3])
    assert distances.columns[13].group == distances.columns[31].group
    assert distances.columns[11].atom_indices == (ca[1],)
    contacts = featurize(folded, "contact-map")
    pairs = [(a, b) for a in range(10) for b in range(10) if a != b]
    closest = mdtraj.compute_contacts(exact, pairs, scheme="closest-heavy", ignore_nonprotein=False)[0]
    for (a, b), distance in zip(pairs, closest.T, strict=True):
        assert np.abs(contacts.values[:, a, b] - 1 / (1 + np.exp((distance - 0.45) / 0.03))).max() < 1e-4
    assert contacts.values[:, range(10), range(10)].min() > 0.999
    hard = featurize(folded, ContactMap(width=0)).values
    assert np.array_equal(hard[:, *zip(*pairs, strict=True)], (closest < 0.45).astype(np.float32))
    upper = featurize(folded, "contacts")
    assert np.allclose(upper.values, contacts.values[:, *np.triu_indices(10, 3)], atol=1e-6)


def test_a_distance_map_of_atoms(alanine):
    features = featurize(alanine[0], DistanceMap("element != H"))
    assert (features.shape, features.axes) == ((10, 10), ("atom", "atom"))


def test_voxels(folded, exact):
    """The sum of Gaussians on mdtraj's superposed frames, at every cell."""
    maker = Voxels("element N", n_cells=9, spacing=0.25, width=0.15)
    features = featurize(folded, maker)
    assert (features.shape, features.axes) == ((9, 9, 9), ("x", "y", "z"))
    ca = exact.topology.select("name CA")
    aligned = moved(exact, 1).superpose(exact, 0, ca)
    places = aligned.xyz - aligned.xyz[:1, ca].mean(1, keepdims=True)
    places = places[:, exact.topology.select("element N")].astype(np.float64)
    line = 0.25 * np.arange(-4, 5)
    for x, y, z in [(0, 0, 0), (4, 4, 4), (2, 5, 3), (5, 4, 6)]:
        squares = ((places - (line[x], line[y], line[z])) ** 2).sum(-1)
        expected = (np.exp(-squares / 0.15**2 / 2) / (0.15 * np.sqrt(2 * np.pi)) ** 3).sum(1)
        assert np.abs(features.values[:, x, y, z] - expected).max() < 2e-3
    assert features.columns[0].name == "density -1.000 -1.000 -1.000"
    assert features.columns[0].unit == "1/nm^3"
    whole = featurize(folded, Voxels(n_cells=40))
    assert np.abs(whole.values.sum((1, 2, 3)) * 0.15**3 - 93).max() < 0.01  # of 93 heavy atoms


def test_voxels_have_a_channel_for_each_element(folded):
    grid = {"n_cells": 7, "spacing": 0.3, "width": 0.2}
    features = featurize(folded, Voxels(channels="elements", **grid))
    assert (features.shape, features.axes) == ((3, 7, 7, 7), ("channel", "x", "y", "z"))
    assert [name for name in features.names if name.endswith("0.000 0.000 0.000")] == [
        "density N 0.000 0.000 0.000", "density C 0.000 0.000 0.000", "density O 0.000 0.000 0.000"
    ]  # fmt: skip
    elements = {folded.topology.atom(index).element.symbol for index in features.columns[400].atom_indices}
    assert elements == {"C"}
    for number, element in enumerate("NCO"):
        alone = featurize(folded, Voxels(f"element {element}", **grid))
        assert np.array_equal(features.values[:, number], alone.values)
    named = featurize(folded, Voxels(channels=["O", "resname TRP"], around="name CA", **grid))
    assert named.shape == (2, 7, 7, 7)
    whole = featurize(folded, Voxels(**grid))
    assert np.abs(features.values.sum(1) - whole.values).max() < 1e-3
    with pytest.raises(DataError, match="none of the atoms of channel 'H' is among the selection 'element != H'"):
        featurize(folded, Voxels(channels=["C", "H"]))
    with pytest.raises(DataError, match=r"channels = 'C': expected 'elements' or a list, such as channels=\['C'"):
        Voxels(channels="C")
    with pytest.raises(DataError, match=r"channels = \('C', 'C'\): expected at least one, each once"):
        Voxels(channels=["C", "C"])


def test_voxels_take_the_nearest_image(exact):
    """Atoms elsewhere in a box fill the grid as if they were beside the molecule they surround."""
    maker = Voxels("element O", around="name CA", n_cells=8, spacing=0.2)
    whole = computed(maker, exact, Chunk(positions=exact.xyz, time=exact.time))
    far = exact.xyz + np.zeros(3, np.float32)
    far[:, exact.topology.select("element O")] += (BOX[2] - 2 * BOX[0]).astype(np.float32)
    boxes = np.tile(BOX.astype(np.float32), (len(exact), 1, 1))
    images = computed(maker, exact, Chunk(positions=far, time=exact.time, box=boxes))
    assert np.abs(images - whole).max() < 1e-3 * whole.max()


@pytest.mark.parametrize(
    ("maker", "layer"),
    [
        (DistanceMap("element != H"), "Conv2d(1, 4"),
        (Voxels(n_cells=6, spacing=0.2, width=0.1), "Conv3d(1, 4"),
        (Voxels(channels=["C", "N", "O"], n_cells=6, spacing=0.2, width=0.1), "Conv3d(3, 4"),
    ],
)
def test_the_cnn_takes_maps_and_voxels(alanine, maker, layer):
    features = featurize(mdnb.load([alanine[k].frames(range(0, 3000, 30)) for k in (0, 1)]), maker)
    model = mdnb.CNN(channels=4, layers=1, hidden=8)
    run = mdnb.fit(features, np.arange(200) % 2, model, mdnb.Training(epochs=2, seed=0))
    assert layer in repr(run.model)
    assert np.isfinite(list(run.history[-1].values())).all()

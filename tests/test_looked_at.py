"""Of each frame only the atoms that somebody looks at are decoded and kept; the numbers stay the same."""

import struct
from dataclasses import replace

import mdtraj
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_featurizer_contract import maker_of
from test_periodic import BOXES, put_into

import mdnb
from mdnb.chunk import Chunk
from mdnb.features import FEATURIZERS, RMSD, Distances, LigandContacts, RadiusOfGyration, featurize
from mdnb.features.work import Work
from mdnb.formats.registry import open_trajectory
from mdnb.formats.xtc_decoder import WRONG, Wanted, decode_frames
from mdnb.frame_reader import FrameReader


@pytest.fixture(scope="module")
def xtc(chignolin, tmp_path_factory):
    """Return the path of twenty frames of 166 atoms, and the positions that mdtraj reads of them."""
    path = tmp_path_factory.mktemp("looked-at") / "a.xtc"
    frames = chignolin.frames(range(0, 2000, 100))
    frames.save_xtc(str(path))
    return path, mdtraj.load(str(path), top=frames.topology)


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_atoms_looked_at_are_those_of_mdtraj_bit_for_bit(xtc, data):
    path, theirs = xtc
    some = st.lists(st.integers(0, 165), min_size=1, unique=True)
    atoms = np.array(sorted(data.draw(some))) if data.draw(st.booleans()) else None
    n_atoms = 166 if atoms is None else len(atoms)
    looked_at = np.array(data.draw(st.lists(st.integers(0, n_atoms - 1), min_size=1, unique=True)))
    expected = theirs.xyz if atoms is None else theirs.xyz[:, atoms]
    reader = FrameReader([open_trajectory(path)], atoms, 3, None)
    frames, places = reader.read(0, 2, 17, False, False, looked_at)
    assert frames.positions.shape == (5, len(looked_at), 3)
    assert frames.positions.tobytes() == expected[2:17:3][:, looked_at].tobytes()
    assert places.tolist() == [looked_at.tolist().index(k) if k in looked_at else -1 for k in range(n_atoms)]
    every, none = reader.read(0, 2, 17, False, False, None)
    assert every.positions.tobytes() == np.ascontiguousarray(expected[2:17:3]).tobytes()
    assert none is None


def test_an_atom_that_was_not_read_is_missed(chignolin):
    chunk = chignolin[0].read(0, 0, 2)
    assert chunk.places_of(np.array([3, 1])).tolist() == [3, 1]
    some = replace(chunk, positions=chunk.positions[:, [4, 2]], places=np.array([-1, -1, 1, -1, 0]))
    assert some.places_of(np.array([2, 4, 2])).tolist() == [1, 0, 1]
    with pytest.raises(IndexError, match="atom 3 was not read: the featurizer does not name it in looks_at"):
        some.places_of(np.array([4, 3]))


def test_atoms_may_be_chosen_in_any_order(xtc):
    path, theirs = xtc
    for atoms in ([2, 1, 0], [160, 3, 3, 7], [165]):
        found = open_trajectory(path).read(0, 20, 1, np.array(atoms), False, False).positions
        assert np.array_equal(found, theirs.xyz[:, atoms])


def test_fields_too_wide_for_the_fast_way_are_decoded_too(xtc, tmp_path):
    """An atom 20 micrometres away makes fields of more than 40 bits."""
    _, frames = xtc
    far = frames[:3]
    far.xyz[:, 100] += 20_000
    far.save_xtc(str(tmp_path / "far.xtc"))
    theirs = mdtraj.load(str(tmp_path / "far.xtc"), top=frames.topology).xyz
    atoms = np.array([100, 4, 101, 60])
    found = open_trajectory(tmp_path / "far.xtc").read(0, 3, 1, atoms, False, False).positions
    assert np.array_equal(found, theirs[:, atoms])


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), header=st.booleans())
def test_damaged_frames_say_the_same_whoever_is_looked_at(xtc, seed, header):
    random = np.random.default_rng(seed)
    content = bytearray(xtc[0].read_bytes())
    (n_bytes,) = struct.unpack_from(">i", content, 88)
    frame = content[: 92 + (n_bytes + 3) // 4 * 4]
    first, last = (56, 92) if header else (92, len(frame))
    for place in random.integers(first, last, random.integers(1, 4)):
        frame[place] ^= 1 << int(random.integers(8))
    padded, begins = np.frombuffer(bytes(frame) + bytes(16), np.uint8), np.array([0, len(frame)])
    looked_at = np.append(np.flatnonzero(random.random(166) < 0.2), 165)
    every, some = np.zeros((1, 166, 3), np.float32), np.zeros((1, len(looked_at), 3), np.float32)
    box = np.empty((1, 9), np.float32)
    wanted = Wanted.of(166, looked_at)
    _, wrong = decode_frames(padded, begins, 166, 166, every, box, None, None)
    _, wrong_too = decode_frames(padded, begins, 166, wanted.n_decoded, some, box, wanted.chosen, wanted.latest)
    assert wrong == wrong_too
    assert wrong in (0, *WRONG)
    if not wrong:
        assert every[:, looked_at].tobytes() == some.tobytes()


@pytest.mark.parametrize(
    "name",
    [
        "torsions", "distances", "ca-distances", "ca-contacts", "contacts", "residue-distances", "rmsd",
    ],
)  # fmt: skip
def test_other_positions_may_be_anything(chignolin, name):
    """What a featurizer does not say that it looks at does not change its numbers."""
    maker, source = maker_of(name), chignolin[0]
    maker.prepare(source.topology, source.frames(0).xyz[0])
    assert len(maker.looks_at) < source.n_atoms
    chunk = source.read(0, 0, 5)
    positions = np.full_like(chunk.positions, np.nan)
    positions[:, maker.looks_at] = chunk.positions[:, maker.looks_at]
    others = Chunk(**{**vars(chunk), "positions": positions})
    assert np.asarray(maker.compute(others)).tobytes() == np.asarray(maker.compute(chunk)).tobytes()


@pytest.mark.parametrize("chosen", [{}, {"selection": "protein and not element H"}], ids=["all", "heavy"])
@pytest.mark.parametrize("make_whole", [True, False, "together"])
def test_molecules_are_whole_although_not_all_of_them_is_read(chignolin, tmp_path, make_whole, chosen):
    """The atoms along the bonds to those looked at are read too."""
    cut = put_into(chignolin[0].frames(range(0, 200, 20)), BOXES["octahedron"])
    cut.save_xtc(str(tmp_path / "cut.xtc"))
    opened = mdnb.load(tmp_path / "cut.xtc", top=cut.topology, make_whole=make_whole, **chosen)
    for features in (["rmsd", "torsions"], ["ca-contacts", "radius-of-gyration"], "residue-distances"):
        found = featurize(opened, features)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Work, "looks_at", None, raising=True)
            expected = featurize(opened, features)
        assert found.values.tobytes() == expected.values.tobytes()


def test_what_a_subclass_of_a_users_computes_counts(xtc):
    """Not what its parent looks at, nor what that writes into the table."""

    class SpreadOfAtoms(RadiusOfGyration):
        """As a user may write one, by the places of atoms."""

        name = "test-spread-of-atoms"

        def compute(self, chunk):
            return chunk.positions[:, self._atoms].std((1, 2))[:, None]

    class SumOfDistances(Distances):
        name = "test-sum-of-distances"

        def compute(self, chunk):
            return super().compute(chunk) * 2

    path, frames = xtc
    atoms = frames.topology.select("resid 0 to 3 and name CB")
    for more in ([], ["contacts"]):
        made = featurize(mdnb.load(path, top=frames.topology), [SpreadOfAtoms("resid 0 to 3 and name CB"), *more])
        assert np.allclose(made.flat()[:, 0], frames.xyz[:, atoms].std((1, 2)), atol=1e-6)
    own = featurize(mdnb.load(path, top=frames.topology), SumOfDistances(pairs=[(0, 50), (3, 90)]))
    theirs = 2 * mdtraj.compute_distances(frames, [(0, 50), (3, 90)])
    assert np.allclose(own.values, theirs, atol=1e-5)
    del FEATURIZERS[SpreadOfAtoms.name], FEATURIZERS[SumOfDistances.name]


@pytest.mark.parametrize("make_whole", [True, False])
def test_only_some_of_the_files_have_a_box(chignolin, tmp_path, make_whole):
    cut = put_into(chignolin[0].frames(range(0, 200, 20)), BOXES["octahedron"])
    cut.save_xtc(str(tmp_path / "cut.xtc"))
    chignolin[1].frames(range(0, 200, 20)).save_xtc(str(tmp_path / "free.xtc"))
    cut.save_dcd(str(tmp_path / "cut.dcd"))
    files = [tmp_path / name for name in ("free.xtc", "cut.xtc", "cut.dcd")]
    opened = mdnb.load(files, top=cut.topology, make_whole=make_whole, stride=3, selection="not element H")
    asked = ["rmsd", RMSD(selection="element O", align="name CA"), "contacts", "torsions", "ca-contacts"]
    for features in (asked[:1], asked[1:2], [LigandContacts(ligand="resid 0 1")], asked[2:]):
        found = featurize(opened, features, n_jobs=2, chunk_size=2)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Work, "looks_at", None, raising=True)
            expected = featurize(opened, features)
        assert found.flat().tobytes() == expected.flat().tobytes()

"""Internal coordinates rebuild the molecule they came from, its hands included."""

import mdtraj
import numpy as np
import pytest

import mdnb
from mdnb.chunk import Chunk
from mdnb.errors import DataError
from mdnb.features import InternalCoordinates, featurize
from mdnb.features.superposition import rotations


def prepared(trajectories):
    maker = InternalCoordinates()
    maker.prepare(trajectories.topology, trajectories.frames(0).xyz[0])
    return maker


def superposed(moving, fixed):
    """Return the largest distance of an atom to its twin, per frame, after superposition."""
    moving, fixed = (array.astype(np.float64) for array in (moving, fixed))
    moving, fixed = (array - array.mean(1, keepdims=True) for array in (moving, fixed))
    turned = np.concatenate(
        [np.einsum("fai,fij->faj", a[None], rotations(a[None], b)) for a, b in zip(moving, fixed, strict=True)]
    )
    return np.linalg.norm(turned - fixed, axis=-1).max(1)


def hands(topology, positions):
    """Return the sign of the volume at each atom with four neighbours, (n_frames, n_centres)."""
    neighbours = {index: [] for index in range(topology.n_atoms)}
    for a, b in topology.bonds:
        neighbours[a.index].append(b.index)
        neighbours[b.index].append(a.index)
    signs = []
    for centre, row in neighbours.items():
        if len(row) == 4:
            first = positions[:, sorted(row)[:3]] - positions[:, [centre]]
            signs.append(np.sign(np.linalg.det(first)))
    return np.stack(signs, axis=1)


@pytest.fixture(scope="module", params=["alanine-dipeptide", "chignolin"])
def everything(request):
    """Return the featurizer, all positions, and all columns of one example."""
    trajectories = mdnb.example(request.param)
    maker = prepared(trajectories)
    positions = np.concatenate([chunk.positions for chunk in trajectories.chunks()])
    positions = positions[:: 4 if request.param == "alanine-dipeptide" else 1]
    return maker, positions, maker.compute(Chunk(positions, np.zeros(len(positions)))), trajectories


class TestExamples:
    def test_rebuilt(self, everything):
        """From the float32 columns that a model sees, every frame, every atom."""
        maker, positions, values, _ = everything
        rebuilt = maker.rebuild(values.astype(np.float32))
        error = superposed(rebuilt, maker.canonical(positions))
        assert error.max() < 1e-5, f"{error.max():.2e} nm"

    def test_canonical_is_the_same_molecule(self, everything):
        """Only hydrogens of one methyl group change places, so heavy atoms and all distances to others stay."""
        maker, positions, _, trajectories = everything
        canonical = maker.canonical(positions)
        methyl = {atom for place in maker.placements for atom in place.methyl}
        others = [index for index in range(trajectories.n_atoms) if index not in methyl]
        assert np.array_equal(canonical[:, others], positions[:, others])
        for place in maker.placements:
            if place.methyl:
                group = list(place.methyl)
                assert np.array_equal(np.sort(canonical[:, group], axis=1), np.sort(positions[:, group], axis=1))
                assert {trajectories.topology.atom(index).element.symbol for index in group} == {"H"}
        assert np.array_equal(maker.canonical(canonical), canonical)

    def test_number_of_columns(self, everything):
        maker, _, values, trajectories = everything
        n_siblings = sum(place.sibling >= 0 for place in maker.placements)
        n_atoms = trajectories.n_atoms
        assert values.shape[1] == 3 * n_atoms - 6 + (n_atoms - 3 - n_siblings)  # each first torsion has two columns
        assert len({column.name for column in maker.columns}) == values.shape[1]
        units = {column.name.split()[0]: column.unit for column in maker.columns}
        assert units == {"bond": "nm", "angle": "rad", "sin": "", "cos": "", "improper": "rad"}

    def test_hands_are_kept(self, everything):
        maker, positions, values, trajectories = everything
        canonical = maker.canonical(positions)
        assert np.array_equal(
            hands(trajectories.topology, maker.rebuild(values)), hands(trajectories.topology, canonical)
        )

    def test_the_mirror_image_differs(self, everything):
        """A reflection leaves bonds and angles and turns the sign of what says the hand."""
        maker, positions, values, _ = everything
        mirrored = maker.compute(Chunk(positions[:50] * np.float32([1, 1, -1]), np.zeros(50)))
        # The labels of a methyl group's hydrogens change places, so their lengths do too.
        methyl = {atom for place in maker.placements for atom in place.methyl}
        lengths = range(2 * len(maker.placements) - 3)
        same = [i for i in lengths if maker.columns[i].atom_indices[-1] not in methyl]
        assert np.allclose(mirrored[:, same], values[:50, same], atol=1e-6)
        impropers = [i for i, column in enumerate(maker.columns) if column.name.startswith("improper")]
        tetrahedral = [
            i
            for i in impropers
            if abs(abs(maker._by_atom[maker.columns[i].atom_indices[3]].offset) - 2 * np.pi / 3) < 0.1
        ]
        assert np.abs(mirrored[:, tetrahedral] - values[:50, tetrahedral]).min() > 1

    def test_deviations_are_small(self, everything):
        """The offset is the ideal one: 120 degrees at a tetrahedral centre, 180 at a flat one, so zero is ideal."""
        maker, _, values, _ = everything
        for number, column in enumerate(maker.columns):
            if column.name.startswith("improper"):
                place = maker._by_atom[column.atom_indices[3]]
                assert min(abs(abs(place.offset) - ideal) for ideal in (2 * np.pi / 3, np.pi)) < 1e-9, column.name
                assert abs(values[:, number].mean()) < 0.3, column.name
                assert np.abs(values[:, number]).max() < 2.0, column.name  # far from the jump at pi

    def test_methyl_labels_do_not_matter(self, everything):
        maker, positions, values, _ = everything
        groups = [list(place.methyl) for place in maker.placements if place.methyl]
        assert groups
        for group in groups:
            for turn in (1, 2):
                relabelled = positions[:200].copy()
                relabelled[:, group] = positions[:200, group[turn:] + group[:turn]]
                difference = np.abs(maker.compute(Chunk(relabelled, np.zeros(200))) - values[:200]).max(1)
                # Where the phase lies on the border between two labels, rounding decides; that is rare.
                assert np.quantile(difference, 0.98) < 1e-5


def test_the_first_three_atoms_span_the_frame(alanine):
    maker = prepared(alanine)
    values = featurize(alanine[0], InternalCoordinates()).values[:7]
    rebuilt = maker.rebuild(values)
    first, second, third = (place.atom for place in maker.placements[:3])
    assert np.array_equal(rebuilt[:, first], np.zeros((7, 3)))
    assert np.array_equal(rebuilt[:, second, 1:], np.zeros((7, 2)))
    assert np.array_equal(rebuilt[:, third, 2], np.zeros(7))


def test_sine_and_cosine_need_no_unit_circle(alanine):
    maker = prepared(alanine)
    values = maker.compute(next(alanine.chunks(5)))
    scaled = values.copy()
    pairs = [i for i, column in enumerate(maker.columns) if column.name.startswith(("sin", "cos"))]
    scaled[:, pairs] *= 0.3
    assert np.allclose(maker.rebuild(scaled), maker.rebuild(values), atol=1e-12)


def test_torsions_are_those_of_mdtraj(alanine):
    maker = prepared(alanine)
    frames = alanine.frames(range(0, 3000, 100))
    values = maker.compute(Chunk(frames.xyz, frames.time))
    canonical = mdtraj.Trajectory(maker.canonical(frames.xyz), frames.topology)
    for number, column in enumerate(maker.columns):
        if column.name.startswith("sin torsion"):
            angle = mdtraj.compute_dihedrals(canonical, [column.atom_indices])[:, 0]
            assert np.allclose(values[:, number], np.sin(angle), atol=2e-5)
            assert np.allclose(values[:, number + 1], np.cos(angle), atol=2e-5)
        elif column.name.startswith("bond"):
            expected = mdtraj.compute_distances(canonical, [column.atom_indices])[:, 0]
            assert np.allclose(values[:, number], expected, atol=1e-6)
        elif column.name.startswith("angle"):
            expected = mdtraj.compute_angles(canonical, [column.atom_indices])[:, 0]
            assert np.allclose(values[:, number], expected, atol=1e-4)


def test_refusals(alanine, sample):
    maker = prepared(alanine)
    with pytest.raises(DataError, match=r"got values of shape \(2, 5\), expected \(n_frames, \d+\)"):
        maker.rebuild(np.zeros((2, 5)))
    frames = alanine.frames([0, 1])
    two = frames.stack(mdtraj.Trajectory(frames.xyz + np.float32(2), frames.topology))
    with pytest.raises(DataError, match="needs one molecule of at least four bonded atoms; 22 of 44 atoms are conn"):
        featurize(two, "internal-coordinates")
    loose = mdtraj.Topology()
    residue = loose.add_residue("UNL", loose.add_chain())
    for number in range(5):
        loose.add_atom(f"C{number}", mdtraj.element.carbon, residue)
    with pytest.raises(DataError, match="needs the bonds of the molecule; its topology has none"):
        featurize(mdtraj.Trajectory(sample.positions[:, :5], loose), "internal-coordinates")

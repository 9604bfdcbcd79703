"""Players: what belongs together, and the game of residues, atoms and times."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from learning_fixtures import FAST, features, fit_family, trained, trajectories

import mdnb
from mdnb.errors import DataError, SpecError
from mdnb.explanation import GROUPINGS, Players
from mdnb.explanation.players import make_players


def players(kind, data, window=1):
    return make_players(kind, data.columns, window, data.topology, trajectories().frames(0).xyz[0])


@pytest.fixture(scope="module")
def peptide():
    chignolin = mdnb.example("chignolin")
    return mdnb.featurize(chignolin[:1], ["torsions", "ca-distances"]), chignolin.frames(0).xyz[0]


@pytest.mark.parametrize("kind", GROUPINGS)
def test_every_input_is_of_someone(kind):
    made = players(kind, features(), window=3)
    assert made.needs.shape == (12, len(made.names))
    assert made.needs.any(1).all()
    assert made.needs.any(0).all()
    assert len(set(made.names)) == len(made.names) == len(made.atoms)
    assert made.shares.sum(1) == pytest.approx(np.ones(12))


def test_what_the_groups_are():
    assert players("feature", features()).names == ("phi ALA2", "psi ALA2")
    assert players("residue", features()).names == ("ALA2",)  # three of the four atoms
    assert players("time", features(), 3).names == ("t-2", "t-1", "t+0")
    assert players("input", features(), 2).names[:5] == (
        *("sin phi ALA2 t-1", "cos phi ALA2 t-1", "sin psi ALA2 t-1", "cos psi ALA2 t-1", "sin phi ALA2 t+0"),
    )
    assert set(players("atom", features()).names) == {"ACE1-C", "ALA2-N", "ALA2-CA", "ALA2-C", "NME3-N"}


def test_of_a_peptide(peptide):
    data, reference = peptide
    by_residue = make_players("residue", data.columns, 1, data.topology, reference)
    assert by_residue.names == tuple(str(one) for one in data.topology.residues)
    distance = next(number for number, column in enumerate(data.columns) if column.unit == "nm")
    assert by_residue.needs[distance].sum() == 2
    assert by_residue.needs[: data.names.index("sin phi TYR2")].sum(1).tolist() == [
        1,
        1,
        2,
        2,
        1,
        1,
        1,
        1,
    ]  # omega is of two residues alike
    pairs = make_players("residue-pair", data.columns, 1, data.topology, reference)
    assert "TYR1 GLU5" in pairs.names or "TYR1 PRO4" in pairs.names
    elements = make_players("secondary-structure", data.columns, 1, data.topology, reference)
    assert all(name.split()[0] in ("helix", "strand", "coil") for name in elements.names)
    assert any(name.startswith("strand") for name in elements.names)  # a hairpin
    assert sorted(atom for own in elements.atoms for atom in own) == list(range(data.topology.n_atoms))


def test_secondary_structure_needs_a_structure():
    data = features()
    with pytest.raises(DataError, match="needs the reference structure"):
        make_players("secondary-structure", data.columns, 1, data.topology)
    with pytest.raises(SpecError, match="unknown grouping 'residues': did you mean 'residue'"):
        players("residues", data)


def test_present_means_that_all_are():
    needs = np.array([[True, False, False], [True, True, False], [False, False, True]])
    made = Players("residue", ("a", "b", "c"), needs, ((), (), ()))
    coalitions = np.array([[True, False, False], [True, True, False], [False, True, True]])
    assert made.present(coalitions).tolist() == [[True, False, False], [True, True, False], [False, False, True]]


@given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=6))
def test_more_players_never_remove_an_input(rows):
    needs = np.array([[True, False, True, False], [False, True, False, False], [True, True, True, True]])
    made = Players("atom", tuple("abcd"), needs, ((),) * 4)
    coalitions = np.array(rows, bool)
    grown = coalitions.copy()
    grown[:, 0] = True
    assert (made.present(grown) >= made.present(coalitions)).all()
    assert made.present(np.ones((1, 4), bool)).all()
    assert not made.present(np.zeros((1, 4), bool)).any()


# --- explanations of groups ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["exact", "permutation", "kernel", "expected-gradients"])
@pytest.mark.parametrize("by", ["feature", "time", "atom"])
def test_groups_add_up(by, method):
    run = trained("RNN")
    explanation = mdnb.explain(run, features(), n=4, n_background=10, by=by, method=method)
    assert explanation.grouping == by
    assert explanation.values.shape == (4, len(explanation.columns))
    assert explanation.additivity_error() <= 0.011
    assert f"on groups by {by}" in repr(explanation)
    assert np.isnan(explanation.data).all()
    if by == "time":
        assert explanation.over_time().shape == (4,)


def test_groups_are_played_not_summed():
    run = trained("RNN")
    options = {"n": 6, "n_background": 10, "output": 1}
    exact = mdnb.explain(run, features(), by="feature", method="exact", **options)
    sampled = mdnb.explain(run, features(), by="feature", method="permutation", **options)
    summed = mdnb.explain(run, features(), by="feature", **options)
    assert np.abs(exact.values - sampled.values).max() < 1e-4
    assert np.corrcoef(exact.values.ravel(), summed.values.ravel())[0, 1] > 0.9
    assert np.abs(exact.values - summed.values).max() > 1e-4
    inputs = mdnb.explain(run, features(), **options)
    names, values = inputs.grouped("feature")
    assert names == tuple(column.name for column in summed.columns)
    assert summed.values == pytest.approx(values, abs=1e-5)


def test_too_many_players_to_enumerate():
    with pytest.raises(SpecError, match=r"exact Shapley values of 16 players need 2\*\*16 coalitions; at most 12"):
        mdnb.explain(trained("RNN"), features(), n=2, method="exact")


def test_a_group_explanation_knows_its_own_groups_only():
    explanation = mdnb.explain(trained("RNN"), features(), n=2, by="time", method="exact")
    with pytest.raises(DataError, match="this explanation is of groups by time; explain again with by='residue-pair'"):
        explanation.grouped("residue-pair")


def test_residues_of_distances_share_and_culprits_do_not():
    """The label is the place of one atom: equal shares blame its partners, culprits name it."""
    data = features("distances")
    moved = trajectories().topology.select("name CB")[0]
    own = [number for number, column in enumerate(data.columns) if moved in column.atom_indices]
    label = data.flat()[:, own].sum(1)
    run = mdnb.fit(
        data,
        label / label.std(),
        mdnb.CNN(channels=4, layers=1, hidden=16, dropout=0.0),
        mdnb.Training(epochs=10, **FAST),
    )
    assert run.scores["R2"].value > 0.9
    explanation = mdnb.explain(run, data)
    found = explanation.culprits("atom")
    assert next(iter(found)) == "ALA2-CB"
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert min(found.values()) >= 0
    assert set(explanation.culprits("residue")) == {"ACE1", "ALA2", "NME3"}
    signed = explanation.culprits("atom", signed=True)
    assert sum(signed.values()) < sum(found.values())


def test_the_chosen_class_is_used_for_groups():
    run = fit_family("CNN", epochs=2)
    explanation = mdnb.explain(run, features(), n=3, by="residue", method="exact", output="left-handed")
    assert explanation.output == "logit of 'left-handed' (basin of ALA2)"
    assert explanation.by_residue()["ALA2"] == pytest.approx(np.abs(explanation.values[:, 0]).mean())

"""Attributions on the molecule: files other programs read, colours, tables."""

import csv
from dataclasses import replace

import mdtraj
import numpy as np
import pytest
from learning_fixtures import features, fit_family, trained, trajectories

import mdnb
from mdnb.errors import DataError, SpecError
from mdnb.pictures.colours import Scale


@pytest.fixture(scope="module")
def explanation():
    return mdnb.explain(trained("CNN"), features(), n=20)


@pytest.fixture(scope="module")
def of_contacts():
    chignolin = mdnb.example("chignolin")
    data = mdnb.featurize(chignolin, "ca-distances")
    run = mdnb.fit(data, "folded", mdnb.CNN(channels=4, layers=1, hidden=16), mdnb.Training(epochs=3))
    return mdnb.explain(run, data, n=20, output="folded")


def b_factors(path):
    return np.array(
        [float(line[60:66]) for line in path.read_text().splitlines() if line.startswith(("ATOM", "HETATM"))]
    )


@pytest.mark.parametrize("by", ["residue", "atom"])
@pytest.mark.parametrize("sample", [None, 3])
def test_pdb(explanation, tmp_path, by, sample):
    path = explanation.save_structure(tmp_path / "new" / "a.pdb", by=by, sample=sample)
    values = explanation.painted(by=by, sample=sample)
    written = b_factors(path)
    scale = 99.99 / np.abs(values).max()
    assert written == pytest.approx(values * scale, abs=0.006)
    assert f"times {scale:.6g}" in path.read_text().replace("\nREMARK  99 ", "")
    read = mdtraj.load(str(path))
    assert [str(atom) for atom in read.topology.atoms] == [str(atom) for atom in explanation.topology.atoms]
    assert np.abs(read.xyz[0] - explanation.reference).max() < 6e-4
    assert [one.name for one in path.parent.iterdir()] == ["a.pdb"]


def test_mmcif(explanation, tmp_path):
    from Bio.PDB.MMCIF2Dict import MMCIF2Dict

    path = explanation.save_structure(tmp_path / "a.cif", by="atom", sample=0)
    content = MMCIF2Dict(str(path))
    found = np.array(content["_atom_site.B_iso_or_equiv"], float)
    assert found == pytest.approx(explanation.by_atom(0), rel=1e-5, abs=1e-9)
    assert content["_atom_site.label_atom_id"] == [atom.name for atom in explanation.topology.atoms]
    place = np.array([content[f"_atom_site.Cartn_{axis}"] for axis in "xyz"], float).T
    assert np.abs(place / 10 - explanation.reference).max() < 1e-4


EVIL = 'pIC50 "x"\nATOM      1  CA  ALA A   1\r\n\u2028_loop'


def test_hostile_names_stay_in_their_line(explanation, tmp_path):
    """Names of targets, atoms and residues come from files."""
    from Bio.PDB.MMCIF2Dict import MMCIF2Dict

    topology = explanation.topology.copy()
    for atom in topology.atoms:
        atom.name = 'C" \nX'
    for residue in topology.residues:
        residue.name = "A B"
    evil = replace(explanation, output=EVIL, topology=topology)
    pdb = evil.save_structure(tmp_path / "a.pdb").read_text().splitlines()
    assert [line[:6] for line in pdb if not line.startswith("REMARK")] == ["HETATM"] * 22 + ["END"]
    assert {line[12:20] for line in pdb if line.startswith("HETATM")} == {'C"__ A_B'}
    content = MMCIF2Dict(str(evil.save_structure(tmp_path / "a.cif")))
    assert content["_atom_site.label_atom_id"] == ["C''__X"] * 22
    assert content["_atom_site.label_comp_id"] == ["A_B"] * 22
    for name in ("a.pdb", "a.cif"):
        assert np.abs(mdtraj.load(str(tmp_path / name)).xyz[0] - explanation.reference).max() < 6e-4


def test_another_structure(explanation, tmp_path):
    frame = trajectories().frames(17)
    path = explanation.save_structure(tmp_path / "a.pdb", frame)
    assert np.abs(mdtraj.load(str(path)).xyz - frame.xyz).max() < 6e-4
    with pytest.raises(DataError, match="the structure has 10 atoms, the explanation is of 22"):
        explanation.save_structure(tmp_path / "b.pdb", frame.atom_slice(range(10)))
    with pytest.raises(DataError, match=r"b\.xyz: a structure is written as \.pdb, \.cif or \.mmcif"):
        explanation.save_structure(tmp_path / "b.xyz")
    assert not (tmp_path / "b.pdb").exists()


def test_colours(explanation):
    colours = explanation.colours(by="atom", sample=2)
    values = explanation.by_atom(2)
    assert colours == Scale.of(values).colours(values)
    assert len(set(explanation.colours())) <= 3  # residues
    with pytest.raises(SpecError, match="unknown way to paint 'residues': did you mean 'residue'"):
        explanation.colours(by="residues")


def test_nglview_takes_the_scheme(explanation):
    from nglview.color import ColormakerRegistry

    scheme = explanation.nglview_scheme(sample=0)
    atoms = [int(one) for _, selection in scheme for one in selection.removeprefix("@").split(",")]
    assert sorted(atoms) == list(range(22))
    colours = explanation.colours(sample=0)
    assert all(colours[int(one)] == colour for colour, own in scheme for one in own.removeprefix("@").split(","))
    ColormakerRegistry.add_selection_scheme("attribution", scheme)


def test_csv(explanation, tmp_path):
    path = explanation.save_csv(tmp_path / "a.csv")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    summary = explanation.summary("residue")
    assert [row["residue"] for row in rows] == list(summary.names)
    assert [float(row["mean_absolute_attribution"]) for row in rows] == pytest.approx(summary.importance, rel=1e-5)
    assert [float(row["low"]) for row in rows] == pytest.approx(summary.low, rel=1e-5, abs=1e-9)
    assert rows[0]["output"] == explanation.output


def test_contact_map(of_contacts):
    shown = of_contacts.contact_map()
    assert shown.shape == (10, 10)
    assert np.array_equal(shown, shown.T, equal_nan=True)
    by_column = of_contacts.values.mean(0)
    assert np.nansum(np.triu(shown)) == pytest.approx(by_column.sum(), rel=1e-4)
    first, second = (of_contacts.topology.atom(atom).residue.index for atom in of_contacts.columns[5].atom_indices)
    assert shown[first, second] == pytest.approx(by_column[5], rel=1e-4)
    assert of_contacts.contact_map(0)[first, second] == pytest.approx(of_contacts.values[0, 5], rel=1e-4)


def test_nothing_to_paint_is_no_division_by_zero(tmp_path):
    run = fit_family("CNN", epochs=1)
    for weight in run.model.parameters():
        weight.data.zero_()
    flat = mdnb.explain(run, features(), n=4)
    assert b_factors(flat.save_structure(tmp_path / "a.pdb")) == pytest.approx(0)
    assert len(set(flat.colours())) == 1

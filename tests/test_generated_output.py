"""What is known of each generated structure: kept with it, written beside it, and read again."""

import hashlib
import json
from dataclasses import replace

import mdtraj
import numpy as np
import pytest
from learning_fixtures import FAST, features, trained, trajectories

import mdnb
from mdnb import figures
from mdnb.errors import DataError
from mdnb.generation.generated import Generated


@pytest.fixture(scope="module")
def generated():
    made = mdnb.generate(trained("VAE"), 12, seed=4, reference=trajectories())
    made.checks["clashes"][:] = [number not in (2, 5) for number in range(12)]
    return made


def content_of(path):
    return json.loads(path.with_name(path.name + ".json").read_text())


class TestOrigin:
    def test_the_hash_is_that_of_the_file_saved_or_not(self, tmp_path):
        run = mdnb.fit(features("internal-coordinates"), None, mdnb.VAE(hidden=8), mdnb.Training(epochs=1, **FAST))
        unsaved = mdnb.generate(run, 3).origin
        assert unsaved.run == ""
        folder = run.save(tmp_path / "my run")
        expected = hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
        assert unsaved.weights_sha256 == expected
        saved, loaded = (mdnb.generate(one, 3).origin for one in (run, mdnb.Run.load(folder)))
        assert saved == loaded == replace(unsaved, run="my run")
        assert saved.data == tuple(trajectories().names[i] for i in run.split["train"]["trajectories"])
        assert 0 < len(saved.data) < len(trajectories())
        assert saved.mdnb == mdnb.__version__

    def test_another_network_has_another_hash(self):
        one, other = (mdnb.generate(trained(family), 2).origin.weights_sha256 for family in ("VAE", "GAN"))
        assert one != other


class TestTable:
    def test_one_row_for_each_structure(self, generated):
        table = generated.table()
        assert len(table) == 12
        assert table["index"].tolist() == list(range(12))
        assert set(table["weights_sha256"]) == {generated.origin.weights_sha256}
        assert (set(table["family"]), set(table["seed"])) == ({"VAE"}, {4})
        assert table["clashes"].tolist() == generated.checks["clashes"].tolist()
        assert table["valid"].tolist() == generated.valid.tolist()
        assert "requested" not in table

    def test_a_part_keeps_what_is_known_of_it(self, generated):
        before = {"bonds": np.arange(12) % 2 == 0}
        part = replace(generated, checks_before=before, requested=np.arange(12) / 10).only([7, 2])
        table = part.table()
        assert table["index"].tolist() == [7, 2]
        assert table["before: bonds"].tolist() == [False, True]
        assert table["requested"].tolist() == [0.7, 0.2]
        assert np.array_equal(part.structures.xyz, generated.structures.xyz[[7, 2]])
        assert "before the clean-up: bonds 50.0%" in repr(part)

    def test_valid_ones_know_their_place_in_the_draw(self, generated):
        kept = generated.only_valid()
        assert kept.index.tolist() == np.flatnonzero(generated.valid).tolist()
        again = mdnb.generate(trained("VAE"), 12, seed=4)
        assert np.array_equal(again.structures.xyz[kept.index], kept.structures.xyz)

    def test_classes_are_said_by_name(self):
        run = mdnb.fit(features("internal-coordinates"), "basin", mdnb.VAE(hidden=8), mdnb.Training(epochs=1, **FAST))
        name = run.target.classes[1]
        made = mdnb.generate(run, 3, name)
        assert made.table()["requested"].tolist() == [name] * 3
        assert made.origin.target == run.target.name

    def test_without_an_origin(self, generated):
        """As it was made before structures had one."""
        plain = Generated(generated.structures, generated.checks, "VAE", 4, None, ("a note",))
        assert plain.index.tolist() == list(range(12))
        assert "run" not in plain.table()
        assert "note: a note" in repr(plain)

    def test_energies(self, generated):
        pytest.importorskip("openmm", reason="energies need openmm; pip install 'mdnb[simulate]'")
        rich = generated.with_energies(iterations=3)
        table = rich.table()
        assert table["energy"].tolist() == mdnb.energies(generated, iterations=3).before.tolist()
        assert "amber96" in repr(rich)
        part = rich.only([3])
        assert part.energies.after[0] == rich.energies.after[3]
        assert len(part.energies) == part.energies.minimized.n_frames == 1
        assert generated.energies is None


class TestSave:
    def test_remarks_of_a_pdb_file(self, generated, tmp_path):
        evil = ("α\nATOM      1  N   ALA A   1       0.000   0.000   0.000", "long " * 40)
        made = replace(generated, notes=evil, requested=np.linspace(0, 1, 12))
        path = made.save(tmp_path / "made.pdb")
        text = path.read_text(encoding="ascii")
        lines = text.splitlines()
        remarks = [line for line in lines if line.startswith("REMARK   6")]
        assert max(map(len, remarks)) <= 80
        assert sum(line.startswith("ATOM") for line in lines) == 12 * 22
        models = text.split("\nMODEL ")
        assert len(models) == 13
        head, *models = (model.replace("\nREMARK   6", "") for model in models)
        assert made.origin.weights_sha256 in head
        assert "\\u03b1\\nATOM" in head
        for row, model in enumerate(models):
            assert f"index {row};" in model
            assert f"requested {row / 11:.6g}" in model
            assert ("checks failed: clashes" in model) == (row in (2, 5))

    @pytest.mark.parametrize("suffix", ["pdb", "xtc", "dcd"])
    def test_mdnb_reads_it_again(self, generated, suffix, tmp_path):
        path = generated.save(tmp_path / f"made.{suffix}")
        top = {} if suffix == "pdb" else {"top": tmp_path / f"made.{suffix}.pdb"}
        again = mdnb.load(path, **top)
        assert again.n_frames == 12
        assert [str(one) for one in again.topology.atoms] == [str(one) for one in generated.structures.topology.atoms]
        assert again.frames(np.arange(12)).xyz == pytest.approx(generated.structures.xyz, abs=1e-3)
        assert mdnb.featurize(again, "torsions").values.shape == (12, 4)

    @pytest.mark.parametrize("suffix", ["pdb", "xtc"])
    def test_the_table_beside_it(self, generated, suffix, tmp_path):
        path = generated.save(tmp_path / f"made.{suffix}")
        content = content_of(path)
        assert content["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert content["file"] == path.name
        assert content["origin"]["weights_sha256"] == generated.origin.weights_sha256
        table = generated.table()
        assert content["columns"] == list(table.columns)
        assert content["rows"] == table.astype(object).to_numpy().tolist()

    def test_a_number_that_is_none(self, generated, tmp_path):
        made = replace(generated, requested=np.full(12, np.nan))
        content = content_of(made.save(tmp_path / "made.xtc"))
        assert {row[content["columns"].index("requested")] for row in content["rows"]} == {None}

    def test_one_structure(self, generated, tmp_path):
        path = generated.only([5]).save(tmp_path / "one.pdb")
        assert mdnb.load(path).n_frames == 1
        assert "checks failed: clashes" in path.read_text().replace("\nREMARK   6", "")

    @pytest.mark.parametrize("suffix", ["pdb", "xtc"])
    def test_nothing_is_changed_where_it_fails(self, generated, suffix, tmp_path, monkeypatch):
        path = generated.save(tmp_path / f"made.{suffix}")
        before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

        def full(*_, **__):
            raise OSError("No space left on device")

        monkeypatch.setattr("mdnb.generation.output.sha256_of", full)
        with pytest.raises(OSError, match="No space left"):
            generated.only([0, 1]).save(path)
        assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before

    def test_clear_errors(self, generated, tmp_path):
        with pytest.raises(DataError, match=r"'made\.txt': give a name that ends with \.pdb, \.xtc, \.dcd"):
            generated.save(tmp_path / "made.txt")
        with pytest.raises(DataError, match="there is no folder"):
            generated.save(tmp_path / "none" / "made.pdb")
        xyz = generated.structures.xyz.copy()
        xyz[3, 0] = np.nan
        spoilt = replace(generated, structures=mdtraj.Trajectory(xyz, generated.structures.topology))
        with pytest.raises(DataError, match="1 of 12 structures hold positions that are not numbers"):
            spoilt.save(tmp_path / "made.pdb")
        xyz[3, 0] = 1e7
        far = replace(generated, structures=mdtraj.Trajectory(xyz, generated.structures.topology))
        with pytest.raises(DataError, match=r"made\.pdb cannot hold these structures"):
            far.save(tmp_path / "made.pdb")
        assert not list(tmp_path.iterdir())


def test_the_figure_says_whether_structures_were_cleaned(generated):
    assert "nothing minimized" in figures.checks_figure({"VAE": generated}).layout.title.text
    cleaned = replace(generated, checks_before=generated.checks)
    assert "after the clean-up" in figures.checks_figure({"VAE": cleaned}).layout.title.text
    unlike = figures.checks_figure({"VAE": generated, "few": generated.only(np.arange(5))}).layout.title.text
    assert f"{len(generated)} and 5 structures" in unlike

"""Labels by trajectory: tables, dictionaries and functions, and hostile files."""

import sys
from pathlib import Path

import mdtraj
import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mdnb
from mdnb.errors import DataError, MissingDependencyError, SpecError
from mdnb.targets import labelled, make_target, table

FILES = ("molA/rep1.xtc", "molA/rep2.xtc", "molB/rep1.xtc", "molB/rep2.xtc", "molC/rep1.xtc")
N_FRAMES = 4


@pytest.fixture(scope="module")
def features(sample, tmp_path_factory) -> mdnb.Features:
    """Five trajectories of three molecules; their names are molA/rep1 and so on."""
    folder = tmp_path_factory.mktemp("runs")
    for number, name in enumerate(FILES):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        mdtraj.Trajectory(sample.positions[number : number + N_FRAMES], sample.topology).save_xtc(str(path))
    return mdnb.featurize(mdnb.load([folder / name for name in FILES], top=sample.topology), "torsions")


@pytest.fixture
def write(tmp_path):
    def make(text: str | bytes, name: str = "labels.csv") -> str:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return make


def per_trajectory(target) -> list:
    """Return one value for each trajectory, which has to be the same in all of its frames."""
    values = np.asarray(target.values).reshape(len(FILES), N_FRAMES)
    assert (values == values[:, :1]).all()
    return [target.classes[int(v)] if target.classes else v for v in values[:, 0]]


MOLECULES = "molecule,pIC50\nmolA,7.5\nmolB,6\nmolC,-1e-1\n"


def test_a_row_for_each_molecule(features, write):
    target = make_target(features, write(MOLECULES) + ":pIC50")
    assert per_trajectory(target) == [7.5, 7.5, 6, 6, -0.1]
    assert (target.name, target.is_class, target.unit) == ("pIC50", False, "")
    assert target.groups.reshape(5, 4)[:, 0].tolist() == [0, 0, 1, 1, 2]  # replicas stay together
    assert np.array_equal(make_target(features, write(MOLECULES)).values, target.values)
    assert np.array_equal(make_target(features, Path(write(MOLECULES))).values, target.values)


@pytest.mark.parametrize(
    "key",
    [
        lambda path: str(path.with_suffix("").relative_to(path.parents[1])),  # the name mdnb prints
        lambda path: str(path.relative_to(path.parents[1])),
        lambda path: str(path),
        lambda path: f"  {path.parent.name}/{path.stem} ",
    ],
)
def test_a_row_for_each_trajectory(features, write, key):
    paths = [Path(path) for path in features.source.recipe()["files"]]
    text = "\n".join(["trajectory,open", *(f"{key(path)},{n % 2 == 0}" for n, path in enumerate(paths)), "other,true"])
    target = make_target(features, write(text))
    assert per_trajectory(target) == ["True", "False", "True", "False", "True"]
    assert target.classes == ("False", "True")
    assert target.groups.reshape(5, 4)[:, 0].tolist() == [0, 1, 2, 3, 4]


def test_stem_and_group(features, write):
    target = make_target(features, table(write("name,batch,y\nrep1,a,1.5\nrep2,a,2.5\n"), "y", group="batch"))
    assert per_trajectory(target) == [1.5, 2.5, 1.5, 2.5, 1.5]
    assert set(target.groups) == {0}
    rows = "".join(f"{name[:-4]},{name[:4]},{n}.0\n" for n, name in enumerate(FILES))
    target = make_target(features, write("trajectory,molecule,y\n" + rows))
    assert per_trajectory(target) == [0, 1, 2, 3, 4]
    assert target.groups.reshape(5, 4)[:, 0].tolist() == [0, 0, 1, 1, 2]


def test_the_more_exact_key_wins_and_two_folders_are_refused(features, write):
    target = make_target(features, write("key,y\nmolA,1.5\nmolB,2.5\nmolC,3.5\nmolB/rep2,9.5\n"))
    assert per_trajectory(target) == [1.5, 1.5, 2.5, 9.5, 3.5]
    folder = Path(features.source.recipe()["files"][0]).parents[1].name
    with pytest.raises(DataError, match=f"'molA/rep1' belongs to 'molA' and '{folder}', which are all folders of"):
        make_target(features, write(f"key,y\nmolA,1.5\nmolB,2.5\nmolC,3.5\n{folder},9.5\n"))


@pytest.mark.parametrize(
    ("cells", "classes", "values"),
    [
        (("1", "2", "1"), ("1", "2"), None),
        (("1.0", "2", "3"), (), [1, 2, 3]),
        (("1e3", "inf", "3"), None, None),
        (("low", "high", "low"), ("high", "low"), None),
        (("TRUE", "false", "True"), ("False", "True"), None),
        (("007", "12", "007"), ("7", "12"), None),
        (("=1+1", "=cmd|' /C calc'!A0", "=1+1"), ("=1+1", "=cmd|' /C calc'!A0"), None),
        (("<img src=x onerror=alert(1)>", "b", "b"), ("<img src=x onerror=alert(1)>", "b"), None),
        (("none", "some", "some"), ("none", "some"), None),
        (("1_0", "2", "3"), ("1_0", "2", "3"), None),
    ],
)
def test_kinds_of_cells(features, write, cells, classes, values):
    text = "molecule,y\n" + "".join(f"mol{m},{cell}\n" for m, cell in zip("ABC", cells, strict=True))
    if classes is None:
        with pytest.raises(DataError, match="the target 'y' holds NaN or infinity"):
            make_target(features, write(text))
        return
    target = make_target(features, write(text))
    assert target.classes == classes
    found = [per_trajectory(target)[n] for n in (0, 2, 4)]
    names = {"TRUE": "True", "false": "False", "007": "7"}
    assert found == (values or [names.get(cell, cell) for cell in cells])


def test_units_and_whole_numbers_that_are_measured(features, write):
    whole = "molecule,dG [kcal/mol],n\nmolA,-7,1\nmolB,-6,2\nmolC,-5,3\n"
    target = make_target(features, write(whole) + ":dG")
    assert (target.name, target.unit, target.is_class) == ("dG", "kcal/mol", False)
    assert per_trajectory(target) == [-7, -7, -6, -6, -5]
    assert make_target(features, write(whole) + ":dG [kcal/mol]").unit == "kcal/mol"
    assert make_target(features, table(write(whole), "n", unit="1/nm")).unit == "1/nm"
    assert not make_target(features, table(write(whole), "n", real=True)).is_class
    with pytest.raises(DataError, match="'n' has another whole number for each of 3 trajectories; that is no class"):
        make_target(features, write(whole) + ":n")
    assert make_target(features, table(write(whole), "n", real=False)).classes == ("1", "2", "3")
    with pytest.raises(
        DataError, match=r"'dG \[kcal/mol\]' is in kcal/mol, got unit='kJ/mol'; units are not converted"
    ):
        table(write(whole), "dG", unit="kJ/mol")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (MOLECULES.encode("utf-8-sig"), "bom.csv"),
        (MOLECULES.encode("utf-16"), "utf16.csv"),
        (MOLECULES.replace("\n", "\r\n"), "crlf.csv"),
        (MOLECULES.replace("\n", "\r"), "cr.csv"),
        (MOLECULES.replace("\n", "\n\n , \n"), "blank.csv"),
        (MOLECULES.replace(",", "\t"), "labels.tsv"),
        (MOLECULES.replace(",", ";").replace(".", ","), "german.csv"),
        (MOLECULES.replace(",", ";"), "semicolon.CSV"),
        ('"molecule","pIC50"\n"molA","7.5"\n"molB" ,"6.0"\nmolC, -0.1 \n'.replace('" ,', '",'), "quoted.csv"),
        (MOLECULES + "molA,7.5\n", "twice.csv"),
        (MOLECULES.replace("\n", ",\n"), "trailing.csv"),
    ],
)
def test_dialects(features, write, text, name):
    asked = write(text, name) + (":pIC50" if name == "trailing.csv" else "")
    assert per_trajectory(make_target(features, asked)) == [7.5, 7.5, 6, 6, -0.1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "labels.csv has no columns; expected a header line such as 'trajectory,pIC50'"),
        ("molecule\nmolA\n", r"has 0 columns that may be the label \(none\); name one"),
        (
            "molecule,a,b\nmolA,1,2\n",
            r"has 2 columns that may be the label \('a', 'b'\); name one, as in 'labels.csv:a'",
        ),
        ("molecule,a,a\nmolA,1,2\n", "labels.csv has two columns called 'a'; rename one"),
        ("molecule,a\nmolA,1,2\n", "line 2: 3 cells, the header has 2; put text that holds ',' into quotation marks"),
        ('molecule,a\nmolA,"1\n', "unexpected end of data; is a quotation mark left open?"),
        ("molecule,a\n,1\n", "row 1 has no 'molecule'; each label needs the name of its trajectory"),
        ("molecule,group,a\nmolA,,1\n", "'molA' has no 'group'; fill it in, or give another group="),
        (
            "molecule,a\nmolA,1\nmolB,2\nmolA,3\n",
            r"'molA' stands in rows 1 and 3 with different labels \(1 and 3\); keep one row for each molecule",
        ),
        (b"molecule,a\nmol\xe4,1\n", r"is no UTF-8 text \(byte 14\); save it as 'CSV UTF-8'"),
        (
            "molecule,a\nmolA,1.5\n",
            r"has no 'a' for 3 of 5 trajectories \('molB/rep1', 'molB/rep2', 'molC/rep1'\); its keys",
        ),
        (
            "molecule,a\nmolA,1.5\nmolB,NaN\nmolC,2.5\n",
            r"has no 'a' for 2 of 5 trajectories \('molB/rep1', 'molB/rep2'\)",
        ),
        (
            "molecule,a\nx,1.5\n",
            r"for 5 of 5 trajectories .*, 'molC/rep1'\); its keys are 'x', expected the name of the",
        ),
        ("molecule,a\n", "its keys are none"),
        (b"molecule,a\nmolA,\x00\n", "labels.csv"),
        ("molecule,a\nmolA," + "x" * 200_000 + "\n", "field larger than field limit"),
    ],
)
def test_what_is_wrong_with_a_table(features, write, text, message):
    with pytest.raises(DataError, match=message):
        make_target(features, write(text))


def test_more_refusals(features, write, tmp_path):
    with pytest.raises(SpecError, match="unknown column 'pic50': did you mean 'pIC50'"):
        make_target(features, write(MOLECULES) + ":pic50")
    with pytest.raises(SpecError, match="unknown column 'mol': did you mean 'molecule'"):
        table(write(MOLECULES), "pIC50", key="mol")
    with pytest.raises(DataError, match=r"no such table: nowhere\.csv"):
        make_target(features, "nowhere.csv:y")
    with pytest.raises(
        DataError, match="got 'int' as a table, expected the path of a CSV or Parquet file, or a DataFrame"
    ):
        table(3)
    with pytest.raises(
        DataError, match=r"labels.parquet cannot be read as Parquet .*; write it again, or give a CSV file"
    ):
        table(write("no parquet", "labels.parquet"))
    with pytest.raises(DataError, match="the target 'y' is text, such as 'a'; expected numbers"):
        make_target(features, table(write("k,y\nmolA,a\nmolB,b\nmolC,b\n"), "y", real=True))
    with pytest.raises(DataError, match="the target 'y' is no class: it holds numbers with a fraction"):
        make_target(features, table(write("k,y\nmolA,.5\nmolB,1\nmolC,2\n"), "y", real=False))


def test_labelled_leaves_out_what_has_no_label(features, write):
    part, target = labelled(features, write("molecule,y\nmolA,1.5\nmolB,NA\n") + ":y")
    assert np.unique(part.trajectory).tolist() == [0, 1]
    assert target.values.tolist() == [1.5] * 8
    with pytest.raises(DataError, match="for 5 of 5 trajectories"):
        labelled(features, {"x": 1})
    with pytest.raises(DataError, match="got 'ndarray', expected a table or a dictionary of labels by trajectory"):
        labelled(features, np.zeros(20))


def test_data_frames_and_parquet(features, tmp_path):
    frame = pandas.DataFrame(
        {"molecule": ["molA", "molB", "molC"], "dG [kJ/mol]": [1, 2, 3], "open": [True, False, True]}
    )
    before = frame.copy()
    frame.to_parquet(tmp_path / "labels.parquet")
    for source in (frame, tmp_path / "labels.parquet", frame.set_index("molecule")):
        target = make_target(features, table(source, "dG"))
        assert (per_trajectory(target), target.unit) == ([1, 1, 2, 2, 3], "kJ/mol")
        assert set(target.groups) == {0, 1, 2}
        assert per_trajectory(make_target(features, table(source, "open"))) == [
            "True",
            "True",
            "False",
            "False",
            "True",
        ]
    assert per_trajectory(make_target(features, f"{tmp_path / 'labels.parquet'}:dG")) == [1, 1, 2, 2, 3]
    assert per_trajectory(make_target(features, frame.set_index("molecule")["open"]))[0] == "True"
    assert per_trajectory(make_target(features, frame[["molecule", "open"]]))[0] == "True"
    pandas.testing.assert_frame_equal(frame, before)
    missing = pandas.DataFrame({"molecule": ["molA", "molB", "molC"], "y": ["a", None, pandas.NA]})
    with pytest.raises(DataError, match="the DataFrame has no 'y' for 3 of 5 trajectories"):
        make_target(features, missing)
    mixed = pandas.DataFrame({"molecule": ["molA", "molB", "molC"], "y": ["a", 1, 2]})
    with pytest.raises(
        DataError, match=r"the labels of 'y' are of different kinds \('a', 'a', 1, 1, 2\); give numbers, or"
    ):
        make_target(features, mixed)
    assert make_target(features, pandas.Series(np.arange(20) / 2)).values[-1] == 9.5  # by frame, as an array


def test_damaged_text_in_parquet(tmp_path):
    import pyarrow
    from pyarrow.parquet import write_table

    buffers = [None, pyarrow.py_buffer(np.array([0, 1, 2], np.int32)), pyarrow.py_buffer(b"\xff\xfe")]
    text = pyarrow.Array.from_buffers(pyarrow.string(), 2, buffers)
    write_table(pyarrow.table({"trajectory": text, "y": [1.0, 2.0]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet cannot be read as Parquet .*; write it again, or give a CSV file"):
        table(tmp_path / "a.parquet")


def test_cells_that_are_arrays(features):
    cells = [np.zeros(4), np.zeros(4), np.ones(4), [1.0, [2.0]]]
    frame = pandas.DataFrame({"trajectory": ["a", "a", "b", "c"], "y": cells})
    assert table(frame).keys == ("a", "b", "c")
    frame["trajectory"] = ["a", "b", "a", "c"]
    with pytest.raises(DataError, match="'a' stands in rows 1 and 3 with different labels"):
        table(frame)


def test_a_whole_number_beyond_any_type(features):
    names = features.source.names
    for number in (10**400, 10**5000):
        with pytest.raises(DataError, match=r"kinds \(a whole number beyond 64 bits, 1\.5.*; give numbers, or"):
            make_target(features, {name: 1.5 if name != names[0] else number for name in names})


def test_parquet_without_pyarrow(monkeypatch, write):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        MissingDependencyError, match=r"a Parquet table needs the package 'pyarrow', .*'mdnb\[tables\]'"
    ):
        table(write("", "labels.parquet"))


def test_dictionaries(features):
    target = make_target(features, {"molA": "open", "molB": "shut", "molC": "open", "other": "shut"})
    assert per_trajectory(target) == ["open", "open", "shut", "shut", "open"]
    names = features.source.names
    frames = {name: np.arange(N_FRAMES) + number / 2 for number, name in enumerate(names)}
    target = make_target(features, frames)
    assert np.array_equal(target.values, np.concatenate(list(frames.values())))
    assert target.groups is None  # each trajectory has labels of its own
    with pytest.raises(
        DataError, match=r"labels of the trajectory 'molA/rep1' have the shape \(3,\), expected one value, or"
    ):
        make_target(features, frames | {names[0]: np.arange(3)})
    with pytest.raises(
        DataError, match="got the label of 3, expected the name of a trajectory in a dictionary of labels"
    ):
        make_target(features, {3: 1})
    with pytest.raises(DataError, match=r"the dictionary has no 'label' for 1 of 5 trajectories \('molB/rep2'\)"):
        make_target(features, {name: 1.0 for name in names if name != "molB/rep2"})


def test_functions(features):
    def length(trajectory: mdnb.Trajectories) -> float:
        assert len(trajectory) == 1
        return float(trajectory.frames(0).xyz[0, 0, 0])

    target = make_target(features, length)
    assert per_trajectory(target) == [float(part.frames(0).xyz[0, 0, 0]) for part in features.source]
    assert target.name == "length"
    assert target.groups.reshape(5, 4)[:, 0].tolist() == [0, 1, 2, 3, 4]
    every = make_target(features, lambda trajectory: trajectory.frames(slice(None)).xyz[:, 0, 0])
    assert np.allclose(every.values, features.source.frames(slice(None)).xyz[:, 0, 0])
    assert every.groups is None
    part = make_target(features.of_trajectories([3, 1]), length)
    assert part.values.reshape(2, 4)[:, 0].tolist() == [per_trajectory(target)[n] for n in (1, 3)]
    with pytest.raises(
        DataError, match=r"the function 'nothing' returned no label for 5 of 5 trajectories \('molA/rep1', "
    ):
        make_target(features, nothing)
    with pytest.raises(ZeroDivisionError) as caught:
        make_target(features, lambda trajectory: 1 / 0)
    assert caught.value.__notes__ == ["(in the target '<lambda>', of the trajectory 'molA/rep1')"]


def nothing(trajectory: mdnb.Trajectories) -> None:
    return None


def test_many_rows_of_other_molecules(features, write):
    rows = "".join(f"x{n},{n}.5\n" for n in range(200_000))
    path = write("molecule,y\n" + rows + "molA,1.5\nmolB,2.5\nmolC,3.5\n")
    assert per_trajectory(make_target(features, path)) == [1.5, 1.5, 2.5, 2.5, 3.5]


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r\n", exclude_categories=["Cs", "Cc"]), max_size=8)


@settings(deadline=None, max_examples=60)
@given(values=st.lists(st.one_of(CELL, st.integers(-5, 5).map(str), st.floats().map(str)), min_size=3, max_size=3))
def test_any_cell_is_a_label_or_an_error(features, tmp_path_factory, values):
    """Whatever the cells hold: labels that say the cell again, or a DataError."""
    path = tmp_path_factory.mktemp("any") / "labels.csv"
    quoted = ['"' + value.replace('"', '""') + '"' for value in values]
    lines = [f"mol{m},{q}" for m, q in zip("ABC", quoted, strict=True)]
    path.write_text("\n".join(["molecule,y", *lines]), encoding="utf-8")
    try:
        target = make_target(features, path)
    except DataError:
        return
    for value, label in zip(values, np.array(per_trajectory(target))[[0, 2, 4]].tolist(), strict=True):
        if target.is_class and not value.strip().lstrip("+-").isdecimal():
            assert label.lower() == value.strip().lower()
        else:
            assert float(label) == float(value)


@settings(deadline=None, max_examples=30)
@given(order=st.permutations(range(8)), labels=st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3))
def test_the_order_of_the_rows_does_not_matter(features, order, labels):
    rows = dict(zip(["molA", "molB", "molC", "a", "b", "c", "d", "e"], [*labels, 0.0, 0.0, 0.0, 0.0, 0.0], strict=True))
    names = [list(rows)[number] for number in order]
    target = make_target(features, {name: rows[name] for name in names})
    assert per_trajectory(target) == [labels[0], labels[0], labels[1], labels[1], labels[2]]

"""Reports: what is refused before anything runs, whose Python runs it, and what is in the file."""

import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest

import mdnb
from mdnb.errors import DataError, MdnbError, SpecError
from mdnb.reports.html import external_resources, write_html
from mdnb.reports.notebooks import find_notebook, read_notebook
from mdnb.reports.parameters import check_parameters, declared_parameters, parse_values

PARAMETERS = """n_frames: int = 10  # how many
scale: float = 1.0
name: str = "a"  # with a # in it
deep: bool = False
features: list[str] = ["torsions"]
top: str | None = None  # optional
window: "Optional[int]" = None
kind: "Literal['a', 'b']" = "a"
pair: tuple[int, float] = (1, 2.0)
options: dict[str, float] = {}
guessed = 3
unknown = None
"""


def write(path: Path, *cells: str, parameters: str = PARAMETERS) -> Path:
    code = nbformat.v4.new_code_cell
    first = [nbformat.v4.new_markdown_cell("# Title & *text*"), code(parameters, metadata={"tags": ["parameters"]})]
    nbformat.write(nbformat.v4.new_notebook(cells=first + [code(cell) for cell in cells]), path)
    return path


@pytest.fixture
def declared(tmp_path):
    return declared_parameters(read_notebook(write(tmp_path / "n.ipynb")), "n.ipynb")


def test_declared_parameters_have_type_default_and_help(declared):
    shown = {entry.name: (entry.type, entry.default, entry.help) for entry in declared}
    assert shown["n_frames"] == ("int", "10", "how many")
    assert shown["top"] == ("str | None", "None", "optional")
    assert shown["window"][0] == "Optional[int]"
    assert shown["guessed"][0] == "int"
    assert shown["unknown"][0] == "Any"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("n_frames", np.int64(3), 3),
        ("scale", 2, 2.0),
        ("scale", np.float32(0.5), 0.5),
        ("name", Path("a/b"), "a/b"),
        ("features", ("x", "y"), ["x", "y"]),
        ("top", None, None),
        ("window", 3, 3),
        ("kind", "b", "b"),
        ("pair", (1, 2), [1, 2]),
        ("options", {"a": 1}, {"a": 1}),
        ("unknown", [1, "a"], [1, "a"]),
    ],
)
def test_values_that_fit_are_taken(declared, name, value, expected):
    taken = check_parameters(declared, {name: value}, "n.ipynb")[name]
    assert taken == expected
    assert type(taken) is type(expected)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_frames", True),
        ("n_frames", 1.5),
        ("n_frames", "3"),
        ("n_frames", None),
        ("scale", "1"),
        ("scale", False),
        ("name", 3),
        ("deep", 1),
        ("features", "torsions"),
        ("features", [1]),
        ("top", 3),
        ("window", 1.5),
        ("kind", "c"),
        ("pair", (1,)),
        ("options", {"a": "b"}),
        ("guessed", "3"),
    ],
)
def test_ill_typed_values_are_refused(declared, name, value):
    with pytest.raises(SpecError, match=f"parameter '{name}' of 'n.ipynb' must be .*, got .*: give a value like"):
        check_parameters(declared, {name: value}, "n.ipynb")


def test_unknown_names_are_refused_with_the_closest_one(declared):
    with pytest.raises(SpecError, match="did you mean 'n_frames'"):
        check_parameters(declared, {"n_frame": 3}, "n.ipynb")
    for name in ("n frames", "import", "x=1;y"):
        with pytest.raises(SpecError, match="expected a Python name"):
            check_parameters(declared, {name: 3}, "n.ipynb")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("n_frames", "12", 12),
        ("scale", "1e-3", 1e-3),
        ("name", "12", "12"),
        ("deep", "yes", True),
        ("features", "torsions,contacts", ["torsions", "contacts"]),
        ("features", '["a"]', ["a"]),
        ("top", "none", None),
        ("top", "a.pdb", "a.pdb"),
        ("window", "5", 5),
        ("kind", "b", "b"),
        ("pair", "1,2.5", None),
        ("options", "{'a': 1.5}", {"a": 1.5}),
        ("unknown", "text", "text"),
    ],
)
def test_text_becomes_the_declared_type(declared, name, text, expected):
    if name == "pair":  # the second item is no int, and a bare list is read as items of the first type
        with pytest.raises(SpecError):
            parse_values(declared, [(name, text)], "n.ipynb")
    else:
        assert parse_values(declared, [(name, text)], "n.ipynb") == {name: expected}


@pytest.mark.parametrize(("name", "text"), [("n_frames", "many"), ("deep", "perhaps"), ("scale", "nan")])
def test_text_of_another_type_is_refused(declared, name, text):
    with pytest.raises(SpecError, match="must be"):
        parse_values(declared, [(name, text)], "n.ipynb")


def test_nothing_runs_when_a_parameter_is_wrong(tmp_path):
    notebook = write(tmp_path / "n.ipynb", f"open({str(tmp_path / 'ran')!r}, 'w').close()")
    with pytest.raises(SpecError):
        mdnb.report(notebook, {"n_frames": "three"}, out=tmp_path / "out")
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "out").exists()


def test_notebooks_that_cannot_be_reported(tmp_path):
    with pytest.raises(DataError, match="no such notebook"):
        find_notebook(tmp_path / "missing.ipynb")
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(DataError, match="expected a notebook"):
        find_notebook(tmp_path / "a.txt")
    for content in ("not json", "[]", "{}"):
        (tmp_path / "bad.ipynb").write_text(content)
        with pytest.raises(DataError, match="as a notebook"):
            read_notebook(tmp_path / "bad.ipynb")
    notebook = write(tmp_path / "n.ipynb")
    with pytest.raises(DataError, match="overwrite"):
        mdnb.report(notebook, out=tmp_path)


def test_a_report_is_run_by_this_python_and_is_one_file(tmp_path, capfd):
    notebook = write(
        tmp_path / "n.ipynb",
        "import os, sys\nprint(sys.executable, os.environ['MDNB_REPORT'], n_frames, name)",
        "import plotly.graph_objects as go\nfigure = go.Figure(go.Scatter(y=[1, 2]))\nfigure",
        "figure",
        "import ipywidgets\nipywidgets.IntSlider()",
        "from IPython.display import HTML\n"
        'HTML(\'<script src="https://example.org/x.js"></script><img src="//example.org/y.png">\')',
    )
    report = mdnb.report(notebook, {"n_frames": 7, "name": "<b>"}, out=tmp_path / "o {x}", progress=False)
    assert report.notebook == tmp_path / "o {x}" / "n.ipynb"
    assert sorted(p.name for p in report.html.parent.iterdir()) == ["n.html", "n.ipynb"]
    page = report.html.read_text()
    assert f"{sys.executable} 1 7 &lt;b&gt;" in page
    assert "<title>Title &amp; text</title>" in page
    assert page.count("plotly.js v") == 1
    assert "3Dmol" not in page
    assert "shown only in a live notebook" in page
    assert external_resources(page) == []
    assert "without encryption" not in page + "".join(capfd.readouterr())
    assert "widgets" not in nbformat.read(report.notebook, 4).metadata


def test_a_failing_cell_is_named_and_what_ran_is_kept(tmp_path):
    notebook = write(
        tmp_path / "n.ipynb", "print('before')", "# comment\nraise ValueError('too hot')", "print('after')"
    )
    with pytest.raises(MdnbError, match=r"cell 4 of 5, which begins .raise Value.*ValueError: too hot.*n\.ipynb"):
        mdnb.report(notebook, out=tmp_path / "out", progress=False)
    kept = (tmp_path / "out" / "n.ipynb").read_text()
    assert "before" in kept
    assert not (tmp_path / "out" / "n.html").exists()


def test_a_kernel_that_dies_is_told(tmp_path):
    notebook = write(tmp_path / "n.ipynb", "import os\nos._exit(1)")
    with pytest.raises(MdnbError, match="its Python process ended"):
        mdnb.report(notebook, out=tmp_path / "out", progress=False)


def test_a_users_own_notebook_is_not_overwritten(tmp_path):
    (tmp_path / "source").mkdir()
    notebook = write(tmp_path / "source" / "n.ipynb", "n_frames")
    edited = write(tmp_path / "n.ipynb", "'mine'")
    for content in (edited.read_bytes(), b"mine"):
        edited.write_bytes(content)
        with pytest.raises(DataError, match=r"not the notebook of an earlier report: give another folder as out"):
            mdnb.report(notebook, out=tmp_path, progress=False)
        assert edited.read_bytes() == content
    edited.unlink()
    for _ in range(2):  # what a report has written is written again
        mdnb.report(notebook, out=tmp_path, progress=False)


def test_out_that_is_no_folder(tmp_path):
    notebook = write(tmp_path / "n.ipynb")
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with pytest.raises(DataError, match=r"out = '.*' cannot be made a folder \(.*\): give another one"):
            mdnb.report(notebook, out=out)


def page_of(tmp_path, *cells):
    """Return the HTML of cells that are not run."""
    made = nbformat.v4.new_notebook(cells=list(cells))
    path = write_html(made, tmp_path / "n.html", source=tmp_path / "n.ipynb", parameters=[])
    return path.read_text()


def test_the_text_of_a_picture_is_text(tmp_path):
    for alt, shown in (('"><script>alert(1)</script>', "&gt;&lt;script&gt;alert(1)&lt;/script&gt;"), (None, "figure")):
        metadata = {"image/png": {"alt": alt}} if alt else {}
        output = nbformat.v4.new_output("display_data", {"image/png": "iVBORw0KGgo="}, metadata=metadata)
        page = page_of(tmp_path, nbformat.v4.new_code_cell("x", outputs=[output]))
        assert "<script>alert" not in page
        assert shown in page


def test_the_page_may_not_submit_or_move_its_base(tmp_path):
    page = page_of(tmp_path)
    assert "base-uri 'none'" in page
    assert "form-action 'none'" in page


def test_links_to_other_notebooks(tmp_path):
    (tmp_path / "made here.html").touch()
    text = "[one](made%20here.ipynb#part) [two](other.ipynb) [web](https://example.org/a.ipynb) [three](a.html)"
    page = page_of(tmp_path, nbformat.v4.new_markdown_cell(text))
    assert '<a href="made%20here.html#part">one</a>' in page
    assert "</a> two <a" in page
    assert "other.ipynb" not in page
    assert 'href="https://example.org/a.ipynb"' in page
    assert 'href="a.html"' in page

"""The command line: what it runs, what it prints, how it fails."""

import inspect
import subprocess
import sys
from importlib import import_module

import nbformat
import pytest

from mdnb import __version__
from mdnb.bench.commands import BENCHMARKS
from mdnb.cli import _joined, main
from mdnb.reports import Report


@pytest.fixture
def notebook(tmp_path):
    code = nbformat.v4.new_code_cell
    cells = [code("n: int = 3  # how many", metadata={"tags": ["parameters"]}), code("print('n is', n)")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "small.ipynb")
    return tmp_path / "small.ipynb"


def test_report_ends_with_one_line_naming_the_file(notebook, tmp_path, capsys):
    assert main(["report", str(notebook), "-p", "n", "12", "--out", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out == f"Report: {tmp_path / 'out' / 'small.html'}\n"
    assert "n is 12" in (tmp_path / "out" / "small.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-p", "m", "1"], "unknown parameter"),
        (["-p", "n", "many"], "must be int, got 'many'"),
        (["-p", "n=many"], "must be int, got 'many'"),
        (["-p", "n"], "-p n: expected a name and a value, such as -p n_frames 10 or -p n_frames=10"),
        (["-p"], "expected a name and a value"),
        (["-p", "=3"], "expected a name and a value"),
        (["-p", "n="], "must be int, got ''"),
        (["-p", "n", "--parameter", "n", "3"], "-p n: expected a name and a value"),
    ],
)
def test_errors_are_one_sentence_and_a_status(notebook, tmp_path, capsys, arguments, message):
    assert main(["report", str(notebook), *arguments, "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("mdnb: ")
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["-p", "n", "3", "x"], ["--parameter=n=3", "x"]),
        (["-p", "n=3", "x"], ["--parameter=n=3", "x"]),
        (["--parameter", "n", "-3"], ["--parameter=n=-3"]),
        (["-p", "n", "a=b", "x"], ["--parameter=n=a=b", "x"]),
        (["-p", "n", "--out", "x"], ["--parameter=n", "--out", "x"]),
        (["-pn=3", "--parameter=m=4"], ["-pn=3", "--parameter=m=4"]),
        (["lab", "--", "-p", "1"], ["lab", "--", "-p", "1"]),
    ],
)
def test_both_ways_to_write_a_parameter(words, expected):
    assert _joined(words) == expected


@pytest.mark.parametrize("words", [["-p", "n=12"], ["-pn=12"], ["--parameter", "n", "12"], ["--parameter=n=12"]])
def test_parameters_before_the_notebook(notebook, tmp_path, words, monkeypatch):
    given = []
    report = Report(tmp_path / "small.ipynb", tmp_path / "small.html")
    monkeypatch.setattr("mdnb.reports.report", lambda *arguments: given.append(arguments) or report)
    assert main(["report", *words, str(notebook), "--out", "here"]) == 0
    assert given == [(notebook, {"n": 12}, "here")]


def test_an_unknown_notebook_is_named(tmp_path, capsys):
    assert main(["report", str(tmp_path / "missing.ipynb")]) == 1
    assert "no such notebook" in capsys.readouterr().err


def test_lab_opens_the_notebooks_and_passes_arguments_on(monkeypatch, tmp_path, capsys):
    called = []
    monkeypatch.setattr(subprocess, "call", lambda command, cwd: called.append((command, cwd)) or 0)
    monkeypatch.setattr("mdnb.reports.notebooks.notebooks_folder", lambda: tmp_path / "shipped")
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped" / "a.ipynb").write_text("new")
    (tmp_path / "work").mkdir()
    assert main(["lab", "--dir", str(tmp_path / "work"), "--", "--no-browser"]) == 0
    assert called == [([sys.executable, "-m", "jupyterlab", "--no-browser"], tmp_path / "work")]
    assert (tmp_path / "work" / "a.ipynb").read_text() == "new"
    (tmp_path / "work" / "a.ipynb").write_text("mine")
    main(["lab", "--dir", str(tmp_path / "work")])
    assert (tmp_path / "work" / "a.ipynb").read_text() == "mine"


def test_the_module_runs():
    run = subprocess.run([sys.executable, "-m", "mdnb", "--version"], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == f"mdnb {__version__}"


def test_a_command_is_needed(capsys):
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 2


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=lambda one: one.name)
def test_the_options_of_a_benchmark_are_those_of_its_function(benchmark, monkeypatch, capsys):
    module, _, name = benchmark.function.partition(":")
    parameters = inspect.signature(getattr(import_module(module), name)).parameters
    assert {option.name for option in benchmark.options} <= set(parameters)
    given = {}
    monkeypatch.setattr(f"{module}.{name}", lambda **values: given.update(values) or "the table")
    assert main(["bench", benchmark.name]) == 0
    assert given.pop("tell", print) is not None
    for option in benchmark.options:  # what is not said here has its default there
        if option.default is None:
            assert option.name not in given
        else:
            expected = option.default.split(",") if isinstance(option.default, str) else option.default
            assert given[option.name] == expected
    assert capsys.readouterr().out == ("" if benchmark.tells else "the table\n")


def test_options_of_benchmarks_reach_them(monkeypatch):
    given = {}
    monkeypatch.setattr("mdnb.bench.generation.bench_generate", lambda **values: given.update(values) or "")
    words = ["--systems", "alanine, msmb", "--epochs", "3", "--no-peers", "--data", "a,b", "--structures", "5"]
    assert main(["bench", "generate", *words]) == 0
    expected = {"systems": ["alanine", "msmb"], "epochs": 3, "peers": False, "data": "a,b", "n": 5}
    assert expected.items() <= given.items()

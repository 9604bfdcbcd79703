"""What has to hold for the repository as a whole: imports, sizes, notebooks, packaging, Binder."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import nbformat
import pytest
import yaml
from IPython.core.inputtransformer2 import TransformerManager
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HEAVY = ("torch", "mdtraj", "ipywidgets", "nglview", "plotly", "shap", "h5py")


def repository_files() -> list[Path]:
    """Return what is tracked or would be: a file is too large before it is committed, not after."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout, so there is no list of tracked files")
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


# --- import ---------------------------------------------------------------------------------------------------------


def test_import_is_quick_and_loads_nothing_heavy():
    code = (
        "import json, sys, time; start = time.perf_counter(); import mdnb; spent = time.perf_counter() - start;"
        "print(json.dumps([spent, sorted({name.partition('.')[0] for name in sys.modules})]))"
    )
    times = []
    for _ in range(5):
        answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
        spent, modules = json.loads(answer.stdout)
        times.append(spent)
        assert not set(HEAVY) & set(modules), "`import mdnb` loads heavy packages; import them where they are used"
    assert min(times) < 0.3, f"`import mdnb` took {min(times):.2f} s at best, more than 0.3 s"


# --- sizes ----------------------------------------------------------------------------------------------------------


def test_no_file_over_5_mb():
    large = {str(path.relative_to(ROOT)): path.stat().st_size for path in repository_files()}
    assert not {name: size for name, size in large.items() if size > 5_000_000}


def test_packaged_data_is_under_20_mb():
    data = [path for path in repository_files() if path.is_relative_to(ROOT / "mdnb") and path.suffix != ".py"]
    assert sum(path.stat().st_size for path in data) < 20_000_000


# --- notebooks ------------------------------------------------------------------------------------------------------


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    """Return the code cells of a notebook, validated on the way."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_notebooks():
    assert ROOT / "notebooks" / "demo.ipynb" in NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestNotebook:
    def test_nothing_is_stored(self, path):
        cells = code_cells(path)
        stored = [number for number, cell in enumerate(cells) if cell.outputs or cell.execution_count]
        assert not stored, f"code cells {stored} of {path.name} hold outputs or counts: run nbstripout on it"
        assert "widgets" not in nbformat.read(path, as_version=4).metadata

    def test_kernel_is_python3(self, path):
        assert nbformat.read(path, as_version=4).metadata.kernelspec.name == "python3"

    def test_one_parameters_cell(self, path):
        tagged = [cell for cell in code_cells(path) if "parameters" in cell.metadata.get("tags", [])]
        assert len(tagged) == 1
        for line in filter(None, map(str.strip, tagged[0].source.splitlines())):
            form = r"#.*|\w+: [\w\[\], |]+ = .+  # .+"
            assert re.fullmatch(form, line), f"{line!r} is not `name: type = default  # help`"

    def test_short_and_without_definitions(self, path):
        transform = TransformerManager().transform_cell
        source = "\n".join(transform(cell.source) for cell in code_cells(path))
        code = [line for line in source.splitlines() if line.strip() and not line.strip().startswith("#")]
        assert len(code) <= 60, f"{path.name} has {len(code)} lines of code; move some into the package"
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        defined = [node.name for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]
        assert not defined, f"{path.name} defines {defined}; move them into the package"


# --- packaging ------------------------------------------------------------------------------------------------------


def core_requirements() -> dict[str, Requirement]:
    """Return the core dependencies of pyproject.toml by canonical name."""
    return {canonicalize_name(item.name): item for item in map(Requirement, PROJECT["dependencies"])}


def test_constraints_lie_in_the_ranges():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    tested = {canonicalize_name(name): version for name, version in pins.items()}
    assert not set(core_requirements()) - set(tested), "a core dependency without a tested version"
    outside = [str(item) for name, item in core_requirements().items() if not item.specifier.contains(tested[name])]
    assert not outside


def test_wheel_holds_notebooks_and_data(tmp_path):
    pytest.importorskip("hatchling", reason="hatchling builds the wheel; it comes with the test extra")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("mdnb-*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    assert {f"mdnb/notebooks/{path.name}" for path in NOTEBOOKS} <= packed
    own = {path.relative_to(ROOT).as_posix() for path in repository_files() if path.is_relative_to(ROOT / "mdnb")}
    assert own <= packed


# --- Binder ---------------------------------------------------------------------------------------------------------


def test_binder_environment_has_the_core_dependencies():
    environment = yaml.safe_load((ROOT / "binder" / "environment.yml").read_text(encoding="utf-8"))
    listed = {canonicalize_name(re.split(r"[<>=!]", item)[0]) for item in environment["dependencies"]}
    conda_names = {"torch": "pytorch-cpu", "matplotlib": "matplotlib-base"}
    assert not {conda_names.get(name, name) for name in core_requirements()} - listed
    assert os.access(ROOT / "binder" / "postBuild", os.X_OK)


def test_repo2docker_picks_binder_up():
    tool = shutil.which("jupyter-repo2docker", path=os.pathsep.join([str(Path(sys.executable).parent), os.defpath]))
    if tool is None:
        pytest.skip("jupyter-repo2docker is not installed (`make dev` installs it)")
    answer = subprocess.run([tool, "--no-build", "--debug", str(ROOT)], capture_output=True, text=True, check=True)
    dockerfile = answer.stdout + answer.stderr
    assert '--file "binder/environment.yml"' in dockerfile
    assert "RUN ./binder/postBuild" in dockerfile

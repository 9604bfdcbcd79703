"""Every notebook runs as a report, quickly, and the report opens without a network."""

import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest

import mdnb

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
#: Parameters that make each notebook quick; the shape of what it does stays.
FAST = {
    "00_simulate": {"length": 0.02, "replicas": 1},
    "01_pick_and_inspect": {},
    "02_featurize": {},
    "03_predict_spatial": {"channels": 8, "epochs": 2},
    "03_predict_leaks": {"epochs": 2},
    "03_predict_temporal": {"epochs": 1, "length": 4},
    "03_predict_memory": {"epochs": 1, "length": 4, "folds": 2},
    "04_dynamics_future_state": {"length": 4, "hidden": 16, "epochs": 1},
    "04_dynamics_slow_modes": {"lag_times": "2,4", "hidden": 16, "epochs": 2},
    "05_tune": {"trials": 2, "epochs": 1},
    "06_explain": {"epochs": 1, "n_explained": 30},
    "07_generate_asked": {"epochs": 2, "n": 150},
    "07_generate_gan": {"hidden": 64, "epochs": 12, "n": 300},
    "07_generate_trajectories": {
        "vae_epochs": 2,
        "window": 3,
        "hidden": 16,
        "components": 6,
        "epochs": 1,
        "n_frames": 60,
        "n_trajectories": 8,
        "lag_times": "1",
    },
    "07_generate_vae": {"hidden": 32, "epochs": 5, "n": 300},
    "demo": {"epochs": 1, "generator_epochs": 6, "n_generated": 200},
}


class Resources(HTMLParser):
    """Collects what a browser would fetch, and the text of styles."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.styles: list[str] = []
        self.in_style = False

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.in_style = tag == "style"
        if given.get("style"):
            self.styles.append(given["style"])
        wanted = ["src", "srcset", "data", "poster"] if tag != "a" else []
        if tag == "link":
            wanted.append("href")
        self.fetched += [given[name] for name in wanted if given.get(name)]

    def handle_endtag(self, tag):
        self.in_style = False

    def handle_data(self, data):
        if self.in_style:
            self.styles.append(data)


def outside(html: str) -> list[str]:
    """Return the addresses outside the file that opening it would fetch."""
    page = Resources()
    page.feed(html)
    found = [address for address in page.fetched if not address.startswith(("data:", "#"))]
    found += [
        address
        for style in page.styles
        for address in re.findall(r"""(?:url\(|@import)\s*["']?([^"')\s;]+)""", style)
        if not address.startswith(("data:", "#"))
    ]
    return found


def run(name, out, monkeypatch, **more):
    """Run a notebook of the repository in an empty folder, and look at what it left."""
    monkeypatch.chdir(out)
    report = mdnb.report(ROOT / "notebooks" / f"{name}.ipynb", {**FAST[name], **more}, out / "report", progress=False)
    html = report.html.read_text(encoding="utf-8")
    assert not outside(html)
    executed = nbformat.read(report.notebook, as_version=4)
    outputs = [output for cell in executed.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    errors = [output.text for output in outputs if output.output_type == "stream" and output.name == "stderr"]
    assert not errors, errors
    return html, outputs


def test_outside_finds_what_a_browser_would_fetch():
    html = (
        "<link rel=stylesheet href='https://a/b.css'><script src='//cdn/x.js'></script>"
        "<img src='data:image/png;base64,x'>"
        "<style>@font-face{src:url(http://c/d.woff)} @import 'e.css';</style><a href='https://not-fetched'>x</a>"
        "<script>const text = '<img src=https://in-a-string>'</script>"
    )
    assert outside(html) == ["https://a/b.css", "//cdn/x.js", "http://c/d.woff", "e.css"]


def test_every_notebook_is_here():
    assert {path.stem for path in NOTEBOOKS} == set(FAST)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(FAST))
def test_notebook(name, tmp_path, monkeypatch):
    if name == "00_simulate":
        pytest.importorskip("openmm", reason="00_simulate needs OpenMM: pip install 'mdnb[simulate]'")
    html, outputs = run(name, tmp_path, monkeypatch)
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert "application/vnd.plotly.v1+json" in kinds
    assert "plotly" in html
    if name in ("01_pick_and_inspect", "06_explain", "demo") or name.startswith("07"):
        assert "3Dmol" in html
    if name == "07_generate_trajectories":
        assert len(list((tmp_path / "report" / "artifacts" / "trajectories").glob("*.xtc"))) == 8
    elif name.startswith("07"):
        assert (tmp_path / "report" / "artifacts" / "generated.pdb").exists()
    if name in ("03_predict_spatial", "04_dynamics_future_state", "04_dynamics_slow_modes", "demo"):
        assert "the best baseline" in html


@pytest.mark.slow
@pytest.mark.parametrize("name", ["03_predict_spatial", "06_explain", "07_generate_vae"])
def test_notebook_on_a_single_trajectory_of_ones_own(name, tmp_path, monkeypatch):
    """Which is parted into blocks, so that no whole trajectory is held out."""
    trajectory = mdnb.example("alanine-dipeptide")[0].frames(slice(None, None, 2))
    trajectory.save_xtc(str(tmp_path / "mine.xtc"))
    trajectory[0].save_pdb(str(tmp_path / "mine.pdb"))
    run(name, tmp_path, monkeypatch, files="mine.xtc", top="mine.pdb")


@pytest.mark.slow
def test_06_takes_the_model_of_04(tmp_path, monkeypatch):
    """Windows of several frames, which must not begin in one test trajectory and end in the next."""
    run("04_dynamics_future_state", tmp_path, monkeypatch)
    given = {"run_dir": "report/artifacts/run", "n_explained": 400}
    run("06_explain", tmp_path, monkeypatch, **given)

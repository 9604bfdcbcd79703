"""A report opened from the disk, without a network: figures drawn, the molecule turning, nothing asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest

import mdnb

from .conftest import SCREENSHOTS, drawn, pixels, poll


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    code, text = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell
    cells = [
        text("# A report for a <&> *test*\n\n![not fetched](https://example.org/picture.png)"),
        code("points: int = 3  # how many points", metadata={"tags": ["parameters"]}),
        code("import mdnb, numpy as np\nimport plotly.graph_objects as go\ngo.Figure(go.Scatter(y=np.arange(points)))"),
        code(
            "view = mdnb.StructureView(mdnb.example('chignolin'), np.sin(np.arange(166) / 9), unit='attribution',\n"
            "    caption='<img src=x onerror=alert(1)>')\nview"
        ),
        code("mdnb.TrajectoryPicker(example='alanine-dipeptide')"),
    ]
    folder = tmp_path_factory.mktemp("report")
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "tiny.ipynb")
    return mdnb.report(folder / "tiny.ipynb", {"points": 9}, out=folder / "out", progress=False).html


def test_a_report_needs_no_network(report: Path, page: Any) -> None:
    page.context.set_offline(True)
    page.goto(report.as_uri())
    figure = page.locator(".js-plotly-plot .main-svg").first
    figure.wait_for()
    assert page.locator(".js-plotly-plot .scatterlayer .point").count() == 9

    molecules = page.locator(".mdnb-molecule")
    assert molecules.count() == 2
    SCREENSHOTS.mkdir(exist_ok=True)
    for index in range(2):
        molecules.nth(index).evaluate("element => element.scrollIntoView({block: 'center'})")
        page.locator(".mdnb-molecule[data-drawn=true]").nth(index).wait_for()
        canvas = molecules.nth(index).locator("canvas").first
        first = poll(
            "the molecule", lambda c=canvas: (image := pixels(c)) is not None and drawn(image) and [image], page
        )
        poll("it to turn", lambda c=canvas, f=first: np.abs(pixels(c) - f[0]).sum() > 50_000, page)
        molecules.nth(index).get_by_role("button", name="Stop turning").click()
        still = pixels(canvas)
        slider = molecules.nth(index).get_by_role("slider")
        slider.focus()
        slider.press("End")
        poll("the last structure", lambda c=canvas, s=still: np.abs(pixels(c) - s).sum() > 50_000, page)
    page.screenshot(path=str(SCREENSHOTS / "report.png"), full_page=True)

    assert page.locator("h1").inner_text().startswith("A report")
    assert page.title() == "A report for a <&> test"
    assert page.watch.requests[0].startswith("file://")
    assert page.watch.foreign() == []
    assert [url for url in page.watch.requests[1:] if url.startswith("file:")] == []
    assert page.watch.errors == []

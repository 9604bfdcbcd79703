"""The widgets as a user meets them: in JupyterLab, by mouse and keyboard, the value read in the next cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mdnb.bench.browser import open_notebook as opened

from .conftest import SCREENSHOTS, drawn, pixels, poll

CELLS = [
    "import mdnb\npicker = mdnb.TrajectoryPicker('.')\npicker",
    "view = mdnb.StructureView(mdnb.example('chignolin'), list(range(-83, 83)), unit='attribution')\nview",
]


def open_notebook(page: Any, lab: dict[str, Any], name: str, cells: list[str]) -> None:
    opened(page, lab["url"], lab["folder"], name, cells)


def command(page: Any, name: str) -> None:
    page.evaluate("name => window.jupyterapp.commands.execute(name)", name)


def ask(page: Any, code: str) -> str:
    """Run a new last cell and return what it printed."""
    command(page, "notebook:move-cursor-down")
    page.evaluate(
        """code => {
            const panel = window.jupyterapp.shell.currentWidget.content;
            panel.activeCellIndex = panel.widgets.length - 1;
        }""",
        code,
    )
    command(page, "notebook:insert-cell-below")
    page.evaluate(
        "code => window.jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel.setSource(code)", code
    )
    command(page, "notebook:run-cell")
    printed = page.locator(".jp-Notebook .jp-Cell").last.locator(".jp-OutputArea-output pre")
    printed.first.wait_for()
    return "\n".join(printed.all_text_contents()).strip()


@pytest.fixture
def notebook(page: Any, lab: dict[str, Any]) -> Any:
    open_notebook(page, lab, "widgets.ipynb", CELLS)
    command(page, "notebook:run-all-cells")
    page.wait_for_selector(".mdnb-trajectory-picker")
    page.wait_for_selector(".mdnb-structure-view canvas")
    return page


def shoot(target: Any, name: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    target.screenshot(path=str(SCREENSHOTS / f"{name}.png"))


def theme(page: Any, name: str) -> None:
    page.evaluate(
        "name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})", f"JupyterLab {name}"
    )
    light = "false" if name == "Dark" else "true"
    page.wait_for_function(
        f"() => document.body.dataset.jpThemeLight === '{light}' && !document.querySelector('#jupyterlab-splash')"
    )


def both_themes(page: Any, target: Any, name: str) -> None:
    before = page.viewport_size
    page.set_viewport_size({"width": 1300, "height": 1700})
    target.scroll_into_view_if_needed()
    shoot(target, name)
    theme(page, "Dark")
    page.wait_for_selector(".mdnb-dark")
    shoot(target, f"{name}-dark")
    theme(page, "Light")
    page.set_viewport_size(before)


def no_trouble(page: Any) -> None:
    text = page.locator(".jp-Notebook").inner_text()
    assert "Error" not in text, text
    assert page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    assert page.locator("text=Click to show javascript error").count() == 0
    assert page.watch.foreign() == []


def test_pick_an_example_and_look_at_it(notebook: Any) -> None:
    page = notebook
    picker = page.locator(".mdnb-trajectory-picker")
    assert ask(page, "print(picker.value)") == "None"
    picker.get_by_label("Example", exact=True).select_option(index=0)
    picker.get_by_role("button", name="Open example").click()
    picker.get_by_text("8 trajectories").first.wait_for()
    assert ask(page, "print(len(picker.value), picker.value.n_atoms)") == "8 22"
    canvas = picker.locator("canvas").first
    canvas.scroll_into_view_if_needed()
    poll("the molecule in the preview", lambda: drawn(pixels(canvas)), page)
    picker.get_by_role("button", name="Show code").last.click()
    picker.locator("pre", has_text="mdnb.example('alanine-dipeptide')").last.wait_for()
    both_themes(page, picker, "picker")
    no_trouble(page)


def test_the_frame_follows_the_number_and_the_slider(notebook: Any) -> None:
    page = notebook
    view = page.locator(".jp-OutputArea-output .mdnb-structure-view").last
    canvas = view.locator("canvas").first
    canvas.scroll_into_view_if_needed()
    poll("the molecule", lambda: drawn(pixels(canvas)), page)
    both_themes(page, view, "structure")
    canvas.scroll_into_view_if_needed()
    before = pixels(canvas)
    number = view.get_by_label("Frame", exact=True)
    number.fill("40")
    number.press("Enter")
    poll("other coordinates", lambda: np.abs(pixels(canvas) - before).sum() > 50_000, page)
    assert ask(page, "print(view.value)") == "40"
    handle = view.locator(".mdnb-frame [role=slider]")
    handle.focus()
    handle.press("ArrowRight")
    poll("the slider's step", lambda: number.input_value() == "41", page)
    assert ask(page, "print(view.value)") == "41"
    assert ask(page, "view.value = 7; print('set')") == "set"
    poll("the number to follow Python", lambda: number.input_value() == "7", page)
    no_trouble(page)


def test_files_are_picked_and_a_wrong_selection_is_explained(page: Any, lab: dict[str, Any]) -> None:
    from mdnb.sources import packaged

    source = Path(packaged.__file__).parent / "data" / "alanine-dipeptide"
    target = lab["folder"] / "runs <b>&x"
    target.mkdir(exist_ok=True)
    for name in ("alanine-dipeptide-500K-0.h5md", "alanine-dipeptide-500K-1.h5md", "alanine-dipeptide.pdb"):
        (target / name).write_bytes((source / name).read_bytes())
    open_notebook(page, lab, "files.ipynb", ["import mdnb\npicker = mdnb.TrajectoryPicker('.')\npicker"])
    command(page, "notebook:run-all-cells")
    picker = page.locator(".mdnb-trajectory-picker")
    picker.get_by_label("Pick from").select_option("files in a folder")
    picker.get_by_label("Folder", exact=True).select_option(label="runs <b>&x/")
    files = picker.get_by_label("Trajectories", exact=True)
    poll("the files", lambda: files.locator("option").count() == 3, page)
    files.select_option(index=[0, 1])
    picker.get_by_text("22 of 22 atoms").wait_for()
    atoms = picker.get_by_label("Atoms", exact=True)
    atoms.fill("nam CA")
    picker.locator(".mdnb-error").first.wait_for()
    both_themes(page, picker, "picker-error")
    atoms.fill("element != H")
    picker.get_by_text("10 of 22 atoms").wait_for()
    picker.get_by_role("button", name="Open files").click()
    picker.get_by_text("2 trajectories").first.wait_for()
    assert ask(page, "print(len(picker.value), picker.value.n_atoms)") == "2 10"
    canvas = picker.locator("canvas").first
    canvas.scroll_into_view_if_needed()
    poll("the molecule to fill the preview", lambda: drawn(pixels(canvas)), page)
    both_themes(page, picker, "picker-files")
    no_trouble(page)

"""A public database in the TrajectoryPicker, as a user meets it; the server is one of this machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from database_files import DOMAIN, write_mdcath
from web import serving

import mdnb

from .conftest import poll
from .test_lab import ask, command, no_trouble, open_notebook
from .test_tuner import both_themes, nameless

ADDRESS = f"https://huggingface.co/datasets/compsciencelab/mdCATH/resolve/main/data/mdcath_dataset_{DOMAIN}.h5"


def test_fetch_from_a_public_database(page: Any, lab: dict[str, Any], tmp_path: Path) -> None:
    chunk = next(mdnb.example("chignolin")[:1].chunks(60, forces=True))
    made = write_mdcath(tmp_path / "made.h5", mdnb.example("chignolin").topology, chunk.positions, chunk.forces)
    with serving() as web:
        web.put(ADDRESS, made.read_bytes())
        web.hold = 60_000
        cell = (
            f"import os\nos.environ['MDNB_MIRROR'] = {web.url!r}\n"
            f"os.environ['MDNB_CACHE'] = {str(tmp_path / 'cache')!r}\n"
            "import mdnb\npicker = mdnb.TrajectoryPicker('.')\npicker"
        )
        open_notebook(page, lab, "databases.ipynb", [cell])
        command(page, "notebook:run-all-cells")
        picker = page.locator(".mdnb-trajectory-picker")
        picker.get_by_label("Pick from").select_option("a public database")
        database = picker.get_by_label("Database", exact=True)
        assert database.locator("option:checked").inner_text().startswith("mdCATH")
        picker.get_by_text("CC-BY-4.0").first.wait_for()
        entry = picker.get_by_label("Entry", exact=True)
        entry.fill("<img src=x onerror=alert(1)>")
        picker.get_by_role("button", name="Fetch").click()
        picker.locator(".mdnb-error").first.wait_for()
        assert picker.locator("img[src=x]").count() == 0
        entry.fill(DOMAIN)
        temperature = picker.get_by_label("temperature (K)")
        temperature.select_option(label="450")
        temperature.press("Tab")
        fetch = picker.get_by_role("button", name="Fetch")
        fetch.focus()
        fetch.press("Enter")
        picker.get_by_text(re.compile(r"Got [\d.]+ kB of")).wait_for()
        assert ask(page, "print(picker.value)") == "None"  # the kernel answers meanwhile
        assert nameless(picker) == []
        both_themes(page, picker, "picker-database")
        picker.get_by_role("button", name="Cancel").click()
        picker.get_by_text("Cancelled; what had come is kept").wait_for()
        web.hold = None
        web.go.set()
        poll("the cancelled download to end", lambda: fetch.is_enabled(), page)
        fetch.click()
        picker.get_by_text("2 trajectories").first.wait_for()
        assert ask(page, "print(len(picker.value), picker.value.n_atoms, picker.value.time_step)") == "2 166 1000.0"
        picker.get_by_role("button", name="Show code").last.click()
        code = picker.locator("pre", has_text="mdnb.fetch").inner_text()
        assert ask(page, f"exec({code!r}); print(trajectories.names == picker.value.names)") == "True"
        canvas = picker.locator("canvas").first
        canvas.scroll_into_view_if_needed()
        both_themes(page, picker, "picker-database-fetched")
        assert ask(page, "picker.close(); print('closed')") == "closed"
        no_trouble(page)

"""Turn an executed notebook into one HTML file that needs no network."""

from __future__ import annotations

import copy
import os
import re
import tempfile
from collections.abc import Sequence
from datetime import datetime
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from nbconvert import HTMLExporter
from traitlets.config import Config

from mdnb import __version__
from mdnb.reports.parameters import Declared

__all__ = ["POLICY", "external_resources", "write_html"]

_STATIC = Path(__file__).resolve().parents[1] / "static"
_WIDGET = "application/vnd.jupyter.widget-view+json"
_MOLECULE = 'class="mdnb-molecule"'
_NOTE = '<p class="mdnb-note">An interactive control, shown only in a live notebook.</p>'
_PRIORITY = ["text/html", "image/svg+xml", "image/png", "image/jpeg", "text/markdown", "text/plain"]

#: The browser refuses what the page would load, send or submit. It does not hold a script that navigates away:
#: the outputs of a notebook are trusted as far as the notebook is.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' blob:; style-src 'unsafe-inline'; "
    "img-src data: blob:; media-src data: blob:; font-src data:; connect-src data: blob:; worker-src blob: data:; "
    "base-uri 'none'; form-action 'none'"
)


def write_html(notebook: Any, path: Path, *, source: Path, parameters: Sequence[tuple[Declared, Any]]) -> Path:
    """Write the report of an executed notebook, replacing an older one only when it is complete.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        Left as it is.
    path : Path
        The HTML file.
    source : Path
        The notebook before it was run; pictures that its text names are looked for beside it.
    parameters : sequence of (Declared, value or None)
        What the notebook takes, with the value given for this run.

    Returns
    -------
    Path
        `path`.
    """
    notebook = _presentable(notebook)
    exporter = HTMLExporter(
        template_name="report",
        extra_template_basedirs=[str(_STATIC)],
        embed_images=True,
        config=Config({"NbConvertBase": {"display_data_priority": _PRIORITY}}),
    )
    page = {
        "title": _title(notebook, source),
        "policy": POLICY,
        "css": _read("report/report.css"),
        "head": _head(source) + _settings(parameters),
        "scripts": "@@mdnb-scripts@@",
    }
    resources = {"mdnb": page, "metadata": {"name": source.stem, "path": str(source.parent)}}
    body, _ = exporter.from_notebook_node(notebook, resources=resources)
    body = _without_dead_links(_without_external(body), path.parent)
    body = body.replace(page["scripts"], _scripts(body))
    handle, temporary = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".html", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(body)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def _read(name: str) -> str:
    return (_STATIC / name).read_text(encoding="utf-8")


def _presentable(notebook: Any) -> Any:
    """Return a copy without widget state, in which a bare widget has become a note."""
    notebook = copy.deepcopy(notebook)
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if data.pop(_WIDGET, None) is not None and not {"text/html", "image/svg+xml", "image/png"} & set(data):
                data["text/html"] = _NOTE
    return notebook


def _title(notebook: Any, source: Path) -> str:
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (found := re.search(r"^#\s+(.+?)\s*#*$", cell.source, re.MULTILINE)):
            return re.sub(r"[*_`]", "", found.group(1))
    return source.stem.replace("_", " ")


def _head(source: Path) -> str:
    when = datetime.now().astimezone().strftime("%d %B %Y, %H:%M")
    return f"<p>{escape(source.name)}, run on {when} with mdnb {escape(__version__)}</p>"


def _settings(parameters: Sequence[tuple[Declared, Any]]) -> str:
    if not parameters:
        return ""
    rows = []
    for entry, value in parameters:
        changed = value is not None and repr(value) != entry.default
        shown = repr(value) if value is not None else entry.default
        mark = ' class="mdnb-changed"' if changed else ""
        default = f"<code>{escape(entry.default)}</code>" if changed else ""
        rows.append(
            f"<tr><td{mark}>{escape(entry.name)}</td><td{mark}><code>{escape(shown)}</code></td>"
            f"<td>{default}</td><td>{escape(entry.help)}</td></tr>"
        )
    head = "<thead><tr><th>parameter</th><th>value</th><th>default</th><th>meaning</th></tr></thead>"
    return (
        f'<details class="mdnb-settings"><summary>Parameters of this run</summary><table>{head}'
        f"<tbody>{''.join(rows)}</tbody></table></details>"
    )


def _scripts(body: str) -> str:
    """Return the molecule viewer, once, if the page shows a molecule."""
    if _MOLECULE not in body:
        return ""
    licence = _read("3Dmol-LICENSE.txt").replace("*/", "* /")
    viewer, driver = (_read(name).replace("</script", "<\\/script") for name in ("3Dmol-min.js", "molecule.js"))
    return f"<script>/*\n{licence}\n*/\n{viewer}</script>\n<script>{driver}</script>"


_REMOTE = re.compile(r"^\s*(https?:)?//", re.IGNORECASE)
_LOADS = {
    "script": ("src",),
    "link": ("href",),
    "img": ("src", "srcset"),
    "iframe": ("src", "srcdoc"),
    "audio": ("src",),
    "video": ("src", "poster"),
    "source": ("src", "srcset"),
    "object": ("data",),
    "embed": ("src",),
}
_CSS_LOAD = re.compile(r"""@import\s+["'][^"']*["'][^;]*;?|url\(\s*["']?\s*(?:https?:)?//[^)]*\)""", re.IGNORECASE)


class _Finder(HTMLParser):
    """Collects start tags that would make a browser ask a server."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in _LOADS.get(tag, ()) and value and _REMOTE.match(value):
                self.found.append((self.get_starttag_text() or "", tag, value))

    handle_startendtag = handle_starttag


def external_resources(page: str) -> list[str]:
    """Return the addresses that a browser showing this HTML would ask for, links to click aside."""
    finder = _Finder()
    finder.feed(page)
    return [address for _, _, address in finder.found]


def _without_external(page: str) -> str:
    """Replace what would be loaded from elsewhere by its address as text."""
    finder = _Finder()
    finder.feed(page)
    for text, tag, address in finder.found:
        replacement = f"<{tag}>" if tag != "img" else f'<span class="mdnb-note">picture at {escape(address)}</span>'
        page = page.replace(text, replacement)
    return re.sub(
        r"(<style\b[^>]*>)(.*?)(</style>)",
        lambda m: m[1] + _CSS_LOAD.sub("", m[2]) + m[3],
        page,
        flags=re.DOTALL | re.IGNORECASE,
    )


_SCRIPT = re.compile(r"(<script\b.*?</script>)", re.DOTALL | re.IGNORECASE)
_NOTEBOOK_LINK = re.compile(
    r"""(<a\b[^>]*?\bhref=")(?![a-z][a-z0-9+.-]*:|/)([^"?#]+)\.ipynb([?#][^"]*)?("[^>]*>)(.*?)</a>""",
    re.DOTALL | re.IGNORECASE,
)


def _without_dead_links(page: str, folder: Path) -> str:
    """Turn links to other notebooks into links to their reports in that folder, or into text where there is none."""

    def replaced(link: re.Match[str]) -> str:
        before, name, place, after, text = link.groups()
        there = (folder / f"{unquote(unescape(name))}.html").is_file()
        return f"{before}{name}.html{place or ''}{after}{text}</a>" if there else text

    parts = _SCRIPT.split(page)
    parts[::2] = [_NOTEBOOK_LINK.sub(replaced, part) for part in parts[::2]]
    return "".join(parts)

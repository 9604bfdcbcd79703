"""Parts of widgets that ipywidgets does not offer: a form made from settings, and a table with ticks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import anywidget
import traitlets

from mdnb.specs import Setting
from mdnb.views._frame import STATIC

__all__ = ["CheckTable", "SettingsForm", "field_of"]

#: More steps than this are not for a slider.
_MOST_STEPS = 1000


class SettingsForm(anywidget.AnyWidget):
    """Controls for settings: a label, a slider and a number (or a list, or a tick), help, and what is wrong."""

    _esm = (STATIC / "form.js").read_text(encoding="utf-8")

    fields: Any = traitlets.List(help="As `field_of` makes them.").tag(sync=True)
    values = traitlets.Dict(help="Name -> value, or [from, to].").tag(sync=True)
    problems = traitlets.Dict(help="Name -> what is wrong with the value.").tag(sync=True)
    mode = traitlets.Unicode("values", help="'values' or 'ranges'.").tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)


class CheckTable(anywidget.AnyWidget):
    """Rows of text that can be ticked, and one of them chosen; those with a reason are grey and cannot."""

    _esm = (STATIC / "table.js").read_text(encoding="utf-8")

    caption = traitlets.Unicode().tag(sync=True)
    empty = traitlets.Unicode(help="Said where there are no rows.").tag(sync=True)
    columns: Any = traitlets.List(help="Dicts of key, label, and right (numbers) and title.").tag(sync=True)
    rows: Any = traitlets.List(help="Dicts of key, label, cells, and marks, reason and color.").tag(sync=True)
    checked: Any = traitlets.List(help="Keys of the ticked rows, in their order.").tag(sync=True)
    selected = traitlets.Unicode(help="Key of the chosen row.").tag(sync=True)
    check_label = traitlets.Unicode(help="What a tick means; empty for no ticks.").tag(sync=True)
    select_label = traitlets.Unicode(help="What choosing means; empty for none.").tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)


def field_of(setting: Setting, group: str, folded: Iterable[str] = ()) -> dict[str, Any]:
    """Return a setting as the form wants it; those named in `folded` are folded away at the end."""
    kind = "choice" if setting.options is not None else setting.type.__name__
    slider = False
    if kind in ("int", "float") and setting.low is not None and setting.high is not None:
        span = setting.high - setting.low
        # Where the default is within a step of the end, a slider could hardly be set to what is wanted.
        few = setting.default >= 0.005 * span if kind == "float" else span <= _MOST_STEPS
        slider = setting.low > 0 if setting.log else few
    return {
        "name": setting.name,
        "label": setting.name.replace("_", " "),
        "kind": kind,
        "low": setting.low,
        "high": setting.high,
        "log": setting.log,
        "options": list(setting.options or ()),
        "unit": setting.unit,
        "help": setting.help,
        "slider": slider,
        "group": f"+More of {group.lower()}" if setting.name in set(folded) else group,
    }

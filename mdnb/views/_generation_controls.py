"""The live half of `GenerationView`: what to ask for, one plotly figure and one structure."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets

from mdnb.views._background import Background
from mdnb.views._figure import new_figure
from mdnb.views._frame import Frame
from mdnb.views._generation_words import checks_html
from mdnb.views._live import shows_errors
from mdnb.views._stage import Stage
from mdnb.views.generation_view import SHOWN

__all__ = ["GenerationControls"]

_ANY = "(as often as in training)"
_STYLE = {"description_width": "initial"}
_ROW = {"flex_flow": "row wrap", "align_items": "center"}


class GenerationControls(Frame):
    """The widget of a `GenerationView`.

    Parameters
    ----------
    view : GenerationView
    """

    def __init__(self, view: Any) -> None:
        super().__init__(view, "Generation", "mdnb-generation-view")
        self._setting = False
        self.figure: Any = None
        self.stage: Stage | None = None
        asked = view.asked
        small = {"style": _STYLE, "layout": ipywidgets.Layout(width="150px")}
        self.n = ipywidgets.BoundedIntText(description="Structures", value=asked["n"], min=1, max=1_000_000, **small)
        self.seed = ipywidgets.BoundedIntText(description="Seed", value=asked["seed"], min=0, max=2**31 - 1, **small)
        self.condition = self._conditions()
        self.button = ipywidgets.Button(description="Generate", button_style="primary")
        self.which = ipywidgets.Dropdown(description="Play", options=list(SHOWN), style=_STYLE,
                                         layout=ipywidgets.Layout(width="200px"))  # fmt: skip
        self.words, self.table = ipywidgets.HTML(), ipywidgets.HTML()
        self.words.add_class("mdnb-words")
        self.file = ipywidgets.Text(description="File", value="generated.pdb", style=_STYLE,
                                    layout=ipywidgets.Layout(width="300px"))  # fmt: skip
        self.only = ipywidgets.Checkbox(description="only those that pass", indent=False,
                                        layout=ipywidgets.Layout(width="180px"))  # fmt: skip
        self.save = ipywidgets.Button(description="Save", tooltip=f"Under {view.folder.root}; PDB, XTC or DCD")
        self.pictures = ipywidgets.HBox([], layout=ipywidgets.Layout(flex_flow="row wrap"))
        self.after = ipywidgets.VBox([])
        self.background = Background(self)
        self.compose([
            ipywidgets.HBox([self.n, self.seed, *self.condition, self.button], layout=ipywidgets.Layout(**_ROW)),
            self.pictures, self.words, self.after,
        ])  # fmt: skip
        self.button.on_click(self._on_generate)
        self.save.on_click(self._on_save)
        self.which.observe(self._on_which, "value")
        view.observe(self._on_value, "value")
        view.observe(self._on_frame, "frame")
        self.on_close(lambda: view.unobserve(self._on_value, "value"))
        self.on_close(lambda: view.unobserve(self._on_frame, "frame"))
        if view.value is not None:
            self.draw()
        self._tell()

    def _conditions(self) -> list[Any]:
        """Return the controls of the condition: a list of classes, or a switch and a slider with its number."""
        known, now = self.view.range, self.view.asked["condition"]
        if known is None:
            return []
        name = self.view.run.target.name
        unit = f" ({self.view.run.target.unit})" if self.view.run.target.unit else ""
        if self.view.run.target.classes:
            options = [_ANY, *known]
            return [
                ipywidgets.Dropdown(description=f"Condition: {name}", options=options, value=now or _ANY, style=_STYLE)
            ]
        low, high = known
        self.given = ipywidgets.Checkbox(
            description="Condition", value=now is not None, indent=False, layout=ipywidgets.Layout(width="110px")
        )
        middle = (low + high) / 2
        value = float(now) if isinstance(now, int | float) else middle
        span = high - low
        slider = ipywidgets.FloatSlider(
            description=f"{name}{unit}", min=low - 0.1 * span, max=high + 0.1 * span, step=span / 200, value=value,
            readout=False, style=_STYLE, layout=ipywidgets.Layout(width="320px"),
        )  # fmt: skip
        number = ipywidgets.FloatText(description="asked for", value=float(f"{value:.4g}"), style=_STYLE,
                                      layout=ipywidgets.Layout(width="150px"))  # fmt: skip
        slider.observe(lambda change: setattr(number, "value", float(f"{change['new']:.4g}")), "value")
        slider.add_class("mdnb-condition")
        number.add_class("mdnb-asked")
        self.number = number
        return [self.given, slider, number]

    def asked(self) -> dict[str, Any]:
        """Return what the controls ask for."""
        condition: Any = None
        if self.view.range is not None:
            if self.view.run.target.classes:
                condition = None if self.condition[0].value == _ANY else self.condition[0].value
            elif self.given.value:
                condition = self.number.value
        return {"n": self.n.value, "condition": condition, "seed": self.seed.value}

    def draw(self) -> None:
        """Draw what the view holds: into the one figure and the one structure, once they are there."""
        new = self.view.figure()
        if self.figure is None:
            self.figure = new_figure(new)
            self.figure.layout.width = 500
            self.follow_theme(self.figure)
            self.stage = Stage(self, self.view.structure)
            self.pictures.children = (self.figure, ipywidgets.VBox([self.which, self.stage.box]))
            save = ipywidgets.HBox([self.file, self.only, self.save], layout=ipywidgets.Layout(**_ROW))
            self.after.children = (self.table, save)
            return
        with self.figure.batch_update():
            for now, then in zip(self.figure.data, new.data, strict=True):
                now.x, now.y = then.x, then.y
                if now.type == "heatmap":
                    now.z = then.z
            self.figure.layout.title.text = new.layout.title.text
            for now, then in zip(self.figure.layout.annotations, new.layout.annotations, strict=True):
                now.text = then.text

    def _tell(self) -> None:
        notes = () if self.view.value is None else self.view.value.notes
        lines = "".join(f"<div class='mdnb-quiet'>{escape(note)}</div>" for note in notes)
        self.words.value = f"<div role='status'>{escape(self.view.describe())}</div>{lines}"
        self.table.value = checks_html(self.view.rows()) if self.view.value is not None else ""
        self.refresh()

    @shows_errors
    def _on_generate(self, button: Any) -> None:
        asked = self.asked()

        def show(made: Any) -> None:
            self.view.asked = asked
            self.view.value = made

        if self.background.running:
            return
        with self.button.hold_sync():  # before the work begins, which would be in the way of saying so
            self.button.disabled, self.button.description = True, "Generating ..."
        self.show_error("")
        self.background.start(lambda: self.view.make(asked), show, self._ready)

    def _ready(self) -> None:
        with self.button.hold_sync():
            self.button.disabled, self.button.description = False, "Generate"

    @shows_errors
    def _on_save(self, button: Any) -> None:
        path = self.view.save(*self.file.value.strip().replace("\\", "/").split("/"), only_valid=self.only.value)
        self.show_error(f"Saved to {path}", "info")

    @shows_errors
    def _on_which(self, change: Any) -> None:
        if not self._setting:
            self.view.show(change["new"])
            self.show_error("")

    @shows_errors
    def _on_value(self, change: Any) -> None:
        if change["new"] is None:
            return
        self.draw()
        self._tell()
        self._setting = True
        self.which.value = self.view.shown
        self._setting = False
        self.show_error("")

    @shows_errors
    def _on_frame(self, change: Any) -> None:
        if self.view.value is not None:
            self._tell()

"""The live half of `StructureView`: one nglview widget, a slider and a number for the frame."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets
import numpy as np

from mdnb.pictures import Drawing
from mdnb.pictures.html import colour_bar_html
from mdnb.views._frame import Frame
from mdnb.views._live import shows_errors
from mdnb.views._nglview import new_view

__all__ = ["StructureControls"]

_HIGHLIGHT = "mdnb-highlight"
_LARGEST_FACTOR = 99.0  # what a PDB column holds


class StructureControls(Frame):
    """The widget of a `StructureView`.

    Parameters
    ----------
    view : StructureView
    """

    def __init__(self, view: Any) -> None:
        super().__init__(view, "Structure", "mdnb-structure-view")
        self._setting = False
        self.canvas = new_view()
        self.canvas.layout.width = f"{view.width}px"
        self.canvas.layout.height = f"{view.height}px"
        style = {"description_width": "initial"}
        self.number = ipywidgets.BoundedIntText(
            description="Frame", min=0, max=0, style=style, layout=ipywidgets.Layout(width="150px")
        )
        self.slider = ipywidgets.IntSlider(
            min=0, max=0, readout=False, tooltip="Frame", layout=ipywidgets.Layout(width="260px")
        )
        self.play = ipywidgets.Play(min=0, max=0, interval=120, tooltip="Play the frames")
        self.count = ipywidgets.HTML()
        self.note = ipywidgets.HTML()
        self.frame_row = ipywidgets.HBox(
            [self.play, self.slider, self.number, self.count], layout=ipywidgets.Layout(align_items="center")
        )
        self.frame_row.add_class("mdnb-frame")
        for control in (self.number, self.slider, self.play):
            control.observe(self._on_control, "value")
        view.observe(self._on_value, "value")
        view.observe(self._on_residue, "residue")
        self.canvas.observe(self._on_picked, "picked")
        self.canvas.observe(self._on_loaded, "loaded")
        self.compose([self.canvas, self.frame_row, self.note])
        self.box.layout.width, self.box.layout.max_width = f"{view.width + 20}px", "100%"
        self.on_theme(self._on_dark)
        self.on_close(lambda: view.unobserve(self._on_value, "value"))
        self.on_close(lambda: view.unobserve(self._on_residue, "residue"))
        self.load()

    def _on_dark(self, dark: bool) -> None:
        self.canvas.background = "#111111" if dark else "white"

    @shows_errors
    def load(self) -> None:
        """Show the view's present structures in the one canvas."""
        for component in list(self.canvas._ngl_component_ids):
            self.canvas.remove_component(component)
        picture: Drawing = self.view.picture
        self.canvas.add_structure(_structure(picture, self.view._first), default_representation=False)
        self._paint(picture)
        self.canvas.center()
        self.fill_frames()
        self._highlight()
        bar = "" if picture.scale is None else colour_bar_html(picture.scale)
        caption = f"<div>{escape(self.view.caption)}</div>" if self.view.caption else ""
        words = f"<div style='font-size:0.85em;line-height:1.35;opacity:0.75'>{escape(picture.describe())}</div>"
        self.note.value = bar + caption + words
        self.show_error("")

    def fill_frames(self, frame: int | None = None) -> None:
        """Let slider and player run through the frames that are chosen, or through all, and put them at a frame.

        Parameters
        ----------
        frame : int, optional
            The one shown when left out.
        """
        frame = self.view.value if frame is None else frame
        chosen, last = self.view.chosen, self.view.n_frames - 1
        self._setting = True
        try:
            place, end = self._place(frame), len(self._run) - 1
            for control, most, now in ((self.number, last, frame), (self.slider, end, place), (self.play, end, place)):
                with control.hold_sync():  # one message each
                    if control.max != most:
                        control.value = 0  # before the bounds shrink, so that none is refused
                        control.max = most
                    control.value = min(now, most)
        finally:
            self._setting = False
        self.frame_row.layout.display = "flex" if last else "none"
        what = f"0 to {last:,}" if chosen is None else f"{len(chosen):,} of {last + 1:,}"
        self.count.value = f"<span style='white-space:nowrap'>{what}</span>"

    @property
    def _run(self) -> Any:
        """The frames that slider and player run through."""
        return range(self.view.n_frames) if self.view.chosen is None else self.view.chosen

    def _place(self, frame: int) -> int:
        """Return where a frame is in `_run`, or would be."""
        return frame if self.view.chosen is None else int(np.searchsorted(self.view.chosen, frame))

    def _set_frame(self) -> None:
        """Put the controls where the view is."""
        self.number.value = self.view.value
        place = self._place(self.view.value)
        for control in (self.slider, self.play):
            control.value = min(place, control.max)

    def _paint(self, picture: Drawing) -> None:
        if picture.scale is None:
            colour: dict[str, Any] = {"color_scheme": "element"}
            ribbon: dict[str, Any] = {"color": "#7c9cbf"}
        else:
            limit = picture.scale.limit
            colour = {
                "color_scheme": "bfactor",
                "color_scale": picture.scale.colours(np.linspace(-limit, limit, 9)),
                "color_domain": [0, _LARGEST_FACTOR],
            }
            ribbon = {"color": "#c9ced4"}
        if picture.cartoon:
            self.canvas.add_representation("cartoon", "protein", opacity=0.6, **ribbon)
        if picture.n_atoms <= 60:
            self.canvas.add_representation("ball+stick", "all", **colour)
        elif picture.n_atoms <= 2000 or not picture.cartoon:
            self.canvas.add_representation("licorice", "all", radius=0.14, **colour)
        else:
            self.canvas.add_representation("line", "all", **colour)

    @shows_errors
    def _on_control(self, change: Any) -> None:
        if not self._setting:
            new = int(change["new"])
            self.view.value = new if change["owner"] is self.number else int(self._run[new])

    @shows_errors
    def _on_value(self, change: Any) -> None:
        self._setting = True
        try:
            self._set_frame()
        finally:
            self._setting = False
        self._send()
        self.show_error("")
        self.refresh()

    @shows_errors
    def _on_loaded(self, change: Any) -> None:
        if change["new"] and self.view.n_frames > 1:
            self._send()

    @shows_errors
    def _on_picked(self, change: Any) -> None:
        """Take the residue of the atom clicked on; a click on it again takes the highlight away."""
        atom = change["new"].get("atom1", {}).get("index")
        if atom is not None and 0 <= int(atom) < self.view.picture.n_atoms:
            residue = self.view.picture.topology.atom(int(atom)).residue.index
            self.view.residue = None if residue == self.view.residue else residue

    @shows_errors
    def _on_residue(self, change: Any) -> None:
        self.canvas._remove_representations_by_name(_HIGHLIGHT)
        self._highlight()

    def _highlight(self) -> None:
        """Draw a shell around the residue that is highlighted."""
        if self.view.residue is None:
            return
        atoms = [atom.index for atom in self.view.picture.topology.residue(self.view.residue).atoms]
        self.canvas.add_representation(
            "spacefill", atoms, name=_HIGHLIGHT, color="#E69F00", opacity=0.35, radius_scale=0.9, depth_write=False
        )

    def _send(self) -> None:
        self.canvas.set_coordinates({0: self.view.coordinates(self.view.value)})


def _structure(picture: Drawing, first: Any) -> Any:
    """Return a structure for nglview: a PDB whose temperature factors carry the values."""
    from nglview.base_adaptor import Structure

    class _Painted(Structure):
        def get_structure_string(self) -> str:
            return _pdb(picture, first.xyz[0] * 10)

    return _Painted()


def _pdb(picture: Drawing, positions: np.ndarray) -> str:
    """Return PDB text with every bond.

    mdtraj's own writer keeps the serial numbers of a selection but numbers its CONECT records anew, so that a
    part of a molecule would get wrong bonds.
    """
    share = np.zeros(picture.n_atoms)
    if picture.values is not None and picture.scale is not None:
        share = np.clip(np.nan_to_num(picture.values / picture.scale.limit), -1, 1)
    lines = []
    for atom, (x, y, z), factor in zip(
        picture.topology.atoms, positions, (share + 1) / 2 * _LARGEST_FACTOR, strict=True
    ):
        residue, symbol = atom.residue, getattr(atom.element, "symbol", "")
        name = _printable(atom.name[:4])
        name = name if len(name) >= 4 or len(symbol) == 2 else f" {name}"
        lines.append(
            f"ATOM  {(atom.index + 1) % 100_000:5d} {name:<4} {_printable(residue.name[:3]):>3} "
            f"{chr(65 + residue.chain.index % 26)}{residue.resSeq % 10_000:4d}    "
            f"{x:8.3f}{y:8.3f}{z:8.3f}{1:6.2f}{factor:6.2f}          {symbol:>2}"
        )
    if picture.n_atoms < 100_000:
        lines += [f"CONECT{a + 1:5d}{b + 1:5d}" for a, b in picture.bonds]
    return "\n".join([*lines, "END", ""])


def _printable(name: str) -> str:
    """Return a name without what would begin another line or record of the PDB text."""
    return "".join(letter if letter.isprintable() else "_" for letter in name)

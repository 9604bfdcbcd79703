"""The HTML of a structure: a picture, which a report's script replaces by a molecule that turns."""

from __future__ import annotations

import base64
import json
from html import escape
from typing import Any

import numpy as np

from mdnb.pictures.colours import Scale
from mdnb.pictures.drawing import Drawing
from mdnb.pictures.png import structure_png

__all__ = ["colour_bar_html", "structure_html"]

_STICKS_UP_TO = 600  # atoms drawn as sticks beside a ribbon


def structure_html(
    picture: Drawing, *, caption: str = "", names: list[str] | None = None, start: int = 0, height: int = 400
) -> str:
    """Return a figure element with the structure, its colour bar and a caption, all text escaped.

    Where no script runs (a sanitizing viewer, a notebook that is not trusted) it shows the still picture.

    Parameters
    ----------
    picture : Drawing
        Its frames are moved through with a slider.
    caption : str
    names : list of str, optional
        What each frame is called beside the slider, such as ``"frame 120"``.
    start : int
        The frame shown first.
    height : int
        Pixels.
    """
    words = picture.describe()
    still = base64.b64encode(structure_png(picture, frame=start)).decode("ascii")
    data = json.dumps(_model(picture, names, start), separators=(",", ":"), allow_nan=False)
    data = data.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    bar = "" if picture.scale is None else colour_bar_html(picture.scale)
    text = f"<figcaption style='font-size:0.9em;color:#5b6673'>{escape(caption)}</figcaption>" if caption else ""
    return (
        '<figure class="mdnb-molecule" style="margin:0.5em auto;max-width:760px">'
        f'<div class="mdnb-stage" data-label="{escape(words)}" data-height="{height}">'
        f'<img src="data:image/png;base64,{still}" alt="{escape(words)}" style="max-width:100%"></div>'
        f'<div class="mdnb-controls"></div>{bar}{text}'
        f'<script type="application/json" class="mdnb-model">{data}</script></figure>'
    )


def colour_bar_html(scale: Scale) -> str:
    """Return the colour scale with its numbers."""
    low, middle, high = (escape(label) for label in scale.labels())
    unit = f"<div style='text-align:center'>{escape(scale.unit)}</div>" if scale.unit else ""
    return (
        '<div class="mdnb-colour-bar" style="max-width:320px;margin:4px auto;font-size:0.85em;line-height:1.3">'
        f'<div style="height:12px;border-radius:2px;background:{scale.css_gradient()}"></div>'
        f'<div style="display:flex;justify-content:space-between"><span>{low}</span><span>{middle}</span>'
        f"<span>{high}</span></div>{unit}</div>"
    )


def _model(picture: Drawing, names: list[str] | None, start: int) -> dict[str, Any]:
    atoms = list(picture.topology.atoms)
    residues = picture.residue_colours()
    return {
        "element": [getattr(atom.element, "symbol", None) or "X" for atom in atoms],
        "name": [atom.name for atom in atoms],
        "residue": [atom.residue.index for atom in atoms],
        "residues": [
            [r.name, r.resSeq, r.chain.index, code, bool(r.is_protein), colour]
            for r, code, colour in zip(picture.topology.residues, picture.secondary, residues, strict=True)
        ],
        "bonds": picture.bonds.ravel().tolist(),
        "colours": picture.colours,
        "values": None
        if picture.values is None
        else [float(f"{v:.4g}") if np.isfinite(v) else None for v in picture.values],
        "frames": [[round(float(x), 2) for x in frame.ravel()] for frame in picture.positions],
        "names": names,
        "start": start,
        "cartoon": picture.cartoon,
        "sticks": picture.n_atoms <= _STICKS_UP_TO or not picture.cartoon,
        "spheres": picture.n_atoms <= 60,
    }

"""A structure that turns: live with nglview, in a report with 3Dmol, anywhere else as a picture."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from traitlets import Int, TraitError, validate

from mdnb.errors import DataError
from mdnb.pictures import Drawing, drawing, face_on, structure_html, structure_png
from mdnb.views._live import is_report
from mdnb.views._source import name_of, trajectories_lines
from mdnb.views._view import View, call_text

__all__ = ["StructureView"]

_STATIC_FRAMES = 20
_STATIC_NUMBERS = 400_000  # coordinates in one page: about 3 MB


class StructureView(View):
    """Show structures, painted by a value per atom where one is given.

    Parameters
    ----------
    structures : mdtraj.Trajectory or Trajectories
        Or anything else with a `topology`, `n_frames` and `frames(indices)`.
    values : array_like, shape (n_atoms,), optional
        Painted from blue through grey (zero) to orange on a scale that is symmetric around zero.
    frame : int
        The frame shown first.
    limit : float, optional
        The magnitude at the ends of the scale; the largest of `values` if not given.
    unit : str
        Written under the colour bar.
    caption : str
        Written under the structure.
    width, height : int
        Pixels.

    Attributes
    ----------
    value : int
        The frame shown; set it to show another.
    residue : int or None
        Number of the residue that is highlighted: the one clicked on, or set to show one.
    chosen : (n_chosen,) int array or None
        The frames that `play` runs through; None for all.

    Raises
    ------
    DataError
        If there is nothing to show, no such frame, or `values` is not one number per atom.
    """

    value = Int(0, help="The frame shown.")
    residue = Int(None, allow_none=True, help="The residue highlighted, or None.")

    def __init__(
        self,
        structures: Any,
        values: object = None,
        *,
        frame: int = 0,
        limit: float | None = None,
        unit: str = "",
        caption: str = "",
        width: int = 640,
        height: int = 400,
    ) -> None:
        self.width, self.height = width, height
        self._lock = threading.RLock()
        self._n_frames = 0
        self._first: Any = None  # the frame that the others are superposed on
        self.chosen: np.ndarray | None = None
        super().__init__()
        self.show(structures, values, frame=frame, limit=limit, unit=unit, caption=caption)

    def show(
        self,
        structures: Any,
        values: object = None,
        *,
        frame: int = 0,
        limit: float | None = None,
        unit: str = "",
        caption: str = "",
        keep: bool = False,
    ) -> None:
        """Show other structures in the same view; parameters and errors as for the class.

        With `keep`, the same molecule in another frame or other colours, it is seen as it was turned.
        """
        n_frames = _n_frames(structures)
        if isinstance(frame, bool) or not isinstance(frame, int | np.integer):
            raise DataError(f"frame = {frame!r}: expected the number of a frame, 0 to {n_frames - 1}")
        frame = int(frame)
        if not 0 <= frame < n_frames:
            raise DataError(f"no frame {frame}: there are {n_frames} (0 to {n_frames - 1}); give one of those")
        first = _frames(structures, [frame])
        keep = keep and self._first is not None and first.n_atoms == self._first.n_atoms
        first = first[:].superpose(self._first) if keep else face_on(first)
        picture = drawing(first, values, limit=limit, unit=unit)
        with self._lock:
            self.structures, self.values, self._given = structures, picture.values, values
            self.caption, self.unit, self._limit = caption, unit, limit
            self._n_frames, self._first, self._drawing = n_frames, first, picture
            self.chosen = None
            self.value = frame
            if self.residue is not None and self.residue >= first.n_residues:
                self.residue = None
            if self._controls is not None:
                self._controls.load()

    def play(self, frames: Sequence[int] | np.ndarray | None = None, frame: int | None = None) -> None:
        """Let the slider run through some frames only, all when left out.

        Then `frame` is shown, or what is shown already; the first of them where that is none of them.

        Raises
        ------
        DataError
            For a frame that is not there.
        """
        chosen = None if frames is None or not len(frames) else np.unique(np.asarray(frames, int))
        if chosen is not None and not 0 <= chosen[0] <= chosen[-1] < self._n_frames:
            raise DataError(
                f"no frame {chosen[0] if chosen[0] < 0 else chosen[-1]}: there are {self._n_frames} "
                f"(0 to {self._n_frames - 1})"
            )
        with self._lock:
            self.chosen = chosen
            shown = self.value if frame is None else frame
            if chosen is not None and not np.isin(shown, chosen):
                shown = int(chosen[0])
            if self._controls is not None:
                self._controls.fill_frames(shown)
            self.value = shown

    @property
    def n_frames(self) -> int:
        """The number of frames."""
        return self._n_frames

    @property
    def picture(self) -> Drawing:
        """The first structure shown, with its colours and scale."""
        return self._drawing

    @validate("value")
    def _check_value(self, proposal: Any) -> int:
        if not 0 <= proposal["value"] < self._n_frames:
            raise TraitError(f"no frame {proposal['value']}: there are {self._n_frames} (0 to {self._n_frames - 1})")
        return int(proposal["value"])

    @validate("residue")
    def _check_residue(self, proposal: Any) -> int | None:
        n_residues = self._drawing.topology.n_residues
        if proposal["value"] is not None and not 0 <= proposal["value"] < n_residues:
            raise TraitError(f"no residue {proposal['value']}: there are {n_residues} (0 to {n_residues - 1})")
        return None if proposal["value"] is None else int(proposal["value"])

    def coordinates(self, frame: int) -> np.ndarray:
        """Return one frame's positions in Angstrom, superposed on the frame shown first; shape (n_atoms, 3)."""
        with self._lock:
            now = _frames(self.structures, [frame])
            heavy = [a.index for a in now.topology.atoms if a.element is None or a.element.symbol != "H"]
            positions = np.asarray(now.xyz[0], float)
            if len(heavy) >= 3:
                positions = _superposed(positions, np.asarray(self._first.xyz[0], float), heavy)
            return np.ascontiguousarray(positions * 10, np.float32)

    def code(self) -> str:
        """Return the Python that shows the same; values per atom are taken from the notebook's variable."""
        lines = ["import mdnb", ""]
        if getattr(self.structures, "code", ""):
            lines += trajectories_lines(self.structures)
            name = "trajectories"
        else:
            name = name_of(self.structures, "structures")
        values = [] if self.values is None else [name_of(self._given, "values")]
        return "\n".join([*lines, call_text("mdnb.StructureView", name, *values, **self._options())])

    def parameters(self) -> dict[str, Any]:
        """Return what is not the default, with the frame shown."""
        return {"frame": self.value, **self._options()}

    def _options(self) -> dict[str, Any]:
        given = {
            "frame": self.value, "limit": self._limit, "unit": self.unit, "caption": self.caption,
            "width": self.width, "height": self.height,
        }  # fmt: skip
        usual = {"frame": 0, "limit": None, "unit": "", "caption": "", "width": 640, "height": 400}
        return {name: value for name, value in given.items() if value != usual[name]}

    def _make_controls(self) -> Any:
        from mdnb.views._structure_controls import StructureControls

        return StructureControls(self)

    def static_html(self) -> str:
        """Return the structure as HTML for a report: at most 20 frames, evenly chosen, the present one among them."""
        shown = self._static_frames()
        start = shown.index(self.value)
        structures = _frames(self.structures, shown)
        picture = drawing(structures, self.values, limit=self._limit, unit=self.unit, frame=start)
        names = [f"frame {i}" for i in shown]
        caption = self.caption
        if len(shown) < self._n_frames:
            caption = f"{caption}{' ' if caption else ''}({len(shown)} of {self._n_frames:,} frames)"
        return structure_html(picture, caption=caption, names=names, start=start, height=self.height)

    def _static_frames(self) -> Sequence[int]:
        most = max(1, min(_STATIC_FRAMES, _STATIC_NUMBERS // (3 * self._drawing.n_atoms)))
        if self._n_frames <= most:
            return range(self._n_frames)
        spread = np.linspace(0, self._n_frames - 1, most - 1).round().astype(int).tolist() if most > 1 else []
        return sorted({self.value, *spread})

    def __repr__(self) -> str:
        return f"StructureView of {self._n_frames:,} frames, frame {self.value}. {self._drawing.describe()}"

    def _picture(self) -> tuple[bytes | None, str]:
        picture = self._drawing
        if self.value != 0 or is_report():
            picture = drawing(_frames(self.structures, [self.value]), self.values, limit=self._limit, unit=self.unit)
        return structure_png(picture), picture.describe()


def _n_frames(structures: Any) -> int:
    if not hasattr(structures, "topology") or not (hasattr(structures, "frames") or hasattr(structures, "xyz")):
        raise DataError(
            f"StructureView got {type(structures).__name__!r}, expected Trajectories or an mdtraj.Trajectory, such as "
            "mdnb.load(...) or generated.structures"
        )
    n_frames = int(structures.n_frames)
    if n_frames == 0:
        raise DataError("nothing to show: the structures have no frames")
    return n_frames


def _frames(structures: Any, indices: Sequence[int]) -> Any:
    return structures.frames(indices) if hasattr(structures, "frames") else structures[list(indices)]


def _superposed(positions: np.ndarray, reference: np.ndarray, atoms: Sequence[int]) -> np.ndarray:
    """Return positions turned and moved so that some atoms come as near as they can to those of a reference.

    As mdtraj's `superpose` does it, which for one frame takes a hundred times as long to wake its threads.
    W. Kabsch, Acta Crystallogr. A 32, 922 (1976), https://doi.org/10.1107/S0567739476001873.
    """
    centre, target = positions[atoms].mean(0), reference[atoms].mean(0)
    left, _, right = np.linalg.svd((positions[atoms] - centre).T @ (reference[atoms] - target))
    left[:, -1] *= np.sign(np.linalg.det(left @ right))
    return np.asarray((positions - centre) @ (left @ right) + target)

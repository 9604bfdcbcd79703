"""Generate: ask for structures, see them beside real ones, their checks and their distributions."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from traitlets import Any as AnyTrait
from traitlets import Int, TraitError, observe, validate

from mdnb.errors import DataError
from mdnb.figures.ensembles import ensemble_figure
from mdnb.figures.still import still_html, still_png
from mdnb.generation.asked import asked_range
from mdnb.generation.distributions import Distribution, Neighbours, distributions
from mdnb.generation.generate import generate
from mdnb.generation.generated import Generated
from mdnb.generation.maker import Maker
from mdnb.generation.measure import measured
from mdnb.sources.folders import Folder
from mdnb.views._generation_words import answer, checks_html
from mdnb.views._live import is_report
from mdnb.views._side_by_side import SideBySide
from mdnb.views._source import name_of, trajectories_lines
from mdnb.views._view import View, call_text
from mdnb.views.structure_view import StructureView

__all__ = ["GenerationView"]

_CAPTION = "Left: the most similar simulated structure. Right: the generated one."
_MOST = 3000  # real frames that are compared with
SHOWN = ("all", "those that pass", "those that fail")


class GenerationView(View):
    """Ask a VAE or a GAN for structures, and see what came.

    Each generated structure stands to the right of the real one that is most like it. Those that fail a check are
    kept and said to fail.

    Parameters
    ----------
    run : Run
        A trained VAE or GAN from whose features structures are rebuilt, all atoms or some.
    reference : Trajectories
        Real structures of the same molecule; of them the same atoms are shown and measured.
    n : int
        How many structures.
    condition : number or str, optional
        What they shall be, of a run that was trained with a target.
    seed : int
    target : str, optional
        The name of that target as given to `mdnb.fit`, by which what came is measured and compared with what was
        asked for.
    root : path
        The folder that structures are saved under; never left.
    generated : Generated, optional
        Shown at once. In a report, where nobody clicks, structures are generated at once where it is left out.
    frame : int
        The structure shown first.

    Attributes
    ----------
    value : Generated or None
        What came; set it to show another.
    frame : int
        The structure shown.
    shown : str
        Which ones play: one of ``all``, ``those that pass``, ``those that fail``.

    Raises
    ------
    SpecError
        For a run that generates nothing, or what the run does not know.
    DataError
        For a reference of another molecule, or a root that is not there.
    """

    value = AnyTrait(None, allow_none=True, help="The Generated shown, or None.")
    frame = Int(0, help="The structure shown.")

    def __init__(
        self,
        run: Any,
        reference: Any,
        *,
        n: int = 200,
        condition: Any = None,
        seed: int = 0,
        target: str | None = None,
        root: str | os.PathLike[str] = ".",
        generated: Generated | None = None,
        frame: int = 0,
    ) -> None:
        super().__init__()
        self.run, self.reference, self.target = run, reference, target
        self.asked: dict[str, Any] = {"n": n, "condition": condition, "seed": seed}
        self.folder = Folder(root)
        self.range = asked_range(run)
        self.shown = SHOWN[0]
        stride = max(1, reference.n_frames // _MOST)
        self.real = reference.frames(slice(None, None, stride))
        atoms = Maker(run).featurizer.atoms
        self.is_part = len(atoms) < self.real.n_atoms
        if self.is_part:
            self.real = self.real.atom_slice(atoms)
        self._neighbours = Neighbours(self.real)
        self.real_frames = np.arange(reference.n_frames)[::stride]
        self.structure: StructureView | None = None
        self.found: tuple[Distribution, ...] = ()
        self.came: np.ndarray | None = None
        if generated is not None:
            self.value = generated
        elif is_report():
            self.generate()
        if self.value is not None:
            self.frame = frame

    def generate(self, n: int | None = None, condition: Any = None, seed: int | None = None) -> Generated:
        """Generate as asked for, or as last time, and show what comes; as `mdnb.generate` does it."""
        asked = dict(self.asked)
        if n is not None or condition is not None or seed is not None:
            asked = {"n": n or asked["n"], "condition": condition, "seed": asked["seed"] if seed is None else seed}
        made = self.make(asked)
        self.asked = asked
        self.value = made
        return made

    def make(self, asked: dict[str, Any]) -> Generated:
        """Generate without showing it."""
        return generate(self.run, asked["n"], asked["condition"], seed=asked["seed"], reference=self.reference)

    # --- what is shown ------------------------------------------------------------------------------------------------

    @validate("value")
    def _check_value(self, proposal: Any) -> Any:
        made = proposal["value"]
        if made is None:
            return None
        if not isinstance(made, Generated):
            raise TraitError(f"got {type(made).__name__!r}, expected what mdnb.generate returns, or None")
        if made.structures.n_atoms != self.real.n_atoms:
            raise TraitError(f"the structures have {made.structures.n_atoms} atoms, the reference {self.real.n_atoms}")
        return made

    @validate("frame")
    def _check_frame(self, proposal: Any) -> int:
        n = 0 if self.value is None else len(self.value)
        if not 0 <= proposal["value"] < max(n, 1):
            raise TraitError(f"no structure {proposal['value']}: there are {n} (0 to {n - 1})")
        return int(proposal["value"])

    @observe("value")
    def _on_value(self, change: Any) -> None:
        made = change["new"]
        if made is None:
            return
        self.found = distributions(made.structures, self.real)
        self.came = None if self.target is None else measured(made.structures, self.target, self.reference)
        self.frame = 0
        pairs = self._pairs = SideBySide(made.structures, self.real, self._neighbours)
        if self.structure is None:
            self.structure = StructureView(pairs, caption=_CAPTION, width=335, height=360)
            self.structure.observe(self._follow, "value")
        else:
            self.structure.show(pairs, caption=_CAPTION)
        self.show(self.shown)

    @observe("frame")
    def _on_frame(self, change: Any) -> None:
        if self.structure is not None:
            self.structure.value = change["new"]

    def _follow(self, change: Any) -> None:
        self.frame = change["new"]

    def show(self, which: str) -> None:
        """Let all structures play, those that pass every check, or those that fail one.

        Raises
        ------
        DataError
            When there are none of these.
        """
        if which not in SHOWN:
            raise DataError(f"shown = {which!r}: expected one of {', '.join(SHOWN)}")
        made = self.value
        if made is not None and self.structure is not None:
            passes = made.valid
            wanted = np.flatnonzero({SHOWN[1]: passes, SHOWN[2]: ~passes}.get(which, np.ones(len(made), bool)))
            if not len(wanted):
                raise DataError(f"there are none of {which}")
            self.structure.play(None if which == SHOWN[0] else wanted)
        self.shown = which

    def rows(self) -> list[tuple[str, int, float]]:
        """Return each check with how many structures pass it, and their share; ``all checks`` last."""
        made = self.value
        if made is None:
            return []
        checks = {**made.checks, "all checks": made.valid}
        return [(name, int(passed.sum()), float(passed.mean())) for name, passed in checks.items()]

    def describe(self) -> str:
        """Return in words what came, and the structure shown."""
        made = self.value
        if made is None:
            return "Nothing is generated yet."
        words = [
            f"{len(made):,} structures by the {made.family} (seed {made.seed}), "
            f"{made.valid.mean():.1%} pass all checks."
        ]
        if self.came is not None and self.run.target is not None:
            of = f", measured on the {self.real.n_atoms} atoms that are rebuilt" if self.is_part else ""
            words.append(answer(self.run.target, self.asked["condition"], self.came, of))
        failed = [name for name, passed in made.checks.items() if not passed[self.frame]]
        like, distance = self._pairs.nearest(self.frame)
        verdict = f"fails {', '.join(failed)}" if failed else "passes every check"
        words.append(
            f"Structure {self.frame:,} (right) {verdict}. Left: the most similar simulated one, frame "
            f"{self.real_frames[like]:,}, {distance:.3f} nm away (RMSD of heavy atoms)."
        )
        return " ".join(words)

    def figure(self) -> Any:
        """Return maps and distributions as a plotly figure.

        Raises
        ------
        DataError
            When nothing is generated yet.
        """
        if self.value is None:
            raise DataError("nothing is generated yet: press Generate, or call view.generate()")
        return ensemble_figure(self.value, self.real, self.found)

    # --- code, files, reports -----------------------------------------------------------------------------------------

    def save(self, *parts: str, only_valid: bool = False) -> Path:
        """Write the structures to a PDB, XTC or DCD file under the root.

        Raises
        ------
        DataError
            When nothing is generated yet, the place is outside the root, or the suffix is unknown.
        """
        if self.value is None:
            raise DataError("nothing is generated yet, so that there is nothing to save; press Generate first")
        path = self.folder.path(*parts)
        if path.suffix.lower() not in (".pdb", ".xtc", ".dcd"):
            raise DataError(f"{path.name!r}: give a name that ends with .pdb, .xtc or .dcd")
        if not path.parent.is_dir():
            raise DataError(f"there is no folder {str(path.parent)!r}; make it first")
        return (self.value.only_valid() if only_valid else self.value).save(path)

    def code(self) -> str:
        """Return the Python that generates the same and shows it."""
        given = {name: one for name, one in self.asked.items() if one is not None}
        run, reference = name_of(self.run, "run"), name_of(self.reference, "trajectories")
        more = {} if self.target is None else {"target": self.target}
        view = call_text("mdnb.GenerationView", run, reference, **given, **more, frame=self.frame)
        lines = ["import mdnb", "", *trajectories_lines(self.reference, reference), f"view = {view}"]
        return "\n".join([*lines, *(["view.generate()"] if self.value is not None else []), "view"])

    def parameters(self) -> dict[str, Any]:
        """Return what is asked for."""
        return {**self.asked, "frame": self.frame}

    def static_html(self) -> str:
        """Return checks, distributions and structures as HTML for a report."""
        if self.value is None or self.structure is None:
            none = "<p><em>Nothing is generated yet: call view.generate(), or give generated=.</em></p>"
            return f"{none}{self._settings_html()}"
        words = "".join(f"<p>{escape(line)}</p>" for line in (self.describe(), *self.value.notes))
        return (
            f"{still_html(self.figure(), self.describe())}{words}{checks_html(self.rows())}"
            f"{self.structure.static_html()}{self._settings_html()}"
        )

    def _picture(self) -> tuple[bytes | None, str]:
        return (None if self.value is None else still_png(self.figure())), self.describe()

    def close(self) -> None:
        """Take the live widget away with all it holds; what came stays."""
        super().close()
        if self.structure is not None:
            self.structure.close()

    def _make_controls(self) -> Any:
        from mdnb.views._generation_controls import GenerationControls

        return GenerationControls(self)

    def __repr__(self) -> str:
        return f"GenerationView of the {self.run.family}. {self.describe()}"

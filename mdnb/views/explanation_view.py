"""Explore an explanation: swarm, bars and map beside the structure that is painted by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from traitlets import Dict, TraitError, observe, validate

from mdnb.errors import DataError
from mdnb.explanation import Explanation
from mdnb.features.base import residue_labels
from mdnb.figures import attributions_figure
from mdnb.figures.still import still_html, still_png
from mdnb.views import _way
from mdnb.views._source import name_of
from mdnb.views._view import View, call_text
from mdnb.views.structure_view import StructureView

__all__ = ["ExplanationView"]

_KEYS = ("output", "frame", "residue")
_BY = ("feature", "residue", "atom")


class ExplanationView(View):
    """See what made a prediction: features, residues and times, and where they are in the structure.

    The structure is painted by the attributions on a scale that is symmetric around zero: orange raises the output,
    blue lowers it. Click on a residue in the bars or the map and it is framed in the structure; click on an atom and
    its residue is framed in the plots.

    Parameters
    ----------
    explanation : Explanation, or sequence or mapping of Explanation
        As `mdnb.explain` makes it; several, such as one for each class, are chosen from.
    trajectories : Trajectories, optional
        Those that the explained frames are of, which then are the structures shown; the first frame of the training
        data otherwise.
    output : str, optional
        Which explanation is shown first.
    frame : int, optional
        One of the explained frames; the mean over all of them when left out.
    residue : str, optional
        The residue chosen, such as ``"TRP9"``.
    by : {"feature", "residue", "atom"}
        What the swarm is of.

    Attributes
    ----------
    value : dict
        ``output``, ``frame`` (or None) and ``residue`` (or None) that are shown. Set it to show others; what is left
        out of it stays.
    by : str

    Raises
    ------
    DataError
        When there is nothing to show, or the trajectories are of another molecule.
    """

    value = Dict(help="The output, the frame and the residue that are shown.")

    def __init__(
        self,
        explanation: Any,
        trajectories: Any = None,
        *,
        output: str | None = None,
        frame: int | None = None,
        residue: str | None = None,
        by: str = "feature",
    ) -> None:
        self.explanations = _named(explanation)
        self._given, self.trajectories, self.by = explanation, trajectories, by
        first = next(iter(self.explanations.values()))
        self.residues = tuple(residue_labels(first.topology))
        self._positions: dict[str, Any] = {}
        if trajectories is not None and trajectories.n_atoms != first.topology.n_atoms:
            raise DataError(
                f"the trajectories have {trajectories.n_atoms} atoms, the explanation is of {first.topology.n_atoms}; "
                "give those that the features were computed from"
            )
        super().__init__(value={"output": next(iter(self.explanations)), "frame": None, "residue": None})
        self.structure = StructureView(
            self._structure(), self.painted(), unit="attribution", width=335, height=360
        )  # fmt: skip
        self.structure.observe(self._follow, "residue")
        chosen = {"output": output, "frame": frame, "residue": residue}
        self.value = {key: one for key, one in chosen.items() if one is not None}

    # --- what is shown ------------------------------------------------------------------------------------------------

    @property
    def explanation(self) -> Explanation:
        """The explanation shown."""
        return self.explanations[self.value["output"]]

    @property
    def sample(self) -> int | None:
        """Number of the sample shown, or None for the mean over all."""
        frame = self.value["frame"]
        return None if frame is None else int(np.flatnonzero(self.explanation.frames == frame)[0])

    @property
    def residue(self) -> int | None:
        """Number of the residue chosen."""
        return None if self.value["residue"] is None else self.residues.index(self.value["residue"])

    def painted(self) -> np.ndarray:
        """Return the number of each atom's colour: the attribution of its residue."""
        return self.explanation.painted(by="residue", sample=self.sample)

    def _structure(self) -> Any:
        """Return the structure shown, one frame."""
        import mdtraj

        made = self.explanation
        if self.trajectories is not None:
            return self.trajectories.frames([int(made.frames[self.sample or 0])])
        if made.reference is None:
            raise DataError("this explanation has no structure of its own; give trajectories=")
        return mdtraj.Trajectory(np.asarray(made.reference)[None], made.topology)

    @validate("value")
    def _check_value(self, proposal: Any) -> dict[str, Any]:
        asked = dict(proposal["value"])
        unknown = sorted(set(asked) - set(_KEYS))
        if unknown:
            raise TraitError(f"{unknown[0]!r} is nothing to choose; choose {', '.join(_KEYS)}")
        new = {"output": None, "frame": None, "residue": None, **self._trait_values.get("value", {}), **asked}
        if new["output"] not in self.explanations:
            raise TraitError(f"no explanation of {new['output']!r}; there are {', '.join(self.explanations)}")
        frames = self.explanations[new["output"]].frames
        if new["frame"] is not None:
            new["frame"] = int(new["frame"])
            if new["frame"] not in frames:
                if "frame" in asked:
                    raise TraitError(f"frame {new['frame']} is not explained; explained are {_some(frames)}")
                new["frame"] = None
        if new["residue"] is not None and new["residue"] not in self.residues:
            raise TraitError(f"no residue {new['residue']!r}; there are {_some(self.residues)}")
        return {key: new[key] for key in _KEYS}

    @observe("value")
    def _on_value(self, change: Any) -> None:
        old, new = change["old"], change["new"]
        if not hasattr(self, "structure"):
            return
        anew = (old["output"], old["frame"]) != (new["output"], new["frame"])
        if self._controls is not None:  # first, as the structure takes the browser longer
            self._controls.show(anew)
            _way.let_out()
        if anew:
            self.structure.show(self._structure(), self.painted(), unit="attribution", keep=True)
        self.structure.residue = self.residue

    def _follow(self, change: Any) -> None:
        self.value = {"residue": None if change["new"] is None else self.residues[change["new"]]}

    # --- in words, in code, in a report -------------------------------------------------------------------------------

    def describe(self) -> str:
        """Return in words what is shown, and whether it can be trusted."""
        made, sample = self.explanation, self.sample
        words = f"{made.output}, base value {made.base_value:.4g}"
        if sample is not None:
            words += f"; frame {made.frames[sample]:,}: {made.prediction[sample]:.4g}"
        words += f". Additivity error {made.additivity_error():.2%} of the range of the predictions."
        if self.residue is not None:
            values = made.grouped("residue")[1][:, self.residue]
            words += f" {self.value['residue']}: "
            words += f"mean |attribution| {np.abs(values).mean():.3g}"
            words += "" if sample is None else f", here {values[sample]:+.3g}"
            words += "."
        return words

    def trust(self) -> list[str]:
        """Return what is known of the faithfulness of what is shown, a line each; warnings first."""
        checked = self.explanation.checked
        return [*self.explanation.notes, *(checked.verdict() if checked else ["Its faithfulness is not checked yet."])]

    def code(self) -> str:
        """Return the Python that shows the same."""
        given = {**self.parameters(), "by": self.by}
        given = {name: one for name, one in given.items() if one is not None and (name, one) != ("by", "feature")}
        if len(self.explanations) == 1:
            del given["output"]
        trajectories = [] if self.trajectories is None else [name_of(self.trajectories, "trajectories")]
        call = call_text("mdnb.ExplanationView", name_of(self._given, "explanation"), *trajectories, **given)
        return f"import mdnb\n\nview = {call}\nview"

    def parameters(self) -> dict[str, Any]:
        """Return what is chosen."""
        return dict(self.value)

    def figure(self) -> Any:
        """Return the plots as a plotly figure."""
        return attributions_figure(self.explanation, by=self.by, sample=self.sample, residue=self.residue)

    def static_html(self) -> str:
        """Return plots and structure as HTML for a report."""
        lines = "".join(f"<li>{escape(line)}</li>" for line in self.trust())
        return (
            f"{still_html(self.figure(), self.describe())}<p>{escape(self.describe())}</p><ul>{lines}</ul>"
            f"{self.structure.static_html()}{self._settings_html()}"
        )

    def _picture(self) -> tuple[bytes | None, str]:
        return still_png(self.figure()), self.describe()

    def close(self) -> None:
        """Take the live widget away with all it holds; the value stays."""
        super().close()
        self.structure.close()

    def _make_controls(self) -> Any:
        from mdnb.views._explanation_controls import ExplanationControls

        return ExplanationControls(self)

    def __repr__(self) -> str:
        return f"ExplanationView of {self.describe()}"


def _named(given: Any) -> dict[str, Explanation]:
    """Return explanations by name."""
    if isinstance(given, Explanation):
        given = [given]
    if isinstance(given, Mapping):
        found = {str(name): one for name, one in given.items()}
    elif isinstance(given, Sequence) and not isinstance(given, str):
        found = {getattr(one, "output", str(number)): one for number, one in enumerate(given)}
    else:
        found = {}
    if not found or not all(isinstance(one, Explanation) for one in found.values()):
        raise DataError(
            f"ExplanationView got {type(given).__name__!r}, expected what mdnb.explain returns, or several of it"
        )
    atoms = {one.topology.n_atoms for one in found.values()}
    if len(atoms) > 1:
        raise DataError(f"the explanations are of molecules of {' and '.join(map(str, sorted(atoms)))} atoms; show one")
    return found


def _some(values: Any) -> str:
    shown = [str(one) for one in values[:8]]
    return ", ".join([*shown, "..."] if len(values) > 8 else shown)

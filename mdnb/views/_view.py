"""What every widget is without a browser: a value, the code and the parameters that make it, a picture for a report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from traitlets import HasTraits

from mdnb.views._live import is_report, mime_bundle

__all__ = ["View", "call_text", "parameters_yaml"]


class View(HasTraits):
    """Base of the public widgets: a subclass has a `value`, and gives the four methods that raise here."""

    _controls: Any = None

    def code(self) -> str:
        """Return the Python that reproduces the present state."""
        raise NotImplementedError

    def parameters(self) -> dict[str, Any]:
        """Return the present state as papermill parameters: names, and values that YAML can hold."""
        raise NotImplementedError

    def static_html(self) -> str:
        """Return the present state as HTML for a report."""
        raise NotImplementedError

    def _make_controls(self) -> Any:
        """Return the live half, a `mdnb.views._frame.Frame`; import its module here, so that ipywidgets comes late."""
        raise NotImplementedError

    def _picture(self) -> tuple[bytes | None, str]:
        """Return a PNG for viewers that show no HTML, and its description."""
        return None, ""

    def parameters_yaml(self) -> str:
        """Return `parameters` as YAML, as ``papermill -f`` and ``mdnb report`` take it."""
        return parameters_yaml(self.parameters())

    @property
    def widget(self) -> Any:
        """The live widget, made when it is first asked for."""
        if self._controls is None:
            self._controls = self._make_controls()
        return self._controls.box

    def close(self) -> None:
        """Take the live widget away with all it holds: comms, threads, figures. The value stays."""
        if self._controls is not None:
            controls, self._controls = self._controls, None
            controls.close()

    def _settings_html(self) -> str:
        """Return code and parameters for a report, to be folded out."""
        return (
            f"<details><summary>Python</summary><pre>{escape(self.code())}</pre></details>"
            f"<details><summary>Parameters</summary><pre>{escape(self.parameters_yaml())}</pre></details>"
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        png, alt = self._picture()
        return mime_bundle(
            None if is_report() else self.widget, text=repr(self), html=self.static_html(), png=png, alt=alt
        )


def parameters_yaml(parameters: Mapping[str, Any]) -> str:
    """Return parameters as YAML, one a line; JSON's texts and lists are YAML's too."""
    if not parameters:
        return "{}  # nothing is chosen yet\n"
    return "".join(f"{name}: {_yaml(value)}\n" for name, value in parameters.items())


def _yaml(value: Any) -> str:
    # A number such as 1e-05 is a text to YAML 1.1, which wants a point in it.
    if isinstance(value, float):
        text = repr(value)
        return text.replace("e", ".0e") if "e" in text and "." not in text else text
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_yaml(str(key))}: {_yaml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    if isinstance(value, str):
        plain = (one if one.isprintable() and one not in '"\\' else f"\\U{ord(one):08X}" for one in value)
        return f'"{"".join(plain)}"'
    return json.dumps(value)


def call_text(name: str, *positional: str, **given: Any) -> str:
    """Return a call as Python: the positional ones as they stand, the others by their `repr`, one a line if long."""
    parts = [*positional, *(f"{key}={value!r}" for key, value in given.items())]
    line = f"{name}({', '.join(parts)})"
    return line if len(line) <= 100 else f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + ")"

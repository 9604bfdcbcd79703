"""What every view shares: whether somebody is there to click, and messages with their text escaped."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from html import escape
from typing import Any

from mdnb.errors import MdnbError
from mdnb.views import _way

__all__ = ["error_text", "is_report", "message_html", "mime_bundle", "shows_errors"]

#: Border, ground and text; the variables are set by the dark theme (``static/frame.css``).
_STYLES = {
    "error": ("#b3261e", "#fdecea", "#5f1410"),
    "info": ("#1f5f99", "#eaf2fa", "#12324f"),
}


def is_report() -> bool:
    """Return whether this runs unattended, as in `mdnb.report`: then pictures are shown, no controls."""
    return bool(os.environ.get("MDNB_REPORT"))


def message_html(text: str, kind: str = "error") -> str:
    """Return a message box; empty for an empty text."""
    if not text:
        return ""
    role = "alert" if kind == "error" else "status"
    border, ground, ink = (
        f"var(--mdnb-{kind}-{part},{value})"
        for part, value in zip(("border", "ground", "ink"), _STYLES[kind], strict=True)
    )
    style = (
        f"border-left:4px solid {border};background:{ground};color:{ink};padding:6px 10px;margin:4px 0;line-height:1.4;"
        "white-space:pre-wrap;overflow-wrap:anywhere"
    )
    return f'<div role="{role}" class="mdnb-{kind}" style="{style}">{escape(text)}</div>'


def error_text(error: BaseException) -> str:
    """Return what a user is told of an error: our own say what to do, others are told by name."""
    return str(error) if isinstance(error, MdnbError) else f"{type(error).__name__}: {error}"


def shows_errors(method: Callable[..., None]) -> Callable[..., None]:
    """Wrap a callback: its error is shown in the view, by its `show_error(text)`, and a training steps aside for it."""

    @wraps(method)
    def wrapped(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            with _way.first():
                method(self, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - a callback has no caller that could see it
            self.show_error(error_text(error))

    return wrapped


def mime_bundle(widget: Any, *, text: str, html: str, png: bytes | None = None, alt: str = "") -> Any:
    """Return what IPython shows: the live widget if there is one, and what is left of it in a saved file."""
    import base64

    data = {"text/plain": text, "text/html": html}
    metadata: dict[str, Any] = {}
    if png is not None:
        data["image/png"] = base64.b64encode(png).decode("ascii")
        metadata["image/png"] = {"alt": alt}
    if widget is not None:
        data.update(widget._repr_mimebundle_())
        data["text/plain"] = text
    return data, metadata

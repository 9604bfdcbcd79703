"""Requests to the web: mirrors and proxies, redirects, further tries, and errors that say what to do by hand."""

from __future__ import annotations

import http.client
import os
import re
from threading import Event
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from mdnb import __version__
from mdnb.errors import DataError

__all__ = ["BROKEN", "PAUSES", "TIMEOUT", "get", "give_up_or_wait", "mirrored"]

#: Seconds without a byte after which a connection counts as broken.
TIMEOUT = 30.0
#: Seconds before each further try; the number of them is that of further tries without a byte of progress.
PAUSES: tuple[float, ...] = (1.0, 3.0, 10.0)
#: What may be tried again: too many requests, and errors of the server.
_PASSING = (408, 429, 500, 502, 503, 504)
BROKEN = (URLError, http.client.HTTPException, TimeoutError, ConnectionError)


def mirrored(url: str) -> str:
    """Return where a file is asked for: its own address, or ``$MDNB_MIRROR/host/path`` where a mirror is set.

    That is the layout in which ``wget --recursive`` (or ``-x``) stores what it copies.
    """
    mirror = os.environ.get("MDNB_MIRROR", "").rstrip("/")
    if not mirror:
        return url
    if urlsplit(mirror).scheme not in ("http", "https"):
        raise DataError(f"MDNB_MIRROR={mirror!r} is no address of the web; expected https://host/folder")
    return f"{mirror}/{url.partition('://')[2]}"


class _Redirects(HTTPRedirectHandler):
    """Follows redirects within the web, never from https to http; keeps the checksum that Hugging Face sends."""

    def __init__(self) -> None:
        self.checksum = ""

    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: str) -> Any:
        before, after = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if after not in ("http", "https") or (before == "https" and after == "http"):
            raise DataError(f"{req.full_url} leads to {newurl}, which is not followed, as it is not {before}")
        tag = str(headers.get("X-Linked-ETag", "")).strip('"')
        if re.fullmatch("[0-9a-f]{64}", tag):
            self.checksum = f"sha256:{tag}"
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def get(url: str, headers: dict[str, str]) -> tuple[Any, str]:
    """Return an answer and the checksum that came with a redirect."""
    redirects = _Redirects()
    request = Request(
        quote(mirrored(url), safe="/:?&=%+,~@!$'()*;[]-._"),
        headers={"User-Agent": f"mdnb/{__version__}", "Accept-Encoding": "identity", **headers},
    )
    return build_opener(redirects).open(request, timeout=TIMEOUT), redirects.checksum


def give_up_or_wait(error: Exception, pause: float | None, url: str, by_hand: str) -> None:
    """Wait before the next try; raise where another one is of no use."""
    host = urlsplit(mirrored(url)).netloc
    if isinstance(error, HTTPError):
        error.close()
        if error.code in (404, 410):
            raise DataError(
                f"{host} has no {urlsplit(url).path} (HTTP {error.code}); is the entry's name right, and is it still "
                f"in the database?"
            ) from error
        if error.code in (401, 403):
            raise DataError(f"{host} does not give {url} to everybody (HTTP {error.code}){by_hand}") from error
        if error.code in _PASSING and pause is not None:
            asked = str(error.headers.get("Retry-After", ""))
            _wait(max(pause, min(float(asked), 60.0)) if asked.isdigit() else pause)
            return
        raise DataError(f"{host} answers HTTP {error.code} ({error.reason}) to {url}; try later{by_hand}") from error
    if pause is None:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        raise DataError(
            f"cannot reach {host} ({reason}); check the network, or name the proxy of your institute in HTTPS_PROXY or "
            f"a mirror in MDNB_MIRROR{by_hand}"
        ) from error
    _wait(pause)


def _wait(seconds: float) -> None:
    Event().wait(seconds)

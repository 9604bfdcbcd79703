"""A small web server on this machine, that can also fail in the ways that servers do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any


@dataclass
class Web:
    """What the server serves, and how; changed by a test while it runs."""

    files: dict[str, bytes] = field(default_factory=dict)
    #: Whether parts may be asked for.
    ranges: bool = True
    #: Whether it says how long a file is.
    length: bool = True
    #: Statuses of the next answers, in place of the file.
    failures: list[int] = field(default_factory=list)
    #: The next answers end after so many bytes.
    cuts: list[int] = field(default_factory=list)
    #: Path -> where it leads, and headers that come with that.
    redirects: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)
    #: The answer goes on after this many bytes when `go` is set.
    hold: int | None = None
    go: Event = field(default_factory=Event)
    #: What was asked for: path and Range.
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    def put(self, address: str, content: bytes) -> str:
        """Serve a file in place of its real address."""
        self.files["/" + address.partition("://")[2]] = content
        return address


@contextmanager
def serving() -> Iterator[Web]:
    """Run the server on a free port of 127.0.0.1."""
    web = Web()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(web))
    server.daemon_threads = True
    web.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        web.go.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(web: Web) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            return None

        def do_GET(self) -> None:
            self.close_connection = True
            web.asked.append((self.path, self.headers.get("Range", "")))
            if web.failures:
                self._short(web.failures.pop(0))
            elif self.path in web.redirects:
                target, headers = web.redirects[self.path]
                self._short(302, {"Location": target, **headers})
            elif self.path not in web.files:
                self._short(404)
            else:
                self._file(web.files[self.path])

        def _short(self, status: int, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": "0", "Connection": "close", **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()

        def _file(self, content: bytes) -> None:
            tag, start = f'"{sha256(content).hexdigest()[:16]}"', 0
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")) if web.ranges else None
            if asked and self.headers.get("If-Range") in (None, tag):
                start = int(asked[1])
                if start >= len(content):
                    self._short(416)
                    return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            if web.ranges:
                self.send_header("ETag", tag)
            if web.length:
                self.send_header("Content-Length", str(len(content) - start))
            self.send_header("Connection", "close")
            self.end_headers()
            body = content[start:]
            cut = web.cuts.pop(0) if web.cuts else len(body)
            held = web.hold
            try:
                if held is not None:
                    self.wfile.write(body[:held])
                    self.wfile.flush()
                    web.go.wait(60)
                    body, cut = body[held:], cut - held
                self.wfile.write(body[:cut])
            except OSError:
                return  # whoever asked has gone

    return Handler

"""A real Chromium and a real JupyterLab, both kept from every host but this one."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mdnb.bench.browser import FLAGS, chromium_path, jupyterlab

SCREENSHOTS = Path(__file__).parent / "screenshots"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


def unavailable(reason: str) -> None:
    if os.environ.get("MDNB_BROWSER_TESTS") == "required":
        pytest.fail(f"browser tests are required here, but {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    path = chromium_path()
    if path is None:
        unavailable("no Chromium was found: install it, or name it in MDNB_CHROMIUM")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        unavailable("playwright is not installed: pip install playwright")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


class Watch:
    """What a page asked for and complained about."""

    def __init__(self, page: Any) -> None:
        self.requests: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))

    def foreign(self) -> list[str]:
        local = ("data:", "blob:", "http://127.0.0.1", "ws://127.0.0.1", "file:", "about:")
        return [url for url in self.requests if not url.startswith(local)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Any:
    outcome = yield
    opened = getattr(item, "funcargs", {}).get("page")
    if outcome.failed and opened is not None and call.when == "call":  # later it is gone
        SCREENSHOTS.mkdir(exist_ok=True)
        opened.screenshot(path=str(SCREENSHOTS / f"failed-{item.name}.png"))
    return outcome


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    context = chromium.new_context(viewport={"width": 1300, "height": 1000}, accept_downloads=False)
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    opened.watch = Watch(opened)
    yield opened
    context.close()


def poll(what: str, check: Callable[[], Any], page: Any, seconds: float = 90) -> Any:
    """Ask until the answer is true; the browser goes on in between."""
    end = time.monotonic() + seconds
    while True:
        answer = check()
        if answer:
            return answer
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => done()))")


def pixels(locator: Any) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(locator.screenshot(animations="allow"))).convert("RGB"), int)


def drawn(image: np.ndarray) -> bool:
    """Return whether more than a few pixels differ from the most frequent colour."""
    flat = image.reshape(-1, 3)
    colours, counts = np.unique(flat, axis=0, return_counts=True)
    return bool((np.abs(flat - colours[counts.argmax()]).sum(axis=1) > 60).mean() > 0.01)


@pytest.fixture(scope="session")
def lab() -> Iterator[dict[str, Any]]:
    with jupyterlab() as (url, folder):
        yield {"url": url, "folder": folder}

"""Chromium for tests of pages; the tests are skipped where it is not installed."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed (Debian package chromium), and CHROMIUM does not name it"
)
NODE_MODULES = Path(__file__).parent / "node_modules"
ONNXRUNTIME_WEB = NODE_MODULES / "onnxruntime-web" / "dist"
needs_onnxruntime_web = pytest.mark.skipif(
    not ONNXRUNTIME_WEB.exists(), reason="onnxruntime-web is not installed (npm ci --prefix tests)"
)


@contextmanager
def open_browser():
    """Start Chromium and yield it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


@contextmanager
def open_page(browser, url, *, width=1200, height=900, color_scheme="light", **settings):
    """Open a page and yield it; fail if it wrote to the console, failed, or requested other hosts.

    `browser` is the fixture; `settings` are arguments of Playwright's ``Browser.new_context``.
    """
    messages, requests = [], []
    viewport = {"width": width, "height": height}
    with browser.new_context(viewport=viewport, color_scheme=color_scheme, **settings) as context:
        page = context.new_page()
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(url)
        yield page
    origin = url.split("/")[:3]
    others = [each for each in requests if each.split("/")[:3] != origin and not each.startswith(("data:", "blob:"))]
    assert not messages, messages
    assert not others, others

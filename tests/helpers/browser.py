"""A real browser, Debian's Chromium, and a server for its pages."""

from __future__ import annotations

import base64
import functools
import http.server
import threading
from contextlib import contextmanager

import numpy as np

CHROMIUM = "/usr/bin/chromium"


@contextmanager
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
            timeout=120_000,
        )
        yield browser
        browser.close()


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@contextmanager
def served(folder):
    """The address of a plain server of static files, below a path of its own as GitHub Pages has it."""
    handler = functools.partial(_Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextmanager
def opened(browser, address, **options):
    """A page that must report no error."""
    page = browser.new_page(**options)
    page.set_default_timeout(120_000)
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(address)
    yield page
    page.close()
    assert errors == []


def samples_of(encoded):
    """The samples of base64 of a Float32Array."""
    return np.frombuffer(base64.b64decode(encoded), "<f4")

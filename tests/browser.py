"""A browser without a window, to look at pages with."""

import re
import shutil
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
from matplotlib.image import imread

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")
#: What a browser takes for the user's wish.
SCHEMES = {"dark": 0, "light": 1}


def browse(url, folder, *options):
    """Return what a browser prints, and what pages log to its console."""
    done = subprocess.run(
        [
            BROWSER,
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--no-first-run", "--hide-scrollbars", f"--user-data-dir={folder}"),
            *("--window-size=900,3000", "--enable-logging=stderr", *options, url),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout, re.findall(r":CONSOLE.*?\] (.*)", done.stderr)


def picture(url, folder, scheme="light"):
    """Return the pixels of a page, (height, width, 3), and what it logs."""
    path = folder / f"{scheme}.png"
    _, logged = browse(
        url,
        folder / "profile",
        f"--screenshot={path}",
        f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
    )
    return np.round(imread(path)[:, :, :3] * 255).astype(int), logged


@contextmanager
def page_server(text):
    """Serve one page; give its address, and the list of all that was asked for."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            """Keep quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/page.html", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

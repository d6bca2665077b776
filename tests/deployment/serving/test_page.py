"""The start page, looked at in a browser."""

import shutil
import subprocess

import numpy as np
import pytest
from matplotlib.image import imread

from fhe_estimators.deployment import Manifest
from fhe_estimators.deployment._bundle import Bundle
from tests.deployment.serving.served import ANN

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)

pytestmark = [
    pytest.mark.fhe,
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="there is no Chromium"),
]
#: The colour of the line above each model.
LINE = np.array([0x22, 0x44, 0x66])


def browse(url, folder, *options):
    """Return what a browser without a window prints."""
    done = subprocess.run(
        [
            BROWSER,
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--no-first-run", "--hide-scrollbars", f"--user-data-dir={folder}"),
            *("--window-size=900,3000", *options, url),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout


@pytest.fixture
def url(served):
    return served.url.replace("http://", f"http://anybody:{ANN}@") + "/"


def test_it_shows_all_models(url, deployed, tmp_path):
    shown = browse(url, tmp_path, "--dump-dom")
    assert "Encrypted prediction" in shown
    for name in ("linear", "tree"):
        manifest: Manifest = Bundle.load(deployed.folder / name / "client.zip").manifest
        assert f"/v2/models/{name}" in shown
        assert f"{manifest.row_bytes:,}" in shown
        for sentence in (*manifest.learns["client"], *manifest.learns["server"]):
            assert sentence.replace("'", "&#x27;") in shown or sentence in shown


def test_it_is_laid_out(url, tmp_path):
    """There is a line above each model, as wide as the text, in the colour of the page."""
    path = tmp_path / "page.png"
    browse(url, tmp_path / "profile", f"--screenshot={path}")
    pixels = np.round(imread(path)[:, :, :3] * 255).astype(int)
    is_line = (pixels == LINE).all(axis=2).sum(axis=1) > 500
    starts = np.flatnonzero(np.diff(is_line.astype(int)) == 1)
    assert len(starts) == 2
    # Text above, between and below them.
    is_dark = (pixels.sum(axis=2) < 200).sum(axis=1) > 0
    for part in np.split(is_dark, starts):
        assert part.sum() > 50
